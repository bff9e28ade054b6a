#include "bench/server.hpp"

#include <algorithm>
#include <chrono>
#include <csignal>
#include <thread>

#include "absl/strings/str_join.h"
#include <grpcpp/grpcpp.h>

#include "bench/failure.hpp"
#include "bench/machine.hpp"
#include "parley/v1/admin.grpc.pb.h"

namespace parley::bench {
namespace {

constexpr auto k_start_patience = std::chrono::minutes(10);
constexpr auto k_quiet = std::chrono::milliseconds(100);

using AdminStub = parley::v1::AdminService::Stub;

/// One call of the server's administration, which must succeed.
template <class Request, class Response>
Response ask(const std::string& address,
             grpc::Status (AdminStub::*method)(grpc::ClientContext*, const Request&, Response*),
             const Request& request) {
  const auto stub = parley::v1::AdminService::NewStub(
      grpc::CreateChannel(address, grpc::InsecureChannelCredentials()));
  grpc::ClientContext context;
  Response response;
  const grpc::Status status = (stub.get()->*method)(&context, request, &response);
  if (!status.ok()) fail(request.GetTypeName() + ": " + status.error_message());
  return response;
}

}  // namespace

BenchServer::BenchServer(const Settings& settings, const std::filesystem::path& data_dir,
                         std::vector<std::string> flags) {
  test::ServerOptions options;
  options.data_dir = data_dir;
  options.flags = std::move(flags);
  options.flags.insert(options.flags.end(), {"--bench-echo", "--log-level", "warn"});
  options.flags.insert(options.flags.end(), settings.server_flags.begin(),
                       settings.server_flags.end());
  if (!settings.queue_cpus.empty()) {
    options.flags.insert(options.flags.end(),
                         {"--queue-cpus", absl::StrJoin(settings.queue_cpus, ",")});
  }
  process_ = std::make_unique<test::ServerProcess>(options);
}

void BenchServer::wait_until_serving() {
  if (process_->wait_until_serving(k_start_patience)) return;
  fail("parleyd did not come up; it said:\n" + process_->output());
}

double BenchServer::cpu_seconds() const { return bench::cpu_seconds(process_->pid()); }

parley::v1::GetServerInfoResponse BenchServer::info() const {
  return ask(address(), &AdminStub::GetServerInfo, parley::v1::GetServerInfoRequest());
}

bool BenchServer::all_served_by(const std::string& node) const {
  const auto cluster = ask(address(), &AdminStub::GetCluster, parley::v1::GetClusterRequest());
  return std::ranges::all_of(cluster.shards(), [&](const auto& shard) {
    return shard.state() == parley::v1::ClusterShard::STATE_SERVED && shard.owner() == node;
  });
}

void BenchServer::move_all_to(const std::string& node) const {
  const auto cluster = ask(address(), &AdminStub::GetCluster, parley::v1::GetClusterRequest());
  parley::v1::MoveShardsRequest request;
  for (const auto& shard : cluster.shards()) {
    auto& move = *request.add_moves();
    move.set_shard(shard.shard());
    move.set_to(node);
  }
  ask(address(), &AdminStub::MoveShards, request);
}

void BenchServer::settle(double seconds) const {
  const auto give_up = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
  // Why not CPU alone: what the store has not applied yet may wait quietly, and would be counted to
  // whatever is measured next.
  bool applied = false;
  while (std::chrono::steady_clock::now() < give_up) {
    stop_if_interrupted();
    const double before = cpu_seconds();
    std::this_thread::sleep_for(k_quiet);
    const bool quiet = cpu_seconds() - before <= 0.011;  // Why: CPU is told in steps of 10 ms.
    if (quiet && applied) return;
    if (!applied) applied = applied_all();
  }
  fail("parleyd's background work did not end; give runs more time between them");
}

bool BenchServer::applied_all() const { return counter("storage.waiting_bytes") == 0; }

void BenchServer::rest() const {
  while (counter("storage.rests") == 0) {
    stop_if_interrupted();
    std::this_thread::sleep_for(k_quiet);
  }
  settle();
}

int64_t BenchServer::counter(const std::string& name) const {
  const auto response = info();
  const auto found = response.counters().find(name);
  if (found == response.counters().end()) fail("GetServerInfo has no " + name);
  return found->second;
}

void BenchServer::stop() {
  process_->send(SIGTERM);
  const auto ending = process_->wait(std::chrono::minutes(5));
  if (!ending) fail("parleyd did not stop; it said:\n" + process_->output());
  if (*ending != test::Ending{.exit_code = 0, .signal = {}}) {
    fail("parleyd " + test::describe(*ending) + "; it said:\n" + process_->output());
  }
}

}  // namespace parley::bench
