#pragma once

#include <memory>

#include <rocksdb/env.h>

namespace parley {

/// RocksDB's way to the disk, which waits for room instead of failing for want of it.
///
/// Shared by a store's database and what serves it; outlives both. Any thread.
/// Why: Debian's librocksdb is built with assertions, and one of them ends the process after a
/// write met a full disk. What waits here are RocksDB's background jobs, and with them a flush,
/// until somebody makes room or the process is ended; the log keeps what they would have written.
/// The journal refuses appends long before.
std::unique_ptr<rocksdb::Env> make_patient_env();

}  // namespace parley
