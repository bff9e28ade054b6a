#pragma once

#include <vector>

#include "storage/codec.hpp"

/// Rows of the store in tests: of several, and of one event or message for tests of a single
/// record's form.
namespace parley {

/// What encode_events and encode_messages take. Points into `values`.
template <class Value>
std::vector<const Value*> row_of(const std::vector<Value>& values) {
  std::vector<const Value*> row;
  for (const Value& value : values) row.push_back(&value);
  return row;
}

inline std::string encode_event(const Event& event) {
  const Event* only = &event;
  return encode_events({&only, 1});
}

/// DATA_LOSS also where the value holds several.
inline Result<Event> decode_event(std::string_view bytes) {
  auto events = decode_events(bytes);
  if (!events.ok()) return events.status();
  if (events->size() != 1) return absl::DataLossError("not one event");
  return std::move(events->front());
}

inline std::string encode_message(const Message& message) {
  const Message* only = &message;
  return encode_messages({&only, 1});
}

inline Result<Message> decode_message(std::string_view bytes, Sequence sequence) {
  auto messages = decode_messages(bytes, sequence);
  if (!messages.ok()) return messages.status();
  if (messages->size() != 1) return absl::DataLossError("not one message");
  return std::move(messages->front());
}

}  // namespace parley
