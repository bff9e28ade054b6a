#include "storage/keys.hpp"

#include <cstring>

#include "storage/bytes.hpp"

namespace parley::keys {
namespace {

constexpr size_t k_shard_size = sizeof(uint16_t);
constexpr size_t k_kind_size = 1;

void put_name(std::string& out, std::string_view name) { out.append(name).push_back('\0'); }

void put_string(std::string& out, std::string_view text) {
  put_big<uint16_t>(out, static_cast<uint16_t>(text.size()));
  out.append(text);
}

/// Bigger times come first; the sign bit is turned so that negative times sort below positive ones.
uint64_t invert(WallTime time) {
  return ~(static_cast<uint64_t>(time.micros) ^ (uint64_t{1} << 63));
}
WallTime restore(uint64_t inverted) {
  return {static_cast<int64_t>(~inverted ^ (uint64_t{1} << 63))};
}

std::optional<std::string_view> take_name(std::string_view& in) {
  const size_t end = in.find('\0');
  if (end == std::string_view::npos) return std::nullopt;
  const std::string_view name = in.substr(0, end);
  in.remove_prefix(end + 1);
  return name;
}

std::optional<std::string_view> take_string(std::string_view& in) {
  const auto size = take_big<uint16_t>(in);
  if (!size || in.size() < *size) return std::nullopt;
  const std::string_view text = in.substr(0, *size);
  in.remove_prefix(*size);
  return text;
}

}  // namespace

std::string shard(Shard shard) {
  std::string out;
  put_big<uint16_t>(out, shard.value);
  return out;
}

std::optional<Shard> parse_shard(std::string_view bytes) {
  const auto number = take_big<uint16_t>(bytes);
  return number ? std::optional(Shard{*number}) : std::nullopt;
}

std::string conversation(Shard of, const ConversationKey& key) {
  std::string out;
  out.reserve(k_shard_size + key.tenant.size() + key.thread.size() + 2 + 9);
  put_big<uint16_t>(out, of.value);
  put_name(out, key.tenant);
  put_name(out, key.thread);
  return out;
}

namespace {
std::string with_part(std::string_view conversation, Part part) {
  std::string out;
  out.reserve(conversation.size() + 1 + sizeof(uint64_t));
  out.append(conversation).push_back(static_cast<char>(part));
  return out;
}
}  // namespace

std::string remains(std::string_view conversation) {
  return with_part(conversation, Part::remains);
}
std::string snapshot(std::string_view conversation) {
  return with_part(conversation, Part::snapshot);
}
std::string head(std::string_view conversation) { return with_part(conversation, Part::head); }

std::string event(std::string_view conversation, Version version) {
  std::string out = with_part(conversation, Part::event);
  put_big<uint64_t>(out, version.value);
  return out;
}

std::string end_of(std::string_view prefix) {
  std::string out(prefix);
  while (!out.empty() && static_cast<uint8_t>(out.back()) == 0xff) out.pop_back();
  if (!out.empty()) out.back() = static_cast<char>(static_cast<uint8_t>(out.back()) + 1);
  return out;
}

size_t conversation_size(std::string_view bytes) {
  if (bytes.size() < k_shard_size) return 0;
  const size_t tenant_end = bytes.find('\0', k_shard_size);
  if (tenant_end == std::string_view::npos) return 0;
  const size_t thread_end = bytes.find('\0', tenant_end + 1);
  return thread_end == std::string_view::npos ? 0 : thread_end + 1;
}

std::optional<StateKey> parse_state(std::string_view bytes) {
  StateKey parsed;
  parsed.prefix_size = conversation_size(bytes);
  if (parsed.prefix_size == 0 || bytes.size() == parsed.prefix_size) return std::nullopt;
  parsed.shard = {*take_big<uint16_t>(bytes)};
  parsed.key.tenant = *take_name(bytes);
  parsed.key.thread = *take_name(bytes);
  const auto part = static_cast<uint8_t>(bytes.front());
  if (part > static_cast<uint8_t>(Part::head)) return std::nullopt;
  parsed.part = static_cast<Part>(part);
  bytes.remove_prefix(1);
  if (parsed.part == Part::event) {
    const auto version = take_big<uint64_t>(bytes);
    if (!version) return std::nullopt;
    parsed.version = {*version};
  }
  if (!bytes.empty()) return std::nullopt;
  return parsed;
}

std::string history(Shard of, const Id128& history) {
  std::string out;
  out.reserve(k_history_size + sizeof(uint64_t));
  put_big<uint16_t>(out, of.value);
  out.append(history.view());
  return out;
}

std::string message(Shard of, const Id128& of_history, Sequence sequence) {
  std::string out = history(of, of_history);
  put_big<uint64_t>(out, sequence.value);
  return out;
}

std::optional<MessageKey> parse_message(std::string_view bytes) {
  if (bytes.size() != k_history_size + sizeof(uint64_t)) return std::nullopt;
  MessageKey parsed;
  parsed.shard = {*take_big<uint16_t>(bytes)};
  parsed.history = Id128::from_bytes(bytes.substr(0, 16));
  bytes.remove_prefix(16);
  parsed.sequence = {*take_big<uint64_t>(bytes)};
  return parsed;
}

std::string index_kind(Shard of, char kind) {
  std::string out = shard(of);
  out.push_back(kind);
  return out;
}

std::string index_all(Shard of, std::string_view tenant) {
  std::string out = index_kind(of, 'A');
  put_name(out, tenant);
  return out;
}

std::string index_user(Shard of, std::string_view tenant, std::string_view user) {
  std::string out = index_kind(of, 'U');
  put_name(out, tenant);
  put_string(out, user);
  return out;
}

std::string index_label(Shard of, std::string_view tenant, std::string_view key,
                        std::string_view value) {
  std::string out = index_kind(of, 'L');
  put_name(out, tenant);
  put_string(out, key);
  put_string(out, value);
  return out;
}

std::string rank(WallTime last_activity, std::string_view thread) {
  std::string out;
  out.reserve(sizeof(uint64_t) + thread.size());
  put_big<uint64_t>(out, invert(last_activity));
  out.append(thread);
  return out;
}

std::optional<Rank> parse_rank(std::string_view bytes) {
  const auto inverted = take_big<uint64_t>(bytes);
  if (!inverted || bytes.empty()) return std::nullopt;
  return Rank{restore(*inverted), std::string(bytes)};
}

std::string unfinished(Shard of, const ConversationKey& key) {
  std::string out = index_kind(of, 'R');
  put_name(out, key.tenant);
  out.append(key.thread);
  return out;
}

std::string expiry(Shard of, StoreAge age, const ConversationKey& key) {
  std::string out = index_kind(of, 'T');
  put_big<uint64_t>(out, age.micros);
  put_name(out, key.tenant);
  out.append(key.thread);
  return out;
}

namespace {
std::optional<ListedKey> parse_listed(std::string_view bytes, char kind) {
  ListedKey parsed;
  if (bytes.size() < k_shard_size + k_kind_size || bytes[k_shard_size] != kind) return std::nullopt;
  bytes.remove_prefix(k_shard_size + k_kind_size);
  if (kind == 'T') {
    const auto age = take_big<uint64_t>(bytes);
    if (!age) return std::nullopt;
    parsed.age = {*age};
  }
  const auto tenant = take_name(bytes);
  if (!tenant || bytes.empty()) return std::nullopt;
  parsed.key = {std::string(*tenant), std::string(bytes)};
  return parsed;
}
}  // namespace

std::optional<ListedKey> parse_unfinished(std::string_view bytes) {
  return parse_listed(bytes, 'R');
}
std::optional<ListedKey> parse_expiry(std::string_view bytes) { return parse_listed(bytes, 'T'); }

std::optional<IndexKey> parse_index(std::string_view bytes) {
  IndexKey parsed;
  const auto of = take_big<uint16_t>(bytes);
  if (!of || bytes.empty()) return std::nullopt;
  parsed.shard = {*of};
  parsed.kind = bytes.front();
  bytes.remove_prefix(1);
  if (parsed.kind != 'A' && parsed.kind != 'U' && parsed.kind != 'L') return std::nullopt;
  const auto tenant = take_name(bytes);
  if (!tenant) return std::nullopt;
  parsed.tenant = *tenant;
  if (parsed.kind != 'A') {
    const auto first = take_string(bytes);
    if (!first) return std::nullopt;
    parsed.first = *first;
  }
  if (parsed.kind == 'L') {
    const auto second = take_string(bytes);
    if (!second) return std::nullopt;
    parsed.second = *second;
  }
  auto place = parse_rank(bytes);
  if (!place) return std::nullopt;
  parsed.rank = *std::move(place);
  return parsed;
}

std::string damaged(uint64_t key_hash) {
  std::string out("D");
  put_big<uint64_t>(out, key_hash);
  return out;
}

std::optional<uint64_t> parse_damaged(std::string_view bytes) {
  if (bytes.size() != 1 + sizeof(uint64_t) || bytes.front() != 'D') return std::nullopt;
  bytes.remove_prefix(1);
  return take_big<uint64_t>(bytes);
}

std::string epoch(Shard of) {
  std::string out("E");
  put_big<uint16_t>(out, of.value);
  return out;
}

std::optional<Shard> parse_epoch(std::string_view bytes) {
  if (bytes.size() != 1 + sizeof(uint16_t) || bytes.front() != 'E') return std::nullopt;
  bytes.remove_prefix(1);
  return Shard{*take_big<uint16_t>(bytes)};
}

std::string scrub(char family, uint64_t number, std::string_view begin) {
  std::string out("S");
  out.push_back(family);
  put_big<uint64_t>(out, number);
  out.append(begin);
  return out;
}

std::string nobodys_behind(std::string_view begin) { return std::string(begin) + '\xff'; }

std::optional<ScrubKey> parse_scrub(std::string_view bytes) {
  if (bytes.size() < 2 + sizeof(uint64_t) || bytes.front() != 'S') return std::nullopt;
  ScrubKey parsed{bytes[1], {}};
  bytes.remove_prefix(2 + sizeof(uint64_t));
  parsed.begin = bytes;
  return parsed;
}

}  // namespace parley::keys
