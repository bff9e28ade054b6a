#include "storage/commit_sink.hpp"

#include <algorithm>

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

void CommitSink::Bell::tell(CommitWaiter& waiter, WriteOutcome outcome) {
  Wakeup* wakeup = waiter.on_written(outcome);
  if (wakeup == nullptr) return;
  if (std::find(wakeups_.begin(), wakeups_.end(), wakeup) == wakeups_.end()) {
    wakeups_.push_back(wakeup);
  }
}

CommitSink::Bell::~Bell() {
  for (Wakeup* wakeup : wakeups_) wakeup->flush();
}

void CommitSink::on_group(std::span<log::Entry> group, log::Mark mark, log::WriteOutcome outcome) {
  Tickets tickets;
  tickets.reserve(group.size());
  size_t bytes = 0;
  for (log::Entry& entry : group) {
    tickets.emplace_back(static_cast<LogTicket*>(entry.owner));
    bytes += entry.payload.size();
  }
  if (outcome == log::WriteOutcome::durable) hand_on(tickets, mark, bytes);  // I10
  Bell bell;
  for (auto& ticket : tickets) settle(*ticket, outcome_of(outcome), bell);
}

void CommitSink::hand_on(const Tickets& tickets, log::Mark mark, size_t bytes) {
  AppliedGroup group{.mark = mark, .commits = {}, .raised = {}, .bytes = bytes};
  for (const auto& ticket : tickets) {
    if (ticket->pending) {
      group.commits.push_back(ticket->pending);
    } else {
      group.raised.push_back(ticket->raised);
    }
  }
  groups_.fetch_add(1, std::memory_order_relaxed);
  commits_.fetch_add(group.commits.size(), std::memory_order_relaxed);
  applier_.add(std::move(group));
}

void CommitSink::settle(LogTicket& ticket, WriteOutcome outcome, Bell& bell) {
  if (!ticket.pending || !ticket.admitted) {
    ticket.told->set_value(outcome);
    return;
  }
  std::vector<Heads::Refused> refused;
  CommitWaiter& waiter = *ticket.pending->waiter;
  // The head moves first: whoever is told may commit again at once.
  heads_.settle(*ticket.pending, outcome, refused);
  bell.tell(waiter, outcome);
  for (const auto& [next, why] : refused) bell.tell(*next, why);
}

void CommitSink::on_failed(const Status& why) {
  failed_.store(true, std::memory_order_release);
  spdlog::critical("the log failed, nothing more is written: {}", why.ToString());
  if (on_fatal_) on_fatal_(why.ToString());
}

}  // namespace parley
