#include "storage/write_gate.hpp"

#include <atomic>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace parley::test {
namespace {

TEST(WriteGate, NobodyIsInsideWhileItIsShut) {
  constexpr int k_writers = 4;
  constexpr int k_rounds = 200;
  WriteGate gate;
  std::atomic<bool> done{false};
  std::atomic<int> inside{0};
  std::atomic<int> passed{0};
  std::vector<std::thread> writers;
  for (int i = 0; i < k_writers; ++i) {
    writers.emplace_back([&] {
      while (!done) {
        gate.enter();
        ++inside;
        ++passed;
        --inside;
        gate.leave();
      }
    });
  }
  for (int i = 0; i < k_rounds; ++i) {
    gate.shut();
    const int before = passed;
    std::this_thread::yield();
    EXPECT_EQ(inside, 0);
    EXPECT_EQ(passed, before);
    gate.open();
    while (passed == before) std::this_thread::yield();
  }
  done = true;
  for (std::thread& writer : writers) writer.join();
}

TEST(WriteGate, AnyThreadOpensItAndOnceMoreDoesNothing) {
  WriteGate gate;
  gate.shut();
  std::thread([&] { gate.open(); }).join();
  gate.open();
  gate.enter();
  gate.leave();
  gate.shut();
  gate.open();
}

// A scrub of many ranges kept the applier out until it was over.
TEST(WriteGate, WhoWaitedGetsInBeforeItIsShutAgain) {
  constexpr int k_rounds = 500;
  WriteGate gate;
  std::atomic<int> passed{0};
  gate.shut();
  std::thread writer([&] {
    for (int i = 0; i < k_rounds; ++i) {
      gate.enter();
      ++passed;
      gate.leave();
    }
  });
  for (int i = 0; i < k_rounds; ++i) {
    while (!gate.awaited() && passed < k_rounds) std::this_thread::yield();
    const int before = passed;
    gate.open();
    gate.shut();
    EXPECT_TRUE(passed > before || passed == k_rounds);
  }
  gate.open();
  writer.join();
}

}  // namespace
}  // namespace parley::test
