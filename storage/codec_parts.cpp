#include "storage/codec_parts.hpp"

#include <utility>

namespace parley::codec {

Id128 Reading::id(const std::string& bytes) {
  if (bytes.size() == sizeof(Id128::bytes)) return Id128::from_bytes(bytes);
  wrong("an id that is not 16 bytes long");
  return {};
}

Id128 Reading::id_or_none(const std::string& bytes) { return bytes.empty() ? Id128{} : id(bytes); }

Role Reading::role(uint32_t number) {
  const auto role = static_cast<Role>(number);
  switch (role) {
    case Role::user:
    case Role::assistant:
    case Role::system:
    case Role::tool:
      if (number <= UINT8_MAX) return role;
  }
  wrong("an unknown role");
  return Role::user;
}

Lifecycle Reading::lifecycle(uint32_t number) {
  const auto lifecycle = static_cast<Lifecycle>(number);
  switch (lifecycle) {
    case Lifecycle::active:
    case Lifecycle::archived:
      if (number <= UINT8_MAX) return lifecycle;
  }
  wrong("an unknown lifecycle");
  return Lifecycle::active;
}

Shard Reading::shard(uint32_t number) {
  expect(number <= UINT16_MAX, "a shard beyond 65535");
  return {static_cast<uint16_t>(number)};
}

void write(const Labels& labels, LabelsRecord& out) {
  for (const auto& [key, value] : labels) out[key] = value;
}

Labels read_labels(LabelsRecord& in) {
  Labels labels;
  for (auto& [key, value] : in) labels.emplace(key, std::move(value));
  return labels;
}

void write(const Policy& policy, pb::PolicyRecord& out) {
  out.set_hot_window_messages(policy.hot_window_messages);
  out.set_dedup_requests(policy.dedup_requests);
  out.set_dedup_seconds(policy.dedup_seconds);
}

Policy read_policy(Reading& reading, const pb::PolicyRecord* in) {
  if (in == nullptr) {
    reading.wrong("no policy");
    return {};
  }
  return {in->hot_window_messages(), in->dedup_requests(), in->dedup_seconds()};
}

void write(const Usage& usage, pb::UsageRecord& out) {
  out.set_prompt(usage.prompt);
  out.set_completion(usage.completion);
  out.set_total(usage.total);
  out.set_cached(usage.cached);
  out.set_cache_write(usage.cache_write);
  out.set_reasoning(usage.reasoning);
}

Usage read_usage(const pb::UsageRecord& in) {
  return {in.prompt(), in.completion(), in.total(), in.cached(), in.cache_write(), in.reasoning()};
}

void write(const Money& money, pb::MoneyRecord& out) {
  out.set_currency(money.currency);
  out.set_units(money.units);
  out.set_nanos(money.nanos);
}

Money read_money(pb::MoneyRecord& in) {
  return {std::move(*in.mutable_currency()), in.units(), in.nanos()};
}

void write(const Charge& charge, pb::ChargeRecord& out) {
  write(charge.usage, *out.mutable_usage());
  if (charge.cost) write(*charge.cost, *out.mutable_cost());
  out.set_model(charge.model);
  out.set_provider(charge.provider);
}

Charge read_charge(Reading& reading, pb::ChargeRecord& in) {
  reading.expect(in.has_usage(), "a charge without usage");
  Charge charge;
  charge.usage = read_usage(in.usage());
  if (in.has_cost()) charge.cost = read_money(*in.mutable_cost());
  charge.model = std::move(*in.mutable_model());
  charge.provider = std::move(*in.mutable_provider());
  return charge;
}

void write(const DedupEntry& entry, pb::DedupRecord& out) {
  const Receipt& receipt = entry.receipt;
  out.set_request(entry.request.bytes.data(), entry.request.bytes.size());
  out.set_digest(entry.digest);
  out.set_version(receipt.version.value);
  out.set_first(receipt.first.value);
  out.set_last(receipt.last.value);
  out.set_time_us(receipt.time.micros);
  out.set_created(receipt.created);
  if (!receipt.fork.empty()) out.set_fork(receipt.fork.bytes.data(), receipt.fork.bytes.size());
}

DedupEntry read_dedup(Reading& reading, const pb::DedupRecord& in) {
  return {.request = reading.id(in.request()),
          .digest = in.digest(),
          .receipt = {.version = {in.version()},
                      .first = {in.first()},
                      .last = {in.last()},
                      .time = {in.time_us()},
                      .created = in.created(),
                      .fork = reading.id_or_none(in.fork())}};
}

void write(const ForkOrigin& origin, pb::ForkOriginRecord& out) {
  out.set_thread(origin.thread);
  out.set_at(origin.at.value);
}

ForkOrigin read_origin(pb::ForkOriginRecord& in) {
  return {std::move(*in.mutable_thread()), {in.at()}};
}

void write(const ForkChild& child, pb::ForkChildRecord& out) {
  out.set_thread(child.thread);
  out.set_history(bytes_of(child.history));
  out.set_at(child.at.value);
}

ForkChild read_child(Reading& reading, pb::ForkChildRecord& in) {
  return {std::move(*in.mutable_thread()), reading.id(in.history()), {in.at()}};
}

void write(const ParentLink& parent, pb::LineageRecord& out) {
  out.set_parent_thread(parent.thread);
  out.set_parent_child_history(bytes_of(parent.child_history));
}

std::optional<ParentLink> read_parent(Reading& reading, pb::LineageRecord& in) {
  if (in.parent_thread().empty() && in.parent_child_history().empty()) return std::nullopt;
  reading.expect(!in.parent_thread().empty(), "a parent without a thread id");
  return ParentLink{std::move(*in.mutable_parent_thread()), reading.id(in.parent_child_history())};
}

void write(const Lineage& lineage, pb::LineageRecord& out) {
  out.set_history(bytes_of(lineage.history));
  for (const HistorySpan& span : lineage.past) {
    auto& record = *out.add_past();
    record.set_shard(span.shard.value);
    record.set_history(bytes_of(span.history));
    record.set_first(span.first.value);
    record.set_last(span.last.value);
  }
  if (lineage.parent) write(*lineage.parent, out);
  for (const ForkChild& child : lineage.children) write(child, *out.add_children());
}

Lineage read_lineage(Reading& reading, pb::LineageRecord* in) {
  if (in == nullptr) {
    reading.wrong("no lineage");
    return {};
  }
  Lineage lineage;
  lineage.history = reading.id(in->history());
  lineage.past.reserve(static_cast<size_t>(in->past_size()));
  for (const auto& span : in->past()) {
    lineage.past.push_back(
        {reading.shard(span.shard()), reading.id(span.history()), {span.first()}, {span.last()}});
  }
  lineage.parent = read_parent(reading, *in);
  lineage.children.reserve(static_cast<size_t>(in->children_size()));
  for (auto& child : *in->mutable_children())
    lineage.children.push_back(read_child(reading, child));
  return lineage;
}

}  // namespace parley::codec
