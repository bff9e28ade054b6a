#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.hpp"
#include "storage/journal.hpp"

/// Domain values <-> bytes at rest (proto/parley/storage/v1/storage.proto): the only place that
/// knows both.
///
/// Every encoded value is: schema (varint), key slot (varint, 0: not encrypted), protobuf bytes.
/// Writing always uses `k_schema`; values of every older schema are read and upcast. The bytes of
/// one value are always the same. Whatever an older Parley must not overlook, such as a new kind of
/// event, raises the schema.
///
/// Decoding errors: FAILED_PRECONDITION where a newer Parley, or one with encryption, wrote the
/// value; DATA_LOSS where the bytes are damaged. Checksums are not its job: log and store have
/// theirs, so damage that still makes a well-formed value is not seen here.
///
/// All functions may be called on any thread at the same time.
namespace parley {

/// The schema that is written. 1: policies had no `dedup_seconds`. 2: they have. 3: values of
/// events and of messages hold several.
inline constexpr uint32_t k_schema = 3;

/// Commits of this shard below this epoch are refused from here on.
struct EpochRaised {
  Shard shard;
  Epoch epoch;
  bool operator==(const EpochRaised&) const = default;
};

/// A record of the write-ahead log.
using LogRecord = std::variant<Commit, EpochRaised>;

/// With bodies of messages. `batch.snapshot` is kept only where the conversation is gone.
std::string encode_commit(const Commit& commit);
std::string encode_epoch_raised(const EpochRaised& raised);
/// Reads what either of the two above wrote. `key_hash` is computed again and must lead to the
/// record's shard. Every message has its body.
Result<LogRecord> decode_log_record(std::string_view bytes, uint32_t shard_count);

/// Events of one conversation that follow one another, at least one, without bodies of messages.
std::string encode_events(std::span<const Event* const> events);
Result<EventList> decode_events(std::string_view bytes);

/// Events of one conversation that follow one another, at least one, on their way to another node:
/// with the bodies of their messages, unless one of them was erased since.
std::string encode_feed(std::span<const Event* const> events);
Result<EventList> decode_feed(std::string_view bytes);

/// Messages of one history that follow one another, at least one. Sequences are not part of the
/// value: the last one is in the key.
std::string encode_messages(std::span<const Message* const> messages);
Result<std::vector<Message>> decode_messages(std::string_view bytes, Sequence last);

std::string encode_state(const State& state);
Result<State> decode_state(std::string_view bytes);

}  // namespace parley
