#include "cluster/peer_codec.hpp"

#include <array>

#include "base/varint.hpp"
#include "parley/cluster/v1/peer.pb.h"

namespace parley {
namespace {

namespace wire = cluster::v1;

/// One for each thread, so that it keeps its memory.
template <class Message>
Message& fresh() {
  thread_local Message message;
  message.Clear();
  return message;
}

/// Adds a field of bytes or of a message: its tag and its length.
void append_head(int field, size_t length, std::string& out) {
  constexpr uint64_t k_length_delimited = 2;
  std::array<char, 20> head;
  char* at = put_varint(static_cast<uint64_t>(field) << 3 | k_length_delimited, head.data());
  at = put_varint(length, at);
  out.append(head.data(), at);
}

/// Adds a piece to a batch, which is how protobuf merges repeated fields. The body, most of it as a
/// rule, is copied once: as the last field of what holds it.
template <class Piece>
void append_piece(int field, const Piece& piece, const std::string& body, std::string& batch) {
  static_assert(Piece::kBodyFieldNumber < 16, "a tag of one byte");
  const size_t tail = 1 + varint_size(body.size()) + body.size();
  append_head(field, piece.ByteSizeLong() + tail, batch);
  piece.AppendToString(&batch);
  append_head(Piece::kBodyFieldNumber, body.size(), batch);
  batch += body;
}

}  // namespace

void append_request(uint64_t id, const PeerRequest& request, std::string& batch) {
  auto& out = fresh<wire::PeerRequest>();
  out.set_id(id);
  out.set_method(request.method);
  out.set_tenant(request.tenant);
  out.set_timeout_micros(request.timeout_micros);
  if (!request.trace_parent.empty()) out.set_trace_parent(request.trace_parent);
  append_piece(wire::PeerBatch::kRequestsFieldNumber, out, request.body, batch);
}

void append_answer(uint64_t id, const PeerAnswer& answer, std::string& batch) {
  auto& out = fresh<wire::PeerAnswer>();
  out.set_id(id);
  out.set_code(answer.code);
  out.set_message(answer.message);
  out.set_details(answer.details);
  out.set_replayed(answer.replayed);
  append_piece(wire::PeerBatch::kAnswersFieldNumber, out, answer.body, batch);
}

std::optional<ParsedBatch> parse_batch(const std::string& bytes) {
  auto& batch = fresh<wire::PeerBatch>();
  if (!batch.ParseFromString(bytes)) return std::nullopt;
  ParsedBatch parsed;
  parsed.requests.reserve(static_cast<size_t>(batch.requests_size()));
  for (auto& in : *batch.mutable_requests()) {
    parsed.requests.emplace_back(
        in.id(), PeerRequest{std::move(*in.mutable_method()), std::move(*in.mutable_tenant()),
                             std::move(*in.mutable_body()), in.timeout_micros(), false,
                             std::move(*in.mutable_trace_parent())});
  }
  parsed.answers.reserve(static_cast<size_t>(batch.answers_size()));
  for (auto& in : *batch.mutable_answers()) {
    parsed.answers.emplace_back(in.id(), PeerAnswer{in.code(), std::move(*in.mutable_message()),
                                                    std::move(*in.mutable_details()),
                                                    std::move(*in.mutable_body()), in.replayed()});
  }
  return parsed;
}

std::string encode_hello(const Hello& hello) {
  wire::PeerHello out;
  out.set_node(hello.node.value);
  out.set_layout_digest(hello.layout_digest);
  out.set_incarnation(hello.incarnation);
  out.set_release(hello.release);
  for (const NodeName& node : hello.first_nodes) out.add_first_nodes(node.value);
  return out.SerializeAsString();
}

std::optional<Hello> parse_hello(const std::string& bytes) {
  wire::PeerHello in;
  if (!in.ParseFromString(bytes) || in.node().empty()) return std::nullopt;
  Hello hello{{in.node()}, in.layout_digest(), in.incarnation(), in.release(), {}};
  for (const std::string& node : in.first_nodes()) hello.first_nodes.push_back({node});
  return hello;
}

}  // namespace parley
