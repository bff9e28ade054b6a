#pragma once

#include <atomic>
#include <condition_variable>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "conversation/decide.hpp"
#include "conversation/evolve.hpp"
#include "conversation/invariants.hpp"
#include "storage/journal.hpp"

namespace parley::test {

/// Waits for the outcome of commits. One may be used for several commits: outcomes come in order.
class Outcomes final : public CommitWaiter, public Wakeup {
 public:
  Wakeup* on_written(WriteOutcome outcome) override {
    const std::lock_guard lock(mutex_);
    told_.push_back(outcome);
    changed_.notify_all();
    return this;
  }
  void flush() override {
    const std::lock_guard lock(mutex_);
    ++flushes_;
    told_at_flush_ = told_.size();
    changed_.notify_all();
  }
  /// The outcome of the n-th commit, from 0.
  WriteOutcome wait(size_t n = 0) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return told_.size() > n; });
    return told_[n];
  }
  /// Also until the group was ended: then the journal does not touch this any more.
  void wait_for_flush(size_t flushes) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return flushes_ >= flushes; });
  }
  /// The same of as many as were told, in however many groups.
  void wait_for_flush_of(size_t told) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return told_at_flush_ >= told; });
  }
  size_t flushes() {
    const std::lock_guard lock(mutex_);
    return flushes_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<WriteOutcome> told_;
  size_t flushes_ = 0;
  size_t told_at_flush_ = 0;
};

/// One conversation driven straight against a journal, by the rules of `decide` and `evolve`.
class Driver {
 public:
  static constexpr uint32_t k_shards = 256;

  Driver(Journal& journal, std::string thread, std::string tenant = "acme")
      : journal_(&journal), key_{std::move(tenant), std::move(thread)} {
    hash_ = key_hash(key_);
    shard_ = shard_of(hash_, k_shards);
  }

  const ConversationKey& key() const { return key_; }
  Shard shard() const { return shard_; }
  const State& state() const { return state_; }
  std::vector<HistorySpan> spans() const { return state_.spans(shard_); }
  Epoch epoch{1};
  /// Rises with every command, so that lists have an order. In the far future, so that nothing is
  /// old.
  static inline std::atomic<int64_t> clock_micros = 4'000'000'000'000'000;

  Status load() {
    auto loaded = journal_->load(key_, shard_);
    if (!loaded.ok()) return loaded.status();
    state_ = loaded->state;
    recent_ = loaded->recent;
    return absl::OkStatus();
  }
  const std::vector<Message>& recent() const { return recent_; }

  /// The commit that carries out the commands together. `state()` runs ahead of storage by it.
  Commit make(std::vector<Command> commands, Id128 request = {}) {
    Batch batch;
    batch.expected = state_.version;
    batch.index_before = index_row(state_);
    EventList events;
    for (auto& command : commands) {
      const Context context{.now = {++clock_micros},
                            .fresh_history = fresh_id(),
                            .shard = shard_,
                            .limits = &limits_};
      Decision decision = decide(state_, std::move(command), {.request = request}, context);
      auto* accepted = std::get_if<Accept>(&decision);
      if (accepted == nullptr) {
        ADD_FAILURE() << "refused";
        continue;
      }
      receipt_ = accepted->receipt;
      for (auto& event : accepted->events) {
        const State before = state_;
        state_ = evolve(std::move(state_), event);
        EXPECT_EQ(check_step(before, event, state_), std::nullopt);
        events.push_back(std::move(event));
      }
    }
    batch.gone = !state_.exists;
    batch.after = state_.version;
    batch.index_after = index_row(state_);
    batch.owes_parents = !state_.pending_releases.empty();
    if (batch.gone || snapshot_next) batch.snapshot = std::make_shared<const State>(state_);
    batch.events = std::make_shared<const EventList>(std::move(events));
    return {key_, hash_, shard_, epoch, std::move(batch)};
  }

  WriteOutcome run(std::vector<Command> commands, Id128 request = {}) {
    Outcomes outcomes;
    journal_->commit(make(std::move(commands), request), &outcomes);
    outcomes.wait_for_flush(1);
    return outcomes.wait();
  }

  static AppendMessages say(const std::vector<std::string>& bodies) {
    AppendMessages append;
    for (const auto& body : bodies) {
      append.messages.push_back({Role::user, std::make_shared<const std::string>(body), {}});
    }
    append.create_if_missing = CreateConversation{.user = "ann"};
    return append;
  }
  WriteOutcome append(const std::vector<std::string>& bodies) { return run({say(bodies)}); }
  /// `count` messages, one a commit: "m1", "m2" and so on by their sequence.
  void append_numbered(size_t count) {
    for (size_t i = 0; i < count; ++i) {
      ASSERT_EQ(append({"m" + std::to_string(state_.last_sequence.value + 1)}),
                WriteOutcome::committed);
    }
  }

  /// A fork of this at a message, created under another name; both commits are carried out.
  Driver fork(const std::string& thread, std::optional<Sequence> at = {}) {
    Driver child(*journal_, thread, key_.tenant);
    EXPECT_TRUE(child.load().ok());
    EXPECT_EQ(run({NoteFork{thread, at}}), WriteOutcome::committed);
    CreateConversation create;
    create.fork = ForkPoint{.origin = {key_.thread, receipt_.last},
                            .parent = {key_.thread, receipt_.fork},
                            .past = past_through(receipt_.last),
                            .user = state_.user,
                            .title = state_.title,
                            .metadata = state_.metadata,
                            .labels = state_.labels,
                            .policy = state_.policy};
    EXPECT_EQ(child.run({create}), WriteOutcome::committed);
    return child;
  }

  std::vector<std::string> read(Sequence from, Sequence to, bool newest_first = false,
                                PageBounds bounds = {}) {
    auto page = journal_->read_messages({spans(), from, to, newest_first}, bounds);
    std::vector<std::string> bodies;
    EXPECT_TRUE(page.ok()) << page.status();
    if (!page.ok()) return bodies;
    for (const auto& message : *page) bodies.push_back(*message.body);
    return bodies;
  }

  Receipt receipt() const { return receipt_; }
  bool snapshot_next = false;

  static Id128 fresh_id() {
    static std::atomic<uint64_t> counter = 0;
    Id128 id;
    const uint64_t number = ++counter;
    for (size_t i = 0; i < 8; ++i) id.bytes[15 - i] = static_cast<uint8_t>(number >> (8 * i));
    id.bytes[0] = 0x70;
    return id;
  }

 private:
  std::vector<HistorySpan> past_through(Sequence last) const {
    std::vector<HistorySpan> past;
    for (HistorySpan span : spans()) {
      if (span.first > last) break;
      span.last = std::min(span.last, last);
      past.push_back(span);
    }
    return past;
  }

  Journal* journal_;
  ConversationKey key_;
  uint64_t hash_ = 0;
  Shard shard_;
  State state_;
  std::vector<Message> recent_;
  Receipt receipt_;
  Limits limits_;
};

}  // namespace parley::test
