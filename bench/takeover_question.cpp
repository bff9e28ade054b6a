#include <algorithm>
#include <chrono>
#include <csignal>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"

#include "bench/failure.hpp"
#include "bench/questions.hpp"
#include "bench/sides.hpp"
#include "tests/storage/postgres_instance.hpp"
#include "tests/support/cluster_nodes.hpp"
#include "tests/support/requests.hpp"
#include "tests/support/temp_dir.hpp"

namespace parley::bench {
namespace {

using Clock = std::chrono::steady_clock;
constexpr int k_nodes = 3;
constexpr int k_conversations = 48;

/// Appends to all of them at once; answers the milliseconds that the longest took.
double longest_append(test::Client& client, const std::vector<std::string>& threads) {
  std::vector<std::thread> callers;
  std::vector<double> took(threads.size());
  for (size_t i = 0; i < threads.size(); ++i) {
    callers.emplace_back([&, i] {
      const auto request = test::with_request_id(test::append(threads[i], {"more"}));
      const auto begun = Clock::now();
      while (true) {
        const auto answer = client.call(request);
        if (answer.ok()) break;
        if (answer.status.code != test::Code::unavailable) {
          fail("an append failed: " + answer.status.message);
        }
      }
      took[i] = std::chrono::duration<double, std::milli>(Clock::now() - begun).count();
    });
  }
  for (std::thread& caller : callers) caller.join();
  return *std::max_element(took.begin(), took.end());
}

std::string quantiles(std::vector<double> all) {
  std::sort(all.begin(), all.end());
  return absl::StrCat(whole(all[all.size() / 2]), " | ", whole(all.back()));
}

}  // namespace

Section ask_takeover(const Settings& settings) {
  const int times = settings.quick ? 4 : 20;
  const test::TempDir dir;
  const test::PostgresInstance database(true);
  test::ClusterNodes nodes(dir.path(), k_nodes, {"--log-level", "warn"}, {database.url()});
  std::vector<std::string> threads;
  for (int i = 0; i < k_conversations; ++i) {
    threads.push_back("talk-" + std::to_string(i));
    if (!nodes.client(0).call(test::create(threads.back())).ok()) fail("no conversation");
  }
  std::vector<double> killed;
  std::vector<double> drained;
  for (int i = 0; i < 2 * times; ++i) {
    stop_if_interrupted();
    const int gone = i % k_nodes;
    std::vector<std::string> there;
    for (const std::string& thread : threads) {
      if (nodes.home_of(thread) == gone) there.push_back(thread);
    }
    if (there.empty()) continue;
    test::Client other(nodes.node((gone + 1) % k_nodes).address());
    other.connect(std::chrono::seconds(5));
    if (i % 2 == 0) {
      nodes.node(gone).kill();
      killed.push_back(longest_append(other, there));
    } else {
      nodes.node(gone).send(SIGTERM);
      // Until it is gone.
      double longest = 0;
      while (nodes.node(gone).running()) longest = std::max(longest, longest_append(other, there));
      drained.push_back(longest);
    }
    say(absl::StrCat("  ", i % 2 == 0 ? "kill -9" : "SIGTERM", ": ",
                     whole((i % 2 == 0 ? killed : drained).back()), " ms"));
    nodes.start(gone);
    nodes.wait_until_linked();
  }
  const std::string text = absl::StrCat(
      "Three nodes that share a database, with a lease of 3 s; one goes, and all of its "
      "conversations are "
      "appended to at once by way of another one. The longest of these calls, each time, from the "
      "kill on; for SIGTERM the longest "
      "of those that were made until the process was gone.\n\n| | times | p50 ms | most ms "
      "|\n|---|---:|---:|---:|\n| kill -9 | ",
      killed.size(), " | ", quantiles(killed), " |\n| SIGTERM | ", drained.size(), " | ",
      quantiles(drained), " |\n");
  nodes.stop_all();
  return {"takeover", "A node that goes", text};
}

}  // namespace parley::bench
