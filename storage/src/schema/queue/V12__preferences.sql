-- queue.db: who left a list, which list a campaign's mail belongs to, suppressions for a while or until somebody shows
-- interest again, confirmations.

-- Keyed by the hash of the address, as suppressions are: a contact that is deleted and imported again has still left.
CREATE TABLE list_leave (
    workspace_id INTEGER NOT NULL,
    address_hash BLOB NOT NULL,
    list_id      INTEGER NOT NULL,
    since_ms     INTEGER NOT NULL,
    -- The mail that led there, where it was one.
    recipient_id INTEGER,
    campaign_id  INTEGER,
    PRIMARY KEY (workspace_id, address_hash, list_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX list_leave_list ON list_leave (list_id);

ALTER TABLE campaign_run ADD COLUMN list_id INTEGER;

CREATE TABLE suppression_next (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    -- 0: of the whole installation, for every workspace.
    workspace_id INTEGER NOT NULL,
    address_hash BLOB NOT NULL,
    -- 'marketing': bulk mail only; 'all': every mail.
    covers       TEXT NOT NULL CHECK (covers IN ('marketing', 'all')),
    address      TEXT,
    reason       TEXT NOT NULL CHECK (reason IN ('hard_bounce', 'soft_bounces', 'complaint', 'unsubscribe', 'paused',
                     'sunset', 'manual', 'import')),
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
SELECT id, workspace_id, address_hash, covers, address, reason, origin, recipient_id, campaign_id, created_by, created_ms,
    expires_ms
FROM suppression;
DROP TABLE suppression;
ALTER TABLE suppression_next RENAME TO suppression;
CREATE INDEX suppression_address ON suppression (workspace_id, address);
-- Looked through every hour for those who came back.
CREATE INDEX suppression_sunset ON suppression (id) WHERE reason = 'sunset';

-- When an address was last told what was changed on the page for preferences. Forgotten after a day.
CREATE TABLE confirmation (
    workspace_id INTEGER NOT NULL,
    address_hash BLOB NOT NULL,
    told_ms      INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, address_hash)
) STRICT, WITHOUT ROWID;
CREATE INDEX confirmation_told ON confirmation (told_ms);
