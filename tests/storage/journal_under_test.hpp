#pragma once

#include <array>
#include <memory>
#include <string>

#include "storage/journal.hpp"
#include "tests/storage/journal_driver.hpp"

/// The journals that the contract test holds to the contract. A new one is added here and in
/// journal_under_test.cpp.
namespace parley::test {

enum class JournalKind { memory, memory_with_worker, local, postgres, two_databases };
inline constexpr std::array k_journal_kinds{JournalKind::memory, JournalKind::memory_with_worker,
                                            JournalKind::local, JournalKind::postgres,
                                            JournalKind::two_databases};
/// An activation's window holds what a fork shares with its parent, wherever that lies.
constexpr bool keeps_all_together(JournalKind kind) { return kind != JournalKind::two_databases; }

/// An empty journal and what it lives in.
struct JournalUnderTest {
  virtual ~JournalUnderTest() = default;
  std::unique_ptr<Journal> journal;
};
std::unique_ptr<JournalUnderTest> open_journal(JournalKind kind);

inline std::string journal_kind_name(const ::testing::TestParamInfo<JournalKind>& kind) {
  switch (kind.param) {
    case JournalKind::memory:
      return "Memory";
    case JournalKind::memory_with_worker:
      return "MemoryWithWorker";
    case JournalKind::local:
      return "Local";
    case JournalKind::postgres:
      return "Postgres";
    case JournalKind::two_databases:
      return "TwoDatabases";
  }
  return "Unknown";
}

}  // namespace parley::test
