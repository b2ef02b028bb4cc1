//! Warm-up through a simulated internet: the overflow, the days, a crash in the middle of one.

mod harness;

use harness::*;
use mail::{RecipientState, WaitReason};
use sandbox::{Manners, SimOptions};
use std::collections::BTreeMap;
use std::time::Duration;
use storage::{queue, warmup};
use world::Clock;

const HOUR: Duration = Duration::from_secs(3600);
const DAY_MS: i64 = 86_400_000;
const STAGES: &str = "[24, 48, 96]";
/// 2026-01-05 20:00 UTC: four hours are left of the day.
const START_MS: i64 = 1_767_643_200_000;

/// Source `new` in the pool `default`; `more` goes into that pool.
fn warming(more: &str, stages: &str) -> String {
    format!(
        "bulk_expiry = \"14d\"
        [[source]]
        name = \"new\"
        ip = \"127.0.1.4\"
        warmup = \"own\"
        [[pool]]
        name = \"default\"
        sources = [{{ source = \"new\" }}]
        {more}
        [[pool]]
        name = \"old\"
        sources = [{{ source = \"one\" }}]
        [[warmup_plan]]
        name = \"own\"
        stages = {stages}"
    )
}

async fn by_source(voyage: &Voyage) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for r in voyage.log().await.into_iter().filter(|r| r.state == RecipientState::Delivered) {
        *counts.entry(r.source.unwrap()).or_default() += 1;
    }
    counts
}

/// Until so long after a midnight (UTC).
async fn until(voyage: &Voyage, midnights: i64, after: Duration) {
    let at_ms = (START_MS / DAY_MS + midnights) * DAY_MS + i64::try_from(after.as_millis()).unwrap();
    let wait = u64::try_from(at_ms - voyage.sim.clock.now_ms()).unwrap();
    voyage.sim.clock.sleep(Duration::from_millis(wait)).await;
}

async fn evening(more: &str, stages: &str) -> Voyage {
    let providers = world(vec![provider("gull", 1, Manners::default())]);
    Voyage::start_with(providers, &warming(more, stages), SimOptions { start_ms: START_MS, ..SimOptions::default() })
        .await
}

async fn line(voyage: &Voyage) -> warmup::Line {
    voyage.storage.read(warmup::all).await.unwrap().remove(0)
}

#[tokio::test(start_paused = true)]
async fn what_exceeds_the_allowance_overflows_and_the_line_fills_the_day() {
    let mut voyage = evening("overflow = \"old\"", STAGES).await;
    voyage.launch(CAMPAIGN, people("fine-", "gull.example", 100)).await;
    voyage.sim.clock.sleep(Duration::from_secs(60)).await;
    let soon = by_source(&voyage).await;
    assert_eq!((soon.get("new"), soon.get("one")), (Some(&1), Some(&76)), "no burst; the others at once");
    for r in voyage.log().await.into_iter().filter(|r| r.state == RecipientState::Queued) {
        assert_eq!((r.wait_reason, r.attempts), (Some(WaitReason::WarmUp), 0), "{r:?}");
        let due_ms = r.due_ms.unwrap();
        assert_eq!(due_ms / DAY_MS, voyage.sim.clock.now_ms() / DAY_MS, "today");
    }
    let took = voyage.until_done(4 * HOUR).await;
    assert!(took > 3 * HOUR, "spread over the day: {took:?}");
    assert_eq!(by_source(&voyage).await, BTreeMap::from([("new".to_owned(), 24), ("one".to_owned(), 76)]));
    let figures = line(&voyage).await.figures;
    assert_eq!((figures.sent, figures.delivered, figures.answered()), (24, 24, 24));
    until(&voyage, 1, Duration::from_secs(60)).await;
    let line = line(&voyage).await;
    assert_eq!((line.stage, line.note.as_str(), line.figures.sent), (1, "climbed: 24 were delivered", 0));
    voyage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn days_pass_and_a_crash_in_the_middle_of_one_sends_no_more() {
    let mut voyage = evening("", STAGES).await;
    voyage.launch(CAMPAIGN, people("fine-", "gull.example", 100)).await;
    voyage.sim.clock.sleep(HOUR).await;
    let before = by_source(&voyage).await["new"];
    assert!((5..=8).contains(&before), "{before} in an hour");
    let engine = voyage.engine.take().unwrap();
    engine.crash().await;
    voyage.engine = Some(voyage.begin().await);
    until(&voyage, 1, Duration::ZERO).await;
    assert_eq!(by_source(&voyage).await["new"], 24);
    assert_eq!(line(&voyage).await.figures.sent, 24);
    let due: Vec<i64> = voyage.log().await.iter().filter_map(|r| r.due_ms).map(|due_ms| due_ms / DAY_MS).collect();
    let today = voyage.sim.clock.now_ms() / DAY_MS;
    let (tomorrow, later) =
        (due.iter().filter(|day| **day == today).count(), due.iter().filter(|day| **day > today).count());
    assert!((40..=56).contains(&tomorrow) && tomorrow + later == 76, "{tomorrow} tomorrow, {later} later");
    let made = voyage.letters.made.load(std::sync::atomic::Ordering::SeqCst);
    assert!(made < 40, "{made} made: who waits is not made a message of");
    until(&voyage, 1, 2 * HOUR).await;
    let later = by_source(&voyage).await["new"] - 24;
    assert!((3..=6).contains(&later), "two hours of 48 a day: {later}");
    assert_eq!(line(&voyage).await.stage, 1);
    voyage.finish().await;
}

/// Due at once by hand: who finds no place stands in line from now, not behind the places that were given up.
#[tokio::test(start_paused = true)]
async fn hurrying_the_line_does_not_push_it_back() {
    let mut voyage = evening("", STAGES).await;
    voyage.launch(CAMPAIGN, people("fine-", "gull.example", 100)).await;
    for _ in 0..3 {
        voyage.sim.clock.sleep(HOUR / 2).await;
        let (now_ms, order) = (voyage.sim.clock.now_ms(), retry_all());
        let waker = voyage.engine.as_ref().unwrap().waker();
        waker.hurries();
        let all = (storage::RecipientId(0), storage::RecipientId(i64::MAX));
        voyage.write(move |tx| queue::act(tx, &order, all, 1_000, now_ms)).await;
        waker.wake();
    }
    until(&voyage, 1, Duration::ZERO).await;
    assert_eq!(by_source(&voyage).await["new"], 24);
    until(&voyage, 1, 2 * HOUR).await;
    let later = by_source(&voyage).await["new"] - 24;
    assert!((3..=6).contains(&later), "two hours of 48 a day: {later}");
    voyage.finish().await;
}

fn retry_all() -> queue::Order {
    queue::Order {
        workspace_id: WS,
        action: queue::Action::Retry,
        filter: queue::LiveFilter::default(),
        pool: None,
        created_by: "ana".to_owned(),
        reason: String::new(),
    }
}

#[tokio::test(start_paused = true)]
async fn after_the_last_stage_everybody_goes() {
    let mut voyage = evening("", "[24]").await;
    voyage.launch(CAMPAIGN, people("fine-", "gull.example", 100)).await;
    until(&voyage, 1, Duration::ZERO).await;
    assert_eq!(by_source(&voyage).await["new"], 24);
    until(&voyage, 1, Duration::from_secs(60)).await;
    assert_eq!(by_source(&voyage).await["new"], 100);
    assert_eq!(line(&voyage).await.state, warmup::State::Done);
    voyage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_new_sending_domain_earns_its_volume_too() {
    let mut voyage = evening("overflow = \"old\"", STAGES).await;
    let now_ms = voyage.sim.clock.now_ms();
    // The campaign's domain is in main.db, where the sender of a campaign is looked up.
    let domain = voyage.sending_domain("sender.example", CAMPAIGN).await;
    let begun = warmup::DomainWarmup {
        domain_id: domain,
        workspace_id: WS,
        domain: "sender.example".to_owned(),
        plan: "own".to_owned(),
        created_by: "ana".to_owned(),
        created_ms: now_ms,
    };
    voyage.write(move |tx| warmup::add_domain(tx, &begun)).await;
    voyage.engine.as_ref().unwrap().waker().warmup_changed().await.unwrap();
    voyage.launch(CAMPAIGN, people("fine-", "gull.example", 60)).await;
    until(&voyage, 1, Duration::ZERO).await;
    let delivered: usize = by_source(&voyage).await.values().sum();
    assert_eq!(delivered, 24, "whatever the source");
    let lines = voyage.storage.read(warmup::all).await.unwrap();
    let of_domain = lines.iter().find(|line| line.key.axis == warmup::Axis::Domain).unwrap();
    assert_eq!((&*of_domain.key.subject, of_domain.figures.sent), ("sender.example", 24));
    voyage.finish().await;
}
