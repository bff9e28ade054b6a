#include "cluster/shard_file.hpp"

#include <algorithm>
#include <array>
#include <filesystem>
#include <sstream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "base/hash.hpp"
#include "storage/data_dir.hpp"

namespace parley {
namespace {

constexpr const char* k_first_line = "parley shards 1";
constexpr uint64_t k_digest_seed = 0x7061726c65793033;
constexpr auto k_kinds = std::to_array<const char*>(
    {"absent", "owned", "given", "receiving", "complete"});  // by Holding::Kind

std::string file_of(const std::string& data_dir) { return data_dir + "/SHARDS"; }

std::string checksum(std::string_view text) {
  return absl::StrCat(absl::Hex(hash64(text), absl::kZeroPad16));
}

Status unreadable(const std::string& path) {
  return absl::DataLossError(absl::StrCat(
      path, " is damaged; restore it from a backup of this node, or replace the node"));
}

bool parse_holding(std::istringstream& line, Holding& holding) {
  std::string kind;
  std::string peer;
  if (!(line >> kind >> holding.epoch.value >> peer >> holding.attempt)) return false;
  const auto* const found = std::find(k_kinds.begin(), k_kinds.end(), kind);
  if (found == k_kinds.end()) return false;
  holding.kind = static_cast<Holding::Kind>(found - k_kinds.begin());
  if (peer != "-") holding.peer = {peer};
  return true;
}

}  // namespace

NodeShards NodeShards::first(const NodeName& self, std::vector<NodeName> nodes,
                             uint32_t shard_count) {
  std::sort(nodes.begin(), nodes.end());
  NodeShards shards{self, std::move(nodes), {}};
  for (const NodeName& owner : place(Layout(shard_count), shards.nodes)) {
    const bool own = owner == self;
    shards.holdings.push_back(
        {own ? Holding::Kind::owned : Holding::Kind::absent, {1}, own ? NodeName{} : owner, 0});
  }
  return shards;
}

bool NodeShards::owns_any() const {
  return std::ranges::any_of(
      holdings, [](const Holding& holding) { return holding.kind == Holding::Kind::owned; });
}

KnownOwners NodeShards::owners() const {
  KnownOwners owners;
  for (const Holding& holding : holdings) {
    owners.push_back(owner_by(holding, self));
  }
  return owners;
}

std::string format_shards(const NodeShards& shards) {
  std::string text = absl::StrCat(k_first_line, "\nnode ", shards.self.value, "\nnodes ",
                                  names_of(shards.nodes, " "), "\n");
  for (size_t i = 0; i < shards.holdings.size(); ++i) {
    const Holding& holding = shards.holdings[i];
    absl::StrAppend(&text, i, " ", k_kinds[static_cast<size_t>(holding.kind)], " ",
                    holding.epoch.value, " ", holding.peer.value.empty() ? "-" : holding.peer.value,
                    " ", holding.attempt, "\n");
  }
  return absl::StrCat(text, "sum ", checksum(text), "\n");
}

Result<NodeShards> parse_shards(const std::string& text, const std::string& path) {
  const size_t end = text.rfind("sum ");
  if (end == std::string::npos ||
      text.substr(end) != absl::StrCat("sum ", checksum(text.substr(0, end)), "\n")) {
    return unreadable(path);
  }
  std::istringstream lines(text.substr(0, end));
  std::string line;
  if (!std::getline(lines, line) || line != k_first_line) {
    return absl::FailedPreconditionError(
        absl::StrCat(path, " was written by a newer release; start that one"));
  }
  NodeShards shards;
  std::string word;
  if (!(lines >> word >> shards.self.value) || !std::getline(lines, line) ||
      !std::getline(lines, line)) {
    return unreadable(path);
  }
  for (const auto name : absl::StrSplit(absl::StripPrefix(line, "nodes "), ' ')) {
    shards.nodes.push_back({std::string(name)});
  }
  while (std::getline(lines, line)) {
    std::istringstream fields(line);
    size_t number = 0;
    Holding holding;
    if (!(fields >> number) || number != shards.holdings.size() ||
        !parse_holding(fields, holding)) {
      return unreadable(path);
    }
    shards.holdings.push_back(std::move(holding));
  }
  return shards;
}

uint64_t layout_digest(const std::vector<NodeName>& nodes, uint32_t shard_count) {
  return hash64(absl::StrCat(shard_count, " ", names_of(nodes, " ")), k_digest_seed);
}

Result<std::optional<NodeShards>> read_shards(const std::string& data_dir) {
  const std::string path = file_of(data_dir);
  const auto text = read_whole(path);
  if (!text.ok()) return text.status();
  if (!*text) return std::nullopt;
  auto stored = parse_shards(**text, path);
  if (!stored.ok()) return stored.status();
  return *std::move(stored);
}

Status write_shards(const std::string& data_dir, const NodeShards& shards) {
  return write_whole(file_of(data_dir), format_shards(shards));
}

Result<OpenedShards> open_shards(const std::string& data_dir, ClusterStart start) {
  auto found = read_shards(data_dir);
  if (!found.ok()) return found.status();
  const bool said = start.first_nodes.has_value();
  const NodeShards first = NodeShards::first(
      start.self, said ? *std::move(start.first_nodes) : std::move(start.nodes), start.shard_count);
  if (*found) {
    const NodeShards& stored = **found;
    // Nodes come and go: where nothing else is said, the cluster is the one that it was.
    if (stored.self != start.self || (said && stored.nodes != first.nodes) ||
        stored.holdings.size() != start.shard_count) {
      return absl::FailedPreconditionError(absl::StrCat(
          "this storage is that of node ", stored.self.value, " in a cluster that began with ",
          names_of(stored.nodes, " "), " and has ", stored.holdings.size(),
          " shards; give --node, --first-nodes and --shards accordingly, or another --data-dir"));
    }
    return OpenedShards{stored, false};
  }
  const auto identity = read_identity(data_dir);
  if (!identity.ok()) return identity.status();
  // A node's own storage has the file before it has anything else.
  if (*identity) {
    return absl::FailedPreconditionError(
        "this storage is that of a server without a cluster, or was restored from a backup: what a "
        "node of a cluster held then others may have changed since. Start it without --cluster, "
        "export its conversations and import them into the cluster, or give another --data-dir");
  }
  std::error_code error;
  std::filesystem::create_directories(data_dir, error);
  Status status = write_shards(data_dir, first);
  if (!status.ok()) return status;
  return OpenedShards{first, true};
}

Status check_alone(const std::string& data_dir) {
  const std::string path = file_of(data_dir);
  const auto text = read_whole(path);
  if (!text.ok()) return text.status();
  if (!*text) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("this storage belongs to a cluster (", path,
                   "); give --cluster static and --peers, or another --data-dir"));
}

}  // namespace parley
