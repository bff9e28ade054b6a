#pragma once

#include <cstdlib>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>

namespace parley {

/// What the README has between <!-- name --> and <!-- /name -->, absent where it lacks them. With
/// the environment's PARLEY_REWRITE set, `wanted` is put there first: that is how the README gets
/// it.
inline std::optional<std::string> readme_table(const std::string& name, const std::string& wanted) {
  const char* source = std::getenv("PARLEY_SOURCE");
  if (source == nullptr) return std::nullopt;
  const std::string path = std::string(source) + "/README.md";
  std::ostringstream all;
  all << std::ifstream(path).rdbuf();
  std::string text = all.str();
  const std::string opening = "<!-- " + name + " -->\n";
  const size_t marker = text.find(opening);
  const size_t end = text.find("<!-- /" + name + " -->", marker);
  if (marker == std::string::npos || end == std::string::npos) return std::nullopt;
  const size_t begin = marker + opening.size();
  if (std::getenv("PARLEY_REWRITE") == nullptr) return text.substr(begin, end - begin);
  text.replace(begin, end - begin, wanted);
  std::ofstream(path) << text;
  return wanted;
}

}  // namespace parley
