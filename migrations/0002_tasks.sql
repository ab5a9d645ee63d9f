-- 0002_tasks: jobs that were submitted as a task, and the definitions they run by.

PRAGMA user_version = 2;

CREATE TABLE task_definitions (
    -- Task definitions as they were when a job was accepted with them. The configuration may change;
    -- these rows never do.
    hash          BLOB PRIMARY KEY CHECK (length(hash) = 32), -- SHA-256 of the definition
    name          TEXT NOT NULL,          -- the task
    definition    TEXT NOT NULL CHECK (definition GLOB '{*}'), -- as configured, JSON
    first_used_at INTEGER NOT NULL        -- when the first job was accepted with it
) STRICT, WITHOUT ROWID;

CREATE TRIGGER task_definitions_no_update BEFORE UPDATE ON task_definitions
BEGIN
    SELECT RAISE(ABORT, 'a task definition is what its jobs were accepted with');
END;

-- The comments end on a line of their own so that `.schema` stays readable.
ALTER TABLE jobs ADD COLUMN task TEXT /* name of the task it was submitted as; NULL: a command
    */;
ALTER TABLE jobs ADD COLUMN task_hash BLOB REFERENCES task_definitions (hash) /* the definition it was accepted with
    */;
ALTER TABLE jobs ADD COLUMN parameters TEXT CHECK (parameters GLOB '{*}') /* of the task, with defaults; JSON object
    */;
ALTER TABLE jobs ADD COLUMN success_exit_codes TEXT CHECK (success_exit_codes GLOB '[[]*]') /* JSON array; NULL: only 0
    */;

-- The views again, now with the task.
DROP VIEW v_running;
DROP VIEW v_waiting;
DROP VIEW v_failed;
DROP VIEW v_jobs;

CREATE VIEW v_jobs AS
SELECT lower(substr(hex(uuid), 1, 8) || '-' || substr(hex(uuid), 9, 4) || '-' || substr(hex(uuid), 13, 4)
       || '-' || substr(hex(uuid), 17, 4) || '-' || substr(hex(uuid), 21)) AS id,
       state, reason, name, task, parameters, owner, queue, priority,
       (SELECT group_concat(value, ' ') FROM json_each(command)) AS command,
       exit_code, signal, attempt,
       strftime('%Y-%m-%dT%H:%M:%S', submitted_at / 1000000, 'unixepoch') || printf('.%06dZ', submitted_at % 1000000) AS submitted_at,
       strftime('%Y-%m-%dT%H:%M:%S', started_at / 1000000, 'unixepoch') || printf('.%06dZ', started_at % 1000000) AS started_at,
       strftime('%Y-%m-%dT%H:%M:%S', finished_at / 1000000, 'unixepoch') || printf('.%06dZ', finished_at % 1000000) AS finished_at,
       round((finished_at - started_at) / 1e6, 6) AS seconds,
       labels, id AS job_id
  FROM jobs;

CREATE VIEW v_running AS
SELECT v.id, v.name, v.task, v.owner, v.command, v.reason, v.started_at, a.pid, v.attempt, v.job_id
  FROM jobs j
  JOIN v_jobs v ON v.job_id = j.id
  LEFT JOIN attempts a ON a.job_id = j.id AND a.number = j.attempt
 WHERE j.state = 'running';

CREATE VIEW v_waiting AS
SELECT id, state, reason, name, task, owner, queue, priority, command, submitted_at, job_id
  FROM v_jobs
 WHERE state IN ('waiting', 'queued');

CREATE VIEW v_failed AS
SELECT id, state, reason, exit_code, signal, name, task, owner, command, finished_at, job_id
  FROM v_jobs
 WHERE state IN ('failed', 'lost');

CREATE VIEW v_tasks AS
SELECT d.name, lower(hex(d.hash)) AS hash,
       strftime('%Y-%m-%dT%H:%M:%S', d.first_used_at / 1000000, 'unixepoch') || printf('.%06dZ', d.first_used_at % 1000000) AS first_used_at,
       d.definition
  FROM task_definitions d;
