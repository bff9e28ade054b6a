#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "cluster/ownership.hpp"

/// What keepers of shards tell each other, as bytes: parley.cluster.v1.ShardLetter.
namespace parley {

struct ShardLetter {
  Shard shard;
  baton::Message message;
  std::vector<std::string> rows;  ///< of baton::Rows: one for each of its positions
};

std::string encode_letter(const ShardLetter& letter);
/// Nothing where the bytes are no letter, or one of a later release's.
std::optional<ShardLetter> parse_letter(const std::string& bytes);

}  // namespace parley
