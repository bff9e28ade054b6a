#include "storage/rocks_listeners.hpp"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace parley::test {
namespace {

using rocksdb::BackgroundErrorReason;
using Severity = rocksdb::Status::Severity;

class BackgroundErrorsTest : public ::testing::Test {
 protected:
  void meet(const rocksdb::Status& error, Severity severity) {
    rocksdb::Status told(error, severity);
    errors_.OnBackgroundError(BackgroundErrorReason::kFlush, &told);
  }

  std::vector<std::string> fatal_;
  BackgroundErrors errors_{[this](std::string what) { fatal_.push_back(std::move(what)); }};
};

TEST_F(BackgroundErrorsTest, AFullDiskIsWaitedFor) {
  meet(rocksdb::Status::NoSpace(), Severity::kHardError);
  EXPECT_TRUE(errors_.met());
  EXPECT_TRUE(fatal_.empty());
  errors_.forget();
  EXPECT_FALSE(errors_.met());
}

TEST_F(BackgroundErrorsTest, AnyOtherErrorOfTheDiskEndsTheProcess) {
  meet(rocksdb::Status::IOError("fsync"), Severity::kFatalError);
  ASSERT_EQ(fatal_.size(), 1U);
  EXPECT_NE(fatal_.front().find("fsync"), std::string::npos);
}

TEST_F(BackgroundErrorsTest, WhatKeepsNothingFromBeingWrittenNeedsNoResuming) {
  meet(rocksdb::Status::Corruption("a damaged block met by a merge"), Severity::kNoError);
  meet(rocksdb::Status::SpaceLimit(), Severity::kNoError);
  EXPECT_FALSE(errors_.met());
  EXPECT_TRUE(fatal_.empty());
}

// It flushes then, families as of different moments.
TEST_F(BackgroundErrorsTest, RocksDbDoesNotResumeByItself) {
  bool by_itself = true;
  errors_.OnErrorRecoveryBegin(BackgroundErrorReason::kFlush, rocksdb::Status::NoSpace(),
                               &by_itself);
  EXPECT_FALSE(by_itself);
}

}  // namespace
}  // namespace parley::test
