#include "tests/support/temp_dir.hpp"

#include <cstdint>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <system_error>

namespace parley::test {
namespace {

constexpr uintmax_t k_enough_bytes = 2ULL << 30;

}  // namespace

TempDir::TempDir(const std::filesystem::path& base) {
  std::string name = (base / "parley-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary directory: " + name);
  path_ = name;
}

std::filesystem::path TempDir::fast_base() {
  const std::filesystem::path memory = "/dev/shm";
  std::error_code error;
  const auto room = std::filesystem::space(memory, error);
  const bool enough = !error && room.available >= k_enough_bytes;
  return enough ? memory : std::filesystem::temp_directory_path();
}

TempDir::~TempDir() {
  std::error_code ignored;  // Why: what is left behind in a temporary directory harms nobody.
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace parley::test
