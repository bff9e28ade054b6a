#include "cluster/peer_codec_letter.hpp"

#include <utility>

#include "parley/cluster/v1/peer.pb.h"

namespace parley {
namespace {

using Wire = cluster::v1::ShardLetter;

void write(const baton::Offer& offer, Wire& out) {
  out.set_kind(Wire::KIND_OFFER);
  out.set_epoch(offer.epoch.value);
}
void write(const baton::Accept&, Wire& out) { out.set_kind(Wire::KIND_ACCEPT); }
void write(const baton::Rows& rows, Wire& out) {
  out.set_kind(Wire::KIND_ROWS);
  out.set_first(rows.first);
  out.set_last(rows.last);
  out.set_all(rows.end);
  out.set_kept(rows.kept);
  out.set_nearly(rows.nearly);
}
void write(const baton::Kept& kept, Wire& out) {
  out.set_kind(Wire::KIND_KEPT);
  out.set_last(kept.up_to);
  out.set_all(kept.complete);
  out.set_flushed(kept.flushed);
}
void write(const baton::Lost&, Wire& out) { out.set_kind(Wire::KIND_LOST); }
void write(const baton::Take& take, Wire& out) {
  out.set_kind(Wire::KIND_TAKE);
  out.set_epoch(take.epoch.value);
}
void write(const baton::Taken&, Wire& out) { out.set_kind(Wire::KIND_TAKEN); }
void write(const baton::Ask& ask, Wire& out) {
  out.set_kind(Wire::KIND_ASK);
  out.set_epoch(ask.epoch.value);
}
void write(const baton::Withdraw&, Wire& out) { out.set_kind(Wire::KIND_WITHDRAW); }

std::optional<baton::Message> message_in(const Wire& in) {
  const uint64_t attempt = in.attempt();
  const Epoch epoch{in.epoch()};
  switch (in.kind()) {
    case Wire::KIND_OFFER:
      return baton::Offer{epoch, attempt};
    case Wire::KIND_ACCEPT:
      return baton::Accept{attempt};
    case Wire::KIND_ROWS:
      return baton::Rows{attempt, in.first(), in.last(), in.all(), in.kept(), in.nearly()};
    case Wire::KIND_KEPT:
      return baton::Kept{attempt, in.last(), in.all(), in.flushed()};
    case Wire::KIND_LOST:
      return baton::Lost{attempt};
    case Wire::KIND_TAKE:
      return baton::Take{epoch, attempt};
    case Wire::KIND_TAKEN:
      return baton::Taken{attempt};
    case Wire::KIND_ASK:
      return baton::Ask{epoch, attempt};
    case Wire::KIND_WITHDRAW:
      return baton::Withdraw{attempt};
    default:
      return std::nullopt;
  }
}

}  // namespace

std::string encode_letter(const ShardLetter& letter) {
  Wire out;
  out.set_shard(letter.shard.value);
  std::visit(
      [&](const auto& message) {
        out.set_attempt(message.attempt);
        write(message, out);
      },
      letter.message);
  for (const std::string& piece : letter.rows) out.add_rows(piece);
  return out.SerializeAsString();
}

std::optional<ShardLetter> parse_letter(const std::string& bytes) {
  Wire in;
  if (!in.ParseFromString(bytes) || in.shard() > UINT16_MAX) return std::nullopt;
  auto message = message_in(in);
  if (!message) return std::nullopt;
  const auto* rows = std::get_if<baton::Rows>(&*message);
  const auto pieces = static_cast<uint64_t>(in.rows_size());
  const uint64_t meant =
      rows != nullptr && rows->last >= rows->first ? rows->last - rows->first + 1 : 0;
  if (pieces != meant) return std::nullopt;
  ShardLetter letter{{static_cast<uint16_t>(in.shard())}, *message, {}};
  for (auto& piece : *in.mutable_rows()) letter.rows.push_back(std::move(piece));
  return letter;
}

}  // namespace parley
