-- What was said over the wire with one recipient's message, without its content.
CREATE TABLE conversation (
    id           INTEGER PRIMARY KEY,
    at_ms        INTEGER NOT NULL,
    workspace_id INTEGER NOT NULL,
    recipient_id INTEGER NOT NULL,
    source       TEXT NOT NULL,
    mx           TEXT NOT NULL,
    outcome      TEXT NOT NULL,
    text         TEXT NOT NULL,
    bytes        INTEGER NOT NULL
) STRICT;
CREATE INDEX conversation_recipient ON conversation (recipient_id);

-- The size of all kept conversations of a workspace, so that the bound needs no sum over the rows.
CREATE TABLE conversation_size (
    workspace_id INTEGER PRIMARY KEY,
    bytes        INTEGER NOT NULL
) STRICT;
