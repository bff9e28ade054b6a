#include "base/ids.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"

#include "base/check.hpp"
#include "base/hash.hpp"

namespace parley {
namespace {

/// Part of the storage format: changing it moves every conversation to another shard.
constexpr uint64_t k_key_hash_seed = 0x7061726c65793031;  // "parley01"

constexpr bool alphanumeric(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/// Which bytes an id may hold.
constexpr auto k_id_characters = [] {
  std::array<bool, 256> allowed{};
  for (size_t c = 0; c < allowed.size(); ++c) allowed[c] = alphanumeric(static_cast<char>(c));
  for (const char c : std::string_view("._~:@+=,-")) allowed[static_cast<unsigned char>(c)] = true;
  return allowed;
}();

bool id_character(char c) { return k_id_characters[static_cast<unsigned char>(c)]; }

constexpr uint8_t k_no_digit = 0xff;

/// The value of each byte as a hexadecimal digit.
constexpr auto k_hex_digits = [] {
  std::array<uint8_t, 256> values{};
  values.fill(k_no_digit);
  for (uint8_t i = 0; i < 10; ++i) values['0' + i] = i;
  for (uint8_t i = 0; i < 6; ++i) values['a' + i] = values['A' + i] = static_cast<uint8_t>(10 + i);
  return values;
}();

Status uuid_error(std::string_view field) {
  return absl::InvalidArgumentError(absl::StrCat(
      absl::string_view(field.data(), field.size()),
      ": must be a UUID that is not nil, such as 0e37df36-f698-11e6-8dd4-cb9ced3df976; "
      "make a fresh one for every new request and repeat it only when retrying"));
}

}  // namespace

Status check_id(std::string_view field, std::string_view id) {
  const absl::string_view name(field.data(), field.size());
  if (id.empty()) return absl::InvalidArgumentError(absl::StrCat(name, ": is required"));
  if (id.size() > k_id_bytes_max) {
    return absl::InvalidArgumentError(
        absl::StrCat(name, ": is ", id.size(), " bytes long; use at most ", k_id_bytes_max));
  }
  if (!alphanumeric(id.front())) {
    return absl::InvalidArgumentError(absl::StrCat(name, ": must begin with a letter or digit"));
  }
  const auto bad = std::find_if_not(id.begin(), id.end(), id_character);
  if (bad != id.end()) {
    const char byte = *bad;
    return absl::InvalidArgumentError(absl::StrCat(
        name, ": byte ", bad - id.begin(), " is '", absl::CHexEscape(absl::string_view(&byte, 1)),
        "'; use only letters, digits and . _ ~ : @ + = , -"));
  }
  return absl::OkStatus();
}

uint64_t key_hash(const ConversationKey& key) {
  // Why not a string as a rule: the hottest path would allocate it.
  std::array<char, 2 * k_id_bytes_max + 1> few;  // NOLINT(*-member-init): it is filled below
  std::string many;
  const size_t size = key.tenant.size() + 1 + key.thread.size();
  if (size > few.size()) many.resize(size);
  char* const bytes = many.empty() ? few.data() : many.data();
  key.tenant.copy(bytes, key.tenant.size());
  bytes[key.tenant.size()] = '\0';
  key.thread.copy(bytes + key.tenant.size() + 1, key.thread.size());
  return hash64({bytes, size}, k_key_hash_seed);
}

Shard shard_of(uint64_t hash, uint32_t shard_count) {
  PARLEY_CHECK(shard_count > 0 && shard_count <= 65536);
  return {static_cast<uint16_t>(hash % shard_count)};
}

std::string Id128::hex() const {
  const auto text = absl::BytesToHexString(absl::string_view(view().data(), view().size()));
  return text;
}

Id128 Id128::from_bytes(std::string_view sixteen) {
  Id128 id;
  PARLEY_CHECK(sixteen.size() == id.bytes.size());
  std::memcpy(id.bytes.data(), sixteen.data(), id.bytes.size());
  return id;
}

Result<Id128> parse_uuid(std::string_view field, std::string_view text) {
  constexpr size_t k_size = 36;
  /// Where the two digits of each byte are.
  constexpr std::array<uint8_t, 16> k_places{0,  2,  4,  6,  9,  11, 14, 16,
                                             19, 21, 24, 26, 28, 30, 32, 34};
  if (text.size() != k_size) return uuid_error(field);
  for (const size_t dash : {8U, 13U, 18U, 23U}) {
    if (text[dash] != '-') return uuid_error(field);
  }
  Id128 id;
  uint8_t seen = 0;
  for (size_t i = 0; i < k_places.size(); ++i) {
    const uint8_t high = k_hex_digits[static_cast<unsigned char>(text[k_places[i]])];
    const uint8_t low = k_hex_digits[static_cast<unsigned char>(text[k_places[i] + 1U])];
    seen |= high | low;
    id.bytes[i] = static_cast<uint8_t>(high << 4 | (low & 0xf));
  }
  if (seen > 0xf) return uuid_error(field);  // a byte that is no digit
  if (id.empty()) return uuid_error(field);
  return id;
}

std::string format_uuid(const Id128& id) {
  std::string text = id.hex();
  for (const size_t at : {8U, 13U, 18U, 23U}) text.insert(at, 1, '-');
  return text;
}

}  // namespace parley
