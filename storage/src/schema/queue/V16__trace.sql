-- queue.db: what came back of mail, why mail waited, and everything that was sent to one address.

-- What came back of a recipient's mail, each kind once: campaigns' figures count these rows, and lists of who did what
-- are read from them. 'delivered', 'relayed' and 'expanded' are what reports say (RFC 3464 §2.3.3).
CREATE TABLE response (
    -- 0: of no campaign.
    campaign_id  INTEGER NOT NULL,
    kind         TEXT NOT NULL CHECK (kind IN ('unsubscribed', 'left', 'complained', 'replied', 'delivered', 'relayed',
                     'expanded')),
    recipient_id INTEGER NOT NULL,
    workspace_id INTEGER NOT NULL,
    at_ms        INTEGER NOT NULL,
    PRIMARY KEY (campaign_id, kind, recipient_id)
) STRICT, WITHOUT ROWID;
-- They go with their recipients.
CREATE INDEX response_recipient ON response (recipient_id);
INSERT INTO response (campaign_id, kind, recipient_id, workspace_id, at_ms)
SELECT coalesce(campaign_id, 0), 'complained', id, workspace_id, complained_ms
FROM recipient_done WHERE complained_ms IS NOT NULL;

-- Why it waited though nothing was attempted, the newest first: "REASON MS;" again and again, as far as there is room.
ALTER TABLE recipient ADD COLUMN waits TEXT;
ALTER TABLE recipient_done ADD COLUMN waits TEXT;

-- What was sent to a contact is found by its campaigns, which are few: an index by address would cost every campaign
-- a page of the disk for each recipient.
CREATE INDEX campaign_run_workspace ON campaign_run (workspace_id, campaign_id);

-- The answers to a recipient's mail.
CREATE INDEX reply_recipient ON reply (recipient_id) WHERE recipient_id IS NOT NULL;
