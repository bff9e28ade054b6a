#include "base/hash.hpp"

#include <string>

#include <gtest/gtest.h>

namespace parley {
namespace {

// The values are part of the storage format: these are XXH3's published test values for empty
// input.
TEST(Hash, GivesTheKnownValuesOfXxh3) {
  EXPECT_EQ(hash64(""), 0x2d06800538d394c2U);
  EXPECT_EQ(hash128("").hex(), "99aa06d3014798d86001c324468d497f");
}

TEST(Hash, DependsOnEveryByteAndTheSeed) {
  EXPECT_EQ(hash64("parley", 1), hash64("parley", 1));
  EXPECT_NE(hash64("parley", 1), hash64("parley", 2));
  EXPECT_NE(hash64("parley"), hash64("parlez"));
  EXPECT_NE(hash64(std::string("a\0b", 3)), hash64("a"));
  EXPECT_NE(hash128("parley", 1), hash128("parley", 2));
}

}  // namespace
}  // namespace parley
