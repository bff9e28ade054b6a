#pragma once

#include <memory>
#include <optional>
#include <string>

#include "actors/call.hpp"
#include "services/translate.hpp"
#include "services/wire.hpp"
#include "storage/journal.hpp"

namespace parley {

class Node;

/// The newest `count` messages of a window, fewer where they would pass the bound of an answer.
MessageRefs newest_within(const RecentMessages& recent, size_t count, const Limits& limits);

/// ListMessages' answer where the window holds all that it needs.
std::optional<std::string> list_from_window(const MessageListing& listing, const State& state,
                                            const RecentMessages& recent, const Limits& limits);

/// An answer that needs messages from storage: what to read, against which state.
///
/// A value: made on a queue's thread while the conversation is at hand, carried to a thread that
/// may block, read there. The state is the one that the conversation was in when it was asked, so
/// the answer is as of that version, whatever happens meanwhile.
class HistoryPage {
 public:
  /// GetConversation with more messages than the window holds.
  static HistoryPage of_newest(Address address, const State& state, size_t count);
  /// GetConversation as of an earlier version.
  static HistoryPage of_version(Address address, const State& state,
                                const v1::GetConversationRequest& request);
  /// ListMessages.
  static HistoryPage of_listing(Address address, const State& state, MessageListing listing);

  /// The conversation was reset or deleted since: what was to be read may be gone. May block.
  [[nodiscard]] bool outdated(Node& node) const;

  /// Some of what is to be read may lie with other nodes: reading may take seconds.
  [[nodiscard]] bool reaches_elsewhere(const Node& node) const;

  /// The encoded answer. May block.
  [[nodiscard]] Checked<std::string> read(Node& node) const;

 private:
  [[nodiscard]] MessageRange reach() const;
  [[nodiscard]] Checked<std::string> read_newest(Node& node, const State& state,
                                                 size_t count) const;
  [[nodiscard]] Checked<std::string> read_version(Node& node) const;
  [[nodiscard]] Checked<std::string> read_listing(Node& node) const;

  Address address_;
  std::shared_ptr<const State> state_;
  size_t count_ = 0;
  std::optional<Version> as_of_;
  std::optional<MessageListing> listing_;
};

}  // namespace parley
