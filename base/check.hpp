#pragma once

namespace parley {

[[noreturn]] void check_failed(const char* condition, const char* file, int line) noexcept;

}  // namespace parley

/// Ends the process when our own reasoning is wrong. Stays on in release. Never for what comes from
/// the network or a disk: that is an error value.
#define PARLEY_CHECK(condition)                 \
  (__builtin_expect(!!(condition), 1) ? (void)0 \
                                      : ::parley::check_failed(#condition, __FILE__, __LINE__))
