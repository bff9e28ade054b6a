#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/time.hpp"
#include "conversation/dedup.hpp"

/// What a conversation is. Plain values: no clock, no thread, no input or output. Changed by
/// `evolve` alone (conversation/evolve.hpp), judged by `decide` alone (conversation/decide.hpp).
namespace parley {

enum class Role : uint8_t { user = 1, assistant = 2, system = 3, tool = 4 };

/// Active takes messages; archived is read-only until made active again.
enum class Lifecycle : uint8_t { active = 1, archived = 2 };

/// Tokens. Sums of counts that are each within Limits::tokens; saturating, never wrapping.
struct Usage {
  int64_t prompt = 0;
  int64_t completion = 0;
  int64_t total = 0;
  int64_t cached = 0;
  int64_t cache_write = 0;
  int64_t reasoning = 0;
  bool operator==(const Usage&) const = default;
  Usage& operator+=(const Usage& other);
};

/// An amount of one currency, exactly: nanos carries billionths of a unit, of the same sign.
struct Money {
  std::string currency;
  int64_t units = 0;
  int32_t nanos = 0;
  bool operator==(const Money&) const = default;
};

/// What something cost. No cost is "unpriced", which is not zero.
struct Charge {
  Usage usage;
  std::optional<Money> cost;
  std::string model;
  std::string provider;
  bool operator==(const Charge&) const = default;
};

/// Sums of charges: tokens, and money by currency.
struct Totals {
  Usage usage;
  std::map<std::string, Money> cost;  ///< by currency
  bool operator==(const Totals&) const = default;
  void add(const Charge& charge);
};

/// Models counted apart in one conversation; the rest is counted together under k_other_models.
inline constexpr size_t k_models_counted_apart = 256;
inline constexpr const char* k_other_models = "(other models)";

/// A message as the core sees it: what it reasons about, beside the content that it never opens.
struct Message {
  Sequence sequence;
  Version version;       ///< the version it came with
  WallTime create_time;  ///< never before that of the message before it
  Role role = Role::user;
  /// The API message as given, encoded, without the fields that the server assigns. Shared by the
  /// log, the hot window and the watchers; never changed.
  std::shared_ptr<const std::string> body;
};

/// Settings with the server's defaults already filled in, so that replaying needs no server.
struct Policy {
  uint32_t hot_window_messages = 50;
  uint32_t dedup_requests = 1024;
  int64_t dedup_seconds = 24 * 3600;  ///< after a deletion; while it exists, they go by number
  bool operator==(const Policy&) const = default;
};

/// Messages first..last of a history that lies in `shard`. Histories are named by an id of their
/// own, not by the conversation, so that forks can share them and outlive it.
struct HistorySpan {
  Shard shard;
  Id128 history;
  Sequence first;
  Sequence last;
  bool operator==(const HistorySpan&) const = default;
};

/// The parent that must keep a fork's past, and under which name it knows the fork.
struct ParentLink {
  std::string thread;
  Id128 child_history;
  bool operator==(const ParentLink&) const = default;
};

/// A fork that shares messages up to `at`.
struct ForkChild {
  std::string thread;
  Id128 history;  ///< the child's own history, unique for ever
  Sequence at;
  bool operator==(const ForkChild&) const = default;
};

/// One run of messages: from a creation or reset to the next reset or deletion.
struct Lineage {
  Id128 history;                  ///< where its own messages are
  std::vector<HistorySpan> past;  ///< what it shares, oldest first; sequences 1..past.back().last
  std::optional<ParentLink> parent;  ///< who keeps `past` for it
  std::vector<ForkChild> children;   ///< who shares this
  bool operator==(const Lineage&) const = default;

  [[nodiscard]] Sequence shared_through() const {
    return past.empty() ? Sequence{0} : past.back().last;
  }
};

struct ForkOrigin {
  std::string thread;
  Sequence at;
  bool operator==(const ForkOrigin&) const = default;
};

/// A conversation at one version. Default-constructed: it does not exist and never did.
///
/// After a deletion `exists` is false and nothing of its content is left; what may remain for a
/// while is the request id of the deletion (retries) and lineages that living forks share
/// (`former`).
struct State {
  // What every append reads and changes, together: in memory that is cold it takes three lines.
  bool exists = false;
  Lifecycle lifecycle = Lifecycle::active;
  Version version;  ///< 0 when it does not exist
  WallTime last_activity;
  Sequence last_sequence;  ///< of the last message, also the count of messages
  uint64_t message_bytes = 0;
  Policy policy;
  DedupWindow dedup;

  std::string user;
  std::map<std::string, std::string> labels;
  std::string title;
  std::string metadata;  ///< a JSON object, or empty
  std::string source_json;
  WallTime create_time;
  Version reset_version;
  std::optional<ForkOrigin> origin;

  Lineage current;
  Totals totals;
  std::map<std::string, Totals> by_model;

  std::vector<Lineage> former;               ///< kept for their children only
  std::vector<ParentLink> pending_releases;  ///< parents to be told that their child is gone

  bool operator==(const State&) const = default;

  /// Nothing is left that anyone could need: storage may forget it.
  [[nodiscard]] bool vanished() const {
    return !exists && former.empty() && pending_releases.empty() && dedup.empty();
  }
  /// Where messages 1..last_sequence lie, oldest first. `own` is this conversation's shard.
  [[nodiscard]] std::vector<HistorySpan> spans(Shard own) const;
  /// The lineage that keeps this child's past, nullptr if none does.
  [[nodiscard]] const Lineage* lineage_of_child(const Id128& child_history) const;
};

}  // namespace parley
