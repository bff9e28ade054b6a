#include "services/wire.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <optional>

#include "base/varint.hpp"
#include "parley/v1/conversation.pb.h"
#include "services/translate.hpp"

namespace parley {
namespace {

constexpr uint32_t k_varint = 0;
constexpr uint32_t k_fixed64 = 1;
constexpr uint32_t k_bytes = 2;
constexpr uint32_t k_fixed32 = 5;

/// The fields of v1.Message that the server assigns, and v1.Conversation's messages.
constexpr uint32_t k_sequence = v1::Message::kSequenceFieldNumber;
constexpr uint32_t k_message_id = v1::Message::kMessageIdFieldNumber;
constexpr uint32_t k_create_time = v1::Message::kCreateTimeFieldNumber;
constexpr uint32_t k_version = v1::Message::kVersionFieldNumber;
constexpr uint32_t k_messages = v1::Conversation::kMessagesFieldNumber;

constexpr int64_t k_micros_per_second = 1'000'000;
constexpr size_t k_history_digits = 16;
constexpr size_t k_sequence_digits = 20;

char* put_tag(uint32_t field, uint32_t type, char* at) { return put_varint(field << 3 | type, at); }

char* put_varint_field(uint32_t field, uint64_t value, char* at) {
  if (value == 0) return at;
  return put_varint(value, put_tag(field, k_varint, at));
}

/// Reads a varint; nullptr where it does not end within the bytes.
const char* take_varint(const char* at, const char* end, uint64_t& value) {
  value = 0;
  for (uint32_t shift = 0; at != end && shift < 64; shift += 7) {
    const auto byte = static_cast<unsigned char>(*at++);
    value |= uint64_t{byte & 0x7FU} << shift;
    if (byte < 0x80) return at;
  }
  return nullptr;
}

/// Walks over the tags of an encoded message without looking into its fields.
bool has_field(std::string_view body, uint32_t wanted) {
  const char* at = body.data();
  const char* const end = at + body.size();
  while (at != end) {
    uint64_t tag = 0;
    at = take_varint(at, end, tag);
    if (at == nullptr) return false;
    if (tag >> 3 == wanted) return true;
    uint64_t length = 0;
    switch (tag & 7) {
      case k_varint:
        at = take_varint(at, end, length);
        length = 0;
        break;
      case k_fixed64:
        length = 8;
        break;
      case k_bytes:
        at = take_varint(at, end, length);
        break;
      case k_fixed32:
        length = 4;
        break;
      default:
        return false;
    }
    if (at == nullptr || length > static_cast<uint64_t>(end - at)) return false;
    at += length;
  }
  return false;
}

char* put_bytes(std::string_view bytes, char* at) {
  std::memcpy(at, bytes.data(), bytes.size());
  return at + bytes.size();
}

/// What the derived ids of one history's messages begin with.
class IdStem {
 public:
  explicit IdStem(const Id128& history) {
    static constexpr char k_hex[] = "0123456789abcdef";
    char* at = text_.data();
    *at++ = 'm';
    *at++ = '-';
    for (size_t i = 0; i < k_history_digits / 2; ++i) {
      *at++ = k_hex[history.bytes[i] >> 4];
      *at++ = k_hex[history.bytes[i] & 0xF];
    }
    *at = '-';
  }

  char* put_id(Sequence sequence, char* at) const {
    at = put_bytes({text_.data(), text_.size()}, at);
    return std::to_chars(at, at + k_sequence_digits, sequence.value).ptr;
  }

 private:
  std::array<char, 2 + k_history_digits + 1> text_;
};

/// What follows a stored body to make it the whole message: the fields that the server assigns,
/// encoded.
class WireTail {
 public:
  WireTail(const Message& message, const IdStem& stem) : body_(*message.body) {
    char* at = put_varint_field(k_sequence, message.sequence.value, bytes_.data());
    if (!has_field(body_, k_message_id)) {
      at = put_tag(k_message_id, k_bytes, at);
      char* const length = at++;
      char* const id = at;
      at = stem.put_id(message.sequence, at);
      *length = static_cast<char>(at - id);
    }
    at = put_time(message.create_time, at);
    at = put_varint_field(k_version, message.version.value, at);
    size_ = static_cast<size_t>(at - bytes_.data());
  }

  [[nodiscard]] size_t message_size() const { return body_.size() + size_; }
  char* put_message(char* at) const {
    return put_bytes({bytes_.data(), size_}, put_bytes(body_, at));
  }
  /// As a field of `field_size` bytes.
  char* put_field(uint32_t field, char* at) const {
    return put_message(put_varint(message_size(), put_tag(field, k_bytes, at)));
  }
  [[nodiscard]] size_t field_size(uint32_t field) const {
    return varint_size(field << 3 | k_bytes) + varint_size(message_size()) + message_size();
  }

 private:
  static char* put_time(WallTime time, char* at) {
    int64_t seconds = time.micros / k_micros_per_second;
    int64_t micros = time.micros % k_micros_per_second;
    if (micros < 0) {
      --seconds;
      micros += k_micros_per_second;
    }
    at = put_tag(k_create_time, k_bytes, at);
    char* const length = at++;
    char* const first = at;
    at = put_varint_field(1, static_cast<uint64_t>(seconds), at);
    at = put_varint_field(2, static_cast<uint64_t>(micros * 1'000), at);
    *length = static_cast<char>(at - first);
    return at;
  }

  std::string_view body_;
  /// Sequence 11, id 2 + 39, time 2 + 11 + 6, version 12.
  std::array<char, 96> bytes_;
  size_t size_ = 0;
};

/// Messages of a conversation on their way into an answer, each as a field of the same number.
class WireMessages {
 public:
  WireMessages(const State& state, const MessageRefs& messages, uint32_t field) : field_(field) {
    tails_.reserve(messages.size());
    fetch(messages);
    const Id128* history = nullptr;
    std::optional<IdStem> stem;
    for (const Message* message : messages) {
      const Id128& its = history_of(state, message->sequence);
      if (history != &its) stem.emplace(*(history = &its));
      tails_.emplace_back(*message, *stem);
      size_ += tails_.back().field_size(field_);
    }
  }

  [[nodiscard]] size_t size() const { return size_; }
  char* put(char* at) const {
    for (const WireTail& tail : tails_) at = tail.put_field(field_, at);
    return at;
  }

 private:
  /// Why: bodies lie scattered; asked for one after the other each would be waited for.
  static void fetch(const MessageRefs& messages) {
    constexpr size_t k_line = 64;
    constexpr size_t k_lines_max = 4;
    for (const Message* message : messages) __builtin_prefetch(message->body.get());
    for (const Message* message : messages) {
      const std::string& body = *message->body;
      for (size_t at = 0; at < std::min(body.size(), k_lines_max * k_line); at += k_line) {
        __builtin_prefetch(body.data() + at);
      }
    }
  }

  const uint32_t field_;
  std::vector<WireTail> tails_;
  size_t size_ = 0;
};

/// Room for `size` more bytes, to be written where the result points.
char* grow(std::string& out, size_t size) {
  const size_t begin = out.size();
  out.resize(begin + size);
  return out.data() + begin;
}

}  // namespace

const Id128& history_of(const State& state, Sequence sequence) {
  for (const HistorySpan& span : state.current.past) {
    if (sequence <= span.last) return span.history;
  }
  return state.current.history;
}

std::string derived_message_id(const Id128& history, Sequence sequence) {
  std::array<char, 2 + k_history_digits + 1 + k_sequence_digits> bytes;
  return {bytes.data(), IdStem(history).put_id(sequence, bytes.data())};
}

void append_wire_message(const Message& message, const Id128& history, std::string& out) {
  const WireTail tail(message, IdStem(history));
  tail.put_message(grow(out, tail.message_size()));
}

void append_wire_message_field(uint32_t field_number, const Message& message, const Id128& history,
                               std::string& out) {
  const WireTail tail(message, IdStem(history));
  tail.put_field(field_number, grow(out, tail.field_size(field_number)));
}

void append_varint(uint64_t value, std::string& out) {
  std::array<char, 10> bytes;
  out.append(bytes.data(), put_varint(value, bytes.data()));
}

void append_length_delimited(uint32_t field_number, std::string_view bytes, std::string& out) {
  append_varint(field_number << 3 | k_bytes, out);
  append_varint(bytes.size(), out);
  out.append(bytes);
}

void append_varint_field(uint32_t field_number, uint64_t value, std::string& out) {
  if (value == 0) return;
  append_varint(field_number << 3 | k_varint, out);
  append_varint(value, out);
}

void append_wire_conversation(uint32_t field_number, const State& state, const std::string& thread,
                              const MessageRefs& messages, std::string& out) {
  v1::Conversation conversation;
  fill_conversation(state, thread, conversation);
  const WireMessages wire(state, messages, k_messages);
  const size_t head = conversation.ByteSizeLong();
  const uint32_t tag = field_number << 3 | k_bytes;
  const size_t size = head + wire.size();
  char* at = grow(out, varint_size(tag) + varint_size(size) + size);
  at = put_varint(size, put_varint(tag, at));
  conversation.SerializeWithCachedSizesToArray(reinterpret_cast<uint8_t*>(at));
  wire.put(at + head);
}

std::string wire_get_conversation_response(const State& state, const std::string& thread,
                                           const MessageRefs& messages) {
  std::string out;
  append_wire_conversation(v1::GetConversationResponse::kConversationFieldNumber, state, thread,
                           messages, out);
  return out;
}

std::string wire_list_messages_response(const State& state, const MessageRefs& messages,
                                        std::string_view next_page_token) {
  const WireMessages wire(state, messages, v1::ListMessagesResponse::kMessagesFieldNumber);
  std::string out;
  out.reserve(wire.size() + next_page_token.size() + 32);
  wire.put(grow(out, wire.size()));
  if (!next_page_token.empty()) {
    append_length_delimited(v1::ListMessagesResponse::kNextPageTokenFieldNumber, next_page_token,
                            out);
  }
  append_varint_field(v1::ListMessagesResponse::kVersionFieldNumber, state.version.value, out);
  return out;
}

}  // namespace parley
