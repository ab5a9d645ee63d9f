-- callbacks.sql: statements about the outbox.

-- Does this job want to tell that it is over? By the primary key; the words are looked at only where
-- there is a callback. One that was broken by hand asks for nothing: CASE is evaluated in its order.
-- name: callback_wanted_final
SELECT 1
  FROM jobs j
 WHERE j.id = ?1 AND j.callback IS NOT NULL
   AND EXISTS (SELECT 1
                 FROM json_each(CASE WHEN json_valid(j.callback) THEN j.callback END, '$.on') o
                WHERE o.value = 'final' OR o.value = j.state)

-- The same of a start, which is told once for each attempt. By callbacks_by_job.
-- name: callback_wanted_started
SELECT 1
  FROM jobs j
 WHERE j.id = ?1 AND j.callback IS NOT NULL
   AND EXISTS (SELECT 1
                 FROM json_each(CASE WHEN json_valid(j.callback) THEN j.callback END, '$.on') o
                WHERE o.value = 'started')
   AND NOT EXISTS (SELECT 1
                     FROM callbacks c
                    WHERE c.job_id = j.id AND c.kind = 'started' AND c.attempt = ?2)

-- Due at once.
-- name: callback_insert
INSERT INTO callbacks (webhook_id, job_id, owner, kind, attempt, url, host, body, created_at, next_at)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?9)

-- The whole row, by id: every other question finds ids first and comes here. The order of the columns
-- is that of CALLBACK_FIELDS in callbacks.c.
-- name: callback_row
SELECT c.id, c.webhook_id, coalesce(j.uuid, t.uuid), c.kind, c.state, c.attempt, c.tries, c.owner,
       c.url, c.host, c.body, c.last_error, c.created_at, c.next_at, c.last_try_at, c.ended_at,
       c.last_status
  FROM callbacks c
  LEFT JOIN jobs j ON j.id = c.job_id
  LEFT JOIN tombstones t ON t.job_id = c.job_id
 WHERE c.id = ?1

-- By the unique index of webhook_id.
-- name: callback_find
SELECT id FROM callbacks WHERE webhook_id = ?1 AND (?2 IS NULL OR owner = ?2)

-- Lists, newest first, from just below ?1 on: ?2 is the owner or NULL for who sees all, ?3 a state or
-- NULL. Everybody's, by the primary key.
-- name: callback_list
SELECT id
  FROM callbacks
 WHERE id < ?1 AND (?2 IS NULL OR owner = ?2) AND (?3 IS NULL OR state = ?3)
 ORDER BY id DESC
 LIMIT ?4

-- By callbacks_by_owner. Nearly all are delivered, so that looking for these skips few.
-- name: callback_list_owner
SELECT id
  FROM callbacks INDEXED BY callbacks_by_owner
 WHERE owner = ?2 AND id < ?1 AND (?3 IS NULL OR state = ?3)
 ORDER BY id DESC
 LIMIT ?4

-- Those that are not delivered, by callbacks_by_state.
-- name: callback_list_state
SELECT id
  FROM callbacks INDEXED BY callbacks_by_state
 WHERE state = ?3 AND state <> 'delivered' AND id < ?1 AND (?2 IS NULL OR owner = ?2)
 ORDER BY id DESC
 LIMIT ?4

-- Of one job, by callbacks_by_job.
-- name: callback_list_job
SELECT id
  FROM callbacks INDEXED BY callbacks_by_job
 WHERE job_id = ?5 AND id < ?1 AND (?2 IS NULL OR owner = ?2) AND (?3 IS NULL OR state = ?3)
 ORDER BY id DESC
 LIMIT ?4

-- From one receiver to the next, by callbacks_pending.
-- name: callback_host
SELECT host
  FROM callbacks INDEXED BY callbacks_pending
 WHERE state = 'pending' AND host > ?1
 ORDER BY host
 LIMIT 1

-- Those for one receiver, the most overdue first, by callbacks_pending.
-- name: callbacks_due
SELECT id, next_at
  FROM callbacks INDEXED BY callbacks_pending
 WHERE state = 'pending' AND host = ?1
 ORDER BY next_at, id
 LIMIT ?2

-- How one try went; nothing when the matter was closed meanwhile, or asked for again.
-- name: callback_tried
UPDATE callbacks
   SET state = ?2, tries = tries + 1, last_try_at = ?3, next_at = ?4, last_status = ?5,
       last_error = ?6, ended_at = ?7
 WHERE id = ?1 AND state = 'pending' AND tries = ?8 AND next_at = ?9

-- What an event says of it, by the primary key.
-- name: callback_event
SELECT job_id, webhook_id, kind, tries, last_status FROM callbacks WHERE id = ?1

-- Also one that is over: it is sent again, from the first try on. By its next_at a try that is under way
-- can tell, so that this is always another one.
-- name: callback_again
UPDATE callbacks
   SET state = 'pending', tries = 0, next_at = ?2 + (next_at IS ?2), ended_at = NULL
 WHERE id = ?1

-- What has ended goes with its job; what has not is remembered by itself. By callbacks_by_job.
-- name: prune_callbacks
DELETE FROM callbacks WHERE job_id = ?1 AND state <> 'pending'

-- name: callbacks_orphan
UPDATE callbacks SET is_orphan = 1 WHERE job_id = ?1

-- By callbacks_orphans.
-- name: callbacks_forget
DELETE FROM callbacks
 WHERE id IN (SELECT id
                FROM callbacks INDEXED BY callbacks_orphans
               WHERE is_orphan = 1 AND ended_at < ?1
               ORDER BY ended_at
               LIMIT ?2)

-- The same, without removing any.
-- name: callbacks_forgettable
SELECT 1
  FROM callbacks INDEXED BY callbacks_orphans
 WHERE is_orphan = 1 AND ended_at < ?1
 LIMIT 1
