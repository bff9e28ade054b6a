#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "bench/caller.hpp"

namespace parley::bench {

struct Request {
  Method method = Method::echo;
  std::string bytes;
};

/// Makes the request number n of a run.
using NextRequest = std::function<void(uint64_t number, Request& request)>;

/// Which conversations a workload is about: "PREFIX-0000000", "PREFIX-0000001", ...
struct Crowd {
  std::string prefix;
  uint64_t count = 1;
  [[nodiscard]] std::string thread(uint64_t number) const;
};

struct AppendShape {
  int messages = 1;
  size_t message_bytes = 200;
  bool request_ids = true;
  bool create_if_missing = false;
};

/// Appends to the conversations round robin, with messages of English words.
NextRequest appends(const Crowd& crowd, const AppendShape& shape = {});
/// Reads the conversations round robin; each step of `stride` further on.
NextRequest gets(const Crowd& crowd, int message_limit, uint64_t stride = 1);
/// Echoes whose messages have exactly these sizes (of at least a few bytes).
NextRequest echoes(size_t request_bytes, size_t answer_bytes, bool apart);

/// `bytes` of words, other ones for another seed.
std::string words(size_t bytes, uint64_t seed);

}  // namespace parley::bench
