#pragma once

#include <cstdint>
#include <cstdlib>

namespace parley::test {

/// What the environment says, for a run that is to be repeated or made longer.
inline uint64_t number_from(const char* variable, uint64_t otherwise) {
  const char* text = std::getenv(variable);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

}  // namespace parley::test
