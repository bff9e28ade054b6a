#include "tests/sim/check_answers.hpp"

#include <algorithm>
#include <utility>

namespace parley::sim {
namespace {

using Found = std::optional<Violation>;

/// What answers already returned oblige later ones to reflect: by step of return, the highest
/// place.
class Floor {
 public:
  void add(Step returned, size_t place) { marks_.push_back({returned, place}); }
  void close() {
    std::sort(marks_.begin(), marks_.end());
    for (size_t i = 1; i < marks_.size(); ++i) {
      marks_[i].second = std::max(marks_[i].second, marks_[i - 1].second);
    }
  }
  /// The lowest place that a call invoked at this step may be answered from.
  [[nodiscard]] size_t at(Step invoked) const {
    const auto mark = std::lower_bound(marks_.begin(), marks_.end(), std::pair{invoked, size_t{0}});
    return mark == marks_.begin() ? 0 : std::prev(mark)->second;
  }

 private:
  std::vector<std::pair<Step, size_t>> marks_;
};

/// All attempts on one conversation that were answered without a change.
class Answers {
 public:
  Answers(const Evidence& evidence, const LogIndex& index, uint8_t thread, Stats& stats)
      : evidence_(evidence),
        index_(index),
        id_(thread),
        of_(index.threads[thread]),
        stats_(stats) {}

  Found check() {
    collect();
    for (const Attempt* attempt : attempts_) {
      if (auto wrong = check(*attempt)) return wrong;
    }
    return std::nullopt;
  }

 private:
  [[nodiscard]] const Op& op(const Attempt& attempt) const {
    return evidence_.history.ops[attempt.op];
  }
  [[nodiscard]] std::optional<size_t> written_place(const Attempt& attempt) const {
    if (op(attempt).kind == Kind::read || attempt.result != Result::ok) return std::nullopt;
    return index_.place_of(op(attempt), attempt);
  }

  void collect() {
    for (const Attempt& attempt : evidence_.history.attempts) {
      if (op(attempt).thread != id_ || attempt.returned == k_never) continue;
      attempts_.push_back(&attempt);
      if (const auto written = written_place(attempt)) {
        floor_.add(attempt.returned, *written);
      } else if (op(attempt).kind == Kind::read && attempt.result == Result::ok) {
        const auto place = of_.find(attempt.view.history, attempt.view.version);
        if (place) floor_.add(attempt.returned, *place);
      }
    }
    floor_.close();
  }

  [[nodiscard]] Violation broken(const char* invariant, const Attempt& attempt,
                                 const std::string& what) const {
    return {invariant, "attempt " + std::to_string(&attempt - evidence_.history.attempts.data()) +
                           " of op " + std::to_string(attempt.op) + " on " + thread_name(id_) +
                           " " + what};
  }

  Found check(const Attempt& attempt) {
    if (op(attempt).kind == Kind::read && attempt.result == Result::ok) return check_read(attempt);
    if (attempt.result == Result::refused) {
      if (attempt.refusal.reason == Reason::too_many_waiting) return std::nullopt;  // of the server
      return check_some_place(attempt, "was refused");
    }
    const Kind kind = op(attempt).kind;
    if (kind == Kind::release_fork || kind == Kind::confirm_release) {
      return std::nullopt;  // carries no request id, so its entry cannot be told apart
    }
    if (attempt.result == Result::ok && !written_place(attempt)) {
      return check_some_place(attempt, "was told that there is nothing to change");
    }
    return std::nullopt;
  }

  Found check_read(const Attempt& attempt) {
    const View& view = attempt.view;
    const auto found = of_.find(view.history, view.version);
    if (!found) return broken("I10", attempt, "shows a version that never became durable");
    const Place& place = of_.places[*found];
    if (attempt.returned < place.durable)
      return broken("I10", attempt, "shows what is not durable");
    if (*found < floor_.at(attempt.invoked)) return broken("I5", attempt, "is a stale read");
    if (std::find(view.bodies.begin(), view.bodies.end(), UINT32_MAX) != view.bodies.end()) {
      return broken("I14", attempt, "misses a message that was erased");
    }
    const auto& run = of_.runs[place.run];
    const bool exact = view.bodies.size() == place.messages &&
                       std::equal(view.bodies.begin(), view.bodies.end(), run.begin());
    if (!exact) return broken("I3", attempt, "shows other messages than the log");
    if (!view.bodies.empty() && index_.threads[id_].state.current.parent) ++stats_.fork_reads;
    return std::nullopt;
  }

  /// Whether the answer is right where the conversation stood at a place.
  [[nodiscard]] bool right_at(const Attempt& attempt, const Place& place) const {
    if (attempt.result == Result::ok) {
      const bool gone = op(attempt).kind == Kind::remove;
      return place.version == attempt.receipt.version && (!gone || !place.exists);
    }
    if (place.version != attempt.refusal.current) return false;
    const auto& expected = op(attempt).expected;
    switch (attempt.refusal.reason) {
      case Reason::conversation_not_found:
        return !place.exists;
      case Reason::conversation_exists:
        return place.exists;
      case Reason::conversation_archived:
        return place.exists && place.archived;
      case Reason::version_mismatch:
        return expected && *expected != place.version;
      case Reason::version_not_reached:
        return place.exists && expected && place.version < *expected;
      default:
        return true;
    }
  }

  Found check_some_place(const Attempt& attempt, const char* what) {
    const size_t floor = floor_.at(attempt.invoked);
    bool right_once = false;
    for (size_t i = 0; i < of_.places.size(); ++i) {
      if (!right_at(attempt, of_.places[i])) continue;
      right_once = true;
      if (i >= floor && of_.places[i].durable <= attempt.returned) return std::nullopt;
    }
    return broken("I5", attempt,
                  std::string(what) + (right_once ? " from a stale state" : " for no reason"));
  }

  const Evidence& evidence_;
  const LogIndex& index_;
  uint8_t id_;
  const ThreadIndex& of_;
  Stats& stats_;
  Floor floor_;
  std::vector<const Attempt*> attempts_;
};

}  // namespace

bool may_change_nothing(const Op& op) {
  switch (op.kind) {
    case Kind::create:
    case Kind::remove:
      return op.lenient;
    case Kind::create_fork:
    case Kind::confirm_release:
    case Kind::release_fork:
      return true;
    default:
      return false;
  }
}

std::optional<Violation> check_answers(const Evidence& evidence, const LogIndex& index,
                                       Stats& stats) {
  for (uint8_t thread = 0; thread < k_threads; ++thread) {
    if (auto wrong = Answers(evidence, index, thread, stats).check()) return wrong;
  }
  return std::nullopt;
}

}  // namespace parley::sim
