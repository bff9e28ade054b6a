#pragma once

#include <mutex>
#include <optional>
#include <string>

#include "base/result.hpp"
#include "cluster/peer_codec.hpp"
#include "cluster/shard_file.hpp"

namespace parley {

/// Guards a node's first start: one that is told of too many nodes that the cluster began with
/// would take for its own what others own.
///
/// Shared by the server and the links; any thread. Invariant: a node that met another cluster's in
/// its first start serves nothing, and does not take its first placement for true at the next.
class FirstMeeting {
 public:
  /// `shards`: as this node would begin.
  FirstMeeting(std::string data_dir, NodeShards shards)
      : data_dir_(std::move(data_dir)), shards_(std::move(shards)) {}

  /// A node of another cluster said hello. Ends the process where this one serves already.
  void on(const Hello& other);
  /// Before anything is served. FAILED_PRECONDITION, with what to do, where another cluster's node
  /// was met.
  Status end();

 private:
  Status begin_as_latecomer(const Hello& other) const;

  const std::string data_dir_;
  const NodeShards shards_;
  std::mutex mutex_;  ///< guards all below
  std::optional<Hello> other_;
  bool over_ = false;
};

}  // namespace parley
