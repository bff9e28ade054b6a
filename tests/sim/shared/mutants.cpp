#include "tests/sim/shared/mutants.hpp"

#include <algorithm>

namespace parley::sim::shared {

const std::vector<Mutant>& mutants() {
  static const std::vector<Mutant> all = {
      {"lease_from_reply",
       "a lease counts from when its renewal was answered",
       200,
       {.lease_from_reply = true}},
      {"no_margin", "nothing is left for clocks that drift", 5000, {.margin_micros = 0}},
      {"lease_not_tested",
       "memory is shown whatever the lease says",
       50,
       {.lease_not_tested = true}},
      {"lease_tested_at_load",
       "the lease is tested when a conversation is loaded",
       100,
       {.lease_tested_at_load = true}},
      {"wall_clock", "leases go by a clock that people set", 50, {.wall_clock = true}},
      {"silence_from_first_sight",
       "a renewal does not begin the count anew",
       50,
       {.silence_from_first_sight = true}},
      {"goes_by_what_it_asked",
       "what a node wanted to take it serves",
       50,
       {.goes_by_what_it_asked = true}},
      {"deaf_to_burial", "a node that was buried goes on", 50, {.deaf_to_burial = true}},
      {"same_incarnation", "who was buried joins again", 200, {.same_incarnation = true}},
      {"joins_again", "joins again as who may have joined already", 2000, {.joins_again = true}},
      {"give_not_settled",
       "what was given without an answer is served on",
       2000,
       {.give_not_settled = true}},
      {"bury_whatever", "who has renewed meanwhile is buried", 100, {.bury_compares = false}},
      {"take_whatever",
       "what a member owns is taken",
       200,
       {.take_compares = false, .take_compares_epochs = false}},
      {"take_by_epochs_alone",
       "the same, as long as it stands as it was read",
       0,
       {.take_compares = false}},
      {"take_by_members_alone",
       "what another one took meanwhile is taken from it",
       200,
       {.take_compares_epochs = false}},
      {"give_while_under_way",
       "given while calls are under way: they began before",
       0,
       {.give_while_under_way = true}},
      {"give_while_served", "so, and more are let through", 50, {.give_while_served = true}},
      {"quiet_at_once",
       "a node joins anew while its old calls are under way",
       10000,
       {.quiet_at_once = true}},
      {"adopts_any_epoch",
       "after an unknown outcome the epoch of another owner is used",
       200,
       {.adopts_any_epoch = true}},
      {"no_fence", "the journal takes what comes under an old epoch", 50, {.fence = false}},
      {"no_version_check", "the fence alone", 0, {.version_check = false}},
      {"no_fence_and_no_version_check",
       "the journal takes everything",
       50,
       {.fence = false, .version_check = false}},
  };
  return all;
}

const Mutant* find_mutant(std::string_view name) {
  const auto& all = mutants();
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const Mutant& each) { return each.name == name; });
  return found == all.end() ? nullptr : &*found;
}

}  // namespace parley::sim::shared
