#include "storage/codec.hpp"

#include <thread>

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <gtest/gtest.h>

#include "base/varint.hpp"
#include "parley/storage/v1/storage.pb.h"
#include "tests/storage/any_values.hpp"
#include "tests/storage/golden_values.hpp"
#include "tests/storage/rows.hpp"
#include "tests/storage/same_values.hpp"

namespace parley {
namespace {

using values::AnyValues;
using values::same;

constexpr uint32_t k_shards = AnyValues::k_shards;
constexpr uint64_t k_seeds = 400;

Event without_bodies(Event event) {
  if (auto* appended = std::get_if<MessagesAppended>(&event.body)) {
    for (auto& message : appended->messages) message.body = nullptr;
  }
  return event;
}

TEST(Codec, GivesBackEveryKindOfEvent) {
  for (const auto& [name, event] : values::golden_events()) {
    const auto decoded = decode_event(encode_event(event));
    ASSERT_TRUE(decoded.ok()) << name << ": " << decoded.status();
    EXPECT_TRUE(same(*decoded, without_bodies(event))) << name;
  }
}

TEST(Codec, GivesBackARichStateAndAnEmptyOne) {
  for (const State& state : {values::golden_state(), values::golden_remains(), State{}}) {
    const auto decoded = decode_state(encode_state(state));
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    EXPECT_EQ(*decoded, state);
  }
}

TEST(Codec, GivesBackAStateThatFoldedAWholeLife) {
  build::Conversation talk;
  for (uint64_t i = 1; i < 200; ++i) {
    talk.must(build::append_or_create({"message " + std::to_string(i)}), build::request(i));
    if (i % 40 == 0) talk.must(NoteFork{"child", std::nullopt}, build::request(1000 + i));
    if (i % 80 == 0) talk.must(ResetConversation{}, build::request(2000 + i));
    const auto decoded = decode_state(encode_state(talk.state()));
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    ASSERT_EQ(*decoded, talk.state());
    for (size_t at = 0; at < talk.state().dedup.size(); ++at) {
      const DedupEntry entry = talk.state().dedup.at(at);
      ASSERT_EQ(*decoded->dedup.find(entry.request), entry);
    }
  }
}

TEST(Codec, GivesBackAMessageUnderItsSequence) {
  Message message = values::golden_message();
  auto decoded = decode_message(encode_message(message), message.sequence);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_TRUE(same(*decoded, message));
  message.body = build::body("");
  decoded = decode_message(encode_message(message), message.sequence);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_TRUE(same(*decoded, message));
}

TEST(Codec, GivesBackRowsOfSeveral) {
  for (uint64_t seed = 0; seed < k_seeds; ++seed) {
    AnyValues any(seed);
    EventList events;
    std::vector<Message> messages;
    const uint64_t count = 1 + seed % 7;
    for (uint64_t i = 0; i < count; ++i) {
      events.push_back(any.event((seed + i) % AnyValues::k_kinds, false));
      events.back().version = {seed + 1 + i};
      messages.push_back(any.message());
      messages.back().sequence = {seed + 1 + i};
    }
    const auto read_events = decode_events(encode_events(row_of(events)));
    ASSERT_TRUE(read_events.ok()) << "seed " << seed << ": " << read_events.status();
    ASSERT_TRUE(same(*read_events, events)) << "seed " << seed;
    const auto read_messages = decode_messages(encode_messages(row_of(messages)), {seed + count});
    ASSERT_TRUE(read_messages.ok()) << "seed " << seed << ": " << read_messages.status();
    ASSERT_TRUE(same(*read_messages, messages)) << "seed " << seed;
  }
}

TEST(Codec, GivesBackACommitWithItsBodies) {
  for (const bool gone : {false, true}) {
    const Commit commit = values::golden_commit(gone);
    const auto decoded = decode_log_record(encode_commit(commit), values::k_golden_shards);
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    EXPECT_TRUE(same(*decoded, LogRecord(commit)));
  }
}

TEST(Codec, GivesBackAFeedWithWhatBodiesThereAre) {
  for (uint64_t seed = 0; seed < k_seeds; ++seed) {
    AnyValues any(seed);
    EventList events = *any.commit().batch.events;
    for (Event& event : events) {
      auto* appended = std::get_if<MessagesAppended>(&event.body);
      if (appended == nullptr || seed % 2 == 0) continue;
      for (AppendedMessage& message : appended->messages) message.body = nullptr;
    }
    const auto decoded = decode_feed(encode_feed(row_of(events)));
    ASSERT_TRUE(decoded.ok()) << "seed " << seed << ": " << decoded.status();
    ASSERT_TRUE(same(*decoded, events)) << "seed " << seed;
  }
}

TEST(Codec, KeepsNoSnapshotOfAConversationThatLives) {
  Commit commit = values::golden_commit(false);
  commit.batch.snapshot = std::make_shared<const State>(values::golden_state());
  const auto decoded = decode_log_record(encode_commit(commit), values::k_golden_shards);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_EQ(std::get<Commit>(*decoded).batch.snapshot, nullptr);
}

TEST(Codec, GivesBackARaisedEpoch) {
  const EpochRaised raised{{3}, {99}};
  const auto decoded = decode_log_record(encode_epoch_raised(raised), 4);
  ASSERT_TRUE(decoded.ok()) << decoded.status();
  EXPECT_TRUE(same(*decoded, LogRecord(raised)));
  EXPECT_EQ(decode_log_record(encode_epoch_raised(raised), 3).status().code(),
            absl::StatusCode::kDataLoss);
}

TEST(Codec, GivesBackStatesOfAnyShape) {
  for (uint64_t seed = 0; seed < k_seeds; ++seed) {
    const State state = AnyValues(seed).state();
    const std::string bytes = encode_state(state);
    const auto decoded = decode_state(bytes);
    ASSERT_TRUE(decoded.ok()) << "seed " << seed << ": " << decoded.status();
    ASSERT_EQ(*decoded, state) << "seed " << seed;
    ASSERT_EQ(encode_state(*decoded), bytes) << "seed " << seed;
  }
}

TEST(Codec, GivesBackEventsOfAnyShape) {
  for (uint64_t seed = 0; seed < k_seeds; ++seed) {
    for (size_t kind = 0; kind < AnyValues::k_kinds; ++kind) {
      const Event event = AnyValues(seed).event(kind, false);
      const std::string bytes = encode_event(event);
      const auto decoded = decode_event(bytes);
      ASSERT_TRUE(decoded.ok()) << "seed " << seed << ": " << decoded.status();
      ASSERT_TRUE(same(*decoded, event)) << "seed " << seed << ", kind " << kind;
      ASSERT_EQ(encode_event(*decoded), bytes) << "seed " << seed << ", kind " << kind;
    }
  }
}

TEST(Codec, GivesBackCommitsAndMessagesOfAnyShape) {
  for (uint64_t seed = 0; seed < k_seeds; ++seed) {
    AnyValues any(seed);
    const LogRecord record = any.commit();
    const auto decoded = decode_log_record(encode_commit(std::get<Commit>(record)), k_shards);
    ASSERT_TRUE(decoded.ok()) << "seed " << seed << ": " << decoded.status();
    ASSERT_TRUE(same(*decoded, record)) << "seed " << seed;
    const Message message = any.message();
    const auto read = decode_message(encode_message(message), message.sequence);
    ASSERT_TRUE(read.ok()) << "seed " << seed << ": " << read.status();
    ASSERT_TRUE(same(*read, message)) << "seed " << seed;
  }
}

/// Parsed and written again by protobuf.
template <class Record>
std::string by_protobuf(const std::string& bytes) {
  Record record;
  EXPECT_TRUE(record.ParseFromString(bytes.substr(2)));
  std::string out;
  google::protobuf::io::StringOutputStream stream(&out);
  google::protobuf::io::CodedOutputStream coded(&stream);
  coded.SetSerializationDeterministic(true);
  EXPECT_TRUE(record.SerializeToCodedStream(&coded));
  coded.Trim();
  return bytes.substr(0, 2) + out;
}

TEST(Codec, WritesTheBytesThatProtobufWould) {
  for (uint64_t seed = 0; seed < k_seeds; ++seed) {
    AnyValues any(seed);
    EventList events;
    for (size_t kind = 0; kind < AnyValues::k_kinds; ++kind) {
      events.push_back(any.event(kind, false));
      events.back().version = {kind + 1};
      if (auto* appended = std::get_if<MessagesAppended>(&events.back().body); seed % 2 == 0) {
        for (size_t i = 0; appended != nullptr && i < appended->messages.size(); ++i) {
          appended->messages[i].charge = std::nullopt;
        }
      }
    }
    const std::string row = encode_events(row_of(events));
    ASSERT_EQ(row, by_protobuf<storage::v1::EventRowRecord>(row)) << "seed " << seed;
    Commit commit = any.commit();
    std::string bytes = encode_commit(commit);
    // Bodies stand last, out of the order of their number.
    storage::v1::CommitRecord record;
    ASSERT_TRUE(record.ParseFromString(bytes.substr(2)));
    size_t bodies = 0;
    for (const std::string& body : record.bodies()) {
      bodies += body.size() + 1 + varint_size(body.size());
    }
    bytes.resize(bytes.size() - bodies);
    ASSERT_EQ(bytes, by_protobuf<storage::v1::CommitRecord>(bytes)) << "seed " << seed;
  }
}

TEST(Codec, ServesManyThreadsAtOnce) {
  const auto work = [](uint64_t first) {
    for (uint64_t seed = first; seed < first + 50; ++seed) {
      const LogRecord record = AnyValues(seed).commit();
      const auto decoded = decode_log_record(encode_commit(std::get<Commit>(record)), k_shards);
      ASSERT_TRUE(decoded.ok() && same(*decoded, record)) << "seed " << seed;
    }
  };
  std::vector<std::jthread> threads;
  for (uint64_t i = 0; i < 4; ++i) threads.emplace_back(work, i * 1000);
}

TEST(Codec, KeepsLargeBodiesAndMetadataWhole) {
  Commit commit = values::golden_commit(false);
  const std::string large(1U << 20, 'x');
  EventList events = *commit.batch.events;
  auto& created = std::get<ConversationCreated>(events[0].body);
  created.metadata = large;
  auto& appended = std::get<MessagesAppended>(events[1].body);
  appended.messages[0].body = build::body(large);
  appended.bytes = large.size() + appended.messages[1].body->size();
  commit.batch.events = std::make_shared<const EventList>(events);
  // Twice: nothing of the first may show in the second.
  for (int i = 0; i < 2; ++i) {
    const auto decoded = decode_log_record(encode_commit(commit), values::k_golden_shards);
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    EXPECT_TRUE(same(*decoded, LogRecord(commit)));
  }
}

}  // namespace
}  // namespace parley
