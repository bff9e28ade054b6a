#include "services/cli/output_file.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include <gtest/gtest.h>

namespace parley::cli {
namespace {

class OutputFileTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string path = (std::filesystem::temp_directory_path() / "parley-out-XXXXXX").string();
    ASSERT_NE(mkdtemp(path.data()), nullptr);
    directory_ = path;
    path_ = (directory_ / "out").string();
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  [[nodiscard]] size_t files() const {
    return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(directory_), {}));
  }
  [[nodiscard]] std::string content() const {
    std::ifstream in(path_);
    return {std::istreambuf_iterator<char>(in), {}};
  }

  std::filesystem::path directory_;
  std::string path_;
};

TEST_F(OutputFileTest, AppearsWhenItIsWhole) {
  std::ofstream(path_) << "old";
  OutputFile file(path_);
  ASSERT_TRUE(file.open().ok());
  ASSERT_TRUE(file.write("new").ok());
  EXPECT_EQ(content(), "old");
  ASSERT_TRUE(file.commit().ok());
  EXPECT_EQ(content(), "new");
  EXPECT_EQ(files(), 1u);
}

TEST_F(OutputFileTest, LeavesNothingBehindWhenItIsGivenUp) {
  {
    OutputFile file(path_);
    ASSERT_TRUE(file.open().ok());
    ASSERT_TRUE(file.write("half").ok());
  }
  EXPECT_EQ(files(), 0u);
}

TEST_F(OutputFileTest, SaysWhereItCannotWrite) {
  OutputFile file((directory_ / "none" / "out").string());
  EXPECT_FALSE(file.open().ok());
}

}  // namespace
}  // namespace parley::cli
