#pragma once

#include <cstdint>
#include <string>

#include "conversation/limits.hpp"
#include "tests/sim/timeline.hpp"

namespace parley::sim {

inline constexpr uint8_t k_threads = 5;
inline constexpr uint8_t k_shards = 2;
inline constexpr uint8_t k_nodes = 3;

inline uint8_t shard_of(uint8_t thread) { return thread % k_shards; }
inline std::string thread_name(uint8_t thread) {
  return std::string(1, static_cast<char>('a' + thread));
}
inline uint8_t thread_of(const std::string& name) { return static_cast<uint8_t>(name[0] - 'a'); }

/// A lease as the authority counts it, and as its holder may count on it: a holder's clock may be 1
/// % slow while the taker's is 1 % fast.
inline constexpr int64_t k_lease = 20'000;
inline constexpr int64_t k_lease_safe = k_lease * 97 / 100;
inline constexpr int64_t k_drift_ppm_max = 10'000;

/// How often what goes wrong, in thousandths; drawn from the seed, all zero once healed.
struct Rates {
  uint32_t request_lost = 0;
  uint32_t response_lost = 0;
  uint32_t duplicate = 0;  ///< a request is sent to two nodes at once
  uint32_t not_written = 0;
  uint32_t unknown_lost = 0;     ///< outcome unknown, never written
  uint32_t unknown_written = 0;  ///< outcome unknown, written
  uint32_t unknown_late = 0;     ///< outcome unknown, reaches storage long after
  uint32_t slow = 0;
  uint32_t load_fails = 0;
  uint32_t grant_lost = 0;
  uint32_t steal = 0;  ///< a node takes a shard whose lease ran out
  uint32_t crash = 0;
  uint32_t pause = 0;
  uint32_t cut_off = 0;  ///< from the lease authority
  uint32_t clock_jump = 0;
  uint32_t passivate = 0;
};

Rates draw_rates(Rng& rng);
Limits draw_limits(Rng& rng);

/// What a mutant has broken. All guards on and nothing broken: the system as it is.
struct Mutations {
  bool fence = true;                ///< storage refuses a lower epoch
  bool version_check = true;        ///< storage refuses an unexpected version
  bool raise_after_unknown = true;  ///< a write of unknown outcome ends the epoch
  bool answer_before_ack = false;
  bool no_dedup = false;
  bool unknown_told_not_done = false;  ///< clients are told that nothing was done
  bool reads_not_held = false;
  bool no_lease = false;
  bool lease_from_reply = false;  ///< counted from the grant's arrival, not from before its request
  bool survive_unknown = false;   ///< the activation goes on with what it has in memory
  bool late_write_accepted = false;
  bool drop_too_much = false;
  bool snapshot_ahead = false;  ///< of what is still being written
  bool watch_skips_one = false;
  bool only_version_check_promised = false;  ///< not asked: I5, I7, watches' ends
  bool no_deletions = false;                 ///< no version is ever used twice
  bool early_release = false;                ///< of a fork that may still be created, or was
};

}  // namespace parley::sim
