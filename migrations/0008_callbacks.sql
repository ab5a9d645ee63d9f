-- 0008_callbacks: telling others about jobs, at least once.

PRAGMA user_version = 8;

ALTER TABLE jobs ADD COLUMN callback /* {"url": "https://...", "on": ["started", "final", "failed", ...]}; NULL: nobody is told */ TEXT CHECK (callback GLOB '{*}');

CREATE TABLE callbacks (
    -- The outbox: a message is written in the transaction that makes it true, and sent afterwards until
    -- somebody took it. It needs nothing of its job any more, which may have been pruned since.
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    webhook_id   TEXT NOT NULL UNIQUE,    -- msg_...: the same at every try, so that a receiver knows it again
    job_id       INTEGER NOT NULL,
    owner        TEXT NOT NULL,           -- of the job; who may see this
    kind         TEXT NOT NULL CHECK (kind = 'started' OR kind = 'final'),
    attempt      INTEGER NOT NULL,        -- that started; the last one
    url          TEXT NOT NULL,
    host         TEXT NOT NULL,           -- HOST:PORT of it; - when it has none
    body         TEXT NOT NULL,           -- JSON, as it is sent at every try
    state        TEXT NOT NULL DEFAULT 'pending' CHECK (state = 'pending' OR state = 'delivered' OR state = 'dead'),
    tries        INTEGER NOT NULL DEFAULT 0, -- since it was written, or was asked for again
    created_at   INTEGER NOT NULL,
    next_at      INTEGER,                 -- the next try; NULL: none any more
    last_try_at  INTEGER,
    last_status  INTEGER,                 -- HTTP status of the last answer; NULL: there was none
    last_error   TEXT,                    -- why it was not delivered; never what the receiver said
    ended_at     INTEGER,                 -- delivered, or given up
    is_orphan    INTEGER NOT NULL DEFAULT 0 CHECK (is_orphan = 0 OR is_orphan = 1), -- its job was pruned before it ended
    CHECK ((next_at IS NULL) = (state <> 'pending')),
    CHECK ((ended_at IS NULL) = (state = 'pending'))
) STRICT;

-- The sender reads only this one: its size is the number of what is still to be sent. By receiver, so
-- that nobody waits behind a thousand messages for one that does not answer.
CREATE INDEX callbacks_pending ON callbacks (host, next_at, id) WHERE state = 'pending';
-- Lists, newest first, by owner and by state; and those of one job.
CREATE INDEX callbacks_by_owner ON callbacks (owner, id);
CREATE INDEX callbacks_by_state ON callbacks (state, id) WHERE state <> 'delivered';
CREATE INDEX callbacks_by_job ON callbacks (job_id, id);
-- Those that retention has to remember by themselves; nearly always none.
CREATE INDEX callbacks_orphans ON callbacks (ended_at) WHERE is_orphan = 1;

-- What was to be said, to whom and about which job never changes.
CREATE TRIGGER callbacks_no_other BEFORE UPDATE OF id, webhook_id, job_id, owner, kind, attempt, url, host, body, created_at ON callbacks
BEGIN
    SELECT RAISE(ABORT, 'only how a callback went changes');
END;

CREATE VIEW v_callbacks AS
SELECT c.webhook_id, v.id AS job, c.kind, c.attempt, c.state, c.tries, c.last_status, c.last_error, c.url, c.owner,
       strftime('%Y-%m-%dT%H:%M:%S', c.created_at / 1000000, 'unixepoch') || printf('.%06dZ', c.created_at % 1000000) AS created_at,
       strftime('%Y-%m-%dT%H:%M:%S', c.next_at / 1000000, 'unixepoch') || printf('.%06dZ', c.next_at % 1000000) AS next_at,
       strftime('%Y-%m-%dT%H:%M:%S', c.ended_at / 1000000, 'unixepoch') || printf('.%06dZ', c.ended_at % 1000000) AS ended_at,
       c.body, c.job_id
  FROM callbacks c
  LEFT JOIN v_jobs v ON v.job_id = c.job_id;
