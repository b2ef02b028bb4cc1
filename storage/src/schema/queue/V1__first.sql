-- queue.db: recipients on their way, how they ended, and what has to be decided in the same commit.

-- Live recipients only, so that the queue stays small at any history. AUTOINCREMENT: an id is never used twice,
-- since VERP addresses and events refer to it for years.
CREATE TABLE recipient (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace_id   INTEGER NOT NULL,
    campaign_id    INTEGER NOT NULL,
    contact_id     INTEGER NOT NULL,
    address        TEXT NOT NULL,
    -- SHA-256 of the normalized address, first 16 bytes: the suppression key
    address_hash   BLOB NOT NULL,
    domain         TEXT NOT NULL,
    stream         TEXT NOT NULL CHECK (stream IN ('transactional', 'bulk')),
    pool           TEXT NOT NULL,
    state          TEXT NOT NULL CHECK (state IN ('queued', 'claimed', 'sending', 'held')),
    due_ms         INTEGER NOT NULL,
    accepted_ms    INTEGER NOT NULL,
    expires_ms     INTEGER NOT NULL,
    attempts       INTEGER NOT NULL DEFAULT 0,
    -- Times it was put off, those included that used up no attempt.
    deferrals      INTEGER NOT NULL DEFAULT 0,
    wait_reason    TEXT CHECK (wait_reason IN ('turn', 'scheduled', 'deferred', 'greylisted', 'source_blocked', 'lane_full',
                       'dns', 'connect', 'tls', 'paused', 'local')),
    -- Of the last attempt.
    source         TEXT,
    site           TEXT,
    provider       TEXT,
    class          TEXT,
    reply_code     INTEGER,
    enhanced       TEXT,
    reply          TEXT,
    attempt_ms     INTEGER,
    UNIQUE (campaign_id, contact_id)
) STRICT;
CREATE INDEX recipient_due ON recipient (campaign_id, due_ms, id) WHERE state = 'queued';
CREATE INDEX recipient_open ON recipient (state) WHERE state IN ('claimed', 'sending');
-- Lists of one campaign go by (campaign_id, contact_id): the unique index serves them in both tables. What is too old
-- is found by walking the ids, which ascend with time, so neither expiry nor retention needs an index.
-- Progress counts the deferred ones every second; they are few where all is well.
-- A class on a queued row is that of the last "not now".
CREATE INDEX recipient_deferred ON recipient (campaign_id) WHERE state = 'queued' AND class IS NOT NULL;

CREATE TABLE recipient_done (
    id           INTEGER PRIMARY KEY,
    workspace_id INTEGER NOT NULL,
    campaign_id  INTEGER NOT NULL,
    contact_id   INTEGER NOT NULL,
    address      TEXT NOT NULL,
    address_hash BLOB NOT NULL,
    domain       TEXT NOT NULL,
    state        TEXT NOT NULL CHECK (state IN ('delivered', 'bounced', 'expired', 'suppressed', 'cancelled', 'unknown')),
    accepted_ms  INTEGER NOT NULL,
    finished_ms  INTEGER NOT NULL,
    attempts     INTEGER NOT NULL,
    source       TEXT,
    site         TEXT,
    provider     TEXT,
    class        TEXT,
    reply_code   INTEGER,
    enhanced     TEXT,
    reply        TEXT,
    UNIQUE (campaign_id, contact_id)
) STRICT;
CREATE INDEX recipient_done_log ON recipient_done (campaign_id, state, contact_id);

-- A launched campaign. "Finished" is only ever derived: audience complete and no live recipient.
CREATE TABLE campaign_run (
    campaign_id       INTEGER PRIMARY KEY,
    workspace_id      INTEGER NOT NULL,
    state             TEXT NOT NULL CHECK (state IN ('running', 'paused', 'cancelled', 'finished')),
    reason            TEXT NOT NULL,
    pool              TEXT NOT NULL,
    -- The audience up to this contact id is in the queue.
    audience_cursor   INTEGER NOT NULL DEFAULT 0,
    audience_complete INTEGER NOT NULL DEFAULT 0 CHECK (audience_complete IN (0, 1)),
    started_ms        INTEGER NOT NULL,
    changed_ms        INTEGER NOT NULL,
    finished_ms       INTEGER
) STRICT;
CREATE INDEX campaign_run_state ON campaign_run (state);

-- Counters, kept in the same transaction as what they count. `provider` is '' where it is not known (yet).
-- measure: accepted, delivered, bounced, expired, suppressed, cancelled, unknown (the ledger);
--          deferral, retried, blocked; class:WORD (bounces by class)
CREATE TABLE tally (
    workspace_id INTEGER NOT NULL,
    campaign_id  INTEGER NOT NULL,
    provider     TEXT NOT NULL,
    measure      TEXT NOT NULL,
    n            INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, campaign_id, provider, measure)
) STRICT, WITHOUT ROWID;

-- Keyed by the hash of the normalized address, so that it outlives the contact and can outlive the address.
CREATE TABLE suppression (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace_id INTEGER NOT NULL,
    address_hash BLOB NOT NULL,
    address      TEXT,
    reason       TEXT NOT NULL CHECK (reason IN ('hard_bounce', 'complaint', 'unsubscribe', 'manual', 'import')),
    origin       TEXT NOT NULL,
    recipient_id INTEGER,
    campaign_id  INTEGER,
    created_by   TEXT,
    created_ms   INTEGER NOT NULL,
    expires_ms   INTEGER,
    UNIQUE (workspace_id, address_hash)
) STRICT;
CREATE INDEX suppression_address ON suppression (workspace_id, address);

-- Events on their way to events.db, written in the commit of what they tell; columns as `event` there.
CREATE TABLE outbox (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    at_ms        INTEGER NOT NULL,
    workspace_id INTEGER NOT NULL,
    kind         TEXT NOT NULL,
    recipient_id INTEGER,
    campaign_id  INTEGER,
    contact_id   INTEGER,
    source       TEXT,
    site         TEXT,
    provider     TEXT,
    mx           TEXT,
    class        TEXT,
    reply_code   INTEGER,
    enhanced     TEXT,
    text         TEXT,
    attempt      INTEGER,
    took_ms      INTEGER,
    tls          TEXT,
    actor        TEXT
) STRICT;
