-- 0006_keeping: finding what there is, and letting go of what is old.

PRAGMA user_version = 6;

CREATE TABLE job_labels (
    -- The labels of jobs, for finding them; the job's own column `labels` is what is shown.
    label  TEXT NOT NULL,                 -- name=value
    job_id INTEGER NOT NULL,
    PRIMARY KEY (label, job_id)
) STRICT, WITHOUT ROWID;

INSERT INTO job_labels (label, job_id)
SELECT l.key || '=' || l.value, j.id FROM jobs j, json_each(j.labels) l WHERE j.labels IS NOT NULL;

-- Lists by queue (nearly all jobs are in the default one, which is found by their ids), by task, and
-- by when they ended; retention walks the last one.
CREATE INDEX jobs_by_queue ON jobs (queue, id) WHERE queue <> 'default';
CREATE INDEX jobs_by_task ON jobs (task, id) WHERE task IS NOT NULL;
CREATE INDEX jobs_by_finished ON jobs (finished_at) WHERE finished_at IS NOT NULL;

CREATE TABLE kept_jobs (
    -- Finished or not, these jobs and their outputs are not pruned.
    job_id INTEGER PRIMARY KEY REFERENCES jobs (id),
    by     TEXT NOT NULL,                 -- principal
    at     INTEGER NOT NULL
) STRICT;

CREATE TABLE tombstones (
    -- What remains of a job whose rows were pruned.
    job_id      INTEGER PRIMARY KEY,
    uuid        BLOB NOT NULL UNIQUE CHECK (length(uuid) = 16),
    owner       TEXT NOT NULL,
    state       TEXT NOT NULL,
    finished_at INTEGER NOT NULL,
    pruned_at   INTEGER NOT NULL          -- names the event `jobs_pruned` that vouches for it
) STRICT;
CREATE INDEX tombstones_by_time ON tombstones (pruned_at);

CREATE TABLE chain_heads (
    -- Events up to and including this one were pruned; the chain goes on from its hash. Each was
    -- itself recorded in the chain, by the event `pruned` that names the same hash.
    event_id  INTEGER PRIMARY KEY,
    hash      BLOB NOT NULL CHECK (length(hash) = 32),
    before    INTEGER NOT NULL,           -- all of them were older than this moment
    pruned_at INTEGER NOT NULL
) STRICT;

ALTER TABLE output ADD COLUMN removed_at /* retention let go of the bytes; length and hash stay */ INTEGER;

-- What retention and the sweep look for: outputs in files, and those (nearly always none) whose
-- file is about to go; definitions that no job refers to.
CREATE INDEX output_files ON output (job_id, attempt) WHERE stored = 'file';
CREATE INDEX output_leaving ON output (job_id, attempt) WHERE stored = 'file' AND removed_at IS NOT NULL;
CREATE INDEX jobs_by_definition ON jobs (task_hash) WHERE task_hash IS NOT NULL;

CREATE TRIGGER tombstones_no_update BEFORE UPDATE ON tombstones
BEGIN
    SELECT RAISE(ABORT, 'tombstones stay as they are');
END;
CREATE TRIGGER tombstones_no_delete BEFORE DELETE ON tombstones
BEGIN
    SELECT RAISE(ABORT, 'tombstones stay as they are');
END;

-- Retention goes through these doors, which leave their trace, and nobody goes round them.
DROP TRIGGER jobs_no_delete;
CREATE TRIGGER jobs_no_delete BEFORE DELETE ON jobs
WHEN NOT EXISTS (SELECT 1 FROM tombstones WHERE job_id = OLD.id)
BEGIN
    SELECT RAISE(ABORT, 'jobs are history and stay');
END;

DROP TRIGGER events_no_delete;
CREATE TRIGGER events_no_delete BEFORE DELETE ON events
WHEN NOT EXISTS (SELECT 1 FROM chain_heads WHERE event_id >= OLD.id)
BEGIN
    SELECT RAISE(ABORT, 'events are append-only');
END;

CREATE TRIGGER dependencies_no_delete BEFORE DELETE ON dependencies
WHEN NOT EXISTS (SELECT 1 FROM tombstones WHERE job_id = OLD.job_id)
BEGIN
    SELECT RAISE(ABORT, 'a dependency stays as long as its job; cancel the job instead');
END;

-- A key outlives its job, so that a late repetition is not run again.
CREATE TABLE idempotency_kept (
    -- Answers that a repeated request with the same Idempotency-Key gets again.
    principal  TEXT NOT NULL,
    key        TEXT NOT NULL,
    body_hash  BLOB NOT NULL,             -- SHA-256 of method, path and body
    job_id     INTEGER NOT NULL,          -- the job, or the first one of the batch; it may have been pruned
    batch      BLOB,                      -- the batch it made; NULL: one job
    created_at INTEGER NOT NULL,
    PRIMARY KEY (principal, key)
) STRICT, WITHOUT ROWID;
INSERT INTO idempotency_kept (principal, key, body_hash, job_id, created_at)
SELECT principal, key, body_hash, job_id, created_at FROM idempotency;
DROP TABLE idempotency;
ALTER TABLE idempotency_kept RENAME TO idempotency;
CREATE INDEX idempotency_by_age ON idempotency (created_at);

CREATE TABLE batch_items (
    -- The jobs of a batch that was sent with an Idempotency-Key, in the order of the request; as long
    -- as the key.
    batch  BLOB NOT NULL,
    item   INTEGER NOT NULL,              -- 0, 1, ...
    job_id INTEGER NOT NULL,              -- may have been alive before, or pruned since
    PRIMARY KEY (batch, item)
) STRICT, WITHOUT ROWID;

CREATE TRIGGER idempotency_forget AFTER DELETE ON idempotency
WHEN OLD.batch IS NOT NULL
BEGIN
    DELETE FROM batch_items WHERE batch = OLD.batch;
END;

CREATE VIEW v_pruned AS
SELECT lower(substr(hex(uuid), 1, 8) || '-' || substr(hex(uuid), 9, 4) || '-' || substr(hex(uuid), 13, 4)
       || '-' || substr(hex(uuid), 17, 4) || '-' || substr(hex(uuid), 21)) AS id,
       state, owner,
       strftime('%Y-%m-%dT%H:%M:%S', finished_at / 1000000, 'unixepoch') || printf('.%06dZ', finished_at % 1000000) AS finished_at,
       strftime('%Y-%m-%dT%H:%M:%S', pruned_at / 1000000, 'unixepoch') || printf('.%06dZ', pruned_at % 1000000) AS pruned_at,
       job_id
  FROM tombstones;
