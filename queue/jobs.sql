-- jobs.sql: statements about jobs. Each names the index that serves it; tests/unit/plans.txt
-- holds the plan of every one of them.

-- One row, at the right edge of every index: UUIDv7 and id both grow with time.
-- name: job_insert
INSERT INTO jobs (uuid, owner, name, queue, priority, command, environment, working_directory,
                  labels, stdin_bytes, timeout_us, kill_grace_us, output_bytes_max, output_policy,
                  traceparent, submitted_at, task, task_hash, parameters, success_exit_codes,
                  state, reason, run_at, expires_at, deadline_us, retry, max_attempts, queued_at,
                  depends_rule, stdin_from, batch, rerun_of, unique_key, finished_at, callback,
                  spare)
VALUES (?1, ?2, ?3, coalesce(?4, 'default'), ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16,
        ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, max(?27, 1), ?28, ?29, ?30, ?31, ?32, ?33,
        ?34, ?35, iif(?34 IS NULL, zeroblob(12), NULL))

-- Once for all jobs that were accepted with it.
-- name: task_definition_keep
INSERT INTO task_definitions (hash, name, definition, first_used_at)
VALUES (?1, ?2, ?3, ?4)
ON CONFLICT (hash) DO NOTHING

-- By the primary keys.
-- name: task_definition_get
SELECT d.definition
  FROM jobs j
  JOIN task_definitions d ON d.hash = j.task_hash
 WHERE j.id = ?1

-- name: job_stdin_insert
INSERT INTO job_stdin (job_id, content) VALUES (?1, ?2)

-- By the primary key.
-- name: job_stdin_get
SELECT content FROM job_stdin WHERE job_id = ?1

-- By the primary key (principal, key). The key outlives its job: then its tombstone tells the id.
-- name: idempotency_get
SELECT i.body_hash, coalesce(j.uuid, t.uuid), i.job_id, coalesce(j.submitted_at, i.created_at)
  FROM idempotency i
  LEFT JOIN jobs j ON j.id = i.job_id
  LEFT JOIN tombstones t ON t.job_id = i.job_id
 WHERE i.principal = ?1 AND i.key = ?2

-- name: idempotency_insert
INSERT INTO idempotency (principal, key, body_hash, job_id, created_at, batch)
VALUES (?1, ?2, ?3, ?4, ?5, ?6)

-- The oldest first, by idempotency_by_age.
-- name: idempotency_expire
DELETE FROM idempotency
 WHERE (principal, key) IN (SELECT principal, key
                              FROM idempotency
                             WHERE created_at < ?1
                             ORDER BY created_at
                             LIMIT ?2)

-- The whole row, by id: every other question finds ids first and comes here. The order of the
-- columns is that of JOB_FIELDS in job.c. A callback that was broken by hand is none.
-- name: job_row
SELECT id, uuid, owner, state, reason, name, queue, priority, command, environment,
       working_directory, labels, timeout_us, kill_grace_us, output_bytes_max, output_policy,
       traceparent, submitted_at, started_at, finished_at, attempt, exit_code, signal,
       stop_reason, stop_by, stop_text, version, task, parameters, run_at, expires_at,
       deadline_us, retry, max_attempts, depends_rule, stdin_from, batch, rerun_of, unique_key,
       EXISTS (SELECT 1 FROM kept_jobs k WHERE k.job_id = jobs.id), queued_at,
       CASE WHEN json_valid(callback) THEN callback END
  FROM jobs
 WHERE id = ?1

-- The same with its last attempt and what hangs on it, for answers: by primary keys and
-- dependencies_by_parent. First the columns of job_row, then those that view.c names, then those of
-- attempt_list.
-- name: job_view
SELECT j.id, j.uuid, j.owner, j.state, j.reason, j.name, j.queue, j.priority, j.command,
       j.environment, j.working_directory, j.labels, j.timeout_us, j.kill_grace_us,
       j.output_bytes_max, j.output_policy, j.traceparent, j.submitted_at, j.started_at,
       j.finished_at, j.attempt, j.exit_code, j.signal, j.stop_reason, j.stop_by, j.stop_text,
       j.version, j.task, j.parameters, j.run_at, j.expires_at, j.deadline_us, j.retry,
       j.max_attempts, j.depends_rule, j.stdin_from, j.batch, j.rerun_of, j.unique_key,
       EXISTS (SELECT 1 FROM kept_jobs k WHERE k.job_id = j.id), j.queued_at,
       CASE WHEN json_valid(j.callback) THEN j.callback END,
       a.number IS NOT NULL, EXISTS (SELECT 1 FROM dependencies d WHERE d.job_id = j.id),
       EXISTS (SELECT 1 FROM dependencies d INDEXED BY dependencies_by_parent
                WHERE d.parent_id = j.id),
       a.number, a.state, a.outcome, a.claimed_at, a.started_at, a.ended_at, a.pid, a.pid_started,
       a.exit_code, a.signal, a.error, a.cpu_user_us, a.cpu_system_us, a.max_rss_bytes,
       a.read_bytes, a.written_bytes, o.stdout_bytes, o.stderr_bytes, o.dropped_bytes, o.stored,
       o.sha256, o.removed_at, o.encoding, o.file_bytes
  FROM jobs j
  LEFT JOIN attempts a ON a.job_id = j.id AND a.number = j.attempt
  LEFT JOIN output o ON o.job_id = a.job_id AND o.attempt = a.number
 WHERE j.id = ?1

-- By the unique index of uuid. ?2 is the owner, or NULL for who sees all.
-- name: job_find
SELECT id FROM jobs WHERE uuid = ?1 AND (?2 IS NULL OR owner = ?2)

-- Ids in a range, by the unique index of uuid; at most ?4 are looked at, whoever owns them.
-- `seen` tells the caller when that was too few to be sure.
-- name: job_find_range
SELECT id, owner = coalesce(?3, owner) AS is_visible
  FROM jobs
 WHERE uuid BETWEEN ?1 AND ?2
 ORDER BY uuid
 LIMIT ?4

-- The newest of each state, by jobs_by_owner_state; NULL: there is none.
-- name: job_last
SELECT max((SELECT max(j.id)
              FROM jobs j
             WHERE j.owner = ?1
               AND iif(j.state = 'succeeded', x'', j.state) = iif(s.state = 'succeeded', x'', s.state)))
  FROM job_states s

-- Before it started, a cancel is final.
-- name: job_cancel
UPDATE jobs
   SET state = 'cancelled', reason = 'cancel', stop_reason = 'cancel', stop_by = ?2,
       stop_text = ?3, queued_at = NULL, spare = NULL, finished_at = ?4, version = version + 1
 WHERE id = ?1

-- While it runs, the worker is asked; the first recorded reason stays.
-- name: job_stop
UPDATE jobs
   SET stop_reason = coalesce(stop_reason, 'cancel'), reason = coalesce(stop_reason, 'cancel'),
       stop_by = coalesce(stop_by, ?2), stop_text = coalesce(stop_text, ?3),
       stop_force = max(coalesce(stop_force, 0), ?4), version = version + 1
 WHERE id = ?1

-- name: job_stop_state
SELECT state, stop_reason, stop_by IS NOT NULL, coalesce(stop_force, 0) FROM jobs WHERE id = ?1

-- By jobs_stopping, which is nearly always empty.
-- name: stop_requests
SELECT id, attempt, coalesce(stop_force, 0)
  FROM jobs INDEXED BY jobs_stopping
 WHERE state = 'running' AND stop_by IS NOT NULL AND id > ?1
 ORDER BY id
 LIMIT ?2
