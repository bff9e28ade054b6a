#include "services/limits_table.hpp"

#include <algorithm>

#include <gtest/gtest.h>

#include "tests/services/readme_table.hpp"

namespace parley {
namespace {

TEST(LimitsTable, ShowsEveryLimitInReadableUnits) {
  const std::string table = limits_table_markdown();
  EXPECT_NE(table.find("| `message_bytes` | 1 MiB |"), std::string::npos) << table;
  EXPECT_NE(table.find("| `--limit-message-bytes` 1,024 bytes to 64 MiB |"), std::string::npos);
  EXPECT_NE(table.find("| 64 | fixed | labels of"), std::string::npos);
  EXPECT_NE(table.find("| `metadata_bytes` | 64 KiB |"), std::string::npos);
  EXPECT_NE(table.find("| `title_bytes` | 1,024 bytes |"), std::string::npos);
  EXPECT_NE(table.find("| `dedup_seconds` | 24 h |"), std::string::npos);
  EXPECT_NE(table.find("| `tokens` | 1,000,000,000,000 |"), std::string::npos);
  // Every member of Limits is eight bytes wide: none may be missing.
  EXPECT_EQ(static_cast<size_t>(std::count(table.begin(), table.end(), '\n')) - 2,
            sizeof(Limits) / 8);
}

TEST(LimitsTable, HasEveryDefaultWithinItsRange) {
  const std::string table = limits_table_markdown();
  for (const SettableLimit& limit : settable_limits()) {
    Limits limits;
    EXPECT_GE(value_of(limits, limit), limit.least) << limit.flag;
    EXPECT_LE(value_of(limits, limit), limit.most) << limit.flag;
    set_limit(limits, limit, limit.most);
    EXPECT_EQ(value_of(limits, limit), limit.most) << limit.flag;
    EXPECT_NE(table.find(std::string("`") + limit.flag + "`"), std::string::npos)
        << limit.name << " is no row of the table";
  }
}

TEST(LimitsTable, IsWhatTheReadmeShows) {
  const auto shown = readme_table("limits table", limits_table_markdown());
  if (!shown) GTEST_SKIP() << "README.md has no <!-- limits table --> with its end";
  EXPECT_EQ(*shown, limits_table_markdown());
}

}  // namespace
}  // namespace parley
