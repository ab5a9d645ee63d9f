-- 0010_attempts: what a job did and said is history like the job.

PRAGMA user_version = 10;

-- Retention leaves a tombstone first, as for the job.
CREATE TRIGGER attempts_no_delete BEFORE DELETE ON attempts
WHEN NOT EXISTS (SELECT 1 FROM tombstones WHERE job_id = OLD.job_id)
BEGIN
    SELECT RAISE(ABORT, 'attempts are history and stay');
END;
CREATE TRIGGER output_no_delete BEFORE DELETE ON output
WHEN NOT EXISTS (SELECT 1 FROM tombstones WHERE job_id = OLD.job_id)
BEGIN
    SELECT RAISE(ABORT, 'outputs go by retention, which leaves their length and hash');
END;

CREATE TRIGGER attempts_final BEFORE UPDATE ON attempts
WHEN OLD.ended_at IS NOT NULL
BEGIN
    SELECT RAISE(ABORT, 'a finished attempt never changes');
END;
CREATE TRIGGER output_no_other BEFORE UPDATE OF job_id, attempt, stdout_bytes, stderr_bytes, dropped_bytes, sha256 ON output
BEGIN
    SELECT RAISE(ABORT, 'what was written never changes');
END;
