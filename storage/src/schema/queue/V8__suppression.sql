-- queue.db: suppression per kind of mail and for the whole installation, complaints, soft bounces, and audiences whose
-- most engaged contacts come first.

CREATE TABLE suppression_next (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    -- 0: of the whole installation, for every workspace.
    workspace_id INTEGER NOT NULL,
    address_hash BLOB NOT NULL,
    -- 'marketing': bulk mail only; 'all': every mail.
    covers       TEXT NOT NULL CHECK (covers IN ('marketing', 'all')),
    address      TEXT,
    reason       TEXT NOT NULL CHECK (reason IN ('hard_bounce', 'soft_bounces', 'complaint', 'unsubscribe', 'manual', 'import')),
    -- What led to it: the server's words, the campaign, a note.
    origin       TEXT NOT NULL,
    recipient_id INTEGER,
    campaign_id  INTEGER,
    created_by   TEXT,
    created_ms   INTEGER NOT NULL,
    expires_ms   INTEGER,
    UNIQUE (workspace_id, address_hash, covers)
) STRICT;
INSERT INTO suppression_next (id, workspace_id, address_hash, covers, address, reason, origin, recipient_id, campaign_id,
    created_by, created_ms, expires_ms)
SELECT id, workspace_id, address_hash, iif(reason IN ('complaint', 'unsubscribe'), 'marketing', 'all'), address, reason,
    origin, recipient_id, campaign_id, created_by, created_ms, expires_ms
FROM suppression;
DROP TABLE suppression;
ALTER TABLE suppression_next RENAME TO suppression;
CREATE INDEX suppression_address ON suppression (workspace_id, address);

-- Refusals for now that tell of the mailbox: several of them within some weeks are as good as one for good.
CREATE TABLE soft_bounce (
    -- Ascends with time: the old ones are in front.
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace_id INTEGER NOT NULL,
    address_hash BLOB NOT NULL,
    address      TEXT NOT NULL,
    recipient_id INTEGER NOT NULL,
    campaign_id  INTEGER,
    contact_id   INTEGER,
    at_ms        INTEGER NOT NULL,
    -- The server's words.
    text         TEXT NOT NULL
) STRICT;
CREATE INDEX soft_bounce_address ON soft_bounce (workspace_id, address_hash, at_ms);

-- When the recipient reported the mail as spam.
ALTER TABLE recipient_done ADD COLUMN complained_ms INTEGER;
-- Feedback reports name a submitted message by its Message-ID where they keep nothing else of it.
CREATE INDEX message_header ON message (header_id);

-- While sources or the domain earn their volume, the most engaged contacts come first, the last engaged before the
-- others: their cursor is the engagement of the last one taken in, with `audience_cursor` among equals. NULL: by id.
ALTER TABLE campaign_run ADD COLUMN engaged_first INTEGER NOT NULL DEFAULT 0 CHECK (engaged_first IN (0, 1));
ALTER TABLE campaign_run ADD COLUMN engaged_cursor_ms INTEGER;
