#pragma once

#include <memory>
#include <vector>

#include "tests/actors/schedule/stage.hpp"

namespace parley::schedule {

/// Those who change and read conversations: fresh calls, the same request again while the first is
/// under way or long after, and calls made from within an answer. Owned by the run.
class Clients {
 public:
  explicit Clients(Stage& stage) : stage_(stage) {}

  /// A new op, sent once.
  void call();
  /// An op of late with a request id is sent again.
  void retry();
  void send(Op op);

  [[nodiscard]] bool all_answered() const { return open_ == 0; }

 private:
  class Sent;

  void attempt(size_t op);
  void answered(size_t attempt, std::optional<Outcome> outcome, bool replayed);
  void make_fork(const Op& noted, const Receipt& receipt);
  Op draw();

  Stage& stage_;
  size_t open_ = 0;
  int depth_ = 0;  ///< of calls made from within answers
  /// Why kept until the end: a call that is answered twice must be found, not crash.
  std::vector<std::unique_ptr<Call>> sent_;
};

}  // namespace parley::schedule
