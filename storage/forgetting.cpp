#include "storage/forgetting.hpp"

#include <optional>
#include <utility>

#include "storage/bytes.hpp"
#include "storage/effects.hpp"
#include "storage/stored_conversation.hpp"

namespace parley {
namespace {

constexpr uint64_t k_micros_per_second = 1'000'000;
/// Of a kind: readers and the log wait as long.
constexpr size_t k_at_once = 2'000;
/// No policy asks for as long. Former releases wrote wall clock times, which are beyond it.
constexpr uint64_t k_longest_micros = 400ULL * 86'400 * k_micros_per_second;

std::string request_of(const State& rest) {
  const auto request = last_request(rest);
  return request ? std::string(request->view()) : std::string();
}

}  // namespace

Result<bool> Forgetting::purge(std::chrono::microseconds passed) {
  auto now = age();
  if (!now.ok()) return now.status();
  now->micros += static_cast<uint64_t>(passed.count());
  Status status;  // the first that was met
  const Found found = find(*now, status);
  // Where nothing is left of anything, no time need pass.
  if (found.any) status.Update(set_times(found, *now));
  bool fewer = !found.fresh.empty();
  for (const Listed& listed : found.due) {
    // A conversation in use is looked at again next time.
    heads_.if_not_loaded(listed.key.key, listed.shard, [&] {
      status.Update(forget(listed));
      fewer = true;
    });
  }
  if (!status.ok()) return status;
  return found.more && fewer;
}

Result<keys::StoreAge> Forgetting::age() const {
  const auto row = StoreView(store_).get(Family::meta, keys::k_age);
  if (!row.ok()) return row.status();
  std::string_view bytes = *row ? std::string_view(**row) : std::string_view();
  return keys::StoreAge{take_big<uint64_t>(bytes).value_or(0)};
}

Forgetting::Found Forgetting::find(keys::StoreAge age, Status& status) const {
  Found found;
  const StoreView view(store_);
  for (uint32_t number = 0; number < heads_.shard_count(); ++number) {
    const Shard shard{static_cast<uint16_t>(number)};
    // Why: half of a shard does not show what lives again.
    if (elsewhere_ && elsewhere_(shard)) continue;
    const std::string kind = keys::index_kind(shard, 'T');
    auto scan = view.scan(
        Family::index,
        {.begin = kind, .end = keys::end_of(kind), .within_prefix = false, .fill_cache = false});
    const auto list = [&](keys::StoreAge from, std::optional<keys::StoreAge> before,
                          std::vector<Listed>& into) {
      const std::string end = before ? keys::expiry(shard, *before, {}) : keys::end_of(kind);
      for (scan.seek(keys::expiry(shard, from, {})); scan.valid() && scan.key() < end;
           scan.next()) {
        if (into.size() >= k_at_once) {
          found.more = true;
          break;
        }
        auto key = keys::parse_expiry(scan.key());
        if (!key) continue;
        into.push_back({std::string(scan.key()), std::string(scan.value()), shard, *key});
      }
      // One damaged shard keeps the others from nothing.
      status.Update(scan.status());
    };
    scan.seek(kind);
    found.any |= scan.valid();
    list({0}, keys::StoreAge{1}, found.fresh);
    list({1}, keys::StoreAge{age.micros + 1}, found.due);
    list({age.micros + k_longest_micros}, std::nullopt, found.fresh);
  }
  return found;
}

Status Forgetting::set_times(const Found& found, keys::StoreAge age) {
  const StoreView view(store_);
  rocksdb::WriteBatch batch;
  Status status;
  for (const Listed& listed : found.fresh) {
    const auto rest = read_remains(view, listed.key.key, listed.shard);
    if (!rest.ok()) {
      status.Update(rest.status());
      continue;
    }
    batch.Delete(store_.family(Family::index), listed.row).PermitUncheckedError();
    const std::string request = request_of(*rest);
    if (request.empty()) continue;  // it lives again, or is gone
    const auto kept = static_cast<uint64_t>(rest->policy.dedup_seconds) * k_micros_per_second;
    batch
        .Put(store_.family(Family::index),
             keys::expiry(listed.shard, {age.micros + kept}, listed.key.key), request)
        .PermitUncheckedError();
  }
  std::string row;
  put_big(row, age.micros);
  batch.Put(store_.family(Family::meta), keys::k_age, row).PermitUncheckedError();
  status.Update(store_.write(batch));
  return status;
}

Status Forgetting::forget(const Listed& listed) {
  const ConversationKey& key = listed.key.key;
  const StoreView view(store_);
  rocksdb::WriteBatch batch;
  batch.Delete(store_.family(Family::index), listed.row).PermitUncheckedError();
  auto head = read_head(view, key, listed.shard);
  auto rest = read_remains(view, key, listed.shard);
  // What lives again keeps them, and so does what forks or parents still need.
  if (head.ok() && !*head && rest.ok() && request_of(*rest) == listed.request) {
    rest->dedup.clear();
    if (rest->vanished()) {
      batch
          .Delete(store_.family(Family::state),
                  keys::remains(keys::conversation(listed.shard, key)))
          .PermitUncheckedError();
    }
  }
  return store_.write(batch);
}

}  // namespace parley
