//! Reputation that acts, as stories: from refusals to a paused campaign, a slower one, a suspended workspace, and back.

// Other stories use the rest of it.
mod harness;

use harness::*;
use mail::{RecipientState, WaitReason};
use sandbox::Manners;
use std::time::Duration;
use storage::automation::{self, Automation, Which};
use storage::campaign_run::{self, Change, RunState};
use world::Clock;

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// What one provider's hour leads to is another story.
const QUIET: &str = "
    [[pool]]
    name = \"default\"
    sources = [{ source = \"one\" }]
    [[shaping]]
    message_rate = \"100/min\"
    bounce_slow_percent = 0
    bounce_hold_percent = 0
    [reputation]
    minimum = 100
";

async fn voyage(more: &str) -> Voyage {
    let calm = provider("calm", 1, Manners { latency_ms: 5, ..Manners::default() });
    Voyage::start(world(vec![calm]), &format!("{QUIET}{more}")).await
}

/// One of `every` does not exist.
fn audience(every: usize, n: usize) -> Vec<String> {
    let name = |i: usize| if i.is_multiple_of(every) { "unknown-" } else { "fine-" };
    (1..=n).map(|i| format!("{}{i}@calm.example", name(i))).collect()
}

/// Transactional mail goes on.
async fn urgent_mail_goes(voyage: &mut Voyage) {
    let content = b"From: shop@sender.example\r\nMessage-ID: <order-7@sender.example>\r\n\r\nHello\r\n";
    let urgent = single_mail(voyage.sim.clock.now_ms(), "fine-urgent@calm.example", content);
    let id = voyage.submit(urgent).await;
    voyage.sim.clock.sleep(MINUTE).await;
    let states: Vec<_> = voyage.of_message(id).await.into_iter().map(|r| r.state).collect();
    assert_eq!(states, [RecipientState::Delivered]);
}

async fn open(voyage: &Voyage) -> Vec<Automation> {
    voyage.storage.read(|c| automation::page(c, WS, Which::Open, i64::MAX, 100)).await.unwrap()
}

fn rules(all: &[Automation]) -> Vec<&str> {
    all.iter().map(|a| a.rule.as_str()).collect()
}

/// A person ends it, as the API does.
async fn lift(voyage: &Voyage, row: &Automation) {
    let (row, now_ms) = (row.clone(), voyage.sim.clock.now_ms());
    let id = row.id;
    voyage
        .write(move |tx| {
            automation::end(tx, id, now_ms, Some("ana"))?;
            if let Some(campaign) = row.campaign_id {
                campaign_run::change(tx, (WS, campaign), Change::Resume, "resumed by ana", now_ms)?;
            }
            Ok(())
        })
        .await;
    let waker = voyage.engine.as_ref().unwrap().waker();
    waker.lifted(id);
    waker.wake();
}

async fn run_state(voyage: &Voyage) -> (RunState, String) {
    let run = voyage.storage.read(|c| campaign_run::find(c, WS, CAMPAIGN)).await.unwrap().unwrap();
    (run.state, run.reason)
}

#[tokio::test(start_paused = true)]
async fn a_campaign_that_bounces_is_paused_and_a_person_resumes_it() {
    let mut voyage = voyage("").await;
    voyage.launch(CAMPAIGN, audience(8, 600)).await;
    voyage.sim.clock.sleep(4 * MINUTE).await;
    let all = open(&voyage).await;
    assert_eq!(rules(&all), ["reputation-bounces-hold"], "the campaign explains it: nothing wider is held");
    let [held] = &all[..] else { panic!("one") };
    assert_eq!(held.campaign_id, Some(CAMPAIGN));
    assert!(held.reply.contains("bounced in the last 24 hours (12."), "{}", held.reply);
    let (state, reason) = run_state(&voyage).await;
    assert!(state == RunState::Paused && reason.contains(&held.reply), "{state:?} {reason}");
    let before = voyage.ledger().await.queued;
    urgent_mail_goes(&mut voyage).await;
    voyage.sim.clock.sleep(HOUR).await;
    assert_eq!(voyage.ledger().await.queued, before, "nothing of the campaign goes");

    lift(&voyage, held).await;
    voyage.sim.clock.sleep(MINUTE).await;
    assert!(open(&voyage).await.is_empty(), "old figures lead to nothing new");
    assert_eq!(run_state(&voyage).await.0, RunState::Running);
    // What comes since bounces as before.
    voyage.sim.clock.sleep(30 * MINUTE).await;
    let all = open(&voyage).await;
    assert!(all.is_empty() || all[0].since_ms > held.since_ms + 3_600_000, "{all:?}");
    for again in open(&voyage).await {
        lift(&voyage, &again).await;
    }
    voyage.until_done(3 * HOUR).await;
    voyage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_campaign_that_is_resumed_on_its_page_is_not_paused_again_for_the_same_figures() {
    let mut voyage = voyage("").await;
    voyage.launch(CAMPAIGN, audience(8, 400)).await;
    voyage.sim.clock.sleep(4 * MINUTE).await;
    assert_eq!(rules(&open(&voyage).await), ["reputation-bounces-hold"]);
    let now_ms = voyage.sim.clock.now_ms();
    voyage.write(move |tx| campaign_run::change(tx, (WS, CAMPAIGN), Change::Resume, "ana", now_ms)).await;
    voyage.engine.as_ref().unwrap().wake();
    voyage.until_done(HOUR).await;
    assert_eq!(rules(&open(&voyage).await), [""; 0], "over, by a person");
    voyage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn slow_is_slow_until_it_is_lifted() {
    let mut voyage = voyage("slow_rate = \"60/h\"\nbounce_hold_percent = 0\n").await;
    voyage.launch(CAMPAIGN, audience(14, 700)).await;
    voyage.sim.clock.sleep(5 * MINUTE).await;
    let all = open(&voyage).await;
    assert_eq!(rules(&all), ["reputation-bounces-slow"]);
    assert_eq!(all[0].rate.as_deref(), Some("60/h"));
    let before = voyage.ledger().await.queued;
    voyage.sim.clock.sleep(HOUR).await;
    let gone = before - voyage.ledger().await.queued;
    // What was in the lane already goes too.
    assert!((40..=110).contains(&gone), "{gone} in an hour");
    let waits = voyage.log().await.iter().filter(|r| r.wait_reason == Some(WaitReason::Rate)).count() as u64;
    assert!(waits + 5 >= voyage.ledger().await.queued, "{waits}");
    lift(&voyage, &all[0]).await;
    let took = voyage.until_done(HOUR).await;
    assert!(took < 10 * MINUTE, "{took:?}");
    voyage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_suspended_workspace_keeps_its_bulk_mail_over_a_restart() {
    let steps = "bounce_warn_percent = 0\nbounce_slow_percent = 0\nbounce_hold_percent = 0\nsuspend_minimum = 100\n";
    let mut voyage = voyage(steps).await;
    voyage.launch(CAMPAIGN, audience(10, 500)).await;
    voyage.sim.clock.sleep(4 * MINUTE).await;
    let all = open(&voyage).await;
    assert_eq!(rules(&all), ["reputation-bounces-suspend"]);
    voyage.engine.take().unwrap().stop(MINUTE).await;
    voyage.engine = Some(voyage.begin().await);
    voyage.sim.clock.sleep(MINUTE).await;
    let before = voyage.ledger().await.queued;
    assert!(before > 100, "{before}");
    voyage.sim.clock.sleep(HOUR).await;
    assert_eq!(voyage.ledger().await.queued, before);
    for r in voyage.log().await.iter().filter(|r| r.state == RecipientState::Queued) {
        assert_eq!((r.wait_reason, r.due_ms), (Some(WaitReason::Reputation), all[0].hold_until_ms), "{r:?}");
    }
    urgent_mail_goes(&mut voyage).await;
    lift(&voyage, &all[0]).await;
    voyage.until_done(HOUR).await;
    assert!(open(&voyage).await.is_empty());
    voyage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn switched_off_nothing_is_done() {
    let mut voyage = voyage("acts = false\n").await;
    voyage.launch(CAMPAIGN, audience(2, 300)).await;
    voyage.until_done(HOUR).await;
    voyage.sim.clock.sleep(5 * MINUTE).await;
    assert!(open(&voyage).await.is_empty());
    voyage.finish().await;
}
