#include "tests/integration/crash_world.hpp"

#include <set>
#include <utility>

#include <gtest/gtest.h>

namespace parley::test {
namespace {

constexpr size_t k_private_max = 24;
constexpr auto k_watch_slice = std::chrono::seconds(30);

WatchEvent to_event(const pb::WatchConversationResponse& response) {
  WatchEvent event{now(), response.version(), {}};
  if (response.has_messages_appended()) {
    for (const auto& message : response.messages_appended().messages()) {
      event.items.push_back(to_item(message));
    }
  }
  return event;
}

int64_t version_of(const pb::UpdateConversationResponse& response) {
  return response.conversation().version();
}
int64_t version_of(const pb::ResetConversationResponse& response) {
  return response.conversation().version();
}
int64_t version_of(const pb::RecordUsageResponse& response) { return response.version(); }
int64_t version_of(const pb::ForkConversationResponse& response) {
  return response.parent_version();
}

}  // namespace

Instant now() { return std::chrono::steady_clock::now().time_since_epoch().count(); }

void Doorway::open(const std::string& address, int door) {
  const std::lock_guard lock(mutex_);
  doors_[door] = std::make_shared<Client>(address);
  changed_.notify_all();
}

void Doorway::shut(int door) {
  const std::lock_guard lock(mutex_);
  doors_.erase(door);
}

bool Doorway::cut_off(const CallStatus& status) {
  // Cancelled by nobody here is how a call ends that a server's stop cuts off.
  return status.code == Code::unavailable || status.code == Code::deadline_exceeded ||
         status.code == Code::cancelled;
}

void Doorway::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  changed_.notify_all();
}

std::shared_ptr<Client> Doorway::enter() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return !doors_.empty() || closed_; });
  if (closed_) return nullptr;
  auto next = doors_.upper_bound(last_);
  if (next == doors_.end()) next = doors_.begin();
  last_ = next->first;
  return next->second;
}

SharedConversation::SharedConversation(Doorway& doorway, std::string thread, bool with_resets)
    : doorway_(doorway), thread_(std::move(thread)), with_resets_(with_resets) {
  history_.conversation = thread_;
}

void SharedConversation::act(int client, std::mt19937_64& random) {
  const int draw = static_cast<int>(random() % 100);
  if (draw < 36) return append(client, random);
  if (draw < 53) return append_once(client);
  if (draw < 56) return append_refused(client);
  if (draw < 62) return change(client, rename(thread_, "title " + std::to_string(random() % 1000)));
  if (draw < 66) return change(client, usage(thread_, 10, 5));
  // Why not more forks: a conversation may have a thousand.
  if (draw < 67 && random() % 5 == 0) {
    return change(client, fork(thread_, thread_ + "-" + new_thread_id("fork")));
  }
  if (draw == 67 && with_resets_) return change(client, reset(thread_));
  read(client, static_cast<int>(random() % 30));
}

std::vector<std::string> SharedConversation::fresh_keys(int client, size_t count) {
  std::vector<std::string> keys;
  for (size_t i = 0; i < count; ++i) {
    keys.push_back(thread_ + "/" + std::to_string(client) + "/" + std::to_string(++last_key_));
  }
  return keys;
}

void SharedConversation::note(AppendCall call) {
  ++operations_;
  if (call.outcome == CallOutcome::ok) ++acknowledged_;
  const std::lock_guard lock(mutex_);
  history_.appends.push_back(std::move(call));
}

void SharedConversation::append(int client, std::mt19937_64& random) {
  AppendCall call{
      client, now(), k_never, CallOutcome::unknown, fresh_keys(client, 1 + random() % 3), 0, 0};
  const auto answer = doorway_.until_answered(with_request_id(test::append(thread_, call.keys)));
  if (answer && answer->ok()) {
    call.returned = now();
    call.outcome = CallOutcome::ok;
    call.first_sequence = (*answer)->first_sequence();
    call.version = (*answer)->version();
  } else if (answer) {
    call.outcome = CallOutcome::failed;
    ADD_FAILURE() << "append to " << thread_ << ": " << answer->status;
  }
  note(std::move(call));
}

/// Without a request id nobody can tell what became of it.
void SharedConversation::append_once(int client) {
  AppendCall call{client, 0, k_never, CallOutcome::unknown, fresh_keys(client, 2), 0, 0};
  const auto server = doorway_.enter();
  if (!server) return;
  call.invoked = now();
  const auto answer = server->call(test::append(thread_, call.keys), doorway_.options());
  const bool promised_undone =
      answer.status.reason == "NODE_UNREACHABLE" || answer.status.reason == "NOT_OWNER";
  if (answer.ok()) {
    call.returned = now();
    call.outcome = CallOutcome::ok;
    call.first_sequence = answer->first_sequence();
    call.version = answer->version();
  } else if (promised_undone) {
    call.returned = now();
    call.outcome = CallOutcome::failed;
  }
  note(std::move(call));
}

void SharedConversation::append_refused(int client) {
  AppendCall call{client, now(), k_never, CallOutcome::unknown, fresh_keys(client, 2), 0, 0};
  auto request = test::append(thread_, call.keys);
  request.set_expected_version(1'000'000'000);
  const auto answer = doorway_.until_answered(request);
  if (!answer) return;
  EXPECT_EQ(answer->status.code, Code::aborted) << answer->status;
  call.returned = now();
  call.outcome = CallOutcome::failed;
  note(std::move(call));
}

template <class Request>
void SharedConversation::change(int client, const Request& request) {
  OtherChange call{client, now(), 0, 0};
  const auto answer = doorway_.until_answered(with_request_id(request));
  if (!answer) return;
  if (!answer->ok()) {
    ADD_FAILURE() << "changing " << thread_ << ": " << answer->status;
    return;
  }
  call.returned = now();
  call.version = version_of(answer->value);
  ++operations_;
  const std::lock_guard lock(mutex_);
  history_.changes.push_back(call);
}

void SharedConversation::read(int client, int limit) {
  ReadCall call{client, now(), 0, 0, 0, {}};
  const auto server = doorway_.enter();
  if (!server) return;
  call.invoked = now();
  const auto answer = server->call(get(thread_, limit), doorway_.options());
  if (!answer.ok()) {
    EXPECT_TRUE(Doorway::cut_off(answer.status)) << answer.status;
    return;
  }
  ++operations_;
  call.returned = now();
  call.version = answer->conversation().version();
  call.message_count = answer->conversation().message_count();
  for (const auto& message : answer->conversation().messages())
    call.items.push_back(to_item(message));
  const std::lock_guard lock(mutex_);
  history_.reads.push_back(std::move(call));
}

void SharedConversation::watch(int client, int64_t after_version) {
  WatchLog log{client, after_version, {}, false};
  int64_t last = after_version;
  while (last < last_version_) {
    const auto server = doorway_.enter();
    if (!server) break;
    auto request = test::watch(thread_, last);
    request.set_heartbeat_interval_ms(1000);
    const auto stream = server->stream(request, {.timeout = k_watch_slice});
    pb::WatchConversationResponse response;
    // Why heartbeats too: they end the wait of a watcher that has seen everything already.
    while (last < last_version_ && stream->read(response)) {
      if (response.has_heartbeat()) continue;
      log.events.push_back(to_event(response));
      ++operations_;
      last = response.version();
    }
    stream->cancel();
    const CallStatus status = stream->finish();
    EXPECT_TRUE(status.code == Code::unavailable || status.code == Code::cancelled ||
                status.code == Code::deadline_exceeded || status.reason == "WATCHER_TOO_SLOW")
        << "watching " << thread_ << ": " << status;
  }
  log.until_end = last_version_ != INT64_MAX;
  const std::lock_guard lock(mutex_);
  history_.watches.push_back(std::move(log));
}

History SharedConversation::history(Client& client) {
  const std::lock_guard lock(mutex_);
  History complete = history_;
  complete.dump = read_dump(client, thread_);
  return complete;
}

PrivateConversations::PrivateConversations(Doorway& doorway, std::string stem, uint64_t seed)
    : doorway_(doorway), stem_(std::move(stem)), random_(seed) {}

int64_t PrivateConversations::pick(int64_t low, int64_t high) {
  return std::uniform_int_distribution<int64_t>(low, high)(random_);
}

/// The answer, which must be OK; empty once the doorway is closed.
template <class Request>
auto PrivateConversations::must(const Request& request) {
  auto answer = doorway_.until_answered(with_request_id(request));
  if (answer && !answer->ok()) {
    ADD_FAILURE() << request.GetTypeName() << " of " << request.thread_id() << ": "
                  << answer->status;
    answer.reset();
  }
  if (answer) ++acknowledged_;
  ++operations_;
  return answer;
}

void PrivateConversations::act() {
  if (all_.size() < k_private_max && pick(0, 9) == 0) {
    all_.push_back({.thread = stem_ + "-" + std::to_string(all_.size())});
  }
  if (all_.empty()) return;
  Known& known = all_[pick(0, static_cast<int64_t>(all_.size()) - 1)];
  if (!known.exists) return create_one(known);
  const int64_t draw = pick(0, 99);
  if (draw < 50) return append_some(known);
  if (draw < 60) {
    const std::string title = "title " + std::to_string(pick(0, 1000));
    if (const auto answer = must(rename(known.thread, title))) {
      advance(known, (*answer)->conversation().version());
      known.title = title;
    }
  } else if (draw < 66) {
    if (const auto answer = must(reset(known.thread))) {
      advance(known, (*answer)->conversation().version());
      known.messages.clear();
    }
  } else if (draw < 74) {
    fork_one(known);
  } else if (draw < 82) {
    if (must(erase(known.thread))) {
      known = {.thread = known.thread, .version_exact = known.version_exact};
    }
  } else if (draw < 97) {
    check(known);
  } else {
    check_list();
  }
}

void PrivateConversations::create_one(Known& known) {
  if (const auto answer = must(create(known.thread, stem_))) {
    EXPECT_EQ((*answer)->conversation().version(), 1) << known.thread;
    known.exists = true;
    known.version = 1;
  }
}

void PrivateConversations::append_some(Known& known) {
  std::vector<std::string> texts;
  for (int64_t i = pick(1, 5); i > 0; --i) {
    texts.push_back(known.thread + " message " + std::to_string(++last_key_) +
                    std::string(static_cast<size_t>(pick(0, 300)), 'x'));
  }
  const auto answer = must(append(known.thread, texts));
  if (!answer) return;
  EXPECT_EQ((*answer)->first_sequence(), static_cast<int64_t>(known.messages.size()) + 1)
      << known.thread;
  advance(known, (*answer)->version());
  known.messages.insert(known.messages.end(), texts.begin(), texts.end());
}

void PrivateConversations::fork_one(Known& parent) {
  if (all_.size() >= k_private_max * 2) return;
  Known child{
      .thread = parent.thread + "-f" + std::to_string(all_.size()), .exists = true, .version = 1};
  const size_t at = static_cast<size_t>(pick(0, static_cast<int64_t>(parent.messages.size())));
  auto request = fork(parent.thread, child.thread);
  request.set_at_sequence(static_cast<int64_t>(at));
  const auto answer = must(request);
  if (!answer) return;
  advance(parent, (*answer)->parent_version());
  parent.version_exact = false;
  child.version_exact = false;
  child.title = parent.title;
  child.messages.assign(parent.messages.begin(), parent.messages.begin() + static_cast<long>(at));
  all_.push_back(std::move(child));
}

void PrivateConversations::advance(Known& known, int64_t version) {
  if (known.version_exact) {
    EXPECT_EQ(version, known.version + 1) << known.thread;
  } else {
    EXPECT_GT(version, known.version) << known.thread;
  }
  known.version = version;
}

void PrivateConversations::check(const Known& known) {
  const auto answer = doorway_.until_answered(get(known.thread, 1000));
  if (!answer) return;
  ++operations_;
  if (!known.exists) {
    EXPECT_EQ(answer->status.code, Code::not_found) << known.thread << ": " << answer->status;
    return;
  }
  ASSERT_TRUE(answer->ok()) << known.thread << ": " << answer->status;
  const pb::Conversation& found = (*answer)->conversation();
  EXPECT_EQ(found.title(), known.title) << known.thread;
  EXPECT_GE(found.version(), known.version) << known.thread;
  if (known.version_exact) {
    EXPECT_EQ(found.version(), known.version) << known.thread;
  }
  ASSERT_EQ(found.message_count(), static_cast<int64_t>(known.messages.size())) << known.thread;
  const size_t skipped = known.messages.size() - static_cast<size_t>(found.messages_size());
  for (int i = 0; i < found.messages_size(); ++i) {
    const size_t index = skipped + static_cast<size_t>(i);
    ASSERT_EQ(found.messages(i).content(), known.messages[index])
        << known.thread << " at " << index + 1;
    ASSERT_EQ(found.messages(i).sequence(), static_cast<int64_t>(index) + 1) << known.thread;
  }
}

void PrivateConversations::check_list() {
  pb::ListConversationsRequest request;
  request.set_user_id(stem_);
  request.set_page_size(1000);
  const auto answer = doorway_.until_answered(request);
  if (!answer) return;
  ASSERT_TRUE(answer->ok()) << answer->status;
  ++operations_;
  std::set<std::string> shown;
  for (const auto& each : (*answer)->conversations()) {
    EXPECT_TRUE(shown.insert(each.thread_id()).second) << each.thread_id() << " is listed twice";
  }
  const bool complete = (*answer)->unreachable_shards().empty();
  for (const Known& known : all_) {
    const bool listed = shown.erase(known.thread) == 1;
    EXPECT_TRUE(listed || !known.exists || !complete) << known.thread << " is not listed";
    EXPECT_FALSE(listed && !known.exists) << known.thread << " is listed, and was deleted";
  }
  EXPECT_TRUE(shown.empty()) << *shown.begin() << " is listed, and nobody's";
}

void PrivateConversations::check_all() {
  for (const Known& known : all_) check(known);
  check_list();
}

}  // namespace parley::test
