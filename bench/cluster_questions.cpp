#include <algorithm>
#include <chrono>
#include <future>
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
/// A wish is forgotten where a node restarts, or was not linked yet.
constexpr int k_looks_a_wish = 50;

const Crowd k_ten_thousand{"moved", 10'000};
constexpr int k_moved_messages = 10;
constexpr double k_appends_per_second = 1'000;
constexpr double k_still_seconds = 3;
constexpr double k_move_seconds = 12;  ///< the longest that a move may take, and a second
using Clock = std::chrono::steady_clock;

/// Two nodes of a cluster, of which one has all conversations, and a client of each.
struct Pair {
  Pair(const Settings& settings, int shards, const Crowd& crowd, int messages)
      : owner(settings, dir / "owner", flags("owner", shards)),
        other(settings, dir / "other", flags("other", shards)) {
    owner.wait_until_serving();
    other.wait_until_serving();
    say("  moving all shards to one node");
    move_all_to("owner");
    to_owner = connect(settings.client, owner.address(), settings.connections);
    to_other = connect(settings.client, other.address(), settings.connections);
    fill(*to_owner, crowd, {.messages = messages});
  }
  static std::vector<std::string> flags(const std::string& node, int shards) {
    const std::string peers =
        absl::StrCat("owner=127.0.0.1:", k_peer_port, ",other=127.0.0.1:", k_peer_port + 1);
    return {"--cluster", "static", "--node",   node,
            "--peers",   peers,    "--shards", std::to_string(shards)};
  }
  /// Until both nodes say so.
  void move_all_to(const std::string& node) const {
    const auto give_up = Clock::now() + std::chrono::seconds(60);
    for (int looks = 0; !owner.all_served_by(node) || !other.all_served_by(node); ++looks) {
      if (Clock::now() > give_up) fail("the shards did not move");
      if (looks % k_looks_a_wish == 0) owner.move_all_to(node);
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
      stop_if_interrupted();
    }
  }
  void stop() {
    owner.stop();
    other.stop();
  }

  test::TempDir dir;
  BenchServer owner;
  BenchServer other;
  std::unique_ptr<Caller> to_owner;
  std::unique_ptr<Caller> to_other;
};

}  // namespace

Section ask_forward(const Settings& settings) {
  Pair pair(settings, 16, k_thousand, k_read_messages);
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
  pair.stop();
  return {"forward", "Calls by way of another node", text};
}

Section ask_move(const Settings& settings) {
  const int times = settings.quick ? 4 : 20;
  Pair pair(settings, 1, k_ten_thousand, k_moved_messages);
  const NextRequest next = appends(k_ten_thousand);
  std::vector<double> still;   // milliseconds of the longest call, each time
  std::vector<double> moving;  // the same
  std::vector<double> took;    // milliseconds of the move
  const auto longest = [&](double seconds) {
    const LoadResult result = run_open(*pair.to_other, next, k_appends_per_second, seconds);
    return static_cast<double>(result.latency.max().count()) / 1'000;
  };
  for (int i = 0; i < times; ++i) {
    still.push_back(longest(k_still_seconds));
    const std::string to = i % 2 == 0 ? "other" : "owner";
    auto move = std::async(std::launch::async, [&] {
      std::this_thread::sleep_for(std::chrono::milliseconds(500));
      const auto begun = Clock::now();
      pair.move_all_to(to);
      return std::chrono::duration<double, std::milli>(Clock::now() - begun).count();
    });
    moving.push_back(longest(k_move_seconds));
    took.push_back(move.get());
    if (took.back() > (k_move_seconds - 1) * 1'000) fail("the move outlasted the load");
    say(absl::StrCat("  moved in ", whole(took.back()), " ms, longest call ", whole(moving.back()),
                     " ms; without a move ", whole(still.back()), " ms"));
  }
  Table table({"", "times", "p50 ms", "most ms"});
  const auto row = [&](const std::string& what, std::vector<double> all) {
    std::sort(all.begin(), all.end());
    table.row({what, absl::StrCat(all.size()), whole(all[all.size() / 2]), whole(all.back())});
  };
  row("the move, from the wish until both nodes know", took);
  row("longest call meanwhile", moving);
  row("longest call without a move", still);
  const std::string text = absl::StrCat(
      "One shard of 10,000 conversations with ", k_moved_messages,
      " messages of 200 B each, and more with every append, moved to and fro between two nodes, "
      "while ",
      whole(k_appends_per_second),
      " appends a second come by way of one of them; none fails. Latency counts from when a call "
      "was due.\n\n",
      table.text());
  pair.stop();
  return {"move", "A shard that moves", text};
}

}  // namespace parley::bench
