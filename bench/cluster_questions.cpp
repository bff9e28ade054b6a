#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"

#include "bench/failure.hpp"
#include "bench/questions.hpp"
#include "bench/sides.hpp"
#include "tests/support/temp_dir.hpp"

namespace parley::bench {
namespace {

const Crowd k_thousand{"busy", 1'000};
constexpr int k_read_messages = 20;
constexpr int k_peer_port = 27'500;

/// Two nodes of a cluster, of which one has all conversations, and a client of each.
struct Pair {
  explicit Pair(const Settings& settings)
      : owner(settings, dir / "owner", flags("owner")),
        other(settings, dir / "other", flags("other")) {
    owner.wait_until_serving();
    other.wait_until_serving();
    say("  moving all shards to one node");
    const auto give_up = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (!owner.all_served_by("owner") || !other.all_served_by("owner")) {
      if (std::chrono::steady_clock::now() > give_up) fail("the shards did not move");
      owner.move_all_to("owner");
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
      stop_if_interrupted();
    }
    to_owner = connect(settings.client, owner.address(), settings.connections);
    to_other = connect(settings.client, other.address(), settings.connections);
    fill(*to_owner, k_thousand, {.messages = k_read_messages});
  }
  static std::vector<std::string> flags(const std::string& node) {
    const std::string peers =
        absl::StrCat("owner=127.0.0.1:", k_peer_port, ",other=127.0.0.1:", k_peer_port + 1);
    return {"--cluster", "static", "--node", node, "--peers", peers, "--shards", "16"};
  }

  test::TempDir dir;
  BenchServer owner;
  BenchServer other;
  std::unique_ptr<Caller> to_owner;
  std::unique_ptr<Caller> to_other;
};

}  // namespace

Section ask_forward(const Settings& settings) {
  Pair pair(settings);
  Table table = side_table();
  const auto compare = [&](const std::string& what, const NextRequest& next, int in_flight) {
    const std::string load = absl::StrCat(what, ", ", in_flight, " in flight");
    say(load);
    const std::vector<Side> sides = {{"to the owner", next, pair.to_owner.get()},
                                     {"by way of the other node", next, pair.to_other.get()}};
    add_rows(table, load,
             interleave(settings, {&pair.owner, &pair.other}, *pair.to_owner, sides, in_flight));
  };
  for (const int in_flight : {settings.in_flight, 1, 256}) {
    compare("append", appends(k_thousand), in_flight);
    compare("get", gets(k_thousand, k_read_messages), in_flight);
  }
  const std::string text = absl::StrCat(
      "Two nodes with storage of their own, of which one has all conversations: medians of ",
      settings.runs(), " runs of ", decimal(settings.run_seconds(), 1),
      " s each, the sides in turn. Server CPU is that of both nodes. One message of 200 B; the "
      "last ",
      k_read_messages, " messages.\n\n", table.text());
  pair.owner.stop();
  pair.other.stop();
  return {"forward", "Calls by way of another node", text};
}

}  // namespace parley::bench
