#include "services/spare_messages.hpp"

#include <string>

#include <gtest/gtest.h>

#include "parley/v1/conversation.pb.h"

namespace parley {
namespace {

using Request = v1::GetConversationRequest;

TEST(SpareMessages, GiveWhatAUsedOneHad) {
  SpareMessages<Request> spares;
  Request used;
  used.set_thread_id(std::string(100, 'x'));
  const auto* bytes = used.thread_id().data();
  spares.keep(used, 102);
  EXPECT_TRUE(used.thread_id().empty()) << "the used one has nothing any more";
  Request next;
  spares.equip(next);
  ASSERT_TRUE(next.ParseFromString(Request().SerializeAsString()));
  EXPECT_TRUE(next.thread_id().empty()) << "nothing of one call is seen by the next";
  const std::string other(100, 'y');
  next.set_thread_id(other);
  EXPECT_EQ(next.thread_id().data(), bytes) << "in the same memory";
}

TEST(SpareMessages, KeepFewAndSmallOnes) {
  SpareMessages<Request> spares;
  Request large;
  large.set_thread_id(std::string(5'000, 'x'));
  spares.keep(large, 5'003);
  EXPECT_FALSE(large.thread_id().empty()) << "left where it was, to be freed";
  for (int i = 0; i < 100; ++i) {
    Request small;
    small.set_thread_id("t");
    spares.keep(small, 3);
  }
  int equipped = 0;
  for (int i = 0; i < 100; ++i) {
    Request next;
    spares.equip(next);
    if (next.thread_id() == "t") ++equipped;
  }
  EXPECT_EQ(equipped, 32);
}

}  // namespace
}  // namespace parley
