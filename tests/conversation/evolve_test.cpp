#include "conversation/evolve.hpp"

#include <random>

#include <gtest/gtest.h>

#include "conversation/invariants.hpp"
#include "tests/support/builders.hpp"

namespace parley {
namespace {

using build::id;

/// Random commands against one conversation, from a seed.
class RandomTalk {
 public:
  explicit RandomTalk(uint64_t seed) : random_(seed) {}

  void step() {
    CommandMeta meta;
    if (pick(2) == 0) meta = build::request(1 + pick(200));
    meta.digest = meta.request.bytes[15];
    if (pick(6) == 0) meta.expected = Version{pick(20)};
    talk_.at(static_cast<int64_t>(pick(5'000'000))).run(command(), meta);
  }

  [[nodiscard]] const build::Conversation& talk() const { return talk_; }

 private:
  uint64_t pick(uint64_t below) { return random_() % below; }

  Command command() {
    switch (pick(12)) {
      case 0: {
        CreateConversation create = build::create();
        create.policy.dedup_requests = static_cast<uint32_t>(1 + pick(40));
        create.policy.dedup_seconds = static_cast<int64_t>(1 + pick(4));
        return create;
      }
      case 1:
        return ResetConversation{};
      case 2:
        return DeleteConversation{.allow_missing = pick(2) == 0};
      case 3:
        return NoteFork{"child", pick(2) == 0 ? std::nullopt : std::optional(Sequence{pick(6)})};
      case 4:
      case 5:
        return ReleaseFork{some_child()};
      case 6: {
        UpdateConversation update;
        update.title = std::to_string(pick(100));
        if (pick(2) == 0) {
          update.policy =
              Policy{static_cast<uint32_t>(pick(50)), static_cast<uint32_t>(1 + pick(40)),
                     static_cast<int64_t>(1 + pick(4))};
        }
        if (pick(3) == 0) update.lifecycle = pick(2) == 0 ? Lifecycle::archived : Lifecycle::active;
        return update;
      }
      case 7:
        return RecordUsage{{.usage = {.total = 5},
                            .cost = build::money("USD", 0, 700'000'000),
                            .model = "m" + std::to_string(pick(300))}};
      default: {
        AppendMessages append = build::append({"a", "bb"});
        append.messages.resize(1 + pick(2));
        if (pick(2) == 0) append.create_if_missing = build::create();
        return append;
      }
    }
  }

  Id128 some_child() {
    std::vector<Id128> children;
    for (const auto& child : talk_.state().current.children) children.push_back(child.history);
    for (const auto& lineage : talk_.state().former) {
      for (const auto& child : lineage.children) children.push_back(child.history);
    }
    return children.empty() ? id(1) : children[pick(children.size())];
  }

  std::mt19937_64 random_;
  build::Conversation talk_;
};

Event without_bodies(Event event) {
  if (auto* appended = std::get_if<MessagesAppended>(&event.body)) {
    for (auto& message : appended->messages) message.body = nullptr;
  }
  return event;
}

TEST(Evolve, ReplayOfTheEventsGivesTheLiveState) {
  for (uint64_t seed = 1; seed <= 40; ++seed) {
    RandomTalk talk(seed);
    for (int i = 0; i < 400; ++i) talk.step();
    State replayed;
    for (const Event& event : talk.talk().events()) {
      replayed = evolve(std::move(replayed), without_bodies(event));
    }
    ASSERT_TRUE(replayed == talk.talk().state()) << "seed " << seed;
  }
}

TEST(Evolve, ReplayFromAnySnapshotGivesTheLiveState) {
  RandomTalk talk(99);
  std::vector<State> snapshots{State{}};
  for (int i = 0; i < 300; ++i) talk.step();
  const EventList& events = talk.talk().events();
  for (const Event& event : events) snapshots.push_back(evolve(snapshots.back(), event));
  for (size_t from = 0; from < snapshots.size(); from += 17) {
    State state = snapshots[from];
    for (size_t i = from; i < events.size(); ++i) state = evolve(std::move(state), events[i]);
    ASSERT_TRUE(state == talk.talk().state()) << from;
  }
}

TEST(Evolve, EveryStepKeepsTheInvariants) {
  for (uint64_t seed = 100; seed <= 140; ++seed) {
    RandomTalk talk(seed);
    for (int i = 0; i < 400; ++i) talk.step();
    State state;
    for (const Event& event : talk.talk().events()) {
      const State before = state;
      state = evolve(std::move(state), event);
      ASSERT_EQ(check_step(before, event, state), std::nullopt) << "seed " << seed;
    }
  }
}

TEST(Evolve, CountsUsageOfMessagesAndOfItself) {
  build::Conversation talk;
  talk.must(build::create());
  AppendMessages append;
  append.messages.push_back(build::priced_message(
      "a", {.usage = {.prompt = 1, .total = 3}, .cost = build::money("USD", 1, 0), .model = "m"}));
  talk.must(append);
  talk.must(RecordUsage{{.usage = {.total = 4}, .model = "n"}});
  EXPECT_EQ(talk.state().totals.usage.total, 7);
  EXPECT_EQ(talk.state().by_model.at("m").usage.total, 3);
  EXPECT_EQ(talk.state().by_model.at("n").usage.total, 4);
  talk.must(ResetConversation{});
  EXPECT_EQ(talk.state().totals, Totals{});
  EXPECT_TRUE(talk.state().by_model.empty());
}

TEST(Evolve, CountsModelsBeyondTheBoundTogether) {
  build::Conversation talk;
  talk.must(build::create());
  for (size_t i = 0; i < k_models_counted_apart + 10; ++i) {
    talk.must(RecordUsage{{.usage = {.total = 1}, .model = "m" + std::to_string(i)}});
  }
  EXPECT_EQ(talk.state().by_model.size(), k_models_counted_apart + 1);
  EXPECT_EQ(talk.state().by_model.at(k_other_models).usage.total, 10);
}

TEST(Evolve, ResetKeepsIdentityRequestsAndRisingVersions) {
  build::Conversation talk;
  talk.must(build::create("me"));
  const Receipt first = talk.must(build::append({"a"}), build::request(1));
  talk.must(ResetConversation{});
  EXPECT_EQ(talk.state().user, "me");
  EXPECT_EQ(talk.state().version, Version{3});
  EXPECT_EQ(talk.must(build::append({"a"}), build::request(1)), first);
}

TEST(Evolve, ForgetsRequestsWhenThePolicyShrinks) {
  build::Conversation talk;
  talk.must(build::create());
  for (uint64_t i = 1; i <= 10; ++i) talk.must(build::append({"a"}), build::request(i));
  UpdateConversation shrink;
  shrink.policy = Policy{.dedup_requests = 3};
  talk.must(shrink);
  EXPECT_EQ(talk.state().dedup.size(), 3U);
  EXPECT_EQ(check_state(talk.state()), std::nullopt);
}

TEST(Evolve, DeletionLeavesNothingOfTheContent) {
  build::Conversation talk;
  CreateConversation create = build::create("me");
  create.title = "t";
  create.metadata = "{\"a\":1}";
  create.labels = {{"k", "v"}};
  create.source_json = "{}";
  talk.must(create);
  talk.must(build::append({"a"}), build::request(1));
  talk.must(DeleteConversation{});
  EXPECT_TRUE(talk.state().vanished());
  State nothing;
  nothing.policy = talk.state().policy;
  EXPECT_EQ(talk.state(), nothing);
}

}  // namespace
}  // namespace parley
