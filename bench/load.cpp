#include "bench/load.hpp"

#include <algorithm>
#include <chrono>
#include <deque>
#include <string>
#include <vector>

#include "bench/failure.hpp"

namespace parley::bench {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::nanoseconds;

constexpr nanoseconds k_call_patience = std::chrono::seconds(30);

nanoseconds nanoseconds_of(double seconds) {
  return std::chrono::duration_cast<nanoseconds>(std::chrono::duration<double>(seconds));
}

void check(const Done& done) {
  if (!done.ok) fail("a call failed: " + done.error);
}

/// What is to be known of a call under way.
struct UnderWay {
  Clock::time_point since;
  Method method = Method::echo;
};

void note(LoadResult& result, const UnderWay& call, Clock::time_point now) {
  const auto latency = std::chrono::duration_cast<std::chrono::microseconds>(now - call.since);
  result.latency.add(latency);
  result.by_method[static_cast<size_t>(call.method)].add(latency);
}

}  // namespace

LoadResult run_closed(Caller& caller, const NextRequest& next, const ClosedLoop& loop) {
  LoadResult result;
  std::vector<UnderWay> slots(static_cast<size_t>(loop.in_flight));
  std::vector<Done> done;
  Request request;
  uint64_t begun = 0;
  uint64_t under_way = 0;
  auto now = Clock::now();
  const auto begin = [&](uint64_t slot) {
    next(begun, request);
    ++begun;
    ++under_way;
    slots[slot] = {now, request.method};
    caller.start(request.method, request.bytes, slot);
  };
  for (uint64_t slot = 0; slot < slots.size() && begun < loop.calls_max; ++slot) begin(slot);
  const auto measure_from = now + nanoseconds_of(loop.warm_up_seconds);
  const auto measure_to = measure_from + nanoseconds_of(loop.seconds);
  auto last_answer = now;
  while (under_way > 0) {
    done.clear();
    caller.poll(std::chrono::milliseconds(100), done);
    now = Clock::now();
    stop_if_interrupted();
    if (!done.empty()) last_answer = now;
    if (now - last_answer > k_call_patience) fail("no answer for 30 seconds");
    const bool measured = now >= measure_from && now < measure_to;
    if (measured) result.seconds = std::chrono::duration<double>(now - measure_from).count();
    for (const Done& one : done) {
      check(one);
      --under_way;
      ++result.calls_all;
      if (measured) {
        ++result.calls;
        note(result, slots[one.token], now);
      }
      result.answer_bytes = one.answer_bytes;
      if (now < measure_to && begun < loop.calls_max) begin(one.token);
    }
  }
  return result;
}

LoadResult run_open(Caller& caller, const NextRequest& next, double calls_per_second,
                    double seconds) {
  LoadResult result;
  std::deque<UnderWay> calls;  // by token
  std::vector<Done> done;
  Request request;
  const auto start = Clock::now();
  const auto total = static_cast<uint64_t>(calls_per_second * seconds);
  const auto due = [&](uint64_t number) {
    return start + nanoseconds_of(static_cast<double>(number) / calls_per_second);
  };
  while (result.calls_all < total) {
    auto now = Clock::now();
    while (calls.size() < total && due(calls.size()) <= now) {
      const uint64_t number = calls.size();
      next(number, request);
      calls.push_back({due(number), request.method});
      caller.start(request.method, request.bytes, number);
    }
    const auto wait = calls.size() < total ? due(calls.size()) - now : nanoseconds(50'000'000);
    done.clear();
    caller.poll(std::max(nanoseconds(0), wait), done);
    now = Clock::now();
    stop_if_interrupted();
    if (now > due(total) + k_call_patience) fail("no answer for 30 seconds");
    for (const Done& one : done) {
      check(one);
      ++result.calls_all;
      note(result, calls[one.token], now);
    }
  }
  result.calls = result.calls_all;
  result.seconds = std::chrono::duration<double>(Clock::now() - start).count();
  return result;
}

size_t call_once(Caller& caller, const Request& request) {
  std::vector<Done> done;
  caller.start(request.method, request.bytes, 0);
  const auto give_up = Clock::now() + k_call_patience;
  while (done.empty()) {
    if (Clock::now() > give_up) fail("no answer for 30 seconds");
    stop_if_interrupted();
    caller.poll(std::chrono::milliseconds(100), done);
  }
  check(done.front());
  return done.front().answer_bytes;
}

size_t call_once(Caller& caller, const NextRequest& next, uint64_t number) {
  Request request;
  next(number, request);
  return call_once(caller, request);
}

}  // namespace parley::bench
