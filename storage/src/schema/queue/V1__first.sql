-- queue.db: recipients on their way, how they ended, and what has to be decided in the same commit.

-- Live recipients only, so that the queue stays small at any history. AUTOINCREMENT: an id is never used twice,
-- since VERP addresses and events refer to it for years.
CREATE TABLE recipient (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace_id   INTEGER NOT NULL,
    -- Where its content comes from: a campaign and a contact, or a submitted message.
    campaign_id    INTEGER,
    contact_id     INTEGER,
    message_id     INTEGER,
    address        TEXT NOT NULL,
    -- SHA-256 of the normalized address, first 16 bytes: the suppression key
    address_hash   BLOB NOT NULL,
    domain         TEXT NOT NULL,
    -- The operator's name for this kind of mail, and which of the two kinds it is.
    stream         TEXT NOT NULL,
    kind           TEXT NOT NULL CHECK (kind IN ('transactional', 'bulk')),
    pool           TEXT NOT NULL,
    state          TEXT NOT NULL CHECK (state IN ('queued', 'claimed', 'sending', 'held')),
    due_ms         INTEGER NOT NULL,
    accepted_ms    INTEGER NOT NULL,
    expires_ms     INTEGER NOT NULL,
    attempts       INTEGER NOT NULL DEFAULT 0,
    -- Times it was put off, those included that used up no attempt.
    deferrals      INTEGER NOT NULL DEFAULT 0,
    wait_reason    TEXT CHECK (wait_reason IN ('turn', 'scheduled', 'deferred', 'greylisted', 'source_blocked', 'lane_full',
                       'dns', 'connect', 'tls', 'paused', 'local', 'rate', 'warm_up', 'provider_hold', 'domain_hold', 'held')),
    -- Of the last attempt.
    source         TEXT,
    site           TEXT,
    provider       TEXT,
    class          TEXT,
    reply_code     INTEGER,
    enhanced       TEXT,
    reply          TEXT,
    attempt_ms     INTEGER,
    -- What the submitter wants to be told (RFC 3461 §4.1) and the address as he knows it (§4.2).
    dsn_notify     TEXT,
    dsn_orcpt      TEXT,
    UNIQUE (campaign_id, contact_id),
    CHECK ((campaign_id IS NULL) = (contact_id IS NULL) AND (campaign_id IS NULL) = (message_id IS NOT NULL))
) STRICT;
CREATE INDEX recipient_due ON recipient (campaign_id, due_ms, id) WHERE state = 'queued' AND campaign_id IS NOT NULL;
CREATE INDEX recipient_submitted ON recipient (kind, workspace_id, due_ms, id) WHERE state = 'queued' AND campaign_id IS NULL;
CREATE INDEX recipient_message ON recipient (message_id) WHERE message_id IS NOT NULL;
CREATE INDEX recipient_open ON recipient (state) WHERE state IN ('claimed', 'sending');
-- Lists of one campaign go by (campaign_id, contact_id): the unique index serves them in both tables. What is too old
-- is found by walking the ids, which ascend with time, so neither expiry nor retention needs an index.
-- Progress counts the deferred ones every second; they are few where all is well.
-- A class on a queued row is that of the last "not now".
CREATE INDEX recipient_deferred ON recipient (campaign_id) WHERE state = 'queued' AND class IS NOT NULL;

CREATE TABLE recipient_done (
    id           INTEGER PRIMARY KEY,
    workspace_id INTEGER NOT NULL,
    campaign_id  INTEGER,
    contact_id   INTEGER,
    message_id   INTEGER,
    address      TEXT NOT NULL,
    address_hash BLOB NOT NULL,
    domain       TEXT NOT NULL,
    stream       TEXT NOT NULL,
    kind         TEXT NOT NULL CHECK (kind IN ('transactional', 'bulk')),
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
CREATE INDEX recipient_done_message ON recipient_done (message_id) WHERE message_id IS NOT NULL;

-- A submitted message, however many recipients it has. Kept as long as its finished recipients are.
CREATE TABLE message (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace_id   INTEGER NOT NULL,
    -- The sending domain that signs it and that its reports return to.
    domain_id      INTEGER NOT NULL,
    origin         TEXT NOT NULL CHECK (origin IN ('smtp', 'http', 'system')),
    -- Which credential or API key brought it, as people know it.
    submitter      TEXT NOT NULL,
    stream         TEXT NOT NULL,
    -- The Message-ID header, without its brackets.
    header_id      TEXT NOT NULL,
    from_address   TEXT NOT NULL,
    subject        TEXT NOT NULL,
    -- JSON list of words.
    tags           TEXT NOT NULL DEFAULT '[]' CHECK (json_valid(tags)),
    -- RFC 3461 §4.4 and §4.3.
    dsn_envid      TEXT,
    dsn_ret        TEXT CHECK (dsn_ret IN ('full', 'hdrs')),
    eight_bit      INTEGER NOT NULL CHECK (eight_bit IN (0, 1)),
    smtputf8       INTEGER NOT NULL CHECK (smtputf8 IN (0, 1)),
    size_bytes     INTEGER NOT NULL,
    accepted_ms    INTEGER NOT NULL,
    send_at_ms     INTEGER NOT NULL,
    recipients     INTEGER NOT NULL,
    -- Recipients that are not settled yet: at 0 the content is freed.
    live           INTEGER NOT NULL
) STRICT;
CREATE INDEX message_workspace ON message (workspace_id, id);

-- The content of submitted messages that still have live recipients; stored once.
CREATE TABLE message_content (
    message_id INTEGER PRIMARY KEY,
    content    BLOB NOT NULL
) STRICT;

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
-- Submitted mail, which belongs to no campaign, is counted under campaign 0.
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
