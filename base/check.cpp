#include "base/check.hpp"

#include <cstdio>
#include <cstdlib>

namespace parley {

void check_failed(const char* condition, const char* file, int line) noexcept {
  std::fprintf(stderr, "parley: check failed: %s at %s:%d\n", condition, file, line);
  std::fflush(stderr);
  std::abort();
}

}  // namespace parley
