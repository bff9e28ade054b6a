#include "tests/sim/mutants.hpp"

#include <algorithm>

namespace parley::sim {

const std::vector<Mutant>& mutants() {
  static const std::vector<Mutant> all = {
      {"answer_before_ack",
       "answers what is decided, not what is durable",
       50,
       {.answer_before_ack = true}},
      {"no_dedup", "request ids are not remembered", 50, {.no_dedup = true}},
      {"unknown_told_not_done",
       "a write of unknown outcome is said not to have been done",
       100,
       {.unknown_told_not_done = true}},
      {"reads_not_held", "reads show what is not durable", 50, {.reads_not_held = true}},
      {"no_fence_and_no_version_check",
       "storage takes everything",
       50,
       {.fence = false, .version_check = false}},
      {"no_lease", "reads without proof of ownership", 200, {.no_lease = true}},
      {"lease_from_reply",
       "the lease counts from when it was granted",
       1000,
       {.lease_from_reply = true}},
      {"engine_survives_unknown",
       "goes on from memory after an unknown write; no guards",
       50,
       {.fence = false, .version_check = false, .survive_unknown = true}},
      {"late_write_accepted",
       "a write told unknown lands later, unchecked",
       100,
       {.late_write_accepted = true}},
      {"drop_too_much", "a drop erases what a fork still shows", 200, {.drop_too_much = true}},
      {"snapshot_ahead", "a snapshot of what is not yet written", 200, {.snapshot_ahead = true}},
      {"watch_skips_one", "a watcher misses an event", 50, {.watch_skips_one = true}},
      {"early_release",
       "a fork is released while its creation is under way",
       20000,
       {.early_release = true}},
      {"fence_only", "no version check", 0, {.version_check = false}},
      {"version_check_only", "no fence", 50, {.fence = false}},
      {"version_check_only_for_writes",
       "no fence, nothing deleted; stale answers are allowed",
       0,
       {.fence = false, .only_version_check_promised = true, .no_deletions = true}},
      {"version_check_only_deletions",
       "so, but versions start again after a deletion",
       2000,
       {.fence = false, .only_version_check_promised = true}},
      {"no_raise",
       "the epoch outlives a write of unknown outcome",
       500,
       {.raise_after_unknown = false}},
      {"no_raise_fence_only",
       "so, and no version check",
       200,
       {.version_check = false, .raise_after_unknown = false}},
      {"no_raise_version_check_only",
       "so, and no fence",
       200,
       {.fence = false, .raise_after_unknown = false}},
      {"survive_unknown_guarded",
       "goes on from memory after an unknown write",
       500,
       {.survive_unknown = true}},
      {"survive_unknown_fence_only",
       "so, and no version check",
       200,
       {.version_check = false, .survive_unknown = true}},
  };
  return all;
}

const Mutant* find_mutant(std::string_view name) {
  const auto& all = mutants();
  const auto found =
      std::find_if(all.begin(), all.end(), [&](const Mutant& each) { return each.name == name; });
  return found == all.end() ? nullptr : &*found;
}

}  // namespace parley::sim
