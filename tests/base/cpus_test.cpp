#include "base/cpus.hpp"

#include <thread>

#include <gtest/gtest.h>

namespace parley {
namespace {

TEST(Cpus, AThreadStaysWhereItIsPut) {
  const std::vector<int> before = usable_cpus();
  ASSERT_FALSE(before.empty());
  std::vector<int> inside;
  std::thread([&] {
    stay_on_cpu(before.back());
    inside = usable_cpus();
  }).join();
  EXPECT_EQ(inside, std::vector<int>{before.back()});
  EXPECT_EQ(usable_cpus(), before) << "of that thread alone";
}

TEST(Cpus, OneThatMayNotBeUsedIsRefusedByName) {
  const std::vector<int> usable = usable_cpus();
  EXPECT_TRUE(check_cpus("--queue-cpus", usable).ok());
  EXPECT_TRUE(check_cpus("--queue-cpus", {}).ok());
  const std::vector<int> wrong = {usable.front(), 1023};
  const Status status = check_cpus("--queue-cpus", wrong);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  const std::string message(status.message());
  EXPECT_EQ(message.find("--queue-cpus: this process may not use CPU 1023; name some of "), 0U)
      << message;
}

}  // namespace
}  // namespace parley
