#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/ids.hpp"
#include "base/time.hpp"

/// Every key of the local store and how it sorts; nothing else builds or reads one. The layout is
/// part of the storage format. Numbers are big-endian, so that bytes sort as values do. Each key of
/// a conversation begins with its shard, so that a shard is one range in every column family.
///
/// state:    shard u16 | tenant 00 | thread 00 | part
///             part 00 remains, 01 snapshot, 02 version u64: event, 03 head
/// messages: shard u16 | history 16 bytes | sequence u64
/// index:    shard u16 | kind | ...
///             'A' tenant 00                       | rank | thread   all of a tenant
///             'U' tenant 00 str(user)             | rank | thread   by user
///             'L' tenant 00 str(key) str(value)   | rank | thread   by label
///             'R' tenant 00 thread                                  must tell its parents
///             'T' age u64 | tenant 00 thread                        what is left may be forgotten;
///                                                                   its value: the last request
///             then
///           rank: the last activity, inverted, so that the newest comes first; str: length u16 |
///           bytes
/// default:  "age", "applied", 'D' key hash u64, 'E' shard u16, 'S' family | number u64 | begin: to
/// be scrubbed
namespace parley::keys {

enum class Part : uint8_t { remains = 0, snapshot = 1, event = 2, head = 3 };

/// Common to all keys of a conversation in `state`.
std::string conversation(Shard shard, const ConversationKey& key);
std::string remains(std::string_view conversation);
std::string snapshot(std::string_view conversation);
std::string event(std::string_view conversation, Version version);
std::string head(std::string_view conversation);
/// Behind every key that begins with `prefix`. No prefix of ours is all 0xff.
std::string end_of(std::string_view prefix);

struct StateKey {
  Shard shard;
  ConversationKey key;
  Part part = Part::head;
  Version version;  ///< of an event
  size_t prefix_size = 0;
};
std::optional<StateKey> parse_state(std::string_view bytes);
/// Bytes of `bytes` that name the conversation; 0 where it is no key of `state`.
size_t conversation_size(std::string_view bytes);

inline constexpr size_t k_history_size = sizeof(uint16_t) + 16;
std::string history(Shard shard, const Id128& history);
std::string message(Shard shard, const Id128& history, Sequence sequence);
struct MessageKey {
  Shard shard;
  Id128 history;
  Sequence sequence;
};
std::optional<MessageKey> parse_message(std::string_view bytes);

/// The part of an index key before the rank: what a list asks for.
std::string index_all(Shard shard, std::string_view tenant);
std::string index_user(Shard shard, std::string_view tenant, std::string_view user);
std::string index_label(Shard shard, std::string_view tenant, std::string_view key,
                        std::string_view value);
/// And from the rank on: sorts newest activity first, then by thread.
std::string rank(WallTime last_activity, std::string_view thread);
struct Rank {
  WallTime last_activity;
  std::string thread;
};
std::optional<Rank> parse_rank(std::string_view bytes);

std::string shard(Shard shard);  ///< the first bytes of whatever belongs to a shard
std::optional<Shard> parse_shard(std::string_view bytes);
std::string index_kind(Shard shard, char kind);
std::string unfinished(Shard shard, const ConversationKey& key);
/// How long a store was in use: its own clock, which no wall clock moves.
struct StoreAge {
  uint64_t micros = 0;
  auto operator<=>(const StoreAge&) const = default;
};
/// Age 0: a time is still to be set.
std::string expiry(Shard shard, StoreAge age, const ConversationKey& key);
struct ListedKey {
  ConversationKey key;
  StoreAge age;  ///< of an expiry
};
std::optional<ListedKey> parse_unfinished(std::string_view bytes);
std::optional<ListedKey> parse_expiry(std::string_view bytes);

/// An index key taken apart, for verification.
struct IndexKey {
  Shard shard;
  char kind = 0;
  std::string tenant;
  std::string first;   ///< user, or the label's key
  std::string second;  ///< the label's value
  Rank rank;
};
std::optional<IndexKey> parse_index(std::string_view bytes);  ///< kinds A, U and L

inline constexpr const char* k_age = "age";
inline constexpr const char* k_applied = "applied";
std::string damaged(uint64_t key_hash);
std::optional<uint64_t> parse_damaged(std::string_view bytes);
std::string epoch(Shard shard);
std::optional<Shard> parse_epoch(std::string_view bytes);
/// `number` tells a range that is to be scrubbed again from the one that is being scrubbed.
std::string scrub(char family, uint64_t number, std::string_view begin);
struct ScrubKey {
  char family = 0;
  std::string begin;
};
std::optional<ScrubKey> parse_scrub(std::string_view bytes);

/// Keys that no row has, in any family: to change something and nothing.
inline constexpr const char* k_nobodys = "";
/// Behind `begin` and before whatever begins with the bytes of it counted up: no part, no kind is
/// 0xff, and nothing follows a sequence.
std::string nobodys_behind(std::string_view begin);

}  // namespace parley::keys
