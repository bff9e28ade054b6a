#include "tests/sim/shared/process_table.hpp"

#include <memory>
#include <utility>

#include "tests/sim/shared/process.hpp"

namespace parley::sim::shared {

template <class T>
Result<T> ProcessTable::ask(std::function<T()> statement) {
  if (process_.dead()) return absl::UnavailableError("the process is dead");
  process_.stumble();
  struct Asked {
    std::optional<T> answer;
    Told told = Told::refused;
  };
  auto asked = std::make_shared<Asked>();
  wire_.send([asked, statement = std::move(statement)] { asked->answer = statement(); },
             [this, asked, number = process_.next_wait()](Told told) {
               asked->told = told;
               process_.wake(number);
             });
  process_.wait();
  if (process_.dead()) return absl::UnavailableError("the process is dead");
  if (asked->told != Told::answered) return failed(asked->told);
  T answer = *std::move(asked->answer);
  process_.stumble();
  return answer;
}

Status ProcessTable::tell(std::function<void()> statement) {
  return ask<bool>([statement = std::move(statement)] {
           statement();
           return true;
         })
      .status();
}

Status ProcessTable::failed(Told told) {
  return told == Told::unknown ? absl::UnknownError("no answer")
                               : absl::UnavailableError("no connection");
}

Result<bool> ProcessTable::join(const Member& self) {
  const auto joined =
      ask<bool>([&database = process_.around().database, self] { return database.join(self); });
  const bool forgets = process_.around().mutations.joins_again;
  if (forgets && absl::IsUnknown(joined.status())) return failed(Told::refused);
  return joined;
}

Result<bool> ProcessTable::renew(const Member& self) {
  const auto kept =
      ask<bool>([&database = process_.around().database, self] { return database.renew(self); });
  if (kept.ok() && process_.around().mutations.deaf_to_burial) return true;
  return kept;
}

Result<Membership> ProcessTable::read() {
  auto seen = ask<Membership>([&database = process_.around().database] { return database.read(); });
  if (!seen.ok()) return seen;
  if (process_.around().mutations.silence_from_first_sight) freeze_renewals(*seen);
  for (const Shard shard : std::exchange(asked_, {})) {
    OwnedShard& row = seen->shards[shard.value];
    if (row.incarnation != asked_by_.incarnation) ++row.epoch.value;
    row.node = asked_by_.node;
    row.incarnation = asked_by_.incarnation;
  }
  return seen;
}

void ProcessTable::freeze_renewals(Membership& seen) {
  for (Member& member : seen.members) {
    last_sight_[member.incarnation] = member.renewals;
    member.renewals = first_sight_.emplace(member.incarnation, member.renewals).first->second;
  }
}

Status ProcessTable::bury(const std::vector<Member>& silent) {
  std::vector<Member> whom = silent;
  if (process_.around().mutations.silence_from_first_sight) {
    for (Member& member : whom) member.renewals = last_sight_[member.incarnation];
  }
  return tell([&database = process_.around().database, whom] { database.bury(whom); });
}

Status ProcessTable::take(const Member& self, const std::vector<OwnedShard>& shards) {
  if (process_.around().mutations.goes_by_what_it_asked) {
    asked_.clear();
    for (const OwnedShard& shard : shards) asked_.push_back(shard.shard);
    asked_by_ = self;
  }
  return tell(
      [&database = process_.around().database, self, shards] { database.take(self, shards); });
}

Status ProcessTable::give(const Member& self, Shard shard, Epoch epoch, const Member& to) {
  ++process_.around().stats.gives;
  process_.around().agenda.trace("give", process_.number(), shard.value, epoch.value,
                                 process_of(to.incarnation));
  const Status given = tell([&database = process_.around().database, self, shard, epoch, to] {
    database.give(self, shard, epoch, to);
  });
  const bool forgets = process_.around().mutations.give_not_settled;
  return forgets && absl::IsUnknown(given) ? failed(Told::refused) : given;
}

Status ProcessTable::leave(const Member& self) {
  return tell([&database = process_.around().database, self] { database.leave(self); });
}

}  // namespace parley::sim::shared
