#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

/// What fuzz targets share: reading choices off an input, and failing so that a fuzzer notices.
namespace parley::fuzz {

/// Takes an input apart. Past its end all is zero, so that every input is a whole one.
class Input {
 public:
  Input(const uint8_t* data, size_t size) : rest_(reinterpret_cast<const char*>(data), size) {}

  [[nodiscard]] bool empty() const { return rest_.empty(); }
  [[nodiscard]] std::string_view rest() const { return rest_; }

  uint8_t byte() {
    if (rest_.empty()) return 0;
    const auto value = static_cast<uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return value;
  }
  size_t below(size_t bound) { return byte() % bound; }
  bool flip() { return below(2) == 1; }
  std::string_view bytes(size_t count) {
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(taken.size());
    return taken;
  }

 private:
  std::string_view rest_;
};

inline void expect(bool right, std::string_view what) {
  if (right) return;
  std::fprintf(stderr, "fuzz: violated: %.*s\n", static_cast<int>(what.size()), what.data());
  std::fflush(stderr);
  std::abort();
}

}  // namespace parley::fuzz

/// Each target defines it: libFuzzer's entry, called for every input. Aborts on a violation.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);
