#pragma once

#include <cstdint>
#include <fcntl.h>
#include <string>
#include <unistd.h>

#include <gtest/gtest.h>

namespace parley::test {

/// Tells a preloaded library a number, of which it has the file mapped: in place.
inline void write_number(const std::string& path, int64_t number) {
  const int file = open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
  EXPECT_EQ(pwrite(file, &number, sizeof number, 0), static_cast<ssize_t>(sizeof number)) << path;
  close(file);
}

}  // namespace parley::test
