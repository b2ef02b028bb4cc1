-- Reports of single mails that failed authentication (RFC 6591, RFC 9991): one row each. One that comes again is the same
-- by its fingerprint.
CREATE TABLE auth_failure (
    id           INTEGER PRIMARY KEY,
    workspace_id INTEGER NOT NULL,
    -- The sending domain of ours that it is about.
    domain       TEXT NOT NULL,
    fingerprint  BLOB NOT NULL,
    received_ms  INTEGER NOT NULL,
    -- When the mail came to the reporter.
    arrived_ms   INTEGER NOT NULL,
    organization TEXT NOT NULL,
    -- The address that the report came from.
    brought_by   TEXT NOT NULL,
    -- What failed: the word of Auth-Failure.
    failure      TEXT NOT NULL,
    -- Empty where the report names none.
    source_ip    TEXT NOT NULL,
    -- What of ours failed: the address of a source, or the name of a signing key; empty where it is nothing of ours.
    item         TEXT NOT NULL,
    -- The signatures that failed: "selector._domainkey.domain", with blanks between.
    signatures   TEXT NOT NULL,
    -- What the reporter did with the mail, in its word.
    delivery     TEXT NOT NULL,
    -- How many mails the report stands for.
    incidents    INTEGER NOT NULL,
    -- Message-ID of the mail.
    header_id    TEXT NOT NULL,
    -- Whom it went to, where a mark of ours says so.
    recipient_id INTEGER,
    UNIQUE (workspace_id, domain, fingerprint)
) STRICT;
CREATE INDEX auth_failure_page ON auth_failure (workspace_id, id);
CREATE INDEX auth_failure_recipient ON auth_failure (recipient_id) WHERE recipient_id IS NOT NULL;
CREATE INDEX auth_failure_received ON auth_failure (received_ms);
CREATE INDEX auth_failure_item ON auth_failure (workspace_id, domain, item, received_ms) WHERE item <> '';

-- The same two tables as before, for one more kind of report.
CREATE TABLE report_day_wider (
    day_ms       INTEGER NOT NULL,
    workspace_id INTEGER NOT NULL,
    domain       TEXT NOT NULL,
    kind         TEXT NOT NULL CHECK (kind IN ('dmarc', 'tls', 'auth')),
    kept         INTEGER NOT NULL,
    beyond       INTEGER NOT NULL,
    PRIMARY KEY (day_ms, workspace_id, domain, kind)
) STRICT, WITHOUT ROWID;
INSERT INTO report_day_wider SELECT day_ms, workspace_id, domain, kind, kept, beyond FROM report_day;
DROP TABLE report_day;
ALTER TABLE report_day_wider RENAME TO report_day;

CREATE TABLE report_alarm_wider (
    id           INTEGER PRIMARY KEY,
    workspace_id INTEGER NOT NULL,
    kind         TEXT NOT NULL CHECK (kind IN ('dmarc', 'tls', 'auth')),
    domain       TEXT NOT NULL,
    -- Our address, the TLS policy, or the name of our signing key.
    item         TEXT NOT NULL,
    -- Who reported it last.
    organization TEXT NOT NULL,
    text         TEXT NOT NULL,
    -- Told of, and failed, over all reports.
    total        INTEGER NOT NULL,
    failed       INTEGER NOT NULL,
    began_ms     INTEGER NOT NULL,
    -- End of the time that the last such report tells of.
    latest_ms    INTEGER NOT NULL,
    ended_ms     INTEGER,
    ended_by     TEXT,
    -- What tells of a time before is old news.
    clean_ms     INTEGER
) STRICT;
INSERT INTO report_alarm_wider SELECT id, workspace_id, kind, domain, item, organization, text, total, failed, began_ms,
    latest_ms, ended_ms, ended_by, clean_ms FROM report_alarm;
DROP TABLE report_alarm;
ALTER TABLE report_alarm_wider RENAME TO report_alarm;
CREATE UNIQUE INDEX report_alarm_open ON report_alarm (workspace_id, kind, domain, item) WHERE ended_ms IS NULL;
CREATE INDEX report_alarm_key ON report_alarm (workspace_id, kind, domain, item);
CREATE INDEX report_alarm_ended ON report_alarm (ended_ms) WHERE ended_ms IS NOT NULL;
