-- waiting.sql: statements about jobs that wait for a time, a person or their next attempt.

-- The three kinds of time that the worker's clock wakes it for, the earliest first. Each by its
-- partial index, named because the planner would take jobs_by_state and sort. With the last
-- moment there is as ?1 they say when the next one is.
-- name: due_pick
SELECT id, run_at
  FROM jobs INDEXED BY jobs_due
 WHERE run_at <= ?1 AND state = 'waiting' AND (reason = 'run_at' OR reason = 'retry')
 ORDER BY run_at
 LIMIT ?2

-- name: expiry_pick
SELECT id, expires_at
  FROM jobs INDEXED BY jobs_expiring
 WHERE expires_at <= ?1 AND (state = 'waiting' OR state = 'queued')
 ORDER BY expires_at
 LIMIT ?2

-- name: overdue_pick
SELECT id, deadline_at
  FROM jobs INDEXED BY jobs_overdue
 WHERE deadline_at <= ?1 AND (state = 'waiting' OR state = 'queued')
 ORDER BY deadline_at
 LIMIT ?2

-- Has one that was picked not ended meanwhile?
-- name: due_still
SELECT 1 FROM jobs WHERE id = ?1 AND finished_at IS NULL

-- name: job_queue
UPDATE jobs SET state = 'queued', reason = NULL, queued_at = ?2, version = version + 1 WHERE id = ?1

-- Its last attempt's exit code, if it had one, stays.
-- name: job_expire
UPDATE jobs
   SET state = 'failed', reason = 'expired', queued_at = NULL, spare = NULL, finished_at = ?2,
       version = version + 1
 WHERE id = ?1 AND finished_at IS NULL

-- name: job_wait
UPDATE jobs SET state = 'waiting', reason = ?2, version = version + 1 WHERE id = ?1

-- Has it run: an attempt that was revoked never did.
-- name: job_hold_state
SELECT j.state, j.reason, j.run_at,
       j.attempt > 0 AND EXISTS (SELECT 1 FROM attempts a WHERE a.job_id = j.id AND a.outcome IS NOT 'revoked')
  FROM jobs j
 WHERE j.id = ?1

-- Attempts that were revoked never ran, and so were not used up.
-- name: retry_find
SELECT j.retry, j.max_attempts, j.expires_at, j.deadline_at,
       (SELECT count(*) FROM attempts a WHERE a.job_id = j.id AND a.outcome IS NOT 'revoked')
  FROM jobs j
 WHERE j.id = ?1 AND j.retry IS NOT NULL

-- The attempt's reason to stop was its own: the next one starts without.
-- name: job_retry
UPDATE jobs
   SET state = 'waiting', reason = 'retry', run_at = ?2, started_at = coalesce(?3, started_at),
       exit_code = ?4, signal = ?5, stop_reason = NULL, stop_force = NULL, version = version + 1
 WHERE id = ?1
