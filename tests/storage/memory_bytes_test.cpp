#include "storage/memory_bytes.hpp"

#include <gtest/gtest.h>

#include "tests/support/builders.hpp"

namespace parley {
namespace {

Commit commit_of(std::vector<Event> events) {
  Commit commit;
  commit.batch.events = std::make_shared<const EventList>(std::move(events));
  return commit;
}

Event appended(const std::string& text) {
  MessagesAppended body;
  body.messages.push_back({Role::user, build::body(text), std::nullopt});
  return {Version{1}, {}, std::nullopt, std::move(body)};
}

TEST(MemoryBytes, GrowWithWhatACommitHolds) {
  const size_t empty = memory_bytes(commit_of({}));
  const size_t small = memory_bytes(commit_of({appended("a")}));
  EXPECT_GE(empty, sizeof(Commit));
  EXPECT_GE(small, empty + sizeof(Event) + sizeof(AppendedMessage));
  EXPECT_EQ(memory_bytes(commit_of({appended(std::string(1001, 'a'))})), small + 1000);
  EXPECT_EQ(memory_bytes(commit_of({appended("a"), appended("b")})) - small, small - empty);

  Event priced = appended("a");
  std::get<MessagesAppended>(priced.body).messages[0].charge = Charge{};
  EXPECT_GE(memory_bytes(commit_of({priced})), small + sizeof(Charge));
  ConversationUpdated update;
  update.metadata = std::string(5000, 'm');
  update.labels = {{"key", std::string(100, 'v')}};
  EXPECT_GE(memory_bytes(commit_of({{Version{1}, {}, std::nullopt, update}})), empty + 5100);
}

TEST(MemoryBytes, CountTheSnapshotWithItsRememberedRequests) {
  State state;
  Commit commit = commit_of({});
  const size_t without = memory_bytes(commit);
  for (uint64_t i = 1; i <= 1000; ++i) {
    state.dedup.remember({build::id(i), i, {}}, 1024);
  }
  state.metadata = std::string(3000, 'm');
  EXPECT_GE(memory_bytes(state), 3000 + state.dedup.memory_bytes());
  commit.batch.snapshot = std::make_shared<const State>(state);
  EXPECT_EQ(memory_bytes(commit), without + memory_bytes(state));
  commit.batch.index_after = IndexRow{std::string(100, 'u'), {}, Lifecycle::active, {}};
  EXPECT_GE(memory_bytes(commit), without + memory_bytes(state) + 100);
}

}  // namespace
}  // namespace parley
