#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "cluster/shard_gate.hpp"
#include "conversation/engine.hpp"
#include "tests/sim/shared/wire.hpp"

namespace parley::sim::shared {

/// What a client hears.
struct Reply {
  enum class Kind : uint8_t { shown, acknowledged, refused, unknown };
  Kind kind = Kind::refused;
  uint64_t version = 0;
};

/// What a client wants of a shard's one conversation.
struct Call {
  Shard shard;
  uint64_t write = 0;  ///< 0: a read
  std::function<void(Reply)> reply;
  SteadyTime begun;  ///< by the process's clock
};

/// How a process serves its shards: lets calls through, holds them, or turns them away; loads a
/// conversation when the first call comes, and answers reads from memory while the lease runs.
///
/// As NodeGate, Registry, ConversationShell and PostgresJournal do it together, told shortly: a
/// conversation that is put away ends when what was let through has been answered; a read tests its
/// clock's time of before it looked against the lease as it is then; reads that come while a write
/// is under way are answered after it, and with it; after a write of unknown outcome the epoch is
/// raised before anything is loaded.
class ProcessShards final : public ShardGate {
 public:
  explicit ProcessShards(Process& process);
  ~ProcessShards() override;

  void arrive(Call call);
  void hold(Shard shard, std::function<void()> held) override;
  void resume(Shard shard) override;
  Status serve(Shard shard, Epoch epoch) override;
  Status stop_serving(Shard shard, const NodeName& to, Epoch epoch) override;
  void when_quiet(Shard shard, std::function<void()> quiet) override;

  /// Lets calls through.
  [[nodiscard]] bool serves(Shard shard) const { return here_[shard.value].use == Use::served; }
  [[nodiscard]] Epoch epoch(Shard shard) const { return here_[shard.value].epoch; }
  [[nodiscard]] Wire& wire() { return wire_; }

 private:
  enum class Use : uint8_t { elsewhere, served, held };
  struct Activation;
  struct Here {
    Use use = Use::elsewhere;
    Epoch epoch;             ///< under which the journal is written to
    bool uncertain = false;  ///< what became of a write
    std::unique_ptr<Activation> activation;
    std::vector<Call> held;
    std::vector<Call> waiting;  ///< for the activation's end
  };
  Here& here(Shard shard) { return here_[shard.value]; }
  void admit(Call call);
  void admit_all(std::vector<Call> calls);
  void put_away(Shard shard, std::function<void()> ended);
  void activate(Shard shard);
  void loaded(Shard shard, Told told, uint64_t version);
  void handle(Call call);
  void read(Call call);
  void answer_read(const Call& call, SteadyTime asked);
  void send_next(Shard shard);
  void written(const Call& call, WriteOutcome outcome);
  void abandon(Shard shard);
  void finish(const Call& call, Reply reply);
  void end_if_quiet(Shard shard);
  void raise(Shard shard);

  Process& process_;
  Wire wire_;
  std::vector<Here> here_;
};

}  // namespace parley::sim::shared
