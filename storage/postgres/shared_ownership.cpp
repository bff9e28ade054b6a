#include "storage/postgres/shared_ownership.hpp"

namespace parley::postgres {

Result<bool> SharedOwnership::join(const Member& self) {
  const auto rows = session_.run(
      "INSERT INTO parley.nodes (node, incarnation, address) VALUES ($1, $2, $3) "
      "ON CONFLICT (node) DO UPDATE SET renewals = nodes.renewals "
      "WHERE nodes.incarnation = excluded.incarnation RETURNING 1",
      Parameters().text(self.node).uuid(self.incarnation).text(self.address));
  if (!rows.ok()) return rows.status();
  return rows->count() == 1;
}

Result<bool> SharedOwnership::renew(const Member& self) {
  const auto rows = session_.run(
      "UPDATE parley.nodes SET renewals = renewals + 1, renew_time = now(), leaving = $3 "
      "WHERE node = $1 AND incarnation = $2 RETURNING 1",
      Parameters().text(self.node).uuid(self.incarnation).boolean(self.leaving));
  if (!rows.ok()) return rows.status();
  return rows->count() == 1;
}

/// One statement, so that all of it is of one moment.
Result<Membership> SharedOwnership::read() {
  const auto rows = session_.run(
      "SELECT n.node, n.incarnation, n.address, n.leaving, n.renewals, NULL::int, NULL::bigint "
      "FROM parley.nodes n UNION ALL "
      "SELECT s.owner, s.owner_incarnation, NULL, NULL, NULL, s.shard, s.epoch FROM "
      "parley.shards s "
      "ORDER BY 6 NULLS FIRST, 1");
  if (!rows.ok()) return rows.status();
  Membership membership;
  for (int i = 0; i < rows->count(); ++i) {
    const std::string node = rows->is_null(i, 0) ? std::string() : rows->text(i, 0);
    const Id128 incarnation = rows->is_null(i, 1) ? Id128{} : rows->uuid(i, 1);
    if (rows->is_null(i, 5)) {
      membership.members.push_back({node, incarnation, rows->text(i, 2), rows->boolean(i, 3),
                                    static_cast<uint64_t>(rows->number(i, 4))});
    } else {
      membership.shards.push_back({{static_cast<uint16_t>(rows->number(i, 5))},
                                   {static_cast<uint64_t>(rows->number(i, 6))},
                                   node,
                                   incarnation});
    }
  }
  return membership;
}

Status SharedOwnership::bury(const std::vector<Member>& silent) {
  Array nodes(Type::text);
  Array incarnations(Type::uuid);
  Array renewals(Type::int8);
  for (const Member& member : silent) {
    nodes.add(member.node);
    incarnations.add(member.incarnation.view());
    renewals.add(int8_value(static_cast<int64_t>(member.renewals)));
  }
  return session_
      .run(
          "DELETE FROM parley.nodes n USING unnest($1, $2, $3) AS s(node, incarnation, "
          "renewals) "
          "WHERE n.node = s.node AND n.incarnation = s.incarnation AND n.renewals = s.renewals",
          Parameters().array(nodes).array(incarnations).array(renewals))
      .status();
}

Status SharedOwnership::take(const Member& self, const std::vector<OwnedShard>& shards) {
  Array numbers(Type::int4);
  Array epochs(Type::int8);
  for (const OwnedShard& shard : shards) {
    numbers.add(int4_value(shard.shard.value));
    epochs.add(int8_value(static_cast<int64_t>(shard.epoch.value)));
  }
  // Of an owner that is no member there is nothing to wait for, and it never becomes one again.
  // Why the epoch: of a row that was waited for, PostgreSQL looks at the row itself again, and not
  // at who is a member by then.
  return session_
      .run(
          "UPDATE parley.shards s SET epoch = s.epoch + 1, owner = $1, owner_incarnation = $2 "
          "FROM unnest($3, $4) AS m(shard, epoch) WHERE s.shard = m.shard AND s.epoch = m.epoch "
          "AND EXISTS (SELECT 1 FROM parley.nodes n WHERE n.node = $1 AND n.incarnation = $2) "
          "AND NOT EXISTS (SELECT 1 FROM parley.nodes n WHERE n.node = s.owner "
          "AND n.incarnation = s.owner_incarnation)",
          Parameters().text(self.node).uuid(self.incarnation).array(numbers).array(epochs))
      .status();
}

Status SharedOwnership::give(const Member& self, Shard shard, Epoch epoch, const Member& to) {
  return session_
      .run(
          "UPDATE parley.shards s SET epoch = epoch + 1, owner = $5, owner_incarnation = $6 "
          "WHERE s.shard = $3 AND s.epoch = $4 AND s.owner = $1 AND s.owner_incarnation = $2 "
          "AND EXISTS (SELECT 1 FROM parley.nodes n WHERE n.node = $5 AND n.incarnation = $6)",
          Parameters()
              .text(self.node)
              .uuid(self.incarnation)
              .int4(shard.value)
              .int8(static_cast<int64_t>(epoch.value))
              .text(to.node)
              .uuid(to.incarnation))
      .status();
}

Status SharedOwnership::leave(const Member& self) {
  return session_
      .run("DELETE FROM parley.nodes WHERE node = $1 AND incarnation = $2",
           Parameters().text(self.node).uuid(self.incarnation))
      .status();
}

}  // namespace parley::postgres
