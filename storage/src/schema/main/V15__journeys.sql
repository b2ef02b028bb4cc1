-- main.db: journeys as people write them, their published versions, who joined a list that leads into one.

CREATE TABLE journey (
    id              INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace_id    INTEGER NOT NULL REFERENCES workspace (id),
    name            TEXT NOT NULL COLLATE NOCASE,
    -- api_types::JourneyGraph as JSON
    draft           TEXT NOT NULL CHECK (json_valid(draft)),
    -- The newest published version; 0: none yet.
    version         INTEGER NOT NULL DEFAULT 0,
    -- Who joins this list enters: that of the published version, NULL when the journey has ended.
    trigger_list_id INTEGER,
    created_by      TEXT NOT NULL,
    created_ms      INTEGER NOT NULL,
    updated_ms      INTEGER NOT NULL,
    UNIQUE (workspace_id, name)
) STRICT;
CREATE INDEX journey_workspace ON journey (workspace_id, id);
CREATE INDEX journey_trigger ON journey (trigger_list_id) WHERE trigger_list_id IS NOT NULL;

-- A version never changes: who is under way goes on by the one it entered with.
CREATE TABLE journey_version (
    journey_id   INTEGER NOT NULL REFERENCES journey (id) ON DELETE CASCADE,
    number       INTEGER NOT NULL,
    workspace_id INTEGER NOT NULL REFERENCES workspace (id),
    graph        TEXT NOT NULL CHECK (json_valid(graph)),
    published_by TEXT NOT NULL,
    published_ms INTEGER NOT NULL,
    PRIMARY KEY (journey_id, number)
) STRICT, WITHOUT ROWID;

-- Written in the commit of joining, deleted when the contact has entered.
CREATE TABLE journey_joined (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace_id INTEGER NOT NULL,
    journey_id   INTEGER NOT NULL,
    contact_id   INTEGER NOT NULL,
    list_id      INTEGER NOT NULL
) STRICT;

-- The mail of a step is a campaign of its own, launched as it is made, whose recipients come one by one.
ALTER TABLE campaign ADD COLUMN journey_id INTEGER;
ALTER TABLE campaign ADD COLUMN journey_version INTEGER;
ALTER TABLE campaign ADD COLUMN journey_step TEXT;
CREATE INDEX campaign_journey ON campaign (journey_id, journey_version, journey_step) WHERE journey_id IS NOT NULL;
