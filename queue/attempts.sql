-- attempts.sql: statements of the worker's side: claiming, and how attempts end.

-- The code of the attempt before goes: it is not how this one ended.
-- name: claim_move
UPDATE jobs
   SET state = 'running', reason = 'starting', spare = NULL, attempt = attempt + 1,
       started_at = NULL, exit_code = NULL, signal = NULL, version = version + 1
 WHERE id = ?1

-- name: attempt_insert
INSERT INTO attempts (job_id, number, state, worker_epoch, claimed_at)
VALUES (?1, ?2, 'starting', ?3, ?4)

-- name: attempt_started
UPDATE attempts
   SET state = 'running', pid = ?3, pid_started = ?4, started_at = ?5
 WHERE job_id = ?1 AND number = ?2 AND ended_at IS NULL

-- The reason `starting` goes; the reason of a stop that was asked for meanwhile stays.
-- name: job_started
UPDATE jobs
   SET started_at = ?3, reason = stop_reason
 WHERE id = ?1 AND attempt = ?2 AND state = 'running'

-- A stop that the shim began by itself; nothing when one is recorded already.
-- name: job_stopping
UPDATE jobs
   SET stop_reason = ?3, reason = ?3, version = version + 1
 WHERE id = ?1 AND attempt = ?2 AND state = 'running' AND stop_reason IS NULL

-- What decides how an attempt and its job end. `is_current`: the job still waits for this one.
-- name: attempt_find
SELECT a.ended_at IS NOT NULL, j.state = 'running' AND j.attempt = a.number AS is_current,
       j.stop_reason, j.stop_by, j.success_exit_codes, j.callback IS NOT NULL
  FROM attempts a
  JOIN jobs j ON j.id = a.job_id
 WHERE a.job_id = ?1 AND a.number = ?2

-- name: attempt_end
UPDATE attempts
   SET state = ?3, outcome = ?4, started_at = coalesce(?5, started_at), ended_at = ?6,
       pid = coalesce(?7, pid), pid_started = coalesce(?8, pid_started), exit_code = ?9,
       signal = ?10, error = ?11, cpu_user_us = ?12, cpu_system_us = ?13, max_rss_bytes = ?14,
       read_bytes = ?15, written_bytes = ?16
 WHERE job_id = ?1 AND number = ?2

-- name: attempt_close
UPDATE attempts SET state = ?3, outcome = ?4, ended_at = ?5 WHERE job_id = ?1 AND number = ?2

-- Its place among the queued ones is of no use any more, and would be kept ten million times.
-- name: job_end
UPDATE jobs
   SET state = ?2, reason = ?3, queued_at = NULL,
       started_at = coalesce(?4, started_at), finished_at = ?5, exit_code = ?6, signal = ?7,
       stop_reason = coalesce(stop_reason, ?8), version = version + 1
 WHERE id = ?1

-- The attempt never ran: as if it had not been claimed, but for its number.
-- name: job_requeue
UPDATE jobs
   SET state = 'queued', reason = NULL, started_at = NULL, stop_reason = NULL, version = version + 1
 WHERE id = ?1

-- name: output_insert
INSERT INTO output (job_id, attempt, stored, stdout_bytes, stderr_bytes, dropped_bytes, sha256,
                    path, content, frames)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)

-- By the unique index of (job_id, attempt).
-- name: output_get
SELECT stored, path, content, frames, encoding, stdout_bytes + stderr_bytes
  FROM output
 WHERE job_id = ?1 AND attempt = ?2

-- By the primary key; the order of the columns is that of ATTEMPT_FIELDS in history.c.
-- name: attempt_list
SELECT a.number, a.state, a.outcome, a.claimed_at, a.started_at, a.ended_at, a.pid, a.pid_started,
       a.exit_code, a.signal, a.error, a.cpu_user_us, a.cpu_system_us, a.max_rss_bytes,
       a.read_bytes, a.written_bytes, o.stdout_bytes, o.stderr_bytes, o.dropped_bytes, o.stored,
       o.sha256, o.removed_at, o.encoding, o.file_bytes
  FROM attempts a
  LEFT JOIN output o ON o.job_id = a.job_id AND o.attempt = a.number
 WHERE a.job_id = ?1 AND a.number BETWEEN ?2 AND ?3
 ORDER BY a.number

-- By attempts_live: as many rows as attempts are alive.
-- name: attempts_live
SELECT j.uuid, a.job_id, a.number, w.boot_id, a.worker_epoch
  FROM attempts a
  JOIN jobs j ON j.id = a.job_id
  JOIN workers w ON w.epoch = a.worker_epoch
 WHERE a.ended_at IS NULL
 ORDER BY a.job_id, a.number
