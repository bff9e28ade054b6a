#include "storage/codec_upcast.hpp"

#include <array>

#include "storage/codec.hpp"

namespace parley::codec {
namespace {

namespace pb = parley::storage::v1;

/// How one schema becomes the next.
struct Upcast {
  void (*event)(pb::EventRecord&);
  void (*state)(pb::StateRecord&);
};

/// Schema 1 forgot requests by number alone; 0 stood where schema 2 has seconds.
constexpr int64_t k_schema_1_dedup_seconds = 24 * 3600;

void fill_dedup_seconds(pb::PolicyRecord& policy) {
  if (policy.dedup_seconds() == 0) policy.set_dedup_seconds(k_schema_1_dedup_seconds);
}

/// Of a created or updated record, or a state. A missing policy is damage, which reading finds.
template <class Record>
void fill_policy(Record& record) {
  if (record.has_policy()) fill_dedup_seconds(*record.mutable_policy());
}

void event_1(pb::EventRecord& event) {
  if (event.has_created()) fill_policy(*event.mutable_created());
  if (event.has_updated()) fill_policy(*event.mutable_updated());
}

void state_1(pb::StateRecord& state) { fill_policy(state); }

/// Schema 3 says how many records a value holds, and changed none of them.
void event_2(pb::EventRecord&) {}
void state_2(pb::StateRecord&) {}

/// From schema 1 on: the first row makes 2 of 1.
constexpr std::array<Upcast, k_schema - 1> k_upcasts = {{
    {event_1, state_1},
    {event_2, state_2},
}};

}  // namespace

void upcast(pb::EventRecord& record, uint32_t schema) {
  for (; schema < k_schema; ++schema) k_upcasts[schema - 1].event(record);
}

void upcast(pb::StateRecord& record, uint32_t schema) {
  for (; schema < k_schema; ++schema) k_upcasts[schema - 1].state(record);
}

void upcast(pb::CommitRecord& record, uint32_t schema) {
  if (schema == k_schema) return;
  for (auto& event : *record.mutable_events()) upcast(event, schema);
  if (record.has_remains()) upcast(*record.mutable_remains(), schema);
}

void upcast(pb::FeedRecord& record, uint32_t schema) {
  for (auto& event : *record.mutable_events()) upcast(event, schema);
}

}  // namespace parley::codec
