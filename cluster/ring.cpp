#include "cluster/ring.hpp"

#include <algorithm>
#include <map>
#include <tuple>

#include "base/check.hpp"
#include "base/hash.hpp"

namespace parley {
namespace {

/// Part of what releases share.
constexpr uint64_t k_affinity_seed = 0x7061726c65793032;

/// A layout in the making.
class Placing {
 public:
  Placing(const Layout& now, std::vector<NodeName> nodes)
      : layout_(now), nodes_(std::move(nodes)), kept_(nodes_.size()) {
    std::sort(nodes_.begin(), nodes_.end());
    for (uint32_t number = 0; number < layout_.size(); ++number) {
      const size_t place = place_of(layout_[number]);
      if (place < nodes_.size()) {
        kept_[place].push_back(shard(number));
      } else {
        homeless_.push_back(shard(number));
      }
    }
    share_out();
  }

  Layout finish() {
    for (size_t node = 0; node < nodes_.size(); ++node) shed(node);
    settle();
    return std::move(layout_);
  }

 private:
  static Shard shard(uint32_t number) { return {static_cast<uint16_t>(number)}; }

  [[nodiscard]] size_t place_of(const NodeName& name) const {
    const auto found = std::lower_bound(nodes_.begin(), nodes_.end(), name);
    return found != nodes_.end() && *found == name ? static_cast<size_t>(found - nodes_.begin())
                                                   : nodes_.size();
  }

  /// How many each node is to have: those that have most keep the odd ones, so that fewer move.
  void share_out() {
    std::vector<size_t> order(nodes_.size());
    for (size_t node = 0; node < order.size(); ++node) order[node] = node;
    std::stable_sort(order.begin(), order.end(),
                     [this](size_t a, size_t b) { return kept_[a].size() > kept_[b].size(); });
    share_.assign(nodes_.size(), layout_.size() / nodes_.size());
    for (size_t i = 0; i < layout_.size() % nodes_.size(); ++i) ++share_[order[i]];
  }

  /// A node that has too many lets go of those that it attracts least.
  void shed(size_t node) {
    auto& kept = kept_[node];
    if (kept.size() <= share_[node]) return;
    std::sort(kept.begin(), kept.end(), [&](Shard a, Shard b) {
      return std::tuple(affinity(a, nodes_[node]), a) > std::tuple(affinity(b, nodes_[node]), b);
    });
    homeless_.insert(homeless_.end(), kept.begin() + static_cast<ptrdiff_t>(share_[node]),
                     kept.end());
    kept.resize(share_[node]);
  }

  /// The strongest attractions first, while there is room.
  void settle() {
    struct Attraction {
      uint64_t strength;
      Shard shard;
      size_t node;
    };
    std::vector<Attraction> all;
    for (const Shard shard : homeless_) {
      for (size_t node = 0; node < nodes_.size(); ++node) {
        if (kept_[node].size() == share_[node]) continue;
        all.push_back({affinity(shard, nodes_[node]), shard, node});
      }
    }
    std::sort(all.begin(), all.end(), [](const Attraction& a, const Attraction& b) {
      return std::tuple(b.strength, a.shard, a.node) < std::tuple(a.strength, b.shard, b.node);
    });
    std::vector<bool> settled(layout_.size());
    for (const auto& [strength, shard, node] : all) {
      if (settled[shard.value] || kept_[node].size() == share_[node]) continue;
      settled[shard.value] = true;
      kept_[node].push_back(shard);
      layout_[shard.value] = nodes_[node];
    }
  }

  Layout layout_;
  std::vector<NodeName> nodes_;
  std::vector<std::vector<Shard>> kept_;  ///< by node
  std::vector<size_t> share_;             ///< by node
  std::vector<Shard> homeless_;
};

}  // namespace

std::string names_of(const std::vector<NodeName>& nodes, std::string_view separator) {
  std::string names;
  for (const NodeName& node : nodes) {
    if (!names.empty()) names += separator;
    names += node.value;
  }
  return names;
}

uint64_t affinity(Shard shard, const NodeName& node) {
  return hash64(node.value, k_affinity_seed + shard.value);
}

Layout place(const Layout& now, std::vector<NodeName> nodes) {
  PARLEY_CHECK(!nodes.empty());
  return Placing(now, std::move(nodes)).finish();
}

std::vector<ShardMove> moves_between(const Layout& now, const Layout& wanted) {
  PARLEY_CHECK(now.size() == wanted.size());
  std::vector<ShardMove> moves;
  for (size_t shard = 0; shard < now.size(); ++shard) {
    if (now[shard] == wanted[shard]) continue;
    moves.push_back({{static_cast<uint16_t>(shard)}, now[shard], wanted[shard]});
  }
  return moves;
}

}  // namespace parley
