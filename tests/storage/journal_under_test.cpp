#include "tests/storage/journal_under_test.hpp"

#include "storage/local_journal.hpp"
#include "storage/memory_journal.hpp"
#include "storage/postgres_journals.hpp"
#include "tests/storage/postgres_instance.hpp"
#include "tests/storage/temporary_directory.hpp"

namespace parley::test {
namespace {

struct InMemory final : JournalUnderTest {};
struct InTables final : JournalUnderTest {};

struct OnDisk final : JournalUnderTest {
  ~OnDisk() override { journal.reset(); }  // before its directory goes
  TemporaryDirectory directory;
};

std::unique_ptr<JournalUnderTest> in_memory(bool worker_thread) {
  auto opened = std::make_unique<InMemory>();
  opened->journal = std::make_unique<MemoryJournal>(
      MemoryOptions{.shard_count = Driver::k_shards, .worker_thread = worker_thread});
  return opened;
}

std::unique_ptr<JournalUnderTest> on_disk() {
  auto opened = std::make_unique<OnDisk>();
  auto journal = LocalJournal::open({.data_dir = opened->directory.path() + "/data",
                                     .shard_count = Driver::k_shards,
                                     .memory_bytes = 16U << 20,
                                     .log_segment_bytes = 1U << 20,
                                     .disk_floor_bytes = 0});
  EXPECT_TRUE(journal.ok()) << journal.status();
  if (journal.ok()) opened->journal = *std::move(journal);
  return opened;
}

std::unique_ptr<JournalUnderTest> in_tables(const std::vector<PostgresInstance*>& databases) {
  auto opened = std::make_unique<InTables>();
  std::vector<std::string> urls;
  for (const PostgresInstance* database : databases) {
    database->empty();
    urls.push_back(database->url());
  }
  PostgresOptions options;
  options.shard_count = Driver::k_shards;
  options.accept_async_loss = true;  // the test's own does not sync
  auto journal = PostgresJournals::open(options, urls);
  EXPECT_TRUE(journal.ok()) << journal.status();
  if (journal.ok()) opened->journal = *std::move(journal);
  return opened;
}

}  // namespace

std::unique_ptr<JournalUnderTest> open_journal(JournalKind kind) {
  switch (kind) {
    case JournalKind::memory:
      return in_memory(false);
    case JournalKind::memory_with_worker:
      return in_memory(true);
    case JournalKind::local:
      return on_disk();
    case JournalKind::postgres:
      return in_tables({&PostgresInstance::of_this_process()});
    case JournalKind::two_databases:
      return in_tables(
          {&PostgresInstance::of_this_process(), &PostgresInstance::second_of_this_process()});
  }
  return nullptr;
}

}  // namespace parley::test
