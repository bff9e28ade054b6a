#include "bench/requests.hpp"

#include <array>
#include <memory>
#include <random>
#include <string_view>

#include "absl/strings/str_format.h"

#include "base/ids.hpp"
#include "bench/failure.hpp"
#include "parley/bench/v1/echo.pb.h"
#include "parley/v1/conversation.pb.h"

namespace parley::bench {
namespace {

constexpr size_t k_bodies = 512;

constexpr std::array<std::string_view, 64> k_words = {
    "about",   "after",   "answer", "because", "before", "between", "book",    "call",
    "change",  "check",   "city",   "could",   "date",   "day",     "every",   "example",
    "few",     "first",   "flight", "from",    "give",   "help",    "hotel",   "house",
    "idea",    "into",    "just",   "know",    "large",  "letter",  "like",    "little",
    "long",    "make",    "many",   "maybe",   "month",  "more",    "morning", "name",
    "need",    "never",   "number", "often",   "order",  "other",   "people",  "place",
    "please",  "problem", "query",  "quite",   "reason", "right",   "second",  "should",
    "station", "table",   "thank",  "their",   "ticket", "train",   "want",    "word"};

/// The same number of bytes for whatever conversation.
std::string message_tail(const AppendShape& shape, uint64_t seed) {
  parley::v1::AppendMessagesRequest request;
  for (int i = 0; i < shape.messages; ++i) {
    auto* message = request.add_messages();
    message->set_role(i % 2 == 0 ? parley::v1::ROLE_USER : parley::v1::ROLE_ASSISTANT);
    message->set_content(words(shape.message_bytes, seed * 1'000 + static_cast<uint64_t>(i)));
  }
  if (shape.create_if_missing) {
    request.mutable_create_if_missing()->set_user_id(absl::StrFormat("user-%03d", seed % 1'000));
  }
  return request.SerializeAsString();
}

/// A UUID of a run and a number.
std::string request_id(uint64_t run, uint64_t number) {
  std::string bytes(16, '\0');
  for (size_t i = 0; i < 8; ++i) {
    bytes[i] = static_cast<char>(run >> (8 * i));
    bytes[8 + i] = static_cast<char>(number >> (8 * i));
  }
  return format_uuid(Id128::from_bytes(bytes));
}

}  // namespace

std::string Crowd::thread(uint64_t number) const {
  return absl::StrFormat("%s-%07d", prefix, number);
}

std::string words(size_t bytes, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::string text;
  while (text.size() < bytes) {
    text.append(k_words[random() % k_words.size()]);
    text.push_back(' ');
  }
  text.resize(bytes);
  return text;
}

NextRequest appends(const Crowd& crowd, const AppendShape& shape) {
  auto tails = std::make_shared<std::vector<std::string>>();
  for (uint64_t i = 0; i < k_bodies; ++i) tails->push_back(message_tail(shape, i));
  const uint64_t run = std::random_device{}() | 1ULL << 40;
  auto head = std::make_shared<parley::v1::AppendMessagesRequest>();
  // Why not `number`: several runs may share a workload, and a repeated id is answered without a
  // write.
  auto made = std::make_shared<uint64_t>(0);
  return [=](uint64_t number, Request& request) {
    request.method = Method::append;
    head->set_thread_id(crowd.thread(number % crowd.count));
    if (shape.request_ids) head->set_request_id(request_id(run, ++*made));
    head->SerializeToString(&request.bytes);
    // Encoded messages concatenate: fields may come in any order.
    request.bytes += (*tails)[number % k_bodies];
  };
}

NextRequest gets(const Crowd& crowd, int message_limit, uint64_t stride) {
  auto get = std::make_shared<parley::v1::GetConversationRequest>();
  get->set_message_limit(message_limit);
  return [=](uint64_t number, Request& request) {
    request.method = Method::get;
    get->set_thread_id(crowd.thread(number * stride % crowd.count));
    get->SerializeToString(&request.bytes);
  };
}

NextRequest echoes(size_t request_bytes, size_t answer_bytes, bool apart) {
  parley::bench::v1::EchoResponse answer;
  while (answer.ByteSizeLong() < answer_bytes) answer.mutable_payload()->push_back('x');
  parley::bench::v1::EchoRequest echo;
  echo.set_apart(apart);
  echo.set_answer_bytes(static_cast<int32_t>(answer.payload().size()));
  while (echo.ByteSizeLong() < request_bytes) echo.mutable_payload()->push_back('x');
  return [bytes = echo.SerializeAsString()](uint64_t, Request& request) {
    request.method = Method::echo;
    request.bytes = bytes;
  };
}

}  // namespace parley::bench
