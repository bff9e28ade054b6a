#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <string>
#include <vector>

#include "tests/fuzz/input.hpp"

/// Runs a fuzz target without a fuzzer: over a corpus, and over mutants of it that are the same in
/// every run. Usage: fuzz_x_corpus FOLDER [MUTANTS_PER_FILE]
namespace {

void run(const std::string& input) {
  LLVMFuzzerTestOneInput(reinterpret_cast<const uint8_t*>(input.data()), input.size());
}

std::string mutant(std::string input, std::mt19937_64& chance) {
  for (auto changes = 1 + chance() % 4; changes > 0 && !input.empty(); --changes) {
    const auto at = static_cast<size_t>(chance() % input.size());
    switch (chance() % 4) {
      case 0:
        input.resize(at);
        break;
      case 1:
        input.insert(at, 1, static_cast<char>(chance()));
        break;
      case 2:
        input.erase(at, 1 + chance() % 8);
        break;
      default:
        input[at] = static_cast<char>(chance());
    }
  }
  return input;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: %s FOLDER [MUTANTS_PER_FILE]\n", argv[0]);
    return 2;
  }
  const int mutants = argc > 2 ? std::atoi(argv[2]) : 0;
  std::vector<std::filesystem::path> paths;
  for (const auto& entry : std::filesystem::directory_iterator(argv[1]))
    paths.push_back(entry.path());
  std::sort(paths.begin(), paths.end());
  for (const auto& path : paths) {
    std::ifstream file(path, std::ios::binary);
    const std::string input{std::istreambuf_iterator<char>(file), {}};
    std::mt19937_64 chance(input.size());
    run(input);
    for (int i = 0; i < mutants; ++i) run(mutant(input, chance));
  }
  std::printf("%zu inputs, %d mutants of each\n", paths.size(), mutants);
  return paths.empty() ? 1 : 0;
}
