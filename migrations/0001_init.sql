-- 0001_init: jobs, their attempts, events and outputs.
--
-- Times (..._at) are microseconds since 1970-01-01 UTC; durations (..._us) microseconds.
-- Rows are written by `reeve-httpapi` and `reeve-worker` under the writers' lock
-- (reeve.db.writers); anybody may read, also with the sqlite3 shell, best through the views.

-- (Comments stand inside the CREATE statements where they can: SQLite keeps those, so `.schema`
-- in the sqlite3 shell explains itself.)

-- CHECKs spell lists of words with OR: for an IN of three or more SQLite builds a temporary
-- B-tree each time a row is written.

-- REVE: `file reeve.db` and every program of ours know the file by it.
PRAGMA application_id = 0x52455645;
PRAGMA user_version = 1;

CREATE TABLE schema_migrations (
    -- Which migrations made this file, and by which program.
    version    INTEGER PRIMARY KEY,
    name       TEXT NOT NULL,
    program    TEXT NOT NULL,             -- version of Reeve that ran it
    applied_at INTEGER NOT NULL
) STRICT;

CREATE TABLE job_states (
    -- The closed list of states a job can be in. queue/state.c holds the same list; a test
    -- compares the two.
    state    TEXT PRIMARY KEY,            -- the word
    is_final INTEGER NOT NULL,            -- 1: a job never leaves it
    meaning  TEXT NOT NULL                -- for people
) STRICT, WITHOUT ROWID;

INSERT INTO job_states (state, is_final, meaning) VALUES
    ('waiting',   0, 'accepted, something must happen first'),
    ('queued',    0, 'may start as soon as there is room'),
    ('running',   0, 'an attempt exists and has not ended'),
    ('succeeded', 1, 'the exit code is in the success list'),
    ('failed',    1, 'the last attempt ended otherwise'),
    ('cancelled', 1, 'a person or a program asked'),
    ('skipped',   1, 'a dependency can never be met'),
    ('lost',      1, 'how it ended cannot be known');

CREATE TABLE job_moves (
    -- The closed list of moves. Everything else is refused by the trigger jobs_move.
    from_state TEXT NOT NULL REFERENCES job_states (state),
    to_state   TEXT NOT NULL REFERENCES job_states (state),
    meaning    TEXT NOT NULL,             -- for people
    PRIMARY KEY (from_state, to_state)
) STRICT, WITHOUT ROWID;

INSERT INTO job_moves (from_state, to_state, meaning) VALUES
    ('waiting', 'queued',    'what it waited for has come'),
    ('waiting', 'cancelled', 'cancelled before it started'),
    ('waiting', 'skipped',   'a dependency became impossible'),
    ('waiting', 'failed',    'expired before it started'),
    ('queued',  'waiting',   'held'),
    ('queued',  'running',   'claimed by a worker'),
    ('queued',  'cancelled', 'cancelled before it started'),
    ('queued',  'failed',    'expired before it started'),
    ('running', 'queued',    'the attempt certainly never ran'),
    ('running', 'waiting',   'waits for its retry'),
    ('running', 'succeeded', 'the attempt ended well'),
    ('running', 'failed',    'the attempt ended otherwise'),
    ('running', 'cancelled', 'stopped because somebody asked'),
    ('running', 'lost',      'how the attempt ended cannot be known');

CREATE TABLE jobs (
    -- One request to run one command.
    id                INTEGER PRIMARY KEY AUTOINCREMENT, -- inside; never shown
    uuid              BLOB NOT NULL UNIQUE CHECK (length(uuid) = 16), -- outside; UUIDv7 (RFC 9562)
    owner             TEXT NOT NULL CHECK (owner <> ''), -- principal that submitted it: uid:1000, token:ci
    state             TEXT NOT NULL DEFAULT 'queued' REFERENCES job_states (state),
    reason            TEXT,               -- why it is in that state: exit, timeout, dependency
    name              TEXT,               -- the submitter's words
    queue             TEXT NOT NULL DEFAULT 'default',
    priority          INTEGER NOT NULL DEFAULT 0 CHECK (priority BETWEEN -100 AND 100),
    command           TEXT NOT NULL CHECK (command GLOB '[[]*]'), -- argv, JSON; [0] is absolute
    environment       TEXT CHECK (environment GLOB '{*}'), -- what the request set
    working_directory TEXT,               -- NULL: the configured default
    labels            TEXT CHECK (labels GLOB '{*}'), -- JSON object of strings
    stdin_bytes       INTEGER,            -- of its row in job_stdin; NULL: /dev/null
    timeout_us        INTEGER CHECK (timeout_us > 0),    -- of one attempt; NULL: none
    kill_grace_us     INTEGER,            -- between SIGTERM and SIGKILL; NULL: the default
    output_bytes_max  INTEGER,            -- limits.output_bytes; NULL: the default
    output_policy     TEXT CHECK (output_policy = 'truncate' OR output_policy = 'stop'), -- NULL: truncate
    traceparent       TEXT,               -- W3C trace context of the submission
    submitted_at      INTEGER NOT NULL,
    started_at        INTEGER,            -- of the last attempt
    finished_at       INTEGER,            -- when it became final
    attempt           INTEGER NOT NULL DEFAULT 0, -- number of the last attempt; 0: none yet
    exit_code         INTEGER,            -- of the last attempt, or
    signal            INTEGER,            -- the signal that ended it, never both
    stop_reason       TEXT CHECK (stop_reason = 'cancel' OR stop_reason = 'timeout' OR stop_reason = 'output_limit'), -- the first recorded wins
    stop_force        INTEGER,            -- 1: without grace
    stop_by           TEXT,               -- principal
    stop_text         TEXT,               -- the asker's words
    version           INTEGER NOT NULL DEFAULT 1, -- raised by every change; the ETag
    CHECK (exit_code IS NULL OR signal IS NULL),
    -- no job is over without a time, or before it began; so none is born so either
    CHECK ((finished_at IS NULL) = (state = 'waiting' OR state = 'queued' OR state = 'running')),
    CHECK (attempt > 0 OR (state <> 'running' AND state <> 'succeeded' AND state <> 'lost'))
) STRICT;

-- Claiming reads only this one: its size is the number of queued jobs, not of all jobs.
CREATE INDEX jobs_queued ON jobs (priority DESC, id) WHERE state = 'queued';
-- Running jobs that somebody asked to stop.
CREATE INDEX jobs_stopping ON jobs (id) WHERE state = 'running' AND stop_by IS NOT NULL;
-- Lists by owner, by state and by both, newest first.
CREATE INDEX jobs_by_owner ON jobs (owner, id);
CREATE INDEX jobs_by_state ON jobs (state, id);
CREATE INDEX jobs_by_owner_state ON jobs (owner, state, id);

-- A life cycle cannot be broken, not even from the sqlite3 shell.
CREATE TRIGGER jobs_move BEFORE UPDATE OF state ON jobs
WHEN NEW.state <> OLD.state
 AND NOT EXISTS (SELECT 1 FROM job_moves WHERE from_state = OLD.state AND to_state = NEW.state)
BEGIN
    SELECT RAISE(ABORT, 'this move between job states is not in job_moves');
END;

CREATE TABLE job_stdin (
    -- The bytes given to a job as its standard input.
    job_id  INTEGER PRIMARY KEY REFERENCES jobs (id),
    content BLOB NOT NULL
) STRICT;

CREATE TABLE workers (
    -- One supervisor's life, from its start to its end. A row with a higher epoch supersedes.
    epoch        INTEGER PRIMARY KEY AUTOINCREMENT,
    pid          INTEGER NOT NULL,
    host         TEXT NOT NULL,
    boot_id      TEXT NOT NULL,           -- /proc/sys/kernel/random/boot_id
    version      TEXT NOT NULL,
    slots        INTEGER NOT NULL,        -- jobs at once
    running      INTEGER NOT NULL DEFAULT 0, -- attempts alive at the last heartbeat
    started_at   INTEGER NOT NULL,
    heartbeat_at INTEGER NOT NULL,
    stopped_at   INTEGER                  -- NULL: alive, or killed
) STRICT;

CREATE TABLE attempts (
    -- One execution of a job. Committed before any process of it exists.
    job_id         INTEGER NOT NULL REFERENCES jobs (id),
    number         INTEGER NOT NULL CHECK (number > 0), -- 1, 2, ...
    state          TEXT NOT NULL CHECK (state = 'starting' OR state = 'running' OR state = 'ended' OR state = 'lost'),
    outcome        TEXT,                  -- exit, signal, timeout, ...; revoked: it certainly never ran
    worker_epoch   INTEGER NOT NULL REFERENCES workers (epoch), -- who claimed it
    claimed_at     INTEGER NOT NULL,
    started_at     INTEGER,               -- the process was started
    ended_at       INTEGER,
    pid            INTEGER,               -- of the job's main process
    pid_started    INTEGER,               -- its start time in clock ticks since boot (proc(5), field 22)
    exit_code      INTEGER,
    signal         INTEGER,
    error          TEXT,                  -- start_failed: which step, and why
    cpu_user_us    INTEGER,               -- wait4(2), summed over the process tree
    cpu_system_us  INTEGER,
    max_rss_bytes  INTEGER,               -- largest process
    read_bytes     INTEGER,               -- from storage
    written_bytes  INTEGER,
    PRIMARY KEY (job_id, number),
    CHECK (exit_code IS NULL OR signal IS NULL)
) STRICT, WITHOUT ROWID;

CREATE INDEX attempts_live ON attempts (job_id, number) WHERE ended_at IS NULL;

CREATE TABLE output (
    -- What an attempt wrote. No row: it wrote nothing (or has not ended).
    job_id        INTEGER NOT NULL,
    attempt       INTEGER NOT NULL,
    stored        TEXT NOT NULL CHECK (stored = 'row' OR stored = 'file' OR stored = 'removed'),
    stdout_bytes  INTEGER NOT NULL,       -- kept
    stderr_bytes  INTEGER NOT NULL,
    dropped_bytes INTEGER NOT NULL,       -- beyond limits.output_bytes
    sha256        BLOB NOT NULL CHECK (length(sha256) = 32), -- of the bytes kept, in their order
    path          TEXT,                   -- stored = file: below the state directory
    content       BLOB,                   -- stored = row: the bytes
    frames        BLOB,                   -- stored = row: which bytes came when from which stream
    PRIMARY KEY (job_id, attempt),
    FOREIGN KEY (job_id, attempt) REFERENCES attempts (job_id, number)
) STRICT;

CREATE TABLE events (
    -- Everything that happened, in the transaction that made it happen. Append-only, and each row's
    -- hash covers the row before: `reeve db verify` finds the first one that was changed.
    id        INTEGER PRIMARY KEY AUTOINCREMENT,
    at        INTEGER NOT NULL,
    job_id    INTEGER,                    -- NULL: about the service
    kind      TEXT NOT NULL,              -- submitted, started, stopping, ended, requeued, ...
    state     TEXT,                       -- of the job afterwards
    principal TEXT,                       -- who asked; NULL: Reeve itself
    data      TEXT,                       -- JSON object: the rest
    hash      BLOB NOT NULL CHECK (length(hash) = 32) -- SHA-256(previous hash || canonical row)
) STRICT;

CREATE INDEX events_by_job ON events (job_id, id);

-- What is over is history: neither changed nor removed by hand.
CREATE TRIGGER jobs_final BEFORE UPDATE ON jobs
WHEN NEW.state = OLD.state
 AND (OLD.state = 'succeeded' OR OLD.state = 'failed' OR OLD.state = 'cancelled'
      OR OLD.state = 'skipped' OR OLD.state = 'lost')
BEGIN
    SELECT RAISE(ABORT, 'a finished job never changes');
END;

CREATE TRIGGER jobs_no_delete BEFORE DELETE ON jobs
BEGIN
    SELECT RAISE(ABORT, 'jobs are history and stay');
END;

CREATE TRIGGER events_no_update BEFORE UPDATE ON events
BEGIN
    SELECT RAISE(ABORT, 'events are append-only');
END;

CREATE TRIGGER events_no_delete BEFORE DELETE ON events
BEGIN
    SELECT RAISE(ABORT, 'events are append-only');
END;

CREATE TABLE idempotency (
    -- Answers that a repeated request with the same Idempotency-Key gets again.
    principal  TEXT NOT NULL,
    key        TEXT NOT NULL,
    body_hash  BLOB NOT NULL,             -- SHA-256 of method, path and body
    job_id     INTEGER NOT NULL REFERENCES jobs (id),
    created_at INTEGER NOT NULL,
    PRIMARY KEY (principal, key)
) STRICT, WITHOUT ROWID;

CREATE INDEX idempotency_by_age ON idempotency (created_at);

-- --- views for people; no program reads them ---

CREATE VIEW v_jobs AS
SELECT lower(substr(hex(uuid), 1, 8) || '-' || substr(hex(uuid), 9, 4) || '-' || substr(hex(uuid), 13, 4)
       || '-' || substr(hex(uuid), 17, 4) || '-' || substr(hex(uuid), 21)) AS id,
       state, reason, name, owner, queue, priority,
       (SELECT group_concat(value, ' ') FROM json_each(command)) AS command,
       exit_code, signal, attempt,
       strftime('%Y-%m-%dT%H:%M:%S', submitted_at / 1000000, 'unixepoch') || printf('.%06dZ', submitted_at % 1000000) AS submitted_at,
       strftime('%Y-%m-%dT%H:%M:%S', started_at / 1000000, 'unixepoch') || printf('.%06dZ', started_at % 1000000) AS started_at,
       strftime('%Y-%m-%dT%H:%M:%S', finished_at / 1000000, 'unixepoch') || printf('.%06dZ', finished_at % 1000000) AS finished_at,
       round((finished_at - started_at) / 1e6, 6) AS seconds,
       labels, id AS job_id
  FROM jobs;

CREATE VIEW v_running AS
SELECT v.id, v.name, v.owner, v.command, v.reason, v.started_at, a.pid, v.attempt, v.job_id
  FROM jobs j
  JOIN v_jobs v ON v.job_id = j.id
  LEFT JOIN attempts a ON a.job_id = j.id AND a.number = j.attempt
 WHERE j.state = 'running';

CREATE VIEW v_waiting AS
SELECT id, state, reason, name, owner, queue, priority, command, submitted_at, job_id
  FROM v_jobs
 WHERE state IN ('waiting', 'queued');

CREATE VIEW v_failed AS
SELECT id, state, reason, exit_code, signal, name, owner, command, finished_at, job_id
  FROM v_jobs
 WHERE state IN ('failed', 'lost');

CREATE VIEW v_queues AS
SELECT queue, sum(state = 'waiting') AS waiting, sum(state = 'queued') AS queued, sum(state = 'running') AS running
  FROM jobs
 WHERE state IN ('waiting', 'queued', 'running')
 GROUP BY queue;

CREATE VIEW v_attempts AS
SELECT v.id, a.number, a.state, a.outcome, a.pid, a.exit_code, a.signal, a.error,
       strftime('%Y-%m-%dT%H:%M:%S', a.started_at / 1000000, 'unixepoch') || printf('.%06dZ', a.started_at % 1000000) AS started_at,
       strftime('%Y-%m-%dT%H:%M:%S', a.ended_at / 1000000, 'unixepoch') || printf('.%06dZ', a.ended_at % 1000000) AS ended_at,
       round((a.ended_at - a.started_at) / 1e6, 6) AS seconds,
       round(a.cpu_user_us / 1e6, 6) AS cpu_user_s, round(a.cpu_system_us / 1e6, 6) AS cpu_system_s,
       a.max_rss_bytes, a.job_id
  FROM attempts a
  JOIN v_jobs v ON v.job_id = a.job_id;

CREATE VIEW v_events AS
SELECT e.id, strftime('%Y-%m-%dT%H:%M:%S', e.at / 1000000, 'unixepoch') || printf('.%06dZ', e.at % 1000000) AS at,
       v.id AS job, e.kind, e.state, e.principal, e.data
  FROM events e
  LEFT JOIN v_jobs v ON v.job_id = e.job_id;

CREATE VIEW v_output AS
SELECT v.id, o.attempt, o.stored, o.stdout_bytes, o.stderr_bytes, o.dropped_bytes, o.path,
       CAST(o.content AS TEXT) AS text, lower(hex(o.sha256)) AS sha256, o.job_id
  FROM output o
  JOIN v_jobs v ON v.job_id = o.job_id;
