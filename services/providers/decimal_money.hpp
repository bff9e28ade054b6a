#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "conversation/model.hpp"

namespace parley {

/// What a decimal number says of dollars, to the billionth; what is finer is rounded, halves up.
/// Nothing where the text is no number, is negative, or is more than money's bounds hold.
/// `power`: the number counts so many powers of ten of a dollar, as ticks do.
std::optional<Money> dollars(std::string_view decimal, int power = 0);

}  // namespace parley
