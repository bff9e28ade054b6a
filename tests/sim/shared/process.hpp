#pragma once

#include <deque>
#include <memory>
#include <string>

#include "cluster/lease_machine.hpp"
#include "tests/sim/shared/agenda.hpp"
#include "tests/sim/shared/fiber.hpp"
#include "tests/sim/shared/judge.hpp"
#include "tests/sim/shared/process_shards.hpp"
#include "tests/sim/shared/process_table.hpp"
#include "tests/sim/shared/settings.hpp"
#include "tests/sim/shared/wire.hpp"

namespace parley::sim::shared {

/// The other processes, as far as one has to do with them.
class Others {
 public:
  virtual ~Others() = default;
  virtual void tell_to_look(const NodeName& node) = 0;
  /// Some other process may answer for this shard from its memory, right now.
  [[nodiscard]] virtual bool others_answer(const Process& but, Shard shard) const = 0;
};

/// What all processes share.
struct Around {
  Agenda& agenda;
  const Rates& rates;
  const Mutations& mutations;
  Database& database;
  Judge& judge;
  Stats& stats;
  Others& others;
};

/// The process that makes up an incarnation's id.
uint32_t process_of(const Id128& incarnation);

/// One start of a node: the real LeaseMachine on a thread of its own (a fiber), the shards that it
/// lets calls through to, a clock, and two sessions with the database.
///
/// Owned by the world, for the whole run. It may be paused as a whole, as by SIGSTOP; its keeper's
/// thread, and each client's call, may also stand still alone. Once dead it does and hears nothing.
class Process final : public LeaseHost, public Neighbourhood {
 public:
  Process(uint32_t number, std::string node, Around around);

  // ---- for the world
  void die();
  void pause_until(int64_t until) { paused_until_ = until; }
  void cut(bool requests, bool answers, int64_t until);
  void set_wall_offset(int64_t offset) { wall_offset_ = offset; }
  /// As by SIGTERM: gives everything away, for so long at most, then ends.
  void drain(int64_t most);
  void look_now() {
    post([this] { machine_.round(); });
  }
  [[nodiscard]] uint32_t number() const { return number_; }
  [[nodiscard]] const std::string& node() const { return node_; }
  [[nodiscard]] bool dead() const { return dead_; }
  [[nodiscard]] bool leaving() const { return leaving_; }
  [[nodiscard]] bool paused() const;
  [[nodiscard]] bool lease_runs() const { return steady().micros < lease_until_; }
  [[nodiscard]] ProcessShards& shards() { return shards_; }
  [[nodiscard]] const ProcessShards& shards() const { return shards_; }

  // ---- for its parts
  [[nodiscard]] const Around& around() const { return around_; }
  [[nodiscard]] SteadyTime steady() const;
  [[nodiscard]] int64_t lease_until_micros() const { return lease_until_; }
  /// Runs it then, or when the pause is over that this falls into; never once it is dead.
  void deliver(int64_t delay, Agenda::Job job);
  /// In the keeper's thread: it may stand still here.
  void stumble();
  /// In the keeper's thread: until `wake` is called with this number.
  uint64_t next_wait() { return ++wait_; }
  void wait();
  void wake(uint64_t wait);

  // ---- for the machine
  void post(std::function<void()> job) override;
  void lease_until(SteadyTime until) override;
  void show(View view) override;
  void silent(const Member& member) override;
  void buried() override;
  void table_fails(const Status& why) override;
  void members(const std::vector<Member>& members) override;
  void owned_elsewhere(Shard shard, const NodeName& owner, Epoch epoch) override;
  void tell_to_look(const NodeName& node) override;

 private:
  LeaseMachine::Options options();
  void live();
  void sleep(int64_t time);
  [[nodiscard]] bool drained() const;

  const uint32_t number_;
  const std::string node_;
  const Around around_;
  const int64_t clock_offset_;
  const int64_t drift_ppm_;
  int64_t wall_offset_ = 0;
  int64_t lease_until_ = 0;
  int64_t paused_until_ = 0;
  int64_t drained_by_ = 0;
  bool leaving_ = false;
  bool dead_ = false;
  bool idle_ = false;
  uint64_t wait_ = 0;
  uint8_t incarnations_ = 1;
  View view_;
  std::deque<std::function<void()>> jobs_;
  ProcessShards shards_;
  ProcessTable table_;
  LeaseMachine machine_;
  Fiber keeper_;
};

}  // namespace parley::sim::shared
