#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"

#include "parley/v1/conversation.pb.h"
#include "services/import_pieces.hpp"
#include "services/node.hpp"

namespace parley {

/// One import: conversations come in, up to a bounded number are under way at a time, results go
/// out in the order the conversations came.
///
/// Used by one thread, which may block. Safe to run again after anything: what is there already is
/// told by how many messages the conversation has, what is under way twice by request ids made from
/// the content.
class ImportRun {
 public:
  /// Sends a result; false when nobody listens any more.
  using Send = std::function<bool(const v1::ImportConversationsResponse&)>;

  /// `on_progress` is called, on any thread, when a conversation is through: `send_ready` has work
  /// then.
  ImportRun(Node& node, std::string tenant, Send send, std::function<void()> on_progress);
  ~ImportRun();

  /// Takes the next record; false when nobody listens any more.
  bool take(v1::TransferRecord record);
  /// The same where the next message could not be decoded, as `why` says (undecodable_request):
  /// only the conversation that it is of is refused.
  bool take_undecodable(const ApiError& why);
  /// Sends the results that are there.
  void send_ready();
  /// Waits for all that is under way and sends the last results.
  void finish();

 private:
  class Job;

  void begin(Checked<ImportedConversation> imported);
  void refuse(const std::string& thread, const ApiError& error);
  /// The same for the conversation that a header began, and all that still comes of it.
  void refuse_open(const ApiError& error);
  /// The conversation whose header came last is complete.
  void close_open() {
    if (reader_.open()) begin(reader_.take());
  }
  /// Sends results from the front until fewer than `left` conversations are under way.
  void settle(size_t left);

  Node& node_;
  const std::string tenant_;
  const Send send_;
  const std::function<void()> on_progress_;
  FullFormReader reader_;
  std::deque<std::shared_ptr<Job>> under_way_;
  bool listening_ = true;
};

}  // namespace parley
