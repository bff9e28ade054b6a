#include "cluster/peer_codec.hpp"

#include "parley/cluster/v1/peer.pb.h"

namespace parley {
namespace {

namespace wire = cluster::v1;

/// A batch of one piece, whose bytes go behind those of the pieces before: that is how protobuf
/// merges repeated fields. One for each thread, so that it keeps its memory.
wire::PeerBatch& fresh_batch() {
  thread_local wire::PeerBatch batch;
  batch.Clear();
  return batch;
}

}  // namespace

void append_request(uint64_t id, const PeerRequest& request, std::string& batch) {
  wire::PeerBatch& piece = fresh_batch();
  auto& out = *piece.add_requests();
  out.set_id(id);
  out.set_method(request.method);
  out.set_tenant(request.tenant);
  out.set_body(request.body);
  out.set_timeout_micros(request.timeout_micros);
  piece.AppendToString(&batch);
}

void append_answer(uint64_t id, const PeerAnswer& answer, std::string& batch) {
  wire::PeerBatch& piece = fresh_batch();
  auto& out = *piece.add_answers();
  out.set_id(id);
  out.set_code(answer.code);
  out.set_message(answer.message);
  out.set_details(answer.details);
  out.set_body(answer.body);
  out.set_replayed(answer.replayed);
  piece.AppendToString(&batch);
}

std::optional<ParsedBatch> parse_batch(const std::string& bytes) {
  wire::PeerBatch& batch = fresh_batch();
  if (!batch.ParseFromString(bytes)) return std::nullopt;
  ParsedBatch parsed;
  parsed.requests.reserve(static_cast<size_t>(batch.requests_size()));
  for (auto& in : *batch.mutable_requests()) {
    parsed.requests.emplace_back(
        in.id(), PeerRequest{std::move(*in.mutable_method()), std::move(*in.mutable_tenant()),
                             std::move(*in.mutable_body()), in.timeout_micros()});
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
