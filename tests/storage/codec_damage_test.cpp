#include <functional>

#include <gtest/gtest.h>

#include "parley/storage/v1/storage.pb.h"
#include "storage/codec.hpp"
#include "tests/storage/golden_values.hpp"
#include "tests/storage/rows.hpp"
#include "tests/storage/same_values.hpp"

namespace parley {
namespace {

namespace pb = storage::v1;
using values::k_golden_shards;
using values::same;

/// One kind of stored value: what decodes it, and encodes it again. Both answer only how it went.
struct Kind {
  std::string name;
  std::string bytes;
  /// OK where the bytes make a value that is given back equal when it is written and read again.
  std::function<Status(std::string_view)> read;
};

template <class Decode, class Encode>
auto reader(Decode decode, Encode encode) {
  return [=](std::string_view bytes) -> Status {
    const auto value = decode(bytes);
    if (!value.ok()) return value.status();
    const auto again = decode(encode(*value));
    EXPECT_TRUE(again.ok()) << again.status();
    EXPECT_TRUE(again.ok() && same(*again, *value));
    return absl::OkStatus();
  };
}

Status read_event(std::string_view bytes) {
  return reader([](auto b) { return decode_event(b); }, encode_event)(bytes);
}
Status read_state(std::string_view bytes) {
  return reader([](auto b) { return decode_state(b); }, encode_state)(bytes);
}
Status read_message(std::string_view bytes) {
  return reader([](auto b) { return decode_message(b, {13}); }, encode_message)(bytes);
}
Status read_log_record(std::string_view bytes) {
  return reader([](auto b) { return decode_log_record(b, k_golden_shards); },
                [](const LogRecord& record) {
                  const auto* commit = std::get_if<Commit>(&record);
                  return commit != nullptr ? encode_commit(*commit)
                                           : encode_epoch_raised(std::get<EpochRaised>(record));
                })(bytes);
}

std::vector<Kind> kinds() {
  std::vector<Kind> all = {
      {"state", encode_state(values::golden_state()), read_state},
      {"message", encode_message(values::golden_message()), read_message},
      {"commit", encode_commit(values::golden_commit(false)), read_log_record},
      {"last commit", encode_commit(values::golden_commit(true)), read_log_record},
      {"epoch", encode_epoch_raised({{3}, {99}}), read_log_record},
  };
  for (const auto& [name, event] : values::golden_events()) {
    all.push_back({name, encode_event(event), read_event});
  }
  return all;
}

void expect_refused_or_whole(const Kind& kind, std::string_view bytes, const std::string& what) {
  const Status status = kind.read(bytes);
  EXPECT_TRUE(status.ok() || status.code() == absl::StatusCode::kDataLoss ||
              status.code() == absl::StatusCode::kFailedPrecondition)
      << kind.name << ", " << what << ": " << status;
}

TEST(CodecDamage, OfEveryCutIsRefusedOrMakesAWholeValue) {
  for (const Kind& kind : kinds()) {
    ASSERT_TRUE(kind.read(kind.bytes).ok()) << kind.name;
    for (size_t cut = 0; cut < kind.bytes.size(); ++cut) {
      expect_refused_or_whole(kind, kind.bytes.substr(0, cut), "cut at " + std::to_string(cut));
    }
  }
}

TEST(CodecDamage, OfEveryFlippedBitIsRefusedOrMakesAWholeValue) {
  for (const Kind& kind : kinds()) {
    for (size_t bit = 0; bit < kind.bytes.size() * 8; ++bit) {
      std::string bytes = kind.bytes;
      bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
      expect_refused_or_whole(kind, bytes, "bit " + std::to_string(bit));
    }
  }
}

TEST(CodecDamage, OfEveryCutCommitIsRefused) {
  const std::string bytes = encode_commit(values::golden_commit(false));
  for (size_t cut = 0; cut < bytes.size(); ++cut) {
    EXPECT_EQ(
        decode_log_record(std::string_view(bytes).substr(0, cut), k_golden_shards).status().code(),
        absl::StatusCode::kDataLoss)
        << "cut at " << cut;
  }
}

TEST(Codec, RefusesWhatANewerParleyWroteAndSaysSo) {
  for (const Kind& kind : kinds()) {
    std::string newer = kind.bytes;
    newer[0] = static_cast<char>(k_schema + 1);
    const Status status = kind.read(newer);
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << kind.name;
    EXPECT_NE(status.message().find("newer Parley"), absl::string_view::npos) << status;
    EXPECT_NE(status.message().find("upgrade"), absl::string_view::npos) << status;
  }
}

TEST(Codec, RefusesWhatIsEncrypted) {
  for (const Kind& kind : kinds()) {
    std::string encrypted = kind.bytes;
    encrypted[1] = 1;
    const Status status = kind.read(encrypted);
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition) << kind.name;
    EXPECT_NE(status.message().find("encrypted"), absl::string_view::npos) << status;
  }
}

TEST(Codec, RefusesTheSchemaThatNeverWas) {
  for (const Kind& kind : kinds()) {
    std::string none = kind.bytes;
    none[0] = 0;
    EXPECT_EQ(kind.read(none).code(), absl::StatusCode::kDataLoss) << kind.name;
  }
}

/// A record changed as no writer of ours would, with its header.
template <class Record>
std::string changed(const std::string& bytes, const std::function<void(Record&)>& change) {
  Record record;
  PARLEY_CHECK(record.ParseFromString(bytes.substr(2)));
  change(record);
  return bytes.substr(0, 2) + record.SerializeAsString();
}

std::string changed_event(const std::string& bytes,
                          const std::function<void(pb::EventRecord&)>& change) {
  return changed<pb::EventRowRecord>(
      bytes, [&](pb::EventRowRecord& row) { change(*row.mutable_events(0)); });
}

void expect_damaged(const Status& status, const std::string& text) {
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << text << ": " << status;
  EXPECT_NE(status.message().find(text), absl::string_view::npos) << text << ": " << status;
}

TEST(CodecDamage, OfAStateIsNamed) {
  using Change = std::function<void(pb::StateRecord&)>;
  const std::vector<std::pair<std::string, Change>> changes = {
      {"16 bytes", [](auto& s) { s.mutable_current()->set_history("short"); }},
      {"16 bytes", [](auto& s) { s.mutable_dedup(0)->set_request(std::string(17, 'x')); }},
      {"16 bytes", [](auto& s) { s.mutable_dedup(0)->set_fork("x"); }},
      {"16 bytes", [](auto& s) { s.mutable_current()->clear_parent_child_history(); }},
      {"thread id", [](auto& s) { s.mutable_current()->clear_parent_thread(); }},
      {"unknown lifecycle", [](auto& s) { s.set_lifecycle(3); }},
      {"unknown lifecycle", [](auto& s) { s.set_lifecycle(256 + 1); }},
      {"no policy", [](auto& s) { s.clear_policy(); }},
      {"no lineage", [](auto& s) { s.clear_current(); }},
      {"no totals", [](auto& s) { s.clear_totals(); }},
      {"beyond 65535", [](auto& s) { s.mutable_current()->mutable_past(0)->set_shard(65536); }},
      {"currency twice", [](auto& s) { *s.mutable_totals()->add_cost() = s.totals().cost(0); }},
      {"model twice", [](auto& s) { *s.add_by_model() = s.by_model(0); }},
      {"release of no parent", [](auto& s) { s.mutable_pending_releases(0)->Clear(); }},
  };
  const std::string bytes = encode_state(values::golden_state());
  for (const auto& [text, change] : changes) {
    expect_damaged(decode_state(changed<pb::StateRecord>(bytes, change)).status(), text);
  }
}

TEST(CodecDamage, OfAnEventIsNamed) {
  using Change = std::function<void(pb::EventRecord&)>;
  const std::vector<std::pair<std::string, Change>> changes = {
      {"no known kind", [](auto& e) { e.clear_body(); }},
      {"unknown role", [](auto& e) { e.mutable_appended()->set_roles(0, 0); }},
      {"unknown role", [](auto& e) { e.mutable_appended()->set_roles(1, 5); }},
      {"not there", [](auto& e) { e.mutable_appended()->mutable_charges(0)->set_index(2); }},
      {"two charges",
       [](auto& e) { *e.mutable_appended()->add_charges() = e.appended().charges(0); }},
      {"half a charge", [](auto& e) { e.mutable_appended()->mutable_charges(0)->clear_charge(); }},
      {"16 bytes", [](auto& e) { e.set_release_confirmed("short"); }},
      {"16 bytes", [](auto& e) { e.mutable_deleted()->add_drops(); }},
  };
  const std::string bytes = encode_event(values::golden_events()[1].second);
  for (const auto& [text, change] : changes) {
    expect_damaged(decode_event(changed_event(bytes, change)).status(), text);
  }
}

TEST(CodecDamage, OfACommitIsNamed) {
  using Change = std::function<void(pb::CommitRecord&)>;
  const std::vector<std::pair<std::string, Change>> changes = {
      {"fewer bodies", [](auto& c) { c.mutable_bodies()->RemoveLast(); }},
      {"more bodies", [](auto& c) { c.add_bodies("another"); }},
      {"another length", [](auto& c) { c.set_bodies(0, "hello!"); }},
      {"not its conversation's", [](auto& c) { c.set_thread("elsewhere"); }},
      {"commit of nothing", [](auto& c) { c.clear_events(), c.clear_bodies(); }},
      {"after the end", [](auto& c) { c.set_gone(true); }},
      {"remains", [](auto& c) { c.mutable_remains(); }},
      {"the last event", [](auto& c) { c.set_after(99); }},
      {"epoch too", [](auto& c) { c.set_epoch_raised(true); }},
      {"unknown lifecycle", [](auto& c) { c.mutable_index_after()->set_lifecycle(0); }},
  };
  const std::string bytes = encode_commit(values::golden_commit(false));
  for (const auto& [text, change] : changes) {
    expect_damaged(
        decode_log_record(changed<pb::CommitRecord>(bytes, change), k_golden_shards).status(),
        text);
  }
}

TEST(CodecDamage, OfAMessageIsNamed) {
  const std::string bytes = encode_message(values::golden_message());
  const auto damaged =
      changed<pb::MessageRowRecord>(bytes, [](auto& row) { row.mutable_messages(0)->set_role(0); });
  expect_damaged(decode_message(damaged, {1}).status(), "unknown role");
}

TEST(CodecDamage, OfARowIsNamed) {
  const std::string events = encode_event(values::golden_events()[1].second);
  const auto changed_events = [&](const std::function<void(pb::EventRowRecord&)>& change) {
    return decode_events(changed<pb::EventRowRecord>(events, change)).status();
  };
  expect_damaged(changed_events([](auto& row) { row.clear_events(); }), "no event");
  expect_damaged(changed_events([](auto& row) { *row.add_events() = row.events(0); }),
                 "follow one another");
  const std::string messages = encode_message(values::golden_message());
  const auto changed_messages = [&](const std::function<void(pb::MessageRowRecord&)>& change) {
    return decode_messages(changed<pb::MessageRowRecord>(messages, change), {1}).status();
  };
  expect_damaged(changed_messages([](auto& row) { row.clear_messages(); }), "no message");
  expect_damaged(changed_messages([](auto& row) { *row.add_messages() = row.messages(0); }),
                 "more messages");
}

}  // namespace
}  // namespace parley
