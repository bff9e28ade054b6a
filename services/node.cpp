#include "services/node.hpp"

#include <cstdint>
#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include <caf/event_based_actor.hpp>

namespace parley {

namespace {

std::optional<uint64_t> number_in(const ApiError& error, const std::string& name) {
  const auto found = error.metadata.find(name);
  uint64_t number = 0;
  if (found == error.metadata.end() || !absl::SimpleAtoi(found->second, &number)) {
    return std::nullopt;
  }
  return number;
}

}  // namespace

ApiError Node::not_owner(Shard shard) const {
  const KnownOwner known = router->known(shard);
  return make_error(ErrorId::not_owner, {{"owner", known.node.value},
                                         {"shard", std::to_string(shard.value)},
                                         {"epoch", std::to_string(known.epoch.value)}});
}

void Node::learn(const ApiError& error) {
  if (router == nullptr || !is_not_owner(error)) return;
  const auto shard = number_in(error, "shard");
  const auto epoch = number_in(error, "epoch");
  const auto owner = error.metadata.find("owner");
  if (!shard || !epoch || owner == error.metadata.end() || *shard >= router->shard_count()) return;
  router->learn({static_cast<uint16_t>(*shard)}, {{owner->second}, {*epoch}});
}

ApiError Node::explain(Failure failure, const ConversationKey& key) const {
  if (failure == Failure::not_owner && router != nullptr) {
    return not_owner(Address::of(key, environment.shard_count).shard);
  }
  if (failure == Failure::not_written && disk_full()) return make_error(ErrorId::disk_full);
  return error_of(failure, key);
}

ApiError Node::explain(const Status& status, const ConversationKey& key) const {
  if (absl::IsAborted(status)) return explain(Failure::not_owner, key);
  return error_of(status, key);
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
