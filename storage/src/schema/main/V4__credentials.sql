-- What programs sign in with at the submission listener. The secret is stored as HMAC-SHA-256 under a key that is not
-- in the database.
CREATE TABLE smtp_credential (
    id                  INTEGER PRIMARY KEY AUTOINCREMENT,
    workspace_id        INTEGER NOT NULL REFERENCES workspace (id),
    name                TEXT NOT NULL,
    login               TEXT NOT NULL UNIQUE,
    secret_tag          BLOB NOT NULL,
    stream              TEXT NOT NULL,
    -- Whether it may send from every sending domain of the workspace, later ones too.
    all_domains         INTEGER NOT NULL CHECK (all_domains IN (0, 1)),
    messages_per_minute INTEGER,
    enabled             INTEGER NOT NULL CHECK (enabled IN (0, 1)),
    created_by          TEXT NOT NULL,
    created_ms          INTEGER NOT NULL,
    last_used_ms        INTEGER,
    UNIQUE (workspace_id, name)
) STRICT;
CREATE INDEX smtp_credential_workspace ON smtp_credential (workspace_id, id);

-- The sending domains of a credential that may not use all. A domain that goes takes only itself away: a credential
-- without any left can send nothing.
CREATE TABLE smtp_credential_domain (
    credential_id INTEGER NOT NULL REFERENCES smtp_credential (id) ON DELETE CASCADE,
    domain_id     INTEGER NOT NULL REFERENCES domain (id) ON DELETE CASCADE,
    workspace_id  INTEGER NOT NULL REFERENCES workspace (id),
    PRIMARY KEY (credential_id, domain_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX smtp_credential_domain_domain ON smtp_credential_domain (domain_id);
