#include "storage/postgres_journals.hpp"

#include <algorithm>
#include <atomic>
#include <iterator>
#include <tuple>
#include <utility>

#include "absl/strings/str_cat.h"

#include "base/log.hpp"
#include "storage/pages.hpp"
#include "storage/postgres/places.hpp"
#include "storage/postgres/schema.hpp"

namespace parley {
namespace {

/// It costs its own shards only: the others are read.
bool is_away(const Status& status) {
  return absl::IsUnavailable(status) || absl::IsFailedPrecondition(status) ||
         absl::IsResourceExhausted(status);
}

bool comes_before(const ListedConversation& a, const ListedConversation& b) {
  return std::tie(b.last_activity, a.thread) < std::tie(a.last_activity, b.thread);
}

/// A session of a database that has the tables, and keeps what it commits.
Result<std::unique_ptr<postgres::Connection>> prepared(
    const postgres::ConnectionOptions& connection, uint32_t shard_count, bool accept_async_loss) {
  auto session = postgres::Connection::open(connection);
  if (!session.ok()) return session;
  Status status = postgres::migrate(**session, shard_count);
  if (status.ok() && !accept_async_loss) status = postgres::check_durability(**session);
  if (!status.ok()) {
    return Status(status.code(), absl::StrCat("--journal ", postgres::shown_url(connection.url),
                                              ": ", status.message()));
  }
  return session;
}

}  // namespace

Result<std::unique_ptr<PostgresJournals>> PostgresJournals::open(
    const PostgresOptions& each, const std::vector<std::string>& urls) {
  std::unique_ptr<PostgresJournals> journals(new PostgresJournals(each, urls));
  const Status status = journals->open_databases();
  const bool some = std::ranges::any_of(journals->databases_,
                                        [](const auto& database) { return database->open.load(); });
  if (!status.ok() && !(some && absl::IsUnavailable(status))) return status;
  if (!status.ok()) spdlog::error("shards of a database are not served: {}", status.ToString());
  return journals;
}

PostgresJournals::PostgresJournals(const PostgresOptions& each,
                                   const std::vector<std::string>& urls)
    : accept_async_loss_(each.accept_async_loss),
      parts_{each.shard_count, static_cast<uint32_t>(urls.size())} {
  for (uint32_t i = 0; i < urls.size(); ++i) {
    PostgresOptions options = each;
    options.connection.url = urls[i];
    options.connection.preferred = std::make_shared<std::atomic<size_t>>(0);
    databases_.push_back(std::make_unique<Database>(options, parts_, i));
  }
}

PostgresJournals::~PostgresJournals() = default;

Status PostgresJournals::open_databases() {
  std::vector<std::unique_ptr<postgres::Connection>> sessions;
  std::vector<postgres::GivenDatabase> given;
  Status away;
  for (const auto& each : databases_) {
    auto session = prepared(each->connection, parts_.shard_count, accept_async_loss_);
    const bool may_be_away = databases_.size() > 1 && absl::IsUnavailable(session.status());
    if (!session.ok() && !may_be_away) return session.status();
    if (!session.ok()) away = session.status();
    sessions.push_back(session.ok() ? *std::move(session) : nullptr);
    given.push_back({postgres::shown_url(each->connection.url), sessions.back().get()});
  }
  if (std::ranges::none_of(sessions, [](const auto& session) { return session != nullptr; })) {
    return away;
  }
  auto cluster = postgres::take_places(given, parts_);
  if (!cluster.ok()) return cluster.status();
  if (cluster_.empty()) cluster_ = *std::move(cluster);
  for (size_t i = 0; i < databases_.size(); ++i) {
    if (!sessions[i] || databases_[i]->open) continue;
    if (Status status = databases_[i]->journal.start(*sessions[i]); !status.ok()) return status;
    databases_[i]->open = true;
  }
  return away;
}

Status PostgresJournals::open_rest() {
  const bool all =
      std::ranges::all_of(databases_, [](const auto& each) { return each->open.load(); });
  return all ? absl::OkStatus() : open_databases();
}

Result<Loaded> PostgresJournals::load(const ConversationKey& key, Shard shard) {
  return of(shard).load(key, shard);
}

void PostgresJournals::commit(Commit commit, CommitWaiter* waiter) {
  PostgresJournal& journal = of(commit.shard);
  journal.commit(std::move(commit), waiter);
}

void PostgresJournals::keep_snapshot(const ConversationKey& key, Shard shard,
                                     std::shared_ptr<const State> state) {
  of(shard).keep_snapshot(key, shard, std::move(state));
}

void PostgresJournals::release(const ConversationKey& key) {
  of(shard_of(key_hash(key), parts_.shard_count)).release(key);
}

Status PostgresJournals::raise_epoch(Shard shard, Epoch epoch) {
  return of(shard).raise_epoch(shard, epoch);
}

Result<State> PostgresJournals::read_state(const ConversationKey& key, Shard shard) {
  return of(shard).read_state(key, shard);
}

Result<State> PostgresJournals::read_state_at(const ConversationKey& key, Shard shard,
                                              Version version) {
  return of(shard).read_state_at(key, shard, version);
}

Result<EventList> PostgresJournals::read_events(const ConversationKey& key, Shard shard,
                                                Version after, PageBounds bounds) {
  return of(shard).read_events(key, shard, after, bounds);
}

/// What a fork shares stays in the database of the parent that wrote it.
Result<std::vector<Message>> PostgresJournals::read_messages(const MessageRange& range,
                                                             PageBounds bounds) {
  const auto parts = parts_of(range);
  if (parts.empty()) return std::vector<Message>();
  const uint32_t database = parts_.part_of(parts.front().shard);
  const bool in_one = std::ranges::all_of(
      parts, [&](const HistorySpan& part) { return parts_.part_of(part.shard) == database; });
  return in_one ? databases_[database]->journal.read_messages(range, bounds)
                : read_across(range, bounds);
}

Result<std::vector<Message>> PostgresJournals::read_across(const MessageRange& range,
                                                           PageBounds bounds) {
  std::vector<Message> messages;
  PageFill fill(bounds);
  for (const HistorySpan& part : parts_of(range)) {
    if (fill.full()) break;
    auto read = of(part.shard)
                    .read_messages({{part}, part.first, part.last, range.newest_first},
                                   {fill.room(), bounds.bytes_max});
    if (!read.ok()) return read.status();
    const bool whole = read->size() == part.last.value - part.first.value + 1;
    for (Message& message : *read) {
      if (!fill.take(message.body->size())) return messages;
      messages.push_back(std::move(message));
    }
    if (!whole) break;
  }
  return messages;
}

Status PostgresJournals::ask_each(const std::function<Status(PostgresJournal&)>& ask,
                                  std::vector<uint32_t>& missing) {
  Status why;
  for (uint32_t i = 0; i < databases_.size(); ++i) {
    const Status status = ask(databases_[i]->journal);
    if (status.ok()) continue;
    if (!is_away(status)) return status;
    missing.push_back(i);
    why = status;
  }
  return missing.size() == databases_.size() ? why : absl::OkStatus();
}

Result<ListedPage> PostgresJournals::list(const ListQuery& query) {
  ListedPage all;
  std::vector<uint32_t> missing;
  const Status status = ask_each(
      [&](PostgresJournal& journal) {
        auto page = journal.list(query);
        if (!page.ok()) return page.status();
        std::ranges::move(page->conversations, std::back_inserter(all.conversations));
        return absl::OkStatus();
      },
      missing);
  if (!status.ok()) return status;
  std::ranges::sort(all.conversations, comes_before);
  if (all.conversations.size() > query.count_max) all.conversations.resize(query.count_max);
  for (const uint32_t part : missing) {
    const auto shards = parts_.shards(part);
    all.unreachable.insert(all.unreachable.end(), shards.begin(), shards.end());
  }
  return all;
}

Result<std::vector<UnfinishedRelease>> PostgresJournals::unfinished_releases() {
  std::vector<UnfinishedRelease> all;
  std::vector<uint32_t> missing;
  const Status status = ask_each(
      [&](PostgresJournal& journal) {
        auto unfinished = journal.unfinished_releases();
        if (!unfinished.ok()) return unfinished.status();
        std::ranges::move(*unfinished, std::back_inserter(all));
        return absl::OkStatus();
      },
      missing);
  if (!status.ok()) return status;
  return all;
}

Status PostgresJournals::purge() {
  std::vector<uint32_t> missing;
  return ask_each([&](PostgresJournal& journal) { return journal.purge(); }, missing);
}

}  // namespace parley
