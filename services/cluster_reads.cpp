#include "services/cluster_reads.hpp"

#include <algorithm>
#include <memory>
#include <tuple>
#include <utility>

#include "absl/synchronization/mutex.h"

namespace parley {
namespace {

constexpr int64_t k_micros = 1'000'000;
constexpr int k_nanos_per_micro = 1'000;

ListPosition position_of(const v1::Conversation& conversation) {
  const auto& time = conversation.last_activity_time();
  return {{time.seconds() * k_micros + time.nanos() / k_nanos_per_micro}, conversation.thread_id()};
}

bool comes_before(const ListPosition& a, const ListPosition& b) {
  return std::tie(b.last_activity, a.thread) < std::tie(a.last_activity, b.thread);
}

/// What the waiters of one `ask_all` share; gone with the last of them.
struct Round {
  explicit Round(Asking its_asking) : asking(std::move(its_asking)) {}
  ~Round() { asking.on_all(); }
  Round(const Round&) = delete;
  Round& operator=(const Round&) = delete;

  Asking asking;
  absl::Mutex mutex;  ///< one answer at a time
};

class RoundWaiter final : public PeerWaiter {
 public:
  RoundWaiter(std::shared_ptr<Round> round, NodeName node)
      : round_(std::move(round)), node_(std::move(node)) {}

  void answered(PeerAnswer answer) override {
    {
      absl::MutexLock lock(&round_->mutex);
      round_->asking.on_answer(node_, std::move(answer));
    }
    delete this;
  }
  void failed(PeerFailure failure) override {
    {
      absl::MutexLock lock(&round_->mutex);
      round_->asking.on_failure(node_, failure);
    }
    delete this;
  }

 private:
  std::shared_ptr<Round> round_;
  const NodeName node_;
};

}  // namespace

void ListMerge::add(v1::ListConversationsResponse page, const std::set<Shard>& shards) {
  shown_.insert(shards.begin(), shards.end());
  if (!page.next_page_token().empty()) {
    // What this node made itself for the same query is one of ours.
    auto end = parse_list_token(page.next_page_token(), query_);
    if (auto* position = std::get_if<ListPosition>(&end)) ends_.push_back(std::move(*position));
  }
  for (auto& conversation : *page.mutable_conversations()) {
    found_.push_back(std::move(conversation));
  }
  for (const int32_t shard : page.unreachable_shards()) {
    unreachable_.push_back({static_cast<uint16_t>(shard)});
  }
}

void ListMerge::add_unreachable(const std::vector<Shard>& shards) {
  unreachable_.insert(unreachable_.end(), shards.begin(), shards.end());
}

std::vector<Shard> ListMerge::missing(uint32_t shard_count) const {
  std::vector<Shard> missing;
  for (uint32_t i = 0; i < shard_count; ++i) {
    const Shard shard{static_cast<uint16_t>(i)};
    const bool named =
        std::find(unreachable_.begin(), unreachable_.end(), shard) != unreachable_.end();
    if (!named && !shown_.contains(shard)) missing.push_back(shard);
  }
  return missing;
}

v1::ListConversationsResponse ListMerge::finish() {
  std::sort(found_.begin(), found_.end(), [](const auto& a, const auto& b) {
    return comes_before(position_of(a), position_of(b));
  });
  const auto first_end = std::min_element(ends_.begin(), ends_.end(), comes_before);
  v1::ListConversationsResponse page;
  std::optional<ListPosition> end;
  if (first_end != ends_.end()) end = *first_end;
  std::set<std::string> seen;
  for (auto& conversation : found_) {
    // Of a shard that passed on meanwhile both nodes may show it: the newest counts.
    if (!seen.insert(conversation.thread_id()).second) continue;
    ListPosition position = position_of(conversation);
    if (end && comes_before(*end, position)) break;
    if (static_cast<size_t>(page.conversations_size()) == page_size_) {
      end = position_of(page.conversations(page.conversations_size() - 1));
      break;
    }
    *page.add_conversations() = std::move(conversation);
  }
  if (end) page.set_next_page_token(make_page_token(*end, query_));
  std::sort(unreachable_.begin(), unreachable_.end());
  unreachable_.erase(std::unique(unreachable_.begin(), unreachable_.end()), unreachable_.end());
  for (const Shard shard : unreachable_) page.add_unreachable_shards(shard.value);
  return page;
}

void ask_all(Router& router, std::vector<Question> questions, Asking asking) {
  const auto round = std::make_shared<Round>(std::move(asking));
  for (Question& question : questions) {
    router.ask(question.node, std::move(question.request), new RoundWaiter(round, question.node));
  }
}

}  // namespace parley
