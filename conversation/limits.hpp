#pragma once

#include <cstddef>
#include <cstdint>

namespace parley {

/// Every bound of the system by name. The defaults are the README's table of limits; a server may
/// be started with others, a stored conversation never becomes unreadable by it.
struct Limits {
  size_t message_bytes = 1U << 20;   ///< one message, encoded
  size_t request_bytes = 4U << 20;   ///< one request, encoded
  size_t response_bytes = 3U << 20;  ///< messages in one answer, encoded
  size_t messages_per_append = 256;
  size_t parts_per_message = 256;
  size_t metadata_bytes = 64U << 10;  ///< of a conversation or a message, as JSON
  size_t metadata_depth = 32;         ///< nesting of metadata
  size_t title_bytes = 1024;
  size_t labels = 64;
  size_t label_key_bytes = 64;
  size_t label_value_bytes = 128;
  size_t name_bytes = 256;
  size_t model_bytes = 128;
  size_t uri_bytes = 8U << 10;
  size_t page_size_default = 50;
  size_t page_size_max = 1000;
  size_t batch_get = 100;
  size_t hot_window_messages_default = 50;
  size_t hot_window_messages_max = 1000;
  size_t hot_window_bytes = 256U << 10;  ///< a conversation's messages in memory
  size_t dedup_requests_default = 1024;
  size_t dedup_requests_max = 16384;
  int64_t dedup_seconds = 24 * 3600;     ///< how long a deletion's request id is remembered
  size_t forks_per_conversation = 1000;  ///< children that are alive
  size_t fork_depth = 64;                ///< ancestors whose messages a fork still shows
  size_t waiting_calls = 4096;           ///< calls held for durability in one conversation
  size_t watchers_per_conversation = 1000;
  size_t snapshot_events = 128;             ///< events after which a snapshot may be due
  size_t snapshot_events_at_end = 16;       ///< the same, where an activation ends
  int64_t money_units = 1'000'000'000'000;  ///< of one amount, either sign
  int64_t tokens = 1'000'000'000'000;       ///< of one count
};

}  // namespace parley
