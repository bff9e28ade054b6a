#include "services/first_meeting.hpp"

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "absl/strings/str_cat.h"

#include "base/log.hpp"

namespace parley {
namespace {

std::string beginnings(const NodeShards& shards, const Hello& other) {
  return absl::StrCat("this node would have begun a cluster of ", names_of(shards.nodes, ","),
                      ", but node ", other.node.value, " belongs to one that began with ",
                      names_of(other.first_nodes, ","));
}

}  // namespace

void FirstMeeting::on(const Hello& other) {
  const std::lock_guard lock(mutex_);
  if (!other_) other_ = other;
  if (!over_) return;
  // What is acknowledged is in the log. What others own must not be served here any longer.
  spdlog::critical("{}; ending: compare --first-nodes and --shards", beginnings(shards_, other));
  std::_Exit(78);  // EX_CONFIG
}

Status FirstMeeting::end() {
  const std::lock_guard lock(mutex_);
  over_ = true;
  return other_ ? begin_as_latecomer(*other_) : absl::OkStatus();
}

/// As the other cluster's, where this is plainly a node that comes to it; else as nobody's.
Status FirstMeeting::begin_as_latecomer(const Hello& other) const {
  const auto shard_count = static_cast<uint32_t>(shards_.holdings.size());
  const std::string why = beginnings(shards_, other);
  const bool newcomer =
      std::ranges::find(other.first_nodes, shards_.self) == other.first_nodes.end() &&
      layout_digest(other.first_nodes, shard_count) == other.layout_digest;
  if (newcomer) {
    const Status status =
        write_shards(data_dir_, NodeShards::first(shards_.self, other.first_nodes, shard_count));
    if (!status.ok()) return status;
    return absl::FailedPreconditionError(
        absl::StrCat(why, ". That is recorded now: start it again, best with --first-nodes ",
                     names_of(other.first_nodes, ",")));
  }
  std::error_code error;
  std::filesystem::remove(data_dir_ + "/SHARDS", error);
  return absl::FailedPreconditionError(
      absl::StrCat(why,
                   "; make --shards and --first-nodes the same on all nodes, and begin with an "
                   "empty --data-dir"));
}

}  // namespace parley
