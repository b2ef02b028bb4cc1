-- main.db: addresses that recipients answer to, and what is done with what comes there.
CREATE TABLE reply_address (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace_id INTEGER NOT NULL,
    -- Lower case; each address once in the installation.
    address      TEXT NOT NULL UNIQUE,
    -- The sending domain that signs what is forwarded.
    domain_id    INTEGER NOT NULL REFERENCES domain (id) ON DELETE CASCADE,
    action       TEXT NOT NULL CHECK (action IN ('keep', 'forward', 'webhook')),
    forward_to   TEXT,
    -- Where answers are told to; may be gone.
    webhook_id   INTEGER,
    created_by   TEXT NOT NULL,
    created_ms   INTEGER NOT NULL,
    CHECK ((action = 'forward') = (forward_to IS NOT NULL)),
    CHECK ((action = 'webhook') = (webhook_id IS NOT NULL))
) STRICT;
CREATE INDEX reply_address_workspace ON reply_address (workspace_id, id);
CREATE INDEX reply_address_domain ON reply_address (domain_id);
