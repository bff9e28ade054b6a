#include "services/providers/event_frames.hpp"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>
#include <zlib.h>

#include <gtest/gtest.h>

namespace parley {
namespace {

std::string big_endian(uint64_t value, int bytes) {
  std::string out;
  for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>(value >> (8 * i));
  return out;
}

std::string checksum(const std::string& bytes) {
  return big_endian(
      crc32(0, reinterpret_cast<const Bytef*>(bytes.data()), static_cast<uInt>(bytes.size())), 4);
}

std::string header(const std::string& name, char type, const std::string& value) {
  return big_endian(name.size(), 1) + name + type + value;
}

std::string text(const std::string& value) { return big_endian(value.size(), 2) + value; }

std::string frame(const std::string& headers, const std::string& payload) {
  const std::string lengths =
      big_endian(16 + headers.size() + payload.size(), 4) + big_endian(headers.size(), 4);
  const std::string all = lengths + checksum(lengths) + headers + payload;
  return all + checksum(all);
}

TEST(EventFrames, AreReadOneByOne) {
  const auto frames = event_frames(frame(header(":event-type", 7, text("messageStop")), "{}") +
                                   frame(header(":event-type", 7, text("metadata")), "{\"a\":1}"));
  ASSERT_TRUE(frames.ok()) << frames.status();
  ASSERT_EQ(frames->size(), 2U);
  EXPECT_EQ((*frames)[0].headers.at(":event-type"), "messageStop");
  EXPECT_EQ((*frames)[1].payload, "{\"a\":1}");
}

TEST(EventFrames, MayHaveHeadersOfEveryType) {
  const std::string headers = header("t", 0, "") + header("f", 1, "") + header("b", 2, "x") +
                              header("s", 3, "xx") + header("i", 4, "xxxx") +
                              header("l", 5, "xxxxxxxx") + header("y", 6, text("abc")) +
                              header("d", 8, "xxxxxxxx") + header("u", 9, std::string(16, 'u')) +
                              header("n", 7, text("name"));
  const auto frames = event_frames(frame(headers, "p"));
  ASSERT_TRUE(frames.ok()) << frames.status();
  EXPECT_EQ(frames->front().headers, (std::map<std::string, std::string>{{"n", "name"}}));
}

TEST(EventFrames, LeaveOutOneThatIsBrokenOff) {
  const std::string whole = frame("", "one");
  const auto frames = event_frames(whole + whole.substr(0, whole.size() - 1));
  ASSERT_TRUE(frames.ok()) << frames.status();
  EXPECT_EQ(frames->size(), 1U);
}

TEST(EventFrames, AreRefusedWhereABitIsWrong) {
  const std::string whole = frame(header(":event-type", 7, text("metadata")), "{\"a\":1}");
  for (size_t at = 0; at < whole.size(); ++at) {
    std::string wrong = whole;
    wrong[at] = static_cast<char>(wrong[at] ^ 1);
    const auto frames = event_frames(wrong);
    EXPECT_TRUE(!frames.ok() || frames->empty()) << at;
  }
}

TEST(EventFrames, AreRefusedWhereLengthsMakeNoSense) {
  const std::string lengths = big_endian(20, 4) + big_endian(4'000'000'000, 4);
  const auto frames = event_frames(lengths + checksum(lengths) + std::string(100, 'x'));
  EXPECT_EQ(frames.status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace parley
