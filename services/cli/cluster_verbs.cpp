#include <algorithm>
#include <chrono>
#include <iostream>
#include <map>
#include <set>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

#include "cluster/ring.hpp"
#include "services/cli/failures.hpp"
#include "services/cli/interrupt.hpp"
#include "services/cli/options.hpp"
#include "services/cli/progress.hpp"
#include "services/cli/terminal_text.hpp"
#include "services/cli/units.hpp"
#include "services/cli/verbs.hpp"

namespace parley::cli {
namespace {

using Moves = std::map<int32_t, std::string>;

constexpr Micros k_look_again = std::chrono::milliseconds(200);
/// A wish is forgotten where a node restarts: said again so often.
constexpr int k_looks_a_wish = 10;

/// What `plan` and `apply` are to bring about.
struct Wish {
  std::set<std::string> without;  ///< nodes that are to have none
  Moves moves;                    ///< just these; empty: even everything out
};

Result<v1::GetClusterResponse> look(Session& session) {
  return session.call<v1::GetClusterResponse>(v1::GetClusterRequest());
}

std::string state_name(const v1::ClusterShard& shard) {
  switch (shard.state()) {
    case v1::ClusterShard::STATE_SERVED:
      return "served";
    case v1::ClusterShard::STATE_MOVING: {
      const std::string where = "moving to " + shard.moving_to();
      if (shard.behind_bytes() == 0 && !shard.caught_up()) return where;  // not begun
      return absl::StrCat(where, ", ", shard.caught_up() ? "" : "copying, ",
                          format_bytes(static_cast<uint64_t>(shard.behind_bytes())), " behind");
    }
    case v1::ClusterShard::STATE_PASSING:
      return "passing to " + shard.moving_to();
    case v1::ClusterShard::STATE_UNREACHABLE:
      return "unreachable";
    default:
      return "unknown";
  }
}

/// How late a node is: its answer, and its lease where it has one.
std::string lag_of(const v1::ClusterNode& node) {
  if (!node.reachable()) return "";
  std::string lag =
      node.round_trip_us() == 0 ? "asked itself" : format_duration(Micros(node.round_trip_us()));
  if (node.lease_left_ms() > 0) {
    const auto left = std::chrono::milliseconds(node.lease_left_ms());
    absl::StrAppend(&lag, ", lease for ", format_duration(left));
  }
  return lag;
}

void print_status(const Console& console, const v1::GetClusterResponse& cluster, bool shards) {
  if (cluster.nodes().empty()) {
    return console.note(
        "this server is alone, with all its shards; see parleyd --help on --cluster");
  }
  Table nodes({"NODE", "SHARDS", "MOVING", "STATE", "LAG"});
  std::map<std::string, int> moving;
  for (const auto& shard : cluster.shards()) {
    if (!shard.moving_to().empty()) ++moving[shard.owner()];
  }
  for (const auto& node : cluster.nodes()) {
    nodes.add({printable(node.name(), false), std::to_string(node.shard_count()),
               std::to_string(moving[node.name()]), node.reachable() ? "answers" : "unreachable",
               lag_of(node)});
  }
  nodes.print(console.out, style_of(console));
  if (!shards) return;
  console.out << '\n';
  Table table({"SHARD", "OWNER", "EPOCH", "STATE"});
  for (const auto& shard : cluster.shards()) {
    table.add({std::to_string(shard.shard()), printable(shard.owner(), false),
               std::to_string(shard.epoch()), printable(state_name(shard), false)});
  }
  table.print(console.out, style_of(console));
}

/// Which shards are not where they are to be.
Result<Moves> moves_for(const Wish& wish, const v1::GetClusterResponse& cluster) {
  if (cluster.nodes().empty()) return usage_failure("this server is alone: nothing can be moved");
  std::vector<NodeName> nodes;
  std::set<std::string> known;
  for (const auto& node : cluster.nodes()) {
    known.insert(node.name());
    if (!wish.without.contains(node.name())) nodes.push_back({node.name()});
  }
  for (const std::string& name : wish.without) {
    if (!known.contains(name)) return usage_failure("--without " + name + ": no such node");
  }
  if (!wish.moves.empty() && !wish.without.empty()) {
    return usage_failure("--move moves just that shard: give it without --without");
  }
  Layout now;
  for (const auto& shard : cluster.shards()) now.push_back({shard.owner()});
  Moves moves;
  for (const auto& [shard, to] : wish.moves) {
    if (shard < 0 || static_cast<size_t>(shard) >= now.size() || !known.contains(to)) {
      return usage_failure(
          absl::StrCat("--move ", shard, "=", to, ": no such shard, or no such node"));
    }
    if (now[static_cast<size_t>(shard)].value != to) moves[shard] = to;
  }
  if (!wish.moves.empty()) return moves;
  if (nodes.empty()) return usage_failure("--without: no node would be left");
  for (const ShardMove& move : moves_between(now, place(now, nodes))) {
    moves[move.shard.value] = move.to.value;
  }
  return moves;
}

/// Those that have to answer for the moves, and do not.
std::set<std::string> silent_nodes(const Moves& moves, const v1::GetClusterResponse& cluster) {
  std::set<std::string> answering;
  for (const auto& node : cluster.nodes()) {
    if (node.reachable()) answering.insert(node.name());
  }
  std::set<std::string> silent;
  for (const auto& [shard, to] : moves) {
    silent.insert({to, cluster.shards(shard).owner()});
  }
  std::erase_if(silent, [&](const std::string& name) { return answering.contains(name); });
  return silent;
}

v1::MoveShardsRequest request_for(const Moves& moves) {
  v1::MoveShardsRequest request;
  for (const auto& [shard, to] : moves) {
    auto& move = *request.add_moves();
    move.set_shard(shard);
    move.set_to(to);
  }
  return request;
}

void print_moves(const Console& console, const Moves& moves,
                 const v1::GetClusterResponse& cluster) {
  Table table({"SHARD", "FROM", "TO"});
  for (const auto& [shard, to] : moves) {
    table.add({std::to_string(shard), printable(cluster.shards(shard).owner(), false),
               printable(to, false)});
  }
  if (console.json) return console.put_json(request_for(moves));
  if (!moves.empty()) table.print(console.out, style_of(console));
}

void wish_options(const Command& verb, const std::shared_ptr<Wish>& wish) {
  verb.text(
      "--without", "This node is to have no shards; may be given several times",
      [wish](const std::string& name) -> Status {
        wish->without.insert(name);
        return absl::OkStatus();
      },
      Command::Need::repeated);
  verb.text(
      "--move", "Only this: SHARD=NODE; may be given several times [even all shards out]",
      [wish](const std::string& text) -> Status {
        const std::vector<std::string> parts = absl::StrSplit(text, absl::MaxSplits('=', 1));
        int32_t shard = 0;
        if (parts.size() != 2 || !absl::SimpleAtoi(parts[0], &shard)) {
          return absl::InvalidArgumentError("write SHARD=NODE, as in 17=parley-2");
        }
        wish->moves[shard] = parts[1];
        return absl::OkStatus();
      },
      Command::Need::repeated);
}

Status ask_for(Session& session, const Moves& moves) {
  const auto answer = session.call<v1::MoveShardsResponse>(request_for(moves));
  return answer.status();  // whose owner did not answer is asked again
}

std::string names_of(const std::set<std::string>& nodes) {
  return printable(absl::StrJoin(nodes, ", "), false);
}

/// Until every shard is where it is to be.
Status carry_out(Run& run, const Moves& moves) {
  const InterruptScope scope;
  Progress progress(run.console, "move", false);
  Moves left = moves;
  std::set<std::string> silent;
  for (int looks = 0; !left.empty(); ++looks) {
    if (looks % k_looks_a_wish == 0) {
      if (Status status = ask_for(run.session, left); !status.ok()) return status;
    }
    if (!wait_for(k_look_again)) break;
    const auto cluster = look(run.session);
    if (!cluster.ok()) return cluster.status();
    for (const auto& shard : cluster->shards()) {
      const auto found = left.find(shard.shard());
      const bool there = found != left.end() && shard.owner() == found->second &&
                         shard.state() == v1::ClusterShard::STATE_SERVED;
      if (there) left.erase(found);
    }
    const auto silent_now = silent_nodes(left, *cluster);
    if (silent_now != silent && !silent_now.empty()) {
      progress.clear();
      run.console.note("waiting for " + names_of(silent_now) + ", which does not answer");
    }
    silent = silent_now;
    progress.update(moves.size() - left.size(), moves.size(), "shards");
  }
  progress.clear();
  if (!left.empty()) {
    run.console.note(absl::StrCat(left.size(),
                                  " shards are still to be moved, which goes on; see "
                                  "'parley cluster status'"));
  }
  return absl::OkStatus();
}

void add_status(const Command& above) {
  auto shards = std::make_shared<bool>(false);
  const Command verb = above.verb("status", "The nodes, and what they have");
  verb.flag("--shards", "Each shard, too", shards.get());
  verb.runs([shards](Run& run) {
    return call_and_print<v1::GetClusterResponse>(
        run, v1::GetClusterRequest(),
        [&](const auto& cluster) { print_status(run.console, cluster, *shards); });
  });
}

void add_plan(const Command& above) {
  auto wish = std::make_shared<Wish>();
  const Command verb = above.verb("plan", "Which shards 'apply' would move");
  wish_options(verb, wish);
  verb.runs([wish](Run& run) -> Status {
    const auto cluster = look(run.session);
    if (!cluster.ok()) return cluster.status();
    const auto moves = moves_for(*wish, *cluster);
    if (!moves.ok()) return moves.status();
    print_moves(run.console, *moves, *cluster);
    run.console.note(absl::StrCat(moves->size(), " shards to be moved"));
    return absl::OkStatus();
  });
}

void add_apply(const Command& above) {
  auto wish = std::make_shared<Wish>();
  const Command verb = above.verb("apply", "Move shards, while calls go on, and wait for it");
  wish_options(verb, wish);
  verb.more(
      "Without options shards are evened out over all nodes, with as few moves as that takes.\n"
      "May be interrupted and given again: what was begun goes on.");
  verb.runs([wish](Run& run) -> Status {
    const auto cluster = look(run.session);
    if (!cluster.ok()) return cluster.status();
    const auto moves = moves_for(*wish, *cluster);
    if (!moves.ok()) return moves.status();
    if (const auto silent = silent_nodes(*moves, *cluster); !silent.empty()) {
      return failure_like_call(absl::StatusCode::kUnavailable,
                               absl::StrCat("nothing was moved, for ", names_of(silent),
                                            " does not answer and would have to give or take "
                                            "shards; start it, or move others with --move"));
    }
    if (Status status = carry_out(run, *moves); !status.ok()) return status;
    if (!interrupted()) run.console.note(absl::StrCat(moves->size(), " shards moved"));
    return absl::OkStatus();
  });
}

}  // namespace

void add_cluster_verbs(const Command& program) {
  const Command cluster = program.verb("cluster", "The cluster's nodes and shards");
  cluster.needs_verb();
  add_status(cluster);
  add_plan(cluster);
  add_apply(cluster);
}

}  // namespace parley::cli
