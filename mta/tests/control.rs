//! Control by hand, in the simulated world: pauses, actions on who is waiting, conversations, the watchdog.

mod harness;

use harness::*;
use mail::{RecipientState, WaitReason};
use sandbox::Manners;
use std::time::Duration;
use storage::pause::{self, NewPause, Scope};
use storage::queue::{self, Action, LiveFilter, Order, Recipient};
use storage::{PauseId, RecipientId, conversation, event};
use world::Clock;

const HOUR: Duration = Duration::from_secs(3600);

async fn pause(voyage: &Voyage, scope: Scope, subject: &str) -> PauseId {
    let new = NewPause {
        workspace_id: WS,
        scope,
        subject: subject.to_owned(),
        created_by: "ana".to_owned(),
        reason: String::new(),
        now_ms: voyage.sim.clock.now_ms(),
    };
    let id = voyage.write(move |tx| pause::insert(tx, &new)).await.unwrap();
    voyage.engine.as_ref().unwrap().waker().pauses_changed();
    id
}

async fn resume(voyage: &Voyage, id: PauseId) {
    assert!(voyage.write(move |tx| pause::delete(tx, WS, id)).await.is_some());
    voyage.engine.as_ref().unwrap().waker().pauses_changed();
}

async fn act(voyage: &Voyage, action: Action, pool: Option<&str>) -> u64 {
    let order = Order {
        workspace_id: WS,
        action,
        filter: LiveFilter::default(),
        pool: pool.map(str::to_owned),
        created_by: "ana".to_owned(),
        reason: String::new(),
    };
    let now_ms = voyage.sim.clock.now_ms();
    let span = (RecipientId(0), RecipientId(i64::MAX));
    let acted = voyage.write(move |tx| queue::act(tx, &order, span, 100_000, now_ms)).await;
    voyage.engine.as_ref().unwrap().wake();
    acted.changed
}

async fn seconds(voyage: &Voyage, n: u64) {
    voyage.sim.clock.sleep(Duration::from_secs(n)).await;
}

fn of<'a>(log: &'a [Recipient], domain: &'a str) -> impl Iterator<Item = &'a Recipient> {
    log.iter().filter(move |r| r.address.ends_with(domain))
}

#[tokio::test(start_paused = true)]
async fn everything_stops_within_a_second_and_goes_on() {
    for scope in [Scope::Everything, Scope::Workspace, Scope::Domain, Scope::Provider] {
        let manners = Manners { latency_ms: 50, ..Manners::default() };
        let mut voyage = Voyage::start(world(vec![provider("slow", 1, manners)]), "").await;
        voyage.launch(CAMPAIGN, people("fine-", "slow.example", 3000)).await;
        seconds(&voyage, 3).await;
        let subject = match scope {
            Scope::Domain => "slow.example",
            Scope::Provider => "slow-mx.example",
            _ => "",
        };
        let id = pause(&voyage, scope, subject).await;
        seconds(&voyage, 1).await;
        let before = voyage.sim.ledger.total().messages;
        assert!(before > 0, "{scope:?}: it had begun");
        seconds(&voyage, 1800).await;
        assert_eq!(voyage.sim.ledger.total().messages, before, "{scope:?}");
        let log = voyage.log().await;
        let paused = log.iter().filter(|r| r.wait_reason == Some(WaitReason::Paused)).count();
        let attempts = log.iter().filter(|r| r.state == RecipientState::Queued && r.attempts > 0).count();
        assert!(paused > 0 && attempts == 0, "{scope:?}: {paused} wait, {attempts} have lost an attempt");
        resume(&voyage, id).await;
        let took = voyage.until_done(HOUR).await;
        assert!(took < Duration::from_secs(300), "{scope:?}: {took:?}");
        assert_eq!(voyage.endings().await, "delivered 3000\n");
        voyage.finish().await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_other_sources_take_over_from_a_paused_one() {
    let manners = Manners { latency_ms: 50, ..Manners::default() };
    let mut voyage = Voyage::start(world(vec![provider("slow", 1, manners)]), "").await;
    voyage.launch(CAMPAIGN, people("fine-", "slow.example", 1500)).await;
    seconds(&voyage, 2).await;
    let id = pause(&voyage, Scope::Source, "one").await;
    seconds(&voyage, 1).await;
    let from_one = async || voyage.log().await.iter().filter(|r| r.source.as_deref() == Some("one")).count();
    let before = from_one().await;
    assert!(before > 0, "it had begun");
    seconds(&voyage, 600).await;
    assert_eq!(from_one().await, before);
    voyage.until_done(HOUR).await;
    assert_eq!(voyage.endings().await, "delivered 1500\n");
    resume(&voyage, id).await;
    voyage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_paused_domain_stops_nobody_else() {
    let sites = vec![provider("shut", 1, Manners::default()), provider("open", 2, Manners::default())];
    let mut voyage = Voyage::start(world(sites), "").await;
    let id = pause(&voyage, Scope::Domain, "shut.example").await;
    let mut all = people("fine-", "shut.example", 700);
    all.extend(people("fine-", "open.example", 700));
    voyage.launch(CAMPAIGN, all).await;
    seconds(&voyage, 60).await;
    let log = voyage.log().await;
    assert!(of(&log, "open.example").all(|r| r.state == RecipientState::Delivered));
    assert!(of(&log, "shut.example").all(|r| r.wait_reason == Some(WaitReason::Paused)));
    // Ended while nobody was here: the next start makes them due.
    voyage.engine.take().unwrap().stop(Duration::from_secs(30)).await;
    voyage.write(move |tx| pause::delete(tx, WS, id)).await.unwrap();
    voyage.engine = Some(voyage.begin().await);
    let took = voyage.until_done(HOUR).await;
    assert!(took < Duration::from_secs(60), "{took:?}");
    voyage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn who_is_held_in_memory_is_not_sent_and_comes_back() {
    let manners = Manners { latency_ms: 200, ..Manners::default() };
    let mut voyage = Voyage::start(world(vec![provider("slow", 1, manners)]), "connections_per_lane = 1").await;
    voyage.launch(CAMPAIGN, people("fine-", "slow.example", 400)).await;
    seconds(&voyage, 2).await;
    let held = act(&voyage, Action::Hold, None).await;
    assert!(held > 300, "{held}");
    seconds(&voyage, 2).await;
    let before = voyage.sim.ledger.total().messages;
    seconds(&voyage, 600).await;
    assert_eq!(voyage.sim.ledger.total().messages, before);
    for _ in 0..3 {
        act(&voyage, Action::Release, None).await;
        seconds(&voyage, 1).await;
        act(&voyage, Action::Hold, None).await;
    }
    act(&voyage, Action::Release, None).await;
    voyage.until_done(HOUR).await;
    assert_eq!(voyage.endings().await, "delivered 400\n");
    voyage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn the_deferred_are_hurried_over_another_source() {
    let manners = Manners { greylist_ms: Some(20_000), ..Manners::default() };
    let mut voyage = Voyage::start(world(vec![provider("grey", 1, manners)]), "").await;
    voyage.launch(CAMPAIGN, people("fine-", "grey.example", 30)).await;
    seconds(&voyage, 10).await;
    assert_eq!(act(&voyage, Action::Reroute, Some(&mta::pool_of_source("three"))).await, 30);
    assert_eq!(act(&voyage, Action::Retry, None).await, 30);
    // Greylisted once more, since it is another source.
    seconds(&voyage, 25).await;
    act(&voyage, Action::Retry, None).await;
    seconds(&voyage, 5).await;
    let log = voyage.log().await;
    assert!(
        log.iter().all(|r| r.state == RecipientState::Delivered && r.source.as_deref() == Some("three")),
        "{log:?}"
    );
    voyage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn conversations_of_what_went_wrong_are_kept() {
    for (mode, deferred, delivered) in [("failures", 1, 0), ("all", 1, 1), ("off", 0, 0)] {
        let manners = Manners { greylist_ms: Some(100_000), ..Manners::default() };
        let more = format!("conversation = \"{mode}\"");
        let mut voyage = Voyage::start(world(vec![provider("grey", 1, manners)]), &more).await;
        voyage.launch(CAMPAIGN, people("fine-", "grey.example", 3)).await;
        voyage.until_done(HOUR).await;
        seconds(&voyage, 2).await;
        for r in voyage.log().await {
            let kept = voyage.storage.read(move |c| conversation::of_recipient(c, WS, r.id, 10)).await.unwrap();
            let of = |outcome: &str| kept.iter().filter(|c| c.outcome == outcome).count();
            assert_eq!((of("deferred"), of("delivered")), (deferred, delivered), "{mode}");
            for talk in kept {
                assert!(talk.text.starts_with("S: 220 ") && talk.text.contains("C: EHLO "), "{}", talk.text);
                assert!(talk.text.contains(&format!("C: RCPT TO:<{}>", r.address)), "{}", talk.text);
                assert!(!talk.text.contains("Subject"), "content is never kept: {}", talk.text);
                assert_eq!(talk.text.matches("C: RCPT").count(), 1, "one message each: {}", talk.text);
                let answer = if talk.outcome == "delivered" { "S: 250 2.0.0" } else { "S: 451 4.7.1 Greylisted" };
                assert!(talk.text.contains(answer), "{}", talk.text);
            }
        }
        voyage.finish().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_lane_without_progress_is_told() {
    let slow = provider("slow", 1, Manners { latency_ms: 200_000, ..Manners::default() });
    let quick = provider("quick", 2, Manners { latency_ms: 200, ..Manners::default() });
    let more = "stall_after = \"2m\"\nconnections_per_lane = 1";
    let mut voyage = Voyage::start(world(vec![slow, quick]), more).await;
    let mut all = people("fine-", "slow.example", 300);
    all.extend(people("fine-", "quick.example", 300));
    voyage.launch(CAMPAIGN, all).await;
    seconds(&voyage, 60).await;
    let waker = voyage.engine.as_ref().unwrap().waker();
    assert_eq!(waker.stalled(), []);
    seconds(&voyage, 120).await;
    let stalled = waker.stalled();
    assert!(!stalled.is_empty() && stalled.iter().all(|lane| lane.provider == "slow-mx.example"), "{stalled:?}");
    assert!(stalled.iter().all(|lane| lane.ready > 0 && lane.why.starts_with("one connection is open")), "{stalled:?}");
    seconds(&voyage, 10).await;
    let hour_ms = voyage.sim.clock.now_ms() - 7_200_000;
    let sums = voyage.storage.read(move |c| event::by_provider(c, WS, hour_ms)).await.unwrap();
    assert!(sums.iter().all(|sum| sum.kind != event::Kind::LaneStalled), "not among the outcomes: {sums:?}");
    voyage.finish().await;
}
