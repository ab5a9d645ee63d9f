-- lanes.sql: statements about queues: whose turn it is, how full they are, pauses, draining.
--
-- The index jobs_queued is (queue, priority DESC, owner, queued_at, id) of queued jobs only. All that
-- choosing needs are seeks in it, each of one row; they are named because the planner would take
-- jobs_by_state and sort.

-- The next queue after ?1 with queued jobs, and its highest priority.
-- name: turn_queue
SELECT queue, priority
  FROM jobs INDEXED BY jobs_queued
 WHERE state = 'queued' AND queue > ?1
 ORDER BY queue, priority DESC
 LIMIT 1

-- The queue's next priority below ?2.
-- name: turn_below
SELECT priority
  FROM jobs INDEXED BY jobs_queued
 WHERE state = 'queued' AND queue = ?1 AND priority < ?2
 ORDER BY priority DESC
 LIMIT 1

-- The next owner after ?3 in a queue and priority, and its longest-queued job.
-- name: turn_owner
SELECT owner, queued_at, id
  FROM jobs INDEXED BY jobs_queued
 WHERE state = 'queued' AND queue = ?1 AND priority = ?2 AND owner > ?3
 ORDER BY owner, queued_at, id
 LIMIT 1

-- By the primary key.
-- name: lane_gate
SELECT coalesce(max_running, configured_max_running, -1), paused_at IS NOT NULL
  FROM queues
 WHERE name = ?1

-- How many run, but no more than ?2 are counted.
-- name: lane_running
SELECT count(*)
  FROM (SELECT 1 FROM jobs INDEXED BY jobs_running WHERE state = 'running' AND queue = ?1 LIMIT ?2)

-- name: drain_is
SELECT 1 FROM drain

-- name: drain_get
SELECT since, by, reason FROM drain

-- name: drain_set
INSERT INTO drain (id, since, by, reason) VALUES (1, ?1, ?2, ?3) ON CONFLICT (id) DO NOTHING

-- name: drain_clear
DELETE FROM drain

-- By the primary key.
-- name: lane_row
SELECT is_configured, configured_max_running, max_running, paused_at, paused_until, paused_by,
       pause_reason
  FROM queues
 WHERE name = ?1

-- The next name after ?1 that has a row or living jobs: four seeks.
-- name: lane_next
SELECT min(name)
  FROM (SELECT (SELECT name FROM queues WHERE name > ?1 ORDER BY name LIMIT 1) AS name
        UNION ALL
        SELECT (SELECT queue FROM jobs INDEXED BY jobs_waiting
                 WHERE state = 'waiting' AND queue > ?1 ORDER BY queue LIMIT 1)
        UNION ALL
        SELECT (SELECT queue FROM jobs INDEXED BY jobs_queued
                 WHERE state = 'queued' AND queue > ?1 ORDER BY queue LIMIT 1)
        UNION ALL
        SELECT (SELECT queue FROM jobs INDEXED BY jobs_running
                 WHERE state = 'running' AND queue > ?1 ORDER BY queue LIMIT 1))

-- name: lane_is_known
SELECT EXISTS (SELECT 1 FROM queues WHERE name = ?1)
    OR EXISTS (SELECT 1 FROM jobs INDEXED BY jobs_waiting WHERE state = 'waiting' AND queue = ?1)
    OR EXISTS (SELECT 1 FROM jobs INDEXED BY jobs_queued WHERE state = 'queued' AND queue = ?1)
    OR EXISTS (SELECT 1 FROM jobs INDEXED BY jobs_running WHERE state = 'running' AND queue = ?1)

-- Each by its partial index, and nothing but the index is read.
-- name: lane_count_waiting
SELECT count(*) FROM jobs INDEXED BY jobs_waiting WHERE state = 'waiting' AND queue = ?1

-- name: lane_count_queued
SELECT count(*), min(queued_at) FROM jobs INDEXED BY jobs_queued WHERE state = 'queued' AND queue = ?1

-- name: lane_count_running
SELECT count(*) FROM jobs INDEXED BY jobs_running WHERE state = 'running' AND queue = ?1

-- Nothing is written when nothing differs.
-- name: lane_configure
INSERT INTO queues (name, is_configured, configured_max_running, changed_at) VALUES (?1, 1, ?2, ?3)
ON CONFLICT (name) DO UPDATE
   SET is_configured = 1, configured_max_running = ?2, changed_at = ?3
 WHERE is_configured <> 1 OR configured_max_running IS NOT ?2

-- name: lane_unconfigure
UPDATE queues SET is_configured = 0, configured_max_running = NULL, changed_at = ?2 WHERE name = ?1

-- The next one after ?1 that the last start's configuration named.
-- name: lane_configured
SELECT name FROM queues WHERE name > ?1 AND is_configured <> 0 ORDER BY name LIMIT 1

-- For a queue that has no row yet, only jobs.
-- name: lane_ensure
INSERT INTO queues (name) VALUES (?1) ON CONFLICT (name) DO NOTHING

-- name: lane_pause
UPDATE queues
   SET paused_at = coalesce(paused_at, ?2), paused_until = ?3, paused_by = ?4, pause_reason = ?5,
       changed_at = ?2
 WHERE name = ?1

-- name: lane_resume
UPDATE queues
   SET paused_at = NULL, paused_until = NULL, paused_by = NULL, pause_reason = NULL, changed_at = ?2
 WHERE name = ?1 AND paused_at IS NOT NULL

-- name: lane_limit
UPDATE queues SET max_running = ?2, changed_at = ?3 WHERE name = ?1 AND max_running IS NOT ?2

-- Pauses that end by themselves. The table has as many rows as there are queues.
-- name: lane_due
SELECT name, paused_until FROM queues WHERE paused_until <= ?1 ORDER BY paused_until LIMIT 1

-- --- why a job does not run ---

-- Its dependencies that are not settled, by the primary key. ?2: the viewer, NULL for who sees all;
-- of others' jobs only that there is something is said.
-- name: explain_dependencies
SELECT CASE WHEN ?2 IS NULL OR p.owner = ?2 THEN p.uuid END, d.condition
  FROM dependencies d
  LEFT JOIN jobs p ON p.id = d.parent_id
 WHERE d.job_id = ?1 AND d.state = 'pending'
 ORDER BY d.parent_id, d.condition

-- name: explain_any_met
SELECT 1 FROM dependencies WHERE job_id = ?1 AND state = 'met' LIMIT 1

-- Who held it last, from its history.
-- name: explain_held
SELECT principal, at FROM events WHERE job_id = ?1 AND kind = 'held' ORDER BY id DESC LIMIT 1

-- Has it run: an attempt that was revoked never did. By the primary key.
-- name: explain_has_run
SELECT 1 FROM attempts WHERE job_id = ?1 AND outcome IS NOT 'revoked' LIMIT 1

-- How many run at all, but no more than ?1 are counted.
-- name: explain_running
SELECT count(*) FROM (SELECT 1 FROM jobs INDEXED BY jobs_running WHERE state = 'running' LIMIT ?1)

-- How many of a queue are above a priority; of an owner in a queue and priority; and of those, how
-- many have been queued for longer. Never more than the last parameter are counted.
-- name: explain_above
SELECT count(*)
  FROM (SELECT 1 FROM jobs INDEXED BY jobs_queued
         WHERE state = 'queued' AND queue = ?1 AND priority > ?2 LIMIT ?3)

-- name: explain_owner
SELECT count(*)
  FROM (SELECT 1 FROM jobs INDEXED BY jobs_queued
         WHERE state = 'queued' AND queue = ?1 AND priority = ?2 AND owner = ?3 LIMIT ?4)

-- name: explain_longer
SELECT count(*)
  FROM (SELECT 1 FROM jobs INDEXED BY jobs_queued
         WHERE state = 'queued' AND queue = ?1 AND priority = ?2 AND owner = ?3
           AND (queued_at, id) < (?4, ?5) LIMIT ?6)
