#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/support/client.hpp"
#include "tests/support/history.hpp"

/// Requests with one fact each, and what tests read out of answers.
namespace parley::test {

/// A fresh UUID.
std::string new_request_id();
/// A fresh thread id that begins with `stem`.
std::string new_thread_id(const std::string& stem);

pb::CreateConversationRequest create(const std::string& thread, const std::string& user = "");
pb::GetConversationRequest get(const std::string& thread, int message_limit = 0);
pb::DeleteConversationRequest erase(const std::string& thread);
pb::ResetConversationRequest reset(const std::string& thread);
pb::ForkConversationRequest fork(const std::string& thread, const std::string& fork_thread);
pb::UpdateConversationRequest rename(const std::string& thread, const std::string& title);
pb::RecordUsageRequest usage(const std::string& thread, int64_t prompt, int64_t completion);
pb::ListMessagesRequest list(const std::string& thread, int page_size = 1000);
pb::WatchConversationRequest watch(const std::string& thread, int64_t after_version = 0);
/// An append of one user message per text.
pb::AppendMessagesRequest append(const std::string& thread, const std::vector<std::string>& texts);

template <class Request>
Request with_request_id(Request request) {
  request.set_request_id(new_request_id());
  return request;
}

Item to_item(const pb::Message& message);
/// All messages of a conversation, oldest first. Stops at an error, which it reports as a failed
/// test.
std::vector<pb::Message> read_all(Client& client, const std::string& thread);
std::vector<std::string> bodies(const std::vector<pb::Message>& messages);
/// The conversation, which must be there.
pb::Conversation must_get(Client& client, const std::string& thread, int message_limit = 0);
/// The conversation in full, as the checker wants it.
Dump read_dump(Client& client, const std::string& thread);
/// The next event that is not a heartbeat; false at the end of the stream.
bool next_event(Stream<pb::WatchConversationResponse>& stream,
                pb::WatchConversationResponse& event);
/// The next events that are no heartbeats, as "version kind contents"; fewer at the stream's end.
std::vector<std::string> next_events(Stream<pb::WatchConversationResponse>& stream, int count);
/// What the offline-like online check finds wrong, one line each.
std::vector<std::string> storage_problems(Client& client);

}  // namespace parley::test
