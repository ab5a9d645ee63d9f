-- 0003_waiting: jobs that wait for a time, for a person, or for their next attempt.
--
-- What a waiting job waits for is its `reason`: run_at, retry or hold. A held job keeps its
-- run_at, so that a release knows whether to go on waiting.

PRAGMA user_version = 3;

ALTER TABLE jobs ADD COLUMN run_at /* not before: as asked, later of the next attempt */ INTEGER;
ALTER TABLE jobs ADD COLUMN expires_at /* no attempt starts at or after it */ INTEGER;
ALTER TABLE jobs ADD COLUMN deadline_us /* of the whole job with its waits; NULL: none */ INTEGER
    CHECK (deadline_us > 0);
ALTER TABLE jobs ADD COLUMN deadline_at /* when that is over */ INTEGER
    GENERATED ALWAYS AS (submitted_at + deadline_us) VIRTUAL;
ALTER TABLE jobs ADD COLUMN max_attempts /* counts the first */ INTEGER NOT NULL DEFAULT 1
    CHECK (max_attempts > 0);
ALTER TABLE jobs ADD COLUMN retry /* JSON object: which ends are tried again, and when */ TEXT
    CHECK (retry GLOB '{*}');

-- What the worker's clock wakes it for. Each holds only jobs that have not started and that have
-- such a time, so that its size does not grow with history.
CREATE INDEX jobs_due ON jobs (run_at)
 WHERE run_at IS NOT NULL AND state = 'waiting' AND (reason = 'run_at' OR reason = 'retry');
CREATE INDEX jobs_expiring ON jobs (expires_at)
 WHERE expires_at IS NOT NULL AND (state = 'waiting' OR state = 'queued');
CREATE INDEX jobs_overdue ON jobs (deadline_at)
 WHERE deadline_at IS NOT NULL AND (state = 'waiting' OR state = 'queued');

DROP VIEW v_waiting;
CREATE VIEW v_waiting AS
SELECT v.id, v.state, v.reason,
       strftime('%Y-%m-%dT%H:%M:%S', j.run_at / 1000000, 'unixepoch') || printf('.%06dZ', j.run_at % 1000000) AS run_at,
       strftime('%Y-%m-%dT%H:%M:%S', j.expires_at / 1000000, 'unixepoch') || printf('.%06dZ', j.expires_at % 1000000) AS expires_at,
       v.attempt, j.max_attempts, v.name, v.task, v.owner, v.queue, v.priority, v.command, v.submitted_at, v.job_id
  FROM v_jobs v
  JOIN jobs j ON j.id = v.job_id
 WHERE j.state = 'waiting' OR j.state = 'queued';
