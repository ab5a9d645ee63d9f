-- 0004_dependencies: jobs that wait for how other jobs end, batches, reruns, unique work.

PRAGMA user_version = 4;

ALTER TABLE jobs ADD COLUMN depends_rule /* NULL: all of its dependencies; any: one is enough */ TEXT
    CHECK (depends_rule = 'any');
ALTER TABLE jobs ADD COLUMN stdin_from /* row of the job whose stdout is its standard input */ INTEGER;
ALTER TABLE jobs ADD COLUMN batch /* the batch it came with, UUIDv7 */ BLOB
    CHECK (length(batch) = 16);
ALTER TABLE jobs ADD COLUMN rerun_of /* uuid of the job that it repeats */ BLOB
    CHECK (length(rerun_of) = 16);
ALTER TABLE jobs ADD COLUMN unique_key /* names work of which its owner has one alive */ TEXT;

CREATE UNIQUE INDEX jobs_unique ON jobs (owner, unique_key)
 WHERE unique_key IS NOT NULL AND (state = 'waiting' OR state = 'queued' OR state = 'running');
CREATE INDEX jobs_by_batch ON jobs (batch, id) WHERE batch IS NOT NULL;

CREATE TABLE dependencies (
    -- One job waits for how another one ends. Rows may be added by hand to a job that waits (hold it
    -- first): the triggers below keep them sound, and the worker looks at them within a second.
    job_id    INTEGER NOT NULL REFERENCES jobs (id), -- waits
    parent_id INTEGER NOT NULL,           -- for this job; it may have been pruned since: see tombstones
    condition TEXT NOT NULL DEFAULT 'success'
              CHECK (condition = 'success' OR condition = 'failure' OR condition = 'any' OR condition = 'started'),
    state     TEXT NOT NULL DEFAULT 'pending'
              CHECK (state = 'pending' OR state = 'met' OR state = 'impossible'),
    PRIMARY KEY (job_id, parent_id, condition),
    CHECK (job_id <> parent_id)
) STRICT, WITHOUT ROWID;

-- What waits for a job that has ended, and every question about its dependants.
CREATE INDEX dependencies_by_parent ON dependencies (parent_id, state, condition, job_id);
-- Does a job still wait for any of them?
CREATE INDEX dependencies_pending ON dependencies (job_id) WHERE state = 'pending';
-- Nearly always empty: a dependency that is submitted points to an older row, so that only
-- those written by hand can close a circle.
CREATE INDEX dependencies_upward ON dependencies (job_id) WHERE parent_id > job_id;

CREATE TABLE dependency_rules (
    -- What becomes of a dependency, by the state that its parent has reached.
    parent_state TEXT NOT NULL REFERENCES job_states (state),
    has_started  INTEGER NOT NULL,        -- 1: a process of the parent ever existed
    condition    TEXT NOT NULL,
    outcome      TEXT NOT NULL,           -- met or impossible; no row: pending
    PRIMARY KEY (parent_state, has_started, condition)
) STRICT, WITHOUT ROWID;

INSERT INTO dependency_rules (parent_state, has_started, condition, outcome) VALUES
    ('waiting',   1, 'started', 'met'),  -- for its next attempt
    ('queued',    1, 'started', 'met'),
    ('running',   1, 'started', 'met'),
    ('succeeded', 0, 'success', 'met'),  -- its start was never noted
    ('succeeded', 0, 'failure', 'impossible'),
    ('succeeded', 0, 'any',     'met'),
    ('succeeded', 0, 'started', 'met'),
    ('succeeded', 1, 'success', 'met'),
    ('succeeded', 1, 'failure', 'impossible'),
    ('succeeded', 1, 'any',     'met'),
    ('succeeded', 1, 'started', 'met'),
    ('failed',    0, 'success', 'impossible'),
    ('failed',    0, 'failure', 'met'),
    ('failed',    0, 'any',     'met'),
    ('failed',    0, 'started', 'impossible'),
    ('failed',    1, 'success', 'impossible'),
    ('failed',    1, 'failure', 'met'),
    ('failed',    1, 'any',     'met'),
    ('failed',    1, 'started', 'met'),
    ('lost',      0, 'success', 'impossible'),
    ('lost',      0, 'failure', 'met'),
    ('lost',      0, 'any',     'met'),
    ('lost',      0, 'started', 'impossible'),
    ('lost',      1, 'success', 'impossible'),
    ('lost',      1, 'failure', 'met'),
    ('lost',      1, 'any',     'met'),
    ('lost',      1, 'started', 'met'),
    ('cancelled', 0, 'success', 'impossible'),
    ('cancelled', 0, 'failure', 'met'),
    ('cancelled', 0, 'any',     'met'),
    ('cancelled', 0, 'started', 'impossible'),
    ('cancelled', 1, 'success', 'impossible'),
    ('cancelled', 1, 'failure', 'met'),
    ('cancelled', 1, 'any',     'met'),
    ('cancelled', 1, 'started', 'met'),
    ('skipped',   0, 'success', 'impossible'),
    ('skipped',   0, 'failure', 'impossible'),
    ('skipped',   0, 'any',     'met'),
    ('skipped',   0, 'started', 'impossible'),
    ('skipped',   1, 'success', 'impossible'),
    ('skipped',   1, 'failure', 'impossible'),
    ('skipped',   1, 'any',     'met'),
    ('skipped',   1, 'started', 'met');  -- it had run before it was held and then given a dependency

CREATE TABLE unresolved (
    -- Jobs that have ended (or started) and whose dependants were not all looked at in that
    -- transaction, because there were too many or because they were written by hand.
    job_id INTEGER PRIMARY KEY
) STRICT;

CREATE TRIGGER dependencies_parent BEFORE INSERT ON dependencies
WHEN NOT EXISTS (SELECT 1 FROM jobs WHERE id = NEW.parent_id)
BEGIN
    SELECT RAISE(ABORT, 'there is no such job to depend on');
END;

-- A job without an event is just being born, with all of its dependencies.
CREATE TRIGGER dependencies_child BEFORE INSERT ON dependencies
WHEN NEW.state = 'pending'
 AND NOT EXISTS (SELECT 1
                   FROM jobs j
                  WHERE j.id = NEW.job_id
                    AND ((j.state = 'waiting'
                          AND NOT EXISTS (SELECT 1
                                            FROM attempts a
                                           WHERE a.job_id = j.id AND a.outcome IS NOT 'revoked'))
                         OR ((j.state = 'skipped' OR j.depends_rule = 'any')
                             AND NOT EXISTS (SELECT 1 FROM events e WHERE e.job_id = j.id))))
BEGIN
    SELECT RAISE(ABORT, 'only a job that waits and has never started can be given a dependency; hold it first');
END;

CREATE TRIGGER dependencies_cycle BEFORE INSERT ON dependencies
WHEN (NEW.parent_id > NEW.job_id OR EXISTS (SELECT 1 FROM dependencies WHERE parent_id > job_id))
 AND EXISTS (WITH RECURSIVE ancestors (id) AS (
                 SELECT NEW.parent_id
                 UNION
                 SELECT d.parent_id FROM dependencies d JOIN ancestors a ON d.job_id = a.id)
             SELECT 1 FROM ancestors WHERE id = NEW.job_id)
BEGIN
    SELECT RAISE(ABORT, 'this dependency would close a circle');
END;

CREATE TRIGGER dependencies_born BEFORE INSERT ON dependencies
WHEN NEW.state <> 'pending'
 AND (EXISTS (SELECT 1 FROM events WHERE job_id = NEW.job_id)
      OR NOT EXISTS (SELECT 1 FROM jobs WHERE id = NEW.job_id)
      OR NOT EXISTS (SELECT 1
                       FROM jobs p
                       JOIN dependency_rules r ON r.parent_state = p.state
                      WHERE p.id = NEW.parent_id AND r.condition = NEW.condition AND r.outcome = NEW.state
                        AND r.has_started = EXISTS (SELECT 1 FROM attempts a
                                                     WHERE a.job_id = p.id AND a.started_at IS NOT NULL)))
BEGIN
    SELECT RAISE(ABORT, 'a dependency is settled by what its parent did; a new one is pending');
END;

-- What its parent has done already settles it; the worker does so.
CREATE TRIGGER dependencies_late AFTER INSERT ON dependencies
WHEN NEW.state = 'pending'
 AND EXISTS (SELECT 1
               FROM jobs p
               JOIN dependency_rules r ON r.parent_state = p.state
              WHERE p.id = NEW.parent_id AND r.condition = NEW.condition
                AND r.has_started = EXISTS (SELECT 1 FROM attempts a
                                             WHERE a.job_id = p.id AND a.started_at IS NOT NULL))
BEGIN
    INSERT OR IGNORE INTO unresolved (job_id) VALUES (NEW.parent_id);
END;

-- Settled once, by what its parent did; never taken back.
CREATE TRIGGER dependencies_settle BEFORE UPDATE ON dependencies
WHEN NEW.job_id <> OLD.job_id OR NEW.parent_id <> OLD.parent_id OR NEW.condition <> OLD.condition
  OR (NEW.state <> OLD.state
      AND (OLD.state <> 'pending'
           OR NOT EXISTS (SELECT 1
                            FROM jobs p
                            JOIN dependency_rules r ON r.parent_state = p.state
                           WHERE p.id = OLD.parent_id AND r.condition = OLD.condition AND r.outcome = NEW.state
                             AND r.has_started = EXISTS (SELECT 1 FROM attempts a
                                                          WHERE a.job_id = p.id AND a.started_at IS NOT NULL))))
BEGIN
    SELECT RAISE(ABORT, 'a dependency is settled by what its parent did');
END;

CREATE VIEW v_dependencies AS
SELECT v.id AS job, v.state AS job_state, d.condition AS waits_for, d.state, p.id AS parent, p.state AS parent_state,
       d.job_id, d.parent_id
  FROM dependencies d
  JOIN v_jobs v ON v.job_id = d.job_id
  LEFT JOIN v_jobs p ON p.job_id = d.parent_id;
