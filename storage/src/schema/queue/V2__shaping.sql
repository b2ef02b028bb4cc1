-- What replies and ratios made the engine do by itself: holds, lower rates, fewer connections. In force while `ended_ms`
-- is NULL. `workspace_id` is that of the mail that led to it; what concerns a source concerns every workspace.
CREATE TABLE automation (
    id            INTEGER PRIMARY KEY,
    workspace_id  INTEGER NOT NULL,
    scope         TEXT NOT NULL CHECK (scope IN ('source_site', 'source_provider', 'domain_provider', 'workspace_provider')),
    source        TEXT,
    site          TEXT,
    provider      TEXT NOT NULL,
    domain        TEXT,
    rule          TEXT NOT NULL,
    -- Nothing goes until then.
    hold_until_ms INTEGER,
    -- As in packetboat.toml: '1/min'.
    rate          TEXT,
    connections   INTEGER,
    recovers      INTEGER NOT NULL CHECK (recovers IN (0, 1)),
    alarm         TEXT,
    -- The server's words, or the figures of a ratio.
    reply         TEXT NOT NULL,
    since_ms      INTEGER NOT NULL,
    until_ms      INTEGER NOT NULL,
    ended_ms      INTEGER,
    -- Who or what ended it before its time.
    ended_by      TEXT
) STRICT;
CREATE INDEX automation_open ON automation (id) WHERE ended_ms IS NULL;
