#pragma once

#include <limits>
#include <random>
#include <utility>

#include "storage/codec.hpp"
#include "tests/support/builders.hpp"

/// Values of every shape out of a seed: more than ever lived, so that the codec can rest on none of
/// it.
namespace parley::values {

class AnyValues {
 public:
  static constexpr uint32_t k_shards = 256;

  explicit AnyValues(uint64_t seed) : chance_(seed) {}

  State state() {
    State made;
    made.exists = flip();
    made.version = {number()};
    made.user = text();
    made.title = text();
    made.metadata = text();
    made.labels = labels();
    made.policy = policy();
    made.lifecycle = lifecycle();
    made.create_time = time();
    made.last_activity = time();
    made.reset_version = {number()};
    if (flip()) made.origin = ForkOrigin{text(), {number()}};
    made.source_json = text();
    made.current = lineage();
    made.last_sequence = {number()};
    made.message_bytes = number();
    made.totals = totals();
    for (size_t i = below(4); i > 0; --i) made.by_model[text()] = totals();
    for (size_t i = below(60); i > 0; --i) {
      made.dedup.remember(dedup(), SIZE_MAX);
    }
    for (size_t i = below(3); i > 0; --i) made.former.push_back(lineage());
    for (size_t i = below(3); i > 0; --i) made.pending_releases.push_back({name(), id()});
    return made;
  }

  /// The kind is an index into EventBody.
  Event event(size_t kind, bool with_bodies) {
    Event made{{number()}, time(), std::nullopt, body(kind, with_bodies)};
    if (flip()) made.dedup = dedup();
    return made;
  }

  Message message() { return {{number() | 1}, {number()}, time(), role(), content()}; }

  Commit commit() {
    Commit made;
    made.key = {name(), name()};
    made.key_hash = key_hash(made.key);
    made.shard = shard_of(made.key_hash, k_shards);
    made.epoch = {number()};
    made.batch.expected = {number()};
    EventList events;
    for (size_t i = 1 + below(4); i > 0; --i) events.push_back(event(below(k_kinds), true));
    made.batch.gone = flip();
    if (!made.batch.gone) made.batch.after = events.back().version = {number() | 1};
    made.batch.events = std::make_shared<const EventList>(std::move(events));
    if (flip()) made.batch.index_before = index_row();
    if (made.batch.gone) {
      State remains = state();
      remains.exists = false;
      made.batch.snapshot = std::make_shared<const State>(std::move(remains));
    } else if (flip()) {
      made.batch.index_after = index_row();
    }
    return made;
  }

  size_t below(size_t bound) { return static_cast<size_t>(chance_() % bound); }

  static constexpr size_t k_kinds = std::variant_size_v<EventBody>;

 private:
  bool flip() { return below(2) == 0; }

  /// Of any magnitude: as many small ones as large ones.
  uint64_t number() { return chance_() >> below(64); }
  int64_t signed_number() { return static_cast<int64_t>(number()) * (flip() ? 1 : -1); }
  WallTime time() { return {signed_number()}; }

  std::string text() {
    static constexpr const char* k_pieces[] = {"a",  "Z",      " ",      "\"",
                                               "\n", "\u00e4", "\u20ac", "\U0001f600"};
    std::string made;
    for (size_t i = below(flip() ? 4 : 40); i > 0; --i)
      made += k_pieces[below(std::size(k_pieces))];
    if (below(50) == 0) made.push_back('\0');
    return made;
  }
  std::string name() { return "n" + std::to_string(below(1000)); }
  std::shared_ptr<const std::string> content() {
    std::string made(below(flip() ? 8 : 600), '\0');
    for (char& byte : made) byte = static_cast<char>(below(256));
    return std::make_shared<const std::string>(std::move(made));
  }

  Id128 id() {
    Id128 made;
    for (uint8_t& byte : made.bytes) byte = static_cast<uint8_t>(below(256));
    return made;
  }
  Role role() { return static_cast<Role>(1 + below(4)); }
  Lifecycle lifecycle() { return static_cast<Lifecycle>(1 + below(2)); }
  Policy policy() {
    return {static_cast<uint32_t>(number()), static_cast<uint32_t>(number()), signed_number()};
  }

  std::map<std::string, std::string> labels() {
    std::map<std::string, std::string> made;
    for (size_t i = below(4); i > 0; --i) made[text()] = text();
    return made;
  }
  IndexRow index_row() { return {text(), labels(), lifecycle(), time()}; }
  Usage usage() {
    return {signed_number(), signed_number(), signed_number(),
            signed_number(), signed_number(), signed_number()};
  }
  Money money() { return {name(), signed_number(), static_cast<int32_t>(signed_number())}; }
  Charge charge() {
    return {usage(), flip() ? std::optional(money()) : std::nullopt, text(), text()};
  }
  Totals totals() {
    Totals made{usage(), {}};
    for (size_t i = below(3); i > 0; --i) {
      Money sum = money();
      made.cost[sum.currency] = sum;
    }
    return made;
  }
  DedupEntry dedup() {
    return {id(),
            chance_(),
            {{number()}, {number()}, {number()}, time(), flip(), flip() ? id() : Id128{}}};
  }
  ForkChild child() { return {text(), id(), {number()}}; }
  Lineage lineage() {
    Lineage made{flip() ? id() : Id128{}, {}, {}, {}};
    for (size_t i = below(4); i > 0; --i) {
      made.past.push_back({{static_cast<uint16_t>(below(65536))}, id(), {number()}, {number()}});
    }
    if (flip()) made.parent = ParentLink{name(), id()};
    for (size_t i = below(4); i > 0; --i) made.children.push_back(child());
    return made;
  }
  std::vector<HistoryDrop> drops() {
    std::vector<HistoryDrop> made;
    for (size_t i = below(3); i > 0; --i) made.push_back({id(), {number()}});
    return made;
  }

  MessagesAppended appended(bool with_bodies) {
    MessagesAppended made{{number()}, number(), {}};
    if (with_bodies) made.bytes = 0;
    for (size_t i = below(5); i > 0; --i) {
      made.messages.push_back({role(), with_bodies ? content() : nullptr,
                               flip() ? std::optional(charge()) : std::nullopt});
      if (with_bodies) made.bytes += made.messages.back().body->size();
    }
    return made;
  }
  ConversationCreated created() {
    return {text(),    text(),
            text(),    labels(),
            policy(),  text(),
            lineage(), flip() ? std::optional(ForkOrigin{text(), {number()}}) : std::nullopt};
  }

  EventBody body(size_t kind, bool with_bodies) {
    switch (kind) {
      case 0:
        return created();
      case 1:
        return appended(with_bodies);
      case 2:
        return ConversationUpdated{text(), text(), text(), labels(), policy(), lifecycle()};
      case 3:
        return UsageRecorded{charge()};
      case 4:
        return ConversationReset{lineage(), drops()};
      case 5:
        return ForkNoted{child()};
      case 6:
        return ForkReleased{id(), drops()};
      case 7:
        return ReleaseConfirmed{id()};
      case 8:
        return ConversationDeleted{drops()};
      default:
        break;
    }
    PARLEY_CHECK(false);
    return ConversationDeleted{};
  }
  static_assert(k_kinds == 9, "a new kind of event needs its line in body()");

  std::mt19937_64 chance_;
};

}  // namespace parley::values
