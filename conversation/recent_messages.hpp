#pragma once

#include <deque>
#include <vector>

#include "conversation/event.hpp"
#include "conversation/limits.hpp"

namespace parley {

/// The hot window: a conversation's last messages in memory, bounded by number and bytes.
///
/// Owned by an engine. Always a gapless run that ends with the conversation's last message, so that
/// `first()` tells what has to be read from storage.
class RecentMessages {
 public:
  void bound(size_t messages_max, size_t bytes_max);
  void push(Message message);
  void clear();

  [[nodiscard]] const std::deque<Message>& all() const { return messages_; }
  [[nodiscard]] bool empty() const { return messages_.empty(); }
  [[nodiscard]] size_t size() const { return messages_.size(); }
  [[nodiscard]] size_t bytes() const { return bytes_; }

 private:
  void trim();

  std::deque<Message> messages_;
  size_t bytes_ = 0;
  size_t messages_max_ = 50;
  size_t bytes_max_ = 256U << 10;
};

}  // namespace parley
