#include "services/cli/nearest.hpp"

#include <algorithm>
#include <numeric>

namespace parley::cli {
namespace {

/// Letters to put in, take out or exchange to make one word of the other.
size_t distance(const std::string& a, const std::string& b) {
  std::vector<size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), size_t{0});
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t exchanged = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, exchanged});
    }
  }
  return row.back();
}

}  // namespace

std::string nearest_word(const std::string& typed, const std::vector<std::string>& known) {
  std::string best;
  size_t least = (typed.size() + 2) / 3 + 1;
  for (const auto& word : known) {
    const size_t away = distance(typed, word);
    if (away >= least) continue;
    least = away;
    best = word;
  }
  return best;
}

}  // namespace parley::cli
