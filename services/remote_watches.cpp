#include "services/remote_watches.hpp"

#include <atomic>
#include <optional>
#include <utility>
#include <vector>

#include "services/watch_source.hpp"
#include "storage/codec.hpp"

namespace parley {
namespace {

namespace pb = cluster::v1;

constexpr size_t k_name_bytes = 16;
/// Of events in one answer, unless a single one is larger.
constexpr size_t k_answer_bytes = 1U << 20;
constexpr size_t k_event_bytes = 256;  ///< without messages, roughly
constexpr int64_t k_tell_micros = 5'000'000;

/// What follows `after`, as much as fits.
pb::FollowAnswer answer_of(const EventLists& lists, Version after) {
  std::vector<const Event*> events;
  size_t bytes = 0;
  for (const auto& list : lists) {
    for (const Event& event : *list) {
      if (event.version <= after) continue;
      const auto* appended = std::get_if<MessagesAppended>(&event.body);
      bytes += k_event_bytes + (appended == nullptr ? 0 : appended->bytes);
      if (!events.empty() && bytes > k_answer_bytes) break;
      events.push_back(&event);
    }
    if (bytes > k_answer_bytes) break;
  }
  pb::FollowAnswer answer;
  if (!events.empty()) answer.set_events(encode_feed(events));
  return answer;
}

}  // namespace

/// Answers one question of a watcher's, and has it ask again when something follows.
class RemoteListener final : public WatchListener {
 public:
  using Asking = UnaryCall<pb::FollowRequest>;

  RemoteListener(RemoteWatches& watches, Asking* call)
      : watches_(watches),
        name_(call->request.watcher()),
        after_{call->request.after_version()},
        call_(call) {}

  void on_beginning(Checked<WatchBeginning>) override {}
  void on_waiting() override {
    watches_.note_waiting(name_);
    pb::FollowAnswer answer;
    answer.set_waiting(true);
    call_.exchange(nullptr)->finish_message(answer);
  }
  void on_events(const EventLists& lists) override {
    if (Asking* call = call_.exchange(nullptr)) {
      return call->finish_message(answer_of(lists, after_));
    }
    const bool ended = !lists.empty() && !lists.back()->empty() &&
                       std::holds_alternative<ConversationDeleted>(lists.back()->back().body);
    if (ended) watches_.keep_last(name_, lists);
    watches_.nudge(name_);
  }
  void on_not_now() override { on_events({}); }
  void on_unreachable(const ApiError&) override { on_events({}); }
  void on_refused(const ApiError& error) override {
    if (Asking* call = call_.exchange(nullptr)) return call->finish_error(error);
    watches_.nudge(name_);
  }

 private:
  RemoteWatches& watches_;
  const std::string name_;
  const Version after_;
  std::atomic<Asking*> call_;  ///< null once it was answered
};

void RemoteWatches::serve(PeerCalls& peers) {
  peers.add<pb::FollowRequest>(k_follow, [this](auto* call) { follow(call); });
  peers.add<pb::UnfollowRequest>(k_unfollow, [this](auto* call) { unfollow(call); });
  peers.add<pb::FollowedRequest>(k_followed, [this](auto* call) { followed(call); });
}

void RemoteWatches::follow(UnaryCall<pb::FollowRequest>* call) {
  const Address address = node_.address(call->tenant, call->request.thread_id());
  if (refused(node_, address.shard, *call)) return;
  if (call->request.opening()) return begin(call, address);
  const std::string& name = call->request.watcher();
  if (name.size() != k_name_bytes) return call->finish_error(make_error(ErrorId::invalid_request));
  const Version after{call->request.after_version()};
  bool still_waiting = false;
  bool overtaken = false;
  uint64_t id = 0;
  EventLists last;
  {
    absl::MutexLock lock(&mutex_);
    Watcher& watcher = here_[name];
    if (watcher.id == 0) {
      watcher.address = address;
      watcher.node = *call->peer();
      watcher.id = fresh_watcher();
    }
    still_waiting = watcher.waiting && watcher.after == after;
    overtaken = watcher.waiting && !still_waiting;
    watcher.asked_at = node_.environment.clock.steady();
    watcher.after = after;
    watcher.waiting = still_waiting;
    watcher.untold = false;
    id = watcher.id;
    last = watcher.last;
  }
  if (!last.empty()) return call->finish_message(answer_of(last, after));
  if (still_waiting) {
    pb::FollowAnswer answer;
    answer.set_waiting(true);
    return call->finish_message(answer);
  }
  if (overtaken) node_.registry.unfollow(address, id);
  const Follow wish{after, id, call->request.wait_for_create()};
  const std::string asker = name;  // the call may be over when it was asked
  follow_here(node_, address, wish, std::make_shared<RemoteListener>(*this, call));
  bool gone = false;
  {
    absl::MutexLock lock(&mutex_);
    const auto found = here_.find(asker);
    gone = found == here_.end() || found->second.id != id;
  }
  if (gone) node_.registry.unfollow(address, id);
}

void RemoteWatches::begin(UnaryCall<pb::FollowRequest>* call, const Address& address) {
  begin_here(node_, address, call->request.wait_for_create(),
             [call](Checked<WatchBeginning> beginning) {
               if (const auto* error = std::get_if<ApiError>(&beginning)) {
                 return call->finish_error(*error);
               }
               const auto& known = std::get<WatchBeginning>(beginning);
               pb::FollowAnswer answer;
               auto& told = *answer.mutable_beginning();
               told.set_history(std::string(known.history.view()));
               told.set_reset_version(known.reset.value);
               for (const auto& [history, child] : known.children) {
                 auto& fork = *told.add_forks();
                 fork.set_history(std::string(history.view()));
                 fork.set_thread_id(child.thread);
                 fork.set_at_sequence(child.at.value);
               }
               call->finish_message(answer);
             });
}

void RemoteWatches::unfollow(UnaryCall<pb::UnfollowRequest>* call) {
  uint64_t id = 0;
  {
    absl::MutexLock lock(&mutex_);
    const auto found = here_.find(call->request.watcher());
    if (found != here_.end()) {
      id = found->second.id;
      here_.erase(found);
    }
  }
  if (id != 0) {
    node_.registry.unfollow(node_.address(call->tenant, call->request.thread_id()), id);
  }
  call->finish_message(pb::UnfollowAnswer{});
}

void RemoteWatches::followed(UnaryCall<pb::FollowedRequest>* call) {
  std::shared_ptr<WatchSource> source;
  {
    absl::MutexLock lock(&mutex_);
    const auto found = elsewhere_.find(call->request.watcher());
    if (found != elsewhere_.end()) source = found->second.lock();
  }
  call->finish_message(pb::FollowedAnswer{});
  if (source) source->nudge();
}

void RemoteWatches::note_waiting(const std::string& name) {
  absl::MutexLock lock(&mutex_);
  const auto found = here_.find(name);
  if (found != here_.end()) found->second.waiting = true;
}

void RemoteWatches::nudge(const std::string& name) {
  std::optional<NodeName> node;
  {
    absl::MutexLock lock(&mutex_);
    const auto found = here_.find(name);
    if (found == here_.end() || !std::exchange(found->second.waiting, false)) return;
    found->second.untold = true;
    node = found->second.node;
  }
  tell(name, *node);
}

/// It may not get there: then it is told once more, until it asks.
void RemoteWatches::tell(const std::string& name, const NodeName& node) {
  pb::FollowedRequest told;
  told.set_watcher(name);
  node_.router->ask(node, {k_followed, {}, told.SerializeAsString(), k_tell_micros},
                    new NobodyWaits);
}

void RemoteWatches::keep_last(const std::string& name, const EventLists& lists) {
  absl::MutexLock lock(&mutex_);
  const auto found = here_.find(name);
  if (found != here_.end()) found->second.last = lists;
}

void RemoteWatches::sweep() {
  std::vector<Watcher> gone;
  std::vector<std::pair<std::string, NodeName>> untold;
  {
    absl::MutexLock lock(&mutex_);
    const SteadyTime now = node_.environment.clock.steady();
    for (auto next = here_.begin(); next != here_.end();) {
      const auto each = next++;
      if (each->second.untold) untold.emplace_back(each->first, each->second.node);
      if (now.micros - each->second.asked_at.micros < k_forget_micros) continue;
      gone.push_back(std::move(each->second));
      here_.erase(each);
    }
  }
  for (const auto& [name, node] : untold) tell(name, node);
  for (const Watcher& watcher : gone) node_.registry.unfollow(watcher.address, watcher.id);
}

void RemoteWatches::add(const std::string& name, std::weak_ptr<WatchSource> source) {
  absl::MutexLock lock(&mutex_);
  elsewhere_[name] = std::move(source);
}

void RemoteWatches::remove(const std::string& name) {
  absl::MutexLock lock(&mutex_);
  elsewhere_.erase(name);
}

}  // namespace parley
