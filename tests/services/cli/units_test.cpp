#include "services/cli/units.hpp"

#include <gtest/gtest.h>

#include "services/cli/backoff.hpp"
#include "services/cli/terminal_text.hpp"

namespace parley::cli {
namespace {

TEST(Units, ReadsDurationsWithAndWithoutUnit) {
  EXPECT_EQ(*parse_duration("30"), std::chrono::seconds(30));
  EXPECT_EQ(*parse_duration("1.5s"), std::chrono::milliseconds(1500));
  EXPECT_EQ(*parse_duration("500ms"), std::chrono::milliseconds(500));
  EXPECT_EQ(*parse_duration("250us"), Micros(250));
  EXPECT_EQ(*parse_duration("2m"), std::chrono::minutes(2));
  EXPECT_EQ(*parse_duration("1 h"), std::chrono::hours(1));
}

TEST(Units, RefusesDurationsThatMakeNoSense) {
  for (const char* text : {"", "s", "-1s", "5 days", "1e3", "nan", "1.2.3", "9999999999999h"}) {
    EXPECT_FALSE(parse_duration(text).ok()) << text;
  }
}

TEST(Units, ReadsSizesInPowersOf1024) {
  EXPECT_EQ(*parse_size("200"), 200u);
  EXPECT_EQ(*parse_size("64k"), 64u << 10);
  EXPECT_EQ(*parse_size("4MiB"), 4u << 20);
  EXPECT_EQ(*parse_size("1.5G"), 3ull << 29);
  for (const char* text : {"", "k", "-1", "1x", "1kk"}) EXPECT_FALSE(parse_size(text).ok()) << text;
}

TEST(Units, WritesDurationsWithThreeDigits) {
  EXPECT_EQ(format_duration(Micros(830)), "830 us");
  EXPECT_EQ(format_duration(Micros(12'340)), "12.3 ms");
  EXPECT_EQ(format_duration(Micros(4'200'000)), "4.20 s");
  EXPECT_EQ(format_duration(std::chrono::seconds(125)), "2 min 05 s");
  EXPECT_EQ(format_duration(std::chrono::minutes(200)), "3 h 20 min");
}

TEST(Units, WritesBytesAndCounts) {
  EXPECT_EQ(format_bytes(512), "512 B");
  EXPECT_EQ(format_bytes(1536), "1.50 KiB");
  EXPECT_EQ(format_bytes(30'800'000), "29.4 MiB");
  EXPECT_EQ(format_count(0), "0");
  EXPECT_EQ(format_count(999), "999");
  EXPECT_EQ(format_count(14'805), "14,805");
  EXPECT_EQ(format_count(1'000'000), "1,000,000");
}

TEST(Backoff, StaysWithinADoublingBoundAndHonoursWhatTheServerAsks) {
  std::mt19937_64 random(7);
  Backoff backoff(Micros(100), Micros(350));
  for (const int64_t bound : {100, 200, 350, 350}) {
    EXPECT_EQ(backoff.bound().count(), bound);
    const Micros wait = backoff.next(random);
    EXPECT_GE(wait.count(), 0);
    EXPECT_LE(wait.count(), bound);
  }
  EXPECT_EQ(backoff.next(random, Micros(5000)), Micros(5000));
  backoff.reset();
  EXPECT_LE(backoff.next(random), Micros(100));
}

TEST(TerminalText, ShowsWhatWouldSteerTheTerminal) {
  EXPECT_EQ(printable("a\033[31mb", true), "a\\u001b[31mb");
  EXPECT_EQ(printable("a\nb\tc", true), "a\nb\tc");
  EXPECT_EQ(printable("a\nb\tc", false), "a\\nb\\tc");
  EXPECT_EQ(printable("\xff\xfe", false), "\\xff\\xfe");
  EXPECT_EQ(printable("\xe2\x80\xae", false), "\\u202e");
  EXPECT_EQ(printable("grüße 你好 😊", false), "grüße 你好 😊");
}

TEST(TerminalText, CountsColumnsOfWideCharacters) {
  EXPECT_EQ(display_width("abc"), 3u);
  EXPECT_EQ(display_width("你好"), 4u);
  EXPECT_EQ(display_width("😊"), 2u);
  EXPECT_EQ(display_width("e\xcc\x81"), 1u);
}

TEST(TerminalText, CutsAndFillsToColumns) {
  EXPECT_EQ(fit("abc", 5), "abc  ");
  EXPECT_EQ(fit("abcdef", 4), "abc…");
  EXPECT_EQ(display_width(fit("你好你好", 4)), 4u);
  EXPECT_EQ(indented("a\nb\n", 2), "  a\n  b\n");
}

}  // namespace
}  // namespace parley::cli
