#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "absl/strings/escaping.h"
#include <gtest/gtest.h>

#include "storage/codec.hpp"
#include "tests/storage/golden_values.hpp"
#include "tests/storage/rows.hpp"
#include "tests/storage/same_values.hpp"

/// Bytes that were written once, as hex under tests/storage/golden/schema_N. Those of older schemas
/// must be readable for ever. Those of the present one are made anew with PARLEY_REWRITE_GOLDEN=1;
/// a difference there is a change of the format, and needs a new schema once a release had the old
/// one.
namespace parley {
namespace {

namespace fs = std::filesystem;
using values::k_golden_shards;
using values::same;

fs::path folder(uint32_t schema) {
  const char* source = std::getenv("PARLEY_SOURCE");
  return fs::path(source != nullptr ? source : ".") / "tests/storage/golden" /
         ("schema_" + std::to_string(schema));
}

std::string read_golden(uint32_t schema, const std::string& name) {
  std::ifstream file(folder(schema) / (name + ".hex"));
  EXPECT_TRUE(file) << "no golden file for " << name << " of schema " << schema;
  std::string digits;
  for (std::string line; std::getline(file, line);) digits += line;
  return absl::HexStringToBytes(digits);
}

void rewrite_golden(const std::string& name, const std::string& bytes) {
  fs::create_directories(folder(k_schema));
  std::ofstream file(folder(k_schema) / (name + ".hex"));
  const std::string digits = absl::BytesToHexString(bytes);
  for (size_t at = 0; at < digits.size(); at += 80) file << digits.substr(at, 80) << '\n';
}

Event without_bodies(Event event) {
  if (auto* appended = std::get_if<MessagesAppended>(&event.body)) {
    for (auto& message : appended->messages) message.body = nullptr;
  }
  return event;
}

template <class Value>
void expect_same(const Result<Value>& read, const Value& value, const std::string& name) {
  ASSERT_TRUE(read.ok()) << name << ": " << read.status();
  EXPECT_TRUE(same(*read, value)) << name;
}

EventList two_events() {
  EventList events{values::golden_events()[0].second, values::golden_events()[1].second};
  events[1].version = events[0].version.next();
  return events;
}

std::vector<Message> two_messages() {
  Message next = values::golden_message();
  ++next.sequence.value;
  return {values::golden_message(), next};
}

class Golden : public testing::TestWithParam<uint32_t> {
 protected:
  [[nodiscard]] std::string golden(const std::string& name) const {
    return read_golden(GetParam(), name);
  }
};

TEST_P(Golden, EventsAreRead) {
  for (const auto& [name, event] : values::golden_events()) {
    expect_same(decode_event(golden("event_" + name)), without_bodies(event), name);
  }
}

TEST_P(Golden, StatesAreRead) {
  expect_same(decode_state(golden("state")), values::golden_state(), "state");
  expect_same(decode_state(golden("remains")), values::golden_remains(), "remains");
}

TEST_P(Golden, MessagesAreRead) {
  expect_same(decode_message(golden("message"), {13}), values::golden_message(), "message");
}

TEST_P(Golden, LogRecordsAreRead) {
  const auto read = [&](const std::string& name) {
    return decode_log_record(golden(name), k_golden_shards);
  };
  expect_same(read("commit"), LogRecord(values::golden_commit(false)), "commit");
  expect_same(read("commit_gone"), LogRecord(values::golden_commit(true)), "commit_gone");
  expect_same(read("epoch_raised"), LogRecord(EpochRaised{{3}, {99}}), "epoch_raised");
}

TEST_P(Golden, RowsOfSeveralAreRead) {
  if (GetParam() < 3) GTEST_SKIP() << "values held one record up to schema 2";
  EventList events;
  for (const Event& event : two_events()) events.push_back(without_bodies(event));
  expect_same(decode_events(golden("events")), events, "events");
  expect_same(decode_messages(golden("messages"), two_messages().back().sequence), two_messages(),
              "messages");
}

INSTANTIATE_TEST_SUITE_P(Schemas, Golden, testing::Range(1U, k_schema + 1));

TEST(GoldenOfThePresentSchema, IsWhatIsWritten) {
  std::vector<std::pair<std::string, std::string>> all = {
      {"state", encode_state(values::golden_state())},
      {"remains", encode_state(values::golden_remains())},
      {"message", encode_message(values::golden_message())},
      {"commit", encode_commit(values::golden_commit(false))},
      {"commit_gone", encode_commit(values::golden_commit(true))},
      {"epoch_raised", encode_epoch_raised({{3}, {99}})},
      {"messages", encode_messages(row_of(two_messages()))},
      {"events", encode_events(row_of(two_events()))},
  };
  for (const auto& [name, event] : values::golden_events()) {
    all.emplace_back("event_" + name, encode_event(event));
  }
  const bool rewrite = std::getenv("PARLEY_REWRITE_GOLDEN") != nullptr;
  for (const auto& [name, bytes] : all) {
    if (rewrite) rewrite_golden(name, bytes);
    EXPECT_EQ(absl::BytesToHexString(read_golden(k_schema, name)), absl::BytesToHexString(bytes))
        << name << ": the format changed; see the comment in this file";
  }
}

TEST(Upcast, LeavesAPresentZeroAlone) {
  State state = values::golden_state();
  state.policy.dedup_seconds = 0;
  EXPECT_EQ(decode_state(encode_state(state))->policy.dedup_seconds, 0);
}

TEST(Upcast, KeepsSecondsThatAnOldRecordHas) {
  State state = values::golden_state();
  state.policy.dedup_seconds = 60;
  std::string bytes = encode_state(state);
  bytes[0] = 1;
  EXPECT_EQ(decode_state(bytes)->policy.dedup_seconds, 60);
}

}  // namespace
}  // namespace parley
