-- Webhooks: where what happens is told to, and with which secret. How far each has come is in events.db.
CREATE TABLE webhook (
    -- Never used twice: cursors and deliveries in events.db refer to it.
    id                     INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace_id           INTEGER NOT NULL REFERENCES workspace (id),
    name                   TEXT NOT NULL,
    url                    TEXT NOT NULL,
    -- JSON list of api_types::WebhookType; empty: all of them.
    types                  TEXT NOT NULL CHECK (json_valid(types)),
    -- Only what belongs to this campaign, has this tag, left by this stream.
    campaign_id            INTEGER,
    tag                    TEXT,
    stream                 TEXT,
    enabled                INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    -- Why and when it was disabled, where nobody did it by hand.
    disabled_why           TEXT,
    disabled_ms            INTEGER,
    -- Sealed with the master key.
    secret_sealed          BLOB NOT NULL,
    -- The one before, which signs too until its time is over.
    secret_before_sealed   BLOB,
    secret_before_until_ms INTEGER,
    created_by             TEXT NOT NULL,
    created_ms             INTEGER NOT NULL,
    UNIQUE (workspace_id, name)
) STRICT;
CREATE INDEX webhook_workspace ON webhook (workspace_id, id);
