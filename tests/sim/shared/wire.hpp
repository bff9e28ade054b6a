#pragma once

#include <cstdint>
#include <functional>

#include "tests/sim/shared/judge.hpp"

namespace parley::sim::shared {

class Process;

/// What who sent a statement hears of it.
enum class Told : uint8_t {
  answered,
  refused,  ///< nothing was done
  unknown,  ///< it may have been done, or may be done yet
};

/// A process's session with the database. What it can do wrong, by `Rates`: refuse; lose the
/// statement, or its answer; carry it out long after it was given up; be slow.
class Wire {
 public:
  explicit Wire(Process& process) : process_(process) {}

  /// `carry_out` runs when the statement reaches the database, even if the sender is gone by then;
  /// `told` in the process, unless that is gone.
  void send(std::function<void()> carry_out, std::function<void(Told)> told);
  /// Loses what is sent, or what is answered, or both, until then.
  void cut(bool requests, bool answers, int64_t until) {
    requests_cut_ = requests;
    answers_cut_ = answers;
    cut_until_ = until;
  }

 private:
  [[nodiscard]] int64_t way() const;
  [[nodiscard]] bool lost(bool cut, uint32_t per_mille) const;

  Process& process_;
  bool broken_ = false;  ///< a new connection is needed, for which both ways are
  bool requests_cut_ = false;
  bool answers_cut_ = false;
  int64_t cut_until_ = 0;
};

}  // namespace parley::sim::shared
