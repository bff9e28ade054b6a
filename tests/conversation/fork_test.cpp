#include "conversation/fork.hpp"

#include <gtest/gtest.h>

#include "conversation/invariants.hpp"
#include "tests/support/builders.hpp"

namespace parley {
namespace {

using build::append;
using build::append_or_create;
using build::create;
using build::id;
using build::request;

constexpr Shard k_shard{7};

/// What forking does: the parent notes it, the child is created from the parent's answer.
Id128 fork(build::Conversation& parent, const std::string& parent_name, build::Conversation& child,
           const std::string& child_name, uint64_t at) {
  const Receipt noted = parent.must(NoteFork{child_name, Sequence{at}});
  CreateConversation command;
  command.fork = fork_point(parent.state(), parent_name, k_shard, noted.fork);
  PARLEY_CHECK(command.fork.has_value());
  child.must(command);
  return noted.fork;
}

const std::vector<HistoryDrop>& last_drops(const build::Conversation& talk) {
  const EventBody& body = talk.events().back().body;
  if (const auto* reset = std::get_if<ConversationReset>(&body)) return reset->drops;
  if (const auto* released = std::get_if<ForkReleased>(&body)) return released->drops;
  return std::get<ConversationDeleted>(body).drops;
}

void expect_drop(const build::Conversation& talk, const Id128& history, uint64_t keep) {
  ASSERT_EQ(last_drops(talk).size(), 1U);
  EXPECT_EQ(last_drops(talk)[0].history, history);
  EXPECT_EQ(last_drops(talk)[0].keep, Sequence{keep});
}

CreateConversation recreate(const Id128& history) {
  CreateConversation command;
  command.fork = ForkPoint{.parent = {"parent", history}};
  return command;
}

TEST(Fork, StartsFromTheParentsPastAndContinuesItsSequence) {
  build::Conversation parent;
  build::Conversation child;
  parent.must(append_or_create({"1", "2", "3"}));
  const Id128 history = fork(parent, "parent", child, "child", 2);
  EXPECT_EQ(child.state().last_sequence, Sequence{2});
  EXPECT_EQ(child.state().current.history, history);
  EXPECT_EQ(child.state().origin->thread, "parent");
  EXPECT_EQ(child.must(append({"own"})).first, Sequence{3});
  const auto spans = child.state().spans({9});
  ASSERT_EQ(spans.size(), 2U);
  EXPECT_EQ(spans[0], (HistorySpan{k_shard, parent.state().current.history, {1}, {2}}));
  EXPECT_EQ(spans[1], (HistorySpan{{9}, history, {3}, {3}}));
  EXPECT_EQ(check_state(child.state()), std::nullopt);
}

TEST(Fork, OfAForkSharesTheWholeChain) {
  build::Conversation root;
  build::Conversation middle;
  build::Conversation above;
  build::Conversation below;
  root.must(append_or_create({"1", "2", "3"}));
  fork(root, "root", middle, "middle", 2);
  middle.must(append({"3", "4"}));
  fork(middle, "middle", above, "above", 3);
  ASSERT_EQ(above.state().current.past.size(), 2U);
  EXPECT_EQ(above.state().current.past[1],
            (HistorySpan{k_shard, middle.state().current.history, {3}, {3}}));
  fork(middle, "middle", below, "below", 1);
  ASSERT_EQ(below.state().current.past.size(), 1U);
  EXPECT_EQ(below.state().current.past[0],
            (HistorySpan{k_shard, root.state().current.history, {1}, {1}}));
  EXPECT_EQ(below.state().current.parent->thread, "middle");
}

TEST(Fork, OfNothingSharesNothing) {
  build::Conversation parent;
  build::Conversation child;
  parent.must(create());
  fork(parent, "parent", child, "child", 0);
  EXPECT_TRUE(child.state().current.past.empty());
  EXPECT_TRUE(child.state().current.parent.has_value());
  EXPECT_EQ(child.must(append({"a"})).first, Sequence{1});
}

TEST(Fork, IsBoundedInDepth) {
  Limits limits;
  limits.fork_depth = 2;
  std::vector<std::unique_ptr<build::Conversation>> chain;
  chain.push_back(std::make_unique<build::Conversation>(limits));
  chain.back()->must(append_or_create({"1"}));
  for (uint64_t depth = 1; depth <= 2; ++depth) {
    auto child = std::make_unique<build::Conversation>(limits);
    fork(*chain.back(), "p", *child, "c", depth);
    child->must(append({"more"}));
    chain.push_back(std::move(child));
  }
  EXPECT_EQ(chain.back()->refused(NoteFork{"c", std::nullopt}), Reason::fork_too_deep);
}

TEST(Fork, DeletedParentKeepsWhatItsChildrenShow) {
  build::Conversation parent;
  build::Conversation two;
  build::Conversation three;
  parent.must(append_or_create({"1", "2", "3", "4"}));
  const Id128 own = parent.state().current.history;
  const Id128 first = fork(parent, "parent", two, "two", 2);
  const Id128 second = fork(parent, "parent", three, "three", 3);
  parent.must(DeleteConversation{});
  expect_drop(parent, own, 3);
  ASSERT_EQ(parent.state().former.size(), 1U);
  EXPECT_FALSE(parent.state().vanished());
  EXPECT_EQ(check_state(parent.state()), std::nullopt);

  parent.must(ReleaseFork{second});
  expect_drop(parent, own, 2);
  parent.must(ReleaseFork{first});
  expect_drop(parent, own, 0);
  EXPECT_TRUE(parent.state().vanished());
}

TEST(Fork, ReleaseOfTheShorterShareDropsNothing) {
  build::Conversation parent;
  build::Conversation child;
  parent.must(append_or_create({"1", "2", "3"}));
  const Id128 first = fork(parent, "parent", child, "a", 1);
  parent.must(NoteFork{"b", Sequence{3}});
  parent.must(DeleteConversation{});
  parent.must(ReleaseFork{first});
  EXPECT_TRUE(last_drops(parent).empty());
}

TEST(Fork, ReleaseFromALivingParentDropsNothing) {
  build::Conversation parent;
  build::Conversation child;
  parent.must(append_or_create({"1", "2"}));
  const Id128 history = fork(parent, "parent", child, "child", 2);
  parent.must(ReleaseFork{history});
  EXPECT_TRUE(last_drops(parent).empty());
  EXPECT_TRUE(parent.state().current.children.empty());
}

TEST(Fork, DeletedChildHasItsParentToTell) {
  build::Conversation parent;
  build::Conversation child;
  parent.must(append_or_create({"1"}));
  const Id128 history = fork(parent, "parent", child, "child", 1);
  child.must(append({"own"}));
  child.must(DeleteConversation{});
  expect_drop(child, history, 0);
  ASSERT_EQ(child.state().pending_releases, (std::vector<ParentLink>{{"parent", history}}));
  EXPECT_FALSE(child.state().vanished());
  child.must(ConfirmRelease{history});
  EXPECT_TRUE(child.state().vanished());
}

TEST(Fork, DeletedMiddleTellsItsParentWhenItsOwnChildIsGone) {
  build::Conversation root;
  build::Conversation middle;
  build::Conversation leaf;
  root.must(append_or_create({"1"}));
  const Id128 of_middle = fork(root, "root", middle, "middle", 1);
  middle.must(append({"2", "3"}));
  const Id128 of_leaf = fork(middle, "middle", leaf, "leaf", 2);
  middle.must(DeleteConversation{});
  expect_drop(middle, of_middle, 2);
  EXPECT_TRUE(middle.state().pending_releases.empty());
  middle.must(ReleaseFork{of_leaf});
  expect_drop(middle, of_middle, 0);
  EXPECT_EQ(middle.state().pending_releases, (std::vector<ParentLink>{{"root", of_middle}}));
  EXPECT_TRUE(middle.state().former.empty());
}

TEST(Fork, ResetWithChildrenKeepsTheirLineageAndStartsAnew) {
  build::Conversation parent;
  build::Conversation child;
  parent.must(append_or_create({"1", "2", "3"}));
  const Id128 own = parent.state().current.history;
  const Id128 history = fork(parent, "parent", child, "child", 1);
  const Receipt reset = parent.must(ResetConversation{});
  expect_drop(parent, own, 1);
  EXPECT_EQ(parent.state().reset_version, reset.version);
  EXPECT_EQ(parent.state().last_sequence, Sequence{0});
  EXPECT_NE(parent.state().current.history, own);
  EXPECT_EQ(parent.state().former.size(), 1U);
  EXPECT_EQ(parent.must(append({"again"})).first, Sequence{1});
  // A repeated fork is still made from the lineage that keeps it.
  const auto point = fork_point(parent.state(), "parent", k_shard, history);
  ASSERT_TRUE(point.has_value());
  EXPECT_EQ(point->past, (std::vector<HistorySpan>{{k_shard, own, {1}, {1}}}));
}

TEST(Fork, ResetChildTellsItsParent) {
  build::Conversation parent;
  build::Conversation child;
  parent.must(append_or_create({"1"}));
  const Id128 history = fork(parent, "parent", child, "child", 1);
  child.must(ResetConversation{});
  EXPECT_EQ(child.state().pending_releases, (std::vector<ParentLink>{{"parent", history}}));
  EXPECT_FALSE(child.state().origin.has_value());
  EXPECT_TRUE(child.state().current.past.empty());
}

TEST(Fork, LineagesOutliveARecreation) {
  build::Conversation parent;
  build::Conversation child;
  parent.must(append_or_create({"1"}));
  const Id128 own = parent.state().current.history;
  const Id128 history = fork(parent, "parent", child, "child", 1);
  parent.must(DeleteConversation{});
  parent.must(append_or_create({"new"}));
  ASSERT_EQ(parent.state().former.size(), 1U);
  parent.must(ReleaseFork{history});
  expect_drop(parent, own, 0);
  EXPECT_TRUE(parent.state().exists);
  EXPECT_EQ(parent.state().last_sequence, Sequence{1});
}

TEST(Fork, ThereIsNoPointForADeletedParentOrAnUnknownChild) {
  build::Conversation parent;
  parent.must(append_or_create({"1"}));
  const Receipt noted = parent.must(NoteFork{"c", std::nullopt});
  EXPECT_FALSE(fork_point(parent.state(), "parent", k_shard, id(1)).has_value());
  parent.must(DeleteConversation{});
  EXPECT_FALSE(fork_point(parent.state(), "parent", k_shard, noted.fork).has_value());
}

TEST(Fork, CreatedAgainIsTheSameFork) {
  build::Conversation parent;
  build::Conversation child;
  parent.must(append_or_create({"1"}));
  const Id128 history = fork(parent, "parent", child, "child", 1);
  const size_t events = child.events().size();
  child.must(recreate(history));
  EXPECT_EQ(child.events().size(), events);
  EXPECT_EQ(child.refused(recreate(id(4))), Reason::conversation_exists);
}

// "Exists" would let the caller release a history that forks of the child still show.
TEST(Fork, CreatedAgainAfterAResetOfTheChildIsOver) {
  build::Conversation parent;
  build::Conversation child;
  build::Conversation grandchild;
  parent.must(append_or_create({"1"}));
  const Id128 history = fork(parent, "parent", child, "child", 1);
  fork(child, "child", grandchild, "grandchild", 1);
  child.must(ResetConversation{});
  EXPECT_EQ(child.refused(recreate(history)), Reason::fork_not_found);
  child.must(DeleteConversation{});
  EXPECT_EQ(child.refused(recreate(history)), Reason::fork_not_found);
}

TEST(Fork, CreatedAgainWhileItsReleaseIsPendingIsOver) {
  build::Conversation parent;
  build::Conversation child;
  parent.must(append_or_create({"1"}));
  const Id128 history = fork(parent, "parent", child, "child", 1);
  child.must(DeleteConversation{});
  EXPECT_EQ(child.refused(recreate(history)), Reason::fork_not_found);
}

TEST(Fork, RepeatedAfterItsReleaseIsNotHandedOutAgain) {
  build::Conversation parent;
  parent.must(append_or_create({"1"}));
  const Receipt noted = parent.must(NoteFork{"c", std::nullopt}, request(1));
  EXPECT_EQ(parent.must(NoteFork{"c", std::nullopt}, request(1)), noted);
  parent.must(ReleaseFork{noted.fork});
  EXPECT_EQ(parent.refused(NoteFork{"c", std::nullopt}, request(1)), Reason::fork_not_found);
}

}  // namespace
}  // namespace parley
