-- dependencies.sql: statements about jobs that wait for how other jobs end.

-- What this parent has done for a dependency on it, by the primary keys. No row: no such job;
-- NULL: nothing yet.
-- name: dependency_outcome
SELECT r.outcome, p.uuid, p.state
  FROM jobs p
  LEFT JOIN dependency_rules r
    ON r.parent_state = p.state AND r.condition = ?2
   AND r.has_started = EXISTS (SELECT 1 FROM attempts a
                                WHERE a.job_id = p.id AND a.started_at IS NOT NULL)
 WHERE p.id = ?1

-- Said twice is said once.
-- name: dependency_insert
INSERT INTO dependencies (job_id, parent_id, condition, state) VALUES (?1, ?2, ?3, ?4)
ON CONFLICT DO NOTHING

-- Is anything waiting for how this job ends? By dependencies_by_parent: asked at every end.
-- name: dependants_any
SELECT 1 FROM dependencies WHERE parent_id = ?1 AND state = 'pending' LIMIT 1

-- Or for its start?
-- name: dependants_of_start
SELECT 1 FROM dependencies
 WHERE parent_id = ?1 AND state = 'pending' AND condition = 'started'
 LIMIT 1

-- What the job has settled by now; rows that still wait for it are left out. In this order, so that
-- it is one walk along dependencies_by_parent.
-- name: dependants_pick
SELECT d.job_id, d.condition, r.outcome, p.uuid, p.state
  FROM dependencies d INDEXED BY dependencies_by_parent
 CROSS JOIN jobs p ON p.id = d.parent_id
 CROSS JOIN dependency_rules r
    ON r.parent_state = p.state AND r.condition = d.condition
   AND r.has_started = EXISTS (SELECT 1 FROM attempts a
                                WHERE a.job_id = p.id AND a.started_at IS NOT NULL)
 WHERE d.parent_id = ?1 AND d.state = 'pending'
 LIMIT ?2

-- name: dependency_settle
UPDATE dependencies SET state = ?4 WHERE job_id = ?1 AND parent_id = ?2 AND condition = ?3

-- Where a job stands one of whose dependencies was settled just now.
-- name: dependant_standing
SELECT state, reason, run_at,
       j.attempt > 0 AND EXISTS (SELECT 1 FROM attempts a WHERE a.job_id = j.id AND a.outcome IS NOT 'revoked'),
       depends_rule,
       EXISTS (SELECT 1
                 FROM dependencies d INDEXED BY dependencies_pending
                WHERE d.job_id = j.id AND d.state = 'pending')
  FROM jobs j
 WHERE id = ?1

-- What all of its dependencies together say.
-- name: dependency_states
SELECT depends_rule,
       EXISTS (SELECT 1
                 FROM dependencies d INDEXED BY dependencies_pending
                WHERE d.job_id = j.id AND d.state = 'pending'),
       EXISTS (SELECT 1 FROM dependencies d WHERE d.job_id = j.id AND d.state = 'met'),
       EXISTS (SELECT 1 FROM dependencies d WHERE d.job_id = j.id AND d.state = 'impossible')
  FROM jobs j
 WHERE id = ?1

-- name: job_skip
UPDATE jobs
   SET state = 'skipped', reason = 'dependency', spare = NULL, finished_at = ?2, version = version + 1
 WHERE id = ?1

-- name: unresolved_insert
INSERT INTO unresolved (job_id) VALUES (?1) ON CONFLICT DO NOTHING

-- name: unresolved_delete
DELETE FROM unresolved WHERE job_id = ?1

-- Nearly always empty. The oldest first.
-- name: unresolved_first
SELECT job_id FROM unresolved ORDER BY job_id LIMIT 1

-- A job's labels as its row has them now, for finding it by them.
-- name: job_labels_insert
INSERT INTO job_labels (label, job_id)
SELECT l.key || '=' || l.value, j.id
  FROM jobs j, json_each(j.labels) l
 WHERE j.id = ?1
ON CONFLICT DO NOTHING

-- The one living job of this owner with this key, by jobs_unique. `has_run`: a process of it existed.
-- name: unique_find
SELECT j.id, j.uuid, j.submitted_at, j.state,
       EXISTS (SELECT 1 FROM attempts a WHERE a.job_id = j.id AND a.started_at IS NOT NULL) AS has_run
  FROM jobs j INDEXED BY jobs_unique
 WHERE j.owner = ?1 AND j.unique_key = ?2
   AND (j.state = 'waiting' OR j.state = 'queued' OR j.state = 'running')

-- A part of a transaction that may be taken back without the rest.
-- name: part_begin
SAVEPOINT part

-- name: part_undo
ROLLBACK TO part

-- name: part_end
RELEASE part

-- By the primary key (principal, key).
-- name: batch_replay
SELECT i.body_hash, i.batch FROM idempotency i WHERE i.principal = ?1 AND i.key = ?2

-- name: batch_item_insert
INSERT INTO batch_items (batch, item, job_id) VALUES (?1, ?2, ?3)

-- name: batch_items
SELECT coalesce(j.uuid, t.uuid), b.job_id, j.submitted_at
  FROM batch_items b
  LEFT JOIN jobs j ON j.id = b.job_id
  LEFT JOIN tombstones t ON t.job_id = b.job_id
 WHERE b.batch = ?1
 ORDER BY b.item

-- The living jobs that depend on this one, whether that is settled or not. ?2 is the owner whose
-- jobs are seen, or NULL.
-- name: dependants_living
SELECT d.job_id
  FROM dependencies d INDEXED BY dependencies_by_parent
 CROSS JOIN jobs j ON j.id = d.job_id
 WHERE d.parent_id = ?1 AND (j.state = 'waiting' OR j.state = 'queued' OR j.state = 'running')
   AND (?2 IS NULL OR j.owner = ?2)

-- What a job waits for, also where the parent was pruned. ?2 is the owner whose jobs are seen, or NULL:
-- of others only the row is told.
-- name: dependency_list
SELECT d.parent_id, CASE WHEN ?2 IS NULL OR coalesce(j.owner, t.owner) = ?2
                         THEN coalesce(j.uuid, t.uuid) END, d.condition, d.state, j.id IS NOT NULL
  FROM dependencies d
  LEFT JOIN jobs j ON j.id = d.parent_id
  LEFT JOIN tombstones t ON t.job_id = d.parent_id
 WHERE d.job_id = ?1
 ORDER BY d.parent_id, d.condition

-- How many jobs, of which each may wait for it in several ways. ?2 as above.
-- name: dependants_count
SELECT count(DISTINCT d.job_id)
  FROM dependencies d INDEXED BY dependencies_by_parent
 CROSS JOIN jobs j ON j.id = d.job_id
 WHERE d.parent_id = ?1 AND (?2 IS NULL OR j.owner = ?2)

-- A job as a graph shows it, or what was left of it. ?2 as above.
-- name: graph_job
SELECT coalesce(j.uuid, t.uuid), coalesce(j.state, t.state), j.name, j.task, j.command
  FROM (SELECT ?1 AS id) x
  LEFT JOIN jobs j ON j.id = x.id
  LEFT JOIN tombstones t ON t.job_id = x.id
 WHERE coalesce(j.owner, t.owner) IS NOT NULL AND (?2 IS NULL OR coalesce(j.owner, t.owner) = ?2)

-- Who waits for it or it for whom.
-- name: graph_neighbours
SELECT parent_id FROM dependencies WHERE job_id = ?1
 UNION ALL
SELECT job_id FROM dependencies WHERE parent_id = ?1

-- All that depend on it, one row for each dependency. ?2 as above.
-- name: dependants_seen
SELECT d.job_id
  FROM dependencies d INDEXED BY dependencies_by_parent
 CROSS JOIN jobs j ON j.id = d.job_id
 WHERE d.parent_id = ?1 AND (?2 IS NULL OR j.owner = ?2)

-- Like job ?11, but for what belongs to that one's time and place.
-- name: job_rerun
INSERT INTO jobs (uuid, owner, submitted_at, state, reason, queued_at, finished_at, batch, stdin_from,
                  depends_rule, rerun_of, name, queue, priority, command, environment,
                  working_directory, labels, stdin_bytes, timeout_us, kill_grace_us,
                  output_bytes_max, output_policy, task, task_hash, parameters,
                  success_exit_codes, deadline_us, retry, max_attempts, callback, spare)
SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, CASE WHEN ?10 THEN depends_rule END, uuid, name, queue,
       priority, command, environment, working_directory, labels, stdin_bytes, timeout_us,
       kill_grace_us, output_bytes_max, output_policy, task, task_hash, parameters,
       success_exit_codes, deadline_us, retry, max_attempts, callback,
       iif(?7 IS NULL, zeroblob(12), NULL)
  FROM jobs
 WHERE id = ?11

-- name: job_stdin_copy
INSERT INTO job_stdin (job_id, content) SELECT ?2, content FROM job_stdin WHERE job_id = ?1
