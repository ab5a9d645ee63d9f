-- signals.sql: signals that people send to running jobs. The table is nearly always empty.

-- By the primary key of jobs.
-- name: signal_want
INSERT INTO signal_requests (job_id, attempt, signal, principal, at)
SELECT id, attempt, ?2, ?3, ?4 FROM jobs WHERE id = ?1 AND state = 'running'

-- name: signal_requests
SELECT id, job_id, attempt, signal, sent_by
  FROM signal_requests
 WHERE id > ?1
 ORDER BY id
 LIMIT ?2

-- name: signal_get
SELECT job_id, attempt, signal, principal FROM signal_requests WHERE id = ?1

-- name: signal_take
UPDATE signal_requests SET sent_by = ?2 WHERE id = ?1 AND sent_by IS NULL

-- name: signal_forget
DELETE FROM signal_requests WHERE id = ?1
