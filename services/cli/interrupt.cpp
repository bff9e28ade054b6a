#include "services/cli/interrupt.hpp"

#include <csignal>
#include <thread>

namespace parley::cli {
namespace {

volatile std::sig_atomic_t raised = 0;

void on_signal(int number) {
  raised = 1;
  std::signal(number, SIG_DFL);
}

}  // namespace

InterruptScope::InterruptScope() {
  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);
}

InterruptScope::~InterruptScope() {
  std::signal(SIGINT, SIG_DFL);
  std::signal(SIGTERM, SIG_DFL);
}

bool interrupted() { return raised != 0; }

bool wait_for(Micros duration) {
  const auto end = std::chrono::steady_clock::now() + duration;
  constexpr Micros k_look(50'000);
  while (!interrupted()) {
    const auto left = std::chrono::duration_cast<Micros>(end - std::chrono::steady_clock::now());
    if (left.count() <= 0) return true;
    std::this_thread::sleep_for(std::min(left, k_look));
  }
  return false;
}

}  // namespace parley::cli
