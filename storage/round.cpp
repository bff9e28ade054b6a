#include "storage/round.hpp"

#include <algorithm>
#include <iterator>
#include <span>

#include "absl/strings/str_cat.h"

#include "base/log.hpp"
#include "conversation/evolve.hpp"
#include "storage/bytes.hpp"
#include "storage/codec.hpp"
#include "storage/keys.hpp"
#include "storage/pages.hpp"

namespace parley {
namespace {

/// Up to this many keys are removed one by one: a range tombstone is dearer for every later read.
constexpr size_t k_keys_one_by_one = 256;
/// Why rows of several: a row costs the store far more than its bytes, and what is read together
/// lies together. Why no larger: a row is read whole, and rewritten whole where a part is erased.
constexpr size_t k_row_bytes = 16U << 10;

/// Calls `use` with runs of neighbours that fit into a row, at least one each.
template <class Item, class Size, class Joins, class Use>
void cut_into_rows(std::span<const Item> items, Size size, Joins joins, Use use) {
  size_t begin = 0;
  size_t bytes = 0;
  for (size_t i = 0; i < items.size(); ++i) {
    const size_t more = size(items[i]);
    if (i > begin && (bytes + more > k_row_bytes || !joins(items[i - 1], items[i]))) {
      use(items.subspan(begin, i - begin));
      begin = i;
      bytes = 0;
    }
    bytes += more;
  }
  if (begin < items.size()) use(items.subspan(begin));
}

Version version_of(const HeadCache::Row& row) { return row ? row->head.version : Version{}; }

std::string lifecycle_value(Lifecycle lifecycle) { return {static_cast<char>(lifecycle)}; }

}  // namespace

const HeadCache::Row* HeadCache::find(const ConversationKey& key) const {
  const auto found = rows_.find(key);
  return found == rows_.end() ? nullptr : &found->second;
}

void HeadCache::keep(const ConversationKey& key, const Row& row) {
  if (rows_.size() >= k_rows_max) rows_.clear();
  rows_[key] = row;
}

std::vector<std::string> index_keys(Shard shard, const ConversationKey& key, const IndexRow& row) {
  const std::string rank = keys::rank(row.last_activity, key.thread);
  std::vector<std::string> all{keys::index_all(shard, key.tenant) + rank};
  if (!row.user.empty()) all.push_back(keys::index_user(shard, key.tenant, row.user) + rank);
  for (const auto& [label, value] : row.labels) {
    all.push_back(keys::index_label(shard, key.tenant, label, value) + rank);
  }
  return all;
}

Round::Round(const RocksStore& store, HeadCache& heads, Damage& damage)
    : store_(store), heads_(heads), damage_(damage), view_(store) {}

// Why: a write batch without a size limit refuses nothing.
void Round::put(Family family, std::string_view key, std::string_view value) {
  batch_.Put(store_.family(family), slice(key), slice(value)).PermitUncheckedError();
}
void Round::remove(Family family, std::string_view key) {
  batch_.Delete(store_.family(family), slice(key)).PermitUncheckedError();
}
/// Rows of A, U and L: each is put once before it is removed, and removed in no other way, so that
/// both vanish when they meet and lists do not wade through what activity leaves behind.
void Round::remove_row(std::string_view key) {
  batch_.SingleDelete(store_.family(Family::index), slice(key)).PermitUncheckedError();
}
void Round::remove_range(Family family, std::string_view begin, std::string_view end) {
  batch_.DeleteRange(store_.family(family), slice(begin), slice(end)).PermitUncheckedError();
}

void Round::remove_stored(Family family, const std::string& begin, const std::string& end) {
  auto scan =
      view_.scan(family, {.begin = begin, .end = end, .within_prefix = true, .fill_cache = false});
  std::vector<std::string> found;
  for (scan.seek(begin); scan.valid() && found.size() <= k_keys_one_by_one; scan.next()) {
    found.emplace_back(scan.key());
  }
  // Also where not all could be read.
  if (found.size() > k_keys_one_by_one || !scan.status().ok()) {
    return remove_range(family, begin, end);
  }
  for (const std::string& key : found) remove(family, key);
}

Result<Round::Touched*> Round::touch(const ConversationKey& key, Shard shard) {
  const auto found = touched_.find(key);
  if (found != touched_.end()) return found->second.get();
  HeadCache::Row row;
  if (const auto* cached = heads_.find(key)) {
    row = *cached;
  } else {
    auto stored = read_head(view_, key, shard);
    if (!stored.ok()) return stored.status();
    row = *std::move(stored);
  }
  return touch_as(key, shard, row);
}

Round::Touched* Round::touch_as(const ConversationKey& key, Shard shard,
                                const HeadCache::Row& row) {
  auto touched = std::make_unique<Touched>(
      Touched{key, shard, keys::conversation(shard, key), row, row, {}, {}, {}, {}, {}, false});
  return touched_.emplace(key, std::move(touched)).first->second.get();
}

Status Round::add(const Commit& commit) {
  if (is_damaged(commit.key_hash) && !commit.batch.gone) return absl::OkStatus();  // it stays
  auto touched = touch(commit.key, commit.shard);
  if (!touched.ok()) {
    if (!absl::IsDataLoss(touched.status())) return touched.status();
    mark_damaged(commit.key_hash);
    if (!commit.batch.gone) return absl::OkStatus();
    touched = touch_as(commit.key, commit.shard, std::nullopt);
  }
  Touched& at = **touched;
  if (!is_damaged(commit.key_hash) && commit.batch.expected != version_of(at.now)) {  // I3
    spdlog::critical("conversation {} of tenant {}: a commit on version {} follows on version {}",
                     commit.key.thread, commit.key.tenant, commit.batch.expected.value,
                     version_of(at.now).value);
    mark_damaged(commit.key_hash);
    if (!commit.batch.gone) return absl::OkStatus();
  }
  const bool damaged = is_damaged(commit.key_hash);
  Effects effects = effects_of(commit.batch, at.now ? at.now->head : Head{});
  store(commit, at, effects);
  if (commit.batch.gone) erase(commit, at, damaged);
  for (const HistoryDrop& gone : effects.drops) {
    if (Status status = drop(at, gone); !status.ok()) return status;
  }
  if (damaged) {
    healed_.insert(commit.key_hash);
    damaged_.erase(commit.key_hash);
    remove(Family::meta, keys::damaged(commit.key_hash));
    remove_index_rows(at);
  }
  if (at.commits.empty()) at.index_before = commit.batch.index_before;
  at.index_after = commit.batch.index_after;
  at.releases_moved |= effects.pending_releases_moved;
  at.commits.push_back(&commit);
  if (commit.batch.gone) {
    at.now.reset();
  } else {
    const Version snapshot = at.now ? at.now->snapshot : Version{};
    at.now = HeadRow{effects.after, commit.batch.snapshot ? commit.batch.after : snapshot};
  }
  return absl::OkStatus();
}

void Round::store(const Commit& commit, Touched& touched, Effects& effects) {
  std::move(effects.messages.begin(), effects.messages.end(), std::back_inserter(touched.messages));
  if (commit.batch.gone) return;
  for (const Event& event : *commit.batch.events) touched.events.push_back(&event);
  if (commit.batch.snapshot) {
    put(Family::state, keys::snapshot(touched.prefix), encode_state(*commit.batch.snapshot));
  }
}

void Round::erase(const Commit& commit, Touched& touched, bool damaged) {
  touched.events.clear();
  const std::string begin = keys::snapshot(touched.prefix);
  if (damaged) {
    remove_range(Family::state, begin, keys::end_of(touched.prefix));
  } else {
    remove_stored(Family::state, begin, keys::end_of(touched.prefix));
    if (touched.now && touched.now->snapshot.value > 0) remove(Family::state, begin);
  }
  const State& rest = *commit.batch.snapshot;
  if (rest.vanished()) {
    remove(Family::state, keys::remains(touched.prefix));
  } else {
    put(Family::state, keys::remains(touched.prefix), encode_state(rest));
    if (const auto request = last_request(rest)) {
      put(Family::index, keys::expiry(touched.shard, {}, touched.key), request->view());
    }
  }
  schedule_scrub(Family::state, touched.prefix, keys::end_of(touched.prefix));
  const std::string shard = keys::shard(touched.shard);
  schedule_scrub(Family::index, shard, keys::end_of(shard));
}

/// The first part of a stored row is written again, with what is to be written of the history. A
/// drop before this one may have come to that already.
void Round::keep_part(Touched& touched, const HistoryDrop& drop, std::vector<Message> row) {
  const bool there =
      std::any_of(touched.messages.begin(), touched.messages.end(), [&](const auto& placed) {
        return placed.history == drop.history && placed.message.sequence == drop.keep;
      });
  if (there) return;
  std::vector<PlacedMessage> kept;
  for (Message& message : row) {
    if (message.sequence <= drop.keep) kept.push_back({drop.history, std::move(message)});
  }
  touched.messages.insert(touched.messages.begin(), std::make_move_iterator(kept.begin()),
                          std::make_move_iterator(kept.end()));
}

Status Round::drop(Touched& touched, const HistoryDrop& drop) {
  std::erase_if(touched.messages, [&](const PlacedMessage& placed) {
    return placed.history == drop.history && placed.message.sequence > drop.keep;
  });
  const std::string begin = keys::message(touched.shard, drop.history, drop.keep.next());
  const std::string end = keys::end_of(keys::history(touched.shard, drop.history));
  auto scan = view_.scan(Family::messages,
                         {.begin = begin, .end = end, .within_prefix = true, .fill_cache = false});
  scan.seek(begin);
  if (!scan.valid() && absl::IsUnavailable(scan.status())) return scan.status();
  if (const auto key = scan.valid() ? keys::parse_message(scan.key()) : std::nullopt) {
    auto row = decode_messages(scan.value(), key->sequence);
    // What cannot be read any more is not kept either.
    if (row.ok()) keep_part(touched, drop, *std::move(row));
  }
  remove_stored(Family::messages, begin, end);
  schedule_scrub(Family::messages, begin, end);
  return absl::OkStatus();
}

/// The rows of a damaged conversation are not known from its state: they are looked for.
void Round::remove_index_rows(const Touched& touched) {
  const std::string shard = keys::shard(touched.shard);
  auto scan = view_.scan(
      Family::index,
      {.begin = shard, .end = keys::end_of(shard), .within_prefix = false, .fill_cache = false});
  for (scan.seek(shard); scan.valid(); scan.next()) {
    const auto row = keys::parse_index(scan.key());
    const bool its_own =
        row && row->tenant == touched.key.tenant && row->rank.thread == touched.key.thread;
    if (its_own) remove_row(scan.key());
  }
}

void Round::schedule_scrub(Family family, const std::string& begin, const std::string& end) {
  erased_ = true;
  put(Family::meta,
      keys::scrub(static_cast<char>(family), store_.db().GetLatestSequenceNumber(), begin), end);
}

Status Round::add_snapshot(const ConversationKey& key, Shard shard,
                           std::shared_ptr<const State> state) {
  auto touched = touch(key, shard);
  if (!touched.ok())
    return absl::IsDataLoss(touched.status()) ? absl::OkStatus() : touched.status();
  HeadCache::Row& row = (*touched)->now;
  // Of this incarnation, not ahead of what is stored, and newer than the one that is there.
  const bool fits = row && state->exists && state->version <= row->head.version &&
                    state->version > row->snapshot && state->current.history == row->head.history;
  if (!fits) return absl::OkStatus();
  put(Family::state, keys::snapshot((*touched)->prefix), encode_state(*state));
  row->snapshot = state->version;
  return absl::OkStatus();
}

void Round::raise_epoch(Shard shard, Epoch epoch) {
  std::string value;
  put_big<uint64_t>(value, epoch.value);
  put(Family::meta, keys::epoch(shard), value);
}

bool Round::is_damaged(uint64_t key_hash) const {
  return damaged_.contains(key_hash) || (damage_.marked(key_hash) && !healed_.contains(key_hash));
}

void Round::mark_damaged(uint64_t key_hash) {
  damaged_.insert(key_hash);
  healed_.erase(key_hash);
  put(Family::meta, keys::damaged(key_hash), {});
}

void Round::finish_index(const Touched& touched) {
  if (touched.commits.empty() || touched.index_before == touched.index_after) return;
  const auto keys_of = [&](const std::optional<IndexRow>& row) {
    return row ? index_keys(touched.shard, touched.key, *row) : std::vector<std::string>{};
  };
  const auto before = keys_of(touched.index_before);
  const auto after = keys_of(touched.index_after);
  const bool same_value = touched.index_before && touched.index_after &&
                          touched.index_before->lifecycle == touched.index_after->lifecycle;
  const auto stays = [&](const std::string& key, const std::vector<std::string>& others) {
    return same_value && std::find(others.begin(), others.end(), key) != others.end();
  };
  for (const std::string& key : before) {
    if (!stays(key, after)) remove_row(key);
  }
  for (const std::string& key : after) {
    if (!stays(key, before)) {
      put(Family::index, key, lifecycle_value(touched.index_after->lifecycle));
    }
  }
}

/// What is pending follows from the state alone, which is folded for the few commits that may move
/// it.
Status Round::finish_releases(const Touched& touched) {
  if (!touched.releases_moved) return absl::OkStatus();
  auto state = read_stored_state(view_, touched.key, touched.shard);
  if (!state.ok() && !absl::IsDataLoss(state.status())) return state.status();
  if (!state.ok()) state = State{};  // what is being erased says all that is left
  for (const Commit* commit : touched.commits) {
    if (commit->batch.gone) {
      state = *commit->batch.snapshot;
      continue;
    }
    for (const Event& event : *commit->batch.events) evolve_in_place(*state, event);
  }
  const std::string key = keys::unfinished(touched.shard, touched.key);
  if (state->pending_releases.empty()) {
    remove(Family::index, key);
  } else {
    put(Family::index, key, {});
  }
  return absl::OkStatus();
}

void Round::write_events(const Touched& touched) {
  cut_into_rows<const Event*>(
      touched.events, [](const Event* event) { return rough_event_bytes(*event); },
      [](const Event*, const Event*) { return true; },
      [&](std::span<const Event* const> row) {
        put(Family::state, keys::event(touched.prefix, row.back()->version), encode_events(row));
      });
}

void Round::write_messages(const Touched& touched) {
  cut_into_rows<PlacedMessage>(
      touched.messages, [](const PlacedMessage& placed) { return placed.message.body->size(); },
      [](const PlacedMessage& one, const PlacedMessage& next) {
        return one.history == next.history && one.message.sequence.next() == next.message.sequence;
      },
      [&](std::span<const PlacedMessage> row) {
        std::vector<const Message*> messages;
        for (const PlacedMessage& placed : row) messages.push_back(&placed.message);
        put(Family::messages,
            keys::message(touched.shard, row.back().history, messages.back()->sequence),
            encode_messages(messages));
      });
}

Status Round::finish() {
  for (const auto& [key, touched] : touched_) {
    if (Status status = finish_releases(*touched); !status.ok()) return status;
  }
  for (const auto& [key, touched] : touched_) {
    finish_index(*touched);
    write_events(*touched);
    write_messages(*touched);
    if (touched->now && (!touched->commits.empty() || touched->now != touched->before)) {
      put(Family::state, keys::head(touched->prefix), encode_head(*touched->now));
    }
  }
  finished_ = true;
  return absl::OkStatus();
}

Status Round::write(std::optional<log::Mark> applied) {
  if (!finished_) {
    if (Status status = finish(); !status.ok()) return status;
    if (applied) put(Family::meta, keys::k_applied, RocksStore::encode_mark(*applied));
  }
  if (batch_.Count() == 0) return absl::OkStatus();
  if (Status status = store_.write(batch_); !status.ok()) return status;
  for (const auto& [key, touched] : touched_) heads_.keep(key, touched->now);
  for (const uint64_t hash : healed_) damage_.clear(hash);
  for (const uint64_t hash : damaged_) damage_.mark(hash);
  return absl::OkStatus();
}

}  // namespace parley
