-- stats.sql: counting what happens, and asking for the counts.

-- What a job that has just become final says of itself, and when its last attempt ended: a job may
-- end while it waits for another one. By the primary keys.
-- name: tally_job
SELECT j.queue, j.state, j.started_at, j.finished_at,
       (SELECT a.ended_at
          FROM attempts a
         WHERE a.job_id = j.id AND a.outcome IS NOT 'revoked'
         ORDER BY a.number DESC
         LIMIT 1),
       j.callback IS NOT NULL
  FROM jobs j
 WHERE j.id = ?1

-- What was counted when an attempt was claimed, by the primary keys.
-- name: tally_claim
SELECT j.queue, a.claimed_at, j.queued_at
  FROM attempts a
  JOIN jobs j ON j.id = a.job_id
 WHERE a.job_id = ?1 AND a.number = ?2

-- Both by the primary key, one row for each queue (and minute) that a transaction touched.
-- name: tally_minute
INSERT INTO job_minutes (minute, queue, submitted, claimed, wait_us, succeeded, failed, cancelled,
                         skipped, lost, ran, run_us)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
ON CONFLICT (minute, queue) DO UPDATE
   SET submitted = submitted + excluded.submitted, claimed = claimed + excluded.claimed,
       wait_us = wait_us + excluded.wait_us, succeeded = succeeded + excluded.succeeded,
       failed = failed + excluded.failed, cancelled = cancelled + excluded.cancelled,
       skipped = skipped + excluded.skipped, lost = lost + excluded.lost,
       ran = ran + excluded.ran, run_us = run_us + excluded.run_us

-- name: tally_total
INSERT INTO job_totals (queue, state, count)
VALUES (?1, ?2, ?3)
ON CONFLICT (queue, state) DO UPDATE SET count = count + excluded.count

-- By the primary key.
-- name: minutes_forget
DELETE FROM job_minutes WHERE minute < ?1

-- By the small indexes of what lives, and one row for each queue and final state.
-- name: stats_counts
SELECT queue, 'waiting', count(*) FROM jobs INDEXED BY jobs_waiting WHERE state = 'waiting' GROUP BY queue
UNION ALL
SELECT queue, 'queued', count(*) FROM jobs INDEXED BY jobs_queued WHERE state = 'queued' GROUP BY queue
UNION ALL
SELECT queue, 'running', count(*) FROM jobs INDEXED BY jobs_running WHERE state = 'running' GROUP BY queue
UNION ALL
SELECT queue, state, count FROM job_totals

-- By the primary key: at most as many rows as minutes and queues.
-- name: stats_span
SELECT queue, sum(submitted), sum(claimed), sum(wait_us), sum(succeeded), sum(failed), sum(cancelled),
       sum(skipped), sum(lost), sum(ran), sum(run_us)
  FROM job_minutes
 WHERE minute BETWEEN ?1 AND ?2
 GROUP BY queue

-- For `db check`: states of which there are more jobs (and tombstones) than were ever counted.
-- name: totals_too_low
SELECT n.state, n.count, n.total
  FROM (SELECT f.state, sum(f.count) AS count,
               coalesce((SELECT sum(t.count) FROM job_totals t WHERE t.state = f.state), 0) AS total
          FROM (SELECT state, count(*) AS count FROM jobs WHERE finished_at IS NOT NULL GROUP BY state
                UNION ALL
                SELECT state, count(*) FROM tombstones GROUP BY state) f
         GROUP BY f.state) n
 WHERE n.total < n.count
