#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>

#include <grpcpp/completion_queue.h>

#include "services/cli/channel.hpp"

namespace parley::cli {

/// A stream over gRPC, on a completion queue that only its owner's thread looks at.
/// Owner, lifetime and thread as RawStream. At most one write and one read are under way.
class ChannelStream final : public RawStream {
 public:
  ChannelStream(AnyStub& stub, const std::string& path,
                std::unique_ptr<grpc::ClientContext> context,
                const google::protobuf::Message& response);
  ~ChannelStream() override;

  bool write(const google::protobuf::Message& message) override;
  void done_writing() override;
  Next read(std::unique_ptr<google::protobuf::Message>* message, Micros patience) override;
  void cancel() override;
  Status finish() override;

 private:
  enum Step : intptr_t { start = 1, writing, closing, reading, finishing };

  void begin(Step step) { under_way_ |= 1u << step; }
  [[nodiscard]] bool busy(Step step) const { return (under_way_ & 1u << step) != 0; }
  /// Waits for one event, or until `end`. False where none came.
  bool pump(std::chrono::steady_clock::time_point end);
  void take(Step step, bool ok);
  void read_ahead();
  void wait_until_done(Step step);

  std::unique_ptr<grpc::ClientContext> context_;
  const google::protobuf::Message& response_;
  grpc::CompletionQueue queue_;
  std::unique_ptr<
      grpc::ClientAsyncReaderWriter<google::protobuf::MessageLite, google::protobuf::MessageLite>>
      call_;
  std::unique_ptr<google::protobuf::Message> incoming_;
  std::deque<std::unique_ptr<google::protobuf::Message>> arrived_;
  unsigned under_way_ = 0;
  bool can_write_ = true;
  bool can_read_ = true;
  std::optional<Status> outcome_;
};

}  // namespace parley::cli
