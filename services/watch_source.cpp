#include "services/watch_source.hpp"

#include <atomic>
#include <utility>

#include "parley/cluster/v1/peer.pb.h"
#include "services/lambda_call.hpp"
#include "services/peer_calls.hpp"
#include "services/remote_watches.hpp"
#include "storage/codec.hpp"

namespace parley {
namespace {

constexpr PageBounds k_look_back{256, 1U << 20};
/// An owner answers at once, or is asked again.
constexpr int64_t k_answer_micros = 5'000'000;
/// Whoever waits at another node says so again and again, or is forgotten there.
constexpr int64_t k_renew_micros = 10'000'000;

/// Asks the conversation what follows.
class FollowHere final : public Call {
 public:
  FollowHere(Node& node, Address address, const Follow& wish,
             std::shared_ptr<WatchListener> listener)
      : node_(node), listener_(std::move(listener)) {
    to = std::move(address);
    what = wish;
  }
  void waits() override { listener_->on_waiting(); }
  void events(std::vector<std::shared_ptr<const EventList>> lists) override {
    listener_->on_events(lists);
    delete this;
  }
  void look_back(Version) override {
    node_.blocking([this] {
      auto events =
          node_.store.read_events(to.key, to.shard, std::get<Follow>(what).after, k_look_back);
      if (!events.ok()) return fail(events.status());
      if (events->empty()) {
        listener_->on_events({});
      } else {
        listener_->on_events({std::make_shared<const EventList>(*std::move(events))});
      }
      delete this;
    });
  }
  void answer(Outcome outcome, bool) override {
    if (const auto* refusal = std::get_if<Refusal>(&outcome)) {
      listener_->on_refused(error_of(*refusal, to.key));
    } else {
      listener_->on_not_now();
    }
    delete this;
  }
  void fail(Status status) override {
    if (status.code() == absl::StatusCode::kUnavailable) {
      listener_->on_not_now();
    } else if (status.code() == absl::StatusCode::kResourceExhausted) {
      listener_->on_refused(make_error(ErrorId::too_many_watchers));
    } else {
      listener_->on_refused(error_of(status, to.key));
    }
    delete this;
  }

 private:
  Node& node_;
  const std::shared_ptr<WatchListener> listener_;
};

/// What another node says that has nothing to do with the conversation: it passes.
bool passes(const ApiError& error) {
  return error.code == absl::StatusCode::kUnavailable || is_not_owner(error) ||
         error.reason == error_row(ErrorId::overloaded).reason;
}

ApiError unreachable(const NodeName& owner) {
  return make_error(ErrorId::node_unreachable, {{"node", owner.value}});
}

std::optional<WatchBeginning> beginning_of(const cluster::v1::WatchBeginning& told) {
  WatchBeginning beginning;
  constexpr size_t k_id_bytes = sizeof(Id128::bytes);
  if (!told.history().empty()) {
    if (told.history().size() != k_id_bytes) return std::nullopt;
    beginning.history = Id128::from_bytes(told.history());
  }
  beginning.reset = {told.reset_version()};
  for (const auto& fork : told.forks()) {
    if (fork.history().size() != k_id_bytes) return std::nullopt;
    const Id128 history = Id128::from_bytes(fork.history());
    beginning.children[history] = {fork.thread_id(), history, {fork.at_sequence()}};
  }
  return beginning;
}

Checked<WatchBeginning> beginning_in(const Checked<std::string>& answer) {
  if (const auto* error = std::get_if<ApiError>(&answer)) return *error;
  cluster::v1::FollowAnswer told;
  auto beginning = told.ParseFromString(std::get<std::string>(answer))
                       ? beginning_of(told.beginning())
                       : std::optional<WatchBeginning>();
  if (!beginning) return make_error(ErrorId::internal);
  return *std::move(beginning);
}

}  // namespace

uint64_t fresh_watcher() {
  static std::atomic<uint64_t> last{0};
  return ++last;
}

void begin_here(Node& node, const Address& address, bool wait_for_create,
                std::function<void(Checked<WatchBeginning>)> done) {
  auto beginning = std::make_shared<WatchBeginning>();
  const auto on_render = [beginning](const State& state, const RecentMessages&) {
    *beginning = WatchBeginning::of(state);
  };
  auto on_done = [beginning, wait_for_create, done = std::move(done)](const Done& how) {
    const bool awaited =
        how.was_refused && how.refused_for == Reason::conversation_not_found && wait_for_create;
    if (how.receipt() == nullptr && !awaited) return done(how.error());
    done(std::move(*beginning));
  };
  node.registry.dispatch(new LambdaCall(node, address, Read{}, std::move(on_done), on_render));
}

void follow_here(Node& node, const Address& address, const Follow& wish,
                 std::shared_ptr<WatchListener> listener) {
  node.registry.dispatch(new FollowHere(node, address, wish, std::move(listener)));
}

/// Waits for what another node says that follows.
class FollowWaiter final : public PeerWaiter {
 public:
  FollowWaiter(std::shared_ptr<WatchSource> source, uint64_t question, NodeName owner)
      : source_(std::move(source)), question_(question), owner_(std::move(owner)) {}
  void answered(PeerAnswer answer) override {
    source_->on_answer(question_, owner_, std::move(answer));
    delete this;
  }
  // Whatever became of the question, nothing came of it.
  void failed(PeerFailure) override {
    source_->on_failure(question_, unreachable(owner_));
    delete this;
  }

 private:
  const std::shared_ptr<WatchSource> source_;
  const uint64_t question_;
  const NodeName owner_;
};

WatchSource::WatchSource(Node& node, Address address, bool wait_for_create)
    : node_(node),
      address_(std::move(address)),
      wait_for_create_(wait_for_create),
      id_(fresh_watcher()),
      name_(node.environment.ids.fresh().view()) {}

PeerRequest WatchSource::request(const std::string& method, std::string body) const {
  return {method, address_.key.tenant, std::move(body), k_answer_micros};
}

void WatchSource::open(std::weak_ptr<WatchListener> listener) {
  listener_ = std::move(listener);
  if (const NodeName* owner = node_.elsewhere(address_)) return open_elsewhere(*owner);
  begin_here(node_, address_, wait_for_create_,
             [self = shared_from_this()](Checked<WatchBeginning> beginning) {
               if (const auto told = self->listener_.lock()) {
                 told->on_beginning(std::move(beginning));
               }
             });
}

void WatchSource::open_elsewhere(const NodeName& owner) {
  cluster::v1::FollowRequest asked;
  asked.set_thread_id(address_.key.thread);
  asked.set_wait_for_create(wait_for_create_);
  asked.set_opening(true);
  const auto tell = [self = shared_from_this()](const Checked<std::string>& answer) {
    if (const auto listener = self->listener_.lock()) {
      listener->on_beginning(beginning_in(answer));
    }
  };
  node_.router->ask(owner, request(RemoteWatches::k_follow, asked.SerializeAsString()),
                    new AnswerWaiter(node_, owner, tell));
}

void WatchSource::ask(Version after) {
  const NodeName* owner = node_.elsewhere(address_);
  {
    absl::MutexLock lock(&mutex_);
    if (closed_) return;
    after_ = after;
    if (owner == nullptr) asked_.reset();
  }
  if (owner != nullptr) return ask_elsewhere(*owner);
  auto listener = listener_.lock();
  if (!listener) return;
  // Once something was seen the conversation exists: its absence is a deletion.
  const Follow wish{after, id_, wait_for_create_ && after == Version{0}};
  follow_here(node_, address_, wish, std::move(listener));
  unfollow_if_closed();
}

/// What was asked while it was closed came behind the word that it is over.
void WatchSource::unfollow_if_closed() {
  std::optional<NodeName> owner;
  {
    absl::MutexLock lock(&mutex_);
    if (!closed_) return;
    owner = asked_;
  }
  unfollow(owner);
}

void WatchSource::ask_elsewhere(const NodeName& owner) {
  cluster::v1::FollowRequest asked;
  uint64_t question = 0;
  bool first = false;
  {
    absl::MutexLock lock(&mutex_);
    if (closed_) return;
    first = !asked_;
    asked_ = owner;
    question = ++question_;
    stage_ = Stage::under_way;
    nudged_ = false;
    session_ = node_.router->session(owner);
    asked_at_ = node_.environment.clock.steady();
    asked.set_after_version(after_.value);
    asked.set_wait_for_create(wait_for_create_ && after_ == Version{0});
  }
  if (first) node_.remote_watches->add(name_, weak_from_this());
  asked.set_thread_id(address_.key.thread);
  asked.set_watcher(name_);
  node_.router->ask(owner, request(RemoteWatches::k_follow, asked.SerializeAsString()),
                    new FollowWaiter(shared_from_this(), question, owner));
  unfollow_if_closed();
}

bool WatchSource::settle(uint64_t question) {
  absl::MutexLock lock(&mutex_);
  if (closed_ || question != question_) return false;
  stage_ = Stage::idle;
  return true;
}

void WatchSource::on_failure(uint64_t question, const ApiError& why) {
  if (!settle(question)) return;
  if (const auto listener = listener_.lock()) listener->on_unreachable(why);
}

void WatchSource::on_answer(uint64_t question, const NodeName& owner, PeerAnswer answer) {
  const auto listener = listener_.lock();
  if (!listener) return;
  if (answer.code != 0) {
    const ApiError error = error_of(answer);
    node_.learn(error);
    if (passes(error)) return on_failure(question, unreachable(owner));
    if (settle(question)) listener->on_refused(error);
    return;
  }
  cluster::v1::FollowAnswer told;
  if (!told.ParseFromString(answer.body)) {
    return on_failure(question, unreachable(owner));
  }
  if (told.waiting()) {
    {
      absl::MutexLock lock(&mutex_);
      if (closed_ || question != question_) return;
    }
    // Why first: while the question counts as under way nothing overtakes it.
    listener->on_waiting();
    bool again = false;
    {
      absl::MutexLock lock(&mutex_);
      if (closed_ || question != question_) return;
      stage_ = Stage::waiting;
      again = nudged_;
    }
    if (again) nudge();
    return;
  }
  if (told.events().empty()) {
    if (settle(question)) listener->on_not_now();
    return;
  }
  auto events = decode_feed(told.events());
  if (!settle(question)) return;
  if (!events.ok()) return listener->on_refused(error_of(events.status(), address_.key));
  listener->on_events({std::make_shared<const EventList>(*std::move(events))});
}

void WatchSource::nudge() {
  NodeName owner;
  {
    absl::MutexLock lock(&mutex_);
    if (closed_ || stage_ == Stage::idle) return;
    if (stage_ == Stage::under_way) {
      nudged_ = true;
      return;
    }
    stage_ = Stage::under_way;  // of two at once one asks
    owner = *asked_;
  }
  // It may have passed on meanwhile.
  const NodeName* now = node_.elsewhere(address_);
  if (now != nullptr) owner = *now;
  ask_elsewhere(owner);
}

void WatchSource::tick() {
  {
    absl::MutexLock lock(&mutex_);
    if (stage_ != Stage::waiting) return;
    const SteadyTime now = node_.environment.clock.steady();
    const bool sound = node_.router->session(*asked_) == session_;
    if (sound && now.micros - asked_at_.micros < k_renew_micros) return;
  }
  nudge();
}

void WatchSource::close() {
  std::optional<NodeName> owner;
  {
    absl::MutexLock lock(&mutex_);
    if (std::exchange(closed_, true)) return;
    owner = asked_;
  }
  unfollow(owner);
}

void WatchSource::unfollow(const std::optional<NodeName>& owner) {
  node_.registry.unfollow(address_, id_);
  if (!owner) return;
  node_.remote_watches->remove(name_);
  cluster::v1::UnfollowRequest gone;
  gone.set_thread_id(address_.key.thread);
  gone.set_watcher(name_);
  node_.router->ask(*owner, request(RemoteWatches::k_unfollow, gone.SerializeAsString()),
                    new NobodyWaits);
}

}  // namespace parley
