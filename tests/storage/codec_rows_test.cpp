#include "storage/codec_rows.hpp"

#include <gtest/gtest.h>

#include "parley/storage/v1/storage.pb.h"

namespace parley {
namespace {

using Kind = RowChange::Kind;

TEST(RowChanges, ComeBackAsTheyWere) {
  const RowChanges changes{
      {Kind::put, Family::messages, std::string("\0\1key", 5), std::string("\xff\0value", 7)},
      {Kind::put, Family::state, "empty", ""},
      {Kind::remove, Family::index, "gone", ""},
      {Kind::remove_range, Family::meta, "from", "to"},
      {Kind::remove, Family::index, "", ""}};
  const auto read = decode_changes(encode_changes(changes));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(*read, changes);
  EXPECT_TRUE(decode_changes(encode_changes({}))->empty());
}

TEST(RowChanges, WhatCannotBeReadIsDataLoss) {
  EXPECT_EQ(decode_changes("\xff\xff").status().code(), absl::StatusCode::kDataLoss);
  std::string cut = encode_changes({{Kind::put, Family::state, "key", "value"}});
  cut.pop_back();
  EXPECT_EQ(decode_changes(cut).status().code(), absl::StatusCode::kDataLoss);
}

TEST(RowChanges, WhatALaterReleaseSaysIsRefused) {
  storage::v1::RowChangesRecord record;
  record.add_changes()->set_key("changed in a way that is not known yet");
  EXPECT_EQ(decode_changes(record.SerializeAsString()).status().code(),
            absl::StatusCode::kUnimplemented);
  record.mutable_changes(0)->set_removed(true);
  EXPECT_TRUE(decode_changes(record.SerializeAsString()).ok());
  record.mutable_changes(0)->set_family(k_families);
  EXPECT_EQ(decode_changes(record.SerializeAsString()).status().code(),
            absl::StatusCode::kUnimplemented);
}

}  // namespace
}  // namespace parley
