#include "base/hash.hpp"

#include <cstring>

#include <xxhash.h>

namespace parley {

uint64_t hash64(std::string_view bytes, uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

Id128 hash128(std::string_view bytes, uint64_t seed) {
  XXH128_canonical_t canonical;
  XXH128_canonicalFromHash(&canonical, XXH3_128bits_withSeed(bytes.data(), bytes.size(), seed));
  Id128 id;
  std::memcpy(id.bytes.data(), canonical.digest, id.bytes.size());
  return id;
}

}  // namespace parley
