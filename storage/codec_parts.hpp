#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "conversation/event.hpp"
#include "conversation/model.hpp"
#include "parley/storage/v1/storage.pb.h"

/// Domain values <-> messages of storage.proto, part by part. Only storage/codec*.cpp include this.
///
/// `write` fills a cleared message. `read` takes strings out of the message where it can, and notes
/// in `Reading` what is wrong; it goes on to the end all the same.
/// What may not be missing is passed as a pointer, null where it is.
namespace parley::codec {

namespace pb = parley::storage::v1;

/// What was found wrong with one value while it was read: the first finding counts.
class Reading {
 public:
  /// `text` is a literal and says what is wrong.
  void wrong(const char* text) {
    if (wrong_ == nullptr) wrong_ = text;
  }
  void expect(bool right, const char* text_if_not) {
    if (!right) wrong(text_if_not);
  }
  [[nodiscard]] const char* wrong() const { return wrong_; }

  Id128 id(const std::string& bytes);
  /// As `id`, but no bytes are the empty id.
  Id128 id_or_none(const std::string& bytes);
  Role role(uint32_t number);
  Lifecycle lifecycle(uint32_t number);
  Shard shard(uint32_t number);

 private:
  const char* wrong_ = nullptr;
};

using Labels = std::map<std::string, std::string>;
using LabelsRecord = google::protobuf::Map<std::string, std::string>;

/// The 16 bytes of an id.
inline std::string bytes_of(const Id128& id) { return std::string(id.view()); }

void write(const Labels& labels, LabelsRecord& out);
void write(const Policy& policy, pb::PolicyRecord& out);
void write(const Charge& charge, pb::ChargeRecord& out);
void write(const Usage& usage, pb::UsageRecord& out);
void write(const Money& money, pb::MoneyRecord& out);
void write(const DedupEntry& entry, pb::DedupRecord& out);
void write(const ForkOrigin& origin, pb::ForkOriginRecord& out);
void write(const ForkChild& child, pb::ForkChildRecord& out);
void write(const ParentLink& parent, pb::LineageRecord& out);
void write(const Lineage& lineage, pb::LineageRecord& out);
void write(const Event& event, pb::EventRecord& out);
void write(const State& state, pb::StateRecord& out);

Labels read_labels(LabelsRecord& in);
Policy read_policy(Reading& reading, const pb::PolicyRecord* in);
Charge read_charge(Reading& reading, pb::ChargeRecord& in);
Usage read_usage(const pb::UsageRecord& in);
Money read_money(pb::MoneyRecord& in);
DedupEntry read_dedup(Reading& reading, const pb::DedupRecord& in);
ForkOrigin read_origin(pb::ForkOriginRecord& in);
ForkChild read_child(Reading& reading, pb::ForkChildRecord& in);
std::optional<ParentLink> read_parent(Reading& reading, pb::LineageRecord& in);
Lineage read_lineage(Reading& reading, pb::LineageRecord* in);
Event read_event(Reading& reading, pb::EventRecord& in);
State read_state(Reading& reading, pb::StateRecord& in);

}  // namespace parley::codec
