-- What is told to a webhook and is no event, written in the commit of what it tells; moved to events.db as the outbox is.
CREATE TABLE webhook_outbox (
    -- Never used twice: it is the delivery's name.
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace_id INTEGER NOT NULL,
    webhook_id   INTEGER NOT NULL,
    type         TEXT NOT NULL,
    at_ms        INTEGER NOT NULL,
    data         TEXT NOT NULL CHECK (json_valid(data))
) STRICT;
