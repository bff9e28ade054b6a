#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "conversation/model.hpp"

/// Answers put together from stored bytes. A stored body is an encoded v1.Message without the
/// fields that the server assigns; encoded messages merge by concatenation, so body + assigned
/// fields is the whole message, and nothing is ever parsed on the way out.
namespace parley {

/// The messages of an answer, wherever they are kept.
using MessageRefs = std::vector<const Message*>;

/// The last `count` of a range of messages (a vector, a deque).
template <class Range>
MessageRefs last_of(const Range& messages, size_t count) {
  const size_t taken = count < messages.size() ? count : messages.size();
  MessageRefs refs;
  refs.reserve(taken);
  auto next = messages.end() - static_cast<ptrdiff_t>(taken);
  for (size_t i = 0; i < taken; ++i, ++next) refs.push_back(&*next);
  return refs;
}
template <class Range>
MessageRefs all_of(const Range& messages) {
  return last_of(messages, messages.size());
}

/// The history that a message of this conversation lies in: of its own, or shared with its parents.
const Id128& history_of(const State& state, Sequence sequence);

/// The id that the server answers with where the caller gave none.
std::string derived_message_id(const Id128& history, Sequence sequence);

/// Appends the whole v1.Message, without tag and length.
void append_wire_message(const Message& message, const Id128& history, std::string& out);
/// Appends it as a field of whatever is being written.
void append_wire_message_field(uint32_t field_number, const Message& message, const Id128& history,
                               std::string& out);
/// An upper bound of what append_wire_message_field appends beside the body.
inline constexpr size_t k_wire_overhead_bytes_max = 96 + 16;
inline size_t wire_message_bytes_max(const Message& message) {
  return message.body->size() + k_wire_overhead_bytes_max;
}

void append_varint(uint64_t value, std::string& out);
void append_length_delimited(uint32_t field_number, std::string_view bytes, std::string& out);
/// Nothing where it is zero, as proto3 has it.
void append_varint_field(uint32_t field_number, uint64_t value, std::string& out);

/// Appends a v1.Conversation with messages as a field of whatever is being written.
void append_wire_conversation(uint32_t field_number, const State& state, const std::string& thread,
                              const MessageRefs& messages, std::string& out);

/// v1.GetConversationResponse, encoded.
std::string wire_get_conversation_response(const State& state, const std::string& thread,
                                           const MessageRefs& messages);
/// v1.ListMessagesResponse, encoded.
std::string wire_list_messages_response(const State& state, const MessageRefs& messages,
                                        std::string_view next_page_token);

}  // namespace parley
