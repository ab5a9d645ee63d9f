-- list.sql: what lists walk, and what they look up about each job they meet.
--
-- Drivers: each walks one index in one direction, from just behind ?1 to just before ?2, at most
-- ?3 rows. ?4 and ?5 are the values of the filters that the index serves.

-- By the primary key.
-- name: list_all_desc
SELECT id FROM jobs WHERE id < ?1 AND id > ?2 ORDER BY id DESC LIMIT ?3
-- name: list_all_asc
SELECT id FROM jobs WHERE id > ?1 AND id < ?2 ORDER BY id LIMIT ?3

-- By jobs_by_state.
-- name: list_state_desc
SELECT id FROM jobs WHERE state = ?4 AND id < ?1 AND id > ?2 ORDER BY id DESC LIMIT ?3
-- name: list_state_asc
SELECT id FROM jobs WHERE state = ?4 AND id > ?1 AND id < ?2 ORDER BY id LIMIT ?3

-- By jobs_by_owner_state, which has nothing for the state of most jobs.
-- name: list_owner_state_desc
SELECT id
  FROM jobs
 WHERE owner = ?4 AND iif(state = 'succeeded', x'', state) = iif(?5 = 'succeeded', x'', ?5)
   AND id < ?1 AND id > ?2
 ORDER BY id DESC
 LIMIT ?3
-- name: list_owner_state_asc
SELECT id
  FROM jobs
 WHERE owner = ?4 AND iif(state = 'succeeded', x'', state) = iif(?5 = 'succeeded', x'', ?5)
   AND id > ?1 AND id < ?2
 ORDER BY id
 LIMIT ?3

-- By jobs_by_queue, which leaves out the default queue.
-- name: list_queue_desc
SELECT id FROM jobs WHERE queue = ?4 AND queue <> 'default' AND id < ?1 AND id > ?2 ORDER BY id DESC LIMIT ?3
-- name: list_queue_asc
SELECT id FROM jobs WHERE queue = ?4 AND queue <> 'default' AND id > ?1 AND id < ?2 ORDER BY id LIMIT ?3

-- By jobs_by_task.
-- name: list_task_desc
SELECT id FROM jobs WHERE task = ?4 AND id < ?1 AND id > ?2 ORDER BY id DESC LIMIT ?3
-- name: list_task_asc
SELECT id FROM jobs WHERE task = ?4 AND id > ?1 AND id < ?2 ORDER BY id LIMIT ?3

-- By jobs_by_batch.
-- name: list_batch_desc
SELECT id FROM jobs WHERE batch = ?4 AND id < ?1 AND id > ?2 ORDER BY id DESC LIMIT ?3
-- name: list_batch_asc
SELECT id FROM jobs WHERE batch = ?4 AND id > ?1 AND id < ?2 ORDER BY id LIMIT ?3

-- By the primary key of job_labels.
-- name: list_label_desc
SELECT job_id FROM job_labels WHERE label = ?4 AND job_id < ?1 AND job_id > ?2 ORDER BY job_id DESC LIMIT ?3
-- name: list_label_asc
SELECT job_id FROM job_labels WHERE label = ?4 AND job_id > ?1 AND job_id < ?2 ORDER BY job_id LIMIT ?3

-- By jobs_by_finished, whose key is (finished_at, id): here ?4 is the time of the job with row ?1,
-- and ?2 the time to end at.
-- name: list_finished_desc
SELECT id, finished_at
  FROM jobs
 WHERE (finished_at, id) < (?4, ?1) AND finished_at >= ?2
 ORDER BY finished_at DESC, id DESC
 LIMIT ?3
-- name: list_finished_asc
SELECT id, finished_at
  FROM jobs
 WHERE (finished_at, id) > (?4, ?1) AND finished_at < ?2
 ORDER BY finished_at, id
 LIMIT ?3

-- What filters ask of one job, by id; the first columns stand in the order of LIST_FILTERS. ?2 is
-- the owner whose jobs are seen, or NULL for all.
-- name: list_facts
SELECT state, queue, task, owner, NULL, batch, NULL, submitted_at, finished_at
  FROM jobs
 WHERE id = ?1 AND (?2 IS NULL OR owner = ?2)

-- By the primary key.
-- name: list_has_label
SELECT 1 FROM job_labels WHERE label = ?1 AND job_id = ?2

-- name: list_text
SELECT name, command FROM jobs WHERE id = ?1

-- The first job from a row on, by id: times are looked for by halving.
-- name: list_submitted_at
SELECT submitted_at FROM jobs WHERE id >= ?1 ORDER BY id LIMIT 1

-- name: list_last
SELECT max(id) FROM jobs

-- name: list_uuid
SELECT uuid FROM jobs WHERE id = ?1
