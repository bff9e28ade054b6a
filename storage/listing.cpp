#include "storage/listing.hpp"

#include <algorithm>
#include <queue>
#include <set>

#include "base/log.hpp"
#include "storage/applier.hpp"
#include "storage/damage.hpp"
#include "storage/keys.hpp"
#include "storage/local_journal.hpp"
#include "storage/stored_conversation.hpp"

namespace parley {

Listing::Listing(const StoreView& view, const ListQuery& query, uint32_t shard_count,
                 const Elsewhere& elsewhere)
    : view_(view), query_(query), labels_(query.labels.begin(), query.labels.end()) {
  const size_t conditions = std::max<size_t>(1, labels_.size() + (query.user.empty() ? 0 : 1));
  for (size_t i = 0; i < conditions; ++i) {
    scans_.push_back(view.scan(Family::index, {}));
  }
  std::string from;
  if (query.after) {
    from = keys::rank(query.after->last_activity, query.after->thread);
    from.push_back('\0');  // just behind it
  }
  for (uint32_t shard = 0; shard < shard_count; ++shard) {
    const Shard each{static_cast<uint16_t>(shard)};
    if (!elsewhere(each)) cursors_.push_back({each, from, {}, false});
  }
}

std::string Listing::prefix(Shard shard, size_t condition) const {
  if (condition < labels_.size()) {
    const auto& [key, value] = labels_[condition];
    return keys::index_label(shard, query_.tenant, key, value);
  }
  if (!query_.user.empty()) return keys::index_user(shard, query_.tenant, query_.user);
  return keys::index_all(shard, query_.tenant);
}

bool Listing::shows_lifecycle() const {
  if (!query_.lifecycle) return true;
  const std::string_view value = scans_.front().value();
  return value.size() == 1 && value.front() == static_cast<char>(*query_.lifecycle);
}

bool Listing::leap(const std::vector<std::string>& prefixes, std::string& rank) {
  size_t agreeing = 0;
  for (size_t i = 0; agreeing < scans_.size(); i = (i + 1) % scans_.size()) {
    StoreView::Scan& scan = scans_[i];
    scan.seek(prefixes[i] + rank);
    if (!scan.valid() || !scan.key().starts_with(prefixes[i])) return false;
    const std::string_view found = scan.key().substr(prefixes[i].size());
    if (found == rank) {
      ++agreeing;
    } else {
      rank = found;
      agreeing = 1;
    }
  }
  return true;
}

Status Listing::refill(Cursor& cursor, size_t count) {
  Status status = read_index(cursor, count);
  return absl::IsDataLoss(status) ? read_conversations(cursor) : status;
}

Status Listing::read_conversations(Cursor& cursor) {
  ++damaged_indexes_;
  const std::string begin = keys::shard(cursor.shard);
  std::set<std::string> ranks;
  auto scan = view_.scan(
      Family::state,
      {.begin = begin, .end = keys::end_of(begin), .within_prefix = false, .fill_cache = false});
  std::string next = begin;
  for (scan.seek(next); scan.valid(); scan.seek(next)) {
    const auto found = keys::parse_state(scan.key());
    if (!found) return absl::DataLossError("a key of the store cannot be read; restore a backup");
    next = keys::end_of(scan.key().substr(0, found->prefix_size));
    if (found->key.tenant != query_.tenant) continue;
    const auto state = read_stored_state(view_, found->key, cursor.shard);
    // A damaged one says so when it is asked for.
    if (!state.ok() || !matches(query_, found->key, *state)) continue;
    std::string rank = keys::rank(state->last_activity, found->key.thread);
    if (rank >= cursor.from) ranks.insert(std::move(rank));
  }
  if (Status status = scan.status(); absl::IsDataLoss(status)) {
    unreadable_.push_back(cursor.shard);
  } else if (!status.ok()) {
    return status;
  }
  cursor.ranks.assign(ranks.begin(), ranks.end());
  cursor.exhausted = true;
  return absl::OkStatus();
}

Status Listing::read_index(Cursor& cursor, size_t count) {
  std::vector<std::string> prefixes;
  for (size_t i = 0; i < scans_.size(); ++i) prefixes.push_back(prefix(cursor.shard, i));
  std::string rank = cursor.from;
  cursor.ranks.clear();
  bool more = leap(prefixes, rank);
  while (more) {
    if (shows_lifecycle()) cursor.ranks.push_back(rank);
    if (scans_.size() == 1) {
      // With one condition the next row is the next one.
      scans_[0].next();
      more = scans_[0].valid() && scans_[0].key().starts_with(prefixes[0]);
      if (more) rank = scans_[0].key().substr(prefixes[0].size());
      if (more && cursor.ranks.size() >= count) break;
    } else {
      rank.push_back('\0');
      if (cursor.ranks.size() >= count) break;
      more = leap(prefixes, rank);
    }
  }
  if (Status met = status(); !met.ok()) return met;
  cursor.from = std::move(rank);
  cursor.exhausted = !more;
  return absl::OkStatus();
}

Status Listing::status() const {
  for (const auto& scan : scans_) {
    if (Status status = scan.status(); !status.ok()) return status;
  }
  return absl::OkStatus();
}

Result<ListedPage> Listing::run() {
  const auto later = [&](size_t a, size_t b) {
    return cursors_[a].ranks.front() > cursors_[b].ranks.front();
  };
  std::priority_queue<size_t, std::vector<size_t>, decltype(later)> merge(later);
  const size_t share = query_.count_max / std::max<size_t>(1, cursors_.size()) + 2;
  for (size_t i = 0; i < cursors_.size(); ++i) {
    if (Status status = refill(cursors_[i], share); !status.ok()) return status;
    if (!cursors_[i].ranks.empty()) merge.push(i);
  }
  std::vector<ListedConversation> page;
  while (!merge.empty() && page.size() < query_.count_max) {
    const size_t i = merge.top();
    merge.pop();
    Cursor& cursor = cursors_[i];
    auto row = keys::parse_rank(cursor.ranks.front());
    if (!row) return absl::DataLossError("a row of the index cannot be read; restore a backup");
    page.push_back({std::move(row->thread), row->last_activity});
    cursor.ranks.pop_front();
    if (cursor.ranks.empty() && !cursor.exhausted) {
      if (Status status = refill(cursor, share); !status.ok()) return status;
    }
    if (!cursor.ranks.empty()) merge.push(i);
  }
  return ListedPage{std::move(page), std::move(unreadable_)};
}

Result<ListedPage> LocalJournal::list(const ListQuery& query) {
  if (Status status = applier_->wait_for_all(); !status.ok()) return status;
  const StoreView view(*store_);
  Listing listing(view, query, options_.shard_count,
                  [this](Shard shard) { return elsewhere(shard); });
  auto page = listing.run();
  if (listing.damaged_indexes() > 0) {
    damage_->saw_elsewhere();
    spdlog::error(
        "the index of {} shards cannot be read, they are listed from their conversations; restore "
        "a backup when you can",
        listing.damaged_indexes());
  }
  return page;
}

}  // namespace parley
