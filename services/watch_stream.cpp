#include "services/watch_stream.hpp"

#include <utility>

#include "services/rpc.hpp"
#include "services/validate.hpp"

namespace parley {
namespace {

constexpr int64_t k_tick_micros = 250'000;
constexpr int64_t k_micros_per_ms = 1'000;
constexpr int64_t k_micros_per_second = 1'000'000;
/// After RESOURCE_EXHAUSTED could not be delivered either, the stream is torn down.
constexpr int64_t k_farewell_micros = 5 * k_micros_per_second;
/// A node that has gone may be back soon, or its conversations somewhere else.
constexpr int64_t k_patience_micros = 30 * k_micros_per_second;

}  // namespace

void WatchStream::await(Node& node, ConversationRpcs& service, CallQueue& queue) {
  auto stream = std::make_shared<WatchStream>(node, service, queue);
  auto* raw = stream.get();
  // Tells the end of the call, however it ends; must be announced before the call is taken.
  raw->context_.AsyncNotifyWhenDone(raw->done_step_.begin(stream));
  service.RequestWatchConversation(&raw->context_, &raw->request_bytes_, &raw->writer_, queue.get(),
                                   queue.get(), raw->accept_step_.begin(std::move(stream)));
}

WatchStream::WatchStream(Node& node, ConversationRpcs& service, CallQueue& queue)
    : node_(node), service_(service), queue_(queue) {}

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
  source_ = std::make_shared<WatchSource>(node_, *address_, request_.wait_for_create());
  arm_tick();
  // What messages are called depends on their history, so the conversation is read once first.
  queue_.post([self = shared_from_this()] { self->source_->open(self); });
}

void WatchStream::on_beginning(Checked<WatchBeginning> beginning) {
  {
    absl::MutexLock lock(&mutex_);
    if (const auto* error = std::get_if<ApiError>(&beginning)) return finish(*error);
    answers_.emplace(address_->key.thread, std::get<WatchBeginning>(std::move(beginning)));
  }
  ask();
}

void WatchStream::ask() {
  Version after;
  {
    absl::MutexLock lock(&mutex_);
    const bool asking = feed_ == Feed::asked || feed_ == Feed::waiting;
    if (asking || feed_ == Feed::ended || stage_ >= Stage::closed || !outgoing_.empty()) return;
    feed_ = Feed::asked;
    after = taken_;
  }
  source_->ask(after);
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

void WatchStream::on_waiting() {
  absl::MutexLock lock(&mutex_);
  feed_ = Feed::waiting;
  cut_off_since_.reset();
}

void WatchStream::on_events(const EventLists& lists) {
  absl::MutexLock lock(&mutex_);
  feed_ = Feed::answered;
  cut_off_since_.reset();
  for (const auto& list : lists) take(*list);
  settle();
}

void WatchStream::on_refused(const ApiError& error) {
  absl::MutexLock lock(&mutex_);
  feed_ = Feed::answered;
  finish(error);
}

void WatchStream::on_not_now() {
  absl::MutexLock lock(&mutex_);
  feed_ = Feed::put_off;
  cut_off_since_.reset();
  if (node_.traffic.draining) finish(make_error(ErrorId::server_draining));
}

void WatchStream::on_unreachable(const ApiError& why) {
  absl::MutexLock lock(&mutex_);
  feed_ = Feed::cut_off;
  const SteadyTime now = node_.environment.clock.steady();
  if (!cut_off_since_) cut_off_since_ = now;
  if (now.micros - cut_off_since_->micros > k_patience_micros) finish(why);
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
  source_->tick();
  {
    absl::MutexLock lock(&mutex_);
    if (stage_ == Stage::left) return;
    const SteadyTime now = node_.environment.clock.steady();
    check_stall(now);
    if (node_.traffic.draining && !writing_) finish(make_error(ErrorId::server_draining));
    const bool quiet = !writing_ && stage_ < Stage::closed && outgoing_.empty();
    const bool none_due = feed_ == Feed::waiting || feed_ == Feed::put_off;
    if (quiet && none_due && now.micros - last_sign_.micros >= heartbeat_micros_) {
      outgoing_.push_back({WatchAnswers::heartbeat(sent_, node_.environment.clock.wall()), sent_});
      pump();
    }
    ask_now = quiet && (feed_ == Feed::put_off || feed_ == Feed::cut_off);
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
  if (source_) source_->close();
}

}  // namespace parley
