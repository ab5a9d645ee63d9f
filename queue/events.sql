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
SELECT e.id, e.at, j.uuid, e.kind, e.state, e.principal, e.data, j.owner, j.queue
  FROM events e
  LEFT JOIN jobs j ON j.id = e.job_id
 WHERE e.job_id = ?1 AND e.id > ?2
 ORDER BY e.id
 LIMIT ?3

-- The feed: what of the events behind ?1 and up to ?2 the asker sees and wants, by the primary key.
-- ?3 is the owner whose jobs are seen; NULL sees all, also what is about the service. ?4 are the kinds,
-- ?5, ?6 and ?7 the subscriptions, of which any will do: rows of jobs, queues, labels. All four are JSON
-- arrays, or NULL where nothing is asked for. Of a pruned job the tombstone says whose it was; its queue and
-- its labels are gone.
-- name: event_feed
SELECT e.id, e.at, coalesce(j.uuid, t.uuid), e.kind, e.state, e.principal, e.data,
       coalesce(j.owner, t.owner), j.queue
  FROM events e
  LEFT JOIN jobs j ON j.id = e.job_id
  LEFT JOIN tombstones t ON t.job_id = e.job_id
 WHERE e.id > ?1 AND e.id <= ?2
   AND (?3 IS NULL OR coalesce(j.owner, t.owner) = ?3)
   AND (?4 IS NULL OR e.kind IN (SELECT value FROM json_each(?4)))
   AND ((?5 IS NULL AND ?6 IS NULL AND ?7 IS NULL)
        OR e.job_id IN (SELECT value FROM json_each(?5))
        OR j.queue IN (SELECT value FROM json_each(?6))
        OR (e.job_id IS NULL AND ?6 IS NOT NULL AND json_valid(e.data)
            AND json_extract(e.data, '$.queue') IN (SELECT value FROM json_each(?6)))
        OR (?7 IS NOT NULL
            AND EXISTS (SELECT 1
                          FROM job_labels l
                         WHERE l.label IN (SELECT value FROM json_each(?7)) AND l.job_id = e.job_id)))
 ORDER BY e.id
 LIMIT ?8

-- Which events may be those of a job, for a feed about a few jobs. By events_by_job alone.
-- name: event_feed_of
SELECT id FROM events WHERE job_id = ?1 AND id > ?2 AND id <= ?3 ORDER BY id LIMIT ?4

-- The job of a subscription, also after it was pruned. By the unique indexes.
-- name: event_job_row
SELECT id FROM jobs WHERE uuid = ?1 AND (?2 IS NULL OR owner = ?2)
UNION ALL
SELECT job_id FROM tombstones WHERE uuid = ?1 AND (?2 IS NULL OR owner = ?2)

-- Is one of these jobs alive? By the primary key.
-- name: event_jobs_living
SELECT 1 FROM jobs WHERE id IN (SELECT value FROM json_each(?1)) AND finished_at IS NULL LIMIT 1

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
