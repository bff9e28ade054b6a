#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <variant>

#include "conversation/limits.hpp"

namespace parley {

/// A bound that a server may be started with another value of, and from where to where.
struct SettableLimit {
  const char* name;  ///< of the member of Limits
  const char* flag;
  std::variant<size_t Limits::*, int64_t Limits::*> member;
  int64_t least;
  int64_t most;
  const char* help;
};
std::span<const SettableLimit> settable_limits();

int64_t value_of(const Limits& limits, const SettableLimit& limit);
/// `value` is within the limit's range.
void set_limit(Limits& limits, const SettableLimit& limit, int64_t value);

/// Every bound with its default, what it may be set to, and its meaning, as the README shows it
/// between its markers.
std::string limits_table_markdown(const Limits& limits = {});

}  // namespace parley
