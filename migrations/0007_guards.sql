-- 0007_guards: what a person in the sqlite3 shell could still get round.

PRAGMA user_version = 7;

-- REPLACE deletes what is in its way without a DELETE, so that no trigger on that sees it: what is
-- there is not inserted again, and no row becomes another one.
CREATE TRIGGER jobs_no_replace BEFORE INSERT ON jobs
WHEN (NEW.id > 0 AND EXISTS (SELECT 1 FROM jobs WHERE id = NEW.id))
  OR EXISTS (SELECT 1 FROM jobs WHERE uuid = NEW.uuid)
BEGIN
    SELECT RAISE(ABORT, 'there is such a job already');
END;

CREATE TRIGGER jobs_no_other BEFORE UPDATE OF id, uuid, owner, submitted_at ON jobs
WHEN NEW.id <> OLD.id OR NEW.uuid <> OLD.uuid OR NEW.owner <> OLD.owner OR NEW.submitted_at <> OLD.submitted_at
BEGIN
    SELECT RAISE(ABORT, 'who submitted which job when never changes');
END;

CREATE TRIGGER tombstones_no_replace BEFORE INSERT ON tombstones
WHEN EXISTS (SELECT 1 FROM tombstones WHERE job_id = NEW.job_id)
  OR EXISTS (SELECT 1 FROM tombstones WHERE uuid = NEW.uuid)
BEGIN
    SELECT RAISE(ABORT, 'a tombstone never changes');
END;

-- A job does not go on before what it depends on.
CREATE TRIGGER jobs_blocked BEFORE UPDATE OF state ON jobs
WHEN OLD.state = 'waiting' AND NEW.state = 'queued'
 AND CASE WHEN OLD.depends_rule = 'any'
          THEN EXISTS (SELECT 1 FROM dependencies WHERE job_id = OLD.id)
           AND NOT EXISTS (SELECT 1 FROM dependencies WHERE job_id = OLD.id AND state = 'met')
          ELSE EXISTS (SELECT 1 FROM dependencies WHERE job_id = OLD.id AND state <> 'met')
     END
BEGIN
    SELECT RAISE(ABORT, 'the job depends on others: see v_dependencies');
END;

-- The programs settle what depends on a job when they end it (and raise its version); a hand does not.
CREATE TRIGGER jobs_ended_by_hand BEFORE UPDATE OF state ON jobs
WHEN OLD.finished_at IS NULL AND NEW.finished_at IS NOT NULL AND NEW.version = OLD.version
 AND EXISTS (SELECT 1 FROM dependencies WHERE parent_id = OLD.id AND state = 'pending')
BEGIN
    SELECT RAISE(ABORT, 'other jobs depend on this one; end it with reeve stop');
END;

-- The closed lists are part of the programs.
CREATE TRIGGER job_moves_no_insert BEFORE INSERT ON job_moves
BEGIN
    SELECT RAISE(ABORT, 'the list of moves is closed');
END;
CREATE TRIGGER job_moves_no_update BEFORE UPDATE ON job_moves
BEGIN
    SELECT RAISE(ABORT, 'the list of moves is closed');
END;
CREATE TRIGGER job_moves_no_delete BEFORE DELETE ON job_moves
BEGIN
    SELECT RAISE(ABORT, 'the list of moves is closed');
END;
CREATE TRIGGER dependency_rules_no_insert BEFORE INSERT ON dependency_rules
BEGIN
    SELECT RAISE(ABORT, 'the list of rules is closed');
END;
CREATE TRIGGER dependency_rules_no_update BEFORE UPDATE ON dependency_rules
BEGIN
    SELECT RAISE(ABORT, 'the list of rules is closed');
END;
CREATE TRIGGER dependency_rules_no_delete BEFORE DELETE ON dependency_rules
BEGIN
    SELECT RAISE(ABORT, 'the list of rules is closed');
END;

-- Its limit would go with it.
CREATE TRIGGER queues_no_delete BEFORE DELETE ON queues
WHEN OLD.is_configured = 1
BEGIN
    SELECT RAISE(ABORT, 'the queue is in the configuration; take it out there');
END;
