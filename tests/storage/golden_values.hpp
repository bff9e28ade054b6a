#pragma once

#include <string>
#include <utility>
#include <vector>

#include "storage/codec.hpp"
#include "tests/support/builders.hpp"

/// The values behind the golden files: one of each kind, nothing left at its default. They never
/// change; what a new schema adds is set to what an older record means.
namespace parley::values {

inline constexpr uint32_t k_golden_shards = 64;

inline Charge golden_charge() {
  return {{1, 2, 3, 4, 5, 6}, Money{"EUR", -7, -250'000'000}, "model-1", "provider-1"};
}

inline DedupEntry golden_dedup(uint64_t number) {
  return {build::id(number),
          0x0123456789abcdef,
          {{9}, {3}, {4}, {1'700'000'000'000'001}, true, build::id(77)}};
}

inline Policy golden_policy() { return {12, 34, 24 * 3600}; }

inline Lineage golden_lineage() {
  return {build::id(1),
          {{{5}, build::id(2), {1}, {10}}, {{6}, build::id(3), {11}, {12}}},
          ParentLink{"parent", build::id(1)},
          {{"child", build::id(4), {8}}}};
}

inline ForkOrigin golden_origin() { return {"parent", {12}}; }

inline build::Labels golden_labels() { return {{"team", "blue"}, {"stage", "t\u00e4st"}}; }

inline State golden_state() {
  State state;
  state.exists = true;
  state.version = {300};
  state.user = "user-1";
  state.title = "A title";
  state.metadata = R"({"a":1})";
  state.labels = golden_labels();
  state.policy = golden_policy();
  state.lifecycle = Lifecycle::archived;
  state.create_time = {1'700'000'000'000'000};
  state.last_activity = {1'700'000'100'000'000};
  state.reset_version = {17};
  state.origin = golden_origin();
  state.source_json = R"({"from":"import"})";
  state.current = golden_lineage();
  state.last_sequence = {14};
  state.message_bytes = 2048;
  state.totals.add(golden_charge());
  state.by_model["model-1"] = state.totals;
  state.dedup.remember(golden_dedup(50), 1024);
  state.dedup.remember(golden_dedup(51), 1024);
  state.former.push_back({build::id(6), {}, std::nullopt, {{"other", build::id(7), {2}}}});
  state.pending_releases.push_back({"grandparent", build::id(8)});
  return state;
}

inline State golden_remains() {
  State state;
  state.policy = golden_policy();
  state.dedup.remember(golden_dedup(50), 1024);
  state.former = golden_state().former;
  state.pending_releases = golden_state().pending_releases;
  return state;
}

inline MessagesAppended golden_append() {
  return {{13},
          9,
          {{Role::user, build::body("hello"), std::nullopt},
           {Role::assistant, build::body("you."), golden_charge()}}};
}

/// One of every kind, in the order of EventBody, with bodies of messages.
inline std::vector<std::pair<std::string, Event>> golden_events() {
  const std::vector<HistoryDrop> drops = {{build::id(1), {8}}};
  std::vector<std::pair<std::string, EventBody>> bodies;
  bodies.emplace_back(
      "created",
      ConversationCreated{"user-1", "A title", R"({"a":1})", golden_labels(), golden_policy(),
                          R"({"from":"import"})", golden_lineage(), golden_origin()});
  bodies.emplace_back("appended", golden_append());
  bodies.emplace_back("updated",
                      ConversationUpdated{"user-2", "Another", R"({"b":[]})", golden_labels(),
                                          golden_policy(), Lifecycle::archived});
  bodies.emplace_back("usage_recorded", UsageRecorded{golden_charge()});
  bodies.emplace_back("reset", ConversationReset{Lineage{.history = build::id(9)}, drops});
  bodies.emplace_back("fork_noted", ForkNoted{{"child", build::id(4), {8}}});
  bodies.emplace_back("fork_released", ForkReleased{build::id(4), drops});
  bodies.emplace_back("release_confirmed", ReleaseConfirmed{build::id(4)});
  bodies.emplace_back("deleted", ConversationDeleted{drops});
  std::vector<std::pair<std::string, Event>> events;
  uint64_t version = 1;
  for (auto& [name, body] : bodies) {
    Event event{
        {version}, {1'700'000'000'000'000 + static_cast<int64_t>(version)}, {}, std::move(body)};
    event.dedup = golden_dedup(version++);
    events.emplace_back(name, std::move(event));
  }
  return events;
}

inline Message golden_message() {
  return {
      {13}, {2}, {1'700'000'000'000'002}, Role::tool, build::body(std::string("bytes\0\xff", 7))};
}

inline Commit golden_commit(bool gone) {
  Commit commit;
  commit.key = {"tenant", "thread-1"};
  commit.key_hash = key_hash(commit.key);
  commit.shard = shard_of(commit.key_hash, k_golden_shards);
  commit.epoch = {21};
  EventList events;
  for (auto& [name, event] : golden_events()) {
    if (gone || name != "deleted") events.push_back(event);
  }
  commit.batch.after = gone ? Version{0} : events.back().version;
  commit.batch.events = std::make_shared<const EventList>(std::move(events));
  const IndexRow row{"user-1", golden_labels(), Lifecycle::archived, {1'700'000'000'000'000}};
  commit.batch.index_before = row;
  if (!gone) commit.batch.index_after = row;
  commit.batch.gone = gone;
  if (gone) commit.batch.snapshot = std::make_shared<const State>(golden_remains());
  return commit;
}

}  // namespace parley::values
