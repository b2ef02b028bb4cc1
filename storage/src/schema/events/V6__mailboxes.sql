-- What was taken from mailboxes elsewhere and is still there.
CREATE TABLE mailbox_seen (
    mailbox TEXT NOT NULL,
    uid     TEXT NOT NULL,
    seen_ms INTEGER NOT NULL,
    PRIMARY KEY (mailbox, uid)
) STRICT, WITHOUT ROWID;
