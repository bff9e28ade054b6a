#pragma once

#include <chrono>
#include <functional>
#include <random>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "tests/integration/cluster/rig.hpp"

namespace parley::test {

/// Something that goes wrong, from its begin to its end.
struct Fault {
  std::string name;     ///< empty: none
  std::set<int> hosts;  ///< that it needs to itself
  std::chrono::milliseconds length{0};
  std::function<void()> begin;
  std::function<void()> end;
};

/// What can go wrong with a rig, drawn from one source of chance. Outlives the faults that it drew.
class Faults {
 public:
  Faults(Rig& rig, std::mt19937_64& random) : rig_(rig), random_(random) {}
  /// None where it drew one that needs a host that is `taken`.
  Fault draw(const std::set<int>& taken);

 private:
  Fault any();
  int pick(int low, int high);
  int node();
  int other(int than);
  std::chrono::milliseconds length();
  static std::set<int> all_hosts();
  static std::set<int> both_databases();

  Fault kill();
  Fault pause();
  Fault stop_and_go();
  Fault roll();
  Fault kill_all();
  Fault grow();
  Fault leave_one();
  Fault cut(const std::string& name, std::set<int> hosts,
            const std::vector<std::pair<int, int>>& ways);
  Fault cut_nodes();
  Fault cut_nodes_one_way();
  Fault isolate();
  Fault cut_database();
  Fault cut_database_one_way();
  Fault clock();
  Fault slow_disk();
  Fault move_shards();
  Fault restart_database();
  Fault pause_database();
  Fault fail_over();
  void isolate_database(int host);

  Rig& rig_;
  std::mt19937_64& random_;
};

}  // namespace parley::test
