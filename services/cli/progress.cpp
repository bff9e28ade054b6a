#include "services/cli/progress.hpp"

#include <algorithm>
#include <ostream>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "services/cli/units.hpp"

namespace parley::cli {
namespace {

constexpr std::chrono::milliseconds k_redraw(100);
constexpr std::chrono::seconds k_line(5);

std::string amount(uint64_t value, bool in_bytes) {
  return in_bytes ? format_bytes(value) : format_count(value);
}

}  // namespace

std::string render_progress(const ProgressState& state, bool with_bar) {
  std::string text = state.what + " ";
  const double seconds = static_cast<double>(state.elapsed.count()) / 1e6;
  const double rate = seconds > 0 ? static_cast<double>(state.done) / seconds : 0;
  if (state.total > 0) {
    const double part =
        std::min(1.0, static_cast<double>(state.done) / static_cast<double>(state.total));
    absl::StrAppendFormat(&text, "%3.0f%% ", part * 100);
    if (with_bar) {
      constexpr size_t k_cells = 20;
      const auto full = static_cast<size_t>(part * k_cells);
      absl::StrAppend(&text, "[", std::string(full, '#'), std::string(k_cells - full, '-'), "] ");
    }
    absl::StrAppend(&text, amount(state.done, state.in_bytes), " of ",
                    amount(state.total, state.in_bytes));
  } else {
    absl::StrAppend(&text, amount(state.done, state.in_bytes));
  }
  if (rate > 0) {
    absl::StrAppend(&text, ", ", amount(static_cast<uint64_t>(rate), state.in_bytes), "/s");
    if (state.total > state.done) {
      const double left = static_cast<double>(state.total - state.done) / rate;
      absl::StrAppend(&text, ", ", format_duration(Micros(static_cast<int64_t>(left * 1e6))),
                      " left");
    }
  }
  if (!state.detail.empty()) absl::StrAppend(&text, "; ", state.detail);
  return text;
}

Progress::Progress(const Console& console, std::string what, bool in_bytes, Clock clock)
    : console_(console), clock_(std::move(clock)), started_(clock_()), last_shown_(started_) {
  state_.what = std::move(what);
  state_.in_bytes = in_bytes;
}

Progress::~Progress() { clear(); }

std::chrono::microseconds Progress::elapsed() const {
  return std::chrono::duration_cast<std::chrono::microseconds>(clock_() - started_);
}

void Progress::update(uint64_t done, uint64_t total, const std::string& detail) {
  if (console_.quiet) return;
  const auto now = clock_();
  const bool bar = console_.err_is_terminal;
  const std::chrono::milliseconds pause = bar ? k_redraw : k_line;
  if (now - last_shown_ < pause) return;
  last_shown_ = now;
  state_.done = done;
  state_.total = total;
  state_.elapsed = elapsed();
  state_.detail = detail;
  const std::string text = render_progress(state_, bar);
  if (bar) {
    console_.err << "\r\033[K" << text << std::flush;
    bar_shown_ = true;
  } else {
    console_.err << text << std::endl;
  }
}

void Progress::clear() {
  if (!bar_shown_) return;
  console_.err << "\r\033[K" << std::flush;
  bar_shown_ = false;
}

}  // namespace parley::cli
