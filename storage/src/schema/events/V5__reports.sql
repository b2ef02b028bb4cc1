-- events.db: what the world reports about our domains.

-- DMARC aggregate reports (RFC 7489 §7.2): one row each. One that comes again is the same by its last line.
CREATE TABLE dmarc_report (
    id            INTEGER PRIMARY KEY,
    workspace_id  INTEGER NOT NULL,
    -- The sending domain of ours that it is about.
    domain        TEXT NOT NULL,
    -- The domain that it names, which may be the organization's.
    policy_domain TEXT NOT NULL,
    organization  TEXT NOT NULL,
    report_id     TEXT NOT NULL,
    policy        TEXT NOT NULL,
    begin_ms      INTEGER NOT NULL,
    end_ms        INTEGER NOT NULL,
    received_ms   INTEGER NOT NULL,
    bytes         INTEGER NOT NULL,
    -- The address that the mail came from.
    brought_by    TEXT NOT NULL,
    messages      INTEGER NOT NULL,
    -- Aligned.
    dkim_pass     INTEGER NOT NULL,
    spf_pass      INTEGER NOT NULL,
    -- One of both at least.
    passed        INTEGER NOT NULL,
    -- Rows beyond what is kept; their messages are counted above.
    rows_left     INTEGER NOT NULL,
    UNIQUE (workspace_id, domain, organization, report_id)
) STRICT;
CREATE INDEX dmarc_report_period ON dmarc_report (workspace_id, begin_ms);
CREATE INDEX dmarc_report_received ON dmarc_report (received_ms);

CREATE TABLE dmarc_row (
    report        INTEGER NOT NULL,
    n             INTEGER NOT NULL,
    workspace_id  INTEGER NOT NULL,
    -- Empty where the report names none.
    source_ip     TEXT NOT NULL,
    sender        TEXT NOT NULL CHECK (sender IN ('ours', 'aligned', 'failing')),
    messages      INTEGER NOT NULL,
    dkim_pass     INTEGER NOT NULL,
    spf_pass      INTEGER NOT NULL,
    disposition   TEXT NOT NULL CHECK (disposition IN ('none', 'quarantine', 'reject')),
    header_from   TEXT NOT NULL,
    envelope_from TEXT NOT NULL,
    -- "selector._domainkey.domain=result", with blanks between.
    signatures    TEXT NOT NULL,
    -- "domain=result"
    spf           TEXT NOT NULL,
    PRIMARY KEY (report, n)
) STRICT, WITHOUT ROWID;

-- TLS reports (RFC 8460) that came in; those that we send are in queue.db.
CREATE TABLE tls_heard (
    id           INTEGER PRIMARY KEY,
    workspace_id INTEGER NOT NULL,
    domain       TEXT NOT NULL,
    organization TEXT NOT NULL,
    report_id    TEXT NOT NULL,
    begin_ms     INTEGER NOT NULL,
    end_ms       INTEGER NOT NULL,
    received_ms  INTEGER NOT NULL,
    bytes        INTEGER NOT NULL,
    brought_by   TEXT NOT NULL,
    successful   INTEGER NOT NULL,
    failed       INTEGER NOT NULL,
    UNIQUE (workspace_id, domain, organization, report_id)
) STRICT;
CREATE INDEX tls_heard_period ON tls_heard (workspace_id, begin_ms);
CREATE INDEX tls_heard_received ON tls_heard (received_ms);

CREATE TABLE tls_heard_policy (
    report        INTEGER NOT NULL,
    n             INTEGER NOT NULL,
    workspace_id  INTEGER NOT NULL,
    policy_domain TEXT NOT NULL,
    policy        TEXT NOT NULL,
    successful    INTEGER NOT NULL,
    failed        INTEGER NOT NULL,
    PRIMARY KEY (report, n)
) STRICT, WITHOUT ROWID;

CREATE TABLE tls_heard_failure (
    report        INTEGER NOT NULL,
    n             INTEGER NOT NULL,
    workspace_id  INTEGER NOT NULL,
    policy        TEXT NOT NULL,
    result        TEXT NOT NULL,
    mx            TEXT NOT NULL,
    sending_ip    TEXT NOT NULL,
    sessions      INTEGER NOT NULL,
    detail        TEXT NOT NULL,
    PRIMARY KEY (report, n)
) STRICT, WITHOUT ROWID;

-- How many reports of a day were kept, and how many came beyond the bound: anybody can send them.
CREATE TABLE report_day (
    day_ms       INTEGER NOT NULL,
    workspace_id INTEGER NOT NULL,
    domain       TEXT NOT NULL,
    kind         TEXT NOT NULL CHECK (kind IN ('dmarc', 'tls')),
    kept         INTEGER NOT NULL,
    beyond       INTEGER NOT NULL,
    PRIMARY KEY (day_ms, workspace_id, domain, kind)
) STRICT, WITHOUT ROWID;

-- What reports say is wrong with us.
CREATE TABLE report_alarm (
    id           INTEGER PRIMARY KEY,
    workspace_id INTEGER NOT NULL,
    kind         TEXT NOT NULL CHECK (kind IN ('dmarc', 'tls')),
    domain       TEXT NOT NULL,
    -- Our address, or the TLS policy.
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
CREATE UNIQUE INDEX report_alarm_open ON report_alarm (workspace_id, kind, domain, item) WHERE ended_ms IS NULL;
CREATE INDEX report_alarm_key ON report_alarm (workspace_id, kind, domain, item);
CREATE INDEX report_alarm_ended ON report_alarm (ended_ms) WHERE ended_ms IS NOT NULL;

-- Listings on blocklists: those that are, and those that were.
CREATE TABLE listing (
    id           INTEGER PRIMARY KEY,
    -- 0: a source, which is the host's.
    workspace_id INTEGER NOT NULL,
    subject      TEXT NOT NULL CHECK (subject IN ('source', 'domain')),
    name         TEXT NOT NULL,
    list         TEXT NOT NULL,
    found        TEXT NOT NULL,
    advice       TEXT NOT NULL,
    began_ms     INTEGER NOT NULL,
    seen_ms      INTEGER NOT NULL,
    gone_ms      INTEGER
) STRICT;
CREATE UNIQUE INDEX listing_open ON listing (workspace_id, subject, name, list) WHERE gone_ms IS NULL;
CREATE INDEX listing_seen ON listing (seen_ms);

-- What the last look found out about each domain at each list.
CREATE TABLE domain_check (
    workspace_id INTEGER NOT NULL,
    domain       TEXT NOT NULL,
    -- Empty where no list was asked.
    list         TEXT NOT NULL,
    level        TEXT NOT NULL CHECK (level IN ('good', 'off', 'unsure', 'warning', 'bad')),
    found        TEXT NOT NULL,
    advice       TEXT NOT NULL,
    since_ms     INTEGER NOT NULL,
    checked_ms   INTEGER NOT NULL,
    PRIMARY KEY (workspace_id, domain, list)
) STRICT, WITHOUT ROWID;
