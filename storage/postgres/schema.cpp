#include "storage/postgres/schema.hpp"

#include <array>

#include "absl/strings/str_cat.h"

namespace parley::postgres {
namespace {

/// Each takes the schema from the version before to its own, and is never changed once released.
constexpr auto k_migrations = std::to_array<const char*>({
    R"sql(
CREATE TABLE parley.store (
  one boolean PRIMARY KEY DEFAULT true CHECK (one),
  store_id uuid NOT NULL DEFAULT gen_random_uuid(),
  shard_count integer NOT NULL
);
COMMENT ON TABLE parley.store IS 'What these tables are, in one row.';

CREATE TABLE parley.nodes (
  node text COLLATE "C" PRIMARY KEY,
  incarnation uuid NOT NULL,
  address text NOT NULL,
  leaving boolean NOT NULL DEFAULT false,
  renewals bigint NOT NULL DEFAULT 0,
  join_time timestamptz NOT NULL DEFAULT now(),
  renew_time timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE parley.nodes IS
  'The nodes of the cluster. One whose renewals stand still for the time of a lease is removed by another one.';

CREATE TABLE parley.shards (
  shard integer PRIMARY KEY,
  epoch bigint NOT NULL DEFAULT 1,
  owner text COLLATE "C",
  owner_incarnation uuid
);
COMMENT ON TABLE parley.shards IS 'Who may write each shard, and under which epoch.';

CREATE TABLE parley.conversations (
  tenant text COLLATE "C" NOT NULL,
  thread_id text COLLATE "C" NOT NULL,
  shard integer NOT NULL,
  is_live boolean NOT NULL,
  version bigint NOT NULL,
  user_id text COLLATE "C",
  title text,
  metadata json,
  labels jsonb NOT NULL,
  lifecycle text NOT NULL,
  message_count bigint,
  create_time timestamptz,
  last_activity_time timestamptz,
  history uuid NOT NULL,
  reset_version bigint,
  snapshot_version bigint NOT NULL,
  snapshot bytea,
  remains bytea,
  owes_parents boolean,
  forget_time timestamptz,
  PRIMARY KEY (tenant, thread_id)
);
COMMENT ON TABLE parley.conversations IS
  'One row a conversation. Where is_live is false it was deleted, and only what retries and forks need is left.';
CREATE INDEX conversations_by_activity ON parley.conversations
  (tenant, last_activity_time DESC, thread_id) WHERE is_live;
CREATE INDEX conversations_by_user ON parley.conversations
  (tenant, user_id, last_activity_time DESC, thread_id) WHERE is_live;
CREATE INDEX conversations_by_label ON parley.conversations
  USING gin (labels jsonb_path_ops) WHERE is_live;
CREATE INDEX conversations_in_debt ON parley.conversations (shard) WHERE owes_parents;
CREATE INDEX conversations_to_forget ON parley.conversations (forget_time)
  WHERE forget_time IS NOT NULL;

CREATE TABLE parley.events (
  tenant text COLLATE "C" NOT NULL,
  thread_id text COLLATE "C" NOT NULL,
  version bigint NOT NULL,
  first_version bigint NOT NULL,
  events bytea NOT NULL,
  PRIMARY KEY (tenant, thread_id, version)
);
COMMENT ON TABLE parley.events IS
  'What happened to a conversation, in Parley''s own encoding: first_version to version.';

CREATE TABLE parley.messages (
  history uuid NOT NULL,
  sequence bigint NOT NULL,
  tenant text COLLATE "C" NOT NULL,
  thread_id text COLLATE "C" NOT NULL,
  version bigint NOT NULL,
  create_time timestamptz NOT NULL,
  role text NOT NULL,
  content text,
  message bytea NOT NULL,
  PRIMARY KEY (history, sequence)
);
COMMENT ON TABLE parley.messages IS
  'One row a message, under the conversation that it was appended to; forks share rows. content is its text.';
CREATE INDEX messages_of_conversation ON parley.messages (tenant, thread_id, sequence);

CREATE FUNCTION parley.commit_1(
  c_tenant text[], c_thread_id text[], c_shard integer[], c_epoch bigint[], c_expected bigint[],
  c_live boolean[], c_vanished boolean[], c_version bigint[], c_user_id text[], c_title text[],
  c_metadata text[], c_labels text[], c_lifecycle text[], c_message_count bigint[],
  c_create_time timestamptz[], c_last_activity_time timestamptz[], c_history uuid[],
  c_reset_version bigint[], c_snapshot bytea[], c_remains bytea[], c_owes_parents boolean[],
  c_forget_time timestamptz[], c_first_version bigint[], c_events bytea[],
  m_of integer[], m_history uuid[], m_sequence bigint[], m_version bigint[],
  m_create_time timestamptz[], m_role text[], m_content text[], m_message bytea[],
  d_of integer[], d_history uuid[], d_keep bigint[])
RETURNS integer[] LANGUAGE plpgsql AS $body$
DECLARE
  outcomes integer[];
BEGIN
  -- The fence. Held to the end of this one statement: whoever raises an epoch comes before it and
  -- is seen, or after all of it.
  PERFORM 1 FROM parley.shards s WHERE s.shard = ANY (c_shard) ORDER BY s.shard FOR SHARE;

  SELECT array_agg(CASE WHEN s.epoch IS NULL OR s.epoch > c.epoch THEN 1
                        WHEN coalesce(k.version, 0) <> c.expected THEN 2
                        ELSE 0 END ORDER BY c.i)
    INTO outcomes
    FROM unnest(c_tenant, c_thread_id, c_shard, c_epoch, c_expected)
           WITH ORDINALITY AS c(tenant, thread_id, shard, epoch, expected, i)
    LEFT JOIN parley.shards s ON s.shard = c.shard
    LEFT JOIN parley.conversations k ON k.tenant = c.tenant AND k.thread_id = c.thread_id;

  INSERT INTO parley.conversations AS k (
      tenant, thread_id, shard, is_live, version, user_id, title, metadata, labels, lifecycle,
      message_count, create_time, last_activity_time, history, reset_version, snapshot_version,
      snapshot, remains, owes_parents, forget_time)
    SELECT c.tenant, c.thread_id, c.shard, c.live, c.version, c.user_id, c.title,
           c.metadata::json, c.labels::jsonb, c.lifecycle, c.message_count, c.create_time,
           c.last_activity_time, c.history, c.reset_version,
           CASE WHEN c.snapshot IS NULL THEN 0 ELSE c.version END, c.snapshot, c.remains,
           c.owes_parents, c.forget_time
      FROM unnest(c_tenant, c_thread_id, c_shard, c_live, c_vanished, c_version, c_user_id, c_title,
                  c_metadata, c_labels, c_lifecycle, c_message_count, c_create_time,
                  c_last_activity_time, c_history, c_reset_version, c_snapshot, c_remains,
                  c_owes_parents, c_forget_time)
             WITH ORDINALITY AS c(tenant, thread_id, shard, live, vanished, version, user_id, title,
                                  metadata, labels, lifecycle, message_count, create_time,
                                  last_activity_time, history, reset_version, snapshot, remains,
                                  owes_parents, forget_time, i)
     WHERE outcomes[c.i] = 0 AND NOT c.vanished
    ON CONFLICT (tenant, thread_id) DO UPDATE SET
      is_live = excluded.is_live,
      version = excluded.version,
      user_id = excluded.user_id,
      labels = excluded.labels,
      lifecycle = excluded.lifecycle,
      last_activity_time = excluded.last_activity_time,
      history = excluded.history,
      forget_time = excluded.forget_time,
      -- Null: as before.
      title = coalesce(excluded.title, k.title),
      metadata = coalesce(excluded.metadata, k.metadata),
      message_count = coalesce(excluded.message_count, k.message_count),
      create_time = coalesce(excluded.create_time, k.create_time),
      reset_version = coalesce(excluded.reset_version, k.reset_version),
      owes_parents = coalesce(excluded.owes_parents, k.owes_parents),
      remains = coalesce(excluded.remains, k.remains),
      snapshot = CASE WHEN NOT excluded.is_live THEN NULL
                      ELSE coalesce(excluded.snapshot, k.snapshot) END,
      snapshot_version = CASE WHEN NOT excluded.is_live THEN 0
                              WHEN excluded.snapshot IS NULL THEN k.snapshot_version
                              ELSE excluded.snapshot_version END;

  DELETE FROM parley.conversations k
    USING unnest(c_tenant, c_thread_id, c_vanished) WITH ORDINALITY AS c(tenant, thread_id, vanished, i)
    WHERE outcomes[c.i] = 0 AND c.vanished AND k.tenant = c.tenant AND k.thread_id = c.thread_id;
  DELETE FROM parley.events e
    USING unnest(c_tenant, c_thread_id, c_live) WITH ORDINALITY AS c(tenant, thread_id, live, i)
    WHERE outcomes[c.i] = 0 AND NOT c.live AND e.tenant = c.tenant AND e.thread_id = c.thread_id;

  INSERT INTO parley.events (tenant, thread_id, version, first_version, events)
    SELECT c.tenant, c.thread_id, c.version, c.first_version, c.events
      FROM unnest(c_tenant, c_thread_id, c_version, c_first_version, c_events)
             WITH ORDINALITY AS c(tenant, thread_id, version, first_version, events, i)
     WHERE outcomes[c.i] = 0 AND c.events IS NOT NULL;
  INSERT INTO parley.messages (history, sequence, tenant, thread_id, version, create_time, role,
                               content, message)
    SELECT m.history, m.sequence, c_tenant[m.of_], c_thread_id[m.of_], m.version, m.create_time,
           m.role, m.content, m.message
      FROM unnest(m_of, m_history, m_sequence, m_version, m_create_time, m_role, m_content, m_message)
             AS m(of_, history, sequence, version, create_time, role, content, message)
     WHERE outcomes[m.of_] = 0;
  DELETE FROM parley.messages m
    USING unnest(d_of, d_history, d_keep) AS d(of_, history, keep)
    WHERE outcomes[d.of_] = 0 AND m.history = d.history AND m.sequence > d.keep;
  RETURN outcomes;
END
$body$;
)sql",
    R"sql(
ALTER TABLE parley.store
  ADD COLUMN cluster_id uuid,
  ADD COLUMN part integer,
  ADD COLUMN parts integer,
  ADD COLUMN begun boolean NOT NULL DEFAULT false;
COMMENT ON TABLE parley.store IS
  'What these tables are, in one row: part number `part`, from 0, of the `parts` databases of a cluster.';
UPDATE parley.store SET cluster_id = store_id, part = 0, parts = 1, begun = true;
)sql",
    // Every append moves a conversation's row, and with it its places in all indexes.
    R"sql(
DROP INDEX parley.conversations_by_user, parley.conversations_by_label;
UPDATE parley.conversations SET user_id = NULL WHERE user_id = '';
CREATE INDEX conversations_by_user ON parley.conversations
  (tenant, user_id, last_activity_time DESC, thread_id) WHERE is_live AND user_id IS NOT NULL;
CREATE INDEX conversations_by_label ON parley.conversations
  USING gin (labels jsonb_path_ops) WHERE is_live AND labels <> '{}';
)sql",
});
static_assert(k_migrations.size() == k_schema_version);

/// Whoever migrates has this; the number means nothing.
constexpr const char* k_alone = "SELECT pg_advisory_xact_lock(7237970109966541);";

Status check_encoding(Connection& connection) {
  const auto rows = connection.run("SELECT current_setting('server_encoding')");
  if (!rows.ok()) return rows.status();
  if (rows->bytes(0, 0) == "UTF8") return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("the database has the encoding ", rows->text(0, 0),
                   "; make one with UTF8: CREATE DATABASE ... ENCODING 'UTF8' TEMPLATE template0"));
}

Status bring_up_to_date(Connection& connection, uint32_t shard_count) {
  const auto rows = connection.run("SELECT coalesce(max(version), 0) FROM parley.migrations");
  if (!rows.ok()) return rows.status();
  const int64_t there = rows->number(0, 0);
  if (there > k_schema_version) {
    return absl::FailedPreconditionError(absl::StrCat("the database has schema ", there,
                                                      ", this release knows up to ",
                                                      k_schema_version, "; use the newer release"));
  }
  for (int64_t version = there + 1; version <= k_schema_version; ++version) {
    Status status = connection.run_all(
        absl::StrCat(k_migrations[static_cast<size_t>(version - 1)],
                     "INSERT INTO parley.migrations (version) VALUES (", version, ");"));
    if (!status.ok()) return status;
  }
  return connection.run_all(absl::StrCat("INSERT INTO parley.store (shard_count) VALUES (",
                                         shard_count, ") ON CONFLICT DO NOTHING;"));
}

Status check_shards(Connection& connection, uint32_t shard_count) {
  const auto rows = connection.run("SELECT shard_count FROM parley.store");
  if (!rows.ok()) return rows.status();
  if (rows->count() == 1 && rows->number(0, 0) == shard_count) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("the database was made for ", rows->count() == 1 ? rows->number(0, 0) : 0,
                   " shards, not ", shard_count,
                   "; start with that number, it cannot be changed: it decides where conversations "
                   "are"));
}

}  // namespace

Status migrate(Connection& connection, uint32_t shard_count) {
  if (Status status = check_encoding(connection); !status.ok()) return status;
  Status status = connection.run_all(absl::StrCat(
      "BEGIN;", k_alone,
      "CREATE SCHEMA IF NOT EXISTS parley; CREATE TABLE IF NOT EXISTS parley.migrations (version "
      "integer PRIMARY KEY, applied_time timestamptz NOT NULL DEFAULT now());"));
  if (status.ok()) status = bring_up_to_date(connection, shard_count);
  if (!status.ok()) {
    if (!connection.broken()) connection.run_all("ROLLBACK").IgnoreError();  // it is told already
    return status;
  }
  if (status = connection.run_all("COMMIT"); !status.ok()) return status;
  return check_shards(connection, shard_count);
}

Status check_durability(Connection& connection) {
  const auto rows = connection.run(
      "SELECT current_setting('fsync'), current_setting('synchronous_commit'), "
      "current_setting('synchronous_standby_names'), count(*) FROM pg_stat_replication");
  if (!rows.ok()) return rows.status();
  const auto refused = [](const std::string& why) {
    return absl::FailedPreconditionError(
        absl::StrCat("the database may lose what it committed: ", why,
                     "; change that, or say --accept-async-loss"));
  };
  if (rows->text(0, 0) != "on") return refused("fsync is off");
  const std::string commit = rows->text(0, 1);
  if (commit == "off") return refused("synchronous_commit is off");
  const bool standbys = rows->number(0, 3) > 0;
  if (standbys && rows->text(0, 2).empty()) {
    return refused("it has standbys, and synchronous_standby_names names none");
  }
  if (standbys && commit == "local") {
    return refused("it has standbys, and synchronous_commit is local");
  }
  return absl::OkStatus();
}

}  // namespace parley::postgres
