#pragma once

#include <ostream>
#include <string>
#include <vector>

#include "tests/support/history.hpp"

/// Judges what clients saw of one conversation. Because every append is answered with its place in
/// the order, linearizability needs no search: each observation is compared with the final dump,
/// and real time with the versions, in O(n log n).
namespace parley::test {

enum class Anomaly : uint8_t {
  lost,               ///< acknowledged, and not there
  moved,              ///< acknowledged, and not where the answer said
  duplicated,         ///< one message twice
  phantom,            ///< a message that nobody sent
  refused_yet_there,  ///< answered as refused, and there
  gap,                ///< sequences of the dump are not 1, 2, 3, ...
  torn_append,        ///< only part of one append is there
  shared_version,     ///< two changes were answered with one version
  reordered,          ///< began after another was answered, and stands before it
  stale_read,         ///< shows less than was answered before it began
  future_read,        ///< shows what was not yet sent
  dirty_read,         ///< shows what is not in the dump, or in another place
  read_gap,           ///< the messages of one read do not follow one another
  undead,             ///< a message from before the last reset
  watch_gap,          ///< a watcher missed a version
  watch_duplicate,    ///< a watcher saw a version twice
  watch_order,        ///< a watcher saw versions go back
  watch_content,      ///< a watcher was shown something else than the dump holds
  lost_tail,          ///< a watcher never saw the end
};
const char* name_of(Anomaly anomaly);

struct Violation {
  Anomaly anomaly;
  std::string detail;
};
std::ostream& operator<<(std::ostream& out, const Violation& violation);

/// All that is wrong with a history; empty for a good one.
std::vector<Violation> check_history(const History& history);

}  // namespace parley::test
