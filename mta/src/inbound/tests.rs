//! Whole sessions with the listener, over in-memory pipes, against a real database.

mod auth_failures;
mod figures;
mod limits;
mod purposes;

use super::{Figures, Happened, Inbound, session};
use bounce::verp;
use mail::{Address, Domain, StreamKind};
use std::net::IpAddr;
use std::sync::{Arc, Mutex};
use storage::message::{self, NewMessage, NewMessageRecipient, Notices, Submission};
use storage::queue::{self, Ending, NewRecipient, Origin, Settlement};
use storage::{
    CampaignId, ContactId, DomainId, MessageId, OpenOptions, RecipientId, Storage, WorkspaceId, address_hash,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::sync::CancellationToken;
use world::{Clock, SystemClock};

pub(super) struct House {
    pub(super) inbound: Arc<Inbound>,
    heard: Arc<Mutex<Vec<Happened>>>,
    zone: sandbox::Zone,
    accepted_ms: i64,
    _dir: tempfile::TempDir,
}

/// A database with one delivered recipient of `ana@example.net` (id 1) and one sending domain.
pub(super) async fn house() -> House {
    house_with("").await
}

/// The same with more lines in the configuration.
async fn house_with(more: &str) -> House {
    let dir = tempfile::tempdir().unwrap();
    let storage = Storage::open(&OpenOptions { dir: dir.path().to_owned(), readers: 2 }).unwrap();
    let now_ms = SystemClock.now_ms();
    let names = ("news.example", "bounce.news.example");
    storage.main().write(move |tx| storage::domain::insert(tx, WorkspaceId::MAIN, names, &[], now_ms)).await.unwrap();
    let address = Address::parse("ana@example.net").unwrap();
    let recipient = NewRecipient {
        workspace_id: WorkspaceId::MAIN,
        origin: Origin::Campaign { campaign: CampaignId(1), contact: ContactId(1) },
        address: address.to_string(),
        address_hash: address_hash(&address),
        domain: address.domain().to_string(),
        stream: "bulk".to_owned(),
        kind: StreamKind::Bulk,
        pool: "default".to_owned(),
        due_ms: now_ms,
        accepted_ms: now_ms,
        expires_ms: now_ms + 1_000_000,
        dsn_notify: None,
        dsn_orcpt: None,
    };
    let attempt = queue::Attempt {
        source: "mx1".into(),
        site: "mx.example.net".into(),
        provider: "Net".into(),
        mx: "mx.example.net".into(),
        tls: None,
        reports: false,
        took_ms: 1,
    };
    let (id, ending, attempt) = (RecipientId(1), Ending::Delivered, Some(attempt));
    let settlement = Settlement { id, at_ms: now_ms, ending, attempt, answer: None };
    storage
        .queue()
        .write(move |tx| {
            queue::enqueue(tx, &[recipient])?;
            queue::settle(tx, &[settlement])
        })
        .await
        .unwrap();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let sim = sandbox::SimWorld::new(&sandbox::SimOptions::default(), sandbox::Providers::builtin()).unwrap();
    let text = more.to_owned() + "[[source]]\nname = \"mx1\"\nip = \"198.51.100.7\"\nehlo = \"mx1.news.example\"\n";
    let config = config::parse("test.toml", &text).unwrap();
    let inbound = Inbound {
        storage,
        clock: Arc::new(SystemClock),
        verp: Arc::new(verp::Key::new(&[7; 32])),
        hostname: Domain::parse("mx.news.example").unwrap(),
        feedback: "fbl".to_owned(),
        shaping: Arc::new(crate::shaping::Snapshot::compile(&config::SmtpSection::default(), &[])),
        unknown_texts: Arc::default(),
        figures: Figures::new(&config.smtp, config.reports, config.sources, sim.dns.clone()),
        certificate: None,
        random: Arc::new(world::SystemRandom),
        streams: config::parse("packetboat.toml", "").unwrap().streams,
        desk: super::Desk::default(),
        wake: Box::new(|| {}),
        heard: Box::new({
            let heard = heard.clone();
            move |what| heard.lock().unwrap().push(what.happened)
        }),
    };
    House { inbound: Arc::new(inbound), heard, zone: sim.zone, accepted_ms: now_ms, _dir: dir }
}

impl House {
    /// A delivered message of a program.
    async fn submitted(&self, to: &str) -> MessageId {
        let address = Address::parse(to).unwrap();
        let now_ms = SystemClock.now_ms();
        let new = NewMessage {
            workspace_id: WorkspaceId::MAIN,
            domain_id: DomainId(1),
            submission: Submission::Smtp,
            submitter: "shop".to_owned(),
            stream: "transactional".to_owned(),
            kind: StreamKind::Transactional,
            pool: "default".to_owned(),
            header_id: "1@news.example".to_owned(),
            from_address: "shop@news.example".to_owned(),
            subject: String::new(),
            tags: Vec::new(),
            dsn_envid: None,
            dsn_ret: None,
            notices: Notices::Nobody,
            eight_bit: false,
            smtputf8: false,
            content: Vec::new(),
            accepted_ms: now_ms,
            send_at_ms: now_ms,
            expires_ms: now_ms + 1_000_000,
            recipients: vec![NewMessageRecipient {
                address_hash: address_hash(&address),
                address,
                dsn_notify: None,
                dsn_orcpt: None,
            }],
        };
        let settled = move |tx: &storage::Transaction<'_>| {
            let id = message::accept(tx, &new)?;
            let settlement = Settlement {
                id: RecipientId(2),
                at_ms: now_ms,
                ending: Ending::Delivered,
                attempt: None,
                answer: None,
            };
            queue::settle(tx, &[settlement])?;
            Ok(id)
        };
        self.inbound.storage.queue().write(settled).await.unwrap()
    }

    pub(super) fn return_path(&self) -> String {
        format!("{}@bounce.news.example", verp::encode(&self.inbound.verp, 1, SystemClock.now_ms()))
    }

    /// Sends `text` as one client and returns the reply codes.
    async fn say(&self, text: &str) -> String {
        let (mut client, server) = tokio::io::duplex(64 * 1024);
        client.write_all(text.as_bytes()).await.unwrap();
        client.shutdown().await.unwrap();
        let peer = IpAddr::from([127, 0, 0, 1]);
        session::run(&self.inbound, server, peer, &CancellationToken::new()).await;
        let mut replies = String::new();
        client.read_to_string(&mut replies).await.unwrap();
        let last_lines = replies.lines().filter(|line| line.as_bytes().get(3) == Some(&b' '));
        last_lines.map(|line| &line[..3]).collect::<Vec<_>>().join(" ")
    }

    pub(super) async fn bounced(&self) -> bool {
        self.inbound
            .storage
            .read(|c| queue::ledger(c, WorkspaceId::MAIN, None))
            .await
            .map(|ledger| {
                assert!(ledger.holds(), "{ledger:?}");
                ledger.bounced == 1
            })
            .unwrap()
    }

    pub(super) async fn unmatched(&self) -> u64 {
        self.inbound.storage.read(storage::unmatched_report::count).await.unwrap()
    }

    async fn suppressed(&self) -> bool {
        let hash = address_hash(&Address::parse("ana@example.net").unwrap());
        let found =
            self.inbound.storage.read(move |c| storage::suppression::of_hash(c, WorkspaceId::MAIN, &hash)).await;
        !found.unwrap().is_empty()
    }
}

pub(super) fn report(rcpt: &str) -> String {
    format!(
        "EHLO peer.example\r\nMAIL FROM:<>\r\nRCPT TO:<{rcpt}>\r\nDATA\r\n\
         From: <mailer-daemon@peer.example>\r\nSubject: Returned\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n\
         --b\r\nContent-Type: text/plain\r\n\r\nSorry.\r\n\
         --b\r\nContent-Type: message/delivery-status\r\n\r\n\
         Reporting-MTA: dns; peer.example\r\n\r\n\
         Final-Recipient: rfc822; ana@example.net\r\nAction: failed\r\nStatus: 5.1.1\r\n\
         Diagnostic-Code: smtp; 550 5.1.1 no such user here\r\n\r\n--b--\r\n.\r\nQUIT\r\n"
    )
}

#[tokio::test]
async fn a_late_report_corrects_a_delivered_recipient_once() {
    let house = house().await;
    for _ in 0..2 {
        assert_eq!(house.say(&report(&house.return_path())).await, "220 250 250 250 354 250 221");
        assert!(house.bounced().await);
        assert!(house.suppressed().await);
    }
    assert_eq!(*house.heard.lock().unwrap(), [Happened::Bounced]);
    assert_eq!(house.unmatched().await, 0);
}

/// An automatic answer changes nothing, and is known for what it is.
#[tokio::test]
async fn a_vacation_note_is_told() {
    let house = house().await;
    let note = format!(
        "EHLO peer.example\r\nMAIL FROM:<>\r\nRCPT TO:<{}>\r\nDATA\r\nFrom: ana@example.net\r\nSubject: Out of office\r\n\
         Auto-Submitted: auto-replied\r\n\r\nI am away.\r\n.\r\nQUIT\r\n",
        house.return_path()
    );
    assert_eq!(house.say(&note).await, "220 250 250 250 354 250 221");
    assert!(!house.bounced().await && !house.suppressed().await && house.unmatched().await == 0);
    while storage::outbox::drain(&house.inbound.storage, 100).await.unwrap() > 0 {}
    let of_contact =
        |c: &storage::Connection| storage::event::of_contact(c, WorkspaceId::MAIN, ContactId(1), i64::MAX, 10);
    let events = house.inbound.storage.read(of_contact).await.unwrap();
    let newest = events.first().map(|event| (event.kind, event.class));
    assert_eq!(newest, Some((storage::event::Kind::Replied, Some(mail::BounceClass::Vacation))));
}

/// What a provider means by its words, only its customers know: an own rule for it decides about reports too, where the
/// report names no server. What no rule knows is kept, without the recipient.
#[tokio::test]
async fn own_rules_read_reports() {
    let mut house = house().await;
    let rule = bounce::WrittenRule {
        name: "frotz".to_owned(),
        class: "mailbox_full".to_owned(),
        providers: vec!["Net".to_owned()],
        text: vec!["frotz".to_owned()],
        samples: vec!["550 frotz".to_owned()],
        ..bounce::WrittenRule::default()
    };
    let rules = bounce::Rules::with_own(&[rule]).unwrap();
    let snapshot = crate::shaping::Snapshot::compile(&config::SmtpSection::default(), &[]);
    let inbound = Arc::get_mut(&mut house.inbound).expect("nobody else has it yet");
    inbound.shaping = Arc::new(snapshot.reading_by(rules));
    let unknown = report(&house.return_path())
        .replace("Action: failed", "Action: delayed")
        .replace("no such user here", "zork ana");
    house.say(&unknown).await;
    let words = report(&house.return_path()).replace("no such user here", "frotz");
    assert_eq!(house.say(&words).await, "220 250 250 250 354 250 221");
    assert!(house.bounced().await && !house.suppressed().await);

    house.inbound.unknown_texts.write(&house.inbound.storage).await;
    let page = |c: &storage::Connection| {
        storage::unknown_text::page(c, WorkspaceId::MAIN, None, (storage::unknown_text::Sort::Last, None), 10)
    };
    let kept = house.inbound.storage.read(page).await.unwrap();
    let told: Vec<_> = kept.iter().map(|text| (&*text.provider, &*text.stage, &*text.sample)).collect();
    assert_eq!(told, [("Net", "report", "550 5.1.1 zork ***")]);
}

#[tokio::test]
async fn return_paths_are_compared_without_regard_to_case() {
    let house = house().await;
    assert_eq!(house.say(&report(&house.return_path().to_uppercase())).await, "220 250 250 250 354 250 221");
    assert!(house.bounced().await);
}

#[tokio::test]
async fn a_forged_return_path_is_kept_and_changes_nothing() {
    let house = house().await;
    let forged = format!("{}@bounce.news.example", verp::encode(&verp::Key::new(&[8; 32]), 1, SystemClock.now_ms()));
    assert_eq!(house.say(&report(&forged)).await, "220 250 250 250 354 250 221");
    assert!(!house.bounced().await && !house.suppressed().await);
    assert_eq!(house.unmatched().await, 1);
}

/// A path that names a message says nothing of whom: a report that names none of its recipients is kept.
#[tokio::test]
async fn a_path_of_a_message_needs_a_report_that_names_its_recipient() {
    for (address, is_matched) in [("ana@example.net", true), ("forwarded@elsewhere.example", false)] {
        let house = house().await;
        let message = house.submitted("Ana@example.net").await;
        let local = verp::encode_message(&house.inbound.verp, message.0, SystemClock.now_ms());
        let text = report(&format!("{local}@bounce.news.example")).replace("ana@example.net", address);
        assert_eq!(house.say(&text).await, "220 250 250 250 354 250 221");
        assert_eq!((house.bounced().await, house.unmatched().await), (is_matched, u64::from(!is_matched)), "{address}");
    }
}

#[tokio::test]
async fn an_ordinary_mail_to_a_return_path_is_kept() {
    let house = house().await;
    let text = format!(
        "EHLO x.example\r\nMAIL FROM:<a@x.example>\r\nRCPT TO:<{}>\r\nDATA\r\nSubject: hi\r\n\r\nhi\r\n.\r\nQUIT\r\n",
        house.return_path()
    );
    assert_eq!(house.say(&text).await, "220 250 250 250 354 250 221");
    assert!(!house.bounced().await);
    assert_eq!(house.unmatched().await, 1);
}

/// A report of a feedback loop; `returned` is the header of the message that it is about.
fn feedback(rcpt: &str, kind: &str, returned: &str) -> String {
    format!(
        "EHLO peer.example\r\nMAIL FROM:<fbl@peer.example>\r\nRCPT TO:<{rcpt}>\r\nDATA\r\n\
         From: <fbl@peer.example>\r\nSubject: complaint\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=feedback-report; boundary=b\r\n\r\n\
         --b\r\nContent-Type: text/plain\r\n\r\nSomebody complained.\r\n\
         --b\r\nContent-Type: message/feedback-report\r\n\r\n\
         Feedback-Type: {kind}\r\nUser-Agent: Peer-Feedback/2.0\r\nVersion: 1\r\n\r\n\
         --b\r\nContent-Type: message/rfc822\r\n\r\n{returned}\
         From: news@news.example\r\nTo: redacted@peer.example\r\nSubject: Spring\r\n\r\nHello\r\n\
         \r\n--b--\r\n.\r\nQUIT\r\n"
    )
}

const TAKEN: &str = "220 250 250 250 354 250 221";
const LOOP: &str = "fbl@bounce.news.example";

#[tokio::test]
async fn a_complaint_is_found_by_each_of_our_marks_and_counts_once() {
    let house = house().await;
    let token = house.return_path();
    let mark = token.split('@').next().unwrap();
    for (rcpt, returned) in [
        (LOOP, format!("CFBL-Feedback-ID: {mark}\r\n")),
        (LOOP, format!("Return-Path: <{token}>\r\n")),
        (LOOP, format!("Message-ID: <1.1.{:x}@news.example>\r\n", house.accepted_ms)),
        (token.as_str(), String::new()),
    ] {
        assert_eq!(house.say(&feedback(rcpt, "abuse", &returned)).await, TAKEN);
        assert!(house.suppressed().await, "{returned}");
        assert_eq!(house.unmatched().await, 0, "{returned}");
    }
    assert_eq!(*house.heard.lock().unwrap(), [Happened::Complained], "once, however often it is reported");
    let tallies = |c: &storage::Connection| storage::tally::of_campaign(c, WorkspaceId::MAIN, CampaignId(1));
    let tallies = house.inbound.storage.read(tallies).await.unwrap();
    let complained = tallies.iter().find(|tally| tally.measure == storage::tally::Measure::Complained);
    assert_eq!(complained.map(|tally| tally.n), Some(1));
    assert!(!house.bounced().await, "what was delivered stays delivered");
}

#[tokio::test]
async fn feedback_that_names_nobody_or_is_no_complaint_changes_nothing() {
    let house = house().await;
    let forged = verp::encode(&verp::Key::new(&[8; 32]), 1, SystemClock.now_ms());
    let mark = format!("CFBL-Feedback-ID: {}\r\n", house.return_path().split('@').next().unwrap());
    for (kind, returned) in [
        ("abuse", format!("CFBL-Feedback-ID: {forged}\r\n")),
        ("abuse", format!("Message-ID: <1.1.{:x}@news.example>\r\n", house.accepted_ms + 1)),
        ("not-spam", mark),
    ] {
        assert_eq!(house.say(&feedback(LOOP, kind, &returned)).await, TAKEN, "{returned}");
    }
    assert!(!house.suppressed().await);
    assert_eq!(house.unmatched().await, 3, "each is kept for reading");
    assert!(house.heard.lock().unwrap().is_empty());
}

#[tokio::test]
async fn an_answer_of_the_recipient_engages() {
    let house = house().await;
    let person = mta_person();
    house
        .inbound
        .storage
        .main()
        .write(move |tx| {
            let origin = storage::contact::Origin { consent_source: "", import: None };
            storage::contact::insert(tx, WorkspaceId::MAIN, &person, origin, 0)
        })
        .await
        .unwrap();
    let engaged = async || {
        let found = |c: &storage::Connection| storage::contact::find(c, WorkspaceId::MAIN, ContactId(1));
        house.inbound.storage.read(found).await.unwrap().unwrap().engaged_ms.is_some()
    };
    let answer = |from: &str| {
        format!(
            "EHLO x.example\r\nMAIL FROM:<{from}>\r\nRCPT TO:<{}>\r\nDATA\r\nFrom: {from}\r\n\
             Subject: Re: Spring\r\n\r\nThank you!\r\n.\r\nQUIT\r\n",
            house.return_path()
        )
    };
    house.say(&answer("somebody@else.example")).await;
    assert!(!engaged().await, "whoever else writes there");
    house.say(&answer("Ana@example.net")).await;
    assert!(engaged().await);
}

fn mta_person() -> storage::contact::Draft {
    storage::contact::Draft {
        email: Address::parse("ana@example.net").unwrap(),
        first_name: "Ana".to_owned(),
        last_name: String::new(),
        attributes: storage::contact::Attributes::new(),
    }
}

#[tokio::test]
async fn everything_else_is_refused() {
    let house = house().await;
    for (text, codes) in [
        ("RCPT TO:<a@b.example>\r\nDATA\r\nMAIL FROM:<>\r\nQUIT\r\n", "220 503 503 503 221"),
        ("EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<ana@example.net>\r\nDATA\r\nQUIT\r\n", "220 250 250 550 503 221"),
        ("EHLO x\r\nMAIL FROM:<>\r\nRCPT TO:<info@bounce.news.example>\r\nQUIT\r\n", "220 250 250 550 221"),
        ("EHLO x\r\nMAIL FROM:<> SIZE=199999999\r\nQUIT\r\n", "220 250 552 221"),
        ("EHLO x\r\nAUTH PLAIN AAAA\r\nSTARTTLS\r\nBDAT 5 LAST\r\nQUIT\r\n", "220 250 502 502 502 221"),
        ("NOOP\nNOOP\r\n", "220 500 250"),
    ] {
        assert_eq!(house.say(text).await, codes, "{text:?}");
    }
}

#[tokio::test]
async fn who_only_errs_is_hung_up_on() {
    let house = house().await;
    let replies = house.say(&"NONSENSE x\r\n".repeat(100)).await;
    assert_eq!(replies, format!("220{} 421", " 500".repeat(11)));
}
