#include "services/server.hpp"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/notification.h"
#include "absl/time/time.h"
#include <caf/actor_system.hpp>
#include <caf/actor_system_config.hpp>
#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>

#include "base/check.hpp"
#include "base/cpus.hpp"
#include "base/log.hpp"
#include "cluster/caf_link.hpp"
#include "cluster/shard_file.hpp"
#include "cluster/shard_keeper.hpp"
#include "services/admin_service.hpp"
#include "services/conversation_service.hpp"
#include "services/echo_service.hpp"
#include "services/first_meeting.hpp"
#include "services/health_service.hpp"
#include "services/hosted_shards.hpp"
#include "services/import_step.hpp"
#include "services/peer_calls.hpp"
#include "services/peers.hpp"
#include "services/provider_service.hpp"
#include "services/release.hpp"
#include "services/remote_forks.hpp"
#include "services/remote_reads.hpp"
#include "services/remote_watches.hpp"
#include "services/server_options.hpp"
#include "services/shared_cluster.hpp"
#include "services/transfer_service.hpp"

namespace parley {
namespace {

using std::chrono::milliseconds;

constexpr absl::Duration k_sweep_interval = absl::Seconds(1);
constexpr int k_sweeps_a_release = 60;
constexpr int k_sweeps_a_purge = 3600;
/// A node that starts for the first time looks for the others as long, where they answer at all.
constexpr auto k_first_meeting = std::chrono::seconds(5);
/// For connections to be told that the server goes.
constexpr auto k_goodbye = milliseconds(200);
/// Requests may be a little larger than messages in them: the limits answer with their own words.
constexpr size_t k_request_slack_bytes = 1U << 20;
constexpr size_t k_receive_bytes_min = 16U << 20;
constexpr int k_max_metadata_bytes = 16 << 10;

/// Pieces of rows (of some 128 KiB) under way of a shard that moves, and still to go when its calls
/// are held; and how long they are held, the first time.
constexpr uint64_t k_move_window = 16;
constexpr uint64_t k_move_lag_max = 4;
constexpr int64_t k_move_held_micros = 1'000'000;

std::optional<PeerCertificates> certificates(const Config& config) {
  if (config.peer_certificate.empty()) return std::nullopt;
  return PeerCertificates{config.peer_certificate, config.peer_key, config.peer_authority};
}

caf::actor_system_config& configured(caf::actor_system_config& config, const Config& server) {
  if (!server.cluster.empty()) configure_links(config, certificates(server));
  config.set("scheduler.policy", caf::atom("sharing"));
  // Those that wait for a database are not to keep the links between nodes waiting.
  config.set("scheduler.max-threads",
             server.journals.empty() ? 2 : 2 + PostgresOptions{}.read_sessions);
  config.set("scheduler.max-throughput", 20);
  return config;
}

int number_or(int configured_number, int by_cores) {
  return configured_number > 0 ? configured_number : by_cores;
}

/// A write of unknown outcome: nothing may be acknowledged any more, and only a restart can tell
/// what is on the disk. No destructor may run, for storage must not be touched again.
void end_process(const std::string& why) {
  std::fprintf(stderr,
               "parleyd: cannot write: %s\nparleyd: ending, because what was written last is "
               "uncertain; check the disk and start again: the log is replayed\n",
               why.c_str());
  std::_Exit(74);  // EX_IOERR
}

class RunningServer final : public Server {
 public:
  explicit RunningServer(const Config& config)
      : config_(fitted(config)), system_(configured(caf_config_, config_)) {}
  ~RunningServer() override { drain_and_stop(); }

  Status open();
  [[nodiscard]] int port() const override { return port_; }
  void drain_and_stop() override;

 private:
  Status open_store();
  void prepare_links();
  void link_static(CafTransportOptions& options);
  void keep_shards();
  [[nodiscard]] std::vector<NodeName> nodes() const;
  [[nodiscard]] PeerAddress own_address() const;
  void share_shards();
  void build(grpc::ServerBuilder& builder);
  Status join();
  /// Everything that serves, but for the port.
  void assemble(grpc::ServerBuilder& builder);
  Status meet_others();
  Status listen(grpc::ServerBuilder& builder);
  void serve();
  void finish_releases();
  void keep_house();

  const Config config_;
  caf::actor_system_config caf_config_;
  caf::actor_system system_;
  SystemClock clock_;
  RandomIds ids_;
  std::optional<OpenedShards> shards_;        ///< of a cluster
  std::vector<PeerAddress> addresses_;        ///< of its nodes, as --peers has them
  std::shared_ptr<FirstMeeting> meeting_;     ///< null where that was long ago
  std::unique_ptr<LocalJournal> local_;       ///< one of the two
  std::unique_ptr<PostgresJournals> shared_;  ///< the other one
  Journal* store_ = nullptr;                  ///< whichever it is
  std::vector<std::unique_ptr<CallQueue>> queues_;
  std::unique_ptr<OwnedShards> owned_;
  std::unique_ptr<Environment> environment_;
  std::unique_ptr<Registry> registry_;
  std::unique_ptr<Node> node_;
  std::unique_ptr<PeerCalls> peers_;
  std::unique_ptr<CafTransport> transport_;
  std::unique_ptr<Router> router_;
  std::unique_ptr<RemoteWatches> remote_watches_;
  std::unique_ptr<RemoteForks> remote_forks_;
  std::unique_ptr<RemoteReads> remote_reads_;
  std::unique_ptr<NodeGate> gate_;
  std::unique_ptr<HostedShards> hosted_;
  std::unique_ptr<ShardKeeper> keeper_;
  std::unique_ptr<SharedCluster> sharing_;
  std::atomic<size_t> next_queue_{0};

  ConversationRpcs conversation_rpcs_;
  AdminRpcs admin_rpcs_;
  ProviderRpcs provider_rpcs_;
  HealthRpcs health_rpcs_;
  EchoRpcs echo_rpcs_;
  std::unique_ptr<ConversationService> conversations_;
  std::unique_ptr<TransferService> transfers_;
  std::unique_ptr<AdminService> admin_;
  std::unique_ptr<ProviderService> providers_;
  std::unique_ptr<EchoService> echo_;
  HealthService health_{
      health_rpcs_,
      {"parley.v1.ConversationService", "parley.v1.AdminService", "parley.v1.ProviderService"}};
  std::unique_ptr<grpc::Server> server_;
  int port_ = 0;

  absl::Notification house_closed_;
  std::thread housekeeper_;
  bool stopped_ = false;
};

Status RunningServer::open() {
  if (Status status = join(); !status.ok()) return status;
  if (Status status = open_store(); !status.ok()) return status;
  grpc::reflection::InitProtoReflectionServerBuilderPlugin();
  grpc::ServerBuilder builder;
  assemble(builder);
  Status status = meet_others();
  if (status.ok()) status = listen(builder);
  if (!status.ok()) {
    drain_and_stop();
    return status;
  }
  serve();
  finish_releases();
  housekeeper_ = std::thread([this] { keep_house(); });
  return absl::OkStatus();
}

Status RunningServer::open_store() {
  if (config_.cluster == "shared") {
    auto store = PostgresJournals::open(database_options(config_), config_.journals);
    if (!store.ok()) return store.status();
    shared_ = *std::move(store);
    store_ = shared_.get();
    return absl::OkStatus();
  }
  auto store = LocalJournal::open(storage_options(config_, end_process));
  if (!store.ok()) return store.status();
  local_ = *std::move(store);
  store_ = local_.get();
  return absl::OkStatus();
}

/// What this node is of its cluster, by what it recorded; or that it is alone.
Status RunningServer::join() {
  if (config_.cluster.empty()) return check_alone(config_.data_dir);
  auto peers = parse_peers(config_);
  if (!peers.ok()) return peers.status();
  for (const PeerAddress& peer : *peers) {
    const bool safe = config_.insecure || !config_.peer_certificate.empty();
    if (!safe && !is_loopback(peer.host)) {
      return absl::InvalidArgumentError(absl::StrCat(
          "--peers ", peer.node.value, "=", peer.host,
          ": not a loopback address, and there is no TLS between nodes: whoever reaches the port ",
          "can do everything. Give --peer-cert, --peer-key and --peer-ca, or keep it on a network ",
          "of the cluster's own and say --insecure"));
    }
  }
  owned_ = std::make_unique<OwnedShards>(config_.shard_count);
  addresses_ = *std::move(peers);
  if (config_.cluster == "shared") return absl::OkStatus();
  auto first_nodes = parse_first_nodes(config_);
  if (!first_nodes.ok()) return first_nodes.status();
  auto shards = open_shards(config_.data_dir, {.self = {config_.node},
                                               .nodes = nodes(),
                                               .first_nodes = *std::move(first_nodes),
                                               .shard_count = config_.shard_count});
  if (!shards.ok()) return shards.status();
  shards_ = *std::move(shards);
  return absl::OkStatus();
}

/// Which nodes are of the same cluster: those that began with the same ones.
void RunningServer::link_static(CafTransportOptions& options) {
  const NodeShards& shards = shards_->shards;
  options.layout_digest = layout_digest(shards.nodes, config_.shard_count);
  options.first_nodes = shards.nodes;
  if (!shards_->fresh || !shards.owns_any()) return;
  meeting_ = std::make_shared<FirstMeeting>(config_.data_dir, shards);
  options.on_other_cluster = [meeting = meeting_](const Hello& other) { meeting->on(other); };
}

/// The links to the other nodes; they are begun when calls can be served.
void RunningServer::prepare_links() {
  CafTransportOptions options;
  options.self = {config_.node};
  options.nodes = addresses_;
  options.release = k_release;
  options.secured = !config_.peer_certificate.empty();
  if (shards_) {
    link_static(options);
  } else {
    options.layout_digest = layout_digest({{shared_->store_id()}}, config_.shard_count);
  }
  transport_ = std::make_unique<CafTransport>(
      system_, std::move(options), *peers_,
      [this](std::function<void()> job) {
        queues_[next_queue_++ % queues_.size()]->post(std::move(job));
      },
      [this] { return clock_.steady(); });
  KnownOwners owners = shards_ ? shards_->shards.owners() : KnownOwners(config_.shard_count);
  router_ =
      std::make_unique<Router>(NodeName{config_.node}, nodes(), std::move(owners), *transport_);
  node_->router = router_.get();
  remote_watches_ = std::make_unique<RemoteWatches>(*node_);
  remote_watches_->serve(*peers_);
  node_->remote_watches = remote_watches_.get();
  remote_forks_ = std::make_unique<RemoteForks>(*node_);
  remote_forks_->serve(*peers_);
  remote_reads_ = std::make_unique<RemoteReads>(*node_);
  remote_reads_->serve(*peers_);
  node_->remote_reads = remote_reads_.get();
  if (local_) local_->look_elsewhere(*remote_reads_);
  serve_import_pieces(*node_, *peers_);
  environment_->parents_elsewhere = remote_forks_.get();
  gate_ = std::make_unique<NodeGate>(*node_, *owned_, [this](Shard shard, Epoch epoch) {
    if (shared_) {
      shared_->know_epoch(shard, epoch);
      return absl::OkStatus();
    }
    return store_->epoch(shard) >= epoch ? absl::OkStatus() : store_->raise_epoch(shard, epoch);
  });
  gate_->serve_peers(*peers_);
  // Of forks whose parents were away.
  peers_->when_linked([this](const NodeName&) { node_->blocking([this] { finish_releases(); }); });
  if (shards_) {
    keep_shards();
  } else {
    share_shards();
  }
}

std::vector<NodeName> RunningServer::nodes() const {
  std::vector<NodeName> nodes;
  for (const PeerAddress& address : addresses_) nodes.push_back(address.node);
  return nodes;
}

PeerAddress RunningServer::own_address() const {
  const auto own = std::ranges::find_if(
      addresses_, [this](const PeerAddress& each) { return each.node.value == config_.node; });
  PARLEY_CHECK(own != addresses_.end());
  return *own;
}

/// What nobody owns is this node's to take, once calls are served.
void RunningServer::share_shards() {
  sharing_ = std::make_unique<SharedCluster>(
      SharedCluster::Options{.self = own_address(),
                             .times = lease_times(config_),
                             .databases = lease_connections(config_)},
      *shared_, *node_, *gate_, *transport_);
  sharing_->serve_peers(*peers_);
  environment_->leases_until = sharing_->leases_until();
  node_->shards = sharing_.get();
}

/// What this node owns is served from here on; what was on its way goes on when the links stand.
void RunningServer::keep_shards() {
  hosted_ = std::make_unique<HostedShards>(*node_, *local_, *gate_, shards_->shards);
  keeper_ = std::make_unique<ShardKeeper>(
      ShardKeeper::Options{.self = shards_->shards.self,
                           .shard_count = config_.shard_count,
                           .limits = {.window = k_move_window,
                                      .lag_max = k_move_lag_max,
                                      .held_micros = k_move_held_micros},
                           .now = [this] { return clock_.steady(); },
                           .random =
                               [this] {
                                 const Id128 fresh = ids_.fresh();
                                 uint64_t number = 0;
                                 std::memcpy(&number, fresh.bytes.data() + 8, sizeof number);
                                 return number;
                               }},
      *hosted_);
  peers_->add_letters(HostedShards::k_letter, [this](const NodeName& from, std::string letter) {
    keeper_->receive(from, std::move(letter));
  });
  node_->shards = keeper_.get();
  node_->keeper = keeper_.get();
  keeper_->start();
}

void RunningServer::build(grpc::ServerBuilder& builder) {
  // A second server on the same port is to fail, not to take half of the calls.
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);
  builder.AddChannelArgument(GRPC_ARG_MAX_METADATA_SIZE, k_max_metadata_bytes);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 5'000);
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.SetMaxReceiveMessageSize(static_cast<int>(
      std::max(config_.limits.request_bytes + k_request_slack_bytes, k_receive_bytes_min)));
  builder.AddListeningPort(config_.listen, grpc::InsecureServerCredentials(), &port_);
  builder.RegisterService(&conversation_rpcs_);
  builder.RegisterService(&admin_rpcs_);
  builder.RegisterService(&provider_rpcs_);
  builder.RegisterService(&health_rpcs_);
  if (config_.echo) builder.RegisterService(&echo_rpcs_);
}

void RunningServer::assemble(grpc::ServerBuilder& builder) {
  build(builder);
  const int cores = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  const int queue_count = number_or(config_.queues, std::max(1, cores / 3));
  for (int i = 0; i < queue_count; ++i) {
    queues_.push_back(std::make_unique<CallQueue>(system_, builder.AddCompletionQueue()));
  }
  environment_ = std::make_unique<Environment>(Environment{
      *store_, clock_, ids_, config_.limits, *queues_.front(), config_.shard_count, owned_.get()});
  registry_ = std::make_unique<Registry>(
      system_, *environment_,
      RegistryOptions{share_out(config_.memory_budget_bytes).conversations,
                      config_.idle_seconds * 1'000'000});
  node_ = std::make_unique<Node>(config_, system_, *environment_, *registry_, *store_);
  node_->local = local_.get();
  node_->store_id = local_ ? local_->store_id() : shared_->store_id();
  node_->start_time = clock_.wall();
  peers_ = std::make_unique<PeerCalls>(*node_);
  if (!config_.cluster.empty()) prepare_links();
  conversations_ = std::make_unique<ConversationService>(*node_, conversation_rpcs_, *peers_);
  transfers_ = std::make_unique<TransferService>(*node_, conversation_rpcs_);
  admin_ = std::make_unique<AdminService>(*node_, admin_rpcs_, *peers_, *conversations_);
  providers_ = std::make_unique<ProviderService>(*node_, provider_rpcs_);
  echo_ = std::make_unique<EchoService>(echo_rpcs_, node_->traffic);
}

/// Links to the others; what they ask for waits until calls are served.
Status RunningServer::meet_others() {
  if (!transport_) return absl::OkStatus();
  if (Status status = transport_->start(); !status.ok()) return status;
  if (!meeting_) return absl::OkStatus();
  transport_->meet_others(k_first_meeting);
  return meeting_->end();
}

Status RunningServer::listen(grpc::ServerBuilder& builder) {
  server_ = builder.BuildAndStart();
  if (!server_ || port_ == 0) {
    return absl::UnavailableError(
        absl::StrCat("cannot listen on ", config_.listen, ": is another server running there?"));
  }
  node_->address_text =
      absl::StrCat(config_.listen.substr(0, config_.listen.rfind(':') + 1), port_);
  return absl::OkStatus();
}

void RunningServer::serve() {
  size_t threads = 0;
  for (auto& queue : queues_) {
    conversations_->serve(*queue);
    transfers_->serve(*queue);
    admin_->serve(*queue);
    providers_->serve(*queue);
    health_.serve(*queue);
    if (config_.echo) echo_->serve(*queue);
    std::vector<std::optional<int>> cpus(static_cast<size_t>(number_or(config_.threads, 1)));
    for (auto& cpu : cpus) {
      const auto& given = config_.queue_cpus;
      if (!given.empty()) cpu = given[threads++ % given.size()];
    }
    queue->start(cpus);
  }
  if (transport_) transport_->serve();
  if (sharing_) sharing_->start();
}

/// Children that were erased before their parents were told: loading them takes it up again.
void RunningServer::finish_releases() {
  auto unfinished = store_->unfinished_releases();
  if (!unfinished.ok()) {
    spdlog::warn("fork releases not resumed: {}", std::string(unfinished.status().message()));
    return;
  }
  for (const auto& release : *unfinished)
    registry_->wake(node_->address(release.key.tenant, release.key.thread));
}

void RunningServer::keep_house() {
  int sweeps = 0;
  while (!house_closed_.WaitForNotificationWithTimeout(k_sweep_interval)) {
    registry_->sweep();
    if (!router_) continue;
    remote_watches_->sweep();
    if (sharing_) sharing_->sweep();
    if (shared_ && sweeps % k_sweeps_a_purge == 0) {
      node_->blocking([this] {
        const Status status = shared_->purge();
        if (!status.ok()) spdlog::warn("deletions left something: {}", status.ToString());
      });
    }
    // Of forks whose parents were busy, or on their way.
    if (++sweeps % k_sweeps_a_release == 0) node_->blocking([this] { finish_releases(); });
  }
}

void RunningServer::drain_and_stop() {
  if (stopped_ || store_ == nullptr) return;
  stopped_ = true;
  if (server_) {
    health_.stop_serving();
    std::this_thread::sleep_for(milliseconds(config_.drain_delay_ms));
    if (sharing_) sharing_->drain(std::chrono::seconds(config_.drain_seconds));
    node_->traffic.draining = true;
    // Why not left to Shutdown's deadline: it would wait for idle connections that do not answer.
    const auto deadline =
        std::chrono::steady_clock::now() + std::chrono::seconds(config_.drain_seconds);
    while (node_->traffic.under_way > 0 && std::chrono::steady_clock::now() < deadline) {
      std::this_thread::sleep_for(milliseconds(1));
    }
    server_->Shutdown(std::chrono::system_clock::now() + k_goodbye);
  }
  if (!house_closed_.HasBeenNotified()) house_closed_.Notify();
  if (housekeeper_.joinable()) housekeeper_.join();
  if (keeper_) keeper_->stop();
  if (sharing_) sharing_->stop();
  if (transport_) transport_->stop();
  if (registry_) {
    registry_->retire_all();
    while (!registry_->all_retired()) std::this_thread::sleep_for(milliseconds(1));
  }
  for (auto& queue : queues_) queue->stop();
  queues_.clear();
  system_.await_all_actors_done();
  environment_.reset();
  local_.reset();
  shared_.reset();
}

}  // namespace

Result<std::unique_ptr<Server>> Server::start(const Config& config) {
  if (Status status = check_cpus("--queue-cpus", config.queue_cpus); !status.ok()) return status;
  leave_cpus(config.queue_cpus);
  auto server = std::make_unique<RunningServer>(config);
  if (Status status = server->open(); !status.ok()) return status;
  return std::unique_ptr<Server>(std::move(server));
}

}  // namespace parley
