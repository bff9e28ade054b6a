#include "storage/rocks_store.hpp"

#include <algorithm>
#include <cstdarg>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include <rocksdb/cache.h>
#include <rocksdb/env.h>
#include <rocksdb/file_checksum.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/slice_transform.h>
#include <rocksdb/table.h>

#include "storage/bytes.hpp"
#include "storage/keys.hpp"
#include "storage/rocks_env.hpp"
#include "storage/rocks_listeners.hpp"

namespace parley {
namespace {

using rocksdb::ColumnFamilyOptions;

constexpr std::array<const char*, k_families> k_names{"default", "state", "messages", "index"};

/// All keys of one conversation share a prefix: what a bloom filter is asked for before a load.
class ConversationPrefix final : public rocksdb::SliceTransform {
 public:
  const char* Name() const override { return "parley.conversation.1"; }
  rocksdb::Slice Transform(const rocksdb::Slice& key) const override {
    return {key.data(), keys::conversation_size(view(key))};
  }
  bool InDomain(const rocksdb::Slice& key) const override {
    return keys::conversation_size(view(key)) > 0;
  }
};

rocksdb::BlockBasedTableOptions table_options(const std::shared_ptr<rocksdb::Cache>& cache,
                                              size_t block_bytes) {
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = cache;
  table.block_size = block_bytes;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
  table.partition_filters = true;
  table.cache_index_and_filter_blocks = true;  // bounded memory: they live in the cache too
  table.pin_l0_filter_and_index_blocks_in_cache = false;
  table.checksum = rocksdb::kXXH3;
  table.format_version = 5;
  return table;
}

ColumnFamilyOptions family_options(Family family, const RocksOptions& options,
                                   const std::shared_ptr<rocksdb::Cache>& cache) {
  ColumnFamilyOptions family_options;
  // Never reached: the journal flushes all families together, and the shared bound of memory stands
  // behind it. Recovery lifts that bound, so that nothing it applied is on disk before all of it
  // is.
  family_options.write_buffer_size = size_t{1} << 30;
  family_options.arena_block_size = 256U << 10;
  family_options.max_write_buffer_number = 4;
  // Why: with a damaged file, files may pile up above it; what is not damaged is served all the
  // same.
  family_options.level0_slowdown_writes_trigger = 64;
  family_options.level0_stop_writes_trigger = 1 << 16;
  family_options.soft_pending_compaction_bytes_limit = 0;
  family_options.hard_pending_compaction_bytes_limit = 0;
  // Why not more, which would save work under load: files of level 0 cannot be dropped whole, and
  // on a full disk there is little room to merge them so that what was deleted goes.
  family_options.level0_file_num_compaction_trigger = 4;
  // Until merge_files(): what may be used of the disk is to be known before.
  family_options.disable_auto_compactions = true;
  family_options.level_compaction_dynamic_level_bytes = true;
  family_options.target_file_size_base = 16U << 20;
  family_options.max_bytes_for_level_base = 64U << 20;
  // Bounds the disk space that one compaction needs beside its input.
  family_options.max_compaction_bytes = 96U << 20;
  const bool messages = family == Family::messages;
  family_options.table_factory.reset(
      rocksdb::NewBlockBasedTableFactory(table_options(cache, messages ? 16U << 10 : 8U << 10)));
  if (family == Family::state) family_options.prefix_extractor.reset(new ConversationPrefix);
  if (messages) {
    family_options.prefix_extractor.reset(rocksdb::NewFixedPrefixTransform(keys::k_history_size));
  }
  if (!options.compress) {
    family_options.compression = rocksdb::kNoCompression;
    return family_options;
  }
  // Why not zstd at once: a flush is on the machine's busy path; the bottom level is where bytes
  // stay.
  family_options.compression = rocksdb::kLZ4Compression;
  // Why not at all in level 0: what is there is soon read again and merged.
  family_options.compression_per_level = {rocksdb::kNoCompression, rocksdb::kLZ4Compression};
  if (messages || family == Family::state) {
    family_options.bottommost_compression = rocksdb::kZSTD;
    // Why without a dictionary: rows that hold several messages compress nearly as well without,
    // and training one for each file took most of a compaction.
    family_options.bottommost_compression_opts.enabled = true;
    family_options.bottommost_compression_opts.level = 1;
  }
  return family_options;
}

rocksdb::DBOptions database_options(const std::shared_ptr<rocksdb::WriteBufferManager>& buffers,
                                    const std::shared_ptr<rocksdb::SstFileManager>& files) {
  rocksdb::DBOptions database;
  database.create_if_missing = true;
  database.create_missing_column_families = true;
  database.atomic_flush = true;
  // Why: one damaged block that a compaction meets would make the whole store refuse writes. Reads
  // check every block all the same; what else "paranoid" means is check_files() below.
  database.paranoid_checks = false;
  // Why: what closing would flush has no place in the log beside it; the journal flushes itself.
  database.avoid_flush_during_shutdown = true;
  // resume() is what ends an error: it keeps writers out meanwhile.
  database.max_bgerror_resume_count = 0;
  database.max_open_files = 256;
  database.max_background_jobs = 2;
  database.write_buffer_manager = buffers;
  database.sst_file_manager = files;
  database.bytes_per_sync = 1U << 20;
  // Why less than the default of 4 MB: a small store takes little more in all.
  database.manifest_preallocation_size = 64U << 10;
  database.max_log_file_size = 1U << 20;
  database.keep_log_file_num = 3;
  database.info_log_level = rocksdb::WARN_LEVEL;
  database.stats_dump_period_sec = 0;
  database.stats_persist_period_sec = 0;
  database.file_checksum_gen_factory = rocksdb::GetFileChecksumGenCrc32cFactory();
  return database;
}

}  // namespace

Status from_rocks(const rocksdb::Status& status, std::string_view doing) {
  if (status.ok()) return absl::OkStatus();
  const std::string text =
      absl::StrCat(absl::string_view(doing.data(), doing.size()), ": ", status.ToString());
  if (status.IsCorruption()) {
    return absl::DataLossError(absl::StrCat(
        text, "; stored bytes are damaged: restore a backup, or delete the conversation"));
  }
  if (status.IsInvalidArgument() || status.IsNotSupported()) {
    return absl::FailedPreconditionError(text);
  }
  return absl::UnavailableError(
      absl::StrCat(text, "; try again, and look at the disk if it stays"));
}

namespace {
std::vector<rocksdb::ColumnFamilyDescriptor> descriptors(
    const RocksOptions& options, const std::shared_ptr<rocksdb::Cache>& cache) {
  std::vector<rocksdb::ColumnFamilyDescriptor> all;
  for (const Family family : k_all_families) {
    all.emplace_back(k_names[static_cast<size_t>(family)], family_options(family, options, cache));
  }
  return all;
}

/// Reading only leaves no file of RocksDB's own log behind.
class NoLog final : public rocksdb::Logger {
 public:
  using rocksdb::Logger::Logv;
  void Logv(const char*, va_list) override {}
};

/// All files are there and as long as the manifest says.
Status check_files(rocksdb::DB& db) {
  std::vector<rocksdb::LiveFileMetaData> files;
  db.GetLiveFilesMetaData(&files);
  for (const auto& file : files) {
    const std::string path = db.GetName() + "/" + file.relative_filename;
    uint64_t bytes = 0;
    const auto status = db.GetEnv()->GetFileSize(path, &bytes);
    if (status.ok() && bytes == file.size) continue;
    return absl::DataLossError(
        absl::StrCat(path, status.ok() ? " is not as long as it was written" : " is missing",
                     "; put the file back, or restore a backup"));
  }
  return absl::OkStatus();
}
}  // namespace

Result<std::unique_ptr<RocksStore>> RocksStore::open(const RocksOptions& options) {
  std::unique_ptr<RocksStore> store(new RocksStore);
  // One bound for both: memtables are charged to the cache and push blocks out of it.
  const auto cache = rocksdb::NewLRUCache(options.memory_bytes);
  store->buffers_ = std::make_shared<rocksdb::WriteBufferManager>(options.memory_bytes / 2, cache);
  store->env_ = make_patient_env();
  store->files_.reset(rocksdb::NewSstFileManager(store->env_.get()));
  rocksdb::DBOptions database = database_options(store->buffers_, store->files_);
  database.env = store->env_.get();
  store->errors_ = std::make_shared<BackgroundErrors>(options.on_fatal);
  store->merges_ = std::make_shared<MergesUnderWay>();
  database.listeners = {store->errors_, store->merges_, std::make_shared<InBackground>(),
                        std::make_shared<OpenAtFlush>(store->gate_)};
  rocksdb::DB* db = nullptr;
  const auto status = rocksdb::DB::Open(database, options.directory, descriptors(options, cache),
                                        &store->handles_, &db);
  store->db_.reset(db);
  if (!status.ok()) return from_rocks(status, absl::StrCat("opening ", options.directory));
  if (Status files = check_files(*store->db_); !files.ok()) return files;
  return store;
}

Result<std::unique_ptr<RocksStore>> RocksStore::open_read_only(const RocksOptions& options) {
  std::unique_ptr<RocksStore> store(new RocksStore);
  const auto cache = rocksdb::NewLRUCache(options.memory_bytes);
  rocksdb::DBOptions database = database_options(nullptr, nullptr);
  database.create_if_missing = false;
  database.create_missing_column_families = false;
  database.info_log = std::make_shared<NoLog>();
  rocksdb::DB* db = nullptr;
  const auto status = rocksdb::DB::OpenForReadOnly(
      database, options.directory, descriptors(options, cache), &store->handles_, &db);
  store->db_.reset(db);
  if (!status.ok()) return from_rocks(status, absl::StrCat("opening ", options.directory));
  if (Status files = check_files(*store->db_); !files.ok()) return files;
  return store;
}

RocksStore::~RocksStore() {
  if (db_ == nullptr) return;
  for (auto* handle : handles_) db_->DestroyColumnFamilyHandle(handle);
  const auto status = db_->Close();
  status.PermitUncheckedError();  // nothing was left to be written
}

Status RocksStore::merge_files() const {
  return from_rocks(db_->EnableAutoCompaction(handles_), "merging the store's files");
}

Status RocksStore::write(rocksdb::WriteBatch& batch) const {
  gate_.enter();
  const absl::Cleanup left = [this] { gate_.leave(); };
  const std::lock_guard lock(writes_);
  const auto status = write_unlogged(batch);
  if (status.ok()) {
    for (WriteTap* tap : taps_) tap->wrote(batch);
  }
  return from_rocks(status, "writing to the store");
}

void RocksStore::add_tap(WriteTap& tap, const std::function<void()>& begin) const {
  const std::lock_guard lock(writes_);
  begin();
  taps_.push_back(&tap);
}

void RocksStore::remove_tap(WriteTap& tap) const {
  const std::lock_guard lock(writes_);
  std::erase(taps_, &tap);
}

rocksdb::Status RocksStore::write_unlogged(rocksdb::WriteBatch& batch) const {
  rocksdb::WriteOptions options;
  options.disableWAL = true;
  return db_->Write(options, &batch);
}

// Why the gate: what RocksDB tells of a merge's flush says another reason once this one is asked
// for.
Status RocksStore::flush() const {
  gate_.enter();
  const absl::Cleanup left = [this] { gate_.leave(); };
  rocksdb::FlushOptions options;
  options.wait = true;
  options.allow_write_stall = true;
  return from_rocks(db_->Flush(options, handles_), "flushing the store");
}

Status RocksStore::rewrite(Family family, const std::string& begin, const std::string& end) const {
  rocksdb::CompactRangeOptions options;
  options.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForce;
  const rocksdb::Slice first = begin;
  const rocksdb::Slice last = end;
  return from_rocks(compact(options, family, &first, &last), "rewriting the store's files");
}

Status RocksStore::merge_all(Family family, std::atomic<bool>& given_up) const {
  rocksdb::CompactRangeOptions options;
  options.canceled = &given_up;
  const auto status = compact(options, family, nullptr, nullptr);
  if (given_up || status.IsManualCompactionPaused()) return absl::OkStatus();
  return from_rocks(status, "merging the store's files");
}

/// Why the gate: a merge flushes first, and the packaged RocksDB decides which families it flushes
/// before it keeps writers out. A batch in between would reach the files in part, its place in the
/// log without its rows or the other way round. With nobody writing, and something to be flushed in
/// each family, it takes them all; the gate opens when it has, which is at the latest when the
/// flush begins.
rocksdb::Status RocksStore::compact(rocksdb::CompactRangeOptions options, Family family,
                                    const rocksdb::Slice* begin, const rocksdb::Slice* end) const {
  options.exclusive_manual_compaction = false;
  options.allow_write_stall = true;
  const std::lock_guard alone(alone_);
  gate_.shut();
  const absl::Cleanup opened = [this] { gate_.open(); };
  rocksdb::WriteBatch touched;
  for (auto* each : handles_) touched.Delete(each, keys::k_nobodys).PermitUncheckedError();
  if (begin != nullptr) {
    // Within the range: the merge flushes in any case, so that the gate is opened soon.
    touched.Delete(this->family(family), keys::nobodys_behind(view(*begin))).PermitUncheckedError();
  }
  const auto status = write_unlogged(touched);
  if (!status.ok()) return status;
  return db_->CompactRange(options, this->family(family), begin, end);
}

/// Why the gate: it flushes, as compact() does.
Status RocksStore::resume() const {
  if (!errors_->met()) return absl::OkStatus();
  const std::lock_guard alone(alone_);
  gate_.shut();
  const absl::Cleanup opened = [this] { gate_.open(); };
  errors_->forget();
  const auto status = db_->Resume();
  if (!status.ok()) errors_->remember();
  return from_rocks(status, "taking writes again");
}

bool RocksStore::needs_resume() const { return errors_->met(); }

uint64_t RocksStore::merging_bytes() const { return merges_->bytes(); }

void RocksStore::bound_unflushed(size_t bytes) const { buffers_->SetBufferSize(bytes); }

size_t RocksStore::unflushed_bytes() const {
  return buffers_ == nullptr ? 0 : buffers_->mutable_memtable_memory_usage();
}

size_t RocksStore::memtable_bytes() const {
  return buffers_ == nullptr ? 0 : buffers_->memory_usage();
}

std::string RocksStore::encode_mark(log::Mark mark) {
  std::string value;
  put_big<uint64_t>(value, mark.frame);
  put_big<uint64_t>(value, mark.chain);
  return value;
}

void RocksStore::put_applied(rocksdb::WriteBatch& batch, const RocksStore& store, log::Mark mark) {
  batch.Put(store.family(Family::meta), keys::k_applied, encode_mark(mark)).PermitUncheckedError();
}

Result<log::Mark> RocksStore::applied() const {
  std::string value;
  const auto status =
      db_->Get(rocksdb::ReadOptions(), family(Family::meta), keys::k_applied, &value);
  if (status.IsNotFound()) return log::Mark{};
  if (!status.ok()) return from_rocks(status, "reading the store's place in the log");
  std::string_view rest = value;
  const auto frame = take_big<uint64_t>(rest);
  const auto chain = take_big<uint64_t>(rest);
  if (!frame || !chain) {
    return absl::DataLossError("the store's place in the log is damaged; restore a backup");
  }
  return log::Mark{*frame, *chain};
}

Result<std::optional<std::string>> StoreView::get(Family family, std::string_view key) const {
  rocksdb::ReadOptions options;
  options.snapshot = snapshot_;
  std::string value;
  const auto status = store_->db().Get(options, store_->family(family), slice(key), &value);
  if (status.IsNotFound()) return std::nullopt;
  if (!status.ok()) return from_rocks(status, "reading the store");
  return value;
}

StoreView::Scan::Scan(const StoreView& view, Family family, Bounds bounds)
    : held_(new Held{std::move(bounds), {}, {}}) {
  held_->lower = held_->bounds.begin;
  held_->upper = held_->bounds.end;
  rocksdb::ReadOptions options;
  options.snapshot = view.snapshot_;
  if (!held_->bounds.begin.empty()) options.iterate_lower_bound = &held_->lower;
  if (!held_->bounds.end.empty()) options.iterate_upper_bound = &held_->upper;
  options.prefix_same_as_start = held_->bounds.within_prefix;
  options.total_order_seek = !held_->bounds.within_prefix;
  options.fill_cache = held_->bounds.fill_cache;
  iterator_.reset(view.store_->db().NewIterator(options, view.store_->family(family)));
}

Status StoreView::Scan::status() const {
  return from_rocks(iterator_->status(), "reading the store");
}

}  // namespace parley
