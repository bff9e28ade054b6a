#include "services/node.hpp"

#include <utility>

#include <caf/event_based_actor.hpp>

namespace parley {

ApiError Node::explain(Failure failure, const ConversationKey& key) const {
  if (failure == Failure::not_written && store.disk_full()) return make_error(ErrorId::disk_full);
  return error_of(failure, key);
}

void Node::note_replay(Reply& reply, bool replayed) {
  if (!replayed) return;
  ++replayed_calls;
  reply.mark_replayed();
}

// Why the job as an argument: without any, CAF 0.17 dereferences a null pointer to no arguments.
void Node::blocking(std::function<void()> job) {
  system.spawn([](caf::event_based_actor*, const std::function<void()>& work) { work(); },
               std::move(job));
}

void Node::in_background(std::function<void()> job) {
  system.spawn<caf::detached>(
      [](caf::event_based_actor*, const std::function<void()>& work) { work(); }, std::move(job));
}

}  // namespace parley
