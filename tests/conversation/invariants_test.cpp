#include "conversation/invariants.hpp"

#include <gtest/gtest.h>

#include "tests/support/builders.hpp"

namespace parley {
namespace {

using build::append;
using build::create;
using build::id;

State lived() {
  build::Conversation talk;
  talk.must(create());
  talk.must(append({"a", "b"}), build::request(1));
  return talk.state();
}

TEST(CheckState, PassesALivedState) { EXPECT_EQ(check_state(lived()), std::nullopt); }

struct Damage {
  const char* expected;
  void (*act)(State&);
};

TEST(CheckState, NamesWhatIsWrong) {
  const std::vector<Damage> damages = {
      {"version 0", [](State& s) { s.version = {}; }},
      {"without a history", [](State& s) { s.current.history = {}; }},
      {"shares more",
       [](State& s) {
         s.current.past = {{{}, id(1), {1}, {9}}};
         s.current.parent = ParentLink{"p", id(2)};
       }},
      {"gap",
       [](State& s) {
         s.current.past = {{{}, id(1), {2}, {2}}};
         s.current.parent = ParentLink{"p", id(2)};
       }},
      {"without a parent",
       [](State& s) {
         s.current.past = {{{}, id(1), {1}, {1}}};
       }},
      {"child twice",
       [](State& s) {
         s.current.children = {{"c", id(1), {1}}, {"c", id(1), {2}}};
       }},
      {"nobody needs", [](State& s) { s.former.push_back({.history = id(1)}); }},
      {"reset in the future", [](State& s) { s.reset_version = {99}; }},
      {"before it was created", [](State& s) { s.create_time = {1'000'000}; }},
      {"more requests",
       [](State& s) {
         s.policy.dedup_requests = 1;
         s.dedup.remember({id(5), 1, {}}, 100);
       }},
      {"with messages", [](State& s) { s.exists = false, s.version = {}; }},
      {"with a version", [](State& s) { s = {}, s.version = {1}; }},
      {"with content", [](State& s) { s = {}, s.title = "kept"; }},
  };
  for (const auto& [expected, act] : damages) {
    State state = lived();
    act(state);
    const auto wrong = check_state(state);
    ASSERT_TRUE(wrong.has_value()) << expected;
    EXPECT_NE(wrong->find(expected), std::string::npos) << *wrong;
  }
}

TEST(CheckStep, NamesTheInvariantThatAnEventBreaks) {
  const State before = lived();
  const Event right{before.version.next(), before.last_activity, std::nullopt,
                    MessagesAppended{{3}, 1, {{Role::user, build::body("c"), {}}}}};
  EXPECT_EQ(check_step(before, right, evolve(before, right)), std::nullopt);

  Event skips = right;
  skips.version = before.version.next().next();
  EXPECT_EQ(check_step(before, skips, evolve(before, skips))->rfind("I3", 0), 0U);

  Event gap = right;
  std::get<MessagesAppended>(gap.body).first = {4};
  EXPECT_EQ(check_step(before, gap, evolve(before, gap))->rfind("I3", 0), 0U);

  Event nothing = right;
  std::get<MessagesAppended>(nothing.body).messages.clear();
  EXPECT_EQ(check_step(before, nothing, evolve(before, nothing))->rfind("I3", 0), 0U);

  Event forgotten = right;
  forgotten.dedup = DedupEntry{id(77), 1, {}};
  EXPECT_EQ(check_step(before, forgotten, evolve(before, right))->rfind("I2", 0), 0U);

  State younger = evolve(before, right);
  younger.last_activity = {before.last_activity.micros - 1};
  EXPECT_EQ(check_step(before, right, younger)->rfind("I4", 0), 0U);
}

}  // namespace
}  // namespace parley
