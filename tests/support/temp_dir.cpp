#include "tests/support/temp_dir.hpp"

#include <cstdlib>
#include <stdexcept>
#include <string>

namespace parley::test {

TempDir::TempDir() {
  std::string name = (std::filesystem::temp_directory_path() / "parley-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr) throw std::runtime_error("no temporary directory: " + name);
  path_ = name;
}

TempDir::~TempDir() {
  std::error_code ignored;  // Why: what is left behind in a temporary directory harms nobody.
  std::filesystem::remove_all(path_, ignored);
}

}  // namespace parley::test
