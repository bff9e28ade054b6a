parley_library(NAME codec
  SRCS codec.cpp codec_events.cpp codec_fast.cpp codec_parts.cpp codec_rows.cpp codec_state.cpp
       codec_upcast.cpp record_writer.cpp
  DEPS parley::conversation parley_storage_proto)

# What every journal shares, and the one in memory: no RocksDB, no log.
parley_library(NAME journal
  SRCS effects.cpp journal.cpp memory_journal.cpp pages.cpp
  DEPS parley::conversation absl::inlined_vector)

if(TARGET parley_log)
  parley_library(NAME storage
    SRCS applier.cpp forgetting.cpp backup.cpp commit_sink.cpp data_dir.cpp disk_floor.cpp heads.cpp keys.cpp
         listing.cpp local_journal.cpp local_open.cpp local_reads.cpp local_shards.cpp memory_bytes.cpp
         offline.cpp rocks_env.cpp rocks_listeners.cpp rocks_shard_copy.cpp rocks_store.cpp round.cpp
         stored_conversation.cpp telling.cpp upkeep.cpp verification.cpp write_gate.cpp
    DEPS parley::journal parley::codec parley::log RocksDB::rocksdb-shared
         nlohmann_json::nlohmann_json PkgConfig::SPDLOG)
endif()

# The journal that several nodes share.
parley_library(NAME postgres
  SRCS postgres/commit_lane.cpp postgres/commit_rows.cpp postgres/connection.cpp
       postgres/parameters.cpp postgres/places.cpp postgres/readable.cpp postgres/reads.cpp
       postgres/schema.cpp postgres/session_pool.cpp postgres/shared_ownership.cpp
       postgres_journal.cpp postgres_journals.cpp
  DEPS parley::storage parley_api_proto PkgConfig::PQ nlohmann_json::nlohmann_json PkgConfig::SPDLOG)
