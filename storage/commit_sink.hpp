#pragma once

#include <atomic>
#include <functional>
#include <future>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "storage/applier.hpp"
#include "storage/heads.hpp"
#include "storage/log/lane.hpp"

namespace parley {

/// What an entry of the log carries along. Made by whoever submits, ended by the sink.
struct LogTicket {
  std::shared_ptr<Pending> pending;                ///< a commit,
  bool admitted = true;                            ///< which went through Heads,
  EpochRaised raised;                              ///< or the raise of an epoch
  std::optional<std::promise<WriteOutcome>> told;  ///< set for what has no waiter
};

/// Takes what the log has written on: to the applier first, then to the heads, then to the waiters.
///
/// Owned by a local journal; outlives the lane. Runs on the lane's commit thread.
/// Invariants: I1 (nobody is told committed before the sync), I10 (readers see it before anybody is
/// told). Not its job: ending the process after a failure: `on_fatal` does.
class CommitSink final : public log::GroupSink {
 public:
  CommitSink(Heads& heads, Applier& applier, std::function<void(std::string)> on_fatal)
      : heads_(heads), applier_(applier), on_fatal_(std::move(on_fatal)) {}

  void on_group(std::span<log::Entry> group, log::Mark mark, log::WriteOutcome outcome) override;
  void on_failed(const Status& why) override;

  [[nodiscard]] bool failed() const { return failed_.load(std::memory_order_acquire); }
  [[nodiscard]] uint64_t groups() const { return groups_.load(std::memory_order_relaxed); }
  [[nodiscard]] uint64_t commits() const { return commits_.load(std::memory_order_relaxed); }

  /// Tells waiters, and wakes whoever they name once.
  class Bell {
   public:
    void tell(CommitWaiter& waiter, WriteOutcome outcome);
    ~Bell();

   private:
    std::vector<Wakeup*> wakeups_;
  };

 private:
  using Tickets = std::vector<std::unique_ptr<LogTicket>>;
  void hand_on(const Tickets& tickets, log::Mark mark, size_t bytes);
  void settle(LogTicket& ticket, WriteOutcome outcome, Bell& bell);

  Heads& heads_;
  Applier& applier_;
  const std::function<void(std::string)> on_fatal_;
  std::atomic<bool> failed_{false};
  std::atomic<uint64_t> groups_{0};
  std::atomic<uint64_t> commits_{0};
};

}  // namespace parley
