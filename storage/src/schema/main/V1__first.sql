-- main.db: people and settings. Every row that belongs to somebody carries its workspace.
CREATE TABLE workspace (
    id             INTEGER PRIMARY KEY,
    name           TEXT NOT NULL,
    time_zone      TEXT NOT NULL DEFAULT 'UTC',
    postal_address TEXT NOT NULL DEFAULT '',
    created_ms     INTEGER NOT NULL
) STRICT;
INSERT INTO workspace (id, name, created_ms) VALUES (1, 'Main', 0);

CREATE TABLE user (
    id              INTEGER PRIMARY KEY,
    workspace_id    INTEGER NOT NULL REFERENCES workspace (id),
    email           TEXT NOT NULL,
    name            TEXT NOT NULL,
    password_hash   TEXT NOT NULL,
    role            TEXT NOT NULL CHECK (role IN ('owner', 'admin', 'marketer', 'viewer')),
    created_ms      INTEGER NOT NULL,
    last_sign_in_ms INTEGER,
    UNIQUE (email)
) STRICT;

-- Tokens are stored as SHA-256 of the cookie's value: who reads the database cannot sign in with it.
CREATE TABLE session (
    token_hash   BLOB PRIMARY KEY,
    user_id      INTEGER NOT NULL REFERENCES user (id) ON DELETE CASCADE,
    workspace_id INTEGER NOT NULL REFERENCES workspace (id),
    csrf_token   TEXT NOT NULL,
    created_ms   INTEGER NOT NULL,
    seen_ms      INTEGER NOT NULL,
    expires_ms   INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX session_expires ON session (expires_ms);

CREATE TABLE sign_in_link (
    token_hash BLOB PRIMARY KEY,
    user_id    INTEGER NOT NULL REFERENCES user (id) ON DELETE CASCADE,
    expires_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE api_key (
    id           INTEGER PRIMARY KEY,
    workspace_id INTEGER NOT NULL REFERENCES workspace (id),
    name         TEXT NOT NULL,
    prefix       TEXT NOT NULL,
    key_hash     BLOB NOT NULL UNIQUE,
    created_by   TEXT NOT NULL,
    created_ms   INTEGER NOT NULL,
    last_used_ms INTEGER
) STRICT;
CREATE INDEX api_key_workspace ON api_key (workspace_id, id);

CREATE TABLE contact (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace_id   INTEGER NOT NULL REFERENCES workspace (id),
    email          TEXT NOT NULL,
    -- mail::Address::normalized
    email_norm     TEXT NOT NULL,
    address_hash   BLOB NOT NULL,
    domain         TEXT NOT NULL,
    first_name     TEXT NOT NULL DEFAULT '',
    last_name      TEXT NOT NULL DEFAULT '',
    attributes     TEXT NOT NULL DEFAULT '{}' CHECK (json_valid(attributes)),
    consent_source TEXT NOT NULL DEFAULT '',
    -- Address and names in lower case: what the search box looks through.
    search         TEXT NOT NULL,
    -- The import that last had a row for this contact: tells a duplicate within its file, also after a restart.
    import_id      INTEGER,
    created_ms     INTEGER NOT NULL,
    updated_ms     INTEGER NOT NULL,
    UNIQUE (workspace_id, email_norm)
) STRICT;
-- Covers searching: the table itself is read only for rows that match. New contacts append to it.
CREATE INDEX contact_search ON contact (workspace_id, id, search);
CREATE INDEX contact_created ON contact (workspace_id, created_ms);
CREATE INDEX contact_hash ON contact (workspace_id, address_hash);

CREATE TABLE field (
    workspace_id INTEGER NOT NULL REFERENCES workspace (id),
    name         TEXT NOT NULL,
    kind         TEXT NOT NULL CHECK (kind IN ('text', 'number', 'boolean', 'date')),
    PRIMARY KEY (workspace_id, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE tag (
    id           INTEGER PRIMARY KEY,
    workspace_id INTEGER NOT NULL REFERENCES workspace (id),
    -- "VIP" and "vip" are one tag, spelled as it was first.
    name         TEXT NOT NULL COLLATE NOCASE,
    UNIQUE (workspace_id, name)
) STRICT;

CREATE TABLE contact_tag (
    tag_id     INTEGER NOT NULL REFERENCES tag (id) ON DELETE CASCADE,
    contact_id INTEGER NOT NULL REFERENCES contact (id) ON DELETE CASCADE,
    PRIMARY KEY (tag_id, contact_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX contact_tag_contact ON contact_tag (contact_id);

-- The uploaded file lies under DIR/imports/ID.csv until the import has ended.
CREATE TABLE import (
    id             INTEGER PRIMARY KEY,
    workspace_id   INTEGER NOT NULL REFERENCES workspace (id),
    file_name      TEXT NOT NULL,
    state          TEXT NOT NULL CHECK (state IN ('draft', 'running', 'finished', 'cancelled', 'failed')),
    -- api_types::ImportColumn as JSON
    columns        TEXT NOT NULL,
    -- api_types::ImportStart as JSON, once started
    start          TEXT,
    bytes_total    INTEGER NOT NULL,
    bytes_done     INTEGER NOT NULL DEFAULT 0,
    -- Line of the next row, so that an interrupted import goes on where its last commit ended.
    next_line      INTEGER NOT NULL DEFAULT 2,
    row_count      INTEGER NOT NULL DEFAULT 0,
    created_count  INTEGER NOT NULL DEFAULT 0,
    updated_count  INTEGER NOT NULL DEFAULT 0,
    skipped_count  INTEGER NOT NULL DEFAULT 0,
    failed_count   INTEGER NOT NULL DEFAULT 0,
    message        TEXT,
    created_by     TEXT NOT NULL,
    created_ms     INTEGER NOT NULL,
    finished_ms    INTEGER
) STRICT;
CREATE INDEX import_workspace ON import (workspace_id, id);

CREATE TABLE import_error (
    id        INTEGER PRIMARY KEY,
    import_id INTEGER NOT NULL REFERENCES import (id) ON DELETE CASCADE,
    line      INTEGER NOT NULL,
    column_name TEXT NOT NULL,
    value     TEXT NOT NULL,
    reason    TEXT NOT NULL
) STRICT;
CREATE INDEX import_error_import ON import_error (import_id, id);

CREATE TABLE segment (
    id           INTEGER PRIMARY KEY,
    workspace_id INTEGER NOT NULL REFERENCES workspace (id),
    name         TEXT NOT NULL,
    -- api_types::Filter as JSON
    filter       TEXT NOT NULL CHECK (json_valid(filter)),
    count        INTEGER NOT NULL DEFAULT 0,
    created_ms   INTEGER NOT NULL,
    updated_ms   INTEGER NOT NULL,
    UNIQUE (workspace_id, name)
) STRICT;

CREATE TABLE template (
    id           INTEGER PRIMARY KEY,
    workspace_id INTEGER NOT NULL REFERENCES workspace (id),
    name         TEXT NOT NULL,
    version      INTEGER NOT NULL,
    created_ms   INTEGER NOT NULL,
    updated_ms   INTEGER NOT NULL,
    UNIQUE (workspace_id, name)
) STRICT;

-- A version never changes: "as sent" stays reproducible. Deleting a template keeps the versions that campaigns used.
CREATE TABLE template_version (
    id           INTEGER PRIMARY KEY,
    template_id  INTEGER NOT NULL,
    workspace_id INTEGER NOT NULL REFERENCES workspace (id),
    number       INTEGER NOT NULL,
    kind         TEXT NOT NULL CHECK (kind IN ('mjml', 'html')),
    subject      TEXT NOT NULL,
    preheader    TEXT NOT NULL,
    source       TEXT NOT NULL,
    created_by   TEXT NOT NULL,
    created_ms   INTEGER NOT NULL,
    UNIQUE (template_id, number)
) STRICT;

CREATE TABLE domain (
    id                 INTEGER PRIMARY KEY,
    workspace_id       INTEGER NOT NULL REFERENCES workspace (id),
    domain             TEXT NOT NULL,
    return_path_domain TEXT NOT NULL,
    created_ms         INTEGER NOT NULL,
    checked_ms         INTEGER,
    -- What the last look-up found: JSON list of api_types::DomainRecord
    checked            TEXT,
    UNIQUE (domain),
    UNIQUE (return_path_domain)
) STRICT;

CREATE TABLE dkim_key (
    id             INTEGER PRIMARY KEY,
    domain_id      INTEGER NOT NULL REFERENCES domain (id) ON DELETE CASCADE,
    workspace_id   INTEGER NOT NULL REFERENCES workspace (id),
    selector       TEXT NOT NULL,
    algorithm      TEXT NOT NULL CHECK (algorithm IN ('rsa-sha256', 'ed25519-sha256')),
    -- PKCS#8, sealed with the master key (AES-256-GCM)
    private_sealed BLOB NOT NULL,
    -- The p= value: base64 of the public key
    public_key     TEXT NOT NULL,
    created_ms     INTEGER NOT NULL,
    UNIQUE (domain_id, selector)
) STRICT;

-- The draft, and from launch on the frozen definition. What happens after launch is queue.db's campaign_run.
CREATE TABLE campaign (
    id                  INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace_id        INTEGER NOT NULL REFERENCES workspace (id),
    name                TEXT NOT NULL,
    template_id         INTEGER REFERENCES template (id) ON DELETE SET NULL,
    segment_id          INTEGER REFERENCES segment (id) ON DELETE SET NULL,
    from_email          TEXT NOT NULL,
    from_name           TEXT NOT NULL,
    reply_to            TEXT NOT NULL,
    pool                TEXT NOT NULL,
    created_by          TEXT NOT NULL,
    created_ms          INTEGER NOT NULL,
    updated_ms          INTEGER NOT NULL,
    launched_ms         INTEGER,
    launched_by         TEXT,
    -- Pinned at launch.
    template_version_id INTEGER REFERENCES template_version (id),
    filter              TEXT,
    domain_id           INTEGER,
    -- Contacts up to this id belong to the audience: who is added later does not.
    audience_limit      INTEGER,
    UNIQUE (workspace_id, name)
) STRICT;
CREATE INDEX campaign_workspace ON campaign (workspace_id, id);

CREATE TABLE meta (key TEXT PRIMARY KEY, value BLOB NOT NULL) STRICT, WITHOUT ROWID;
