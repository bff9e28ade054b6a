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

}  // namespace
}  // namespace parley::test
