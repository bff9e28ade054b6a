#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "storage/applier.hpp"
#include "storage/heads.hpp"
#include "storage/log/lane.hpp"
#include "storage/telling.hpp"

namespace parley {

/// Takes what the log has written on: to the applier first, then to the heads, then to the waiters.
/// The entries' owners are `Pending`s.
///
/// Owned by a local journal; outlives the lane. Runs on the lane's commit thread.
/// Invariants: I1 (nobody is told committed before the sync), I10 (readers see it before anybody is
/// told). Not its job: ending the process after a failure: `on_fatal` does.
class CommitSink final : public log::GroupSink {
 public:
  CommitSink(Heads& heads, Applier& applier, std::function<void(std::string)> on_fatal)
      : heads_(heads), applier_(applier), on_fatal_(std::move(on_fatal)) {}

  void encode(log::Entry& entry) override;
  void on_group(std::span<log::Entry> group, log::Mark mark, log::WriteOutcome outcome) override;
  void on_failed(const Status& why) override;

  [[nodiscard]] bool failed() const { return failed_.load(std::memory_order_acquire); }
  [[nodiscard]] uint64_t groups() const { return groups_.load(std::memory_order_relaxed); }
  [[nodiscard]] uint64_t commits() const { return commits_.load(std::memory_order_relaxed); }

 private:
  using Group = std::vector<std::shared_ptr<Pending>>;
  void hand_on(const Group& group, log::Mark mark, size_t payload_bytes);

  Heads& heads_;
  Applier& applier_;
  const std::function<void(std::string)> on_fatal_;
  std::atomic<bool> failed_{false};
  std::atomic<uint64_t> groups_{0};
  std::atomic<uint64_t> commits_{0};
};

}  // namespace parley
