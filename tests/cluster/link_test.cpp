#include "cluster/link.hpp"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cluster/peer_codec.hpp"

namespace parley {
namespace {

/// Notes what it was told.
class Told final : public PeerWaiter {
 public:
  void answered(PeerAnswer answer) override {
    ++times;
    body = std::move(answer.body);
  }
  void failed(PeerFailure why) override {
    ++times;
    failure = why;
  }

  int times = 0;
  std::optional<PeerFailure> failure;
  std::string body;
};

/// Answers with the request's body, at once or later.
class Echoing final : public PeerServer {
 public:
  void serve(const NodeName&, PeerRequest request, Reply reply) override {
    bodies.push_back(request.body);
    if (!later) return reply({0, {}, {}, request.body, false});
    replies.push_back(std::move(reply));
  }

  std::vector<std::string> bodies;
  std::vector<Reply> replies;
  bool later = false;
};

/// Two links whose batches go to each other when `exchange` is called.
class Links : public ::testing::Test {
 protected:
  void connect() {
    a_session_ = a_->open([this](std::string batch, Link::Content content) {
      to_b_.push_back(std::move(batch));
      contents_.push_back(content);
    });
    b_session_ =
        b_->open([this](std::string batch, Link::Content) { to_a_.push_back(std::move(batch)); });
  }
  void exchange() {
    while (!to_a_.empty() || !to_b_.empty()) {
      for (const auto& batch : std::exchange(to_b_, {})) b_->receive(b_session_, batch, server_);
      for (const auto& batch : std::exchange(to_a_, {})) a_->receive(a_session_, batch, server_);
    }
  }
  void ask(const std::string& body, Told& told) {
    a_->ask({"Echo", "default", body, 1'000'000}, now_, &told);
  }

  static LinkLimits limits() { return {4, 100, 50, 90}; }

  std::shared_ptr<Link> a_ = std::make_shared<Link>(NodeName{"b"}, limits());
  std::shared_ptr<Link> b_ = std::make_shared<Link>(NodeName{"a"}, limits());
  Link::Session a_session_ = 0;
  Link::Session b_session_ = 0;
  std::vector<std::string> to_a_;
  std::vector<std::string> to_b_;
  std::vector<Link::Content> contents_;  ///< of what went to b
  Echoing server_;
  SteadyTime now_{1'000'000};
};

TEST_F(Links, CarryARequestThereAndItsAnswerBack) {
  connect();
  Told told;
  ask("hello", told);
  exchange();
  EXPECT_EQ(told.times, 1);
  EXPECT_EQ(told.body, "hello");
}

TEST_F(Links, SendWhatOneBurstHasInOneBatch) {
  connect();
  Told told[3];
  {
    const Burst burst;
    for (Told& one : told) ask("x", one);
    EXPECT_TRUE(to_b_.empty());
  }
  EXPECT_EQ(to_b_.size(), 1U);
  exchange();
  for (const Told& one : told) EXPECT_EQ(one.body, "x");
}

TEST_F(Links, SendLettersApartFromCalls) {
  connect();
  Told call;
  Told letters[2];
  {
    const Burst burst;
    a_->ask({"Echo", "default", "1", 1'000'000, true}, now_, &letters[0]);
    ask("call", call);
    a_->ask({"Echo", "default", "2", 1'000'000, true}, now_, &letters[1]);
  }
  EXPECT_THAT(contents_, testing::ElementsAre(Link::Content::letters, Link::Content::calls));
  exchange();
  EXPECT_THAT(server_.bodies, testing::ElementsAre("1", "2", "call"));
  EXPECT_EQ(call.times + letters[0].times + letters[1].times, 3);
}

/// Calls that are held until a shard has moved may not keep back the letters that move it.
TEST_F(Links, HaveRoomForLettersHoweverManyCallsWait) {
  connect();
  server_.later = true;
  std::vector<Told> calls(limits().requests_max + 1);
  for (Told& call : calls) ask("x", call);
  EXPECT_EQ(calls.back().failure, PeerFailure::overloaded);
  server_.later = false;
  Told letter;
  a_->ask({"Echo", "default", "letter", 1'000'000, true}, now_, &letter);
  exchange();
  EXPECT_EQ(letter.body, "letter");
  for (auto& reply : server_.replies) reply({});
  exchange();
  EXPECT_EQ(calls.front().times, 1);
}

TEST_F(Links, SendALargeBatchBeforeItsBurstEnds) {
  connect();
  const std::string body(22, 'x');  // two such requests fill a batch
  Told told[3];
  {
    const Burst burst;
    for (Told& one : told) ask(body, one);
    EXPECT_EQ(to_b_.size(), 1U);
  }
  EXPECT_EQ(to_b_.size(), 2U);
  exchange();
  for (const Told& one : told) EXPECT_EQ(one.body, body);
}

TEST_F(Links, SendLargerBatchesTheLongerABurstLasts) {
  constexpr size_t k_batch = 90;
  Told told[10];
  std::vector<size_t> sizes;
  const auto link = std::make_shared<Link>(NodeName{"b"}, LinkLimits{100, 10'000, 10'000, k_batch});
  link->open([&](const std::string& batch, Link::Content) { sizes.push_back(batch.size()); });
  const auto sent_before_a_burst_ends = [&](size_t first) {
    const Burst burst;
    sizes.clear();
    for (size_t i = first; i < first + 5; ++i) {
      link->ask({"Echo", "default", std::string(50, 'x'), 1'000'000}, now_, &told[i]);
    }
    return sizes;
  };
  const std::vector<size_t> early = sent_before_a_burst_ends(0);
  ASSERT_EQ(early.size(), 2U);
  EXPECT_GE(early[0], k_batch);
  EXPECT_GE(early[1], 2 * k_batch);
  // The next burst begins with a small one again.
  EXPECT_EQ(sent_before_a_burst_ends(5).size(), 2U);
}

TEST_F(Links, SayAtOnceThatNothingWasSentWhereThereIsNoConnection) {
  Told told;
  ask("x", told);
  EXPECT_EQ(told.failure, PeerFailure::not_sent);
  EXPECT_EQ(told.times, 1);
}

TEST_F(Links, TellWhatWasSentFromWhatWasNotWhenTheConnectionBreaks) {
  connect();
  Told sent;
  ask("x", sent);
  Told unsent;
  {
    const Burst burst;
    ask("y", unsent);
    a_->close(a_session_);
  }
  EXPECT_EQ(sent.failure, PeerFailure::lost);
  EXPECT_EQ(unsent.failure, PeerFailure::not_sent);
}

TEST_F(Links, DropWhatComesFromAConnectionThatIsOver) {
  connect();
  server_.later = true;
  Told told;
  ask("x", told);
  exchange();
  const auto old_a = a_session_;
  connect();
  EXPECT_EQ(told.failure, PeerFailure::lost);
  // The answer belongs to the old connection: it is not sent on the new one.
  server_.replies.front()({0, {}, {}, "late", false});
  EXPECT_TRUE(to_a_.empty());
  // Nor is a batch taken that the old one delivers late.
  std::string batch;
  append_request(1, {"Echo", "default", "z", 1}, batch);
  const size_t served = server_.bodies.size();
  EXPECT_TRUE(a_->receive(old_a, batch, server_));
  EXPECT_EQ(server_.bodies.size(), served);
  EXPECT_EQ(told.times, 1);
}

TEST_F(Links, BoundWhatIsUnderWayByNumberAndBytes) {
  connect();
  server_.later = true;
  Told told[4];
  for (Told& one : told) ask("x", one);
  Told fifth;
  ask("x", fifth);
  EXPECT_EQ(fifth.failure, PeerFailure::overloaded);
  exchange();
  for (auto& reply : server_.replies) reply({});
  exchange();
  // A single one may be larger than the bound, but nothing beside it.
  Told large;
  ask(std::string(500, 'x'), large);
  Told beside;
  ask("x", beside);
  EXPECT_EQ(beside.failure, PeerFailure::overloaded);
  EXPECT_EQ(large.times, 0);
  a_->close(a_session_);  // tells it, while it lives
  EXPECT_EQ(large.failure, PeerFailure::lost);
}

TEST_F(Links, KeepRoomForCallsBesideLetters) {
  connect();
  server_.later = true;
  Told letters[2];
  const PeerRequest letter{"Letter", {}, std::string(40, 'l'), 1'000'000, true};
  for (Told& one : letters) a_->ask(letter, now_, &one);
  EXPECT_EQ(letters[0].times, 0);
  EXPECT_EQ(letters[1].failure, PeerFailure::overloaded);
  Told call;
  ask(std::string(90, 'x'), call);
  EXPECT_EQ(call.times, 0);
  exchange();
  for (auto& reply : std::exchange(server_.replies, {})) reply({});
  exchange();
  // What was answered is under way no more.
  Told again;
  a_->ask(letter, now_, &again);
  EXPECT_EQ(again.times, 0);
  a_->close(a_session_);
}

TEST_F(Links, FailWhatIsNotAnsweredInTimeAndDropItsAnswer) {
  connect();
  server_.later = true;
  Told told;
  ask("x", told);
  exchange();
  a_->tick({now_.micros + 999'999});
  EXPECT_EQ(told.times, 0);
  a_->tick({now_.micros + 1'000'000});
  EXPECT_EQ(told.failure, PeerFailure::timed_out);
  server_.replies.front()({});
  exchange();
  EXPECT_EQ(told.times, 1);
}

TEST_F(Links, RefuseABatchThatCannotBeRead) {
  connect();
  EXPECT_FALSE(a_->receive(a_session_, "\xff\xff\xff", server_));
}

TEST_F(Links, TellEveryWaiterWhenTheyGo) {
  connect();
  Told told;
  ask("x", told);
  a_.reset();
  EXPECT_EQ(told.failure, PeerFailure::lost);
}

}  // namespace
}  // namespace parley
