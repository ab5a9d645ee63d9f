-- events.sql: statements about the event log.

-- The end of the chain, by the primary key. Read once in a transaction that appends.
-- name: event_tail
SELECT id, hash FROM events ORDER BY id DESC LIMIT 1

-- The id is given, so that the hash can cover it.
-- name: event_insert
INSERT INTO events (id, at, job_id, kind, state, principal, data, hash)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)

-- By events_by_job.
-- name: event_list
SELECT e.id, e.at, j.uuid, e.kind, e.state, e.principal, e.data
  FROM events e
  LEFT JOIN jobs j ON j.id = e.job_id
 WHERE e.job_id = ?1 AND e.id > ?2
 ORDER BY e.id
 LIMIT ?3

-- What happened since, by the primary key. An event that left the state alone shows the
-- job's present one.
-- name: changes
SELECT e.id, j.uuid, coalesce(e.state, j.state)
  FROM events e
  JOIN jobs j ON j.id = e.job_id
 WHERE e.id > ?1
 ORDER BY e.id
 LIMIT ?2

-- The whole chain from its head on, for whoever verifies it. By the primary key.
-- name: event_all
SELECT id, at, job_id, kind, state, principal, data, hash FROM events WHERE id > ?1 ORDER BY id

-- The highest id that was ever given: a chain that ends before it was cut.
-- name: event_sequence
SELECT seq FROM sqlite_sequence WHERE name = 'events'

-- Every stored output, for whoever verifies them; what retention is taking away may be gone already.
-- name: output_all
SELECT o.job_id, o.attempt, o.stored, o.stdout_bytes + o.stderr_bytes, o.sha256, o.path, o.content,
       j.uuid, o.encoding
  FROM output o
  JOIN jobs j ON j.id = o.job_id
 WHERE o.removed_at IS NULL
 ORDER BY o.job_id, o.attempt
