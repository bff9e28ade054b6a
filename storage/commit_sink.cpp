#include "storage/commit_sink.hpp"

#include "base/log.hpp"

namespace parley {
namespace {

WriteOutcome outcome_of(log::WriteOutcome outcome) {
  switch (outcome) {
    case log::WriteOutcome::durable:
      return WriteOutcome::committed;
    case log::WriteOutcome::not_written:
      return WriteOutcome::not_written;
    case log::WriteOutcome::unknown:
      return WriteOutcome::unknown;
  }
  return WriteOutcome::unknown;
}

}  // namespace

void CommitSink::encode(log::Entry& entry) {
  const auto& pending = *static_cast<const Pending*>(entry.owner.get());
  entry.payload =
      pending.raised ? encode_epoch_raised(*pending.raised) : encode_commit(pending.commit);
}

void CommitSink::on_group(std::span<log::Entry> group, log::Mark mark, log::WriteOutcome outcome) {
  Group pending;
  pending.reserve(group.size());
  size_t payload_bytes = 0;
  for (log::Entry& entry : group) {
    pending.push_back(std::static_pointer_cast<Pending>(std::move(entry.owner)));
    payload_bytes += entry.payload.size();
  }
  if (outcome == log::WriteOutcome::durable) hand_on(pending, mark, payload_bytes);  // I10
  Bell bell;
  for (const auto& each : pending) settle(heads_, *each, outcome_of(outcome), bell);
}

void CommitSink::hand_on(const Group& group, log::Mark mark, size_t payload_bytes) {
  AppliedGroup applied{.mark = mark, .commits = {}, .raised = {}, .payload_bytes = payload_bytes};
  applied.commits.reserve(group.size());
  for (const auto& pending : group) {
    applied.memory_bytes += pending->bytes;
    if (pending->raised) {
      applied.raised.push_back(*pending->raised);
    } else {
      applied.commits.push_back(pending);
    }
  }
  groups_.fetch_add(1, std::memory_order_relaxed);
  commits_.fetch_add(applied.commits.size(), std::memory_order_relaxed);
  applier_.add(std::move(applied));
}

void CommitSink::on_failed(const Status& why) {
  failed_.store(true, std::memory_order_release);
  spdlog::critical("the log failed, nothing more is written: {}", why.ToString());
  if (on_fatal_) on_fatal_(why.ToString());
}

}  // namespace parley
