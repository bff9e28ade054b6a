#include "tests/support/requests.hpp"

#include <atomic>
#include <cstdio>
#include <random>

#include <gtest/gtest.h>

namespace parley::test {
namespace {

uint64_t random_bits() {
  thread_local std::mt19937_64 random(std::random_device{}());
  return random();
}

}  // namespace

std::string new_request_id() {
  const uint64_t high = random_bits();
  const uint64_t low = random_bits();
  char text[40];
  std::snprintf(text, sizeof text, "%08x-%04x-4%03x-8%03x-%012llx",
                static_cast<unsigned>(high >> 32), static_cast<unsigned>(high >> 16 & 0xFFFF),
                static_cast<unsigned>(high & 0xFFF), static_cast<unsigned>(low >> 48 & 0xFFF),
                static_cast<unsigned long long>(low & 0xFFFFFFFFFFFF));
  return text;
}

std::string new_thread_id(const std::string& stem) {
  static std::atomic<int> last = 0;
  return stem + "-" + std::to_string(++last);
}

pb::CreateConversationRequest create(const std::string& thread, const std::string& user) {
  pb::CreateConversationRequest request;
  request.set_thread_id(thread);
  request.set_user_id(user);
  return request;
}

pb::GetConversationRequest get(const std::string& thread, int message_limit) {
  pb::GetConversationRequest request;
  request.set_thread_id(thread);
  request.set_message_limit(message_limit);
  return request;
}

pb::DeleteConversationRequest erase(const std::string& thread) {
  pb::DeleteConversationRequest request;
  request.set_thread_id(thread);
  return request;
}

pb::ResetConversationRequest reset(const std::string& thread) {
  pb::ResetConversationRequest request;
  request.set_thread_id(thread);
  return request;
}

pb::ForkConversationRequest fork(const std::string& thread, const std::string& fork_thread) {
  pb::ForkConversationRequest request;
  request.set_thread_id(thread);
  request.set_new_thread_id(fork_thread);
  return request;
}

pb::UpdateConversationRequest rename(const std::string& thread, const std::string& title) {
  pb::UpdateConversationRequest request;
  request.set_thread_id(thread);
  request.mutable_conversation()->set_title(title);
  request.mutable_update_mask()->add_paths("title");
  return request;
}

pb::RecordUsageRequest usage(const std::string& thread, int64_t prompt, int64_t completion) {
  pb::RecordUsageRequest request;
  request.set_thread_id(thread);
  request.mutable_usage()->set_prompt_tokens(prompt);
  request.mutable_usage()->set_completion_tokens(completion);
  return request;
}

pb::ListMessagesRequest list(const std::string& thread, int page_size) {
  pb::ListMessagesRequest request;
  request.set_thread_id(thread);
  request.set_page_size(page_size);
  return request;
}

pb::WatchConversationRequest watch(const std::string& thread, int64_t after_version) {
  pb::WatchConversationRequest request;
  request.set_thread_id(thread);
  request.set_after_version(after_version);
  return request;
}

pb::AppendMessagesRequest append(const std::string& thread, const std::vector<std::string>& texts) {
  pb::AppendMessagesRequest request;
  request.set_thread_id(thread);
  for (const std::string& text : texts) {
    pb::Message* message = request.add_messages();
    message->set_role(pb::ROLE_USER);
    message->set_content(text);
  }
  return request;
}

Item to_item(const pb::Message& message) {
  return {message.sequence(), message.version(), message.content()};
}

std::vector<pb::Message> read_all(Client& client, const std::string& thread) {
  std::vector<pb::Message> all;
  pb::ListMessagesRequest request = list(thread);
  do {
    const auto page = client.call(request);
    if (!page.ok()) {
      ADD_FAILURE() << "listing " << thread << ": " << page.status;
      break;
    }
    all.insert(all.end(), page->messages().begin(), page->messages().end());
    request.set_page_token(page->next_page_token());
  } while (!request.page_token().empty());
  return all;
}

std::vector<std::string> bodies(const std::vector<pb::Message>& messages) {
  std::vector<std::string> made;
  made.reserve(messages.size());
  for (const pb::Message& message : messages) made.push_back(message.content());
  return made;
}

pb::Conversation must_get(Client& client, const std::string& thread, int message_limit) {
  const auto answer = client.call(get(thread, message_limit));
  if (!answer.ok()) ADD_FAILURE() << "getting " << thread << ": " << answer.status;
  return answer->conversation();
}

Dump read_dump(Client& client, const std::string& thread) {
  const pb::Conversation conversation = must_get(client, thread);
  Dump dump{conversation.version(), conversation.reset_version(), {}};
  for (const pb::Message& message : read_all(client, thread))
    dump.items.push_back(to_item(message));
  return dump;
}

bool next_event(Stream<pb::WatchConversationResponse>& stream,
                pb::WatchConversationResponse& event) {
  while (stream.read(event)) {
    if (!event.has_heartbeat()) return true;
  }
  return false;
}

namespace {
std::string describe_event(const pb::WatchConversationResponse& event) {
  std::string text = std::to_string(event.version()) + " ";
  const auto* field =
      pb::WatchConversationResponse::descriptor()->FindFieldByNumber(event.event_case());
  text += field == nullptr ? "nothing" : field->name();
  for (const auto& message : event.messages_appended().messages()) text += " " + message.content();
  const int32_t erased = event.messages_appended().erased();
  if (erased > 0) text += " (" + std::to_string(erased) + " erased)";
  return text;
}
}  // namespace

std::vector<std::string> next_events(Stream<pb::WatchConversationResponse>& stream, int count) {
  std::vector<std::string> seen;
  pb::WatchConversationResponse event;
  while (static_cast<int>(seen.size()) < count && next_event(stream, event)) {
    seen.push_back(describe_event(event));
  }
  return seen;
}

std::vector<std::string> storage_problems(Client& client) {
  std::vector<std::string> found;
  const auto stream =
      client.stream(pb::VerifyStorageRequest{}, {.timeout = std::chrono::minutes(2)});
  bool done = false;
  for (pb::VerifyStorageResponse progress; stream->read(progress);) {
    for (const auto& problem : progress.problems()) {
      found.push_back(problem.where() + ": " + problem.what());
    }
    done = progress.done();
  }
  const CallStatus status = stream->finish();
  if (!status.ok()) ADD_FAILURE() << "VerifyStorage: " << status;
  if (status.ok() && !done) ADD_FAILURE() << "VerifyStorage ended without `done`";
  return found;
}

}  // namespace parley::test
