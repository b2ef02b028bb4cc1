-- Addresses that contacts had: what was sent to them is found by the contact, also when it is deleted or has another
-- address now. Kept as long as what was sent.
CREATE TABLE contact_past_address (
    workspace_id INTEGER NOT NULL,
    address_hash BLOB NOT NULL,
    contact_id   INTEGER NOT NULL,
    until_ms     INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, address_hash, contact_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX contact_past_address_until ON contact_past_address (until_ms);
