#pragma once

#include <string_view>
#include <utility>
#include <vector>

namespace parley {

/// The files of services/providers/catalogue: names and texts. Made when the program is built.
std::vector<std::pair<std::string_view, std::string_view>> catalogue_files();

}  // namespace parley
