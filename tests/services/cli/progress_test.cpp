#include "services/cli/progress.hpp"

#include <sstream>

#include <gtest/gtest.h>

namespace parley::cli {
namespace {

using Time = std::chrono::steady_clock::time_point;

TEST(Progress, ShowsRateAndTimeLeft) {
  const ProgressState state{"import", 10u << 20, 40u << 20, true, std::chrono::seconds(2),
                            "5 done"};
  EXPECT_EQ(
      render_progress(state, true),
      "import  25% [#####---------------] 10.0 MiB of 40.0 MiB, 5.00 MiB/s, 6.00 s left; 5 done");
}

TEST(Progress, ManagesWithoutATotal) {
  const ProgressState state{"export", 3000, 0, false, std::chrono::seconds(3), ""};
  EXPECT_EQ(render_progress(state, true), "export 3,000, 1,000/s");
}

TEST(Progress, WritesALineEachFiveSecondsWhereThereIsNoTerminal) {
  std::istringstream in;
  std::ostringstream out;
  std::ostringstream err;
  const Console console{in, out, err};
  Time now{};
  Progress progress(console, "import", true, [&now] { return now; });
  for (int second = 0; second < 12; ++second) {
    now += std::chrono::seconds(1);
    progress.update(1024, 0);
  }
  const std::string text = err.str();
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 2);
}

TEST(Progress, RedrawsOneLineOnATerminalAndClearsIt) {
  std::istringstream in;
  std::ostringstream out;
  std::ostringstream err;
  Console console{in, out, err};
  console.err_is_terminal = true;
  Time now{};
  {
    Progress progress(console, "import", true, [&now] { return now; });
    now += std::chrono::seconds(1);
    progress.update(1, 2);
    progress.update(2, 2);
  }
  const std::string text = err.str();
  EXPECT_EQ(text.find('\n'), std::string::npos);
  EXPECT_EQ(text.rfind("\r\033[K"), text.size() - 4);
}

TEST(Progress, IsSilentWhenQuiet) {
  std::istringstream in;
  std::ostringstream out;
  std::ostringstream err;
  Console console{in, out, err};
  console.quiet = true;
  Time now{};
  Progress progress(console, "import", true, [&now] { return now; });
  now += std::chrono::seconds(60);
  progress.update(1, 2);
  EXPECT_EQ(err.str(), "");
}

}  // namespace
}  // namespace parley::cli
