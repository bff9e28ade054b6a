#include "conversation/recent_messages.hpp"

namespace parley {

void RecentMessages::bound(size_t messages_max, size_t bytes_max) {
  messages_max_ = messages_max;
  bytes_max_ = bytes_max;
  trim();
}

void RecentMessages::push(Message message) {
  bytes_ += message.body->size();
  messages_.push_back(std::move(message));
  trim();
}

void RecentMessages::clear() {
  messages_.clear();
  bytes_ = 0;
}

void RecentMessages::trim() {
  while (messages_.size() > messages_max_ || (bytes_ > bytes_max_ && !messages_.empty())) {
    bytes_ -= messages_.front().body->size();
    messages_.pop_front();
  }
}

}  // namespace parley
