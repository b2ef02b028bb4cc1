-- Answers that came to reply addresses, and what was done with each.
CREATE TABLE reply (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace_id INTEGER NOT NULL,
    -- The reply address, as it was then.
    address      TEXT NOT NULL,
    received_ms  INTEGER NOT NULL,
    from_address TEXT NOT NULL,
    subject      TEXT NOT NULL,
    -- Whose mail it answers, where that is known.
    recipient_id INTEGER,
    campaign_id  INTEGER,
    contact_id   INTEGER,
    done         TEXT NOT NULL CHECK (done IN ('kept', 'forwarded', 'webhook', 'stopped')),
    -- Why it was stopped, or could not be forwarded.
    why          TEXT,
    -- The message that it was forwarded as.
    message_id   INTEGER,
    size_bytes   INTEGER NOT NULL,
    -- The same mail may come twice: after a 250 that got lost, or from a mailbox that is read again.
    fingerprint  BLOB NOT NULL,
    content      BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX reply_fingerprint ON reply (workspace_id, fingerprint);
CREATE INDEX reply_workspace ON reply (workspace_id, id);
CREATE INDEX reply_done ON reply (workspace_id, done, id);
CREATE INDEX reply_received ON reply (received_ms);
