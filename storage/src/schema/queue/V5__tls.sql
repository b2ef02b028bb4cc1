-- What other domains ask of TLS, what came of it, and the reports about that (RFC 8461, RFC 8460). Nothing here belongs
-- to a workspace: domains and their policies are the same for all.

-- MTA-STS policies outlive a restart: within its max_age a policy holds even when an attacker keeps us from asking again.
CREATE TABLE sts_policy (
    domain     TEXT PRIMARY KEY,
    -- The id of the TXT record under which it was fetched.
    record_id  TEXT NOT NULL,
    policy     TEXT NOT NULL,
    fetched_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
CREATE INDEX sts_policy_expires ON sts_policy (expires_ms);

-- Sessions with domains that have a policy, counted by day (UTC). `failure` is '' for those that were in order.
CREATE TABLE tls_result (
    day_ms       INTEGER NOT NULL,
    domain       TEXT NOT NULL,
    policy       TEXT NOT NULL CHECK (policy IN ('tlsa', 'sts')),
    failure      TEXT NOT NULL,
    source_ip    TEXT NOT NULL,
    host         TEXT NOT NULL,
    host_ip      TEXT NOT NULL,
    -- JSON lists: the policy as it stood, and the hosts that it names.
    policy_lines TEXT NOT NULL CHECK (json_valid(policy_lines)),
    reason       TEXT NOT NULL,
    n            INTEGER NOT NULL,
    PRIMARY KEY (day_ms, domain, policy, failure, source_ip, host, host_ip)
) STRICT, WITHOUT ROWID;

-- One for each day and domain that had sessions.
CREATE TABLE tls_report (
    day_ms    INTEGER NOT NULL,
    domain    TEXT NOT NULL,
    state     TEXT NOT NULL CHECK (state IN ('sent', 'not_wanted', 'no_sender', 'failed', 'given_up')),
    -- What there is to say about the state, and where the report went.
    detail    TEXT NOT NULL,
    report_id TEXT NOT NULL,
    attempts  INTEGER NOT NULL,
    tried_ms  INTEGER NOT NULL,
    PRIMARY KEY (day_ms, domain)
) STRICT, WITHOUT ROWID;
