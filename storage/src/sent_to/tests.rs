use super::*;
use crate::contact::{self, Draft, Origin};
use crate::response;
use crate::{CampaignId, OpenOptions, Storage, address_hash};
use mail::Address;
use rusqlite::types::Null;

const W: WorkspaceId = WorkspaceId::MAIN;

struct House {
    storage: Storage,
    _dir: tempfile::TempDir,
}

fn house() -> House {
    let dir = tempfile::tempdir().unwrap();
    let storage = Storage::open(&OpenOptions { dir: dir.path().to_owned(), readers: 1 }).unwrap();
    House { storage, _dir: dir }
}

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

fn draft(email: &str) -> Draft {
    Draft { email: address(email), first_name: String::new(), last_name: String::new(), attributes: Default::default() }
}

impl House {
    fn contact(&self, email: &'static str) -> ContactId {
        let make = move |tx: &crate::Transaction<'_>| {
            Ok(contact::insert(tx, W, &draft(email), Origin { consent_source: "", import: None }, 0)?.unwrap())
        };
        self.storage.main().write_blocking(make).unwrap()
    }

    /// A finished or live recipient of a campaign, or without one of a message.
    fn sent(&self, id: i64, to: &'static str, campaign: Option<(i64, ContactId)>, live: bool) {
        let write = move |tx: &crate::Transaction<'_>| {
            if let Some((campaign, _)) = campaign {
                tx.execute(
                    "INSERT INTO campaign_run (campaign_id, workspace_id, state, reason, pool, started_ms, changed_ms)
                     VALUES (?1, 1, 'running', '', 'default', 0, 0) ON CONFLICT DO NOTHING",
                    [campaign],
                )?;
            }
            let (table, columns, values) = match live {
                true => ("recipient", "pool, state, due_ms, expires_ms", "'default', 'queued', 9, 99"),
                false => ("recipient_done", "state, finished_ms, attempts", "'delivered', 5, 1"),
            };
            let sql = format!(
                "INSERT INTO {table} (id, workspace_id, campaign_id, contact_id, message_id, address, address_hash,
                    domain, stream, kind, accepted_ms, {columns})
                 VALUES (?1, 1, ?2, ?3, ?4, ?5, ?6, 'd.example', 's', 'bulk', 1, {values})"
            );
            let message = campaign.is_none().then_some(id);
            let (campaign, contact) = campaign.unzip();
            tx.execute(&sql, params![id, campaign, contact, message, to, address_hash(&address(to))])?;
            Ok(())
        };
        self.storage.queue().write_blocking(write).unwrap();
    }

    fn page(&self, to: &str, before: i64, limit: u32) -> Vec<i64> {
        let hash = address_hash(&address(to));
        let rows = self.storage.read_blocking(|c| page(c, (W, &hash), RecipientId(before), limit)).unwrap();
        rows.iter().map(|row| row.id.0).collect()
    }
}

#[test]
fn live_and_finished_submitted_and_campaigns_newest_first() {
    let house = house();
    let (ana, bo) = (house.contact("ana@d.example"), house.contact("bo@d.example"));
    house.sent(1, "ana@d.example", Some((1, ana)), false);
    house.sent(2, "bo@d.example", Some((1, bo)), false);
    house.sent(3, "Ana@D.example", None, false);
    house.sent(4, "ana@d.example", None, true);
    house.sent(5, "ana@d.example", Some((2, ana)), true);
    house.sent(6, "cy@d.example", None, false);
    assert_eq!(house.page("ana@d.example", i64::MAX, 10), [5, 4, 3, 1]);
    assert_eq!(house.page("ana@d.example", i64::MAX, 2), [5, 4]);
    assert_eq!(house.page("ana@d.example", 4, 2), [3, 1]);
    assert_eq!(house.page("bo@d.example", i64::MAX, 10), [2]);
    assert!(house.page("nobody@d.example", i64::MAX, 10).is_empty());
    let hash = address_hash(&address("ana@d.example"));
    let others = house.storage.read_blocking(|c| page(c, (WorkspaceId(2), &hash), RecipientId(i64::MAX), 10)).unwrap();
    assert_eq!(others, []);
}

#[test]
fn an_address_that_was_given_up_is_still_found() {
    let house = house();
    let ana = house.contact("ana@d.example");
    let rename = |now_ms| {
        let renaming =
            move |tx: &crate::Transaction<'_>| contact::update(tx, W, ana, &draft("ana@e.example"), None, now_ms);
        assert!(house.storage.main().write_blocking(renaming).unwrap());
    };
    let forget = |before_ms| house.storage.main().write_blocking(move |tx| forget(tx, before_ms, 10)).unwrap();
    house.sent(1, "ana@d.example", Some((1, ana)), false);
    rename(100);
    house.sent(2, "ana@e.example", Some((2, ana)), false);
    assert_eq!(house.page("ana@d.example", i64::MAX, 10), [1]);
    assert_eq!(house.page("ana@e.example", i64::MAX, 10), [2], "mail to the old address is no mail to the new one");
    rename(150);
    assert_eq!(forget(100), 0);
    house.storage.main().write_blocking(move |tx| contact::delete(tx, W, ana, 200)).unwrap();
    assert_eq!(house.page("ana@e.example", i64::MAX, 10), [2]);
    assert_eq!(forget(201), 2, "an address that stayed the same was not given up");
    assert!(house.page("ana@e.example", i64::MAX, 10).is_empty());
}

#[test]
fn what_came_back_from_an_address() {
    let house = house();
    let ana = house.contact("ana@d.example");
    house.sent(1, "ana@d.example", Some((1, ana)), false);
    house.sent(2, "ana@d.example", None, false);
    house.sent(3, "bo@d.example", None, false);
    let noted = house.storage.queue().write_blocking(|tx| {
        let note = |id, what, at| response::note(tx, RecipientId(id), what, at);
        Ok([
            note(1, Response::Complained, 7)?,
            note(1, Response::Complained, 8)?,
            note(2, Response::Replied, 9)?,
            note(3, Response::Replied, 9)?,
            note(77, Response::Replied, 9)?,
        ])
    });
    assert_eq!(noted.unwrap(), [true, false, true, true, false]);
    let of = |to: &str| {
        let hash = address_hash(&address(to));
        house.storage.read_blocking(|c| came_back(c, W, &hash)).unwrap()
    };
    assert_eq!(of("ana@d.example"), [(Response::Replied, 9), (Response::Complained, 7)]);
    assert_eq!(of("bo@d.example"), [(Response::Replied, 9)]);
    let campaign = (W, CampaignId(1));
    let count = |what| house.storage.read_blocking(|c| response::of_campaign(c, campaign, what)).unwrap();
    assert_eq!([count(Response::Complained), count(Response::Replied)], [1, 0]);
}

#[test]
fn no_statement_walks_recipients_or_contacts() {
    let house = house();
    let others = [crate::response::STATEMENTS, crate::webhook::about::STATEMENTS].concat();
    let all = statements().into_iter().chain(others.into_iter().map(str::to_owned));
    for sql in all.chain([crate::reply::OF_RECIPIENT.to_owned()]) {
        let plan = house.storage.read_blocking(|c| {
            let mut statement = c.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
            let none = vec![Null; statement.parameter_count()];
            let rows = statement.query_map(rusqlite::params_from_iter(none), |row| row.get::<_, String>(3))?;
            Ok(rows.collect::<Result<Vec<_>, _>>()?)
        });
        for step in plan.unwrap() {
            // What the newest ten thousand or the given events are walked through is no table.
            let walks = step.starts_with("SCAN")
                && !["SCAN d", "SCAN json_each", "SCAN CONSTANT"].iter().any(|fine| step.starts_with(fine));
            assert!(!walks, "{sql}\n{step}");
        }
    }
}
