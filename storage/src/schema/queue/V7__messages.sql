-- Submitted messages: finding them by recipient, and requests that may come again.

-- The scheduler never looks at these, and campaigns' recipients are not in them.
CREATE INDEX recipient_message_address ON recipient (address_hash) WHERE message_id IS NOT NULL;
CREATE INDEX recipient_done_message_address ON recipient_done (address_hash) WHERE message_id IS NOT NULL;

-- What was answered to a request with an Idempotency-Key, written in the commit that took its messages in. Kept for a
-- day. AUTOINCREMENT: ids ascend with time, so the old ones are in front.
CREATE TABLE idempotency (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace_id INTEGER NOT NULL,
    -- Who asked: two programs may think of the same key.
    asker        TEXT NOT NULL,
    key          TEXT NOT NULL,
    -- SHA-256 of the request: the same key with another request is a mistake.
    request_hash BLOB NOT NULL,
    answer       TEXT NOT NULL,
    created_ms   INTEGER NOT NULL,
    UNIQUE (workspace_id, asker, key)
) STRICT;
