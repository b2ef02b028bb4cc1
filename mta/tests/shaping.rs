//! Shaping as stories: what providers say, and what the engine makes of it, in simulated time.

// Other stories use the rest of it.
mod harness;

use expect_test::{Expect, expect};
use harness::*;
use mail::{RecipientState, WaitReason};
use sandbox::{BlockStage, Manners, Mood, Provider, SimOptions, Tls};
use std::collections::BTreeMap;
use std::time::Duration;
use storage::automation::{self, Automation, Which};
use storage::{CampaignId, suppression};
use world::Clock;

const MINUTE_MS: u64 = 60_000;
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3600);

/// A provider with the domain `NAME.example`, whose server has a real provider's kind of name.
fn family(name: &str, mx: &str, last: u8, moods: Vec<Mood>) -> Provider {
    let manners = Manners { tls: Tls::Offered, latency_ms: 20, moods, ..Manners::default() };
    let mut provider = provider(name, last, manners);
    provider.mx[0].host = mx.to_owned();
    provider
}

fn mood((from_min, until_min): (u64, u64), at: BlockStage, reply: &str) -> Mood {
    Mood { from_ms: from_min * MINUTE_MS, until_ms: until_min * MINUTE_MS, at, reply: reply.to_owned(), about: None }
}

/// Keeps every attempt: the stories are told from them.
fn options() -> SimOptions {
    let mut options = SimOptions::default();
    options.ledger.keep_attempts = 100_000;
    options
}

const ONE_SOURCE: &str = "\n[[pool]]\nname = \"default\"\nsources = [{ source = \"one\" }]\n";

async fn automations(voyage: &Voyage) -> Vec<Automation> {
    voyage.storage.read(|c| automation::page(c, WS, Which::All, i64::MAX, 100)).await.unwrap()
}

fn row(a: &Automation, start_ms: i64) -> String {
    let minute = |at_ms: i64| (at_ms - start_ms) / 60_000;
    let ended =
        a.ended_ms.map(|at| format!(", ended at {} {}", minute(at), a.ended_by.as_deref().unwrap_or("by itself")));
    format!("{} from {} until {}{}\n", a.rule, minute(a.since_ms), minute(a.until_ms), ended.unwrap_or_default())
}

/// Attempts by minute and answer, and the automations.
async fn check(voyage: &Voyage, expected: Expect) {
    let start_ms = SimOptions::default().start_ms;
    let mut by_minute: BTreeMap<(i64, String), u32> = BTreeMap::new();
    for attempt in voyage.sim.ledger.all_attempts() {
        *by_minute.entry(((attempt.at_ms - start_ms) / 60_000, attempt.answer)).or_default() += 1;
    }
    let mut story: String = by_minute.iter().map(|((minute, answer), n)| format!("{minute}: {answer} {n}\n")).collect();
    for a in automations(voyage).await.iter().rev() {
        story.push_str(&row(a, start_ms));
    }
    expected.assert_eq(&story);
}

/// Nothing is held against a recipient for what was said about us.
async fn everybody_arrived(voyage: &Voyage, n: usize) {
    assert_eq!(voyage.endings().await, format!("delivered {n}\n"));
    let listed = voyage.storage.read(|c| suppression::count(c, WS, &suppression::Filter::default())).await.unwrap();
    assert_eq!(listed, 0);
}

#[tokio::test(start_paused = true)]
async fn google_is_left_alone_then_asked_with_one_connection() {
    let too_much =
        mood((0, 15), BlockStage::Message, "421 4.7.28 Gmail has detected an unusual rate of unsolicited mail");
    let google = family("gmail", "gmail-smtp-in.l.google.com", 1, vec![too_much]);
    let more = format!("{ONE_SOURCE}[[shaping]]\nmessage_rate = \"20/min\"\n");
    let mut voyage = Voyage::start_with(world(vec![google]), &more, options()).await;
    voyage.launch(CAMPAIGN, people("fine-", "gmail.example", 200)).await;
    voyage.sim.clock.sleep(MINUTE).await;
    for r in voyage.log().await {
        let waits = matches!(r.wait_reason, Some(WaitReason::ProviderHold | WaitReason::Rate));
        assert!(waits && r.attempts == 0, "{r:?}");
    }
    voyage.until_done(3 * HOUR).await;
    check(
        &voyage,
        expect![[r#"
            0: 421 4.7.28 1
            10: 421 4.7.28 1
            20: 250 2.0.0 20
            21: 250 2.0.0 20
            22: 250 2.0.0 20
            23: 250 2.0.0 20
            24: 250 2.0.0 20
            25: 250 2.0.0 20
            26: 250 2.0.0 20
            27: 250 2.0.0 20
            28: 250 2.0.0 20
            29: 250 2.0.0 20
            google-unusual-rate from 0 until 80, ended at 25 recovered
        "#]],
    )
    .await;
    everybody_arrived(&voyage, 200).await;
    voyage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn yahoo_is_left_alone_for_two_hours_from_this_source_only() {
    let deferred = mood(
        (0, 1),
        BlockStage::Mail,
        "421 4.7.0 [TSS04] Messages from 127.0.1.1 temporarily deferred due to unexpected volume",
    );
    let yahoo = family("yahoo", "mta5.am0.yahoodns.net", 1, vec![deferred]);
    let mut voyage = Voyage::start_with(world(vec![yahoo]), ONE_SOURCE, options()).await;
    voyage.launch(CAMPAIGN, people("fine-", "yahoo.example", 40)).await;
    voyage.sim.clock.sleep(2 * MINUTE).await;
    let now_ms = voyage.sim.clock.now_ms();
    for r in voyage.log().await {
        assert_eq!((r.wait_reason, r.attempts), (Some(WaitReason::SourceBlocked), 0), "{r:?}");
        let wait_ms = r.due_ms.unwrap() - now_ms;
        assert!((7_000_000..7_200_000).contains(&wait_ms), "{wait_ms}");
    }
    let took = voyage.until_done(3 * HOUR).await;
    assert!(took > HOUR, "{took:?}");
    everybody_arrived(&voyage, 40).await;
    let [only] = &automations(&voyage).await[..] else { panic!("one automation") };
    assert_eq!((only.rule.as_str(), only.source.as_deref()), ("yahoo-tss04", Some("one")));
    assert_eq!(only.ended_ms.map(|at| (at - only.until_ms) / 1000), Some(0), "{only:?}");
    voyage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn microsofts_block_list_holds_the_source_until_a_person_lifts_it() {
    let listed = "550 5.7.1 Unfortunately, messages from [127.0.1.1] weren't sent. Part of their network is on our block list (S3140).";
    let outlook =
        family("outlook", "outlook-com.olc.protection.outlook.com", 1, vec![mood((0, 1), BlockStage::Mail, listed)]);
    let mut voyage = Voyage::start_with(world(vec![outlook]), ONE_SOURCE, options()).await;
    voyage.launch(CAMPAIGN, people("fine-", "outlook.example", 20)).await;
    voyage.sim.clock.sleep(2 * MINUTE).await;
    let [held] = &automations(&voyage).await[..] else { panic!("one automation") };
    assert_eq!(held.rule, "microsoft-blocklist");
    assert!(held.alarm.as_deref().is_some_and(|alarm| alarm.contains("removal")), "{held:?}");
    // The operator knows better, and lifts it.
    let (id, now_ms) = (held.id, voyage.sim.clock.now_ms());
    voyage.write(move |tx| automation::end(tx, id, now_ms, Some("test"))).await;
    voyage.engine.as_ref().unwrap().waker().lifted(id);
    let took = voyage.until_done(HOUR).await;
    assert!(took < MINUTE, "{took:?}");
    everybody_arrived(&voyage, 20).await;
    voyage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_refused_sending_domain_waits_and_others_go_on() {
    let refused = Mood {
        about: Some("From: news@sender.example".to_owned()),
        ..mood(
            (0, 30),
            BlockStage::Message,
            "550 5.7.26 This mail has been blocked because the sender is unauthenticated",
        )
    };
    let google = family("gmail", "gmail-smtp-in.l.google.com", 1, vec![refused]);
    let mut voyage = Voyage::start_with(world(vec![google]), "", options()).await;
    voyage.launch(CAMPAIGN, people("fine-", "gmail.example", 120)).await;
    voyage.sim.clock.sleep(MINUTE).await;
    // A second campaign, whose domain is `other.example`.
    voyage.launch(OTHER_DOMAIN, people("also-", "gmail.example", 50)).await;
    voyage.sim.clock.sleep(5 * MINUTE).await;
    assert_eq!(voyage.sim.ledger.total().messages, 50, "the other domain's mail arrived");
    let made = voyage.letters.made.load(std::sync::atomic::Ordering::SeqCst);
    assert!(made <= 50 + 60, "what is barred is not made in vain: {made}");
    for r in voyage.log().await {
        assert_eq!((r.state, r.wait_reason, r.attempts), (RecipientState::Queued, Some(WaitReason::DomainHold), 0));
    }
    let refusals = voyage.sim.ledger.total().refusals["550 5.7.26"];
    assert!(refusals <= 15, "{refusals} were under way when the first was refused");
    voyage.until_done(2 * HOUR).await;
    everybody_arrived(&voyage, 120).await;
    let all = automations(&voyage).await;
    assert!(all.iter().all(|a| a.domain.as_deref() == Some("sender.example") && a.alarm.is_some()), "{all:?}");
    voyage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_rate_is_honoured_over_an_hour() {
    let strict = provider("strict", 1, Manners { latency_ms: 5, ..Manners::default() });
    let more = "[[shaping]]\nprovider = \"strict-mx.example\"\nprovider_message_rate = \"30/min\"\n\
                site_message_rate = \"3600/h\"\nconnection_rate = \"3/min\"\n";
    let mut voyage = Voyage::start_with(world(vec![strict]), more, options()).await;
    voyage.launch(CAMPAIGN, people("fine-", "strict.example", 4_500)).await;
    voyage.sim.clock.sleep(10 * MINUTE).await;
    let waiting: Vec<_> = voyage.log().await.into_iter().filter(|r| r.state == RecipientState::Queued).collect();
    let by_rate = waiting.iter().filter(|r| r.wait_reason == Some(WaitReason::Rate)).count();
    assert!(by_rate * 10 > waiting.len() * 9, "{by_rate} of {}", waiting.len());
    voyage.sim.clock.sleep(HOUR).await;
    let attempts = voyage.sim.ledger.all_attempts();
    let most = |span_ms: i64, of: &dyn Fn(&sandbox::Attempt) -> bool| {
        let at: Vec<i64> = attempts.iter().filter(|a| of(a)).map(|a| a.at_ms).collect();
        (0..at.len()).map(|n| at[n..].iter().take_while(|t| **t < at[n] + span_ms).count()).max().unwrap_or(0)
    };
    for ip in ["127.0.1.1", "127.0.1.2", "127.0.1.3"] {
        let ip: std::net::IpAddr = ip.parse().unwrap();
        // Between the rate's leave and the answer lie the commit of the mark and the server's own time.
        let busiest = most(59_000, &|a| a.source == ip);
        assert!((15..=30).contains(&busiest), "{busiest} a minute from {ip}");
    }
    let busiest = most(3_590_000, &|_| true);
    assert!((3_200..=3_600).contains(&busiest), "{busiest} an hour");
    let connections = voyage.sim.ledger.total().connections;
    assert!(connections <= 3 * 3 * 71, "{connections} connections");
    voyage.until_done(4 * HOUR).await;
    everybody_arrived(&voyage, 4_500).await;
    voyage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_bad_list_is_slowed_down_then_held() {
    let petrel = provider("petrel", 1, Manners { latency_ms: 50, ..Manners::default() });
    let mut voyage = Voyage::start_with(world(vec![petrel]), ONE_SOURCE, options()).await;
    let good = (1..=340).map(|n| format!("fine-{n}@petrel.example"));
    let bad = (1..=60).map(|n| format!("unknown-{n}@petrel.example"));
    // One in seven, evenly.
    let mut people: Vec<String> = good.collect();
    for (n, address) in bad.enumerate() {
        people.insert((n * 7).min(people.len()), address);
    }
    voyage.launch(CAMPAIGN, people).await;
    voyage.sim.clock.sleep(10 * MINUTE).await;
    let mut rules: Vec<String> = automations(&voyage).await.into_iter().map(|a| a.rule).collect();
    rules.sort();
    assert_eq!(rules, ["bounces-hold", "bounces-hold-workspace"]);
    let waiting: Vec<_> = voyage.log().await.into_iter().filter_map(|r| r.wait_reason).collect();
    let held = waiting.iter().filter(|reason| **reason == WaitReason::ProviderHold).count();
    assert!(held > 200 && held == waiting.len(), "{held} of {}", waiting.len());
    voyage.until_done(8 * HOUR).await;
    assert_eq!(voyage.endings().await, "bounced bad_mailbox 60\ndelivered 340\n");
    voyage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn what_is_in_force_survives_a_restart() {
    let deferred = mood((0, 1), BlockStage::Mail, "421 4.7.0 [TSS05] Messages from 127.0.1.1 temporarily deferred");
    let yahoo = family("yahoo", "mta5.am0.yahoodns.net", 1, vec![deferred]);
    let mut voyage = Voyage::start_with(world(vec![yahoo]), ONE_SOURCE, options()).await;
    voyage.launch(CAMPAIGN, people("fine-", "yahoo.example", 5)).await;
    voyage.sim.clock.sleep(2 * MINUTE).await;
    voyage.engine.take().unwrap().crash().await;
    voyage.engine = Some(voyage.begin().await);
    voyage.launch(OTHER_DOMAIN, people("also-", "yahoo.example", 5)).await;
    voyage.sim.clock.sleep(HOUR).await;
    assert_eq!(voyage.sim.ledger.total().messages, 0, "the new campaign waits too");
    assert!(voyage.until_done(5 * HOUR).await > 2 * HOUR);
    voyage.finish().await;
}

const OTHER_DOMAIN: CampaignId = CampaignId(2);

/// The operator knows better what a server means; what nobody knows is kept for people, and what is taken is not.
#[tokio::test(start_paused = true)]
async fn own_rules_decide_and_unknown_texts_are_kept() {
    let own = format!(
        "{ONE_SOURCE}[[bounce_rule]]\nname = \"frotz\"\nclass = \"mailbox_full\"\nkind = \"soft\"\ntext = [\"frotz\"]\n\
         samples = [\"550 5.1.1 frotz\"]\n"
    );
    let frotz =
        family("frotz", "mx.frotz.example", 1, vec![mood((0, 600), BlockStage::Rcpt, "550 5.1.1 the frotz is over")]);
    let zork =
        family("zork", "mx.zork.example", 2, vec![mood((0, 600), BlockStage::Rcpt, "550 5.1.1 zork 17 at 192.0.2.1")]);
    let fine = family("fine", "mx.fine.example", 3, vec![]);
    let mut voyage = Voyage::start_with(world(vec![frotz, zork, fine]), &own, options()).await;
    let to = ["frotz", "zork", "fine"].map(|name| people("fine-", &format!("{name}.example"), 3)).concat();
    voyage.launch(CAMPAIGN, to).await;
    voyage.until_done(HOUR).await;
    assert_eq!(voyage.endings().await, "bounced bad_mailbox 3\nbounced mailbox_full 3\ndelivered 3\n");
    let listed = voyage.storage.read(|c| suppression::count(c, WS, &suppression::Filter::default())).await.unwrap();
    assert_eq!(listed, 3, "those of zork");
    voyage.sim.clock.sleep(MINUTE).await;
    let page = |c: &storage::Connection| {
        storage::unknown_text::page(c, WS, None, (storage::unknown_text::Sort::Count, None), 10)
    };
    let kept = voyage.storage.read(page).await.unwrap();
    let told: Vec<_> = kept.iter().map(|text| (&*text.provider, &*text.shape, &*text.rule, text.n)).collect();
    assert_eq!(told, [("zork.example", "550 5.1.1 zork NUMBER at IP", "status-bad-mailbox", 3)]);
    voyage.finish().await;
}
