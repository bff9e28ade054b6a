#pragma once

#include <cstdint>
#include <string>
#include <vector>

/// What clients of one conversation saw, for tests/support/history_checker.hpp to judge. Plain
/// data: the driver of a test fills it in and knows nothing of the rules.
namespace parley::test {

/// Nanoseconds of one monotonic clock that all clients of a test share.
using Instant = int64_t;
inline constexpr Instant k_never = INT64_MAX;

/// A message as somebody saw it. Its key is its body, which no other message of the test has.
struct Item {
  int64_t sequence = 0;
  int64_t version = 0;
  std::string key;
  bool operator==(const Item&) const = default;
};

enum class CallOutcome : uint8_t {
  ok,       ///< it is durable
  failed,   ///< it was refused: nothing may have changed
  unknown,  ///< no answer: it may or may not have happened, also later
};

/// One append of one or more messages, from the first attempt until its answer.
struct AppendCall {
  int client = 0;
  Instant invoked = 0;
  Instant returned = k_never;  ///< never, where the outcome is unknown
  CallOutcome outcome = CallOutcome::unknown;
  std::vector<std::string> keys;
  int64_t first_sequence = 0;  ///< where ok
  int64_t version = 0;         ///< where ok
};

/// Any other acknowledged change.
struct OtherChange {
  int client = 0;
  Instant invoked = 0;
  Instant returned = 0;
  int64_t version = 0;
};

/// One read of the most recent messages.
struct ReadCall {
  int client = 0;
  Instant invoked = 0;
  Instant returned = 0;
  int64_t version = 0;
  int64_t message_count = 0;
  std::vector<Item> items;  ///< oldest first, up to the newest
};

struct WatchEvent {
  Instant received = 0;
  int64_t version = 0;
  std::vector<Item> items;
};

/// One watcher, over all its reconnects: each resumed from the last version it had seen.
struct WatchLog {
  int client = 0;
  int64_t after_version = 0;
  std::vector<WatchEvent> events;
  bool until_end = false;  ///< it was given the time to see everything
};

/// The conversation read in full when all faults were over.
struct Dump {
  int64_t version = 0;
  int64_t reset_version = 0;
  std::vector<Item> items;
};

struct History {
  std::string conversation;
  std::vector<AppendCall> appends;
  std::vector<OtherChange> changes;
  std::vector<ReadCall> reads;
  std::vector<WatchLog> watches;
  Dump dump;
};

}  // namespace parley::test
