#include "tests/sim/shared/judge.hpp"

#include "tests/sim/shared/process.hpp"

namespace parley::sim::shared {
namespace {

std::string name(Shard shard) { return "shard " + std::to_string(shard.value); }
std::string name(uint32_t process) { return "process " + std::to_string(process); }

}  // namespace

Stats& Stats::operator+=(const Stats& other) {
  const auto* from = reinterpret_cast<const uint64_t*>(&other);
  auto* into = reinterpret_cast<uint64_t*>(this);
  for (size_t i = 0; i < sizeof(Stats) / sizeof(uint64_t); ++i) into[i] += from[i];
  return *this;
}

void Judge::serves(uint32_t process, Shard shard, Epoch epoch) {
  const auto [owner, first] = owners_.try_emplace({shard.value, epoch.value}, process);
  if (!first && owner->second != process) {
    broken("I17", name(shard) + " is served under epoch " + std::to_string(epoch.value) + " by " +
                      name(process) + " and by " + name(owner->second));
  }
  uint64_t& last = served_[{process, shard.value}];
  if (epoch.value < last) {
    broken("I7", name(process) + " serves " + name(shard) + " under epoch " +
                     std::to_string(epoch.value) + " after " + std::to_string(last));
  }
  last = epoch.value;
}

void Judge::acknowledged(uint32_t process, Shard shard, uint64_t version, uint64_t write) {
  const auto& log = database_.log(shard);
  if (version > log.size() || log[version - 1].write != write) {
    return broken("I1", "a write to " + name(shard) + " that was acknowledged is not there");
  }
  const Entry& entry = log[version - 1];
  if (entry.epoch < entry.epoch_then) {
    broken("I7", "a write to " + name(shard) + " was acknowledged under an epoch that was over");
  }
  if (process_of(entry.owner_then) != process) {
    broken("I17", "a write to " + name(shard) + " was acknowledged by " + name(process) +
                      ", which did not own it");
  }
  auto& all = acknowledged_[shard.value];
  if (all.size() < version) all.resize(version);
  all[version - 1] = write;
}

void Judge::read(uint32_t process, Shard shard, uint64_t floor, uint64_t version) {
  if (version >= floor) return;
  broken("I5", name(process) + " shows version " + std::to_string(version) + " of " + name(shard) +
                   " after version " + std::to_string(floor) + " was acknowledged");
}

void Judge::at_the_end() {
  for (uint16_t i = 0; i < k_shards; ++i) {
    const auto& log = database_.log({i});
    for (size_t at = 0; at < acknowledged_[i].size(); ++at) {
      const uint64_t write = acknowledged_[i][at];
      if (write != 0 && (at >= log.size() || log[at].write != write)) {
        broken("I1", "an acknowledged write to " + name(Shard{i}) + " is gone");
      }
    }
    for (size_t at = 1; at < log.size(); ++at) {
      if (log[at].epoch < log[at - 1].epoch) broken("I7", "epochs go back in " + name(Shard{i}));
    }
  }
}

}  // namespace parley::sim::shared
