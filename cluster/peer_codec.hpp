#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "cluster/peer_transport.hpp"

/// Requests and answers between nodes as bytes: parley.cluster.v1.PeerBatch, put together piece by
/// piece.
namespace parley {

/// Adds to a batch.
void append_request(uint64_t id, const PeerRequest& request, std::string& batch);
void append_answer(uint64_t id, const PeerAnswer& answer, std::string& batch);

struct ParsedBatch {
  std::vector<std::pair<uint64_t, PeerRequest>> requests;
  std::vector<std::pair<uint64_t, PeerAnswer>> answers;
};
/// Nothing where the bytes are no batch.
std::optional<ParsedBatch> parse_batch(const std::string& bytes);

/// What two nodes tell each other first.
struct Hello {
  NodeName node;
  uint64_t layout_digest = 0;
  std::string incarnation;
  std::string release;
  std::vector<NodeName> first_nodes;
};
std::string encode_hello(const Hello& hello);
std::optional<Hello> parse_hello(const std::string& bytes);

}  // namespace parley
