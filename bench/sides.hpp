#pragma once

#include <string>
#include <vector>

#include "bench/load.hpp"
#include "bench/report.hpp"
#include "bench/server.hpp"
#include "bench/settings.hpp"

namespace parley::bench {

/// One of the things that are compared.
struct Side {
  std::string name;
  NextRequest next;
  Caller* caller = nullptr;  ///< null: that of all sides
};

/// While one exists, the calling thread leaves the queues' CPUs to the server. A server started
/// meanwhile might not use them either, so one is made for a load that is measured, no longer.
class OffQueueCpus {
 public:
  explicit OffQueueCpus(const Settings& settings);
  ~OffQueueCpus();
  OffQueueCpus(const OffQueueCpus&) = delete;
  OffQueueCpus& operator=(const OffQueueCpus&) = delete;

 private:
  const std::vector<int> before_;
};

/// The runs of one side, in the order they were made.
struct Runs {
  std::string name;
  std::vector<double> rate;
  std::vector<double> p50;            ///< microseconds
  std::vector<double> p99;            ///< microseconds
  std::vector<double> server_micros;  ///< CPU per call, with the work in the background after it
  std::vector<double> client_micros;  ///< CPU per call
  std::vector<double> others;         ///< cores that other processes used meanwhile
};

double median(std::vector<double> values);
/// The median of the ratios of runs made next to each other, which drift together.
double ratio(const Runs& side, const Runs& to);
/// "0.81 (0.79 to 0.84)"
std::string ratio_text(const Runs& side, const Runs& to);

/// Measures the sides in turn, again and again: A B A B ... CPU is that of all servers.
using Servers = std::vector<const BenchServer*>;
std::vector<Runs> interleave(const Settings& settings, const Servers& servers, Caller& caller,
                             const std::vector<Side>& sides, int in_flight);
inline std::vector<Runs> interleave(const Settings& settings, const BenchServer& server,
                                    Caller& caller, const std::vector<Side>& sides, int in_flight) {
  return interleave(settings, Servers{&server}, caller, sides, in_flight);
}

/// A table whose rows are sides; ratios are to the first row of each comparison.
Table side_table();
void add_rows(Table& table, const std::string& what, const std::vector<Runs>& sides);

/// Echoes of the sizes that this request and its answer have.
NextRequest echoes_like(Caller& caller, const NextRequest& next, bool apart = true);

/// Appends to each conversation of the crowd as often as said, many at a time; says how it goes.
LoadResult fill(Caller& caller, const Crowd& crowd, const AppendShape& shape, int appends_each = 1);

/// A line on stderr.
void say(const std::string& text);

}  // namespace parley::bench
