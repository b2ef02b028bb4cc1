-- Warm-up: how far each source, and each new sending domain, is at each provider, and the figures of its present day.

-- Counted in the commits of what they count: `sent` with the mark before the final dot, the others with the outcome.
CREATE TABLE warmup (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    -- 0 for sources, which belong to the installation.
    workspace_id INTEGER NOT NULL,
    axis         TEXT NOT NULL CHECK (axis IN ('source', 'domain')),
    -- The source's name, or the sending domain.
    subject      TEXT NOT NULL,
    provider     TEXT NOT NULL,
    state        TEXT NOT NULL CHECK (state IN ('running', 'paused', 'done')),
    -- From 0.
    stage        INTEGER NOT NULL,
    -- Why it is at this stage, and since when.
    note         TEXT NOT NULL,
    note_ms      INTEGER NOT NULL,
    -- Days since 1970, in UTC.
    day          INTEGER NOT NULL,
    sent         INTEGER NOT NULL DEFAULT 0,
    delivered    INTEGER NOT NULL DEFAULT 0,
    deferred     INTEGER NOT NULL DEFAULT 0,
    blocked      INTEGER NOT NULL DEFAULT 0,
    bounced      INTEGER NOT NULL DEFAULT 0,
    complained   INTEGER NOT NULL DEFAULT 0,
    UNIQUE (axis, subject, provider)
) STRICT;
-- Each night the days that are over are looked for, and what is long unused.
CREATE INDEX warmup_day ON warmup (day);

-- Sending domains that earn their volume too. The domain itself is in main.db.
CREATE TABLE warmup_domain (
    domain_id    INTEGER PRIMARY KEY,
    workspace_id INTEGER NOT NULL,
    domain       TEXT NOT NULL UNIQUE,
    plan         TEXT NOT NULL,
    created_by   TEXT NOT NULL,
    created_ms   INTEGER NOT NULL
) STRICT;
