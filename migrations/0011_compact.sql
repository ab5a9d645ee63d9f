-- 0011_compact: fewer bytes for a job that is over, and fewer writes to get it there.

PRAGMA user_version = 11;

-- Every index of a table ends with its row id, in order: with an id of its own it had that twice.
-- (The planner uses it for ranges and for the order all the same.)
DROP INDEX events_by_job;
CREATE INDEX events_by_job ON events (job_id);
DROP INDEX jobs_by_state;
CREATE INDEX jobs_by_state ON jobs (state);
DROP INDEX jobs_by_queue;
CREATE INDEX jobs_by_queue ON jobs (queue) WHERE queue <> 'default';
DROP INDEX jobs_by_task;
CREATE INDEX jobs_by_task ON jobs (task) WHERE task IS NOT NULL;
DROP INDEX jobs_by_batch;
CREATE INDEX jobs_by_batch ON jobs (batch) WHERE batch IS NOT NULL;
DROP INDEX callbacks_by_owner;
CREATE INDEX callbacks_by_owner ON callbacks (owner);
DROP INDEX callbacks_by_state;
CREATE INDEX callbacks_by_state ON callbacks (state) WHERE state <> 'delivered';
DROP INDEX callbacks_by_job;
CREATE INDEX callbacks_by_job ON callbacks (job_id);

-- The jobs of an owner in all states are the merged ones of each state: this index serves both. Most
-- jobs end well: an empty blob takes no room, and behind all words it is at the end, where an index fills its
-- pages best.
DROP INDEX jobs_by_owner;
DROP INDEX jobs_by_owner_state;
CREATE INDEX jobs_by_owner_state ON jobs (owner, iif(state = 'succeeded', x'', state));

-- A row that grows parts full pages in two. So it has its last width from the beginning: what a job gets
-- when it starts and ends, less what goes then. Nobody reads it.
ALTER TABLE jobs ADD COLUMN spare /* room for the times and words of its end; NULL when it is over */ BLOB;

-- Of a hash 24 bytes are enough: SHA-256 cut to 192 bits, as in NIST SP 800-208. What is there keeps
-- its 32, so only the CHECK changes, the way that SQLite documents for that (lang_altertable.html, 7);
-- no row is touched. New rows may not have 32: a program of the earlier version that still runs, as in an upgrade
-- one of them does, takes no hash of 24 for the one before, and would break the chain. So it is refused.
PRAGMA writable_schema = ON;
UPDATE sqlite_schema
   SET sql = replace(sql, 'CHECK (length(hash) = 32) -- SHA-256(previous hash || canonical row)',
                     'CHECK (length(hash) = 24 OR length(hash) = 32 AND id <= '
                     || (SELECT coalesce(max(id), 0) FROM events)
                     || ') -- of SHA-256(previous hash || canonical row) the first 24; 32 in rows of an earlier version')
 WHERE type = 'table' AND name = 'events';
UPDATE sqlite_schema
   SET sql = replace(sql, 'CHECK (length(hash) = 32)', 'CHECK (length(hash) = 24 OR length(hash) = 32)')
 WHERE type = 'table' AND name = 'chain_heads';
PRAGMA writable_schema = RESET;
