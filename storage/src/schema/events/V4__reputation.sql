-- events.db: rolling figures of senders, by the hour; kept for some weeks.
CREATE TABLE rollup_sender_hour (
    hour_ms      INTEGER NOT NULL,
    workspace_id INTEGER NOT NULL,
    -- 0: of no campaign.
    campaign_id  INTEGER NOT NULL,
    -- Of submitted mail; 0 for campaigns, whose domain stands in their row.
    domain_id    INTEGER NOT NULL,
    source       TEXT NOT NULL,
    provider     TEXT NOT NULL,
    -- 'late': bounced by a report after it had been counted as delivered.
    kind         TEXT NOT NULL CHECK (kind IN ('delivered', 'bounced', 'late', 'complained')),
    n            INTEGER NOT NULL,
    PRIMARY KEY (hour_ms, workspace_id, campaign_id, domain_id, source, provider, kind)
) STRICT, WITHOUT ROWID;
