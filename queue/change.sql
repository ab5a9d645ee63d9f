-- change.sql: changing jobs that have not started.

-- By the primary keys.
-- name: job_change_state
SELECT j.state, j.reason, j.version, j.name, j.priority, j.labels, j.run_at, j.expires_at,
       j.attempt > 0 AND EXISTS (SELECT 1 FROM attempts a WHERE a.job_id = j.id AND a.outcome IS NOT 'revoked'),
       j.queued_at, EXISTS (SELECT 1 FROM kept_jobs k WHERE k.job_id = j.id)
  FROM jobs j
 WHERE j.id = ?1

-- name: job_change
UPDATE jobs
   SET state = ?2, reason = ?3, name = ?4, priority = ?5, labels = ?6, run_at = ?7, queued_at = ?8,
       version = version + 1
 WHERE id = ?1

-- A change of what is no column of its own.
-- name: job_touch
UPDATE jobs SET version = version + 1 WHERE id = ?1 AND finished_at IS NULL

-- The labels that the row has now, by the primary key, which begins with the label; before the row
-- changes or goes.
-- name: labels_forget
DELETE FROM job_labels
 WHERE job_id = ?1
   AND label IN (SELECT l.key || '=' || l.value
                   FROM jobs j, json_each(j.labels) l
                  WHERE j.id = ?1)

-- name: job_keep
INSERT INTO kept_jobs (job_id, by, at) VALUES (?1, ?2, ?3) ON CONFLICT (job_id) DO NOTHING

-- name: job_unkeep
DELETE FROM kept_jobs WHERE job_id = ?1

-- By events_by_job, the newest first: whoever puts the old values back ends with the oldest.
-- name: job_changes
SELECT data FROM events WHERE job_id = ?1 AND kind = 'changed' ORDER BY id DESC
