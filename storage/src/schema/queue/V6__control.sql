-- Control by hand: what is paused, and actions on many recipients at once.

-- "everything", "source" and "provider" reach every workspace; the others only the one that they belong to. A paused
-- campaign is a state of its run.
CREATE TABLE pause (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace_id INTEGER NOT NULL,
    scope        TEXT NOT NULL CHECK (scope IN ('everything', 'workspace', 'domain', 'source', 'provider')),
    -- The name of the domain, source or provider; '' for the others.
    subject      TEXT NOT NULL,
    created_by   TEXT NOT NULL,
    reason       TEXT NOT NULL,
    created_ms   INTEGER NOT NULL,
    UNIQUE (workspace_id, scope, subject)
) STRICT;

-- A recipient that was held while the engine had it in memory: whoever has it there puts it down first. Until then it
-- must not be taken a second time.
ALTER TABLE recipient ADD COLUMN in_hand INTEGER NOT NULL DEFAULT 0 CHECK (in_hand IN (0, 1));
CREATE INDEX recipient_in_hand ON recipient (id) WHERE in_hand = 1;
-- When a pause ends, those who wait because of it are found without a walk.
CREATE INDEX recipient_paused ON recipient (id) WHERE wait_reason = 'paused';

-- An action on many recipients, in chunks; each chunk and the cursor behind it are one commit.
CREATE TABLE queue_job (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace_id INTEGER NOT NULL,
    action       TEXT NOT NULL CHECK (action IN ('hold', 'release', 'retry', 'bounce', 'reroute')),
    -- Which recipients, as JSON.
    filter       TEXT NOT NULL CHECK (json_valid(filter)),
    -- The pool of a re-routing.
    pool         TEXT,
    reason       TEXT NOT NULL,
    created_by   TEXT NOT NULL,
    state        TEXT NOT NULL CHECK (state IN ('running', 'finished', 'cancelled')),
    -- Recipients with ids up to here are done; those above `up_to` came later and are not meant.
    done_up_to   INTEGER NOT NULL,
    up_to        INTEGER NOT NULL,
    -- How many matched when it was ordered, where they were counted to the end.
    expected     INTEGER,
    matched      INTEGER NOT NULL DEFAULT 0,
    changed      INTEGER NOT NULL DEFAULT 0,
    created_ms   INTEGER NOT NULL,
    finished_ms  INTEGER
) STRICT;
CREATE INDEX queue_job_workspace ON queue_job (workspace_id, id);
CREATE INDEX queue_job_running ON queue_job (id) WHERE state = 'running';
