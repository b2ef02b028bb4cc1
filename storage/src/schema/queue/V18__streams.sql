-- queue.db: who wants no mail of a stream.

-- Keyed by the hash of the address, as list_leave is. By the stream first: whether anybody left it is one look.
CREATE TABLE stream_leave (
    workspace_id INTEGER NOT NULL,
    stream       TEXT NOT NULL,
    address_hash BLOB NOT NULL,
    since_ms     INTEGER NOT NULL,
    -- The mail that led there, where it was one.
    recipient_id INTEGER,
    campaign_id  INTEGER,
    PRIMARY KEY (workspace_id, stream, address_hash)
) STRICT, WITHOUT ROWID;
CREATE INDEX stream_leave_address ON stream_leave (workspace_id, address_hash);
