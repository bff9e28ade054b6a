#pragma once

#include <cstdint>

#include "cluster/lease_plan.hpp"
#include "tests/sim/timeline.hpp"

namespace parley::sim::shared {

inline constexpr uint16_t k_shards = 6;
inline constexpr LeaseTimes k_times{};
inline constexpr int64_t k_lease = 3'000'000;
static_assert(k_times.lease_micros == k_lease);
inline constexpr int64_t k_drift_ppm_max = 10'000;
/// A statement without an answer is given up after this at the latest, and carried out, if at all,
/// so much later.
inline constexpr int64_t k_silence_max = 4'000'000;
inline constexpr int64_t k_late_max = 2 * k_lease;
/// Faults go on for so long.
inline constexpr int64_t k_faults = 12 * k_lease;
/// Within this all is well again once faults are healed, whatever was on its way then.
inline constexpr int64_t k_healed_within = 8 * k_lease;

/// How often what goes wrong, in thousandths; drawn from the seed, all zero once healed.
struct Rates {
  uint32_t refused = 0;       ///< a statement, before anything was done
  uint32_t request_lost = 0;  ///< outcome unknown, never carried out
  uint32_t answer_lost = 0;   ///< outcome unknown, carried out
  uint32_t late = 0;          ///< outcome unknown, carried out long after
  uint32_t slow = 0;          ///< a statement's ways
  uint32_t stall = 0;         ///< a keeper's thread stands still between two calls
  uint32_t call_stalls = 0;   ///< a client's call stands still in the middle
  uint32_t letter_lost = 0;
  uint32_t crash = 0;
  uint32_t pause = 0;
  uint32_t double_start = 0;  ///< a paused node is started again elsewhere
  uint32_t cut_off = 0;       ///< from the database, one way or both
  uint32_t drain = 0;
  uint32_t clock_jump = 0;  ///< of the wall's
};
Rates draw_rates(Rng& rng);

/// What a mutant has broken. Nothing broken: the system as it is. Broken is what is around the
/// machine (its clock, its table, its node), never the machine itself.
struct Mutations {
  // The way in which a node uses its lease.
  int64_t margin_micros = k_times.margin_micros;
  bool lease_from_reply = false;      ///< counted from when the renewal was answered
  bool lease_not_tested = false;      ///< reads from memory whatever the lease says
  bool lease_tested_at_load = false;  ///< once for an activation
  bool wall_clock = false;
  // What a node says to the table, and hears of it.
  bool silence_from_first_sight = false;  ///< a renewal does not begin the count anew
  bool goes_by_what_it_asked = false;     ///< what it wanted to take it serves at once
  bool deaf_to_burial = false;            ///< renews on, as if it were a member
  bool same_incarnation = false;          ///< it joins again as who was buried
  bool joins_again = false;       ///< as who may have joined already: no answer counts as a refusal
  bool give_not_settled = false;  ///< without an answer it counts as not given
  // The table.
  bool bury_compares = true;         ///< only who has not renewed since is buried
  bool take_compares = true;         ///< nothing is taken that a member owns
  bool take_compares_epochs = true;  ///< nor what was taken since it was read
  // The node's shards.
  bool give_while_under_way = false;  ///< calls are said to have ended at once
  bool give_while_served = false;     ///< so, and more are let through
  bool quiet_at_once = false;         ///< what was stopped is said to have ended at once
  bool adopts_any_epoch = false;      ///< after an unknown outcome: even another one's
  // The journal.
  bool fence = true;
  bool version_check = true;
};

}  // namespace parley::sim::shared
