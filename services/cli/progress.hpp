#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

#include "services/cli/console.hpp"

namespace parley::cli {

/// How far some long work has come, as text: "import  45% [####     ] 13.9 MiB of 30.8 MiB,
/// 5.20 MiB/s, 3.25 s left". `total` 0 means unknown.
struct ProgressState {
  std::string what;
  uint64_t done = 0;
  uint64_t total = 0;
  bool in_bytes = true;
  std::chrono::microseconds elapsed{0};
  /// Said behind it: "14,805 conversations".
  std::string detail;
};
std::string render_progress(const ProgressState& state, bool with_bar);

/// Shows long work on stderr: a bar that is redrawn on a terminal, else a line each five seconds.
/// Owned by the verb; main thread. Writes nothing when the console is quiet.
class Progress {
 public:
  using Clock = std::function<std::chrono::steady_clock::time_point()>;

  Progress(const Console& console, std::string what, bool in_bytes,
           Clock clock = &std::chrono::steady_clock::now);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void update(uint64_t done, uint64_t total, const std::string& detail = "");
  /// Clears the bar, so that other lines can be written. The next update draws it again.
  void clear();
  [[nodiscard]] std::chrono::microseconds elapsed() const;

 private:
  const Console& console_;
  Clock clock_;
  ProgressState state_;
  std::chrono::steady_clock::time_point started_;
  std::chrono::steady_clock::time_point last_shown_;
  bool bar_shown_ = false;
};

}  // namespace parley::cli
