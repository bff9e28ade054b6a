#include "services/cli/stream.hpp"

#include "base/check.hpp"
#include "services/cli/interrupt.hpp"

namespace parley::cli {
namespace {

using SteadyClock = std::chrono::steady_clock;

/// How often a waiting stream looks whether the person pressed Ctrl-C.
constexpr std::chrono::milliseconds k_look(100);

void* as_tag(intptr_t step) { return reinterpret_cast<void*>(step); }

}  // namespace

ChannelStream::ChannelStream(AnyStub& stub, const std::string& path,
                             std::unique_ptr<grpc::ClientContext> context,
                             const google::protobuf::Message& response)
    : context_(std::move(context)), response_(response) {
  call_ = stub.PrepareCall(context_.get(), path, &queue_);
  begin(start);
  call_->StartCall(as_tag(start));
  wait_until_done(start);
}

ChannelStream::~ChannelStream() {
  cancel();
  while (under_way_ != 0) pump(SteadyClock::time_point::max());
  queue_.Shutdown();
  void* tag = nullptr;
  bool ok = false;
  while (queue_.Next(&tag, &ok)) {
  }
}

bool ChannelStream::pump(SteadyClock::time_point end) {
  void* tag = nullptr;
  bool ok = false;
  while (true) {
    if (interrupted()) context_->TryCancel();
    const auto left = end - SteadyClock::now();
    const auto slice = std::min<SteadyClock::duration>(left, k_look);
    const auto got = queue_.AsyncNext(&tag, &ok, std::chrono::system_clock::now() + slice);
    if (got == grpc::CompletionQueue::GOT_EVENT) {
      take(static_cast<Step>(reinterpret_cast<intptr_t>(tag)), ok);
      return true;
    }
    PARLEY_CHECK(got == grpc::CompletionQueue::TIMEOUT);
    if (left <= k_look) return false;
  }
}

void ChannelStream::take(Step step, bool ok) {
  under_way_ &= ~(1u << step);
  switch (step) {
    case start:
    case writing:
      can_write_ = can_write_ && ok;
      break;
    case reading:
      can_read_ = ok;
      if (ok) arrived_.push_back(std::move(incoming_));
      break;
    case closing:
    case finishing:
      break;
  }
}

void ChannelStream::wait_until_done(Step step) {
  while (busy(step)) pump(SteadyClock::time_point::max());
}

void ChannelStream::read_ahead() {
  if (!can_read_ || busy(reading)) return;
  incoming_.reset(response_.New());
  begin(reading);
  call_->Read(incoming_.get(), as_tag(reading));
}

bool ChannelStream::write(const google::protobuf::Message& message) {
  if (!can_write_) return false;
  begin(writing);
  call_->Write(message, as_tag(writing));
  while (busy(writing)) {
    read_ahead();
    pump(SteadyClock::time_point::max());
  }
  return can_write_;
}

void ChannelStream::done_writing() {
  if (!can_write_) return;
  can_write_ = false;
  begin(closing);
  call_->WritesDone(as_tag(closing));
  wait_until_done(closing);
}

RawStream::Next ChannelStream::read(std::unique_ptr<google::protobuf::Message>* message,
                                    Micros patience) {
  const auto end =
      patience == k_for_ever ? SteadyClock::time_point::max() : SteadyClock::now() + patience;
  while (arrived_.empty()) {
    read_ahead();
    if (!busy(reading)) return Next::ended;
    if (!pump(end)) return Next::silence;
  }
  *message = std::move(arrived_.front());
  arrived_.pop_front();
  return Next::message;
}

void ChannelStream::cancel() { context_->TryCancel(); }

Status ChannelStream::finish() {
  if (outcome_) return *outcome_;
  std::unique_ptr<google::protobuf::Message> dropped;
  while (read(&dropped, k_for_ever) != Next::ended) {
  }
  grpc::Status status;
  begin(finishing);
  call_->Finish(&status, as_tag(finishing));
  wait_until_done(finishing);
  outcome_ = to_status(status);
  return *outcome_;
}

}  // namespace parley::cli
