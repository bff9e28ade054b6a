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
    stay_on_cpus(std::span(before).last(1));
    inside = usable_cpus();
  }).join();
  EXPECT_EQ(inside, std::vector<int>{before.back()});
  EXPECT_EQ(usable_cpus(), before) << "of that thread alone";
}

TEST(Cpus, AThreadLeavesCpusToOthersAndSoDoThoseThatItStarts) {
  const std::vector<int> before = usable_cpus();
  if (before.size() < 2) GTEST_SKIP() << "needs two CPUs";
  std::vector<int> inside;
  std::thread([&] {
    leave_cpus(std::span(before).first(1));
    std::thread([&] { inside = usable_cpus(); }).join();
  }).join();
  EXPECT_EQ(inside, std::vector<int>(before.begin() + 1, before.end()));
  std::thread([&] {
    leave_cpus(before);
    inside = usable_cpus();
  }).join();
  EXPECT_EQ(inside, before) << "where none would be left";
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
