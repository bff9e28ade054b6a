#pragma once

#include <string>

#include "base/result.hpp"

namespace parley {

/// All that a shard's conversations are here, on its way to another node's store: the rows as of
/// the beginning, after them every change made since.
///
/// Made by a local journal, which outlives it. Used by one thread at a time, which may block on the
/// disk. Invariant: taken in order by LocalJournal::take_rows, what it gave out makes the rows that
/// are here. Keeps old rows from being dropped while those of the beginning are read.
class ShardCopy {
 public:
  virtual ~ShardCopy() = default;
  /// The next changes, encoded (codec_rows); empty where there are none so far.
  /// RESOURCE_EXHAUSTED where more was changed than waits in memory: begin anew.
  virtual Result<std::string> next() = 0;
  /// The rows of the beginning were given out.
  [[nodiscard]] virtual bool caught_up() const = 0;
};

}  // namespace parley
