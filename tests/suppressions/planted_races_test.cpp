#include <atomic>
#include <cstdlib>
#include <thread>

#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <caf/event_based_actor.hpp>
#include <caf/send.hpp>
#include <grpcpp/alarm.h>
#include <grpcpp/completion_queue.h>
#include <gtest/gtest.h>

#include "actors/messages.hpp"

namespace parley {
namespace {

constexpr int k_exit_code = 66;  ///< the sanitizer's own, after a report

/// Lets one thread go on after another without ordering what they do: only a lock, a message or an
/// event may do that.
class Unordered {
 public:
  void reached() { reached_.store(true, std::memory_order_relaxed); }
  void await() const {
    while (!reached_.load(std::memory_order_relaxed)) std::this_thread::yield();
  }

 private:
  std::atomic<bool> reached_{false};
};

void touch_what_an_actor_owns() {
  caf::actor_system_config config;
  caf::actor_system system(config);
  int steps = 0;
  Unordered stepped;
  const auto start = [&](caf::event_based_actor*, int first) -> caf::behavior {
    steps = first;
    return {[&](LoadMessage) {
      ++steps;
      stepped.reached();
    }};
  };
  caf::anon_send(system.spawn(start, 1), LoadMessage{});
  stepped.await();
  ++steps;
}

void touch_what_a_queues_thread_owns() {
  grpc::CompletionQueue queue;
  grpc::Alarm alarm;
  int events = 0;
  Unordered served;
  std::thread server([&] {
    void* tag = nullptr;
    bool ok = false;
    while (queue.Next(&tag, &ok)) {
      ++events;
      served.reached();
    }
  });
  alarm.Set(&queue, gpr_inf_past(GPR_CLOCK_MONOTONIC), &events);
  served.await();
  ++events;
  queue.Shutdown();
  server.join();
}

class PlantedRaces : public testing::Test {
 protected:
  // Why: the other style forks, which does not go together with threads.
  void SetUp() override { GTEST_FLAG_SET(death_test_style, "threadsafe"); }
};

TEST_F(PlantedRaces, AreFoundInWhatAnActorOwns) {
  EXPECT_EXIT((touch_what_an_actor_owns(), std::exit(EXIT_SUCCESS)),
              testing::ExitedWithCode(k_exit_code), "data race.*touch_what_an_actor_owns");
}

TEST_F(PlantedRaces, AreFoundInWhatAQueuesThreadOwns) {
  EXPECT_EXIT((touch_what_a_queues_thread_owns(), std::exit(EXIT_SUCCESS)),
              testing::ExitedWithCode(k_exit_code), "data race.*touch_what_a_queues_thread_owns");
}

}  // namespace
}  // namespace parley
