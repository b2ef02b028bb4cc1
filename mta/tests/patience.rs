//! How long whose mail waits for a site that cannot be reached.

mod harness;

use harness::*;
use mail::{RecipientState, WaitReason};
use sandbox::{Door, Manners};
use std::time::Duration;
use world::Clock;

const MINUTE_MS: i64 = 60_000;
const ONE_SOURCE: &str = "\n[[pool]]\nname = \"default\"\nsources = [{ source = \"one\" }]";

async fn minutes(voyage: &Voyage, minutes: u64) {
    voyage.sim.clock.sleep(Duration::from_secs(60 * minutes)).await;
}

/// A campaign has found nobody there for two hours, and waits for two more; a single mail keeps to its own schedule.
#[tokio::test(start_paused = true)]
async fn single_mail_looks_sooner_whether_somebody_is_there() {
    let mut away = provider("away", 1, Manners::default());
    away.mx[0].door = Door::Refuses;
    let ip = away.mx[0].ip;
    let mut voyage = Voyage::start(world(vec![away]), ONE_SOURCE).await;
    voyage.launch(CAMPAIGN, people("fine-", "away.example", 5)).await;
    minutes(&voyage, 125).await;
    let due_in = |due_ms: Option<i64>| (due_ms.unwrap() - voyage.sim.clock.now_ms()) / MINUTE_MS;
    let bulk: Vec<i64> = voyage.log().await.iter().map(|r| due_in(r.due_ms)).collect();
    assert!(bulk.iter().all(|due| *due > 60), "{bulk:?}");

    let content = b"From: shop@sender.example\r\nSubject: Order 7\r\n\r\nHello\r\n";
    let new = single_mail(voyage.sim.clock.now_ms(), "fine-9@away.example", content);
    let id = voyage.submit(new).await;
    minutes(&voyage, 2).await;
    let one = voyage.of_message(id).await.remove(0);
    let due_in = |due_ms: Option<i64>| (due_ms.unwrap() - voyage.sim.clock.now_ms()) / MINUTE_MS;
    assert_eq!((one.state, one.wait_reason), (RecipientState::Queued, Some(WaitReason::Connect)));
    assert!(due_in(one.due_ms) <= 6, "{one:?}");
    let later: Vec<i64> = voyage.log().await.iter().map(|r| due_in(r.due_ms)).collect();
    assert!(later.iter().zip(&bulk).all(|(now, before)| now <= before && *now > 60), "not its fault: {later:?}");

    voyage.sim.dial.set_door(ip, Door::Open);
    minutes(&voyage, 7).await;
    assert_eq!(voyage.of_message(id).await[0].state, RecipientState::Delivered);
    voyage.finish().await;
}
