-- events.db: what happened. Ids come from queue.db's outbox, so that moving an event twice changes nothing.
CREATE TABLE event (
    id           INTEGER PRIMARY KEY,
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
-- Ids ascend with time, so the index needs no at_ms. A recipient's events are found through its contact.
CREATE INDEX event_contact ON event (contact_id) WHERE contact_id IS NOT NULL;
-- Submitted mail has no contact.
CREATE INDEX event_recipient ON event (recipient_id) WHERE contact_id IS NULL AND recipient_id IS NOT NULL;

-- For ever, however short the events' own retention is.
CREATE TABLE rollup_hour (
    workspace_id INTEGER NOT NULL,
    hour_ms      INTEGER NOT NULL,
    kind         TEXT NOT NULL,
    provider     TEXT NOT NULL,
    source       TEXT NOT NULL,
    class        TEXT NOT NULL,
    n            INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, hour_ms, kind, provider, source, class)
) STRICT, WITHOUT ROWID;

-- Reports that no recipient could be found for: forged or expired return path, unknown recipient, not a report at all.
CREATE TABLE unmatched_report (
    id          INTEGER PRIMARY KEY,
    received_ms INTEGER NOT NULL,
    peer        TEXT NOT NULL,
    rcpt        TEXT NOT NULL,
    why         TEXT NOT NULL,
    -- The first 64 KiB.
    raw         BLOB NOT NULL
) STRICT;
CREATE INDEX unmatched_report_received ON unmatched_report (received_ms);
