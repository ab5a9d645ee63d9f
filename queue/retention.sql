-- retention.sql: statements that let go of what is old.

-- The walk: jobs that are over, the newest first, from just below (?1, ?2) on. By jobs_by_finished;
-- the outputs by their key.
-- name: retention_walk
SELECT j.id, j.finished_at, j.queue, j.task, j.state,
       coalesce((SELECT sum(o.stdout_bytes + o.stderr_bytes)
                   FROM output o
                  WHERE o.job_id = j.id AND o.stored <> 'removed'), -1),
       1000 + coalesce(j.stdin_bytes, 0) + length(j.command) + coalesce(length(j.environment), 0)
       + coalesce(length(j.labels), 0) + coalesce(length(j.parameters), 0)
       + coalesce((SELECT sum(o.stdout_bytes + o.stderr_bytes)
                     FROM output o
                    WHERE o.job_id = j.id AND o.stored = 'row'), 0)
  FROM jobs j INDEXED BY jobs_by_finished
 WHERE j.finished_at IS NOT NULL AND (j.finished_at, j.id) < (?1, ?2)
 ORDER BY j.finished_at DESC, j.id DESC
 LIMIT ?3

-- May this one go? Not while somebody wants it kept, or it is needed by one that has not ended (which
-- may be to read its output). By the primary keys and dependencies_by_parent.
-- name: retention_exempt
SELECT j.finished_at IS NULL
       OR EXISTS (SELECT 1 FROM kept_jobs WHERE job_id = j.id)
       OR EXISTS (SELECT 1 FROM unresolved WHERE job_id = j.id)
       OR EXISTS (SELECT 1
                    FROM dependencies d
                    JOIN jobs c ON c.id = d.job_id
                   WHERE d.parent_id = j.id AND c.finished_at IS NULL)
  FROM jobs j
 WHERE j.id = ?1

-- --- outputs ---

-- First its row says that the file goes. By output_files.
-- name: output_mark
UPDATE output SET removed_at = ?2 WHERE job_id = ?1 AND stored = 'file' AND removed_at IS NULL

-- Those that are marked and whose file may still be there, also from before a crash. By
-- output_leaving, which is nearly always empty.
-- name: output_leaving
SELECT o.job_id, o.attempt, j.uuid, o.path
  FROM output o INDEXED BY output_leaving
  JOIN jobs j ON j.id = o.job_id
 WHERE o.stored = 'file' AND o.removed_at IS NOT NULL AND (o.job_id, o.attempt) > (?1, ?2)
 ORDER BY o.job_id, o.attempt
 LIMIT ?3

-- Then, without a file, it says that it went. Length and hash stay.
-- name: output_left
UPDATE output
   SET stored = 'removed', path = NULL, encoding = NULL, file_bytes = NULL
 WHERE job_id = ?1 AND attempt = ?2 AND stored = 'file' AND removed_at IS NOT NULL

-- Bytes that are in the row itself go at once.
-- name: output_drop
UPDATE output
   SET stored = 'removed', removed_at = ?2, content = NULL, frames = NULL
 WHERE job_id = ?1 AND stored = 'row'

-- The marked ones of one job, by their key.
-- name: output_leaving_of
SELECT o.attempt, j.uuid, o.path
  FROM output o
  JOIN jobs j ON j.id = o.job_id
 WHERE o.job_id = ?1 AND o.stored = 'file' AND o.removed_at IS NOT NULL

-- Attempts of whose output no row tells; they may have left files (how they ended is not known).
-- name: output_unknown_of
SELECT a.number, j.uuid
  FROM attempts a
  JOIN jobs j ON j.id = a.job_id
 WHERE a.job_id = ?1
   AND NOT EXISTS (SELECT 1 FROM output o WHERE o.job_id = a.job_id AND o.attempt = a.number)

-- --- rows ---

-- One moment names one slice: later than all before it, even if the clock was set back.
-- name: tombstone_last
SELECT max(pruned_at) FROM tombstones

-- name: tombstone_insert
INSERT INTO tombstones (job_id, uuid, owner, state, finished_at, pruned_at)
SELECT id, uuid, owner, state, finished_at, ?2 FROM jobs WHERE id = ?1

-- name: tombstone_find
SELECT uuid, state, finished_at, pruned_at
  FROM tombstones
 WHERE uuid = ?1 AND (?2 IS NULL OR owner = ?2)

-- What stands in the event of their slice, by the index tombstones_by_time and the row id behind it.
-- name: tombstones_of
SELECT job_id, uuid, owner, state, finished_at FROM tombstones WHERE pruned_at = ?1 ORDER BY job_id

-- name: tombstones_since
SELECT count(*) FROM tombstones WHERE pruned_at >= ?1

-- What hangs on a job, then the job; the door of jobs is its tombstone.
-- name: prune_stdin
DELETE FROM job_stdin WHERE job_id = ?1

-- name: prune_output
DELETE FROM output WHERE job_id = ?1

-- name: prune_attempts
DELETE FROM attempts WHERE job_id = ?1

-- name: prune_dependencies
DELETE FROM dependencies WHERE job_id = ?1

-- Hardly ever holds a row, never many.
-- name: prune_signals
DELETE FROM signal_requests WHERE job_id = ?1

-- name: prune_job
DELETE FROM jobs WHERE id = ?1

-- There are as many as tasks ever were; their jobs by jobs_by_definition.
-- name: definitions_unused
SELECT count(*)
  FROM task_definitions d
 WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE task_hash = d.hash)

-- name: prune_definitions
DELETE FROM task_definitions
 WHERE hash IN (SELECT d.hash
                  FROM task_definitions d
                 WHERE NOT EXISTS (SELECT 1 FROM jobs WHERE task_hash = d.hash)
                 LIMIT ?1)

-- --- events ---

-- The oldest, by the primary key.
-- name: events_oldest
SELECT id, at, kind, hash FROM events WHERE id > ?1 ORDER BY id LIMIT ?2

-- name: chain_head
SELECT event_id, hash, before FROM chain_heads ORDER BY event_id DESC LIMIT 1

-- name: chain_head_insert
INSERT INTO chain_heads (event_id, hash, before, pruned_at) VALUES (?1, ?2, ?3, ?4)

-- name: prune_events
DELETE FROM events WHERE id IN (SELECT id FROM events WHERE id <= ?1 ORDER BY id LIMIT ?2)

-- --- the sweep ---

-- What the database knows of the attempt whose file was found, by the keys.
-- name: sweep_attempt
SELECT a.ended_at IS NOT NULL, o.stored, o.encoding
  FROM jobs j
  JOIN attempts a ON a.job_id = j.id AND a.number = ?2
  LEFT JOIN output o ON o.job_id = a.job_id AND o.attempt = a.number
 WHERE j.uuid = ?1

-- Outputs in files, from just above (?1, ?2) on, but for those that retention is taking away: their
-- file may be gone already. By output_files.
-- name: sweep_files
SELECT o.job_id, o.attempt, j.uuid, o.stdout_bytes + o.stderr_bytes
  FROM output o INDEXED BY output_files
  JOIN jobs j ON j.id = o.job_id
 WHERE o.stored = 'file' AND o.removed_at IS NULL AND (o.job_id, o.attempt) > (?1, ?2)
 ORDER BY o.job_id, o.attempt
 LIMIT ?3

-- The file is not there.
-- name: output_lost
UPDATE output
   SET stored = 'removed', path = NULL, encoding = NULL, file_bytes = NULL,
       removed_at = coalesce(removed_at, ?3)
 WHERE job_id = ?1 AND attempt = ?2 AND stored = 'file'
