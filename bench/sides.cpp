#include "bench/sides.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <limits>
#include <unistd.h>

#include "absl/strings/str_cat.h"

#include "base/cpus.hpp"
#include "bench/machine.hpp"

namespace parley::bench {
namespace {

/// CPU and time from its making on.
class Usage {
 public:
  explicit Usage(const Servers& servers)
      : servers_(servers),
        server_cpu_(servers_now()),
        client_cpu_(cpu_seconds(getpid())),
        busy_(busy_seconds()),
        since_(std::chrono::steady_clock::now()) {}

  [[nodiscard]] double server() const { return servers_now() - server_cpu_; }
  [[nodiscard]] double client() const { return cpu_seconds(getpid()) - client_cpu_; }
  [[nodiscard]] double others_in_cores() const {
    const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - since_;
    return std::max(0.0, (busy_seconds() - busy_ - server() - client()) / wall.count());
  }

 private:
  [[nodiscard]] double servers_now() const {
    double sum = 0;
    for (const BenchServer* server : servers_) sum += server->cpu_seconds();
    return sum;
  }

  const Servers& servers_;
  double server_cpu_;
  double client_cpu_;
  double busy_;
  std::chrono::steady_clock::time_point since_;
};

void settle(const Servers& servers) {
  for (const BenchServer* server : servers) server->settle();
}

void measure(const Settings& settings, const Servers& servers, Caller& caller, const Side& side,
             int in_flight, Runs& runs) {
  settle(servers);
  const OffQueueCpus off(settings);
  const Usage usage(servers);
  ClosedLoop loop;
  loop.in_flight = in_flight;
  loop.seconds = settings.run_seconds();
  const LoadResult result =
      run_closed(side.caller == nullptr ? caller : *side.caller, side.next, loop);
  const double client = usage.client();
  runs.others.push_back(usage.others_in_cores());
  settle(servers);
  const auto calls = static_cast<double>(result.calls_all);
  runs.rate.push_back(result.rate());
  runs.p50.push_back(static_cast<double>(result.latency.quantile(0.5).count()));
  runs.p99.push_back(static_cast<double>(result.latency.quantile(0.99).count()));
  runs.server_micros.push_back(usage.server() * 1e6 / calls);
  runs.client_micros.push_back(client * 1e6 / calls);
  say(absl::StrCat("  ", side.name, ": ", whole(result.rate()), "/s, p50 ", whole(runs.p50.back()),
                   " us, p99 ", whole(runs.p99.back()), " us, server ",
                   decimal(runs.server_micros.back(), 1), " us, client ",
                   decimal(runs.client_micros.back(), 1), " us, others ",
                   decimal(runs.others.back()), " cores"));
}

std::vector<double> ratios(const Runs& side, const Runs& to) {
  std::vector<double> all;
  for (size_t i = 0; i < side.rate.size(); ++i) all.push_back(side.rate[i] / to.rate[i]);
  return all;
}

}  // namespace

OffQueueCpus::OffQueueCpus(const Settings& settings) : before_(usable_cpus()) {
  leave_cpus(settings.queue_cpus);
}

OffQueueCpus::~OffQueueCpus() { stay_on_cpus(before_); }

void say(const std::string& text) { std::fprintf(stderr, "%s\n", text.c_str()); }

double median(std::vector<double> values) {
  if (values.empty()) return std::numeric_limits<double>::quiet_NaN();
  std::sort(values.begin(), values.end());
  const size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

double ratio(const Runs& side, const Runs& to) { return median(ratios(side, to)); }

std::string ratio_text(const Runs& side, const Runs& to) {
  const std::vector<double> all = ratios(side, to);
  const auto [least, most] = std::minmax_element(all.begin(), all.end());
  return absl::StrCat(decimal(median(all)), " (", decimal(*least), " to ", decimal(*most), ")");
}

std::vector<Runs> interleave(const Settings& settings, const Servers& servers, Caller& caller,
                             const std::vector<Side>& sides, int in_flight) {
  std::vector<Runs> runs(sides.size());
  for (int repetition = 0; repetition < settings.runs(); ++repetition) {
    for (size_t i = 0; i < sides.size(); ++i) {
      runs[i].name = sides[i].name;
      measure(settings, servers, caller, sides[i], in_flight, runs[i]);
    }
  }
  return runs;
}

Table side_table() {
  return Table({"load", "calls", "calls/s", "ratio (least to most)", "p50 ms", "p99 ms",
                "server CPU us", "client CPU us", "others"});
}

void add_rows(Table& table, const std::string& what, const std::vector<Runs>& sides) {
  for (const Runs& side : sides) {
    const bool limit = &side == &sides.front();
    table.row({what, side.name, whole(median(side.rate)),
               limit ? "1" : ratio_text(side, sides.front()), milliseconds_of(median(side.p50)),
               milliseconds_of(median(side.p99)), decimal(median(side.server_micros), 1),
               decimal(median(side.client_micros), 1), decimal(median(side.others))});
  }
}

NextRequest echoes_like(Caller& caller, const NextRequest& next, bool apart) {
  Request request;
  next(0, request);
  return echoes(request.bytes.size(), call_once(caller, request), apart);
}

LoadResult fill(Caller& caller, const Crowd& crowd, const AppendShape& shape, int appends_each) {
  say(absl::StrCat("  storing ", whole(static_cast<double>(crowd.count)), " conversations of ",
                   appends_each * shape.messages, " messages"));
  AppendShape creating = shape;
  creating.create_if_missing = true;
  ClosedLoop loop;
  loop.in_flight = 256;
  loop.warm_up_seconds = 0;
  loop.seconds = 24 * 3600;
  loop.calls_max = crowd.count * static_cast<uint64_t>(appends_each);
  return run_closed(caller, appends(crowd, creating), loop);
}

}  // namespace parley::bench
