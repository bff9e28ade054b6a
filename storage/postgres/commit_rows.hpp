#pragma once

#include <cstdint>

#include "storage/journal.hpp"
#include "storage/postgres/parameters.hpp"

namespace parley::postgres {

/// The rows of commits of different conversations, as parley.commit_1 takes them.
///
/// On the stack of whoever commits. Not its job: judging whether a commit may be carried out: the
/// database does.
class CommitRows {
 public:
  /// `history`: where its messages went so far; none where it does not exist yet.
  void add(const Commit& commit, const Id128& history);
  /// What carries them out, given the parameters.
  [[nodiscard]] const char* statement() const;
  [[nodiscard]] Parameters parameters() const;

 private:
  void add_head(const Commit& commit, const Id128& history);
  void add_shown(const Commit& commit);
  void add_kept(const Commit& commit);

  Array tenants_{Type::text};
  Array threads_{Type::text};
  Array shards_{Type::int4};
  Array epochs_{Type::int8};
  Array expected_{Type::int8};
  Array live_{Type::boolean};
  Array vanished_{Type::boolean};
  Array versions_{Type::int8};
  Array users_{Type::text};
  Array titles_{Type::text};
  Array metadata_{Type::text};
  Array labels_{Type::text};
  Array lifecycles_{Type::text};
  Array message_counts_{Type::int8};
  Array create_times_{Type::time};
  Array activity_times_{Type::time};
  Array histories_{Type::uuid};
  Array reset_versions_{Type::int8};
  Array snapshots_{Type::bytes};
  Array remains_{Type::bytes};
  Array owe_parents_{Type::boolean};
  Array forget_after_{Type::int8};  ///< seconds
  Array forget_never_{Type::time};  ///< instead of these, where all of them are null
  bool forgets_ = false;
  Array first_versions_{Type::int8};
  Array events_{Type::bytes};

  int32_t conversations_ = 0;
  Array messages_of_{Type::int4};
  Array message_histories_{Type::uuid};
  Array sequences_{Type::int8};
  Array message_versions_{Type::int8};
  Array message_times_{Type::time};
  Array roles_{Type::text};
  Array contents_{Type::text};
  Array messages_{Type::bytes};

  Array drops_of_{Type::int4};
  Array drop_histories_{Type::uuid};
  Array drop_keeps_{Type::int8};
};

}  // namespace parley::postgres
