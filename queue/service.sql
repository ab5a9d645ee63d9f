-- service.sql: statements about the file itself and the programs that serve it.

-- name: worker_insert
INSERT INTO workers (pid, host, boot_id, version, slots, started_at, heartbeat_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6)

-- name: worker_epoch
SELECT max(epoch) FROM workers

-- name: worker_heartbeat
UPDATE workers SET heartbeat_at = ?2, running = ?3, slots = ?4 WHERE epoch = ?1

-- name: worker_retire
UPDATE workers SET stopped_at = ?2, heartbeat_at = ?2, running = 0 WHERE epoch = ?1

-- name: worker_last
SELECT epoch, started_at, heartbeat_at, stopped_at, pid, slots, running
  FROM workers
 ORDER BY epoch DESC
 LIMIT 1

-- name: migration_record
INSERT INTO schema_migrations (version, name, program, applied_at) VALUES (?1, ?2, ?3, ?4)

-- Writes one page and changes nothing.
-- name: probe_write
UPDATE job_states SET meaning = meaning WHERE state = 'queued'

-- name: state_rows
SELECT state, is_final FROM job_states ORDER BY state

-- name: move_rows
SELECT from_state, to_state FROM job_moves ORDER BY from_state, to_state

-- Jobs whose state is not the one that their last event left them in. One of which the last thing
-- that is known happened before the events begin needs none.
-- name: jobs_unlike_events
SELECT j.uuid, j.state
  FROM jobs j
 WHERE j.state IS NOT coalesce((SELECT e.state
                                  FROM events e
                                 WHERE e.job_id = j.id AND e.state IS NOT NULL
                                 ORDER BY e.id DESC
                                 LIMIT 1),
                               iif(coalesce(j.finished_at, j.started_at, j.submitted_at)
                                   < (SELECT max(before) FROM chain_heads), j.state, NULL))
 LIMIT 20

-- Jobs of whose submission the events tell, and which are neither there nor were pruned since. By
-- the primary keys, for every event.
-- name: jobs_vanished
SELECT e.id, e.job_id
  FROM events e
 WHERE e.kind = 'submitted' AND e.job_id IS NOT NULL
   AND NOT EXISTS (SELECT 1 FROM jobs WHERE id = e.job_id)
   AND NOT EXISTS (SELECT 1 FROM tombstones WHERE job_id = e.job_id AND pruned_at >= e.at)
 ORDER BY e.id
 LIMIT 20

-- The schema as SQLite keeps it, in the order it was made.
-- name: schema_rows
SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite%' ORDER BY rowid

-- Is there anything in the file at all?
-- name: schema_any
SELECT count(*) FROM sqlite_schema

-- name: txn_begin
BEGIN IMMEDIATE

-- name: snapshot_begin
BEGIN

-- name: txn_commit
COMMIT

-- name: data_version
PRAGMA data_version

-- name: integrity
PRAGMA integrity_check(100)

-- name: foreign_keys
PRAGMA foreign_key_check
