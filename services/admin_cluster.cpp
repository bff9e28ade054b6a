#include <algorithm>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"

#include "cluster/shard_keeper.hpp"
#include "services/admin_service.hpp"
#include "services/cluster_reads.hpp"
#include "services/peer_calls.hpp"

/// The admin's calls about the cluster: each node says what it has, and is asked for what it has.
namespace parley {
namespace {

using State = v1::ClusterShard;

constexpr int64_t k_micros_per_milli = 1'000;

State::State state_of(const ShardsView::Look& look, const NodeName& self) {
  if (!look.serving) return State::STATE_PASSING;
  const bool stays = look.wanted.value.empty() || look.wanted == self;
  return look.resting && stays ? State::STATE_SERVED : State::STATE_MOVING;
}

/// What is here, and what is on its way from here.
v1::GetClusterResponse cluster_here(const Node& node) {
  v1::GetClusterResponse here;
  auto& self = *here.add_nodes();
  self.set_name(node.router->self().value);
  self.set_reachable(true);
  const auto& leases = node.environment.leases_until;
  if (!leases.empty()) {
    const auto shortest = [&] {
      int64_t until = INT64_MAX;
      for (const auto* lease : leases)
        until = std::min(until, lease->load(std::memory_order_acquire));
      return until;
    };
    const int64_t left = shortest() - node.environment.clock.steady().micros;
    self.set_lease_left_ms(std::max<int64_t>(left, 0) / k_micros_per_milli);
  }
  const auto looks = node.shards->look();
  for (size_t i = 0; i < looks.size(); ++i) {
    const ShardsView::Look& look = looks[i];
    const bool owned = look.holding.kind == Holding::Kind::owned;
    if (!owned && look.holding.kind != Holding::Kind::given) continue;
    auto& shard = *here.add_shards();
    shard.set_shard(static_cast<int32_t>(i));
    shard.set_owner(owned ? self.name() : look.holding.peer.value);
    shard.set_epoch(static_cast<int64_t>(look.holding.epoch.value));
    shard.set_state(owned ? state_of(look, node.router->self()) : State::STATE_PASSING);
    shard.set_moving_to(owned ? look.wanted.value : look.holding.peer.value);
    if (shard.moving_to() == self.name()) shard.clear_moving_to();
    shard.set_behind_bytes(static_cast<int64_t>(look.behind_bytes));
    shard.set_caught_up(look.caught_up);
  }
  return here;
}

/// What all nodes said, put together: of a shard that two speak of, the higher epoch is right.
class Gathered {
 public:
  explicit Gathered(Router& router) : router_(router) {}

  /// `took`: how long it was waited for.
  void add(const v1::GetClusterResponse& said, int64_t took_micros) {
    for (const auto& node : said.nodes()) {
      auto& known = answered_[node.name()];
      known = node;
      known.set_round_trip_us(took_micros);
    }
    for (const auto& shard : said.shards()) {
      const bool known_here =
          shard.shard() >= 0 && shard.shard() < static_cast<int32_t>(router_.shard_count());
      if (!known_here) continue;
      // Calls need not find out one by one.
      router_.learn({static_cast<uint16_t>(shard.shard())},
                    {{shard.owner()}, {static_cast<uint64_t>(shard.epoch())}});
      auto& known = shards_[shard.shard()];
      const bool owner_speaks =
          shard.epoch() == known.epoch() && shard.moving_to() != shard.owner();
      if (shard.epoch() > known.epoch() || owner_speaks) known = shard;
    }
  }

  v1::GetClusterResponse finish() {
    v1::GetClusterResponse all;
    std::map<std::string, int32_t> counts;
    for (uint32_t i = 0; i < router_.shard_count(); ++i) {
      auto& shard = shards_[static_cast<int32_t>(i)];
      if (shard.owner().empty()) {
        const KnownOwner known = router_.known({static_cast<uint16_t>(i)});
        shard.set_shard(static_cast<int32_t>(i));
        shard.set_owner(known.node.value);
        shard.set_epoch(static_cast<int64_t>(known.epoch.value));
        shard.set_state(State::STATE_UNREACHABLE);
      }
      ++counts[shard.owner()];
      *all.add_shards() = std::move(shard);
    }
    for (const NodeName& name : router_.nodes()) {
      auto& node = *all.add_nodes();
      node = std::move(answered_[name.value]);
      node.set_name(name.value);
      node.set_shard_count(counts[name.value]);
    }
    return all;
  }

 private:
  Router& router_;
  std::map<std::string, v1::ClusterNode> answered_;
  std::map<int32_t, v1::ClusterShard> shards_;
};

/// Asks all nodes what they have.
void gather(Node& node, Reply& rpc, std::function<void(Gathered&)> done) {
  auto gathered = std::make_shared<Gathered>(*node.router);
  gathered->add(cluster_here(node), 0);
  std::vector<Question> questions;
  for (const NodeName& other : node.router->others()) {
    questions.push_back({other, handed_on("GetCluster", {}, {}, rpc)});
  }
  const auto on_answer = [gathered, &clock = node.environment.clock,
                          asked = node.environment.clock.steady()](const NodeName&,
                                                                   const PeerAnswer& answer) {
    v1::GetClusterResponse said;
    if (answer.code != 0 || !parse(answer.body, said)) return;
    gathered->add(said, clock.steady().micros - asked.micros);
  };
  ask_all(*node.router, std::move(questions),
          {on_answer, [](const NodeName&, PeerFailure) {},
           [gathered, done = std::move(done)] { done(*gathered); }});
}

/// Tells each owner what it is to give, as far as it is known who owns what.
void tell_owners(Node& node, UnaryCall<v1::MoveShardsRequest>* rpc) {
  auto response = std::make_shared<v1::MoveShardsResponse>();
  std::map<NodeName, v1::MoveShardsRequest> elsewhere;
  for (const auto& move : rpc->request.moves()) {
    const NodeName* owner = node.router->elsewhere({static_cast<uint16_t>(move.shard())});
    if (owner == nullptr) {
      node.keeper->want({static_cast<uint16_t>(move.shard())}, {move.to()});
    } else if (rpc->peer() != nullptr) {
      response->add_unreachable_shards(move.shard());
    } else {
      *elsewhere[*owner].add_moves() = move;
    }
  }
  std::vector<Question> questions;
  for (const auto& [owner, part] : elsewhere) {
    questions.push_back({owner, handed_on("MoveShards", {}, part.SerializeAsString(), *rpc)});
  }
  const auto unreached = [response, elsewhere](const NodeName& owner) {
    for (const auto& move : elsewhere.at(owner).moves()) {
      response->add_unreachable_shards(move.shard());
    }
  };
  const auto on_answer = [response, unreached](const NodeName& owner, const PeerAnswer& answer) {
    v1::MoveShardsResponse part;
    if (answer.code != 0 || !parse(answer.body, part)) return unreached(owner);
    response->MergeFrom(part);
  };
  ask_all(*node.router, std::move(questions),
          {on_answer, [unreached](const NodeName& owner, PeerFailure) { unreached(owner); },
           [response, rpc] { rpc->finish_message(*response); }});
}

std::optional<ApiError> check(const v1::MoveShardsRequest& request, const Router& router) {
  if (request.moves().empty()) return invalid_field("moves", "name at least one shard");
  const auto nodes = router.nodes();
  std::set<int32_t> shards;
  for (int i = 0; i < request.moves_size(); ++i) {
    const auto& move = request.moves(i);
    const std::string at = absl::StrCat("moves[", i, "]");
    if (move.shard() < 0 || move.shard() >= static_cast<int32_t>(router.shard_count())) {
      return invalid_field(at + ".shard",
                           absl::StrCat("there are shards 0 to ", router.shard_count() - 1));
    }
    if (!shards.insert(move.shard()).second) {
      return invalid_field(at + ".shard", "it is named twice");
    }
    if (std::find(nodes.begin(), nodes.end(), NodeName{move.to()}) == nodes.end()) {
      return invalid_field(at + ".to", "no node of the cluster has that name; see GetCluster");
    }
  }
  return std::nullopt;
}

v1::GetClusterResponse server_alone(const Node& node) {
  v1::GetClusterResponse alone;
  for (uint32_t i = 0; i < node.environment.shard_count; ++i) {
    auto& shard = *alone.add_shards();
    shard.set_shard(static_cast<int32_t>(i));
    const Shard number{static_cast<uint16_t>(i)};
    shard.set_epoch(static_cast<int64_t>(node.environment.journal.epoch(number).value));
    shard.set_state(State::STATE_SERVED);
  }
  return alone;
}

}  // namespace

void AdminService::get_cluster(Call<v1::GetClusterRequest>* rpc) {
  if (node_.router == nullptr) return rpc->finish_message(server_alone(node_));
  if (rpc->peer() != nullptr) return rpc->finish_message(cluster_here(node_));
  gather(node_, *rpc, [rpc](Gathered& all) { rpc->finish_message(all.finish()); });
}

void AdminService::move_shards(Call<v1::MoveShardsRequest>* rpc) {
  if (node_.router == nullptr) return rpc->finish_error(make_error(ErrorId::needs_cluster));
  if (node_.keeper == nullptr) {
    return rpc->finish_error(make_error(ErrorId::shards_place_themselves));
  }
  if (auto error = check(rpc->request, *node_.router)) return rpc->finish_error(*error);
  if (rpc->peer() != nullptr) return tell_owners(node_, rpc);
  // Why: after moves of late this node may not know who has what.
  gather(node_, *rpc, [this, rpc](Gathered&) { tell_owners(node_, rpc); });
}

}  // namespace parley
