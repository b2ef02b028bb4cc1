-- main.db: lists that people subscribe to, what the preference centre looks like, list hygiene.

-- Numbers are never given twice: who left a list is kept in queue.db under its number.
CREATE TABLE list (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace_id INTEGER NOT NULL REFERENCES workspace (id),
    name         TEXT NOT NULL COLLATE NOCASE,
    -- What the preference centre says below the name.
    description  TEXT NOT NULL,
    -- Whether the preference centre offers it.
    is_public    INTEGER NOT NULL CHECK (is_public IN (0, 1)),
    -- Whether contacts that are added one by one are put on it.
    is_default   INTEGER NOT NULL CHECK (is_default IN (0, 1)),
    created_ms   INTEGER NOT NULL,
    UNIQUE (workspace_id, name)
) STRICT;

-- Who was put on a list. Who left it since stays here: leaving is a row of queue.db, which outlives the contact.
CREATE TABLE list_member (
    list_id      INTEGER NOT NULL REFERENCES list (id) ON DELETE CASCADE,
    contact_id   INTEGER NOT NULL REFERENCES contact (id) ON DELETE CASCADE,
    workspace_id INTEGER NOT NULL REFERENCES workspace (id),
    since_ms     INTEGER NOT NULL,
    source       TEXT NOT NULL,
    PRIMARY KEY (list_id, contact_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX list_member_contact ON list_member (contact_id);

-- The list that a campaign's mail belongs to.
ALTER TABLE campaign ADD COLUMN list_id INTEGER REFERENCES list (id) ON DELETE SET NULL;

-- The first and the last mail that a contact got, to the day. Taken from the events, apart from the contact, whose row is
-- larger.
CREATE TABLE contact_mailed (
    contact_id   INTEGER PRIMARY KEY REFERENCES contact (id) ON DELETE CASCADE,
    workspace_id INTEGER NOT NULL REFERENCES workspace (id),
    first_ms     INTEGER NOT NULL,
    last_ms      INTEGER NOT NULL
) STRICT;

CREATE TABLE preference_centre (
    workspace_id INTEGER PRIMARY KEY REFERENCES workspace (id),
    -- api_types::PreferenceCentre as JSON
    settings     TEXT NOT NULL CHECK (json_valid(settings)),
    updated_ms   INTEGER NOT NULL,
    updated_by   TEXT NOT NULL
) STRICT;

CREATE TABLE logo (
    workspace_id INTEGER PRIMARY KEY REFERENCES workspace (id),
    -- What it is asked for by: told by its content, so that another logo has another name.
    name         TEXT NOT NULL UNIQUE,
    media_type   TEXT NOT NULL CHECK (media_type IN ('image/png', 'image/jpeg', 'image/webp')),
    content      BLOB NOT NULL
) STRICT;

CREATE TABLE hygiene (
    workspace_id INTEGER PRIMARY KEY REFERENCES workspace (id),
    -- api_types::HygieneSettings as JSON
    settings     TEXT NOT NULL CHECK (json_valid(settings)),
    updated_ms   INTEGER NOT NULL,
    updated_by   TEXT NOT NULL
) STRICT;

-- What the rules did, a row per rule and day.
CREATE TABLE hygiene_run (
    id           INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace_id INTEGER NOT NULL REFERENCES workspace (id),
    rule         TEXT NOT NULL CHECK (rule IN ('sunset', 'reengage')),
    started_by   TEXT NOT NULL,
    started_ms   INTEGER NOT NULL,
    -- NULL: under way, or broken off by a stop of the daemon; the next one goes on.
    finished_ms  INTEGER,
    changed      INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX hygiene_run_workspace ON hygiene_run (workspace_id, id);
