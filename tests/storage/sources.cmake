parley_test(NAME codec_test SRCS codec_test.cpp codec_damage_test.cpp codec_golden_test.cpp
  codec_rows_test.cpp
  LABEL unit DEPS parley::codec)

if(TARGET parley_storage)
  # Databases of a test's own.
  add_library(parley_test_postgres STATIC postgres_instance.cpp postgres_process.cpp)
  target_link_libraries(parley_test_postgres PUBLIC GTest::gtest PRIVATE PkgConfig::PQ parley_options)
  parley_test(NAME storage_keys_test SRCS keys_test.cpp LABEL unit DEPS parley::storage)
  parley_test(NAME journal_contract_test SRCS journal_contract_test.cpp journal_under_test.cpp
    LABEL unit DEPS parley::postgres parley_test_postgres)
  parley_test(NAME postgres_journal_test SRCS postgres_journal_test.cpp postgres/parameters_test.cpp
    postgres/shared_ownership_test.cpp postgres/connection_test.cpp
    LABEL unit DEPS parley::postgres parley_test_postgres PkgConfig::PQ)
  parley_test(NAME postgres_journals_test SRCS postgres_journals_test.cpp shard_parts_test.cpp
    LABEL unit DEPS parley::postgres parley_test_postgres)
  parley_test(NAME local_journal_test SRCS local_journal_test.cpp damage_test.cpp
    upkeep_test.cpp upkeep_full_disk_test.cpp backup_test.cpp commit_sink_test.cpp applier_test.cpp
    forgetting_test.cpp local_shards_test.cpp memory_bytes_test.cpp rocks_listeners_test.cpp rocks_shard_copy_test.cpp
    rocks_store_test.cpp round_test.cpp write_gate_test.cpp LABEL unit DEPS parley::storage)
endif()
