#include "services/limits_table.hpp"

#include <algorithm>

#include <gtest/gtest.h>

#include "tests/services/readme_table.hpp"

namespace parley {
namespace {

TEST(LimitsTable, ShowsEveryLimitInReadableUnits) {
  const std::string table = limits_table_markdown();
  EXPECT_NE(table.find("| `message_bytes` | 1 MiB |"), std::string::npos) << table;
  EXPECT_NE(table.find("| `metadata_bytes` | 64 KiB |"), std::string::npos);
  EXPECT_NE(table.find("| `title_bytes` | 1,024 bytes |"), std::string::npos);
  EXPECT_NE(table.find("| `dedup_seconds` | 24 h |"), std::string::npos);
  EXPECT_NE(table.find("| `tokens` | 1,000,000,000,000 |"), std::string::npos);
  // Every member of Limits is eight bytes wide: none may be missing.
  EXPECT_EQ(static_cast<size_t>(std::count(table.begin(), table.end(), '\n')) - 2,
            sizeof(Limits) / 8);
}

TEST(LimitsTable, IsWhatTheReadmeShows) {
  const auto shown = readme_table("limits table", limits_table_markdown());
  if (!shown) GTEST_SKIP() << "README.md has no <!-- limits table --> with its end";
  EXPECT_EQ(*shown, limits_table_markdown());
}

}  // namespace
}  // namespace parley
