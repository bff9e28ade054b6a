#pragma once

#include <string>
#include <vector>

namespace parley::cli {

/// The word among `known` that `typed` was most likely meant to be; empty where none is like it.
std::string nearest_word(const std::string& typed, const std::vector<std::string>& known);

}  // namespace parley::cli
