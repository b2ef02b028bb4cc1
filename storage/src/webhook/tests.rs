//! Webhooks as stored: what each reads, what is kept of attempts, how the counters go.

use super::cursor::{Cursor, Missed};
use super::delivery::{About, Attempt};
use super::*;
use crate::event::{Event, Kind};
use crate::{OpenOptions, RecipientId, Storage, outbox};
use api_types::WebhookDeliveryState as State;
use expect_test::{Expect, expect};
use rusqlite::Transaction;

const MAIN: WorkspaceId = WorkspaceId::MAIN;
const OTHER: WorkspaceId = WorkspaceId(2);

struct House {
    storage: Storage,
    _dir: tempfile::TempDir,
}

fn house() -> House {
    let dir = tempfile::tempdir().unwrap();
    let storage = Storage::open(&OpenOptions { dir: dir.path().to_owned(), readers: 2 }).unwrap();
    House { storage, _dir: dir }
}

fn wish(name: &str) -> Wish {
    Wish {
        name: name.to_owned(),
        url: "https://hooks.example/".to_owned(),
        types: vec![WebhookType::MessageBounced],
        campaign_id: None,
        tag: Some("order".to_owned()),
        stream: None,
    }
}

impl House {
    async fn happen(&self, events: &[(WorkspaceId, Kind)]) {
        let events = events.to_vec();
        let put = move |tx: &Transaction<'_>| {
            for (n, (workspace, kind)) in events.iter().enumerate() {
                let event = Event::new(1000 + n as i64, *workspace, *kind);
                outbox::put(tx, &Event { recipient_id: Some(RecipientId(n as i64)), ..event })?;
            }
            Ok(())
        };
        self.storage.queue().write(put).await.unwrap();
        outbox::drain(&self.storage, 1000).await.unwrap();
    }

    fn after(&self, types: &[WebhookType], after: i64, limit: u32) -> String {
        let found = self.storage.read_blocking(|c| happening::after(c, MAIN, types, after, limit)).unwrap();
        let told: Vec<String> =
            found.happenings.iter().map(|h| format!("{} {}", h.event.id, h.kind.as_str())).collect();
        format!("{} -> {}, {} skipped", told.join(", "), found.up_to, found.skipped)
    }
}

/// Of one workspace, or of every one: what is on the installation's list binds them all.
#[tokio::test]
async fn who_asks_for_what_is_of_no_message() {
    let house = house();
    let make = |tx: &Transaction<'_>| {
        // Workspaces are made with the house; this one only has to be there.
        tx.execute("INSERT INTO workspace (id, name, created_ms) VALUES (2, 'Other', 0)", [])?;
        for (workspace, name, types, tag) in [
            (MAIN, "all", vec![], None),
            (MAIN, "bounces", vec![WebhookType::MessageBounced], None),
            (MAIN, "orders", vec![], Some("order")),
            (OTHER, "list", vec![WebhookType::SuppressionAdded], None),
        ] {
            let wish = Wish { types, tag: tag.map(str::to_owned), ..wish(name) };
            insert(tx, workspace, &wish, ("ana", 1))?;
        }
        Ok(())
    };
    house.storage.main().write(make).await.unwrap();
    let kind = WebhookType::SuppressionAdded;
    for (workspace, expected) in [
        (Some(MAIN), vec![(MAIN, WebhookId(1))]),
        (Some(OTHER), vec![(OTHER, WebhookId(4))]),
        (None, vec![(MAIN, WebhookId(1)), (OTHER, WebhookId(4))]),
    ] {
        assert_eq!(house.storage.read_blocking(|c| asking(c, workspace, kind)).unwrap(), expected, "{workspace:?}");
    }
}

#[tokio::test]
async fn a_webhook_is_made_changed_and_switched() {
    let house = house();
    let main = house.storage.main();
    let id = main.write(|tx| insert(tx, MAIN, &wish("one"), ("ana", 5))).await.unwrap();
    assert!(matches!(main.write(|tx| insert(tx, MAIN, &wish("one"), ("ana", 5))).await, Err(StorageError::Exists)));
    let set = |sealed: &'static [u8], until| main.write(move |tx| rotate(tx, MAIN, id, sealed, until));
    assert!(set(b"first", None).await.unwrap());
    let found = || house.storage.read_blocking(|c| find(c, MAIN, id)).unwrap().unwrap();
    assert_eq!(found().secrets, Secrets { sealed: b"first".to_vec(), before: None });
    assert!(set(b"second", Some(99)).await.unwrap());
    assert_eq!(found().secrets, Secrets { sealed: b"second".to_vec(), before: Some((b"first".to_vec(), 99)) });
    let changed = Wish { types: vec![], tag: None, ..wish("two") };
    let stored = changed.clone();
    assert!(main.write(move |tx| update(tx, MAIN, id, &stored)).await.unwrap());
    assert_eq!(found().wish, changed);

    let why = Switch::Disabled { why: "it is gone", at_ms: 7 };
    assert!(main.write(move |tx| switch(tx, MAIN, id, why)).await.unwrap());
    assert!(!main.write(move |tx| switch(tx, MAIN, id, why)).await.unwrap(), "it is disabled already");
    let count = |c: &Connection| Ok((enabled(c)?.len(), disabled(c, MAIN, 10)?.len(), disabled(c, OTHER, 10)?.len()));
    assert_eq!(house.storage.read_blocking(count).unwrap(), (0, 1, 0));
    assert!(main.write(move |tx| switch(tx, MAIN, id, Switch::On)).await.unwrap());
    assert_eq!(house.storage.read_blocking(count).unwrap(), (1, 0, 0));
    assert_eq!(found().disabled_why, None);
    // Another workspace reaches nothing of it.
    assert!(!main.write(move |tx| switch(tx, OTHER, id, Switch::Off)).await.unwrap());
    assert!(!main.write(move |tx| delete(tx, OTHER, id)).await.unwrap());
    assert!(main.write(move |tx| delete(tx, MAIN, id)).await.unwrap());
    let again = main.write(|tx| insert(tx, MAIN, &wish("one"), ("ana", 5))).await.unwrap();
    assert!(again > id, "an id is never used twice");
}

#[tokio::test]
async fn each_reads_its_workspaces_events_of_its_types_behind_its_cursor() {
    let house = house();
    house
        .happen(&[
            (MAIN, Kind::Delivered),
            (MAIN, Kind::Bounced),
            (OTHER, Kind::Bounced),
            (MAIN, Kind::Blocked),
            (MAIN, Kind::Held),
            (MAIN, Kind::Unsubscribed),
        ])
        .await;
    for (types, after, limit, expected) in [
        (
            &[][..],
            0,
            100,
            "1 message.delivered, 2 message.bounced, 4 message.deferred, 6 contact.unsubscribed -> 6, 0 skipped",
        ),
        (&[WebhookType::MessageBounced], 0, 100, "2 message.bounced -> 6, 0 skipped"),
        (&[WebhookType::MessageBounced], 2, 2, " -> 4, 0 skipped"),
        (&[], 4, 1, " -> 5, 0 skipped"),
        (&[], 6, 100, " -> 6, 0 skipped"),
    ] {
        assert_eq!(house.after(types, after, limit), expected, "{types:?} after {after}, {limit}");
    }
    // What was forgotten meanwhile is counted.
    crate::event::forget(&house.storage, i64::MAX, 3).await.unwrap();
    assert_eq!(house.after(&[], 1, 100), "4 message.deferred, 6 contact.unsubscribed -> 6, 2 skipped");
    let cursor = house.storage.events().write(|tx| cursor::open(tx, MAIN, WebhookId(1))).await.unwrap();
    assert_eq!(cursor.event_id, 6, "a new webhook is told nothing of before");
}

fn attempt(about: About, delivery: Option<i64>, number: u32, next_ms: Option<i64>, success: bool) -> Attempt {
    Attempt {
        about,
        delivery,
        kind: WebhookType::MessageBounced,
        at_ms: 10,
        data: "{}".to_owned(),
        number,
        success,
        next_ms,
        attempt_ms: 100 * i64::from(number),
        status: Some(if success { 204 } else { 500 }),
        answer: "é".repeat(600),
        took_ms: 3,
        counts: true,
    }
}

#[tokio::test]
async fn attempts_are_kept_and_counted_in_one_commit() {
    let house = house();
    let hook = WebhookId(4);
    let record = |attempts: Vec<Attempt>, up_to: Option<(i64, u64)>| {
        house.storage.events().write(move |tx| delivery::record(tx, MAIN, hook, &attempts, up_to))
    };
    let told = |c: &Cursor| format!("{} {} {}", c.delivered, c.attempts_failed, c.deliveries_failed);
    let first = vec![
        attempt(About::Event(1), None, 1, None, true),
        attempt(About::Event(2), None, 1, Some(160), false),
        attempt(About::Event(3), None, 1, Some(170), false),
    ];
    let cursor = record(first, Some((5, 2))).await.unwrap();
    assert_eq!((cursor.event_id, cursor.skipped, told(&cursor)), (5, 2, "1 2 0".to_owned()));
    assert_eq!(
        cursor.failure.unwrap().len(),
        delivery::ANSWER_MAX - 1,
        "HTTP 500 and the answer, cut between two characters"
    );

    let due = |now_ms| house.storage.read_blocking(|c| delivery::due(c, MAIN, hook, now_ms, 10)).unwrap();
    assert!(due(159).is_empty());
    assert_eq!(due(160).iter().map(|d| d.about).collect::<Vec<_>>(), [About::Event(2)]);
    assert_eq!(house.storage.read_blocking(|c| delivery::open(c, MAIN, hook, 10)).unwrap(), 2);
    assert_eq!(house.storage.events().write(move |tx| delivery::hurry(tx, MAIN, hook, 150, 10)).await.unwrap(), 2);
    let both = due(150);
    let second = vec![
        attempt(About::Event(2), Some(both[0].id), 2, None, false),
        attempt(About::Event(3), Some(both[1].id), 2, None, true),
    ];
    let cursor = record(second, None).await.unwrap();
    assert_eq!((cursor.event_id, told(&cursor)), (5, "2 0 0".to_owned()), "a success ends the row of failures");

    let page = |state| house.storage.read_blocking(|c| delivery::page(c, MAIN, hook, state, (i64::MAX, 10))).unwrap();
    let rows = |state| {
        page(state).iter().map(|d| format!("{} {}", d.about.message_id(), d.state.as_str())).collect::<Vec<_>>()
    };
    assert_eq!(rows(None), ["evt-3 delivered", "evt-2 failed", "evt-1 delivered"]);
    assert_eq!(rows(Some(State::Failed)), ["evt-2 failed"]);
    let data: Vec<bool> = page(None).iter().map(|d| d.data.is_some()).collect();
    assert_eq!(data, [false, true, false], "what was delivered is not kept twice");

    let (failed, delivered) = (page(None)[1].id, page(None)[0].id);
    let again = |id, data: Option<&'static str>| {
        house.storage.events().write(move |tx| delivery::again(tx, MAIN, (hook, id), data, 200))
    };
    assert!(again(failed, None).await.unwrap());
    assert!(!again(delivered, None).await.unwrap(), "there is nothing to send");
    assert!(again(delivered, Some("{}")).await.unwrap());
    assert_eq!(rows(Some(State::Waiting)), ["evt-3 waiting", "evt-2 waiting"]);
    let by_hand = Attempt { counts: false, ..attempt(About::Event(2), Some(failed), 3, None, false) };
    assert_eq!(told(&record(vec![by_hand], None).await.unwrap()), "2 1 0");

    assert_eq!(delivery::forget(&house.storage, 100, 10).await.unwrap(), 0);
    assert_eq!(delivery::forget(&house.storage, 101, 2).await.unwrap(), 2);
    assert_eq!(delivery::forget_webhook(&house.storage, OTHER, hook, 10).await.unwrap(), 0);
    assert_eq!(delivery::forget_webhook(&house.storage, MAIN, hook, 10).await.unwrap(), 1);
    assert!(house.storage.read_blocking(|c| cursor::find(c, MAIN, hook)).unwrap().is_none());
}

#[tokio::test]
async fn what_is_queued_becomes_a_delivery_once() {
    let house = house();
    let hook = WebhookId(4);
    let put = |text: String| {
        let put = move |tx: &Transaction<'_>| {
            let data = serde_json::json!({ "subject": text });
            queue(tx, MAIN, hook, (WebhookType::ReplyReceived, 50), &data)
        };
        house.storage.queue().write(put)
    };
    assert!(!drain(&house.storage, 10, 70).await.unwrap());
    assert!(put("Re: Hello".to_owned()).await.unwrap());
    assert!(put("Re: Again".to_owned()).await.unwrap());
    assert!(!put("x".repeat(DATA_MAX)).await.unwrap(), "too long");
    // A crash between moving and deleting: it is moved again.
    let moved =
        house.storage.events().write(|tx| Ok(tx.prepare_cached(super::outbox::STATEMENTS[3])?.execute([1, 60])?));
    assert_eq!(moved.await.unwrap(), 1);
    assert!(drain(&house.storage, 10, 70).await.unwrap());
    assert!(!drain(&house.storage, 10, 70).await.unwrap());
    let due = house.storage.read_blocking(|c| delivery::due(c, MAIN, hook, 70, 10)).unwrap();
    let told: Vec<_> = due.iter().map(|d| (d.about, d.attempts, d.data.clone().unwrap())).collect();
    let expected = |n, text: &str| (About::Queued(n), 0, format!("{{\"subject\":\"{text}\"}}"));
    assert_eq!(told, [expected(1, "Re: Hello"), expected(2, "Re: Again")]);
}

#[tokio::test]
async fn a_cursor_begins_anew() {
    let house = house();
    let hook = WebhookId(4);
    house.happen(&[(MAIN, Kind::Bounced)]).await;
    let cursor = |missed: Option<Missed>| {
        house.storage.events().write(move |tx| {
            if let Some(missed) = missed {
                cursor::again(tx, MAIN, hook, missed)?;
            }
            cursor::open(tx, MAIN, hook)
        })
    };
    assert_eq!(cursor(None).await.unwrap().event_id, 1);
    house.happen(&[(MAIN, Kind::Bounced)]).await;
    assert_eq!(cursor(Some(Missed::Told)).await.unwrap().event_id, 1);
    assert_eq!(cursor(Some(Missed::Skipped)).await.unwrap().event_id, 2);
}

#[test]
fn no_statement_of_the_loop_walks_a_table() {
    check_plans(expect![[r#"
        span: CO-ROUTINE (subquery-1) | SEARCH event USING INTEGER PRIMARY KEY (rowid>?) | SCAN (subquery-1)
        after: SEARCH e USING INTEGER PRIMARY KEY (rowid>? AND rowid<?) | LIST SUBQUERY 1 | SCAN json_each VIRTUAL TABLE INDEX 1: | CREATE BLOOM FILTER | SEARCH r USING INTEGER PRIMARY KEY (rowid=?) LEFT-JOIN | SEARCH d USING INTEGER PRIMARY KEY (rowid=?) LEFT-JOIN | SEARCH m USING INTEGER PRIMARY KEY (rowid=?) LEFT-JOIN | SEARCH c USING INTEGER PRIMARY KEY (rowid=?) LEFT-JOIN | SEARCH p USING INTEGER PRIMARY KEY (rowid=?) LEFT-JOIN
        due: SEARCH webhook_delivery USING INDEX webhook_delivery_due (webhook_id=? AND next_ms<?)
        open: CO-ROUTINE (subquery-1) | SEARCH webhook_delivery USING INDEX webhook_delivery_due (webhook_id=? AND next_ms>?) | SCAN (subquery-1)
        page: SEARCH webhook_delivery USING INDEX webhook_delivery_list (webhook_id=? AND id<?)
        page of a state: SEARCH webhook_delivery USING INDEX webhook_delivery_state (webhook_id=? AND state=? AND id<?)
        forget: SEARCH webhook_delivery USING INTEGER PRIMARY KEY (rowid=?) | LIST SUBQUERY 1 | SCAN webhook_delivery
    "#]]);
}

fn check_plans(expected: Expect) {
    let house = house();
    let plan = |c: &Connection, sql: &str| {
        let mut statement = c.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let mut rows = statement.raw_query();
        let mut lines = Vec::new();
        while let Some(row) = rows.next().unwrap() {
            lines.push(row.get::<_, String>(3).unwrap());
        }
        lines.join(" | ")
    };
    let plans = house.storage.read_blocking(|c| {
        let mut out = String::new();
        for (name, sql) in [
            ("span", happening::STATEMENTS[0]),
            ("after", happening::STATEMENTS[1]),
            ("due", delivery::STATEMENTS[2]),
            ("open", delivery::STATEMENTS[3]),
            ("page", delivery::STATEMENTS[7]),
            ("page of a state", delivery::STATEMENTS[8]),
            ("forget", delivery::STATEMENTS[9]),
        ] {
            out.push_str(&format!("{name}: {}\n", plan(c, sql)));
        }
        Ok(out)
    });
    expected.assert_eq(&plans.unwrap());
}
