#include "tests/support/history_checker.hpp"

#include <algorithm>
#include <map>
#include <unordered_map>
#include <unordered_set>
#include <utility>

namespace parley::test {
namespace {

/// An operation on the one line of versions.
struct Step {
  Instant invoked;
  Instant returned;
  int64_t version;
  enum class Kind : uint8_t { append, change, read } kind;
  std::string what;
};

std::string text(const Item& item) {
  return "'" + item.key + "' (sequence " + std::to_string(item.sequence) + ", version " +
         std::to_string(item.version) + ")";
}

class Checker {
 public:
  explicit Checker(const History& history) : history_(history), dump_(history.dump) {}

  std::vector<Violation> run() {
    learn_appends();
    check_dump();
    for (const AppendCall& append : history_.appends) check_append(append);
    for (const OtherChange& change : history_.changes) {
      claim_version(change.version, change.invoked, "a change");
      steps_.push_back(
          {change.invoked, change.returned, change.version, Step::Kind::change, "a change"});
    }
    for (const ReadCall& read : history_.reads) check_read(read);
    check_real_time();
    for (const WatchLog& watch : history_.watches) check_watch(watch);
    return std::move(violations_);
  }

 private:
  void report(Anomaly anomaly, const std::string& detail) {
    violations_.push_back({anomaly, history_.conversation + ": " + detail});
  }

  void learn_appends() {
    for (const AppendCall& append : history_.appends) {
      for (const std::string& key : append.keys) sender_.emplace(key, &append);
    }
  }

  void check_dump() {
    int64_t expected = 1;
    int64_t last_version = dump_.reset_version;
    for (const Item& item : dump_.items) {
      if (item.sequence != expected)
        report(Anomaly::gap, "dump has " + text(item) + " at " + std::to_string(expected));
      expected = item.sequence + 1;
      if (!place_.emplace(item.key, &item).second) report(Anomaly::duplicated, text(item));
      if (!sender_.contains(item.key)) report(Anomaly::phantom, text(item));
      if (item.version <= dump_.reset_version) report(Anomaly::undead, text(item));
      if (item.version < last_version)
        report(Anomaly::reordered, "versions of the dump go back at " + text(item));
      if (item.version > dump_.version)
        report(Anomaly::phantom, text(item) + " is above the dump's version");
      last_version = item.version;
      ++messages_at_[item.version];
    }
  }

  void claim_version(int64_t version, Instant invoked, const std::string& what) {
    const auto [there, fresh] = invoked_at_.emplace(version, invoked);
    if (!fresh) {
      report(Anomaly::shared_version,
             what + ": version " + std::to_string(version) + " was given twice");
    }
    if (version > dump_.version) {
      report(Anomaly::lost, what + " was answered with version " + std::to_string(version) +
                                ", the end is at " + std::to_string(dump_.version));
    }
  }

  void check_append(const AppendCall& append) {
    const size_t there =
        std::count_if(append.keys.begin(), append.keys.end(),
                      [&](const std::string& key) { return place_.contains(key); });
    const std::string name = "append of '" + (append.keys.empty() ? "" : append.keys.front()) + "'";
    if (append.outcome == CallOutcome::ok) {
      claim_version(append.version, append.invoked, name);
      steps_.push_back({append.invoked, append.returned, append.version, Step::Kind::append, name});
      return check_acknowledged(append, name);
    }
    if (there == 0) return;
    if (append.outcome == CallOutcome::failed) report(Anomaly::refused_yet_there, name);
    if (there != append.keys.size()) report(Anomaly::torn_append, name);
    check_together(append, name);
    const auto first = std::find_if(append.keys.begin(), append.keys.end(),
                                    [&](const std::string& key) { return place_.contains(key); });
    const int64_t version = place_.at(*first)->version;
    claim_version(version, append.invoked, name);
    steps_.push_back({append.invoked, k_never, version, Step::Kind::append, name});
  }

  void check_acknowledged(const AppendCall& append, const std::string& name) {
    const bool was_reset = append.version <= dump_.reset_version;
    for (size_t i = 0; i < append.keys.size(); ++i) {
      const Item given{append.first_sequence + static_cast<int64_t>(i), append.version,
                       append.keys[i]};
      if (was_reset) {
        observed_.emplace(std::pair(given.version, given.sequence), given.key);
        continue;
      }
      const auto found = place_.find(given.key);
      if (found == place_.end()) {
        report(Anomaly::lost, name + ": " + text(given));
      } else if (*found->second != given) {
        report(Anomaly::moved, name + ": answered " + text(given) + ", is " + text(*found->second));
      }
    }
  }

  /// Messages of one append follow one another under one version.
  void check_together(const AppendCall& append, const std::string& name) {
    const Item* before = nullptr;
    for (const std::string& key : append.keys) {
      const auto found = place_.find(key);
      if (found == place_.end()) continue;
      const Item* item = found->second;
      if (before != nullptr &&
          (item->sequence != before->sequence + 1 || item->version != before->version)) {
        report(Anomaly::torn_append,
               name + ": " + text(*before) + " is followed by " + text(*item));
      }
      before = item;
    }
  }

  /// One message as a read or a watcher saw it.
  void check_seen(const Item& item, Instant seen, Anomaly otherwise, const std::string& where) {
    const auto sender = sender_.find(item.key);
    if (sender == sender_.end()) {
      report(Anomaly::phantom, where + " shows " + text(item));
    } else if (sender->second->invoked > seen) {
      report(Anomaly::future_read, where + " shows " + text(item) + " before it was sent");
    }
    if (item.version > dump_.reset_version) {
      const auto found = place_.find(item.key);
      if (found == place_.end() || *found->second != item) {
        report(otherwise, where + " shows " + text(item) + ", the dump does not");
      }
      return;
    }
    const auto [there, fresh] = observed_.emplace(std::pair(item.version, item.sequence), item.key);
    if (!fresh && there->second != item.key) {
      report(otherwise,
             where + " shows " + text(item) + ", others saw '" + there->second + "' there");
    }
  }

  void check_read(const ReadCall& read) {
    const std::string name = "read at version " + std::to_string(read.version);
    steps_.push_back({read.invoked, read.returned, read.version, Step::Kind::read, name});
    if (read.version > dump_.version) {
      report(Anomaly::dirty_read, name + " is above the end " + std::to_string(dump_.version));
    }
    for (size_t i = 0; i < read.items.size(); ++i) {
      const Item& item = read.items[i];
      check_seen(item, read.returned, Anomaly::dirty_read, name);
      if (item.version > read.version) report(Anomaly::dirty_read, name + " shows " + text(item));
      if (i > 0 && item.sequence != read.items[i - 1].sequence + 1) {
        report(Anomaly::read_gap,
               name + ": " + text(read.items[i - 1]) + " is followed by " + text(item));
      }
    }
    if (!read.items.empty() && read.items.back().sequence != read.message_count) {
      report(Anomaly::read_gap, name + " ends at " + text(read.items.back()) + " of " +
                                    std::to_string(read.message_count));
    }
    if (read.version > dump_.reset_version && read.message_count != messages_up_to(read.version)) {
      report(Anomaly::dirty_read, name + " counts " + std::to_string(read.message_count) +
                                      " messages, the dump " +
                                      std::to_string(messages_up_to(read.version)));
    }
  }

  int64_t messages_up_to(int64_t version) const {
    const auto end =
        std::partition_point(dump_.items.begin(), dump_.items.end(),
                             [&](const Item& item) { return item.version <= version; });
    return end - dump_.items.begin();
  }

  /// Whatever began after a version was answered stands above it (changes) or not below it (reads).
  void check_real_time() {
    std::vector<const Step*> by_invoked;
    for (const Step& step : steps_) by_invoked.push_back(&step);
    std::vector<const Step*> by_returned = by_invoked;
    std::sort(by_invoked.begin(), by_invoked.end(),
              [](const Step* a, const Step* b) { return a->invoked < b->invoked; });
    std::sort(by_returned.begin(), by_returned.end(),
              [](const Step* a, const Step* b) { return a->returned < b->returned; });
    const Step* highest = nullptr;
    size_t next = 0;
    for (const Step* step : by_invoked) {
      for (; next < by_returned.size() && by_returned[next]->returned < step->invoked; ++next) {
        const Step* over = by_returned[next];
        if (highest == nullptr || over->version > highest->version) highest = over;
      }
      if (highest == nullptr) continue;
      const std::string detail = step->what + " has version " + std::to_string(step->version) +
                                 " and began after " + highest->what + " was answered with " +
                                 std::to_string(highest->version);
      if (step->kind == Step::Kind::read) {
        if (step->version < highest->version) report(Anomaly::stale_read, detail);
      } else if (step->version <= highest->version) {
        report(Anomaly::reordered, detail);
      }
      if (step->kind == Step::Kind::read) check_not_from_future(*step);
    }
  }

  void check_not_from_future(const Step& read) {
    const auto made = invoked_at_.find(read.version);
    if (made != invoked_at_.end() && made->second > read.returned) {
      report(Anomaly::future_read, read.what + " was answered before that version was asked for");
    }
  }

  void check_watch(const WatchLog& watch) {
    int64_t last = watch.after_version;
    std::unordered_set<int64_t> seen;
    for (const WatchEvent& event : watch.events) {
      check_version_follows(watch, event, last, seen.contains(event.version));
      seen.insert(event.version);
      last = event.version;
      check_content(watch, event);
    }
    if (watch.until_end && last != dump_.version) {
      report(Anomaly::lost_tail, name_of_watch(watch) + " ended at version " +
                                     std::to_string(last) + " of " + std::to_string(dump_.version));
    }
  }

  static std::string name_of_watch(const WatchLog& watch) {
    return "watcher " + std::to_string(watch.client) + " from " +
           std::to_string(watch.after_version);
  }

  void check_version_follows(const WatchLog& watch, const WatchEvent& event, int64_t last,
                             bool again) {
    if (event.version == last + 1) return;
    const std::string detail = name_of_watch(watch) + " saw version " +
                               std::to_string(event.version) + " after " + std::to_string(last);
    if (event.version > last) {
      report(Anomaly::watch_gap, detail);
    } else {
      report(again ? Anomaly::watch_duplicate : Anomaly::watch_order, detail);
    }
  }

  void check_content(const WatchLog& watch, const WatchEvent& event) {
    const std::string name = name_of_watch(watch) + " at version " + std::to_string(event.version);
    for (const Item& item : event.items) {
      check_seen(item, event.received, Anomaly::watch_content, name);
      if (item.version != event.version)
        report(Anomaly::watch_content, name + " shows " + text(item));
    }
    if (event.version > dump_.version) {
      report(Anomaly::watch_content, name + ": the end is at " + std::to_string(dump_.version));
    }
    if (event.version <= dump_.reset_version) return;
    const auto held = messages_at_.find(event.version);
    const size_t expected = held == messages_at_.end() ? 0 : held->second;
    if (event.items.size() != expected) {
      report(Anomaly::watch_content, name + " shows " + std::to_string(event.items.size()) +
                                         " messages, the dump has " + std::to_string(expected));
    }
  }

  const History& history_;
  const Dump& dump_;
  std::vector<Violation> violations_;
  std::unordered_map<std::string, const AppendCall*> sender_;
  std::unordered_map<std::string, const Item*> place_;
  std::unordered_map<int64_t, size_t> messages_at_;
  std::unordered_map<int64_t, Instant> invoked_at_;
  std::map<std::pair<int64_t, int64_t>, std::string> observed_;  ///< before the last reset
  std::vector<Step> steps_;
};

}  // namespace

const char* name_of(Anomaly anomaly) {
  switch (anomaly) {
    case Anomaly::lost:
      return "lost";
    case Anomaly::moved:
      return "moved";
    case Anomaly::duplicated:
      return "duplicated";
    case Anomaly::phantom:
      return "phantom";
    case Anomaly::refused_yet_there:
      return "refused yet there";
    case Anomaly::gap:
      return "gap";
    case Anomaly::torn_append:
      return "torn append";
    case Anomaly::shared_version:
      return "shared version";
    case Anomaly::reordered:
      return "reordered";
    case Anomaly::stale_read:
      return "stale read";
    case Anomaly::future_read:
      return "future read";
    case Anomaly::dirty_read:
      return "dirty read";
    case Anomaly::read_gap:
      return "read gap";
    case Anomaly::undead:
      return "undead";
    case Anomaly::watch_gap:
      return "watch gap";
    case Anomaly::watch_duplicate:
      return "watch duplicate";
    case Anomaly::watch_order:
      return "watch order";
    case Anomaly::watch_content:
      return "watch content";
    case Anomaly::lost_tail:
      return "lost tail";
  }
  return "?";
}

std::ostream& operator<<(std::ostream& out, const Violation& violation) {
  return out << name_of(violation.anomaly) << ": " << violation.detail;
}

std::vector<Violation> check_history(const History& history) { return Checker(history).run(); }

}  // namespace parley::test
