-- 0005_queues: named lanes with limits, turns between owners, draining, signals, and counts.

PRAGMA user_version = 5;

CREATE TABLE queues (
    -- Named lanes. One is in the configuration, or was named by a job once; those in use have a row.
    name                  TEXT PRIMARY KEY CHECK (name <> ''),
    is_configured         INTEGER NOT NULL DEFAULT 0, -- 1: named in the configuration of the last start
    configured_max_running INTEGER CHECK (configured_max_running >= 0), -- its limit there; NULL: none
    max_running           INTEGER CHECK (max_running >= -1), -- set since then and kept; -1: none; NULL: as configured
    paused_at             INTEGER,        -- NULL: not paused
    paused_until          INTEGER,        -- it resumes by itself; NULL: when somebody resumes it
    paused_by             TEXT,           -- principal
    pause_reason          TEXT,           -- the words of who paused it
    changed_at            INTEGER,
    CHECK (paused_at IS NOT NULL OR (paused_until IS NULL AND paused_by IS NULL AND pause_reason IS NULL))
) STRICT, WITHOUT ROWID;

INSERT INTO queues (name, is_configured) VALUES ('default', 1);

CREATE TABLE drain (
    -- A row: nothing is started, what runs goes on. It outlives restarts.
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    since  INTEGER NOT NULL,
    by     TEXT NOT NULL,                 -- principal
    reason TEXT                           -- in their words
) STRICT;

ALTER TABLE jobs ADD COLUMN queued_at /* since when it may start; the order inside its owner's turn */ INTEGER;

-- Claiming reads only this one: its size is the number of queued jobs, not of all jobs. A lane is a
-- queue and a priority; inside it owners take turns, each with its longest-queued job first. (The
-- state stands at the end of these three because SQLite would else go to each row for it.)
DROP INDEX jobs_queued;
CREATE INDEX jobs_queued ON jobs (queue, priority DESC, owner, queued_at, id, state) WHERE state = 'queued';
CREATE INDEX jobs_running ON jobs (queue, state) WHERE state = 'running';

-- For counting what waits, by queue.
CREATE INDEX jobs_waiting ON jobs (queue, state) WHERE state = 'waiting';

UPDATE jobs SET queued_at = submitted_at WHERE state = 'queued';

CREATE TABLE signal_requests (
    -- Signals that somebody wants to be sent to the main process of a running job. The worker sends
    -- them, says so in the job's history, and removes the row.
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    job_id    INTEGER NOT NULL REFERENCES jobs (id),
    attempt   INTEGER NOT NULL,
    signal    INTEGER NOT NULL CHECK (signal BETWEEN 1 AND 64),
    principal TEXT NOT NULL,
    at        INTEGER NOT NULL,
    sent_by   INTEGER                     -- epoch of the worker that set about to send it: nobody does so twice
) STRICT;

-- Counts of what is over are kept by the programs, one row written a commit however many jobs it
-- holds. (Triggers that counted were measured: a submission cost 23 us instead of 12, claim and end
-- 76 instead of 35.) What lives is counted by the small indexes above.
CREATE TABLE job_totals (
    -- How many jobs of each queue ever became final so, those pruned since included.
    queue TEXT NOT NULL,
    state TEXT NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (queue, state)
) STRICT, WITHOUT ROWID;

INSERT INTO job_totals (queue, state, count)
SELECT queue, state, count(*) FROM jobs WHERE finished_at IS NOT NULL GROUP BY queue, state;

CREATE TABLE job_minutes (
    -- What happened in each minute of the last days, for throughput and waiting times.
    minute    INTEGER NOT NULL,           -- since 1970-01-01 UTC
    queue     TEXT NOT NULL,
    submitted INTEGER NOT NULL DEFAULT 0,
    claimed   INTEGER NOT NULL DEFAULT 0, -- attempts
    wait_us   INTEGER NOT NULL DEFAULT 0, -- of those, from queued to claimed, summed
    succeeded INTEGER NOT NULL DEFAULT 0,
    failed    INTEGER NOT NULL DEFAULT 0,
    cancelled INTEGER NOT NULL DEFAULT 0,
    skipped   INTEGER NOT NULL DEFAULT 0,
    lost      INTEGER NOT NULL DEFAULT 0,
    ran       INTEGER NOT NULL DEFAULT 0, -- those of them that had a process
    run_us    INTEGER NOT NULL DEFAULT 0, -- of those, from the last start to the end, summed
    PRIMARY KEY (minute, queue)
) STRICT, WITHOUT ROWID;

CREATE VIEW v_minutes AS
SELECT strftime('%Y-%m-%dT%H:%MZ', minute * 60, 'unixepoch') AS minute, queue, submitted, claimed AS started,
       succeeded, failed, cancelled, skipped, lost,
       CASE WHEN claimed > 0 THEN wait_us / 1e6 / claimed END AS mean_wait_s,
       CASE WHEN ran > 0 THEN run_us / 1e6 / ran END AS mean_run_s
  FROM job_minutes;

-- What somebody counts of a queue at a glance.
DROP VIEW v_queues;
CREATE VIEW v_queues AS
SELECT n.name AS queue,
       (SELECT count(*) FROM jobs INDEXED BY jobs_waiting WHERE state = 'waiting' AND queue = n.name) AS waiting,
       (SELECT count(*) FROM jobs INDEXED BY jobs_queued WHERE state = 'queued' AND queue = n.name) AS queued,
       (SELECT count(*) FROM jobs INDEXED BY jobs_running WHERE state = 'running' AND queue = n.name) AS running,
       nullif(coalesce(q.max_running, q.configured_max_running), -1) AS max_running,
       strftime('%Y-%m-%dT%H:%M:%S', q.paused_at / 1000000, 'unixepoch') || printf('.%06dZ', q.paused_at % 1000000) AS paused_at,
       strftime('%Y-%m-%dT%H:%M:%S', q.paused_until / 1000000, 'unixepoch') || printf('.%06dZ', q.paused_until % 1000000) AS paused_until,
       q.paused_by, q.pause_reason
  FROM (SELECT name FROM queues
        UNION SELECT queue FROM jobs INDEXED BY jobs_waiting WHERE state = 'waiting'
        UNION SELECT queue FROM jobs INDEXED BY jobs_queued WHERE state = 'queued'
        UNION SELECT queue FROM jobs INDEXED BY jobs_running WHERE state = 'running') n
  LEFT JOIN queues q ON q.name = n.name;

-- Why not yet: for what is queued too.
DROP VIEW v_waiting;
CREATE VIEW v_waiting AS
SELECT v.id, v.state,
       CASE WHEN j.state = 'waiting' THEN j.reason
            WHEN EXISTS (SELECT 1 FROM drain) THEN 'draining'
            WHEN q.paused_at IS NOT NULL THEN 'queue_paused'
            WHEN q.max_running IS NOT NULL AND q.running >= q.max_running THEN 'queue_limit'
       END AS reason,
       strftime('%Y-%m-%dT%H:%M:%S', j.run_at / 1000000, 'unixepoch') || printf('.%06dZ', j.run_at % 1000000) AS run_at,
       strftime('%Y-%m-%dT%H:%M:%S', j.expires_at / 1000000, 'unixepoch') || printf('.%06dZ', j.expires_at % 1000000) AS expires_at,
       v.attempt, j.max_attempts, v.name, v.task, v.owner, v.queue, v.priority, v.command, v.submitted_at, v.job_id
  FROM v_jobs v
  JOIN jobs j ON j.id = v.job_id
  LEFT JOIN v_queues q ON q.queue = j.queue
 WHERE j.state = 'waiting' OR j.state = 'queued';
