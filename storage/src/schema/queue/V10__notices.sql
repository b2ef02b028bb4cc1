-- Reports of our own to whoever handed a message in (DSN, RFC 3461).
ALTER TABLE message ADD COLUMN notice_to TEXT;
-- Failures are told though NOTIFY was not given.
ALTER TABLE message ADD COLUMN notice_unasked INTEGER NOT NULL DEFAULT 0 CHECK (notice_unasked IN (0, 1));
-- It goes out with the empty reverse-path: nobody is told anything of it, so that reports cannot go round.
ALTER TABLE message ADD COLUMN null_sender INTEGER NOT NULL DEFAULT 0 CHECK (null_sender IN (0, 1));

-- That it takes long was told.
ALTER TABLE recipient ADD COLUMN delay_told INTEGER NOT NULL DEFAULT 0 CHECK (delay_told IN (0, 1));
CREATE INDEX recipient_delay ON recipient (accepted_ms) WHERE delay_told = 0 AND instr(dsn_notify, 'DELAY') > 0;

-- What is still to be told when a report comes later.
ALTER TABLE recipient_done ADD COLUMN dsn_notify TEXT;
ALTER TABLE recipient_done ADD COLUMN dsn_orcpt TEXT;

-- What is to be told, until the report that tells it is in the queue.
CREATE TABLE notice (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace_id INTEGER NOT NULL,
    message_id   INTEGER NOT NULL,
    recipient_id INTEGER NOT NULL,
    action       TEXT NOT NULL CHECK (action IN ('failed', 'delayed', 'relayed', 'expanded', 'delivered')),
    at_ms        INTEGER NOT NULL,
    address      TEXT NOT NULL,
    orcpt        TEXT,
    reply_code   INTEGER,
    enhanced     TEXT,
    reply        TEXT,
    mx           TEXT,
    -- Until when it is tried, where it still is.
    until_ms     INTEGER,
    -- The message's headers, or all of it; with the first notice of a message only, since the others go with it.
    original     BLOB,
    is_whole     INTEGER NOT NULL CHECK (is_whole IN (0, 1))
) STRICT;
CREATE INDEX notice_message ON notice (message_id, id);
