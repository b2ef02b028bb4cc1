//! Stories over several days: a welcome series from publishing to its last mail, with the clock in our hand.

use super::*;
use crate::mailing::{self, Egress};
use api_types::{
    Filter, JourneyAction, JourneyMail, JourneyStep, KeyStep, ListInput, ListStatus, TemplateInput, TemplateKind,
};
use expect_test::{Expect, expect};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use storage::contact::Origin;
use storage::domain::NewDkimKey;
use storage::queue::{self, Answer, Due, Ending, Settlement, Turn};
use storage::{ListId, OpenOptions, campaign, domain, list, suppression};
use world::Clock;

const W: WorkspaceId = WorkspaceId::MAIN;
const DAY_MIN: u32 = 1_440;
/// Monday, 2026-03-02T09:00Z.
const BEGIN_MS: i64 = 1_772_442_000_000;

struct Hand(AtomicI64);

impl Clock for Hand {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }

    fn sleep(&self, span: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        self.0.fetch_add(span.as_millis() as i64, Ordering::SeqCst);
        Box::pin(std::future::ready(()))
    }
}

struct House {
    _dir: tempfile::TempDir,
    storage: Storage,
    clock: Arc<Hand>,
    template: i64,
    list: ListId,
}

fn egress() -> Egress {
    Egress { streams: config::Config::default().streams, pools: vec!["default".into()] }
}

impl House {
    async fn new() -> House {
        let dir = tempfile::tempdir().unwrap();
        let storage = Storage::open(&OpenOptions { dir: dir.path().to_owned(), readers: 2 }).unwrap();
        let write = |tx: &storage::Transaction<'_>| {
            let key = NewDkimKey {
                selector: "pb1".into(),
                algorithm: "rsa-sha256",
                private_sealed: vec![],
                public_key: String::new(),
            };
            let id = domain::insert(tx, W, ("example.com", "bounce.example.com"), &[key], 0)?;
            for mut key in domain::keys(tx, W, id)? {
                key.step = KeyStep::Active;
                domain::set_step(tx, W, &key)?;
            }
            Ok(())
        };
        storage.main().write(write).await.unwrap();
        let input = TemplateInput {
            name: "Hello".into(),
            kind: TemplateKind::Html,
            subject: "Hello".into(),
            preheader: String::new(),
            source: "<p>Hello</p>".into(),
        };
        let template = crate::template::create(&storage, W, input, "ana".into(), 1).await.unwrap().id.0;
        let news = ListInput { name: "News".into(), description: String::new(), public: true, default: false };
        let list = ListId(crate::lists::create(&storage, W, news, 1).await.unwrap().id);
        let clock = Arc::new(Hand(AtomicI64::new(BEGIN_MS)));
        House { _dir: dir, storage, clock, template, list }
    }

    fn now_ms(&self) -> i64 {
        self.clock.now_ms()
    }

    fn driver(&self) -> Driver {
        Driver::new(self.storage.clone(), self.clock.clone(), egress().streams, || ())
    }

    fn send(&self, key: &str, to: &str) -> JourneyStep {
        let mail = JourneyMail {
            template_id: Some(self.template),
            from_email: "news@example.com".into(),
            from_name: "Acme".into(),
            ..JourneyMail::default()
        };
        graph::tests::step(key, JourneyAction::Send(mail), to)
    }

    /// A mail at once, one after two days, one on the following Friday at ten.
    fn welcome(&self) -> JourneyGraph {
        use JourneyAction as A;
        let step = graph::tests::step;
        let friday = A::WaitUntil { weekdays: vec![api_types::JourneyWeekday::Friday], time: "10:00".into() };
        JourneyGraph {
            list_id: Some(self.list.0),
            ..graph::tests::graph(
                "hello",
                vec![
                    self.send("hello", "two-days"),
                    step("two-days", A::Wait { minutes: 2 * DAY_MIN }, "second"),
                    self.send("second", "friday"),
                    step("friday", friday, "third"),
                    self.send("third", "tag"),
                    step("tag", A::AddTag { tag: "welcomed".into() }, "end"),
                    graph::tests::exit("end"),
                ],
            )
        }
    }

    async fn published(&self, graph: JourneyGraph) -> JourneyId {
        let input = JourneyInput { name: "Welcome".into(), graph };
        let id = create(&self.storage, W, input, "ana".into(), self.now_ms()).await.unwrap();
        publish(&self.storage, (W, id), "ana".into(), egress(), self.now_ms()).await.unwrap();
        id
    }

    /// A contact that is put on the list.
    async fn joins(&self, name: &str) -> ContactId {
        let (draft, list, now_ms) = (draft(name), self.list, self.now_ms());
        let write = move |tx: &storage::Transaction<'_>| {
            let id = contact::insert(tx, W, &draft, Origin { consent_source: "form", import: None }, now_ms)?.unwrap();
            list::add(tx, (W, list, id), "form", now_ms)?;
            Ok(id)
        };
        self.storage.main().write(write).await.unwrap()
    }

    /// Hours pass: steps are done each hour, and what is in the queue is delivered, or bounces where the address says so.
    async fn hours(&self, n: i64) {
        for _ in 0..n {
            while self.driver().round().await.unwrap() {}
            self.deliver().await;
            self.clock.0.fetch_add(3_600_000, Ordering::SeqCst);
        }
    }

    async fn deliver(&self) {
        let now_ms = self.now_ms();
        let deliver = move |tx: &storage::Transaction<'_>| {
            let taken = queue::take_due(tx, Due { now_ms, bulk: 1000, transactional: 0, turn: Turn::default() })?;
            let settled = taken.claimed.iter().map(|claimed| {
                let bounces = claimed.address.to_string().starts_with("bounces");
                let (ending, answer) = if bounces {
                    let answer = Answer::of_trouble(mail::BounceClass::BadMailbox, "5.1.1 no such user");
                    (Ending::Bounced { suppress: true }, Some(answer))
                } else {
                    (Ending::Delivered, None)
                };
                Settlement { id: claimed.id, at_ms: now_ms, ending, attempt: None, answer }
            });
            queue::settle(tx, &settled.collect::<Vec<_>>())
        };
        self.storage.queue().write(deliver).await.unwrap();
    }

    /// Every mail that went out: when, to whom, of which step.
    fn mails(&self) -> String {
        let sql = "
            SELECT (d.finished_ms - ?1) / 3600000, d.address, r.journey_step, d.state
            FROM recipient_done d JOIN campaign_run r ON r.campaign_id = d.campaign_id ORDER BY d.id";
        self.storage
            .read_blocking(|c| {
                let mut statement = c.prepare(sql)?;
                let rows = statement.query_map([BEGIN_MS], |row| {
                    let (hours, to, step, state): (i64, String, String, String) =
                        (row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?);
                    Ok(format!(
                        "day {} {:02}h {step} to {}: {state}\n",
                        hours / 24,
                        hours % 24,
                        to.split('@').next().unwrap()
                    ))
                })?;
                Ok(rows.collect::<Result<String, _>>()?)
            })
            .unwrap()
    }

    /// Every run: who, where or how it ended.
    fn runs(&self, id: JourneyId) -> String {
        let query = journey_run::Query { limit: 100, ..journey_run::Query::default() };
        let all = self.storage.read_blocking(|c| Ok(runs(c, (W, id), &query))).unwrap().unwrap();
        let told = all.iter().rev().map(|run| {
            let who = run.email.as_deref().unwrap_or("deleted").split('@').next().unwrap_or_default();
            match &run.end_reason {
                Some(reason) => format!("{who}: {reason} at {} ({})\n", run.step_name, run.end_words),
                None => format!("{who}: at {}\n", run.step_name),
            }
        });
        told.collect()
    }

    fn check(&self, id: JourneyId, mails: &Expect, runs: &Expect) {
        mails.assert_eq(&self.mails());
        runs.assert_eq(&self.runs(id));
    }
}

fn draft(name: &str) -> contact::Draft {
    contact::Draft {
        email: Address::parse(&format!("{name}@gull.example")).unwrap(),
        first_name: name.to_owned(),
        last_name: String::new(),
        attributes: contact::Attributes::new(),
    }
}

#[tokio::test]
async fn a_welcome_series() {
    let house = House::new().await;
    let id = house.published(house.welcome()).await;
    house.joins("ana").await;
    house.joins("bounces").await;
    house.hours(5).await;
    house.joins("leaves").await;
    house.hours(24).await;
    let unsubscribe = |tx: &storage::Transaction<'_>| {
        let address = Address::parse("leaves@gull.example").unwrap();
        suppression::add(
            tx,
            &suppression::NewSuppression {
                workspace_id: W,
                address: &address,
                covers: api_types::SuppressionCovers::Marketing,
                reason: api_types::SuppressionReason::Unsubscribe,
                origin: "the link in a mail",
                recipient_id: None,
                campaign_id: None,
                contact_id: None,
                created_by: None,
                now_ms: BEGIN_MS,
                expires_ms: None,
            },
        )
    };
    house.storage.queue().write(unsubscribe).await.unwrap();
    house.hours(24 * 6).await;
    house.check(
        id,
        &expect![[r#"
            day 0 00h hello to ana: delivered
            day 0 00h hello to bounces: bounced
            day 0 05h hello to leaves: delivered
            day 2 00h second to ana: delivered
            day 4 01h third to ana: delivered
        "#]],
        &expect![[r#"
            ana: finished at end (came to the end)
            bounces: bounced at two-days (hard bounce: 5.1.1 no such user)
            leaves: unsubscribed at two-days (unsubscribe: the link in a mail)
        "#]],
    );
    let journey = house.storage.read_blocking(|c| whole(c, rows::find(c, W, id)?.unwrap())).unwrap();
    let figures: Vec<String> = journey
        .figures
        .iter()
        .filter(|step| step.sent > 0)
        .map(|step| {
            format!("{}: sent {}, delivered {}, bounced {}", step.name, step.sent, step.delivered, step.bounced)
        })
        .collect();
    assert_eq!(
        figures,
        [
            "hello: sent 3, delivered 2, bounced 1",
            "second: sent 1, delivered 1, bounced 0",
            "third: sent 1, delivered 1, bounced 0"
        ]
    );
    assert_eq!((journey.summary.entered, journey.summary.waiting, journey.changed), (3, 0, false));
    let tags = house.storage.read_blocking(|c| contact::find(c, W, ContactId(1))).unwrap().unwrap().tags;
    assert_eq!(tags, ["welcomed"]);
    // Mailings of journeys are none of the campaigns that people see, and end with their journey alone.
    let query = campaign::Query { limit: 10, ..campaign::Query::default() };
    assert!(house.storage.read_blocking(|c| campaign::page(c, W, &query)).unwrap().is_empty());
    let mailing = (W, storage::CampaignId(journey.figures[0].campaign_ids[0]));
    let refused = mailing::cancel(&house.storage, mailing, "bob", 1).await.unwrap_err();
    assert_eq!(refused.to_string(), "This is mail of the journey “Welcome”; end the journey.");
    mailing::pause(&house.storage, mailing, "bob", 1).await.unwrap();
    mailing::resume(&house.storage, mailing, "bob", 1).await.unwrap();
    pause(&house.storage, (W, id), "bob", 1).await.unwrap();
    let refused = mailing::resume(&house.storage, mailing, "bob", 1).await.unwrap_err();
    assert_eq!(refused.to_string(), "The journey “Welcome” does not go on; resume it.");
}

#[tokio::test]
async fn doing_a_round_again_changes_nothing() {
    let house = House::new().await;
    let id = house.published(house.welcome()).await;
    house.joins("ana").await;
    // Two drivers at once, as after a stop that nobody has noticed, and a note of joining that comes twice.
    let (one, other) = (house.driver(), house.driver());
    let (first, second) = tokio::join!(one.round(), other.round());
    assert!(first.unwrap() || second.unwrap());
    house.hours(1).await;
    let again = Entrant {
        workspace_id: W,
        journey_id: id,
        contact_id: ContactId(1),
        address_hash: storage::address_hash(&Address::parse("ana@gull.example").unwrap()),
        by_list: Some(house.list),
        source: String::new(),
        now_ms: house.now_ms(),
    };
    let entered = house.storage.queue().write(move |tx| journey_run::enter(tx, &again)).await.unwrap();
    assert!(matches!(entered, Entered::UnderWay(_)), "{entered:?}");
    house.hours(1).await;
    house.check(
        id,
        &expect![[r#"
            day 0 00h hello to ana: delivered
        "#]],
        &expect![[r#"
            ana: at two-days
        "#]],
    );
}

#[tokio::test]
async fn publishing_that_a_crash_cut_off_is_repaired() {
    let house = House::new().await;
    let id = house.published(house.welcome()).await;
    // As if nothing of the second step had been written.
    let forget =
        |tx: &storage::Transaction<'_>| Ok(tx.execute_batch("DELETE FROM journey_live; DELETE FROM campaign_run")?);
    house.storage.queue().write(forget).await.unwrap();
    recover(&house.storage, &egress().streams, house.now_ms()).await.unwrap();
    recover(&house.storage, &egress().streams, house.now_ms()).await.unwrap();
    house.joins("ana").await;
    house.hours(24 * 7).await;
    assert_eq!(house.runs(id), "ana: finished at end (came to the end)\n");
    assert_eq!(house.mails().lines().count(), 3);
}

#[tokio::test]
async fn who_is_under_way_stays_on_its_version() {
    let house = House::new().await;
    let id = house.published(house.welcome()).await;
    house.joins("ana").await;
    house.hours(1).await;
    let short = JourneyGraph {
        list_id: Some(house.list.0),
        ..graph::tests::graph("only", vec![house.send("only", "end"), graph::tests::exit("end")])
    };
    let input = JourneyInput { name: "Welcome".into(), graph: short };
    update(&house.storage, (W, id), input, house.now_ms()).await.unwrap();
    publish(&house.storage, (W, id), "ana".into(), egress(), house.now_ms()).await.unwrap();
    house.joins("bob").await;
    house.hours(24 * 7).await;
    house.check(
        id,
        &expect![[r#"
            day 0 00h hello to ana: delivered
            day 0 01h only to bob: delivered
            day 2 00h second to ana: delivered
            day 4 01h third to ana: delivered
        "#]],
        &expect![[r#"
            ana: finished at end (came to the end)
            bob: finished at end (came to the end)
        "#]],
    );
    // Nobody is under way in the first version: its mailings are finished, that of the second is open.
    let states: Vec<String> = house
        .storage
        .read_blocking(|c| {
            let mut statement = c.prepare("SELECT state FROM campaign_run ORDER BY campaign_id")?;
            Ok(statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?)
        })
        .unwrap();
    assert_eq!(states, ["finished", "finished", "finished", "running"]);
}

#[tokio::test]
async fn goals_splits_and_lists() {
    let house = House::new().await;
    let step = graph::tests::step;
    let other = ListInput { name: "Buyers".into(), description: String::new(), public: true, default: false };
    let buyers = crate::lists::create(&house.storage, W, other, 1).await.unwrap().id;
    let tagged = |name: &str| Filter::Tag { name: name.into() };
    let mut split = step("vip", JourneyAction::Split { filter: tagged("vip") }, "buyers");
    split.to.insert("no".into(), "wait".into());
    let graph = JourneyGraph {
        list_id: Some(house.list.0),
        goal: Some(tagged("bought")),
        ..graph::tests::graph(
            "vip",
            vec![
                split,
                step("buyers", JourneyAction::JoinList { list_id: buyers }, "off"),
                step("off", JourneyAction::LeaveList { list_id: house.list.0 }, "end"),
                step("wait", JourneyAction::Wait { minutes: DAY_MIN }, "mail"),
                house.send("mail", "end"),
                graph::tests::exit("end"),
            ],
        )
    };
    let id = house.published(graph).await;
    let vip = house.joins("vip").await;
    let buys = house.joins("buys").await;
    house.joins("waits").await;
    let gone = house.joins("gone").await;
    house.storage.main().write(move |tx| contact::set_tags(tx, W, vip, &["vip".to_owned()])).await.unwrap();
    house.hours(2).await;
    house.storage.main().write(move |tx| contact::set_tags(tx, W, buys, &["bought".to_owned()])).await.unwrap();
    house.storage.main().write(move |tx| contact::delete(tx, W, gone, 9)).await.unwrap();
    house.hours(24).await;
    house.check(
        id,
        &expect![[r#"
            day 1 00h mail to waits: delivered
        "#]],
        &expect![[r#"
            vip: left_list at off (left the list “News”)
            buys: goal at wait (the goal is reached)
            waits: finished at end (came to the end)
            deleted: contact_deleted at wait (the contact was deleted)
        "#]],
    );
    let on = Filter::List { id: buyers, status: ListStatus::Subscribed };
    let count = house.storage.read_blocking(|c| Ok(crate::segment::audience(c, W, (&on, None), 9))).unwrap().unwrap();
    assert_eq!(count.matching, 1);
}

#[tokio::test]
async fn a_journey_that_begins_with_a_wait_waits() {
    let house = House::new().await;
    let wait = graph::tests::step("wait", JourneyAction::Wait { minutes: DAY_MIN }, "mail");
    let steps = vec![wait, house.send("mail", "end"), graph::tests::exit("end")];
    let graph = JourneyGraph { list_id: Some(house.list.0), ..graph::tests::graph("wait", steps) };
    let id = house.published(graph).await;
    house.joins("ana").await;
    house.hours(24).await;
    house.check(
        id,
        &expect![""],
        &expect![[r#"
        ana: at wait
    "#]],
    );
    house.hours(1).await;
    house.check(
        id,
        &expect![[r#"
            day 1 00h mail to ana: delivered
        "#]],
        &expect![[r#"
            ana: finished at end (came to the end)
        "#]],
    );
}

#[tokio::test]
async fn who_comes_again_gets_the_mail_again() {
    let house = House::new().await;
    let graph = JourneyGraph {
        reentry_days: Some(1),
        ..graph::tests::graph("mail", vec![house.send("mail", "end"), graph::tests::exit("end")])
    };
    let id = house.published(graph).await;
    let ana = house.joins("ana").await;
    let input = || JourneyEntryInput { contact_id: Some(ana.0), email: String::new() };
    let enter = async || enter(&house.storage, (W, id), input(), "bob", house.now_ms()).await.unwrap().message;
    assert_eq!(enter().await, "The contact has entered.");
    house.hours(1).await;
    assert_eq!(enter().await, "The contact has been in it, and may enter again on 2026-03-03T09:00:00.000Z.");
    house.hours(23).await;
    assert_eq!(enter().await, "The contact has entered.");
    house.hours(24).await;
    assert_eq!(enter().await, "The contact has entered.");
    house.hours(1).await;
    expect![[r#"
        day 0 00h mail to ana: delivered
        day 1 00h mail to ana: delivered
        day 2 00h mail to ana: delivered
    "#]]
    .assert_eq(&house.mails());
    let journey = house.storage.read_blocking(|c| whole(c, rows::find(c, W, id)?.unwrap())).unwrap();
    assert_eq!((journey.figures[0].sent, journey.figures[0].campaign_ids.len()), (3, 3));
}

#[tokio::test]
async fn pausing_and_ending() {
    let house = House::new().await;
    let id = house.published(house.welcome()).await;
    let whose = (W, id);
    let ana = house.joins("ana").await;
    house.hours(1).await;
    pause(&house.storage, whose, "bob", house.now_ms()).await.unwrap();
    house.joins("late").await;
    house.hours(24 * 3).await;
    assert_eq!(house.runs(id), "ana: at two-days\nlate: at hello\n");
    resume(&house.storage, whose, "bob", house.now_ms()).await.unwrap();
    house.hours(1).await;
    assert_eq!(house.runs(id), "ana: at friday\nlate: at two-days\n");
    end(&house.storage, whose, "bob", house.now_ms()).await.unwrap();
    house.joins("later").await;
    house.hours(24 * 7).await;
    assert_eq!(
        house.runs(id),
        "ana: journey_ended at friday (ended by bob)\nlate: journey_ended at two-days (ended by bob)\n"
    );
    assert_eq!(house.mails().lines().count(), 3);
    let by_hand = JourneyEntryInput { contact_id: Some(ana.0), email: String::new() };
    let refused = enter(&house.storage, whose, by_hand, "bob", house.now_ms()).await.unwrap_err();
    assert_eq!(refused.to_string(), "Nobody can enter: the journey is not published, or has ended.");
    let again = publish(&house.storage, whose, "ana".into(), egress(), house.now_ms()).await.unwrap_err();
    assert_eq!(again.to_string(), "The journey has ended for good; make another one of its steps.");
}

#[tokio::test]
async fn a_step_that_is_not_ready_is_named() {
    let house = House::new().await;
    let check = async |change: &dyn Fn(&mut JourneyGraph), expected: &str| {
        let mut graph = house.welcome();
        change(&mut graph);
        let input = JourneyInput { name: format!("J {expected}").chars().take(60).collect(), graph };
        let id = create(&house.storage, W, input, "ana".into(), 1).await.unwrap();
        let refused = publish(&house.storage, (W, id), "ana".into(), egress(), 1).await.unwrap_err();
        assert_eq!(refused.to_string(), format!("The journey cannot be published: {expected}"));
        // Nothing of it is left behind.
        delete(&house.storage, (W, id)).await.unwrap();
    };
    let mail = |graph: &mut JourneyGraph, change: &dyn Fn(&mut JourneyMail)| {
        if let JourneyAction::Send(mail) = &mut graph.steps[2].action {
            change(mail);
        }
    };
    check(&|graph| mail(graph, &|mail| mail.template_id = Some(99)), "the step “second”: Choose a template.").await;
    check(&|graph| mail(graph, &|mail| mail.from_email.clear()), "the step “second”: Write the From address.").await;
    check(
        &|graph| mail(graph, &|mail| mail.from_email = "a@other.example".into()),
        "the step “second”: The domain other.example is not a sending domain; add it under Domains.",
    )
    .await;
    check(
        &|graph| mail(graph, &|mail| mail.pool = "gone".into()),
        "the step “second”: There is no pool “gone” with a source in use; pools are default.",
    )
    .await;
    check(&|graph| graph.steps[1].to.clear(), "the step “two-days”: “next” leads nowhere; choose the step behind it.")
        .await;
    check(&|graph| graph.list_id = Some(99), "The list that leads into it is not there; choose another.").await;
    let unknown = Filter::Attribute {
        path: "attribute:gone".into(),
        op: api_types::FilterOp::IsSet,
        value: serde_json::Value::Null,
    };
    let refused_goal = |graph: &mut JourneyGraph| graph.goal = Some(unknown.clone());
    check(&refused_goal, "The goal cannot be used: There is no field “gone”; choose one of the list.").await;
}
