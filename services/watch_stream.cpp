#include "services/watch_stream.hpp"

#include <atomic>
#include <utility>

#include "services/lambda_call.hpp"
#include "services/rpc.hpp"
#include "services/validate.hpp"

namespace parley {
namespace {

constexpr PageBounds k_look_back{256, 1U << 20};
constexpr int64_t k_tick_micros = 250'000;
constexpr int64_t k_micros_per_ms = 1'000;
constexpr int64_t k_micros_per_second = 1'000'000;
/// After RESOURCE_EXHAUSTED could not be delivered either, the stream is torn down.
constexpr int64_t k_farewell_micros = 5 * k_micros_per_second;

uint64_t fresh_watcher() {
  static std::atomic<uint64_t> last{0};
  return ++last;
}

}  // namespace

/// Asks the conversation what follows. Keeps the stream alive; one at a time.
class FollowCall final : public Call {
 public:
  FollowCall(std::shared_ptr<WatchStream> stream, Follow wish) : stream_(std::move(stream)) {
    to = *stream_->address_;
    what = wish;
  }
  void events(std::vector<std::shared_ptr<const EventList>> lists) override {
    stream_->on_events(lists);
    delete this;
  }
  void look_back(Version) override {
    stream_->on_look_back();
    delete this;
  }
  void answer(Outcome outcome, bool) override {
    if (const auto* refusal = std::get_if<Refusal>(&outcome)) {
      stream_->on_refused(error_of(*refusal, to.key));
    } else {
      stream_->on_unavailable();
    }
    delete this;
  }
  void fail(Status status) override {
    if (status.code() == absl::StatusCode::kUnavailable) {
      stream_->on_unavailable();
    } else if (status.code() == absl::StatusCode::kResourceExhausted) {
      stream_->on_refused(make_error(ErrorId::too_many_watchers));
    } else {
      stream_->on_refused(error_of(status, to.key));
    }
    delete this;
  }

 private:
  std::shared_ptr<WatchStream> stream_;
};

void WatchStream::await(Node& node, ConversationRpcs& service, CallQueue& queue) {
  auto stream = std::make_shared<WatchStream>(node, service, queue);
  auto* raw = stream.get();
  // Tells the end of the call, however it ends; must be announced before the call is taken.
  raw->context_.AsyncNotifyWhenDone(raw->done_step_.begin(stream));
  service.RequestWatchConversation(&raw->context_, &raw->request_bytes_, &raw->writer_, queue.get(),
                                   queue.get(), raw->accept_step_.begin(std::move(stream)));
}

WatchStream::WatchStream(Node& node, ConversationRpcs& service, CallQueue& queue)
    : node_(node), service_(service), queue_(queue), id_(fresh_watcher()) {}

WatchStream::~WatchStream() {
  absl::MutexLock lock(&mutex_);
  if (address_) --node_.watch_streams;
}

void WatchStream::on_accepted(bool ok) {
  if (!ok) return done_step_.forget();
  await(node_, service_, queue_);
  under_way_.emplace(node_.traffic);
  absl::MutexLock lock(&mutex_);
  if (!parse(request_bytes_, request_)) {
    return finish(undecodable_request(request_bytes_, request_));
  }
  auto tenant = tenant_of(context_);
  if (auto* error = std::get_if<ApiError>(&tenant)) return finish(*error);
  if (auto error = validate(request_, node_.environment.limits)) return finish(*error);
  if (node_.traffic.draining) return finish(make_error(ErrorId::server_draining));
  address_ = node_.address(std::get<std::string>(tenant), request_.thread_id());
  ++node_.watch_streams;
  const int32_t interval_ms =
      request_.heartbeat_interval_ms() == 0 ? 15'000 : request_.heartbeat_interval_ms();
  heartbeat_micros_ = interval_ms * k_micros_per_ms;
  taken_ = sent_ = {static_cast<uint64_t>(request_.after_version())};
  last_sign_ = node_.environment.clock.steady();
  arm_tick();
  queue_.post([self = shared_from_this()] { self->open(); });
}

/// What messages are called depends on their history, so the conversation is read once first.
void WatchStream::open() {
  if (node_.elsewhere(*address_) != nullptr) {
    absl::MutexLock lock(&mutex_);
    return finish(make_error(ErrorId::other_node));
  }
  auto self = shared_from_this();
  const auto on_render = [self](const State& state, const RecentMessages&) {
    absl::MutexLock lock(&self->mutex_);
    self->answers_.emplace(self->address_->key.thread, state);
  };
  const auto on_done = [self](const Done& done) {
    {
      absl::MutexLock lock(&self->mutex_);
      const bool awaited = done.was_refused && done.refused_for == Reason::conversation_not_found &&
                           self->request_.wait_for_create();
      if (done.receipt() == nullptr && !awaited) return self->finish(done.error());
      if (!self->answers_) self->answers_.emplace(self->address_->key.thread, State{});
    }
    self->ask();
  };
  node_.registry.dispatch(new LambdaCall(node_, *address_, Read{}, on_done, on_render));
}

void WatchStream::ask() {
  Follow wish;
  {
    absl::MutexLock lock(&mutex_);
    const bool asking = feed_ == Feed::asked || feed_ == Feed::looking_back;
    if (asking || feed_ == Feed::ended || stage_ >= Stage::closed || !outgoing_.empty()) return;
    feed_ = Feed::asked;
    // Once something was seen the conversation exists: its absence is a deletion.
    wish = {taken_, id_, request_.wait_for_create() && taken_ == Version{0}};
  }
  node_.registry.dispatch(new FollowCall(shared_from_this(), wish));
  greet();
}

/// The headers of the answer tell the caller that whatever happens from now on will be shown.
void WatchStream::greet() {
  absl::MutexLock lock(&mutex_);
  if (stage_ != Stage::silent || writing_) return;
  stage_ = Stage::greeted;
  writing_ = true;
  write_began_ = node_.environment.clock.steady();
  writer_.SendInitialMetadata(greet_step_.begin(shared_from_this()));
}

void WatchStream::on_greeted(bool ok) {
  bool more = false;
  {
    absl::MutexLock lock(&mutex_);
    writing_ = false;
    if (!ok || stage_ == Stage::left) return;
    pump();
    more = outgoing_.empty();
  }
  if (more) ask();
}

void WatchStream::on_events(const std::vector<std::shared_ptr<const EventList>>& lists) {
  absl::MutexLock lock(&mutex_);
  feed_ = Feed::answered;
  for (const auto& list : lists) take(*list);
  settle();
}

void WatchStream::on_look_back() {
  {
    absl::MutexLock lock(&mutex_);
    feed_ = Feed::looking_back;
  }
  node_.blocking([self = shared_from_this()] {
    Version after;
    {
      absl::MutexLock lock(&self->mutex_);
      after = self->taken_;
    }
    auto events = self->node_.store.read_events(self->address_->key, self->address_->shard, after,
                                                k_look_back);
    if (!events.ok()) {
      if (events.status().code() == absl::StatusCode::kUnavailable) return self->on_unavailable();
      return self->on_refused(error_of(events.status(), self->address_->key));
    }
    absl::MutexLock lock(&self->mutex_);
    self->feed_ = Feed::answered;
    self->take(*events);
    self->settle();
  });
}

void WatchStream::on_refused(const ApiError& error) {
  absl::MutexLock lock(&mutex_);
  feed_ = Feed::answered;
  finish(error);
}

void WatchStream::on_unavailable() {
  absl::MutexLock lock(&mutex_);
  feed_ = Feed::put_off;
  if (node_.traffic.draining) finish(make_error(ErrorId::server_draining));
}

void WatchStream::take(const EventList& events) {
  for (const Event& event : events) {
    if (feed_ == Feed::ended || event.version <= taken_) continue;
    taken_ = event.version;
    outgoing_.push_back({answers_->encode(event), event.version});
    if (std::holds_alternative<ConversationDeleted>(event.body)) feed_ = Feed::ended;
  }
}

/// Begins to write what was taken. Where that was nothing, it was deleted or cleared meanwhile: the
/// conversation knows.
void WatchStream::settle() {
  if (outgoing_.empty()) feed_ = Feed::put_off;
  pump();
}

void WatchStream::pump() {
  if (writing_ || stage_ >= Stage::closed) return;
  if (outgoing_.empty()) {
    if (feed_ == Feed::ended) finish(grpc::Status::OK);
    return;
  }
  stage_ = Stage::greeted;
  writing_ = true;
  write_began_ = last_sign_ = node_.environment.clock.steady();
  // From here on it reaches the caller before whatever the stream may end with.
  sent_ = outgoing_.front().version;
  writer_.Write(to_byte_buffer(outgoing_.front().bytes), write_step_.begin(shared_from_this()));
}

void WatchStream::on_write_done(bool ok) {
  {
    absl::MutexLock lock(&mutex_);
    writing_ = false;
    if (!ok || stage_ >= Stage::closed) return;
    outgoing_.pop_front();
    pump();
  }
  ask();
}

void WatchStream::arm_tick() {
  const gpr_timespec when =
      gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_micros(k_tick_micros, GPR_TIMESPAN));
  tick_.Set(queue_.get(), when, tick_step_.begin(shared_from_this()));
}

void WatchStream::on_tick(bool) {
  bool ask_now = false;
  {
    absl::MutexLock lock(&mutex_);
    if (stage_ == Stage::left) return;
    const SteadyTime now = node_.environment.clock.steady();
    check_stall(now);
    if (node_.traffic.draining && !writing_) finish(make_error(ErrorId::server_draining));
    const bool quiet = !writing_ && stage_ < Stage::closed && outgoing_.empty();
    const bool none_due = feed_ == Feed::asked || feed_ == Feed::put_off;
    if (quiet && none_due && now.micros - last_sign_.micros >= heartbeat_micros_) {
      outgoing_.push_back({WatchAnswers::heartbeat(sent_, node_.environment.clock.wall()), sent_});
      pump();
    }
    ask_now = quiet && feed_ == Feed::put_off;
    arm_tick();
  }
  if (ask_now) ask();
}

void WatchStream::check_stall(SteadyTime now) {
  if (!writing_) return;
  const int64_t stalled = now.micros - write_began_.micros;
  const int64_t allowed = node_.config.watch_stall_seconds * k_micros_per_second;
  if (stalled > allowed + k_farewell_micros) {
    context_.TryCancel();
  } else if (stalled > allowed && stage_ < Stage::closed) {
    finish(make_error(ErrorId::watcher_too_slow));
  }
}

void WatchStream::finish(ApiError error) {
  error.metadata["resume_version"] = std::to_string(sent_.value);
  if (address_) error.metadata["thread_id"] = address_->key.thread;
  finish(to_grpc_status(error));
}

void WatchStream::finish(const grpc::Status& status) {
  if (stage_ >= Stage::closed) return;
  stage_ = Stage::closed;
  writer_.Finish(status, finish_step_.begin(shared_from_this()));
}

void WatchStream::on_done(bool) {
  {
    absl::MutexLock lock(&mutex_);
    stage_ = Stage::left;
    outgoing_.clear();
    tick_.Cancel();
  }
  if (address_) node_.registry.unfollow(*address_, id_);
}

}  // namespace parley
