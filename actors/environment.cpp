#include "actors/environment.hpp"

#include <ctime>
#include <sys/random.h>

#include "base/check.hpp"

namespace parley {
namespace {

int64_t micros(clockid_t clock) {
  timespec now{};
  PARLEY_CHECK(clock_gettime(clock, &now) == 0);
  return int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1'000;
}

}  // namespace

WallTime SystemClock::wall() const { return {micros(CLOCK_REALTIME)}; }
SteadyTime SystemClock::steady() const { return {micros(CLOCK_BOOTTIME)}; }

Id128 RandomIds::fresh() {
  // Why: one system call for many ids; a call per request would show on the hot path.
  thread_local std::array<Id128, 64> stock;
  thread_local size_t left = 0;
  if (left == 0) {
    // Up to 256 bytes are never short; the stock is larger, so it is filled in pieces.
    auto* bytes = reinterpret_cast<char*>(stock.data());
    for (size_t done = 0; done < sizeof(stock); done += 256) {
      PARLEY_CHECK(getrandom(bytes + done, 256, 0) == 256);
    }
    left = stock.size();
  }
  Id128 id = stock[--left];
  id.bytes[6] = static_cast<uint8_t>((id.bytes[6] & 0x0f) | 0x40);
  id.bytes[8] = static_cast<uint8_t>((id.bytes[8] & 0x3f) | 0x80);
  return id;
}

Resumer*& resumer_here() {
  thread_local Resumer* here = nullptr;
  return here;
}

}  // namespace parley
