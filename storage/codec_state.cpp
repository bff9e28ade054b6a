#include <cstdint>
#include <utility>

#include "storage/codec_parts.hpp"

namespace parley::codec {
namespace {

void write_totals(const Totals& totals, pb::TotalsRecord& out) {
  write(totals.usage, *out.mutable_usage());
  for (const auto& [currency, money] : totals.cost) write(money, *out.add_cost());
}

Totals read_totals(Reading& reading, pb::TotalsRecord* in) {
  if (in == nullptr || !in->has_usage()) {
    reading.wrong("no totals");
    return {};
  }
  Totals totals;
  totals.usage = read_usage(in->usage());
  for (auto& record : *in->mutable_cost()) {
    Money money = read_money(record);
    std::string currency = money.currency;
    const bool fresh = totals.cost.emplace(std::move(currency), std::move(money)).second;
    reading.expect(fresh, "totals with a currency twice");
  }
  return totals;
}

void write_messages(const State& state, pb::StateRecord& out) {
  write(state.current, *out.mutable_current());
  out.set_last_sequence(state.last_sequence.value);
  out.set_message_bytes(state.message_bytes);
  write_totals(state.totals, *out.mutable_totals());
  for (const auto& [model, totals] : state.by_model) {
    auto& record = *out.add_by_model();
    record.set_model(model);
    write_totals(totals, *record.mutable_totals());
  }
  for (const Lineage& lineage : state.former) write(lineage, *out.add_former());
  for (const ParentLink& link : state.pending_releases) write(link, *out.add_pending_releases());
}

void read_messages(Reading& reading, pb::StateRecord& in, State& state) {
  state.current = read_lineage(reading, in.has_current() ? in.mutable_current() : nullptr);
  state.last_sequence = {in.last_sequence()};
  state.message_bytes = in.message_bytes();
  state.totals = read_totals(reading, in.has_totals() ? in.mutable_totals() : nullptr);
  for (auto& record : *in.mutable_by_model()) {
    Totals totals = read_totals(reading, record.has_totals() ? record.mutable_totals() : nullptr);
    const bool fresh =
        state.by_model.emplace(std::move(*record.mutable_model()), std::move(totals)).second;
    reading.expect(fresh, "totals with a model twice");
  }
  state.former.reserve(static_cast<size_t>(in.former_size()));
  for (auto& record : *in.mutable_former()) {
    state.former.push_back(read_lineage(reading, &record));
  }
  for (auto& record : *in.mutable_pending_releases()) {
    auto link = read_parent(reading, record);
    reading.expect(link.has_value(), "a release of no parent");
    if (link) state.pending_releases.push_back(std::move(*link));
  }
}

}  // namespace

void write(const State& state, pb::StateRecord& out) {
  out.set_exists(state.exists);
  out.set_version(state.version.value);
  out.set_user(state.user);
  out.set_title(state.title);
  out.set_metadata(state.metadata);
  write(state.labels, *out.mutable_labels());
  write(state.policy, *out.mutable_policy());
  out.set_lifecycle(static_cast<uint32_t>(state.lifecycle));
  out.set_create_time_us(state.create_time.micros);
  out.set_last_activity_us(state.last_activity.micros);
  out.set_reset_version(state.reset_version.value);
  if (state.origin) write(*state.origin, *out.mutable_origin());
  out.set_source_json(state.source_json);
  write_messages(state, out);
  out.mutable_dedup()->Reserve(static_cast<int>(state.dedup.size()));
  for (size_t i = 0; i < state.dedup.size(); ++i) write(state.dedup.at(i), *out.add_dedup());
}

State read_state(Reading& reading, pb::StateRecord& in) {
  State state;
  state.exists = in.exists();
  state.version = {in.version()};
  state.user = std::move(*in.mutable_user());
  state.title = std::move(*in.mutable_title());
  state.metadata = std::move(*in.mutable_metadata());
  state.labels = read_labels(*in.mutable_labels());
  state.policy = read_policy(reading, in.has_policy() ? &in.policy() : nullptr);
  state.lifecycle = reading.lifecycle(in.lifecycle());
  state.create_time = {in.create_time_us()};
  state.last_activity = {in.last_activity_us()};
  state.reset_version = {in.reset_version()};
  if (in.has_origin()) state.origin = read_origin(*in.mutable_origin());
  state.source_json = std::move(*in.mutable_source_json());
  read_messages(reading, in, state);
  for (const auto& record : in.dedup()) {
    state.dedup.remember(read_dedup(reading, record), SIZE_MAX);
  }
  return state;
}

}  // namespace parley::codec
