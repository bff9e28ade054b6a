#include "services/admin_service.hpp"

#include <fstream>
#include <string>
#include <unistd.h>
#include <utility>

#include "services/lambda_call.hpp"
#include "services/peer_calls.hpp"
#include "services/release.hpp"
#include "services/translate.hpp"
#include "services/validate.hpp"

namespace parley {
namespace {

constexpr int k_waiting = 2;
constexpr size_t k_request_bytes_max = 4U << 20;

int64_t resident_bytes() {
  std::ifstream statm("/proc/self/statm");
  int64_t pages_total = 0;
  int64_t pages_resident = 0;
  statm >> pages_total >> pages_resident;
  return pages_resident * sysconf(_SC_PAGESIZE);
}

void fill_backup(const BackupInfo& info, const std::string& directory, v1::Backup& out) {
  out.set_backup_id(info.id);
  fill_time(info.create_time, *out.mutable_create_time());
  out.set_size_bytes(static_cast<int64_t>(info.bytes));
  out.set_file_count(static_cast<int64_t>(info.files));
  out.set_directory(directory);
}

void fill_counters(const LocalStats& stats, google::protobuf::Map<std::string, int64_t>& out) {
  const auto add = [&](const char* name, uint64_t value) {
    out[std::string("storage.") + name] = static_cast<int64_t>(value);
  };
  add("groups", stats.groups);
  add("commits", stats.commits);
  add("log_bytes", stats.log_bytes);
  add("log_write_micros", stats.log_write_micros);
  add("log_refused", stats.log_refused);
  add("log_segments", stats.log_segments);
  add("durable_frame", stats.durable_frame);
  add("applied_frame", stats.applied_frame);
  add("rounds", stats.rounds);
  add("waiting_bytes", stats.waiting_bytes);
  add("flushes", stats.flushes);
  add("scrubs", stats.scrubs);
  add("rests", stats.rests);
  add("snapshots", stats.snapshots_asked);
  add("damaged_reads", stats.damaged_reads);
}

v1::VerifyStorageResponse to_response(const VerifyReport& report, size_t& problems_sent) {
  v1::VerifyStorageResponse response;
  response.set_conversations(static_cast<int64_t>(report.conversations));
  response.set_messages(static_cast<int64_t>(report.messages));
  response.set_bytes(static_cast<int64_t>(report.bytes));
  response.set_done(report.done);
  for (; problems_sent < report.problems.size(); ++problems_sent) {
    auto& problem = *response.add_problems();
    problem.set_where(report.problems[problems_sent].where);
    problem.set_what(report.problems[problems_sent].what);
  }
  return response;
}

}  // namespace

template <class Request>
void AdminService::serve_method(CallQueue& queue, typename Rpc<AdminRpcs, Request>::Wait wait,
                                void (AdminService::*handler)(Call<Request>*)) {
  using Origin = Rpc<AdminRpcs, Request>;
  using Method = typename Origin::Method;
  auto method = std::make_shared<Method>(
      Method{rpcs_, wait, [this, handler](Call<Request>* rpc) { (this->*handler)(rpc); }, calls_,
             node_.traffic, k_request_bytes_max, node_.router != nullptr});
  methods_.push_back(method);
  for (int i = 0; i < k_waiting; ++i) Origin::await(*method, queue);
}

void AdminService::serve(CallQueue& queue) {
  peers_.add<v1::LocateConversationRequest>("LocateConversation",
                                            [this](auto* rpc) { locate(rpc); });
  peers_.add<v1::GetClusterRequest>("GetCluster", [this](auto* rpc) { get_cluster(rpc); });
  peers_.add<v1::MoveShardsRequest>("MoveShards", [this](auto* rpc) { move_shards(rpc); });
  serve_method(queue, &AdminRpcs::RequestGetCluster, &AdminService::get_cluster);
  serve_method(queue, &AdminRpcs::RequestMoveShards, &AdminService::move_shards);
  serve_method(queue, &AdminRpcs::RequestGetServerInfo, &AdminService::server_info);
  serve_method(queue, &AdminRpcs::RequestLocateConversation, &AdminService::locate);
  serve_method(queue, &AdminRpcs::RequestCreateBackup, &AdminService::create_backup);
  serve_method(queue, &AdminRpcs::RequestListBackups, &AdminService::list_backups);
  auto verify = std::make_shared<Verify::Method>(Verify::Method{
      node_,
      [this](Verify& stream, void* tag) {
        rpcs_.RequestVerifyStorage(&stream.context(), &stream.request_bytes(), &stream.io(),
                                   stream.queue().get(), stream.queue().get(), tag);
      },
      [this](Verify& stream) { return run_verify(stream); }, calls_});
  methods_.push_back(verify);
  for (int i = 0; i < k_waiting; ++i) Verify::await(*verify, queue);
}

void AdminService::server_info(Call<v1::GetServerInfoRequest>* rpc) {
  v1::GetServerInfoResponse response;
  response.set_release(k_release);
  response.set_commit(k_commit);
  response.set_store_id(node_.store_id);
  response.set_shard_count(static_cast<int32_t>(node_.environment.shard_count));
  fill_time(node_.start_time, *response.mutable_start_time());
  const RegistryStats live = node_.registry.stats();
  response.set_live_conversations(live.live);
  response.set_live_bytes(live.bytes);
  response.set_memory_budget_bytes(node_.config.memory_budget_bytes);
  response.set_resident_bytes(resident_bytes());
  response.set_watch_streams(node_.watch_streams);
  auto& counters = *response.mutable_counters();
  for (const auto& [method, calls] : conversations_.call_counts())
    counters["calls." + method] = calls;
  counters["activations"] = live.activations;
  counters["passivations"] = live.passivations;
  counters["messages_appended"] = node_.appended_messages;
  counters["replayed_calls"] = node_.replayed_calls;
  if (!node_.shares_journal()) {
    const LocalStats stored = node_.local->stats();
    fill_counters(stored, counters);
    response.set_damaged_conversations(static_cast<int64_t>(node_.local->damaged_count()));
    response.set_disk_free_bytes(static_cast<int64_t>(stored.disk_free));
    response.set_disk_full(node_.disk_full());
  }
  response.set_address(node_.address_text);
  rpc->finish_message(response);
}

void AdminService::locate(Call<v1::LocateConversationRequest>* rpc) {
  if (forwarded(node_, "LocateConversation", rpc)) return;
  if (auto error = validate(rpc->request, node_.environment.limits))
    return rpc->finish_error(*error);
  const Address address = node_.address(rpc->tenant, rpc->request.thread_id());
  v1::LocateConversationResponse response;
  response.set_shard(address.shard.value);
  response.set_epoch(static_cast<int64_t>(node_.environment.journal.epoch(address.shard).value));
  response.set_node(node_.config.node);
  response.set_live(node_.registry.is_live(address));
  // Whether it exists at all is asked of the conversation, once its presence in memory was noted.
  auto on_done = [rpc, response](const Done& done) {
    if (done.receipt() == nullptr) return rpc->finish_error(done.error());
    rpc->finish_message(response);
  };
  node_.registry.dispatch(new LambdaCall(node_, address, Read{}, on_done));
}

void AdminService::create_backup(Call<v1::CreateBackupRequest>* rpc) {
  if (node_.shares_journal()) return rpc->finish_error(make_error(ErrorId::shared_journal));
  node_.in_background([this, rpc] {
    auto backup = node_.local->create_backup();
    if (!backup.ok()) {
      return rpc->finish_error(
          make_error(ErrorId::backup_failed, {{"cause", std::string(backup.status().message())}}));
    }
    v1::CreateBackupResponse response;
    fill_backup(*backup, node_.local->backup_dir(), *response.mutable_backup());
    rpc->finish_message(response);
  });
}

void AdminService::list_backups(Call<v1::ListBackupsRequest>* rpc) {
  if (node_.shares_journal()) return rpc->finish_error(make_error(ErrorId::shared_journal));
  node_.blocking([this, rpc] {
    auto backups = node_.local->list_backups();
    if (!backups.ok()) return rpc->finish_error(error_of(backups.status()));
    v1::ListBackupsResponse response;
    for (const auto& backup : *backups) {
      fill_backup(backup, node_.local->backup_dir(), *response.add_backups());
    }
    rpc->finish_message(response);
  });
}

grpc::Status AdminService::run_verify(Verify& stream) {
  size_t problems_sent = 0;
  bool listening = true;
  const auto progress = [&](const VerifyReport& report) {
    listening = listening && !stream.ended() &&
                stream.send(to_response(report, problems_sent).SerializeAsString());
  };
  if (node_.shares_journal()) return to_grpc_status(make_error(ErrorId::shared_journal));
  const auto report = node_.local->verify(progress);
  if (!report.ok()) return to_grpc_status(error_of(report.status()));
  if (listening) stream.send(to_response(*report, problems_sent).SerializeAsString());
  return grpc::Status::OK;
}

}  // namespace parley
