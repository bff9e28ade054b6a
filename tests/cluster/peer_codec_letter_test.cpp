#include "cluster/peer_codec_letter.hpp"

#include <gtest/gtest.h>

#include "parley/cluster/v1/peer.pb.h"

namespace parley {
namespace {

template <class Message>
Message through(const Message& message, std::vector<std::string> rows = {}) {
  const auto read = parse_letter(encode_letter({{7}, message, rows}));
  EXPECT_TRUE(read.has_value());
  EXPECT_EQ(read->shard, Shard{7});
  EXPECT_EQ(read->rows, rows);
  return std::get<Message>(read->message);
}

TEST(ShardLetter, ComesAsItWasSent) {
  EXPECT_EQ(through(baton::Offer{{5}, 9}).epoch, Epoch{5});
  EXPECT_EQ(through(baton::Accept{UINT64_MAX}).attempt, UINT64_MAX);
  const auto rows = through(baton::Rows{9, 3, 4, true, 2}, {"a", std::string("\0\xff", 2)});
  EXPECT_EQ(rows.first, 3U);
  EXPECT_EQ(rows.last, 4U);
  EXPECT_EQ(rows.kept, 2U);
  EXPECT_TRUE(rows.end);
  EXPECT_FALSE(rows.nearly);
  const auto none = through(baton::Rows{9, 3, 2, false, 2, true});
  EXPECT_FALSE(none.end);
  EXPECT_TRUE(none.nearly);
  EXPECT_TRUE(through(baton::Kept{9, 4, false, true}).flushed);
  const auto kept = through(baton::Kept{9, 4, true, false});
  EXPECT_FALSE(kept.flushed);
  EXPECT_EQ(kept.up_to, 4U);
  EXPECT_TRUE(kept.complete);
  EXPECT_EQ(through(baton::Lost{9}).attempt, 9U);
  EXPECT_EQ(through(baton::Take{{5}, 9}).epoch, Epoch{5});
  EXPECT_EQ(through(baton::Taken{9}).attempt, 9U);
  EXPECT_EQ(through(baton::Ask{{5}, 9}).epoch, Epoch{5});
  EXPECT_EQ(through(baton::Withdraw{9}).attempt, 9U);
}

TEST(ShardLetter, WhatMakesNoSenseIsNone) {
  EXPECT_FALSE(parse_letter("\xff"));
  EXPECT_FALSE(parse_letter("")) << "of a kind that a later release knows";
  EXPECT_FALSE(parse_letter(encode_letter({{7}, baton::Rows{9, 3, 4, true, 2}, {"one"}})));
  EXPECT_FALSE(parse_letter(encode_letter({{7}, baton::Accept{9}, {"one"}})));
  cluster::v1::ShardLetter letter;
  letter.set_kind(cluster::v1::ShardLetter::KIND_ACCEPT);
  letter.set_shard(UINT16_MAX + 1);
  EXPECT_FALSE(parse_letter(letter.SerializeAsString()));
}

}  // namespace
}  // namespace parley
