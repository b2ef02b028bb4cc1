-- events.db: what reputation acts on, and bounces by what they can be told apart by.

-- Bulk mail by the hour, small enough to be read every minute; kept for some weeks.
CREATE TABLE rollup_bulk_hour (
    hour_ms      INTEGER NOT NULL,
    workspace_id INTEGER NOT NULL,
    -- 0: of no campaign.
    campaign_id  INTEGER NOT NULL,
    -- Of submitted mail; 0 for campaigns, whose domain stands in their row.
    domain_id    INTEGER NOT NULL,
    sent         INTEGER NOT NULL,
    bounced      INTEGER NOT NULL,
    complained   INTEGER NOT NULL,
    PRIMARY KEY (hour_ms, workspace_id, campaign_id, domain_id)
) STRICT, WITHOUT ROWID;

-- Recipients that were refused or given up, by the day (UTC) on which their mail was finished: a report that comes later
-- counts for that day. Kept as long as finished recipients are.
CREATE TABLE rollup_bounce_day (
    workspace_id INTEGER NOT NULL,
    day_ms       INTEGER NOT NULL,
    -- 0: of no campaign.
    campaign_id  INTEGER NOT NULL,
    provider     TEXT NOT NULL,
    source       TEXT NOT NULL,
    class        TEXT NOT NULL,
    state        TEXT NOT NULL CHECK (state IN ('bounced', 'expired')),
    n            INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, day_ms, campaign_id, provider, source, class, state)
) STRICT, WITHOUT ROWID;
