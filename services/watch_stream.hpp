#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include <grpcpp/alarm.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/async_stream.h>
#include <grpcpp/support/byte_buffer.h>

#include "conversation/event.hpp"
#include "parley/v1/conversation.grpc.pb.h"
#include "services/call_queue.hpp"
#include "services/error_table.hpp"
#include "services/node.hpp"
#include "services/service_types.hpp"
#include "services/stream_step.hpp"
#include "services/watch_answers.hpp"
#include "services/watch_source.hpp"

namespace parley {

/// One WatchConversation call.
///
/// Lives as long as an operation or a question of it is under way (shared_ptr held by those). Runs
/// on the queue's threads, on CAF's for looking back; `mutex_` guards what changes. It pulls: only
/// when all it has was written does it ask the conversation for what follows, so a slow reader
/// costs one page of memory and never slows the conversation (I6: what follows the last version
/// sent, without gap or repetition). Not its job: where the conversation is (WatchSource).
class WatchStream final : public std::enable_shared_from_this<WatchStream>, public WatchListener {
 public:
  /// Waits for a call of this kind, for ever.
  static void await(Node& node, ConversationRpcs& service, CallQueue& queue);

  WatchStream(Node& node, ConversationRpcs& service, CallQueue& queue);
  ~WatchStream() override;

  void on_beginning(Checked<WatchBeginning> beginning) override;
  void on_waiting() override;
  void on_events(const EventLists& lists) override;
  void on_not_now() override;
  void on_unreachable(const ApiError& why) override;
  void on_refused(const ApiError& error) override;

 private:
  /// What the caller has been told of the call. Moves downwards only.
  enum class Stage : uint8_t {
    silent,   ///< nothing
    greeted,  ///< the headers: the watch has begun
    closed,   ///< the status is on its way
    left,     ///< the call is over
  };
  /// How it comes by what follows `taken_`. While events may be due there is no heartbeat, which
  /// would say that there are none.
  enum class Feed : uint8_t {
    opening,   ///< it asks once the conversation was read
    asked,     ///< the conversation tells what follows
    waiting,   ///< nothing does: the conversation tells when something does
    answered,  ///< it asks when all that came is written
    put_off,   ///< it asks at the next tick: the conversation is reloaded or has just changed
    cut_off,   ///< the same, but the node that has the conversation does not answer
    ended,     ///< nothing follows the deletion: it finishes when all is written
  };
  struct Outgoing {
    std::string bytes;
    Version version;
  };

  void on_accepted(bool ok);
  void on_write_done(bool ok);
  void on_greeted(bool ok);
  void on_finished(bool) {}
  void on_done(bool ok);
  void on_tick(bool ok);

  void greet() ABSL_LOCKS_EXCLUDED(mutex_);
  void ask() ABSL_LOCKS_EXCLUDED(mutex_);
  void take(const EventList& events) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void settle() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void pump() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void finish(const grpc::Status& status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void finish(ApiError error) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void arm_tick() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void check_stall(SteadyTime now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Node& node_;
  ConversationRpcs& service_;
  CallQueue& queue_;

  grpc::ServerContext context_;
  grpc::ByteBuffer request_bytes_;
  grpc::ServerAsyncWriter<grpc::ByteBuffer> writer_{&context_};
  v1::WatchConversationRequest request_;
  std::optional<Address> address_;
  std::shared_ptr<WatchSource> source_;
  int64_t heartbeat_micros_ = 0;
  std::optional<UnderWay> under_way_;

  StreamStep<WatchStream> accept_step_{&WatchStream::on_accepted};
  StreamStep<WatchStream> greet_step_{&WatchStream::on_greeted};
  StreamStep<WatchStream> write_step_{&WatchStream::on_write_done};
  StreamStep<WatchStream> finish_step_{&WatchStream::on_finished};
  StreamStep<WatchStream> done_step_{&WatchStream::on_done};
  StreamStep<WatchStream> tick_step_{&WatchStream::on_tick};
  grpc::Alarm tick_;

  absl::Mutex mutex_;
  std::optional<WatchAnswers> answers_ ABSL_GUARDED_BY(mutex_);  ///< set once the stream is open
  std::deque<Outgoing> outgoing_ ABSL_GUARDED_BY(mutex_);
  Version taken_ ABSL_GUARDED_BY(mutex_);  ///< last version put into `outgoing_`
  Version sent_ ABSL_GUARDED_BY(mutex_);   ///< last version handed to gRPC
  Feed feed_ ABSL_GUARDED_BY(mutex_) = Feed::opening;
  Stage stage_ ABSL_GUARDED_BY(mutex_) = Stage::silent;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;  ///< headers or an answer are on their way
  SteadyTime write_began_ ABSL_GUARDED_BY(mutex_);
  SteadyTime last_sign_ ABSL_GUARDED_BY(mutex_);
  std::optional<SteadyTime> cut_off_since_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace parley
