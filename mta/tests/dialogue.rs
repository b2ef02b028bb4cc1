//! The outgoing dialogue in simulated time: chunks, several recipients of one message, and reports to submitters.

mod harness;

use harness::*;
use mail::{Address, RecipientState, StreamKind};
use sandbox::{Cut, Manners, Provider, Received, Step};
use std::time::Duration;
use storage::message::{NewMessage, NewMessageRecipient, Notices, Submission};
use storage::suppression::{self, NewSuppression, SuppressionReason};
use storage::{DomainId, address_hash};
use world::Clock;

const HOUR: Duration = Duration::from_secs(3600);
const SHOP: &str = "orders@home.example";

fn chunking() -> Manners {
    Manners { chunking: true, ..Manners::default() }
}

/// A message to these addresses, each with its NOTIFY.
fn message(voyage: &Voyage, kind: StreamKind, to: &[(&str, Option<&str>)]) -> NewMessage {
    let now_ms = voyage.sim.clock.now_ms();
    let recipient = |(address, notify): &(&str, Option<&str>)| {
        let address = Address::parse(address).unwrap();
        NewMessageRecipient {
            address_hash: address_hash(&address),
            address,
            dsn_notify: notify.map(str::to_owned),
            dsn_orcpt: None,
        }
    };
    NewMessage {
        workspace_id: WS,
        domain_id: DomainId(1),
        submission: Submission::Smtp,
        submitter: "shop".to_owned(),
        stream: kind.as_str().to_owned(),
        kind,
        pool: "default".to_owned(),
        header_id: "order-7@sender.example".to_owned(),
        from_address: "shop@sender.example".to_owned(),
        subject: "Order 7".to_owned(),
        tags: Vec::new(),
        dsn_envid: Some("order-7".to_owned()),
        dsn_ret: Some("hdrs"),
        notices: Notices::Asked(Address::parse(SHOP).unwrap()),
        eight_bit: false,
        smtputf8: false,
        content: b"From: shop@sender.example\r\nMessage-ID: <order-7@sender.example>\r\nSubject: Order 7\r\n\r\n\
            Hello\r\n.a line that begins with a dot\r\n"
            .to_vec(),
        accepted_ms: now_ms,
        send_at_ms: now_ms,
        expires_ms: now_ms + 86_400_000,
        recipients: to.iter().map(recipient).collect(),
    }
}

/// One lane, so that recipients of one message meet.
const ONE_SOURCE: &str = "\n[[pool]]\nname = \"default\"\nsources = [{ source = \"one\" }]";

fn states(recipients: &[storage::queue::Recipient]) -> Vec<&'static str> {
    recipients.iter().map(|r| r.state.as_str()).collect()
}

fn received(voyage: &Voyage, domain: &str) -> Vec<Received> {
    voyage.sim.ledger.last_messages().into_iter().filter(|m| m.recipients[0].ends_with(domain)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_campaign_in_chunks_is_the_same_campaign() {
    for (pipelining, wanted) in [(true, true), (false, true), (true, false)] {
        let manners = Manners { pipelining, ..chunking() };
        let more = format!("chunking = {wanted}");
        let mut voyage = Voyage::start(world(vec![provider("chunky", 1, manners)]), &more).await;
        let mut people = people("fine-", "chunky.example", 300);
        people
            .extend(["unknown-1@chunky.example", "limbo-1@chunky.example", "cut-1@chunky.example"].map(str::to_owned));
        voyage.launch(CAMPAIGN, people).await;
        voyage.until_done(2 * HOUR).await;
        let seen = voyage.sim.ledger.total();
        assert_eq!(voyage.ledger().await.delivered, 300, "{}", voyage.endings().await);
        let log = voyage.log().await;
        assert_eq!(states(&log[300..]), ["bounced", "unknown", "unknown"]);
        assert_eq!(seen.chunked, if wanted { 301 } else { 0 });
        let letter = voyage.sim.ledger.last_messages().pop().unwrap();
        assert!(String::from_utf8_lossy(&letter.content).ends_with("Hello\r\n.a line that begins with a dot\r\n"));
        voyage.finish().await;
    }
}

#[tokio::test(start_paused = true)]
async fn connections_that_end_at_any_step_lose_and_double_nobody() {
    for at in [Step::Greeting, Step::Ehlo, Step::Mail, Step::Rcpt] {
        let manners = Manners { cut: Some(Cut { at, times: 2 }), ..chunking() };
        let mut voyage = Voyage::start(world(vec![provider("loose", 1, manners)]), "").await;
        voyage.launch(CAMPAIGN, people("fine-", "loose.example", 40)).await;
        voyage.until_done(2 * HOUR).await;
        assert_eq!(voyage.endings().await, "delivered 40\n", "{at:?}");
        voyage.finish().await;
    }
    // The whole chunk had gone to the network: nobody can say.
    for at in [Step::Content, Step::Dot] {
        let manners = Manners { cut: Some(Cut { at, times: 2 }), ..chunking() };
        let mut voyage = Voyage::start(world(vec![provider("loose", 1, manners)]), "").await;
        voyage.launch(CAMPAIGN, people("fine-", "loose.example", 40)).await;
        voyage.until_done(2 * HOUR).await;
        let ledger = voyage.ledger().await;
        assert_eq!((ledger.delivered, ledger.unknown), (38, 2), "{at:?}");
        voyage.finish().await;
    }
}

/// Transactional mail goes in one write, and what is lost then is sent again.
#[tokio::test(start_paused = true)]
async fn single_mail_goes_at_once() {
    for at in [Step::Mail, Step::Rcpt, Step::Content] {
        let manners = Manners { cut: Some(Cut { at, times: 1 }), ..chunking() };
        let mut voyage = Voyage::start(world(vec![provider("quick", 1, manners)]), "").await;
        let to = [("fine-1@quick.example", None), ("unknown-1@quick.example", None)];
        let mut ids = Vec::new();
        for one in to {
            let new = message(&voyage, StreamKind::Transactional, &[one]);
            ids.push(voyage.submit(new).await);
        }
        voyage.until_done(HOUR).await;
        assert_eq!(states(&voyage.of_message(ids[0]).await), ["delivered"], "{at:?}");
        assert_eq!(states(&voyage.of_message(ids[1]).await), ["bounced"], "{at:?}");
        assert_eq!(voyage.sim.ledger.total().chunked, 1);
        voyage.finish().await;
    }
    // Four waits of a second each: greeting, EHLO, and the answers to MAIL, RCPT and the content, in one write.
    let manners = Manners { latency_ms: 1000, ..chunking() };
    let mut voyage = Voyage::start(world(vec![provider("far", 1, manners)]), "").await;
    let new = message(&voyage, StreamKind::Transactional, &[("fine-1@far.example", None)]);
    voyage.submit(new).await;
    voyage.until_done(HOUR).await;
    voyage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn recipients_of_one_message_share_a_transaction() {
    let crowd = ["fine-1", "fine-2", "fine-3", "unknown-1", "fine-4"].map(|name| format!("{name}@crowd.example"));
    for (most, messages) in [(100, 1), (2, 3), (1, 4)] {
        for manners in [Manners::default(), chunking(), Manners { pipelining: false, ..Manners::default() }] {
            let providers = world(vec![provider("crowd", 1, manners), provider("else", 2, Manners::default())]);
            let more = format!("recipients_per_message = {most}{ONE_SOURCE}");
            let mut voyage = Voyage::start(providers, &more).await;
            let mut to: Vec<(&str, Option<&str>)> = crowd.iter().map(|address| (address.as_str(), None)).collect();
            to.push(("fine-1@else.example", None));
            let new = message(&voyage, StreamKind::Transactional, &to);
            let id = voyage.submit(new).await;
            voyage.until_done(HOUR).await;
            let of_message = voyage.of_message(id).await;
            let expected = ["delivered", "delivered", "delivered", "bounced", "delivered", "delivered"];
            assert_eq!(states(&of_message), expected);
            assert!(of_message.iter().all(|r| r.attempts == 1));
            let here = received(&voyage, "crowd.example");
            let counts: Vec<usize> = here.iter().map(|m| m.recipients.len()).collect();
            assert_eq!((counts.len(), counts.iter().sum::<usize>()), (messages, 4), "{counts:?} with {most}");
            let shared = here.iter().filter(|m| m.reverse_path.starts_with("m-"));
            assert!(here.iter().all(|m| m.recipients.len() < 2 || m.reverse_path.starts_with("m-")), "{here:?}");
            assert_eq!(shared.count() > 0, most > 1);
            // Alone, it keeps a return path of its own.
            assert!(received(&voyage, "else.example")[0].reverse_path.starts_with("b-"));
            voyage.finish().await;
        }
    }
}

/// One answer, or none, for all that were accepted; each settled on its own.
#[tokio::test(start_paused = true)]
async fn what_is_lost_after_the_end_is_unknown_for_all() {
    let mut voyage = Voyage::start(world(vec![provider("loose", 1, Manners::default())]), ONE_SOURCE).await;
    let to = ["fine-1", "limbo-kept-1", "unknown-1", "fine-2"].map(|name| format!("{name}@loose.example"));
    let to: Vec<(&str, Option<&str>)> = to.iter().map(|address| (address.as_str(), None)).collect();
    let new = message(&voyage, StreamKind::Bulk, &to);
    let id = voyage.submit(new).await;
    voyage.until_done(HOUR).await;
    assert_eq!(states(&voyage.of_message(id).await), ["unknown", "unknown", "bounced", "unknown"]);
    voyage.finish().await;
}

/// A server that takes two at a time gets the others later.
#[tokio::test(start_paused = true)]
async fn too_many_recipients_come_again() {
    let manners = Manners { rcpt_max: 2, ..Manners::default() };
    let mut voyage = Voyage::start(world(vec![provider("few", 1, manners)]), ONE_SOURCE).await;
    let to = people("fine-", "few.example", 5);
    let to: Vec<(&str, Option<&str>)> = to.iter().map(|address| (address.as_str(), None)).collect();
    let new = message(&voyage, StreamKind::Transactional, &to);
    let id = voyage.submit(new).await;
    voyage.until_done(HOUR).await;
    assert!(voyage.of_message(id).await.iter().all(|r| r.state == RecipientState::Delivered));
    voyage.finish().await;
}

/// A report to the path of the message finds the recipient that it names.
#[tokio::test(start_paused = true)]
async fn a_report_to_a_shared_path_is_matched_by_its_recipient() {
    let manners = Manners { report_ms: 90_000, ..Manners::default() };
    let mut voyage = Voyage::start(world(vec![provider("echo", 1, manners)]), ONE_SOURCE).await;
    let listening = voyage.listen_for_reports().await;
    let to = [("fine-1@echo.example", None), ("report-1@echo.example", None), ("fine-2@echo.example", None)];
    let new = message(&voyage, StreamKind::Transactional, &to);
    let id = voyage.submit(new).await;
    voyage.until_done(HOUR).await;
    voyage.sim.clock.sleep(Duration::from_secs(120)).await;
    assert_eq!(states(&voyage.of_message(id).await), ["delivered", "bounced", "delivered"]);
    listening.abort();
    voyage.finish().await;
}

/// Home is where the reports go.
fn with_home(mut providers: Vec<Provider>) -> sandbox::Providers {
    providers.push(provider("home", 9, Manners { dsn: true, ..Manners::default() }));
    world(providers)
}

/// The reports at home: what they say of whom.
fn reports(voyage: &Voyage) -> Vec<String> {
    let mut told = Vec::new();
    for mail in received(voyage, "home.example") {
        assert_eq!((mail.reverse_path.as_str(), mail.recipients[0].as_str()), ("", SHOP), "{mail:?}");
        let report = bounce::parse(&mail.content);
        assert!(report.complaints.is_empty(), "{report:?}");
        for one in report.recipients {
            let status = one.status.map(|status| status.to_string()).unwrap_or_default();
            told.push(format!("{:?} {} {status}", one.action, one.final_recipient.unwrap_or_default()));
        }
    }
    told.sort();
    told
}

async fn with_sender(voyage: &Voyage) {
    voyage.sending_domain("sender.example", CAMPAIGN).await;
}

#[tokio::test(start_paused = true)]
async fn submitters_are_told_what_they_ask_for() {
    let slow = Manners { greylist_ms: Some(6 * 3_600_000), ..Manners::default() };
    let knowing = Manners { dsn: true, ..Manners::default() };
    let providers =
        vec![provider("plain", 1, Manners::default()), provider("knowing", 2, knowing), provider("slow", 3, slow)];
    let mut voyage = Voyage::start(with_home(providers), ONE_SOURCE).await;
    with_sender(&voyage).await;
    let to = [
        ("unknown-1@plain.example", Some("FAILURE")),
        ("unknown-2@plain.example", Some("NEVER")),
        ("unknown-3@plain.example", None),
        ("fine-1@plain.example", Some("SUCCESS")),
        ("fine-2@plain.example", Some("FAILURE,DELAY")),
        ("fine-1@knowing.example", Some("SUCCESS")),
        ("fine-2@knowing.example", Some("NEVER")),
        ("fine-3@knowing.example", None),
        ("fine-1@slow.example", Some("DELAY")),
        ("fine-2@slow.example", Some("FAILURE")),
    ];
    let new = message(&voyage, StreamKind::Transactional, &to);
    voyage.submit(new).await;
    voyage.until_done(20 * HOUR).await;
    voyage.sim.clock.sleep(Duration::from_secs(60)).await;
    assert_eq!(
        reports(&voyage),
        [
            "Delayed fine-1@slow.example 4.7.1",
            "Failed unknown-1@plain.example 5.1.1",
            "Relayed fine-1@plain.example 2.0.0"
        ]
    );
    let mut known = received(&voyage, "knowing.example")[0].wishes[1..].to_vec();
    known.sort_unstable();
    assert_eq!(
        known,
        [
            "NOTIFY=FAILURE ORCPT=rfc822;fine-2@knowing.example",
            "NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;fine-1@knowing.example",
            "ORCPT=rfc822;fine-3@knowing.example",
        ]
    );
    let wishes = &received(&voyage, "knowing.example")[0].wishes[0];
    assert_eq!(wishes, "RET=HDRS ENVID=order-7");
    // One for failure and one for success came together, if they came at about the same time.
    let mails = received(&voyage, "home.example");
    assert!((2..=3).contains(&mails.len()), "{}", mails.len());
    voyage.wrote_itself(mails.len() as u64, SHOP);
    voyage.finish().await;
}

/// A report that cannot be delivered ends there, and so do those beyond the limit.
#[tokio::test(start_paused = true)]
async fn reports_do_not_go_round() {
    let more = "\n[notice]\nto = \"failures\"\nhourly_max = 2";
    let mut voyage = Voyage::start(with_home(vec![provider("plain", 1, Manners::default())]), more).await;
    with_sender(&voyage).await;
    let failures = |to: &str| Notices::Failures(Address::parse(to).unwrap());
    let mut submit = Vec::new();
    for (n, notices) in [
        failures("unknown-9@home.example"),
        failures("ops@bounce.sender.example"),
        failures(SHOP),
        failures(SHOP),
        failures(SHOP),
        Notices::Nobody,
    ]
    .into_iter()
    .enumerate()
    {
        let to = format!("unknown-{n}@plain.example");
        submit.push(NewMessage { notices, ..message(&voyage, StreamKind::Transactional, &[(&to, None)]) });
    }
    for new in submit {
        voyage.submit(new).await;
    }
    voyage.until_done(HOUR).await;
    voyage.sim.clock.sleep(Duration::from_secs(60)).await;
    voyage.until_done(HOUR).await;
    assert_eq!(reports(&voyage).len(), 2);
    let left = voyage.storage.read(|c| storage::notice::due(c, i64::MAX, (100, 100))).await.unwrap();
    assert!(left.is_empty(), "{left:?}");
    // A restart does not begin the hour anew.
    voyage.engine.take().unwrap().crash().await;
    voyage.engine = Some(voyage.begin().await);
    let again = message(&voyage, StreamKind::Transactional, &[("unknown-7@plain.example", None)]);
    voyage.submit(NewMessage { notices: failures(SHOP), ..again }).await;
    voyage.until_done(HOUR).await;
    voyage.sim.clock.sleep(Duration::from_secs(60)).await;
    assert_eq!(reports(&voyage).len(), 2);
    voyage.sim.clock.sleep(Duration::from_secs(3600)).await;
    let later = message(&voyage, StreamKind::Transactional, &[("unknown-8@plain.example", None)]);
    voyage.submit(NewMessage { notices: failures(SHOP), ..later }).await;
    voyage.until_done(HOUR).await;
    voyage.sim.clock.sleep(Duration::from_secs(60)).await;
    voyage.until_done(HOUR).await;
    assert_eq!(reports(&voyage).len(), 3, "the hour is over");
    // Three to the shop, and one to nobody.
    voyage.wrote_itself(4, SHOP);
    voyage.finish().await;
}

/// What a server cannot take is not offered to it, and says why.
#[tokio::test(start_paused = true)]
async fn what_does_not_fit_bounces_with_a_reason() {
    let manners = Manners { size_max: 1000, eight_bit: false, ..chunking() };
    let mut voyage = Voyage::start(world(vec![provider("small", 1, manners)]), ONE_SOURCE).await;
    let plain = |voyage: &Voyage| message(voyage, StreamKind::Transactional, &[("fine-1@small.example", None)]);
    let big = NewMessage { content: b"Subject: x\r\n\r\n0123456789\r\n".repeat(100), ..plain(&voyage) };
    let eight = NewMessage { eight_bit: true, ..plain(&voyage) };
    let utf8 = NewMessage { smtputf8: true, ..plain(&voyage) };
    for (new, reply) in [
        (big, "the message has 2600 bytes and mx.small-mx.example takes 1000"),
        (eight, "mx.small-mx.example takes no 8-bit content"),
        (utf8, "mx.small-mx.example takes no UTF-8 in addresses"),
    ] {
        let id = voyage.submit(new).await;
        voyage.until_done(HOUR).await;
        let one = voyage.of_message(id).await.remove(0);
        assert_eq!((one.state, one.reply.as_deref()), (RecipientState::Bounced, Some(reply)));
    }
    assert_eq!(voyage.sim.ledger.total().refusals.len(), 0);
    voyage.finish().await;
}

/// Rates and warm-ups count recipients, however many go together.
#[tokio::test(start_paused = true)]
async fn each_recipient_counts() {
    let crowd = people("fine-", "crowd.example", 30);
    let to: Vec<(&str, Option<&str>)> = crowd.iter().map(|address| (address.as_str(), None)).collect();
    let rate = "\n[[shaping]]\nmessage_rate = \"60/min\"";
    let warm = "\n[[source]]\nname = \"new\"\nip = \"127.0.1.4\"\nwarmup = \"own\"\n[[pool]]\nname = \"default\"\n\
        sources = [{ source = \"new\" }]\n[[warmup_plan]]\nname = \"own\"\nstages = [50000000]";
    for (more, is_warming) in [(format!("{ONE_SOURCE}{rate}"), false), (warm.to_owned(), true)] {
        let mut voyage = Voyage::start(world(vec![provider("crowd", 1, Manners::default())]), &more).await;
        let new = message(&voyage, StreamKind::Transactional, &to);
        voyage.submit(new).await;
        let took = voyage.until_done(2 * HOUR).await;
        let transactions = received(&voyage, "crowd.example").len();
        if is_warming {
            assert!(transactions < 30, "{transactions}");
            let line = voyage.storage.read(storage::warmup::all).await.unwrap().remove(0);
            assert_eq!((line.figures.sent, line.figures.delivered), (30, 30));
        } else {
            assert!(took > Duration::from_secs(20), "{took:?}");
        }
        voyage.finish().await;
    }
}

/// Who is suppressed after the message was made does not get it; the others do, in one transaction.
#[tokio::test(start_paused = true)]
async fn the_last_look_is_at_each_recipient() {
    let manners = Manners { latency_ms: 5_000, ..Manners::default() };
    let mut voyage = Voyage::start(world(vec![provider("slow", 1, manners)]), ONE_SOURCE).await;
    let to = people("fine-", "slow.example", 4);
    let to: Vec<(&str, Option<&str>)> = to.iter().map(|address| (address.as_str(), None)).collect();
    let new = message(&voyage, StreamKind::Transactional, &to);
    let id = voyage.submit(new).await;
    // The greeting has not come yet.
    voyage.sim.clock.sleep(Duration::from_secs(2)).await;
    let now_ms = voyage.sim.clock.now_ms();
    for address in ["fine-1@slow.example", "fine-3@slow.example"] {
        let suppress = move |tx: &storage::Transaction<'_>| {
            let new = NewSuppression {
                covers: storage::suppression::SuppressionCovers::All,
                workspace_id: WS,
                address: &Address::parse(address).unwrap(),
                reason: SuppressionReason::Unsubscribe,
                origin: "test",
                recipient_id: None,
                campaign_id: None,
                contact_id: None,
                created_by: None,
                now_ms,
                expires_ms: None,
            };
            suppression::add(tx, &new).map(|_| ())
        };
        voyage.write(suppress).await;
    }
    voyage.until_done(HOUR).await;
    assert_eq!(states(&voyage.of_message(id).await), ["suppressed", "delivered", "suppressed", "delivered"]);
    let got = received(&voyage, "slow.example");
    assert_eq!(got.len(), 1);
    assert_eq!(got[0].recipients, ["fine-2@slow.example", "fine-4@slow.example"]);
    voyage.finish().await;
}
