#include "services/cli/import_source.hpp"

#include <filesystem>
#include <fstream>
#include <sstream>

#include <gtest/gtest.h>

namespace parley::cli {
namespace {

/// A directory of the test's own, removed with it.
class ImportSourceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string path = (std::filesystem::temp_directory_path() / "parley-cli-XXXXXX").string();
    ASSERT_NE(mkdtemp(path.data()), nullptr);
    directory_ = path;
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  std::string file(const std::string& name, const std::string& text) {
    const auto path = directory_ / name;
    std::ofstream(path, std::ios::binary) << text;
    return path.string();
  }
  static std::vector<std::string> rest(ImportSource& source) {
    std::vector<std::string> lines;
    for (auto piece = source.next(); piece.ok() && piece->has_value(); piece = source.next()) {
      lines.push_back((*piece)->unfit.empty() ? (*piece)->record.jsonl()
                                              : (*piece)->unfit.substr(0, 20));
    }
    return lines;
  }

  std::filesystem::path directory_;
  std::istringstream in_;
};

using Lines = std::vector<std::string>;

TEST_F(ImportSourceTest, ReadsFilesOneAfterTheOther) {
  ImportSource source({file("a", "1\n\n2"), file("empty", ""), file("b", "3\r\n")},
                      v1::TRANSFER_FORM_JSONL, in_);
  ASSERT_TRUE(source.open().ok());
  EXPECT_EQ(rest(source), (Lines{"1", "2", "3"}));
  EXPECT_EQ(source.bytes_total(), 7u);
}

TEST_F(ImportSourceTest, LeavesOutALineThatIsNotUtf8AndGoesOn) {
  ImportSource source({file("a", "1\n\"\xff\"\n3\n")}, v1::TRANSFER_FORM_JSONL, in_);
  ASSERT_TRUE(source.open().ok());
  EXPECT_EQ(rest(source), (Lines{"1", "the line is not vali", "3"}));
}

TEST_F(ImportSourceTest, GoesBackToAnyPlace) {
  ImportSource source({file("a", "1\n2\n"), file("b", "3\n4\n")}, v1::TRANSFER_FORM_JSONL, in_);
  ASSERT_TRUE(source.open().ok());
  ASSERT_TRUE(source.next().ok());
  const auto second = source.next();
  ASSERT_TRUE(second.ok());
  EXPECT_EQ(source.name_of((**second).place), (directory_ / "a").string() + ":2");
  EXPECT_EQ(rest(source), (Lines{"3", "4"}));
  ASSERT_TRUE(source.rewind((**second).place));
  EXPECT_EQ(rest(source), (Lines{"2", "3", "4"}));
}

TEST_F(ImportSourceTest, ReadsStdinButCannotGoBackInIt) {
  in_.str("1\n2\n");
  ImportSource source({}, v1::TRANSFER_FORM_JSONL, in_);
  ASSERT_TRUE(source.open().ok());
  EXPECT_EQ(rest(source), (Lines{"1", "2"}));
  EXPECT_FALSE(source.rewind({}));
  EXPECT_EQ(source.bytes_total(), 0u);
}

TEST_F(ImportSourceTest, MarksALineThatIsTooLong) {
  ImportSource source({file("a", std::string(k_line_bytes_max + 1, 'x') + "\n2\n")},
                      v1::TRANSFER_FORM_JSONL, in_);
  ASSERT_TRUE(source.open().ok());
  EXPECT_EQ(rest(source), (Lines{"the line is longer t", "2"}));
}

TEST_F(ImportSourceTest, RefusesFilesThatAreNotThereBeforeReadingAny) {
  ImportSource source({file("a", "1\n"), (directory_ / "none").string()}, v1::TRANSFER_FORM_JSONL,
                      in_);
  EXPECT_EQ(source.open().code(), absl::StatusCode::kNotFound);
  ImportSource folder({directory_.string()}, v1::TRANSFER_FORM_JSONL, in_);
  EXPECT_FALSE(folder.open().ok());
}

TEST_F(ImportSourceTest, TellsHeadersFromMessagesInTheFullForm) {
  ImportSource source({file("a",
                            "{\"header\":{\"threadId\":\"t\"}}\n"
                            "{\"messages\":{\"messages\":[{\"content\":\"hi\"}]}}\n"
                            "{\"jsonl\":\"{}\"}\n")},
                      v1::TRANSFER_FORM_FULL, in_);
  ASSERT_TRUE(source.open().ok());
  EXPECT_TRUE((**source.next()).begins);
  EXPECT_FALSE((**source.next()).begins);
  const auto third = source.next();
  ASSERT_FALSE(third.ok());
  EXPECT_NE(third.status().message().find(":3 "), absl::string_view::npos) << third.status();
}

}  // namespace
}  // namespace parley::cli
