#pragma once

#include <optional>
#include <vector>

#include "storage/effects.hpp"
#include "storage/journal.hpp"
#include "storage/postgres/session_pool.hpp"

/// Reading conversations out of the tables, with every check that costs nothing: versions and
/// sequences without gaps, and the end where the row says it is. Damage is DATA_LOSS.
namespace parley::postgres {

/// A conversation as its row has it.
struct StoredHead {
  bool live = false;
  Head head;  ///< all zero where it is not live
};
/// Nothing where there is no row.
Result<std::optional<StoredHead>> read_head(SessionPool& sessions, const ConversationKey& key);

/// The state as stored, or as of a version of the present incarnation up to the newest. `State{}`
/// where nothing is stored, what is left where it was deleted. Counts the events that were read
/// behind the snapshot, where asked to.
Result<State> read_stored_state(SessionPool& sessions, const ConversationKey& key,
                                std::optional<Version> at = {}, uint64_t* events = nullptr);

/// Messages of a range in the asked order, as the bounds allow.
Result<std::vector<Message>> read_stored_messages(SessionPool& sessions, const MessageRange& range,
                                                  PageBounds bounds);

/// Events after a version, with the bodies of their messages where these are kept.
Result<EventList> read_stored_events(SessionPool& sessions, const ConversationKey& key,
                                     Version after, PageBounds bounds);

Result<ListedPage> read_list(SessionPool& sessions, const ListQuery& query);

}  // namespace parley::postgres
