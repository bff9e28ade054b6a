#include "tests/support/history_checker.hpp"

#include <algorithm>
#include <functional>
#include <random>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace parley::test {
namespace {

using testing::IsEmpty;

/// Makes valid histories: each call takes effect at one moment between its invoke and its return,
/// in the order of those moments. Unknown calls take effect late or never.
class Generator {
 public:
  Generator(uint64_t seed, bool with_resets) : random_(seed), with_resets_(with_resets) {}

  History make(int calls) {
    history_.conversation = "c";
    plan(calls);
    std::sort(plans_.begin(), plans_.end(),
              [](const Plan& a, const Plan& b) { return a.effect < b.effect; });
    for (const Plan& plan : plans_) carry_out(plan);
    history_.dump = {version_, reset_version_, messages_};
    for (int i = 0; i < 3; ++i) watch(i);
    return std::move(history_);
  }

 private:
  struct Plan {
    int client;
    Instant invoked, effect, returned;
    int what;
  };

  int64_t pick(int64_t low, int64_t high) {
    return std::uniform_int_distribution<int64_t>(low, high)(random_);
  }

  /// Each client makes one call after another; clients overlap.
  void plan(int calls) {
    constexpr int k_clients = 4;
    std::vector<Instant> free_at(k_clients, 0);
    for (int i = 0; i < calls; ++i) {
      const int client = static_cast<int>(pick(0, k_clients - 1));
      const Instant invoked = free_at[client] + pick(1, 50);
      const Instant effect = invoked + pick(1, 100);
      const Instant returned = effect + pick(1, 50);
      free_at[client] = returned;
      plans_.push_back({client, invoked, effect, returned, static_cast<int>(pick(0, 99))});
    }
  }

  void carry_out(const Plan& plan) {
    if (plan.what < 45) return append(plan, CallOutcome::ok);
    if (plan.what < 52) return append(plan, CallOutcome::unknown);
    if (plan.what < 56) return append(plan, CallOutcome::failed);
    if (plan.what < 65) return change(plan, false);
    if (plan.what < 67 && with_resets_) return change(plan, true);
    read(plan);
  }

  void append(const Plan& plan, CallOutcome outcome) {
    AppendCall call{plan.client, plan.invoked, plan.returned, outcome, {}, 0, 0};
    for (int64_t i = pick(1, 3); i > 0; --i) call.keys.push_back("m" + std::to_string(++last_key_));
    const bool happens =
        outcome == CallOutcome::ok || (outcome == CallOutcome::unknown && pick(0, 1));
    if (outcome == CallOutcome::unknown) call.returned = k_never;
    if (happens) {
      ++version_;
      WatchEvent event{plan.effect, version_, {}};
      for (const std::string& key : call.keys) {
        messages_.push_back({static_cast<int64_t>(messages_.size()) + 1, version_, key});
        event.items.push_back(messages_.back());
      }
      events_.push_back(event);
      if (outcome == CallOutcome::ok) {
        call.first_sequence = event.items.front().sequence;
        call.version = version_;
      }
    }
    history_.appends.push_back(call);
  }

  void change(const Plan& plan, bool resets) {
    ++version_;
    if (resets) {
      messages_.clear();
      reset_version_ = version_;
    }
    events_.push_back({plan.effect, version_, {}});
    history_.changes.push_back({plan.client, plan.invoked, plan.returned, version_});
  }

  void read(const Plan& plan) {
    ReadCall call{
        plan.client, plan.invoked, plan.returned, version_, static_cast<int64_t>(messages_.size()),
        {}};
    const size_t count = std::min<size_t>(messages_.size(), pick(0, 5));
    call.items.assign(messages_.end() - count, messages_.end());
    history_.reads.push_back(call);
  }

  void watch(int client) {
    WatchLog log{client, pick(0, version_), {}, true};
    for (WatchEvent event : events_) {
      if (event.version <= log.after_version) continue;
      event.received += pick(1, 30);
      log.events.push_back(std::move(event));
    }
    history_.watches.push_back(std::move(log));
  }

  std::mt19937_64 random_;
  const bool with_resets_;
  History history_;
  std::vector<Plan> plans_;
  int64_t version_ = 0;
  int64_t reset_version_ = 0;
  int64_t last_key_ = 0;
  std::vector<Item> messages_;
  std::vector<WatchEvent> events_;
};

AppendCall append_of(int client, Instant invoked, Instant returned, std::vector<std::string> keys,
                     int64_t first, int64_t version) {
  return {client, invoked, returned, CallOutcome::ok, std::move(keys), first, version};
}

/// A small history that holds one of everything: c1 creates; two appends; an update; an append of
/// two; a refused and an unknown append; three reads; a watcher from 0 and one from 2.
History small_history() {
  History h;
  h.conversation = "c";
  h.changes = {{1, 0, 5, 1}, {1, 50, 55, 4}};
  h.appends = {append_of(1, 10, 20, {"a"}, 1, 2), append_of(2, 30, 40, {"b"}, 2, 3),
               append_of(1, 60, 70, {"c", "d"}, 3, 5), append_of(2, 72, 80, {"e"}, 5, 6)};
  h.appends.push_back({3, 10, 20, CallOutcome::failed, {"refused"}, 0, 0});
  h.appends.push_back({3, 30, k_never, CallOutcome::unknown, {"u", "v"}, 0, 0});
  h.dump = {
      7,
      0,
      {{1, 2, "a"}, {2, 3, "b"}, {3, 5, "c"}, {4, 5, "d"}, {5, 6, "e"}, {6, 7, "u"}, {7, 7, "v"}}};
  h.reads = {{4, 22, 28, 2, 1, {{1, 2, "a"}}},
             {4, 42, 48, 3, 2, {{1, 2, "a"}, {2, 3, "b"}}},
             {4, 71, 90, 6, 5, {{3, 5, "c"}, {4, 5, "d"}, {5, 6, "e"}}}};
  const std::vector<WatchEvent> events = {{6, 1, {}},
                                          {21, 2, {{1, 2, "a"}}},
                                          {41, 3, {{2, 3, "b"}}},
                                          {56, 4, {}},
                                          {71, 5, {{3, 5, "c"}, {4, 5, "d"}}},
                                          {81, 6, {{5, 6, "e"}}},
                                          {95, 7, {{6, 7, "u"}, {7, 7, "v"}}}};
  h.watches = {{5, 0, events, true}, {6, 2, {events.begin() + 2, events.end()}, true}};
  return h;
}

struct Mutation {
  const char* name;
  Anomaly expected;
  std::function<void(History&)> apply;
};

std::vector<Mutation> mutations_of_the_dump() {
  return {
      {"an acknowledged append is missing at the end", Anomaly::lost,
       [](History& h) {
         h.dump.items.resize(4);
         h.dump.version = 5;
       }},
      {"an acknowledged append is missing in the middle", Anomaly::gap,
       [](History& h) { h.dump.items.erase(h.dump.items.begin() + 1); }},
      {"one message twice", Anomaly::duplicated,
       [](History& h) {
         h.dump.items.push_back({8, 8, "a"});
         h.dump.version = 8;
       }},
      {"a message that nobody sent", Anomaly::phantom,
       [](History& h) {
         h.dump.items.push_back({8, 8, "nobody's"});
         h.dump.version = 8;
       }},
      {"a refused append is there", Anomaly::refused_yet_there,
       [](History& h) {
         h.dump.items.push_back({8, 8, "refused"});
         h.dump.version = 8;
       }},
      {"half of an append is there", Anomaly::torn_append,
       [](History& h) { h.dump.items.pop_back(); }},
      {"a sequence is left out", Anomaly::gap,
       [](History& h) { h.dump.items.back().sequence = 8; }},
      {"two messages changed places", Anomaly::moved,
       [](History& h) { std::swap(h.dump.items[0].key, h.dump.items[1].key); }},
      {"an append was overwritten", Anomaly::lost,
       [](History& h) {
         h.appends.push_back({3, 30, k_never, CallOutcome::unknown, {"x"}, 0, 0});
         h.dump.items[4].key = "x";
       }},
      {"versions of the dump go back", Anomaly::reordered,
       [](History& h) { h.dump.items[6].version = 3; }},
      {"a message from before the reset", Anomaly::undead,
       [](History& h) { h.dump.reset_version = 3; }},
  };
}

std::vector<Mutation> mutations_of_calls() {
  return {
      {"an answer names the wrong place", Anomaly::moved,
       [](History& h) { h.appends[1].first_sequence = 1; }},
      {"two changes with one version", Anomaly::shared_version,
       [](History& h) { h.changes[1].version = 3; }},
      {"a change that began later stands before", Anomaly::reordered,
       [](History& h) { h.changes[0].invoked = h.changes[0].returned = 45; }},
      {"an unknown append stands before what was answered before it began", Anomaly::reordered,
       [](History& h) {
         std::swap(h.dump.items[4].key, h.dump.items[5].key);
         h.appends[5].keys = {"u"};
         h.appends[5].invoked = 85;
         h.dump.items.pop_back();
       }},
      {"a read shows less than was answered", Anomaly::stale_read,
       [](History& h) {
         h.reads[1] = {4, 42, 48, 2, 1, {{1, 2, "a"}}};
       }},
      {"a read shows less than an earlier read", Anomaly::stale_read,
       [](History& h) {
         h.appends[1].returned = 200;
         h.changes[1] = {1, 150, 160, 4};
         h.reads.push_back({4, 48, 49, 2, 1, {{1, 2, "a"}}});
         h.reads[1].returned = 45;
       }},
      {"a read shows what was not yet sent", Anomaly::future_read,
       [](History& h) {
         h.reads[0] = {4, 22, 28, 3, 2, {{1, 2, "a"}, {2, 3, "b"}}};
       }},
      {"a read shows what is not there in the end", Anomaly::dirty_read,
       [](History& h) { h.reads[1].items[1].key = "refused"; }},
      {"a read counts too many", Anomaly::dirty_read,
       [](History& h) { h.reads[1] = {4, 42, 48, 3, 3, {}}; }},
      {"a read is above the end", Anomaly::dirty_read, [](History& h) { h.reads[2].version = 9; }},
      {"a read leaves out a message", Anomaly::read_gap,
       [](History& h) { h.reads[2].items.erase(h.reads[2].items.begin() + 1); }},
      {"a read leaves out its newest", Anomaly::read_gap,
       [](History& h) { h.reads[2].items.pop_back(); }},
  };
}

std::vector<Mutation> mutations_of_watches() {
  return {
      {"a watcher misses a version", Anomaly::watch_gap,
       [](History& h) { h.watches[0].events.erase(h.watches[0].events.begin() + 3); }},
      {"a watcher begins too late", Anomaly::watch_gap,
       [](History& h) { h.watches[1].after_version = 1; }},
      {"a watcher sees a version twice", Anomaly::watch_duplicate,
       [](History& h) {
         h.watches[0].events.insert(h.watches[0].events.begin() + 4, h.watches[0].events[3]);
       }},
      {"a watcher begins too early", Anomaly::watch_order,
       [](History& h) { h.watches[1].after_version = 3; }},
      {"a watcher sees two versions the other way round", Anomaly::watch_order,
       [](History& h) { std::swap(h.watches[1].events[1], h.watches[1].events[2]); }},
      {"a watcher is shown another message", Anomaly::watch_content,
       [](History& h) { h.watches[0].events[2].items[0].key = "a"; }},
      {"a watcher is shown half an append", Anomaly::watch_content,
       [](History& h) { h.watches[0].events[4].items.pop_back(); }},
      {"a watcher is shown what was lost later", Anomaly::watch_content,
       [](History& h) {
         h.dump.items.resize(5);
         h.dump.version = 6;
       }},
      {"a watcher is shown what was not yet sent", Anomaly::future_read,
       [](History& h) { h.watches[0].events[5].received = 71; }},
      {"a watcher never sees the end", Anomaly::lost_tail,
       [](History& h) { h.watches[0].events.pop_back(); }},
  };
}

bool found(const std::vector<Violation>& violations, Anomaly anomaly) {
  return std::any_of(violations.begin(), violations.end(),
                     [&](const Violation& violation) { return violation.anomaly == anomaly; });
}

TEST(HistoryChecker, AcceptsAGoodHistory) {
  EXPECT_THAT(check_history(small_history()), IsEmpty());
}

TEST(HistoryChecker, AcceptsAnEmptyHistory) { EXPECT_THAT(check_history({}), IsEmpty()); }

TEST(HistoryChecker, FindsEachKindOfMutation) {
  std::set<Anomaly> covered;
  for (const auto& mutations :
       {mutations_of_the_dump(), mutations_of_calls(), mutations_of_watches()}) {
    for (const Mutation& mutation : mutations) {
      History history = small_history();
      mutation.apply(history);
      EXPECT_TRUE(found(check_history(history), mutation.expected))
          << mutation.name << " must be found as " << name_of(mutation.expected)
          << "; found: " << testing::PrintToString(check_history(history));
      covered.insert(mutation.expected);
    }
  }
  EXPECT_EQ(covered.size(), static_cast<size_t>(Anomaly::lost_tail) + 1)
      << "an anomaly has no mutation";
}

TEST(HistoryChecker, RaisesNoFalseAlarmOnRandomHistories) {
  for (uint64_t seed = 0; seed < 1000; ++seed) {
    const History history = Generator(seed, seed % 2 == 1).make(120);
    EXPECT_THAT(check_history(history), IsEmpty()) << "seed " << seed;
  }
}

TEST(HistoryChecker, FindsALossInRandomHistories) {
  for (uint64_t seed = 0; seed < 200; ++seed) {
    History history = Generator(seed, false).make(120);
    std::mt19937_64 random(seed);
    std::vector<Item>& items = history.dump.items;
    const Item victim = items[random() % items.size()];
    items.erase(items.begin() + victim.sequence - 1);
    for (Item& item : items) item.sequence -= item.sequence > victim.sequence ? 1 : 0;
    EXPECT_FALSE(check_history(history).empty()) << "seed " << seed;
  }
}

}  // namespace
}  // namespace parley::test
