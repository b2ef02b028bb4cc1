-- Where each signing key is in its life, and when it came there. `dkim::rotation` has the rules.
ALTER TABLE dkim_key ADD COLUMN step TEXT NOT NULL DEFAULT 'waiting'
    CHECK (step IN ('waiting', 'seen', 'active', 'replaced', 'retired', 'revoked', 'removable'));
ALTER TABLE dkim_key ADD COLUMN step_ms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE dkim_key ADD COLUMN seen_ms INTEGER;
ALTER TABLE dkim_key ADD COLUMN active_ms INTEGER;
ALTER TABLE dkim_key ADD COLUMN replaced_ms INTEGER;
ALTER TABLE dkim_key ADD COLUMN retired_ms INTEGER;
ALTER TABLE dkim_key ADD COLUMN revoked_ms INTEGER;
ALTER TABLE dkim_key ADD COLUMN removable_ms INTEGER;
-- Since when the record has been missing, where it should be visible.
ALTER TABLE dkim_key ADD COLUMN missing_ms INTEGER;
-- Whether it signs although its record was never seen, and who said so when.
ALTER TABLE dkim_key ADD COLUMN excused INTEGER NOT NULL DEFAULT 0 CHECK (excused IN (0, 1));
ALTER TABLE dkim_key ADD COLUMN forced_by TEXT;
ALTER TABLE dkim_key ADD COLUMN forced_ms INTEGER;
UPDATE dkim_key SET step_ms = created_ms;

-- When the records are looked up next; kept, so that a restart neither forgets nor hurries.
ALTER TABLE domain ADD COLUMN next_check_ms INTEGER NOT NULL DEFAULT 0;
-- New keys every so many days; by hand only when absent.
ALTER TABLE domain ADD COLUMN rotate_days INTEGER CHECK (rotate_days > 0);
CREATE INDEX domain_next_check ON domain (next_check_ms);

CREATE TABLE domain_event (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace_id INTEGER NOT NULL REFERENCES workspace (id),
    domain_id    INTEGER NOT NULL REFERENCES domain (id) ON DELETE CASCADE,
    at_ms        INTEGER NOT NULL,
    kind         TEXT NOT NULL CHECK (kind IN ('added', 'rotation', 'key', 'forced', 'lost', 'back', 'schedule', 'removed')),
    text         TEXT NOT NULL,
    -- Who did it, when a person did.
    actor        TEXT
) STRICT;
CREATE INDEX domain_event_domain ON domain_event (domain_id, id);
