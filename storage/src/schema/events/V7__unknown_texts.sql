-- events.db: texts of replies and reports that no rule knew, one row for all of one making.
CREATE TABLE unknown_text (
    id           INTEGER PRIMARY KEY,
    workspace_id INTEGER NOT NULL,
    -- Empty where it is not known.
    provider     TEXT NOT NULL,
    -- The text without addresses, hosts, numbers, ids.
    shape        TEXT NOT NULL,
    -- The first one seen, addresses masked.
    sample       TEXT NOT NULL,
    -- Where in the session.
    stage        TEXT NOT NULL,
    -- What it was taken for, by its codes, and the rule that did so.
    class        TEXT NOT NULL,
    rule         TEXT NOT NULL,
    n            INTEGER NOT NULL,
    first_ms     INTEGER NOT NULL,
    last_ms      INTEGER NOT NULL,
    -- Somebody has seen it and wants no rule.
    dismissed_ms INTEGER,
    UNIQUE (workspace_id, provider, shape)
) STRICT;
CREATE INDEX unknown_text_last ON unknown_text (workspace_id, last_ms);
CREATE INDEX unknown_text_count ON unknown_text (workspace_id, n);
CREATE INDEX unknown_text_age ON unknown_text (last_ms);
