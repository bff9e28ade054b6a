#include "cluster/caf_link.hpp"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <set>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include <caf/event_based_actor.hpp>
#include <caf/io/all.hpp>
#include <caf/openssl/all.hpp>
#include <caf/send.hpp>
#include <caf/stateful_actor.hpp>

#include "base/burst.hpp"
#include "base/log.hpp"
#include "cluster/probe.hpp"

namespace parley {

/// What the actors of a transport share. Outlives it where one of them ends late.
struct CafTransport::Shared {
  Shared(CafTransportOptions its_options, Hello its_hello, PeerServer& its_server, Run its_run)
      : options(std::move(its_options)),
        hello(std::move(its_hello)),
        server(its_server),
        run_(std::move(its_run)) {}

  CafTransportOptions options;
  Hello hello;
  PeerServer& server;
  absl::Mutex mutex;
  std::map<NodeName, std::shared_ptr<Link>> links ABSL_GUARDED_BY(mutex);
  std::set<caf::actor> ends ABSL_GUARDED_BY(mutex);  ///< actors that have not ended

  [[nodiscard]] std::shared_ptr<Link> link_to(const NodeName& node) {
    absl::MutexLock lock(&mutex);
    const auto found = links.find(node);
    return found == links.end() ? nullptr : found->second;
  }
  std::atomic<bool> serving = false;  ///< queues are served, and letters where they come

  /// Why that node may not be linked; empty where it may.
  [[nodiscard]] std::string objection(const Hello& other);
  [[nodiscard]] bool of_other_cluster(const Hello& other) const;

  /// What comes once it is stopped is dropped: an end of a link may outlive it for a moment.
  void run(std::function<void()> job) {
    absl::ReaderMutexLock lock(&run_mutex_);
    if (!stopped_) run_(std::move(job));
  }
  /// As `run`, but here and now.
  void run_here(const std::function<void()>& job) {
    absl::ReaderMutexLock lock(&run_mutex_);
    if (!stopped_) job();
  }
  /// Nothing is run any more when this is back.
  void stop() {
    absl::MutexLock lock(&run_mutex_);
    stopped_ = true;
  }

 private:
  const Run run_;
  absl::Mutex run_mutex_;
  bool stopped_ ABSL_GUARDED_BY(run_mutex_) = false;
};

namespace {

/// The one wire type between nodes: what it is, and bytes.
enum Kind : uint16_t {
  k_hello = 1,
  k_welcome,
  k_refused,
  k_batch,
  k_part,
  k_last_part,
  k_other_cluster,  ///< refused for that; with a hello
  k_letters,
  k_last_part_of_letters,
};

constexpr auto k_heartbeat = std::chrono::milliseconds(500);
constexpr auto k_silence_max = std::chrono::milliseconds(2'500);
constexpr auto k_hello_timeout = std::chrono::seconds(3);
constexpr absl::Duration k_keeper_interval = absl::Milliseconds(50);
constexpr int64_t k_first_wait_micros = 100'000;
constexpr int64_t k_longest_wait_micros = 2'000'000;
/// For the ends of links to end, when the server stops.
constexpr absl::Duration k_farewell = absl::Seconds(2);
constexpr auto k_probe_timeout = std::chrono::milliseconds(500);
/// Longer batches go in parts: a heartbeat behind them is not late.
constexpr size_t k_frame_bytes = 256U << 10;
/// More than any request or answer: whoever sends more is no node of ours.
constexpr size_t k_gathered_bytes_max = 64U << 20;

using SharedPtr = std::shared_ptr<CafTransport::Shared>;
using LinkPtr = std::shared_ptr<Link>;

void send_batch(const caf::actor& to, std::string batch, Link::Content content) {
  const bool letters = content == Link::Content::letters;
  if (batch.size() <= k_frame_bytes) {
    return caf::anon_send(to, static_cast<uint16_t>(letters ? k_letters : k_batch),
                          std::move(batch));
  }
  const Kind last = letters ? k_last_part_of_letters : k_last_part;
  for (size_t at = 0; at < batch.size(); at += k_frame_bytes) {
    const bool more = at + k_frame_bytes < batch.size();
    caf::anon_send(to, static_cast<uint16_t>(more ? k_part : last),
                   batch.substr(at, k_frame_bytes));
  }
}

struct LinkEnd {
  caf::actor other;
  Link::Session session = 0;
};

/// This node's end of one connection. Lives as long as that; a new one is made for the next, so
/// that nothing of an old connection is taken for something of the new one.
///
/// What the other end sends is taken on the thread that brings it, in the order of its coming:
/// waking the actor for each batch would cost more than most calls do. What comes before this end
/// is open waits.
class LinkActor final : public caf::stateful_actor<LinkEnd> {
 public:
  using TakeBatch = std::function<void(std::string, Link::Content)>;
  using caf::stateful_actor<LinkEnd>::stateful_actor;

  /// From now on; once.
  void take_batches(TakeBatch take) {
    absl::MutexLock lock(&mutex_);
    take_ = std::move(take);
    for (auto& [kind, bytes] : early_) this->take(kind, std::move(bytes));
    early_.clear();
    open_.store(true, std::memory_order_release);
  }

  using caf::stateful_actor<LinkEnd>::enqueue;
  void enqueue(caf::mailbox_element_ptr element, caf::execution_unit* unit) override {
    auto& content = element->content();
    if (!content.match_elements<uint16_t, std::string>()) {
      return caf::stateful_actor<LinkEnd>::enqueue(std::move(element), unit);
    }
    const auto kind = content.get_as<uint16_t>(0);
    auto bytes = std::move(content.get_mutable_as<std::string>(1));
    if (!open_.load(std::memory_order_acquire)) {
      absl::MutexLock lock(&mutex_);
      if (!open_.load(std::memory_order_relaxed)) {
        early_bytes_ += bytes.size();
        if (early_bytes_ > k_gathered_bytes_max) return fail();
        early_.emplace_back(kind, std::move(bytes));
        return;
      }
    }
    take(kind, std::move(bytes));
  }

 private:
  void take(uint16_t kind, std::string bytes) {
    const bool part = kind == k_part || kind == k_last_part || kind == k_last_part_of_letters;
    // Others are of a later release: what it cannot do without, it negotiates.
    if (!part && kind != k_batch && kind != k_letters) return;
    if (part) {
      gathered_ += bytes;
      if (gathered_.size() > k_gathered_bytes_max) return fail();
      if (kind == k_part) return;
      bytes = std::exchange(gathered_, {});
    }
    const bool letters = kind == k_letters || kind == k_last_part_of_letters;
    take_(std::move(bytes), letters ? Link::Content::letters : Link::Content::calls);
  }
  /// More than any node of ours sends.
  void fail() {
    caf::anon_send_exit(caf::actor_cast<caf::actor>(this), caf::exit_reason::user_shutdown);
  }

  // Of the one thread that brings, and until this end is open the mutex's.
  std::string gathered_;
  size_t early_bytes_ = 0;
  std::vector<std::pair<uint16_t, std::string>> early_;
  TakeBatch take_;
  absl::Mutex mutex_;
  std::atomic<bool> open_ = false;
};

void end(LinkActor* self, const SharedPtr& shared, const LinkPtr& link) {
  link->close(self->state.session);
  self->quit();
  absl::MutexLock lock(&shared->mutex);
  shared->ends.erase(caf::actor_cast<caf::actor>(self));
}

void receive(const SharedPtr& shared, const LinkPtr& link, Link::Session session,
             const std::string& batch) {
  if (link->receive(session, batch, shared->server)) return;
  spdlog::error("node {} sent what cannot be read; its connection is closed", link->peer().value);
  link->close(session);
}

void begin(LinkActor* self, const SharedPtr& shared, const LinkPtr& link, const caf::actor& other) {
  self->state.other = other;
  self->monitor(other);
  const Link::Session session = link->open([other](std::string batch, Link::Content content) {
    send_batch(other, std::move(batch), content);
  });
  self->state.session = session;
  self->take_batches([shared, link, session](std::string batch, Link::Content content) {
    if (content == Link::Content::calls || !shared->serving) {
      return shared->run([shared, link, session, batch = std::move(batch)] {
        receive(shared, link, session, batch);
      });
    }
    // Here, one after the other.
    shared->run_here([&] {
      const Burst burst;
      receive(shared, link, session, batch);
    });
  });
  shared->run([shared, node = link->peer()] { shared->server.linked(node); });
}

/// What both ends do once they exist.
caf::behavior linked(LinkActor* self, const SharedPtr& shared, const LinkPtr& link) {
  {
    absl::MutexLock lock(&shared->mutex);
    shared->ends.insert(caf::actor_cast<caf::actor>(self));
  }
  self->set_default_handler(caf::drop);
  self->set_down_handler([self, shared, link](const caf::down_msg& down) {
    if (down.source != self->state.other.address()) return;
    spdlog::warn("the connection to node {} is gone", link->peer().value);
    end(self, shared, link);
  });
  self->set_exit_handler([self, shared, link](const caf::exit_msg&) { end(self, shared, link); });
  // Batches do not come here: see `LinkActor`. Why a behavior at all: without one it would end.
  return {[](uint16_t, const std::string&) {}};
}

/// The end that was connected to: it knows the other end from the hello.
caf::behavior accepted_end(LinkActor* self, const SharedPtr& shared, const LinkPtr& link,
                           const caf::actor& other) {
  begin(self, shared, link, other);
  return linked(self, shared, link);
}

/// The end that connects: says hello at the other node's door.
caf::behavior dialing_end(LinkActor* self, const SharedPtr& shared, const LinkPtr& link,
                          const caf::actor& door) {
  const auto welcome = [self, shared, link](uint16_t kind, const std::string& bytes,
                                            const caf::actor& other) {
    const bool says_who = kind == k_welcome || kind == k_other_cluster;
    const auto hello = says_who ? parse_hello(bytes) : std::nullopt;
    const std::string objection = kind == k_refused ? bytes
                                  : !hello          ? std::string("its welcome cannot be read")
                                                    : shared->objection(*hello);
    if (!objection.empty()) {
      spdlog::error("no link to node {}: {}", link->peer().value, objection);
      return end(self, shared, link);
    }
    begin(self, shared, link, other);
    spdlog::info("linked to node {} ({})", hello->node.value, hello->release);
  };
  self->request(door, k_hello_timeout, static_cast<uint16_t>(k_hello), encode_hello(shared->hello),
                caf::actor_cast<caf::actor>(self))
      .then(welcome, [self, shared, link](const caf::error&) { end(self, shared, link); });
  return linked(self, shared, link);
}

/// What is published under this node's address.
caf::behavior door_behavior(caf::event_based_actor* self, const SharedPtr& shared) {
  self->set_default_handler(caf::drop);
  return {[self, shared](
              uint16_t kind, const std::string& bytes,
              const caf::actor& other) -> caf::result<uint16_t, std::string, caf::actor> {
    const auto hello = kind == k_hello ? parse_hello(bytes) : std::nullopt;
    std::string objection = hello ? shared->objection(*hello) : "the hello cannot be read";
    if (objection.empty() && other.node() == self->node()) {
      objection = "it has the identity of this process; give each node its own network namespace";
    }
    if (!objection.empty()) {
      spdlog::error("a node is refused: {}", objection);
      if (hello && shared->of_other_cluster(*hello)) {
        return {static_cast<uint16_t>(k_other_cluster), encode_hello(shared->hello),
                caf::actor_cast<caf::actor>(self)};
      }
      return {static_cast<uint16_t>(k_refused), std::move(objection),
              caf::actor_cast<caf::actor>(self)};
    }
    const LinkPtr link = shared->link_to(hello->node);
    auto end = self->system().spawn<caf::hidden>(accepted_end, shared, link, other);
    spdlog::info("linked to node {} ({})", hello->node.value, hello->release);
    return {static_cast<uint16_t>(k_welcome), encode_hello(shared->hello), std::move(end)};
  }};
}

}  // namespace

std::string CafTransport::Shared::objection(const Hello& other) {
  if (link_to(other.node) == nullptr) {
    return absl::StrCat("node ", other.node.value, " is none of this cluster's: compare --peers");
  }
  if (!of_other_cluster(other)) return {};
  options.on_other_cluster(other);
  return absl::StrCat("node ", other.node.value, " belongs to a cluster that began with ",
                      names_of(other.first_nodes, ","), ": compare --shards and --first-nodes");
}

bool CafTransport::Shared::of_other_cluster(const Hello& other) const {
  return other.layout_digest != hello.layout_digest;
}

void configure_links(caf::actor_system_config& config,
                     const std::optional<PeerCertificates>& certificates) {
  config.load<caf::io::middleman>();
  if (certificates) {
    config.load<caf::openssl::manager>();
    config.openssl_certificate = certificates->certificate;
    config.openssl_key = certificates->key;
    config.openssl_cafile = certificates->authority;
  }
  config.set("middleman.heartbeat-interval", caf::timespan(k_heartbeat));
  config.set("middleman.connection-timeout", caf::timespan(k_silence_max));
  config.set("middleman.enable-automatic-connections", false);
  // Batches are few, and read by us: CAF only copies their bytes, which is less than a hand-over.
  config.set("middleman.workers", size_t{0});
}

CafTransport::CafTransport(caf::actor_system& system, CafTransportOptions options,
                           PeerServer& server, Run run, Steady steady)
    : system_(system), steady_(std::move(steady)) {
  Hello hello{options.self, options.layout_digest, {}, options.release, options.first_nodes};
  shared_ = std::make_shared<Shared>(std::move(options), std::move(hello), server, std::move(run));
  const auto& nodes = shared_->options.nodes;
  const auto own = std::ranges::find_if(
      nodes, [this](const PeerAddress& each) { return each.node == shared_->options.self; });
  if (own != nodes.end()) own_ = *own;
  set_nodes(nodes);
}

void CafTransport::set_nodes(const std::vector<PeerAddress>& nodes) {
  absl::MutexLock lock(&peers_mutex_);
  for (auto& [name, peer] : peers_) peer.present = false;
  for (const PeerAddress& address : nodes) {
    if (address.node == shared_->options.self) continue;
    Peer& peer = peers_[address.node];
    peer.address = address;
    peer.present = peer.hurry = true;
    if (peer.link) continue;
    peer.link = std::make_shared<Link>(address.node, shared_->options.limits);
    peer.dials = shared_->options.self < address.node;
    absl::MutexLock links_lock(&shared_->mutex);
    shared_->links.emplace(address.node, peer.link);
  }
}

std::shared_ptr<Link> CafTransport::link_to(const NodeName& node) const {
  absl::ReaderMutexLock lock(&peers_mutex_);
  const auto found = peers_.find(node);
  return found == peers_.end() ? nullptr : found->second.link;
}

CafTransport::~CafTransport() { stop(); }

Status CafTransport::start() {
  door_ = system_.spawn<caf::hidden>(door_behavior, shared_);
  if (!publish()) {
    caf::anon_send_exit(door_, caf::exit_reason::user_shutdown);
    door_ = {};
    return absl::UnavailableError(
        absl::StrCat("cannot listen for other nodes on ", own_.host, ":", own_.port,
                     ": is another server running there? It is this node's entry in --peers"));
  }
  keeper_ = std::thread([this] { keep_connected(); });
  return absl::OkStatus();
}

caf::expected<uint16_t> CafTransport::publish() {
  const char* host = own_.host.c_str();
  return shared_->options.secured ? caf::openssl::publish(door_, own_.port, host, true)
                                  : system_.middleman().publish(door_, own_.port, host, true);
}

caf::expected<caf::actor> CafTransport::dial(const PeerAddress& address) {
  return shared_->options.secured ? caf::openssl::remote_actor(system_, address.host, address.port)
                                  : system_.middleman().remote_actor(address.host, address.port);
}

void CafTransport::stop() {
  if (stopping_.HasBeenNotified()) return;
  stopping_.Notify();
  if (keeper_.joinable()) keeper_.join();
  if (door_) {
    // CAF 0.17 cannot take back what was published by TLS: that ends with its door.
    if (!shared_->options.secured) system_.middleman().unpublish(door_, own_.port);
    caf::anon_send_exit(door_, caf::exit_reason::user_shutdown);
    door_ = {};
  }
  absl::MutexLock lock(&shared_->mutex);
  for (const caf::actor& end : shared_->ends) {
    caf::anon_send_exit(end, caf::exit_reason::user_shutdown);
  }
  const auto none = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(shared_->mutex) {
    return shared_->ends.empty();
  };
  shared_->mutex.AwaitWithTimeout(absl::Condition(&none), k_farewell);
  shared_->stop();
}

void CafTransport::serve() { shared_->serving = true; }

void CafTransport::ask(const NodeName& to, PeerRequest request, PeerWaiter* waiter) {
  const auto link = link_to(to);
  if (!link) return waiter->failed(PeerFailure::not_sent);
  link->ask(request, steady_(), waiter);
}

uint64_t CafTransport::session(const NodeName& to) const {
  const auto link = link_to(to);
  return link ? link->session() : 0;
}

void CafTransport::meet_others(std::chrono::milliseconds most) {
  const auto until = std::chrono::steady_clock::now() + most;
  std::vector<std::pair<PeerAddress, std::shared_ptr<Link>>> others;
  {
    absl::MutexLock lock(&peers_mutex_);
    for (const auto& [name, peer] : peers_) others.emplace_back(peer.address, peer.link);
  }
  for (const auto& [address, link] : others) {
    while (link->session() == 0 && std::chrono::steady_clock::now() < until) {
      if (!answers_connections(address.host, address.port, k_probe_timeout)) break;
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  }
}

void CafTransport::keep_connected() {
  while (!stopping_.WaitForNotificationWithTimeout(k_keeper_interval)) {
    const SteadyTime now = steady_();
    // Why copies: connecting takes its time, whoever is told asks again, and calls go on meanwhile.
    std::vector<std::shared_ptr<Link>> links;
    std::vector<std::pair<Peer*, PeerAddress>> to_dial;
    {
      absl::MutexLock lock(&peers_mutex_);
      for (auto& [name, peer] : peers_) {
        links.push_back(peer.link);
        const bool open = peer.link->session() != 0;
        if (open) peer.wait_micros = 0;
        // Not while a hello is under way: a second one would end what the first brings about.
        if (std::exchange(peer.hurry, false)) peer.next_try = peer.greeted;
        const bool wanted = peer.present && peer.dials && !open;
        if (wanted && peer.next_try <= now) to_dial.emplace_back(&peer, peer.address);
      }
    }
    for (const auto& link : links) link->tick(now);
    for (const auto& [peer, address] : to_dial) connect(*peer, address);
  }
}

// Why the probe: CAF connects in the one thread that serves all connections, without a timeout.
void CafTransport::connect(Peer& peer, const PeerAddress& address) {
  peer.wait_micros = std::clamp(peer.wait_micros * 2, k_first_wait_micros, k_longest_wait_micros);
  peer.next_try = {steady_().micros + peer.wait_micros};
  if (!answers_connections(address.host, address.port, k_probe_timeout)) return;
  auto door = dial(address);
  if (!door) return;
  system_.spawn<caf::hidden>(dialing_end, shared_, peer.link, *door);
  peer.greeted = {steady_().micros +
                  std::chrono::duration_cast<std::chrono::microseconds>(k_hello_timeout).count()};
  peer.next_try = peer.greeted;
}

}  // namespace parley
