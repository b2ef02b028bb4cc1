-- queue.db: the stream of a campaign under way, and how the sources stand.

ALTER TABLE campaign_run ADD COLUMN stream TEXT NOT NULL DEFAULT 'bulk';

-- What was found at the last look at a source; one row per source and subject of a check, such as one blocklist.
-- The sources are the host's and belong to no workspace.
CREATE TABLE source_check (
    source     TEXT NOT NULL,
    -- What was looked at: address, ptr, forward, ehlo, blocklist, port25.
    subject    TEXT NOT NULL CHECK (subject IN ('address', 'ptr', 'forward', 'ehlo', 'blocklist', 'port25')),
    -- Which one of several: the blocklist's name; '' otherwise.
    item       TEXT NOT NULL,
    level      TEXT NOT NULL CHECK (level IN ('good', 'off', 'unsure', 'warning', 'bad')),
    -- What was found, and what to do about it.
    found      TEXT NOT NULL,
    advice     TEXT NOT NULL,
    -- Since when it stands so, and when it was looked at last.
    since_ms   INTEGER NOT NULL,
    checked_ms INTEGER NOT NULL,
    PRIMARY KEY (source, subject, item)
) STRICT, WITHOUT ROWID;
