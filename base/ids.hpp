#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace parley {

/// Bounds of a public id (thread, user, session, tenant, message).
inline constexpr size_t k_id_bytes_max = 128;

/// OK where `id` is 1 to 128 bytes, first a letter or digit, then letters, digits and
/// `. _ ~ : @ + = , -`; else INVALID_ARGUMENT whose message names `field`, the byte and the remedy.
Status check_id(std::string_view field, std::string_view id);

/// A conversation's full name. Both parts are valid ids, so neither holds a NUL.
struct ConversationKey {
  std::string tenant;
  std::string thread;
  auto operator<=>(const ConversationKey&) const = default;

  template <class H>
  friend H AbslHashValue(H h, const ConversationKey& k) {
    return H::combine(std::move(h), k.tenant, k.thread);
  }
};

/// One of a fixed number of shards, the same for a conversation for ever.
struct Shard {
  uint16_t value = 0;
  auto operator<=>(const Shard&) const = default;
};

/// XXH3-64 of tenant, NUL, thread with a seed that is part of the storage format.
uint64_t key_hash(const ConversationKey& key);
Shard shard_of(uint64_t key_hash, uint32_t shard_count);

/// Ownership of a shard passes under rising epochs; storage refuses a lower one.
struct Epoch {
  uint64_t value = 0;
  auto operator<=>(const Epoch&) const = default;
};

/// Version of a conversation: 0 before it exists, then one more with every event.
struct Version {
  uint64_t value = 0;
  auto operator<=>(const Version&) const = default;
  [[nodiscard]] Version next() const { return {value + 1}; }
};

/// Position of a message in its history, from 1 without gaps.
struct Sequence {
  uint64_t value = 0;
  auto operator<=>(const Sequence&) const = default;
  [[nodiscard]] Sequence next() const { return {value + 1}; }
};

/// 128 bits: a caller's request id (a UUID), a history's id. All zero means none.
struct Id128 {
  std::array<uint8_t, 16> bytes{};
  auto operator<=>(const Id128&) const = default;
  [[nodiscard]] bool empty() const { return *this == Id128{}; }
  [[nodiscard]] std::string hex() const;
  [[nodiscard]] std::string_view view() const {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
  }
  static Id128 from_bytes(std::string_view sixteen);

  template <class H>
  friend H AbslHashValue(H h, const Id128& id) {
    return H::combine(std::move(h), id.bytes);
  }
};

/// Parses the text form of a UUID (8-4-4-4-12 hex digits, either case). The nil UUID is refused:
/// it is what a forgotten id looks like.
Result<Id128> parse_uuid(std::string_view field, std::string_view text);
std::string format_uuid(const Id128& id);

}  // namespace parley
