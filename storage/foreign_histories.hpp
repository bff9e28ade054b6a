#pragma once

#include <vector>

#include "storage/journal.hpp"

namespace parley {

/// Histories that lie with other nodes: what forks share with parents there.
///
/// Owned by the server; any thread.
class ForeignHistories {
 public:
  virtual ~ForeignHistories() = default;
  [[nodiscard]] virtual bool elsewhere(Shard shard) const = 0;
  /// Messages of one part of a history in the asked order, at most what the bounds allow, at least
  /// one. UNAVAILABLE where the node that has them does not answer. Blocks, for seconds at worst.
  virtual Result<std::vector<Message>> read(const HistorySpan& part, bool newest_first,
                                            PageBounds bounds) = 0;
};

}  // namespace parley
