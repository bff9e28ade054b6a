#pragma once

#include <optional>
#include <variant>

#include "storage/codec.hpp"

/// Equality of what the domain has no operator== for, bodies of messages compared by content.
namespace parley::values {

inline bool same(const std::shared_ptr<const std::string>& a,
                 const std::shared_ptr<const std::string>& b) {
  return (a == nullptr) == (b == nullptr) && (a == nullptr || *a == *b);
}

template <class T, class Same>
bool same_lists(const std::vector<T>& a, const std::vector<T>& b, Same same_items) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), same_items);
}

inline bool same(const std::vector<HistoryDrop>& a, const std::vector<HistoryDrop>& b) {
  return same_lists(a, b, [](const HistoryDrop& x, const HistoryDrop& y) {
    return x.history == y.history && x.keep == y.keep;
  });
}
inline bool same(const ConversationCreated& a, const ConversationCreated& b) {
  return a.user == b.user && a.title == b.title && a.metadata == b.metadata &&
         a.labels == b.labels && a.policy == b.policy && a.source_json == b.source_json &&
         a.lineage == b.lineage && a.origin == b.origin;
}
inline bool same(const AppendedMessage& a, const AppendedMessage& b) {
  return a.role == b.role && same(a.body, b.body) && a.charge == b.charge;
}
inline bool same(const MessagesAppended& a, const MessagesAppended& b) {
  return a.first == b.first && a.bytes == b.bytes &&
         same_lists(a.messages, b.messages,
                    [](const auto& x, const auto& y) { return same(x, y); });
}
inline bool same(const ConversationUpdated& a, const ConversationUpdated& b) {
  return a.user == b.user && a.title == b.title && a.metadata == b.metadata &&
         a.labels == b.labels && a.policy == b.policy && a.lifecycle == b.lifecycle;
}
inline bool same(const UsageRecorded& a, const UsageRecorded& b) { return a.charge == b.charge; }
inline bool same(const ConversationReset& a, const ConversationReset& b) {
  return a.lineage == b.lineage && same(a.drops, b.drops);
}
inline bool same(const ForkNoted& a, const ForkNoted& b) { return a.child == b.child; }
inline bool same(const ForkReleased& a, const ForkReleased& b) {
  return a.child_history == b.child_history && same(a.drops, b.drops);
}
inline bool same(const ReleaseConfirmed& a, const ReleaseConfirmed& b) {
  return a.child_history == b.child_history;
}
inline bool same(const ConversationDeleted& a, const ConversationDeleted& b) {
  return same(a.drops, b.drops);
}

inline bool same(const Event& a, const Event& b) {
  return a.version == b.version && a.time == b.time && a.dedup == b.dedup &&
         a.body.index() == b.body.index() &&
         std::visit(
             [&](const auto& body) {
               return same(body, std::get<std::decay_t<decltype(body)>>(b.body));
             },
             a.body);
}

inline bool same(const Message& a, const Message& b) {
  return a.sequence == b.sequence && a.version == b.version && a.create_time == b.create_time &&
         a.role == b.role && same(a.body, b.body);
}

inline bool same(const EventList& a, const EventList& b) {
  return same_lists(a, b, [](const Event& x, const Event& y) { return same(x, y); });
}
inline bool same(const std::vector<Message>& a, const std::vector<Message>& b) {
  return same_lists(a, b, [](const Message& x, const Message& y) { return same(x, y); });
}

inline bool same(const State& a, const State& b) { return a == b; }

inline bool same(const Batch& a, const Batch& b) {
  return a.expected == b.expected && a.after == b.after && a.gone == b.gone &&
         a.index_before == b.index_before && a.index_after == b.index_after &&
         same_lists(*a.events, *b.events,
                    [](const auto& x, const auto& y) { return same(x, y); }) &&
         (a.snapshot == nullptr) == (b.snapshot == nullptr) &&
         (a.snapshot == nullptr || *a.snapshot == *b.snapshot);
}

inline bool same(const Commit& a, const Commit& b) {
  return a.key == b.key && a.key_hash == b.key_hash && a.shard == b.shard && a.epoch == b.epoch &&
         same(a.batch, b.batch);
}

inline bool same(const LogRecord& a, const LogRecord& b) {
  if (a.index() != b.index()) return false;
  if (const auto* raised = std::get_if<EpochRaised>(&a)) return *raised == std::get<EpochRaised>(b);
  return same(std::get<Commit>(a), std::get<Commit>(b));
}

}  // namespace parley::values
