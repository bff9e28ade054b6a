#include "tests/integration/cluster/faults.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <utility>

#include "tests/support/requests.hpp"

namespace parley::test {
namespace {

using std::chrono::milliseconds;

bool overlap(const std::set<int>& one, const std::set<int>& two) {
  return std::ranges::any_of(one, [&](int each) { return two.contains(each); });
}

}  // namespace

Fault Faults::any() {
  using Kind = std::pair<int, Fault (Faults::*)()>;
  std::vector<Kind> kinds = {{14, &Faults::kill},       {14, &Faults::pause},
                             {8, &Faults::cut_nodes},   {8, &Faults::cut_nodes_one_way},
                             {8, &Faults::isolate},     {6, &Faults::clock},
                             {4, &Faults::stop_and_go}, {2, &Faults::roll},
                             {2, &Faults::kill_all},    {1, &Faults::grow},
                             {6, &Faults::slow_disk}};
  if (rig_.shape() == Shape::own_storage) {
    kinds.emplace_back(24, &Faults::move_shards);
  } else {
    for (const Kind& kind : {Kind{8, &Faults::cut_database}, Kind{8, &Faults::cut_database_one_way},
                             Kind{6, &Faults::restart_database}, Kind{6, &Faults::pause_database},
                             Kind{4, &Faults::fail_over}, Kind{2, &Faults::leave_one}}) {
      kinds.push_back(kind);
    }
  }
  int sum = 0;
  for (const auto& [weight, kind] : kinds) sum += weight;
  int left = pick(0, sum - 1);
  for (const auto& [weight, kind] : kinds) {
    left -= weight;
    if (left < 0) return (this->*kind)();
  }
  return {};
}

int Faults::pick(int low, int high) {
  return std::uniform_int_distribution<int>(low, high)(random_);
}
int Faults::node() {
  auto found = rig_.there().begin();
  std::advance(found, pick(0, static_cast<int>(rig_.there().size()) - 1));
  return *found;
}
int Faults::other(int than) {
  int found = node();
  while (found == than) found = node();
  return found;
}
/// From far below a lease to well above it.
milliseconds Faults::length() {
  static constexpr std::array<int, 6> k_lengths{100, 400, 1'000, 1'500, 2'500, 4'000};
  return milliseconds(k_lengths[static_cast<size_t>(pick(0, k_lengths.size() - 1))] + pick(0, 200));
}
std::set<int> Faults::all_hosts() {
  std::set<int> all;
  for (int host = 0; host < Rig::k_hosts; ++host) all.insert(host);
  return all;
}
std::set<int> Faults::both_databases() { return {Rig::k_nodes_max, Rig::k_nodes_max + 1}; }

Fault Faults::kill() {
  const int it = node();
  return {
      "kill -9", {it}, length(), [=, this] { rig_.kill(it); }, [=, this] { rig_.bring_back(it); }};
}
Fault Faults::pause() {
  const int it = node();
  return {"SIGSTOP", {it}, length(), [=, this] { rig_.pause(it); }, [=, this] { rig_.wake(it); }};
}
Fault Faults::stop_and_go() {
  const int it = node();
  return {
      "SIGTERM", {it}, length(), [=, this] { rig_.stop(it); }, [=, this] { rig_.bring_back(it); }};
}
Fault Faults::roll() {
  return {"rolling restart", all_hosts(), milliseconds(0), [=, this] { rig_.roll(); }, [] {}};
}
Fault Faults::kill_all() {
  return {"kill -9 of all nodes", all_hosts(), milliseconds(pick(0, 500)),
          [=, this] {
            for (const int each : rig_.there()) rig_.kill(each);
          },
          [=, this] {
            for (const int each : rig_.there()) rig_.bring_back(each);
          }};
}
Fault Faults::grow() {
  if (rig_.there().size() > Rig::k_nodes) return {};
  return {"to 5 nodes and back", all_hosts(), length(), [=, this] { rig_.grow(); },
          [=, this] { rig_.shrink(); }};
}
Fault Faults::leave_one() {
  const int stays = node();
  const auto each_other = [this, stays](auto what) {
    for (const int it : rig_.there()) {
      if (it != stays) what(it);
    }
  };
  return {"to 1 node and back", all_hosts(), length(),
          [=, this] { each_other([this](int it) { rig_.stop(it); }); },
          [=, this] { each_other([this](int it) { rig_.bring_back(it); }); }};
}

Fault Faults::cut(const std::string& name, std::set<int> hosts,
                  const std::vector<std::pair<int, int>>& ways) {
  return {name, std::move(hosts), length(),
          [=, this] {
            for (const auto& [from, to] : ways) rig_.network().cut(from, to);
          },
          [=, this] {
            for (const auto& [from, to] : ways) rig_.network().mend(from, to);
          }};
}
Fault Faults::cut_nodes() {
  const int one = node();
  const int two = other(one);
  return cut("two nodes cut off", {one, two}, {{one, two}, {two, one}});
}
Fault Faults::cut_nodes_one_way() {
  const int one = node();
  const int two = other(one);
  return cut("two nodes cut off one way", {one, two}, {{one, two}});
}
Fault Faults::isolate() {
  const int it = node();
  std::vector<std::pair<int, int>> ways;
  for (int host = 0; host < Rig::k_hosts; ++host) {
    if (host == it) continue;
    ways.emplace_back(it, host);
    ways.emplace_back(host, it);
  }
  return cut("one node cut off from all", all_hosts(), ways);
}
Fault Faults::cut_database() {
  const int it = node();
  const int database = rig_.databases().primary_host();
  return cut("node and database cut off", {it, database}, {{it, database}, {database, it}});
}
Fault Faults::cut_database_one_way() {
  const int it = node();
  const int database = rig_.databases().primary_host();
  const bool answers = pick(0, 2) > 0;
  return cut(answers ? "answers of the database lost" : "calls of the database lost",
             {it, database}, {answers ? std::pair(database, it) : std::pair(it, database)});
}

Fault Faults::clock() {
  const int it = node();
  static constexpr std::array<int64_t, 5> k_jumps{-3'600, 3'600, 86'400, -86'400, 5};
  const int64_t seconds = k_jumps[static_cast<size_t>(pick(0, k_jumps.size() - 1))];
  return {"clock jumps",
          {},
          length(),
          [=, this] { rig_.set_clock(it, seconds); },
          [=, this] { rig_.set_clock(it, 0); }};
}
Fault Faults::slow_disk() {
  const bool own = rig_.shape() == Shape::own_storage;
  const int host = own ? node() : Rig::k_nodes_max;
  const milliseconds delay(pick(20, 600));
  return {"slow disk", own ? std::set<int>{} : both_databases(), length(),
          [=, this] { rig_.set_disk_delay(host, delay); },
          [=, this] { rig_.set_disk_delay(host, milliseconds(0)); }};
}

Fault Faults::move_shards() {
  pb::MoveShardsRequest request;
  for (int i = pick(1, 6); i > 0; --i) {
    auto& move = *request.add_moves();
    move.set_shard(pick(0, 23));
    move.set_to(ClusterNodes::name(node()));
  }
  const int asked = node();
  // A node that is away is nobody to move anything: the wish is lost, as it may be.
  return {"shards moved",
          {},
          milliseconds(pick(0, 300)),
          [=, this] {
            Client client(rig_.nodes().node(asked).address());
            client.call(request, {.timeout = milliseconds(1'000)});
          },
          [] {}};
}

Fault Faults::restart_database() {
  return {"database killed", both_databases(), milliseconds(pick(0, 1'000)),
          [=, this] { rig_.databases().kill_primary(); },
          [=, this] { rig_.databases().start_primary(); }};
}
Fault Faults::pause_database() {
  return {"database SIGSTOP", both_databases(), length(),
          [=, this] { rig_.databases().pause_primary(); },
          [=, this] { rig_.databases().wake_primary(); }};
}
/// Killed, or cut off from everybody and still running.
Fault Faults::fail_over() {
  const bool dead = pick(0, 1) == 0;
  const int host = rig_.databases().primary_host();
  return {dead ? "database fail-over" : "database fail-over, the old one runs on", all_hosts(),
          milliseconds(pick(0, 1'500)),
          [=, this] {
            if (dead) {
              rig_.databases().kill_primary();
            } else {
              isolate_database(host);
            }
            rig_.databases().promote();
          },
          [=, this] {
            if (!dead) rig_.network().mend_all();
            rig_.databases().renew_standby();
          }};
}
void Faults::isolate_database(int host) {
  for (int each = 0; each < Rig::k_hosts; ++each) {
    if (each == host) continue;
    rig_.network().cut(each, host);
    rig_.network().cut(host, each);
  }
}

Fault Faults::draw(const std::set<int>& taken) {
  Fault fault = any();
  return overlap(fault.hosts, taken) ? Fault{} : fault;
}

}  // namespace parley::test
