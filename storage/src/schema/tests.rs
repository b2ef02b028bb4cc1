//! Databases of earlier versions, with rows in everything that a later migration rebuilds or widens, come to the newest
//! one with nothing lost.

use super::*;
use rusqlite::types::Value;
use std::collections::BTreeMap;

/// Tables that later versions rebuild, widen or add to, as they are from the first of the versions below.
const TOUCHED: [&str; 8] =
    ["suppression", "recipient", "recipient_done", "campaign_run", "automation", "message", "outbox", "tally"];

/// Rows that every version from the seventh takes.
const ROWS: &[&str] = &[
    "INSERT INTO recipient (workspace_id, campaign_id, contact_id, address, address_hash, domain, stream, kind, pool, state,
        due_ms, accepted_ms, expires_ms, wait_reason, in_hand)
     SELECT 1, 1, n, 'r' || n || '@gull.example', randomblob(16), 'gull.example', 'bulk', 'bulk', 'default', state, 5, 5, 99,
        reason, state = 'held'
     FROM (SELECT row_number() OVER () AS n, value AS reason FROM json_each('[\"turn\", \"scheduled\", \"deferred\",
            \"greylisted\", \"source_blocked\", \"lane_full\", \"dns\", \"connect\", \"tls\", \"paused\", \"local\", \"rate\", \"warm_up\",
            \"provider_hold\", \"domain_hold\", \"held\", null]'))
        JOIN (SELECT value AS state FROM json_each('[\"queued\", \"claimed\", \"sending\", \"held\"]'))
        ON state = CASE n % 4 WHEN 0 THEN 'queued' WHEN 1 THEN 'claimed' WHEN 2 THEN 'sending' ELSE 'held' END",
    "INSERT INTO recipient (workspace_id, message_id, address, address_hash, domain, stream, kind, pool, state, due_ms,
        accepted_ms, expires_ms, dsn_notify, dsn_orcpt)
     VALUES (2, 1, 'shop@tern.example', randomblob(16), 'tern.example', 's', 'transactional', 'p', 'queued', 5, 5, 9, 'never',
        'rfc822;shop@tern.example')",
    "INSERT INTO recipient_done (id, workspace_id, campaign_id, contact_id, address, address_hash, domain, stream, kind, state,
        accepted_ms, finished_ms, attempts, provider, class, reply_code, enhanced, reply)
     SELECT 1000 + rowid, 1, 1, 1000 + rowid, 'd' || rowid || '@gull.example', randomblob(16), 'gull.example', 'bulk', 'bulk',
        value, 5, 6, 1, 'Gull', 'bad_mailbox', 550, '5.1.1', 'no such user'
     FROM json_each('[\"delivered\", \"bounced\", \"expired\", \"suppressed\", \"cancelled\", \"unknown\"]')",
    "INSERT INTO campaign_run (campaign_id, workspace_id, state, reason, pool, audience_cursor, audience_complete, started_ms,
        changed_ms, stream)
     SELECT rowid + 1, 1, value, 'because', 'default', 7, 1, 5, 6, 'news'
     FROM json_each('[\"running\", \"paused\", \"cancelled\", \"finished\"]')",
    "INSERT INTO automation (workspace_id, scope, source, site, provider, domain, rule, hold_until_ms, rate, connections,
        recovers, alarm, reply, since_ms, until_ms, ended_ms, ended_by)
     SELECT 1, value, 'mx1', 'mx.gull.example', 'Gull', 'news.example', 'tss04', 90, '1/min', 1, 1, 'a', '421 no', 5, 90,
        iif(rowid = 2, 6, NULL), iif(rowid = 2, 'ana', NULL)
     FROM json_each('[\"source_site\", \"source_provider\", \"domain_provider\", \"workspace_provider\"]')",
    "INSERT INTO message (workspace_id, domain_id, origin, submitter, stream, header_id, from_address, subject, eight_bit,
        smtputf8, size_bytes, accepted_ms, send_at_ms, recipients, live)
     VALUES (2, 1, 'smtp', 'shop', 's', '1@news.example', 'shop@news.example', 'Hello', 0, 1, 9, 5, 5, 1, 1)",
    "INSERT INTO outbox (at_ms, workspace_id, kind, recipient_id, text) VALUES (5, 1, 'delivered', 1001, 'ok')",
    "INSERT INTO tally (workspace_id, campaign_id, provider, measure, n) VALUES (1, 1, 'Gull', 'delivered', 3)",
];

/// Entries as before entries covered anything, with the reasons of that time.
const ENTRIES_V1: &str = "
    INSERT INTO suppression (workspace_id, address_hash, address, reason, origin, recipient_id, campaign_id, created_by,
        created_ms, expires_ms)
    SELECT 1 + rowid % 2, randomblob(16), iif(rowid = 2, NULL, 'S' || rowid || '@gull.example'), value,
        'S' || rowid || '@gull.example said so', 1001, 1, iif(value = 'manual', 'ana', NULL), rowid, iif(rowid = 3, 70, NULL)
    FROM json_each('[\"hard_bounce\", \"complaint\", \"unsubscribe\", \"manual\", \"import\"]')";

/// Entries since they cover something; global ones too.
const ENTRIES_V8: &str = "
    INSERT INTO suppression (workspace_id, address_hash, covers, address, reason, origin, created_ms, expires_ms)
    SELECT iif(rowid = 4, 0, 1), randomblob(16), iif(rowid % 2 = 0, 'all', 'marketing'), 's' || rowid || '@gull.example', value,
        'words', rowid, iif(rowid = 3, 70, NULL)
    FROM json_each('[\"hard_bounce\", \"soft_bounces\", \"complaint\", \"unsubscribe\", \"manual\", \"import\"]')";

struct Old {
    connection: Connection,
    _dir: tempfile::TempDir,
}

impl Old {
    /// queue.db as it was at this version, with rows.
    fn queue(version: u32) -> Old {
        let dir = tempfile::tempdir().unwrap();
        let mut connection = Connection::open(dir.path().join("queue.db")).unwrap();
        let target = refinery::Target::Version(version.try_into().unwrap());
        File::Queue.runner().set_target(target).set_grouped(true).run(&mut connection).unwrap();
        assert_eq!(super::version(&connection).unwrap(), version);
        for rows in ROWS.iter().chain([if version < 8 { &ENTRIES_V1 } else { &ENTRIES_V8 }]) {
            assert!(connection.execute(rows, []).unwrap_or_else(|e| panic!("V{version}: {e}\n{rows}")) > 0);
        }
        Old { connection, _dir: dir }
    }

    fn columns(&self, table: &str) -> Vec<String> {
        let mut statement = self.connection.prepare("SELECT name FROM pragma_table_info(?1)").unwrap();
        let names = statement.query_map([table], |row| row.get(0)).unwrap();
        names.collect::<Result<_, _>>().unwrap()
    }

    /// The rows of a table in these columns.
    fn rows(&self, table: &str, columns: &[String]) -> Vec<Vec<Value>> {
        let sql = format!("SELECT {} FROM {table} ORDER BY 1, 2, 3, 4", columns.join(", "));
        let mut statement = self.connection.prepare(&sql).unwrap();
        let read = |row: &rusqlite::Row<'_>| (0..columns.len()).map(|n| row.get(n)).collect();
        statement.query_map([], read).unwrap().collect::<Result<_, _>>().unwrap()
    }

    fn one(&self, sql: &str) -> String {
        let value: Value = self.connection.query_row(sql, [], |row| row.get(0)).unwrap();
        match value {
            Value::Text(text) => text,
            other => format!("{other:?}"),
        }
    }

    fn can_write(&self, sql: &str) {
        self.connection.execute(sql, []).unwrap_or_else(|e| panic!("{e}\n{sql}"));
    }
}

/// Migrated in one go from each of the versions before a rebuilding one.
#[test]
fn nothing_is_lost_on_the_way_to_the_newest_version() {
    for version in [7, 11, 12, 14] {
        let mut old = Old::queue(version);
        let before: BTreeMap<_, _> = TOUCHED
            .iter()
            .map(|table| {
                let columns = old.columns(table);
                let rows = old.rows(table, &columns);
                assert!(!rows.is_empty(), "V{version}: {table}");
                (*table, (columns, rows))
            })
            .collect();
        let path = old._dir.path().join("queue.db");
        migrate(&mut old.connection, File::Queue, &path).unwrap();
        // What a migration wrote into the schema counts for who opens the file from now on.
        old.connection = Connection::open(&path).unwrap();
        assert_eq!(super::version(&old.connection).unwrap(), File::Queue.newest());
        assert_eq!(old.one("PRAGMA integrity_check"), "ok", "V{version}");
        let broken = old.connection.prepare("PRAGMA foreign_key_check").unwrap().exists([]).unwrap();
        assert!(!broken, "V{version}");
        for (table, (columns, rows)) in &before {
            assert_eq!(old.rows(table, columns), *rows, "V{version}: {table}");
        }
        takes_what_is_new(&old);
        takes_no_nonsense(&old);
        what_stands_on_the_list_has_a_history(&old);
    }
}

/// What reports said before there was a third kind of them.
#[test]
fn reports_and_alarms_stay_and_take_a_further_kind() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("events.db");
    let mut connection = Connection::open(&path).unwrap();
    let target = refinery::Target::Version(11);
    File::Events.runner().set_target(target).set_grouped(true).run(&mut connection).unwrap();
    let mut old = Old { connection, _dir: dir };
    for kind in ["dmarc", "tls"] {
        old.can_write(&format!(
            "INSERT INTO report_alarm (workspace_id, kind, domain, item, organization, text, total, failed, began_ms, latest_ms,
                ended_ms, ended_by, clean_ms)
             SELECT 1, '{kind}', 'news.example', 'item' || coalesce(value, 0), 'big.example', 'fails', 9, 3, 5, 6, value, 'ana', value
             FROM json_each('[null, 7]')"
        ));
        old.can_write(&format!("INSERT INTO report_day VALUES (5, 1, 'news.example', '{kind}', 2, 1)"));
    }
    let tables = ["report_alarm", "report_day"].map(|table| (table, old.columns(table)));
    let before = tables.clone().map(|(table, columns)| old.rows(table, &columns));
    assert_eq!(before.iter().map(Vec::len).collect::<Vec<_>>(), [4, 2]);
    migrate(&mut old.connection, File::Events, &path).unwrap();
    assert_eq!(tables.map(|(table, columns)| old.rows(table, &columns)), before);
    old.can_write("UPDATE report_day SET kind = 'auth' WHERE kind = 'tls'");
    old.can_write("UPDATE report_alarm SET kind = 'auth' WHERE kind = 'tls'");
    for sql in [
        "UPDATE report_day SET kind = 'nonsense'",
        "UPDATE report_alarm SET kind = 'nonsense'",
        // Two in force about the same.
        "INSERT INTO report_alarm (workspace_id, kind, domain, item, organization, text, total, failed, began_ms, latest_ms)
         SELECT workspace_id, kind, domain, item, organization, text, total, failed, began_ms, latest_ms FROM report_alarm
         WHERE ended_ms IS NULL",
    ] {
        assert!(old.connection.execute(sql, []).is_err(), "{sql}");
    }
}

/// Words, columns and tables that came with the rebuilding versions.
fn takes_what_is_new(old: &Old) {
    for scope in ["workspace", "domain", "campaign"] {
        old.can_write(&format!(
            "INSERT INTO automation (workspace_id, scope, provider, rule, recovers, reply, since_ms, until_ms, campaign_id)
             VALUES (1, '{scope}', '', 'r', 0, '', 1, 2, 1)"
        ));
    }
    old.can_write("UPDATE recipient SET wait_reason = 'reputation' WHERE contact_id = 1");
    for reason in ["paused", "sunset"] {
        old.can_write(&format!(
            "INSERT INTO suppression (workspace_id, address_hash, covers, address, reason, origin, created_ms)
             VALUES (1, randomblob(16), 'marketing', 'x@gull.example', '{reason}', '', 1)"
        ));
    }
    old.can_write("UPDATE campaign_run SET list_id = 3, engaged_first = 1, engaged_cursor_ms = 4");
    old.can_write("UPDATE recipient_done SET complained_ms = 5 WHERE id = 1001");
    old.can_write(
        "INSERT INTO list_leave (workspace_id, address_hash, list_id, since_ms) VALUES (1, randomblob(16), 1, 1)",
    );
    old.can_write(
        "INSERT INTO stream_leave (workspace_id, stream, address_hash, since_ms) VALUES (1, 'bulk', randomblob(16), 1)",
    );
    old.can_write(
        "INSERT INTO soft_bounce (workspace_id, address_hash, address, recipient_id, at_ms, text)
         VALUES (1, randomblob(16), 'x@gull.example', 1, 1, 'full')",
    );
    old.can_write("INSERT INTO soft_bounce_rule (id, bounces, within_ms, expiry_ms) VALUES (1, 3, 30, 180)");
}

/// A check that was widened still checks.
fn takes_no_nonsense(old: &Old) {
    for sql in [
        "UPDATE automation SET scope = 'nonsense'",
        "UPDATE recipient SET wait_reason = 'nonsense'",
        "UPDATE recipient SET state = 'nonsense'",
        "UPDATE suppression SET reason = 'nonsense'",
        "UPDATE suppression SET covers = 'nonsense'",
        "INSERT INTO suppression (workspace_id, address_hash, covers, address, reason, origin, created_ms)
         SELECT workspace_id, address_hash, covers, address, reason, origin, created_ms FROM suppression",
    ] {
        assert!(old.connection.execute(sql, []).is_err(), "{sql}");
    }
}

/// Old entries say how they came, and their history does not say of whom.
fn what_stands_on_the_list_has_a_history(old: &Old) {
    let of_old = "FROM suppression s WHERE s.reason NOT IN ('paused', 'sunset')";
    let entries = old.one(&format!("SELECT count(*) {of_old}"));
    let told = old.one(&format!(
        "SELECT count(*) {of_old} AND EXISTS (SELECT 1 FROM suppression_change h WHERE h.address_hash = s.address_hash
            AND h.workspace_id = s.workspace_id AND h.covers = s.covers AND h.reason = s.reason AND h.action = 'added'
            AND h.at_ms = s.created_ms AND h.expires_ms IS s.expires_ms AND h.actor IS s.created_by)"
    ));
    assert_eq!(told, entries);
    let whole = "SELECT group_concat(masked || words) FROM suppression_change WHERE masked <> '***'";
    let text = old.one(whole);
    assert!(text.contains("***@gull.example") && !text.contains("1@gull.example"), "{text}");
}
