//! Campaigns through a simulated internet, from one seed and in simulated time.

mod harness;

use expect_test::expect;
use harness::*;
use mail::{BounceClass, RecipientState, WaitReason};
use sandbox::{BlockStage, Door, Manners, SimOptions, Storm, Tls};
use std::time::Duration;
use storage::suppression::{self, NewSuppression, SuppressionReason};
use storage::tally::{self, Measure};
use world::Clock;

const HOUR: Duration = Duration::from_secs(3600);

async fn tally(voyage: &Voyage, measure: Measure) -> i64 {
    let all = voyage.storage.read(|c| tally::of_campaign(c, WS, CAMPAIGN)).await.unwrap();
    all.iter().filter(|t| t.measure == measure).map(|t| t.n).sum()
}

#[tokio::test(start_paused = true)]
async fn a_plain_campaign_is_delivered_over_few_connections() {
    let manners = Manners { tls: Tls::Offered, ..Manners::default() };
    let mut voyage = Voyage::start(world(vec![provider("plain", 1, manners)]), "").await;
    voyage.launch(CAMPAIGN, people("fine-", "plain.example", 500)).await;
    voyage.until_done(HOUR).await;
    assert_eq!(voyage.endings().await, "delivered 500\n");
    let seen = voyage.sim.ledger.total();
    assert_eq!((seen.messages, seen.tls_messages), (500, 500));
    assert!(seen.connections <= 30, "{} connections", seen.connections);
    let letter = &voyage.sim.ledger.last_messages()[0];
    assert!(String::from_utf8_lossy(&letter.content).ends_with("Hello\r\n.a line that begins with a dot\r\n"));
    assert_eq!(letter.ehlo, voyage.sources()[0].ehlo.to_string());
    voyage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn every_manner_of_the_built_in_world() {
    let options = SimOptions { blocked_sources: vec!["127.0.1.2".parse().unwrap()], ..SimOptions::default() };
    let providers = sandbox::Providers::builtin();
    let mut voyage = Voyage::start_with(providers.clone(), "bulk_retry = [\"5s\", \"10s\", \"30s\"]", options).await;
    let people: Vec<String> = providers.people(1500, 7).map(|person| person.address).collect();
    voyage.launch(CAMPAIGN, people).await;
    voyage.until_done(3 * HOUR).await;
    for r in voyage.log().await {
        use sandbox::Expected as E;
        let expected = providers.expected(&r.address).unwrap();
        let fits = match expected {
            E::Delivered | E::DeliveredLater | E::Reported => r.state == RecipientState::Delivered,
            E::UnknownUser => r.class == Some(BounceClass::BadMailbox),
            E::OverQuota => r.class == Some(BounceClass::MailboxFull),
            E::NoSuchDomain => r.class == Some(BounceClass::BadDomain),
            E::CutInContent => matches!(r.state, RecipientState::Unknown | RecipientState::Delivered),
            E::NeverAnswered => r.state == RecipientState::Unknown,
            E::DnsFails => false,
        };
        assert!(fits, "{expected:?} {r:?}");
    }
    voyage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn greylisting_is_waited_for_at_the_same_source() {
    let manners = Manners { greylist_ms: Some(200_000), ..Manners::default() };
    let mut voyage = Voyage::start(world(vec![provider("grey", 1, manners)]), "jitter_percent = 0").await;
    voyage.launch(CAMPAIGN, people("fine-", "grey.example", 20)).await;
    voyage.sim.clock.sleep(Duration::from_secs(10)).await;
    let waiting = voyage.log().await;
    assert!(waiting.iter().all(|r| r.wait_reason == Some(WaitReason::Greylisted) && r.attempts == 1), "{waiting:?}");
    let sources: Vec<_> = waiting.into_iter().map(|r| r.source).collect();
    let took = voyage.until_done(HOUR).await;
    assert!((290..310).contains(&took.as_secs()), "{took:?}");
    let done = voyage.log().await;
    assert!(done.iter().all(|r| r.state == RecipientState::Delivered && r.attempts == 2));
    assert_eq!(done.into_iter().map(|r| r.source).collect::<Vec<_>>(), sources);
    assert_eq!((tally(&voyage, Measure::Deferral).await, tally(&voyage, Measure::Retried).await), (20, 20));
    voyage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn too_many_connections_are_fewer_the_next_time() {
    let manners = Manners { connections_max: Some(2), latency_ms: 50, ..Manners::default() };
    let mut voyage = Voyage::start(world(vec![provider("narrow", 1, manners)]), "").await;
    voyage.launch(CAMPAIGN, people("fine-", "narrow.example", 2000)).await;
    voyage.until_done(HOUR).await;
    assert_eq!(voyage.endings().await, "delivered 2000\n");
    let seen = voyage.sim.ledger.total();
    let refused = seen.refusals.get("421 4.7.0").copied().unwrap_or(0);
    assert!(refused > 0 && refused < 60, "{refused} refusals");
    assert_eq!(tally(&voyage, Measure::Deferral).await, 0, "no recipient's attempt was used up");
    voyage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_blocked_source_leaves_it_to_the_others_and_suppresses_nobody() {
    for stage in [BlockStage::Connect, BlockStage::Mail, BlockStage::Rcpt] {
        let manners = Manners { blocks_sources: Some(stage), ..Manners::default() };
        let options = SimOptions { blocked_sources: vec!["127.0.1.1".parse().unwrap()], ..SimOptions::default() };
        let mut voyage = Voyage::start_with(world(vec![provider("guard", 1, manners)]), "", options).await;
        voyage.launch(CAMPAIGN, people("fine-", "guard.example", 300)).await;
        voyage.until_done(HOUR).await;
        assert_eq!(voyage.endings().await, "delivered 300\n", "{stage:?}");
        let lanes = voyage.engine.as_ref().unwrap().lanes();
        let blocked = lanes.iter().find(|lane| lane.source == "one").unwrap();
        assert_eq!(blocked.wait_reason, Some(WaitReason::SourceBlocked));
        assert!(voyage.log().await.iter().all(|r| r.source.as_deref() != Some("one")));
        let blocked = tally(&voyage, Measure::Blocked).await;
        assert!(if stage == BlockStage::Connect { blocked == 0 } else { (1..60).contains(&blocked) }, "{blocked}");
        let listed = voyage.storage.read(|c| suppression::count(c, WS, &suppression::Filter::default())).await.unwrap();
        assert_eq!(listed, 0);
        voyage.finish().await;
    }
}

#[tokio::test(start_paused = true)]
async fn blocked_everywhere_waits_until_the_first_hold_ends() {
    let manners = Manners { blocks_sources: Some(BlockStage::Mail), ..Manners::default() };
    let blocked_sources = ["127.0.1.1", "127.0.1.2", "127.0.1.3"].map(|ip| ip.parse().unwrap()).into();
    let options = SimOptions { blocked_sources, ..SimOptions::default() };
    let mut voyage =
        Voyage::start_with(world(vec![provider("guard", 1, manners)]), "bulk_expiry = \"12h\"", options).await;
    voyage.launch(CAMPAIGN, people("fine-", "guard.example", 10)).await;
    voyage.sim.clock.sleep(Duration::from_secs(30)).await;
    let now_ms = voyage.sim.clock.now_ms();
    for r in voyage.log().await {
        assert_eq!((r.wait_reason, r.attempts), (Some(WaitReason::SourceBlocked), 0), "{r:?}");
        let wait_ms = r.due_ms.unwrap() - now_ms;
        assert!((7_100_000..7_200_000).contains(&wait_ms), "{wait_ms}");
    }
    let took = voyage.until_done(13 * HOUR).await;
    assert!(took < Duration::from_secs(12 * 3600 + 60), "{took:?}");
    assert!(voyage.log().await.iter().all(|r| r.state == RecipientState::Expired));
    voyage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn what_was_cut_is_never_sent_twice() {
    let mut voyage = Voyage::start(world(vec![provider("loose", 1, Manners::default())]), "").await;
    let names = ["cut-1", "limbo-1", "limbo-kept-1", "fine-1", "fine-2", "broken-1"];
    voyage.launch(CAMPAIGN, names.map(|name| format!("{name}@loose.example")).into()).await;
    voyage.until_done(HOUR).await;
    let states: Vec<_> = voyage.log().await.into_iter().map(|r| r.state.as_str()).collect();
    assert_eq!(states, ["unknown", "unknown", "unknown", "delivered", "delivered", "cancelled"]);
    voyage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn cuts_before_the_final_dot_are_tried_again() {
    use sandbox::{Cut, Step};
    for at in [Step::Greeting, Step::Ehlo, Step::StartTls, Step::Mail, Step::Rcpt, Step::Data] {
        let manners = Manners { cut: Some(Cut { at, times: 2 }), tls: Tls::Offered, ..Manners::default() };
        let mut voyage = Voyage::start(world(vec![provider("loose", 1, manners)]), "").await;
        voyage.launch(CAMPAIGN, people("fine-", "loose.example", 40)).await;
        voyage.until_done(2 * HOUR).await;
        assert_eq!(voyage.endings().await, "delivered 40\n", "{at:?}");
        voyage.finish().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_message_limit_per_connection_costs_no_attempt() {
    let manners = Manners { messages_max: Some(7), ..Manners::default() };
    let mut voyage = Voyage::start(world(vec![provider("toll", 1, manners)]), "bulk_retry = [\"1s\"]").await;
    voyage.launch(CAMPAIGN, people("fine-", "toll.example", 100)).await;
    voyage.until_done(HOUR).await;
    assert_eq!(voyage.endings().await, "delivered 100\n");
    assert!(voyage.log().await.iter().all(|r| r.attempts == 1));
    assert_eq!(tally(&voyage, Measure::Deferral).await, 0);
    voyage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn tls_where_it_is_demanded_and_hosts_in_order() {
    let mut strong = provider("strong", 1, Manners { tls: Tls::Required, ..Manners::default() });
    let mut second = strong.mx[0].clone();
    second.host = "mx2.strong-mx.example".to_owned();
    second.ip = "127.20.0.2".parse().unwrap();
    second.preference = 20;
    strong.mx[0].door = Door::Refuses;
    strong.mx.push(second);
    let plain = provider("plain", 3, Manners { pipelining: false, ..Manners::default() });
    let mut voyage = Voyage::start(world(vec![strong, plain]), "").await;
    let mut all = people("fine-", "strong.example", 30);
    all.extend(people("fine-", "plain.example", 30));
    voyage.launch(CAMPAIGN, all).await;
    voyage.until_done(HOUR).await;
    assert_eq!(voyage.endings().await, "delivered 60\n");
    voyage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_refusing_site_is_not_hammered() {
    let mut shut = provider("shut", 1, Manners::default());
    shut.mx[0].door = Door::Refuses;
    let mut voyage = Voyage::start(world(vec![shut]), "jitter_percent = 0").await;
    voyage.launch(CAMPAIGN, people("fine-", "shut.example", 200)).await;
    voyage.sim.clock.sleep(Duration::from_secs(250)).await;
    let waiting = voyage.log().await;
    assert!(waiting.iter().all(|r| r.wait_reason == Some(WaitReason::Connect) && r.attempts == 0), "{waiting:?}");
    assert_eq!((tally(&voyage, Measure::Deferral).await, tally(&voyage, Measure::Retried).await), (200, 200));
    voyage.sim.dial.set_door("127.20.0.1".parse().unwrap(), Door::Open);
    let took = voyage.until_done(HOUR).await;
    assert!(took < Duration::from_secs(60), "{took:?}");
    voyage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn few_places_for_connections_are_shared() {
    let sites = (1..=12).map(|n| provider(&format!("site{n}"), n, Manners { latency_ms: 100, ..Manners::default() }));
    let mut voyage = Voyage::start(world(sites.collect()), "connections_max = 5").await;
    let all = (1..=12).flat_map(|n| people("fine-", &format!("site{n}.example"), 20)).collect();
    voyage.launch(CAMPAIGN, all).await;
    let took = voyage.until_done(HOUR).await;
    assert!(took < Duration::from_secs(300), "{took:?}");
    assert_eq!(voyage.endings().await, "delivered 240\n");
    voyage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn nobody_there_is_tried_again_until_expiry() {
    let mut away = provider("away", 1, Manners::default());
    away.mx[0].door = Door::Unreachable;
    let mut voyage = Voyage::start(world(vec![away]), "bulk_expiry = \"6h\"").await;
    let mut all = people("fine-", "away.example", 5);
    all.extend(["a@nomail.example", "b@nosuchdomain.example", "c@brokendns.example"].map(str::to_owned));
    voyage.launch(CAMPAIGN, all).await;
    voyage.sim.clock.sleep(Duration::from_secs(600)).await;
    let waiting = voyage.log().await;
    assert!(waiting[..5].iter().all(|r| r.wait_reason == Some(WaitReason::Connect)), "{waiting:?}");
    assert_eq!(waiting[7].wait_reason, Some(WaitReason::Dns));
    assert_eq!(waiting[5].reply.as_deref(), Some("the domain nomail.example takes no mail (null MX)"));
    let took = voyage.until_done(7 * HOUR).await;
    assert!(took < Duration::from_secs(6 * 3600), "{took:?}");
    expect![[r#"
        bounced bad_domain 2
        expired connection 5
        expired dns 1
    "#]]
    .assert_eq(&voyage.endings().await);
    voyage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_slow_site_does_not_hold_up_the_others() {
    let slow = provider("slow", 1, Manners { latency_ms: 20_000, ..Manners::default() });
    let quick = provider("quick", 2, Manners::default());
    let mut voyage = Voyage::start(world(vec![slow, quick]), "ready_max = 100\nconnections_per_lane = 2").await;
    let mut all = people("fine-", "slow.example", 600);
    all.extend(people("fine-", "quick.example", 300));
    voyage.launch(CAMPAIGN, all).await;
    let mut most = 0;
    for _ in 0..300 {
        voyage.sim.clock.sleep(Duration::from_secs(1)).await;
        most = most.max(voyage.engine.as_ref().unwrap().in_memory());
    }
    let quick = voyage.log().await.into_iter().filter(|r| r.address.ends_with("quick.example"));
    let waiting = quick.filter(|r| r.state != RecipientState::Delivered).count();
    assert_eq!(waiting, 0, "the quick site's recipients were delivered meanwhile");
    assert!(most <= 100, "{most} in memory");
    let peaks: Vec<u64> = voyage.sim.ledger.summary().values().map(|seen| seen.connections_peak).collect();
    assert!(peaks.iter().all(|peak| *peak <= 6), "two for each of three sources: {peaks:?}");
    voyage.until_done(24 * HOUR).await;
    assert_eq!(voyage.endings().await, "delivered 900\n");
    voyage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn suppressed_and_paused_in_the_last_moment() {
    let manners = Manners { latency_ms: 5_000, ..Manners::default() };
    let mut voyage = Voyage::start(world(vec![provider("slow", 1, manners)]), "connections_per_lane = 1").await;
    voyage.launch(CAMPAIGN, people("fine-", "slow.example", 60)).await;
    voyage.sim.clock.sleep(Duration::from_secs(20)).await;
    let now_ms = voyage.sim.clock.now_ms();
    voyage
        .write(move |tx| {
            for n in 31..=60 {
                let address = mail::Address::parse(&format!("fine-{n}@slow.example")).unwrap();
                suppression::add(
                    tx,
                    &NewSuppression {
                        workspace_id: WS,
                        covers: storage::suppression::SuppressionCovers::All,
                        address: &address,
                        reason: SuppressionReason::Unsubscribe,
                        origin: "test",
                        recipient_id: None,
                        campaign_id: None,
                        contact_id: None,
                        created_by: None,
                        now_ms,
                        expires_ms: None,
                    },
                )?;
            }
            Ok(())
        })
        .await;
    voyage.sim.clock.sleep(Duration::from_secs(20)).await;
    use storage::campaign_run::{Change, change};
    voyage.write(move |tx| change(tx, (WS, CAMPAIGN), Change::Pause, "test", now_ms)).await;
    voyage.engine.as_ref().unwrap().wake();
    voyage.sim.clock.sleep(Duration::from_secs(60)).await;
    let before = voyage.ledger().await;
    voyage.sim.clock.sleep(HOUR).await;
    assert_eq!(voyage.ledger().await, before, "a paused campaign stands still");
    voyage.write(move |tx| change(tx, (WS, CAMPAIGN), Change::Resume, "test", now_ms)).await;
    voyage.engine.as_ref().unwrap().wake();
    voyage.until_done(HOUR).await;
    let ledger = voyage.ledger().await;
    assert_eq!((ledger.delivered, ledger.suppressed), (30, 30));
    voyage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_crash_loses_nobody_and_doubles_nobody() {
    let manners = Manners { latency_ms: 300, ..Manners::default() };
    let mut voyage = Voyage::start(world(vec![provider("slow", 1, manners)]), "").await;
    voyage.launch(CAMPAIGN, people("fine-", "slow.example", 400)).await;
    voyage.sim.clock.sleep(Duration::from_millis(2_500)).await;
    for _ in 0..4 {
        voyage.engine.take().unwrap().crash().await;
        let state = voyage.ledger().await;
        assert!(state.holds() && state.queued > 0, "{state:?}");
        voyage.engine = Some(voyage.begin().await);
        let recovered = voyage.engine.as_ref().unwrap().recovered();
        assert!(recovered.requeued > 0 && recovered.unknown <= 60, "{recovered:?}");
        voyage.sim.clock.sleep(Duration::from_millis(1_700)).await;
    }
    voyage.until_done(HOUR).await;
    let ledger = voyage.ledger().await;
    assert!(ledger.unknown > 0 && ledger.delivered + ledger.unknown == 400, "{ledger:?}");
    voyage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_report_that_comes_later_corrects_the_outcome() {
    let manners = Manners { report_ms: 90_000, ..Manners::default() };
    let mut voyage = Voyage::start(world(vec![provider("echo", 1, manners)]), "").await;
    let listening = voyage.listen_for_reports().await;
    let mut all = people("report-", "echo.example", 12);
    all.extend(people("fine-", "echo.example", 12));
    voyage.launch(CAMPAIGN, all).await;
    voyage.until_done(HOUR).await;
    assert_eq!(voyage.endings().await, "delivered 24\n");
    voyage.sim.clock.sleep(Duration::from_secs(120)).await;
    assert_eq!(voyage.endings().await, "bounced bad_mailbox 12\ndelivered 12\n");
    assert_eq!(voyage.sim.ledger.total().reports_sent, 12);
    let listed = voyage.storage.read(|c| suppression::count(c, WS, &suppression::Filter::default())).await.unwrap();
    assert_eq!(listed, 12);
    listening.abort();
    voyage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn storms_pass() {
    let storm = Some(Storm { every_ms: 600_000, lasts_ms: 120_000 });
    let manners = Manners { storm, ..Manners::default() };
    let mut voyage = Voyage::start(world(vec![provider("squall", 1, manners)]), "").await;
    voyage.launch(CAMPAIGN, people("fine-", "squall.example", 50)).await;
    voyage.until_done(2 * HOUR).await;
    assert_eq!(voyage.endings().await, "delivered 50\n");
    assert_eq!(voyage.ledger().await.queued, 0);
    voyage.finish().await;
}
