#include "services/history_page.hpp"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "services/error_table.hpp"
#include "services/node.hpp"
#include "storage/pages.hpp"

namespace parley {
namespace {

/// Messages looked at in one answer of a selective listing: the page may then be short, not the
/// last.
constexpr size_t k_scanned_max = 20'000;
constexpr size_t k_scan_page = 500;

std::shared_ptr<const State> copy_without_dedup(const State& state) {
  auto copy = std::make_shared<State>(state);
  copy->dedup.clear();
  return copy;
}

/// Where a listing goes on: the next sequence in its direction, none at the end.
std::optional<Sequence> following(Sequence last, bool newest_first, Sequence from, Sequence to) {
  if (newest_first) {
    if (last <= from) return std::nullopt;
    return Sequence{last.value - 1};
  }
  if (last >= to) return std::nullopt;
  return Sequence{last.value + 1};
}

struct Bounds {
  Sequence from;
  Sequence to;
  [[nodiscard]] bool empty() const { return from > to; }
};

Bounds bounds_of(const MessageListing& listing, const State& state) {
  Bounds bounds{std::max(listing.filter.from, Sequence{1}),
                std::min(listing.filter.to, state.last_sequence)};
  if (listing.start) {
    auto& edge = listing.newest_first ? bounds.to : bounds.from;
    edge = listing.newest_first ? std::min(edge, listing.start->next)
                                : std::max(edge, listing.start->next);
  }
  return bounds;
}

/// A page being filled, in the order asked.
struct Page {
  MessageRefs shown;
  size_t bytes = 0;

  /// False when the message no longer fits.
  bool take(const Message& message, size_t count_max, size_t bytes_max) {
    const size_t size = wire_message_bytes_max(message);
    if (shown.size() >= count_max || (!shown.empty() && bytes + size > bytes_max)) return false;
    bytes += size;
    shown.push_back(&message);
    return true;
  }
};

std::string next_token(std::optional<Sequence> next, const State& state, uint64_t query) {
  if (!next) return {};
  return make_page_token(MessagesPosition{*next, state.reset_version}, query);
}

}  // namespace

MessageRefs newest_within(const RecentMessages& recent, size_t count, const Limits& limits) {
  const auto& all = recent.all();
  const bool all_fit =
      recent.bytes() + recent.size() * k_wire_overhead_bytes_max <= limits.response_bytes;
  if (all_fit) return last_of(all, count);
  size_t taken = 0;
  size_t bytes = 0;
  while (taken < std::min(count, all.size())) {
    bytes += wire_message_bytes_max(all[all.size() - taken - 1]);
    if (taken > 0 && bytes > limits.response_bytes) break;
    ++taken;
  }
  return last_of(all, taken);
}

HistoryPage HistoryPage::of_newest(Address address, const State& state, size_t count) {
  HistoryPage page;
  page.address_ = std::move(address);
  page.state_ = copy_without_dedup(state);
  page.count_ = count;
  return page;
}

HistoryPage HistoryPage::of_version(Address address, const State& state,
                                    const v1::GetConversationRequest& request) {
  HistoryPage page =
      of_newest(std::move(address), state, static_cast<size_t>(request.message_limit()));
  page.as_of_ = Version{static_cast<uint64_t>(request.as_of_version())};
  return page;
}

HistoryPage HistoryPage::of_listing(Address address, const State& state, MessageListing listing) {
  HistoryPage page;
  page.address_ = std::move(address);
  page.state_ = copy_without_dedup(state);
  page.listing_ = std::move(listing);
  return page;
}

std::optional<std::string> list_from_window(const MessageListing& listing, const State& state,
                                            const RecentMessages& recent, const Limits& limits) {
  // What metadata matches needs parsing, a token may have expired: both are for `read`.
  if (listing.filter.selective() || listing.start) return std::nullopt;
  const Bounds bounds = bounds_of(listing, state);
  Page page;
  std::optional<Sequence> next;
  if (!bounds.empty()) {
    const Sequence window_first{state.last_sequence.value + 1 - recent.size()};
    const uint64_t span = bounds.to.value - bounds.from.value + 1;
    const uint64_t count = std::min<uint64_t>(listing.page_size, span);
    const uint64_t first = listing.newest_first ? bounds.to.value + 1 - count : bounds.from.value;
    if (first < window_first.value) return std::nullopt;
    for (uint64_t i = 0; i < count; ++i) {
      const uint64_t sequence = listing.newest_first ? bounds.to.value - i : first + i;
      const Message& message = recent.all()[sequence - window_first.value];
      if (!page.take(message, listing.page_size, limits.response_bytes)) break;
      next = following(message.sequence, listing.newest_first, bounds.from, bounds.to);
    }
  }
  return wire_list_messages_response(state, page.shown, next_token(next, state, listing.query));
}

bool HistoryPage::outdated(Node& node) const {
  const auto now = node.store.read_state(address_.key, address_.shard);
  return absl::IsNotFound(now.status()) ||
         (now.ok() && now->current.history != state_->current.history);
}

bool HistoryPage::reaches_elsewhere(const Node& node) const {
  if (node.stores_all()) return false;
  return std::ranges::any_of(parts_of(reach()), [&](const HistorySpan& part) {
    return node.router->elsewhere(part.shard) != nullptr;
  });
}

/// The messages that may be looked at, at most.
MessageRange HistoryPage::reach() const {
  MessageRange range{state_->spans(address_.shard), {1}, state_->last_sequence, true};
  const auto newest = [&range](size_t count) {
    const uint64_t to = range.to.value;
    range.from = std::max(range.from, Sequence{to - std::min<uint64_t>(to, count) + 1});
  };
  if (listing_) {
    const Bounds bounds = bounds_of(*listing_, *state_);
    range.from = bounds.from;
    range.to = bounds.to;
    const size_t count =
        listing_->filter.selective() ? k_scanned_max + k_scan_page : listing_->page_size;
    if (listing_->newest_first) {
      newest(count);
    } else {
      range.to = std::min(range.to, Sequence{range.from.value + count - 1});
    }
  } else if (!as_of_) {  // how much there was of an earlier version is not known here
    newest(count_);
  }
  return range;
}

Checked<std::string> HistoryPage::read(Node& node) const {
  if (listing_) return read_listing(node);
  if (as_of_) return read_version(node);
  return read_newest(node, *state_, count_);
}

Checked<std::string> HistoryPage::read_newest(Node& node, const State& state, size_t count) const {
  std::vector<Message> messages;
  if (count > 0 && state.last_sequence > Sequence{0}) {
    const MessageRange range{state.spans(address_.shard), {1}, state.last_sequence, true};
    auto read = node.store.read_messages(range, {count, node.environment.limits.response_bytes});
    if (!read.ok()) return node.explain(read.status(), address_.key);
    messages = *std::move(read);
    std::reverse(messages.begin(), messages.end());
  }
  return wire_get_conversation_response(state, address_.key.thread, all_of(messages));
}

Checked<std::string> HistoryPage::read_version(Node& node) const {
  const Refusal future{Reason::version_in_future, state_->version, {}};
  const Refusal gone{Reason::version_not_retained, state_->version,
                     std::to_string(state_->reset_version.value)};
  if (*as_of_ > state_->version) return error_of(future, address_.key);
  if (*as_of_ < state_->reset_version) return error_of(gone, address_.key);
  auto state = node.store.read_state_at(address_.key, address_.shard, *as_of_);
  if (!state.ok()) return node.explain(state.status(), address_.key);
  return read_newest(node, *state, count_);
}

Checked<std::string> HistoryPage::read_listing(Node& node) const {
  const MessageListing& listing = *listing_;
  if (listing.start && listing.start->reset != state_->reset_version) {
    return expired_token(address_.key.thread);
  }
  const Limits& limits = node.environment.limits;
  Bounds bounds = bounds_of(listing, *state_);
  std::deque<Message> found;
  Page page;
  std::optional<Sequence> next;
  bool full = false;
  for (size_t scanned = 0; !bounds.empty() && !full;) {
    if (scanned >= k_scanned_max) {
      next = listing.newest_first ? bounds.to : bounds.from;
      break;
    }
    const size_t wanted = listing.filter.selective() ? k_scan_page : listing.page_size;
    auto read = node.store.read_messages(
        {state_->spans(address_.shard), bounds.from, bounds.to, listing.newest_first},
        {wanted, limits.response_bytes});
    if (!read.ok()) return node.explain(read.status(), address_.key);
    if (read->empty()) break;
    next = std::nullopt;
    for (Message& message : *read) {
      const Sequence sequence = message.sequence;
      if (matches(listing.filter, message)) {
        found.push_back(std::move(message));
        if (!page.take(found.back(), listing.page_size, limits.response_bytes)) {
          next = sequence;
          full = true;
          break;
        }
      }
      ++scanned;
      next = following(sequence, listing.newest_first, bounds.from, bounds.to);
    }
    if (!next) break;
    full = full || page.shown.size() >= listing.page_size;
    (listing.newest_first ? bounds.to : bounds.from) = *next;
  }
  return wire_list_messages_response(*state_, page.shown, next_token(next, *state_, listing.query));
}

}  // namespace parley
