-- Webhooks: how far each has come with the events, how it fares, and what was sent.

-- Events up to `event_id` were told, or are kept in webhook_delivery. What comes after it is the backlog.
CREATE TABLE webhook_cursor (
    webhook_id        INTEGER PRIMARY KEY,
    workspace_id      INTEGER NOT NULL,
    event_id          INTEGER NOT NULL,
    -- Events that were deleted before they could be told.
    skipped           INTEGER NOT NULL DEFAULT 0,
    delivered         INTEGER NOT NULL DEFAULT 0,
    -- In a row: a success sets both to 0.
    attempts_failed   INTEGER NOT NULL DEFAULT 0,
    deliveries_failed INTEGER NOT NULL DEFAULT 0,
    success_ms        INTEGER,
    failure_ms        INTEGER,
    -- What came of the last attempt that failed.
    failure           TEXT
) STRICT;

CREATE TABLE webhook_delivery (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    webhook_id   INTEGER NOT NULL,
    workspace_id INTEGER NOT NULL,
    type         TEXT NOT NULL,
    -- What it tells: an event, or what was queued for this webhook.
    event_id     INTEGER,
    queued_id    INTEGER,
    at_ms        INTEGER NOT NULL,
    created_ms   INTEGER NOT NULL,
    state        TEXT NOT NULL CHECK (state IN ('waiting', 'retrying', 'delivered', 'failed')),
    attempts     INTEGER NOT NULL,
    -- When it is tried (again); NULL when it is not.
    next_ms      INTEGER,
    -- Of the last attempt.
    attempt_ms   INTEGER,
    status       INTEGER,
    answer       TEXT,
    took_ms      INTEGER,
    -- JSON. A delivered event's is not kept: it is made from the event.
    data         TEXT,
    CHECK ((event_id IS NULL) = (queued_id IS NOT NULL))
) STRICT;
CREATE INDEX webhook_delivery_list ON webhook_delivery (webhook_id, id);
-- Few where all is well.
CREATE INDEX webhook_delivery_state ON webhook_delivery (webhook_id, state, id) WHERE state <> 'delivered';
CREATE INDEX webhook_delivery_due ON webhook_delivery (webhook_id, next_ms) WHERE next_ms IS NOT NULL;
-- Moving twice changes nothing.
CREATE UNIQUE INDEX webhook_delivery_queued ON webhook_delivery (queued_id) WHERE queued_id IS NOT NULL;
