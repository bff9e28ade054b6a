#include "storage/verification.hpp"

#include <algorithm>
#include <map>

#include "absl/strings/str_cat.h"
#include <rocksdb/sst_file_reader.h>

#include "conversation/evolve.hpp"
#include "conversation/invariants.hpp"
#include "storage/codec.hpp"
#include "storage/keys.hpp"
#include "storage/round.hpp"

namespace parley {
namespace {

constexpr uint64_t k_tell_every = 1000;
constexpr size_t k_problems_max = 10'000;

StoreView::Bounds whole_family() {
  return {.begin = {}, .end = {}, .within_prefix = false, .fill_cache = false};
}

StoreView::Bounds within(const std::string& prefix) {
  return {
      .begin = prefix, .end = keys::end_of(prefix), .within_prefix = false, .fill_cache = false};
}

std::string name_of(const ConversationKey& key) {
  return absl::StrCat("conversation ", key.thread, " of tenant ", key.tenant);
}

Sequence highest_shared(const Lineage& lineage) {
  Sequence highest;
  for (const auto& child : lineage.children) highest = std::max(highest, child.at);
  return highest;
}

}  // namespace

Verification::Verification(const StoreView& view, uint32_t shard_count, Elsewhere elsewhere,
                           Progress progress)
    : view_(view),
      shard_count_(shard_count),
      elsewhere_(std::move(elsewhere)),
      progress_(std::move(progress)) {}

void Verification::add_problem(std::string where, std::string what) {
  if (report_.problems.size() >= k_problems_max) return;
  report_.problems.push_back({std::move(where), std::move(what)});
}

void Verification::wrong(Subject& subject, std::string what) {
  if (subject.fits) add_problem(name_of(subject.key), std::move(what));
  subject.fits = false;  // what follows from the first is not told
}

Result<VerifyReport> Verification::run() {
  check_blocks();
  if (Status status = check_conversations(); !status.ok() && !absl::IsDataLoss(status)) {
    return status;
  }
  if (Status status = check_no_strays(); !status.ok() && !absl::IsDataLoss(status)) return status;
  report_.done = true;
  if (progress_) progress_(report_);
  return std::move(report_);
}

void Verification::check_blocks() {
  rocksdb::ReadOptions options;
  options.fill_cache = false;
  const auto status = view_.store().db().VerifyChecksum(options);
  std::vector<rocksdb::LiveFileMetaData> files;
  view_.store().db().GetLiveFilesMetaData(&files);
  const size_t before = report_.problems.size();
  for (const auto& file : files) {
    report_.bytes += file.size;
    if (!status.ok()) check_file(file.db_path + file.name);
  }
  // A file may have been merged away meanwhile, and its damage with it.
  if (!status.ok() && report_.problems.size() == before) {
    add_problem(view_.store().db().GetName(), status.ToString());
  }
  if (progress_) progress_(report_);
}

/// Names the one of the store's files that is damaged.
void Verification::check_file(const std::string& path) {
  rocksdb::SstFileReader reader(view_.store().db().GetOptions());
  auto status = reader.Open(path);
  if (status.ok()) status = reader.VerifyChecksum();
  if (status.IsCorruption()) add_problem(path, status.ToString());
}

bool Verification::is_here(std::string_view key) const {
  const auto shard = keys::parse_shard(key);
  return !shard || shard->value >= shard_count_ || is_here(*shard);
}

Status Verification::check_conversations() {
  for (uint32_t number = 0; number < shard_count_; ++number) {
    const Shard shard{static_cast<uint16_t>(number)};
    if (!is_here(shard)) continue;
    std::string done;
    Status status = check_shard(shard, done);
    if (absl::IsDataLoss(status)) {
      add_problem(absl::StrCat("the conversations of shard ", number),
                  std::string(status.message()));
      status = check_by_name(shard, done);
    }
    if (!status.ok()) return status;
  }
  return check_nothing_beyond();
}

/// Every conversation in turn. `done`: the keys of the last one that was checked.
Status Verification::check_shard(Shard shard, std::string& done) {
  Subject subject;
  const std::string all = keys::shard(shard);
  auto scan = view_.scan(Family::state, within(all));
  for (scan.seek(all); scan.valid(); scan.next()) {
    const std::string_view key = scan.key();
    const bool same = !subject.prefix.empty() && key.starts_with(subject.prefix);
    if (!same) {
      if (Status status = finish(subject); !status.ok()) return status;
      if (!subject.prefix.empty()) done = subject.prefix;
      begin(key, subject);
    }
    if (!subject.prefix.empty()) take(key, scan.value(), subject);
  }
  if (Status status = scan.status(); !status.ok()) return status;
  return finish(subject);
}

/// Those behind `done`, by the names that the index has: no damaged block hides the rest then.
Status Verification::check_by_name(Shard shard, const std::string& done) {
  std::map<std::string, ConversationKey> named;
  const std::string all = keys::index_kind(shard, 'A');
  auto rows = view_.scan(Family::index, within(all));
  for (rows.seek(all); rows.valid(); rows.next()) {
    auto row = keys::parse_index(rows.key());
    if (!row) continue;
    ConversationKey key{std::move(row->tenant), std::move(row->rank.thread)};
    std::string prefix = keys::conversation(shard, key);
    if (prefix > done) named.emplace(std::move(prefix), std::move(key));
  }
  if (Status status = rows.status(); absl::IsDataLoss(status)) {
    add_problem(absl::StrCat("the index of shard ", shard.value), std::string(status.message()));
  } else if (!status.ok()) {
    return status;
  }
  for (const auto& [prefix, key] : named) {
    Status status = check_one(prefix);
    if (absl::IsDataLoss(status)) {
      ++report_.conversations;
      add_problem(name_of(key), std::string(status.message()));
    } else if (!status.ok()) {
      return status;
    }
  }
  return absl::OkStatus();
}

Status Verification::check_one(const std::string& prefix) {
  Subject subject;
  auto scan = view_.scan(Family::state, within(prefix));
  for (scan.seek(prefix); scan.valid(); scan.next()) {
    if (subject.prefix.empty()) begin(scan.key(), subject);
    take(scan.key(), scan.value(), subject);
  }
  if (Status status = scan.status(); !status.ok()) return status;
  return finish(subject);
}

/// No shard has a number so high.
Status Verification::check_nothing_beyond() {
  if (shard_count_ > UINT16_MAX) return absl::OkStatus();
  auto scan = view_.scan(Family::state, whole_family());
  scan.seek(keys::shard({static_cast<uint16_t>(shard_count_)}));
  if (scan.valid()) add_problem("the store's conversations", "one of a shard that there is not");
  return scan.status();
}

void Verification::begin(std::string_view key, Subject& subject) {
  subject = Subject{};
  const auto parsed = keys::parse_state(key);
  if (!parsed) return add_problem("the store's conversations", "a key that cannot be read");
  subject.prefix = key.substr(0, parsed->prefix_size);
  subject.shard = parsed->shard;
  subject.key = parsed->key;
  if (shard_of(key_hash(subject.key), shard_count_) != subject.shard) {
    wrong(subject, "it lies in another shard than its name says");
  }
}

void Verification::take(std::string_view key, std::string_view value, Subject& subject) {
  const auto parsed = keys::parse_state(key);
  if (!parsed) return wrong(subject, "a key that cannot be read");
  if (parsed->part == keys::Part::event) return take_events(parsed->version, value, subject);
  if (parsed->part == keys::Part::head) {
    auto head = decode_head(value);
    if (!head.ok()) return wrong(subject, std::string(head.status().message()));
    subject.has_head = true;
    subject.head = *head;
    return;
  }
  auto state = decode_state(value);
  if (!state.ok()) return wrong(subject, std::string(state.status().message()));
  if (parsed->part == keys::Part::snapshot) {
    subject.snapshot = *std::move(state);
  } else {
    subject.state = *std::move(state);
  }
}

namespace {

/// Former releases forgot requests by their age, too: of these a snapshot may have the newest only.
bool is_made_by(State snapshot, const State& made) {
  const size_t missing = made.dedup.size() - std::min(made.dedup.size(), snapshot.dedup.size());
  for (size_t i = 0; i < snapshot.dedup.size(); ++i) {
    if (missing + i >= made.dedup.size() || snapshot.dedup.at(i) != made.dedup.at(missing + i)) {
      return false;
    }
  }
  snapshot.dedup = made.dedup;
  return snapshot == made;
}

}  // namespace

void Verification::take_events(Version last, std::string_view value, Subject& subject) {
  if (!subject.fits) return;
  const auto events = decode_events(value);
  if (!events.ok()) return wrong(subject, std::string(events.status().message()));
  if (events->back().version != last) {
    return wrong(subject, absl::StrCat("the events under version ", last.value, " are others"));
  }
  for (const Event& event : *events) {
    if (event.version != subject.state.version.next()) {
      return wrong(subject, absl::StrCat("version ", event.version.value, " follows on ",
                                         subject.state.version.value));
    }
    evolve_in_place(subject.state, event);
    if (subject.state.version != event.version) return wrong(subject, "an event ends it");
    if (subject.snapshot && subject.snapshot->version == event.version &&
        !is_made_by(*subject.snapshot, subject.state)) {
      return wrong(subject, "its snapshot is not what its events make");
    }
  }
}

Status Verification::finish(Subject& subject) {
  if (subject.prefix.empty()) return absl::OkStatus();
  ++report_.conversations;
  tell_now_and_then();
  const auto marked = view_.get(Family::meta, keys::damaged(key_hash(subject.key)));
  if (!marked.ok()) return marked.status();
  if (*marked) wrong(subject, "records of it in the log were damaged");
  if (subject.fits && subject.has_head != subject.state.exists)
    wrong(subject, "its end is missing");
  if (subject.fits && subject.has_head &&
      (subject.head.head != head_of(subject.state) ||
       subject.head.snapshot != (subject.snapshot ? subject.snapshot->version : Version{}))) {
    wrong(subject, absl::StrCat("it ends at version ", subject.state.version.value, " instead of ",
                                subject.head.head.version.value));
  }
  if (auto broken = check_state(subject.state); subject.fits && broken) wrong(subject, *broken);
  if (!subject.fits) return absl::OkStatus();
  if (Status status = check_index(subject); !status.ok()) return status;
  if (subject.state.exists) {
    Status status = check_lineage(subject, subject.state.current, subject.state.last_sequence);
    if (!status.ok()) return status;
  }
  for (const Lineage& lineage : subject.state.former) {
    if (Status status = check_lineage(subject, lineage, highest_shared(lineage)); !status.ok()) {
      return status;
    }
  }
  return absl::OkStatus();
}

Status Verification::check_index(const Subject& subject) {
  std::vector<std::string> rows;
  if (const auto row = index_row(subject.state))
    rows = index_keys(subject.shard, subject.key, *row);
  if (!subject.state.pending_releases.empty()) {
    rows.push_back(keys::unfinished(subject.shard, subject.key));
  }
  expected_rows_ += rows.size();
  for (const std::string& row : rows) {
    const auto value = view_.get(Family::index, row);
    if (absl::IsDataLoss(value.status())) {
      add_problem(name_of(subject.key),
                  absl::StrCat("a row of the index: ", value.status().message()));
      continue;
    }
    if (!value.ok()) return value.status();
    if (!*value) add_problem(name_of(subject.key), "a row of the index is missing");
  }
  return absl::OkStatus();
}

/// Its own messages one by one; of what it shares, that the last of each part is there.
Status Verification::check_lineage(const Subject& subject, const Lineage& lineage, Sequence last) {
  for (const HistorySpan& span : lineage.past) {
    if (!is_here(span.shard)) continue;
    HistoryReader shared(view_, span.shard, span.history);
    const Status status = shared.at(span.last).status();
    if (absl::IsUnavailable(status)) return status;
    if (!status.ok()) {
      add_problem(name_of(subject.key),
                  absl::StrCat("of what it shares: ", std::string(status.message())));
    }
  }
  HistoryReader own(view_, subject.shard, lineage.history);
  WallTime time{INT64_MIN};
  for (Sequence next = lineage.shared_through().next(); next <= last; ++next.value) {
    const auto message = own.at(next);
    if (absl::IsUnavailable(message.status())) return message.status();
    if (!message.ok()) {
      add_problem(name_of(subject.key), std::string(message.status().message()));
      return absl::OkStatus();
    }
    if (message->create_time < time) {
      add_problem(name_of(subject.key), absl::StrCat("message ", next.value, " is out of order"));
    }
    time = message->create_time;
    ++report_.messages;
    const Sequence end = own.row().back().sequence;
    if (next == end) ++expected_message_rows_;
    if (next == last && end > last) {
      add_problem(name_of(subject.key),
                  absl::StrCat("message ", end.value, " is there, after its last, ", last.value));
    }
  }
  return absl::OkStatus();
}

/// Nothing is stored that belongs to nobody. Only the numbers are compared unless they differ.
Status Verification::check_no_strays() {
  uint64_t message_rows = 0;
  auto scan = view_.scan(Family::messages, whole_family());
  for (scan.seek(""); scan.valid(); scan.next()) message_rows += is_here(scan.key()) ? 1 : 0;
  if (Status status = scan.status(); !status.ok()) return status;
  if (report_.problems.empty() && message_rows != expected_message_rows_) {
    add_problem("the store's messages", absl::StrCat(message_rows - expected_message_rows_,
                                                     " rows belong to no conversation"));
  }
  uint64_t rows = 0;
  auto index = view_.scan(Family::index, whole_family());
  for (index.seek(""); index.valid(); index.next()) {
    if (is_here(index.key()) && !keys::parse_expiry(index.key())) ++rows;
  }
  if (Status status = index.status(); !status.ok()) return status;
  return report_.problems.empty() && rows != expected_rows_ ? check_stray_rows() : absl::OkStatus();
}

Status Verification::check_stray_rows() {
  auto scan = view_.scan(Family::index, whole_family());
  for (scan.seek(""); scan.valid(); scan.next()) {
    if (!is_here(scan.key()) || keys::parse_expiry(scan.key())) continue;
    const auto row = keys::parse_index(scan.key());
    const auto unfinished = keys::parse_unfinished(scan.key());
    if (!row && !unfinished) {
      add_problem("the index", "a row that cannot be read");
      continue;
    }
    const ConversationKey key =
        row ? ConversationKey{row->tenant, row->rank.thread} : unfinished->key;
    const Shard shard = shard_of(key_hash(key), shard_count_);
    auto state = read_stored_state(view_, key, shard);
    if (!state.ok()) continue;  // told already
    const auto shown = index_row(*state);
    bool belongs = unfinished && !state->pending_releases.empty();
    if (row && shown) {
      const auto expected = index_keys(shard, key, *shown);
      belongs = std::find(expected.begin(), expected.end(), scan.key()) != expected.end();
    }
    if (!belongs) add_problem(name_of(key), "a row of the index that should be gone");
  }
  return scan.status();
}

void Verification::tell_now_and_then() {
  if (progress_ && report_.conversations % k_tell_every == 0) progress_(report_);
}

}  // namespace parley
