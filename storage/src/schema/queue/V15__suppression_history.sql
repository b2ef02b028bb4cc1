-- queue.db: what became of suppressions, and when soft bounces suppress.

-- Who was put on a list and taken off it, why and by whom. The address itself is not kept here: its hash finds the rows of
-- an address that somebody asks about, for as long as the history is kept.
CREATE TABLE suppression_change (
    -- Ascends with time: the old ones are in front.
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    -- 0: of the whole installation.
    workspace_id INTEGER NOT NULL,
    address_hash BLOB NOT NULL,
    -- First letter and domain.
    masked       TEXT NOT NULL,
    action       TEXT NOT NULL CHECK (action IN ('added', 'removed')),
    covers       TEXT NOT NULL CHECK (covers IN ('marketing', 'all')),
    reason       TEXT NOT NULL CHECK (reason IN ('hard_bounce', 'soft_bounces', 'complaint', 'unsubscribe', 'paused',
                     'sunset', 'manual', 'import')),
    -- Added: what led to it. Removed: why. The address in it is masked.
    words        TEXT NOT NULL,
    -- Who did it, when a person did.
    actor        TEXT,
    recipient_id INTEGER,
    campaign_id  INTEGER,
    at_ms        INTEGER NOT NULL,
    expires_ms   INTEGER
) STRICT;
CREATE INDEX suppression_change_address ON suppression_change (address_hash, id);

-- What stands on the lists was put there once.
INSERT INTO suppression_change (workspace_id, address_hash, masked, action, covers, reason, words, actor, recipient_id,
    campaign_id, at_ms, expires_ms)
SELECT workspace_id, address_hash, coalesce(substr(address, 1, 1) || '***' || substr(address, instr(address, '@')), '***'),
    'added', covers, reason,
    iif(address IS NULL, origin, replace(origin, address, substr(address, 1, 1) || '***' || substr(address, instr(address, '@')))),
    created_by, recipient_id, campaign_id, created_ms, expires_ms
FROM suppression ORDER BY created_ms, id;

-- Entries that have ended are forgotten some time after.
CREATE INDEX suppression_ended ON suppression (expires_ms) WHERE expires_ms IS NOT NULL;

-- How many soft bounces within which time suppress for how long, as configured at the last start: asked in the commit of
-- each. No row: none do.
CREATE TABLE soft_bounce_rule (
    id        INTEGER PRIMARY KEY CHECK (id = 1),
    bounces   INTEGER NOT NULL,
    within_ms INTEGER NOT NULL,
    expiry_ms INTEGER NOT NULL
) STRICT;
