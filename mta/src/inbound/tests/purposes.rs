//! Each purpose over the listener: wishes to get no more, answers, and what is fed from elsewhere.

use super::{House, feedback, house, report};
use crate::inbound::{Fed, feed};
use crate::submission::Certificate;
use bounce::verp;
use mail::Address;
use std::sync::Arc;
use storage::reply::{self, Done};
use storage::reply_address::{self, Action, NewReplyAddress};
use storage::{DomainId, WorkspaceId};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::sync::CancellationToken;
use world::{Clock, SystemClock};

const TAKEN: &str = "220 250 250 250 354 250 221";

/// A mail as a session.
fn mail(from: &str, rcpt: &str, content: &str) -> String {
    format!("EHLO x.example\r\nMAIL FROM:<{from}>\r\nRCPT TO:<{rcpt}>\r\nDATA\r\n{content}\r\n.\r\nQUIT\r\n")
}

impl House {
    fn unsubscribe_address(&self) -> String {
        format!("{}@bounce.news.example", verp::encode_unsubscribe(&self.inbound.verp, 1, SystemClock.now_ms()))
    }

    async fn reply_address(&self, address: &str, forward_to: Option<&str>) {
        let new = NewReplyAddress {
            workspace_id: WorkspaceId::MAIN,
            address: Address::parse(address).unwrap(),
            domain_id: DomainId(1),
            action: forward_to.map_or(Action::Keep, |to| Action::Forward(Address::parse(to).unwrap())),
            created_by: "ana".to_owned(),
            created_ms: 1,
        };
        self.inbound.storage.main().write(move |tx| reply_address::insert(tx, &new)).await.unwrap();
    }

    /// Done, whether joined to the recipient, and why; newest first.
    async fn replies(&self) -> String {
        let page = |c: &storage::Connection| reply::page(c, WorkspaceId::MAIN, None, i64::MAX, 50);
        let rows = self.inbound.storage.read(page).await.unwrap();
        let line = |row: reply::Reply| {
            let joined = if row.recipient_id.is_some() { " joined" } else { "" };
            let why = row.why.map(|why| format!(" ({})", why.split(':').next().unwrap())).unwrap_or_default();
            format!("{}{joined}{why}", row.done.as_str())
        };
        rows.into_iter().map(line).collect::<Vec<_>>().join(", ")
    }

    fn campaign_id_field(&self) -> String {
        format!("In-Reply-To: <1.1.{:x}@news.example>\r\n", self.accepted_ms)
    }
}

#[tokio::test]
async fn a_mail_unsubscribes_and_a_program_does_not() {
    for (from, content, unsubscribes) in [
        ("ana@example.net", "From: ana@example.net\r\nSubject: unsubscribe\r\n\r\n", true),
        ("ana@example.net", "From: ana@example.net\r\n\r\n", true),
        ("", "From: ana@example.net\r\nSubject: unsubscribe\r\n\r\n", false),
        (
            "ana@example.net",
            "From: ana@example.net\r\nAuto-Submitted: auto-replied\r\nSubject: Out of office\r\n\r\nI am away",
            false,
        ),
    ] {
        let house = house().await;
        assert_eq!(house.say(&mail(from, &house.unsubscribe_address(), content)).await, TAKEN);
        assert_eq!(house.suppressed().await, unsubscribes, "{from} {content}");
        assert_eq!(house.unmatched().await, u64::from(!unsubscribes), "{from} {content}");
    }
    let house = house().await;
    house.say(&report(&house.unsubscribe_address())).await;
    assert!(!house.suppressed().await && !house.bounced().await, "a bounce of it changes nothing");
}

#[tokio::test]
async fn a_wish_at_the_return_path_unsubscribes() {
    let house = house().await;
    let content = "From: ana@example.net\r\nSubject: Re: unsubscribe\r\n\r\nno more please";
    assert_eq!(house.say(&mail("ana@example.net", &house.return_path(), content)).await, TAKEN);
    assert!(house.suppressed().await && house.unmatched().await == 0);
}

#[tokio::test]
async fn forged_and_expired_addresses_are_kept_and_change_nothing() {
    let day_ms = 86_400_000;
    let house = house().await;
    let (key, now_ms) = (&house.inbound.verp, SystemClock.now_ms());
    let forged = verp::Key::new(&[8; 32]);
    for local in [
        verp::encode_unsubscribe(&forged, 1, now_ms),
        verp::encode_unsubscribe(key, 1, now_ms - 401 * day_ms),
        verp::encode(key, 1, now_ms - 46 * day_ms),
        verp::encode_message(&forged, 1, now_ms),
    ] {
        house.say(&report(&format!("{local}@bounce.news.example"))).await;
        house.say(&mail("ana@example.net", &format!("{local}@bounce.news.example"), "Subject: stop\r\n\r\n")).await;
    }
    assert!(!house.suppressed().await && !house.bounced().await);
    assert_eq!(house.unmatched().await, 8);
}

#[tokio::test]
async fn answers_are_joined_forwarded_and_taken_once() {
    let house = house().await;
    house.reply_address("hello@bounce.news.example", Some("team@example.com")).await;
    house.reply_address("kept@answers.news.example", None).await;
    let answer = |rcpt: &str, more: &str| {
        let fields = "From: Ana <ana@example.net>\r\nTo: x\r\nMessage-ID: <7@example.net>\r\nSubject: Re: Spring\r\n";
        mail("ana@example.net", rcpt, &format!("{fields}{more}{}\r\nThank you!", house.campaign_id_field()))
    };
    for rcpt in ["hello@bounce.news.example", "HELLO@bounce.news.example", "kept@answers.news.example"] {
        assert_eq!(house.say(&answer(rcpt, "")).await, TAKEN, "{rcpt}");
    }
    assert_eq!(house.replies().await, "kept joined, forwarded joined");
    let content = |c: &storage::Connection| storage::message::content(c, storage::MessageId(1));
    let content = String::from_utf8(house.inbound.storage.read(content).await.unwrap().unwrap()).unwrap();
    let begin = "Packetboat-Loop: hello@bounce.news.example\r\nFrom: \"Ana\" <hello@bounce.news.example>\r\n\
                 Reply-To: ana@example.net\r\n";
    assert!(content.contains(begin) && content.ends_with("\r\n\r\nThank you!\r\n"), "{content}");
    let found = |c: &storage::Connection| storage::message::find(c, WorkspaceId::MAIN, storage::MessageId(1));
    let message = house.inbound.storage.read(found).await.unwrap().unwrap();
    assert_eq!((message.subject.as_str(), message.live), ("Re: Spring", 1));
    // What we forwarded and what came back to us stops.
    let passed = "Packetboat-Loop: kept@answers.news.example\r\nDate: x\r\n";
    assert_eq!(house.say(&answer("kept@answers.news.example", passed)).await, TAKEN);
    assert_eq!(house.replies().await, "stopped joined (it has been here before), kept joined, forwarded joined");
    storage::outbox::drain(&house.inbound.storage, 100).await.unwrap();
    let trace = |c: &storage::Connection| {
        storage::event::of_recipient(c, WorkspaceId::MAIN, (storage::RecipientId(1), Some(storage::ContactId(1))), 50)
    };
    let trace = house.inbound.storage.read(trace).await.unwrap();
    let texts: Vec<_> = trace.iter().filter(|event| event.kind == storage::event::Kind::Replied).collect();
    assert_eq!(texts.len(), 2, "{trace:?}");
}

#[tokio::test]
async fn programs_and_floods_go_nowhere() {
    let house = house().await;
    house.reply_address("hello@bounce.news.example", Some("team@example.com")).await;
    let rcpt = "hello@bounce.news.example";
    house.say(&mail("", rcpt, "From: ana@example.net\r\nMessage-ID: <1@x>\r\n\r\nhi")).await;
    house.say(&mail("ana@example.net", rcpt, "From: ana@example.net\r\nPrecedence: bulk\r\n\r\nhi")).await;
    house.say(&mail("ana@example.net", rcpt, "Subject: from nobody\r\n\r\nhi")).await;
    assert_eq!(
        house.replies().await,
        "stopped (nobody is its author), stopped (Precedence), stopped (its reverse path is empty)"
    );
    for number in 0..25 {
        let content = format!("From: bo@example.net\r\nMessage-ID: <{number}@x.example>\r\n\r\nhi");
        assert_eq!(house.say(&mail("bo@example.net", rcpt, &content)).await, TAKEN);
    }
    let page = |done| move |c: &storage::Connection| reply::page(c, WorkspaceId::MAIN, Some(done), i64::MAX, 50);
    assert_eq!(house.inbound.storage.read(page(Done::Forwarded)).await.unwrap().len(), 20);
    assert_eq!(house.inbound.storage.read(page(Done::Stopped)).await.unwrap().len(), 8);
}

#[tokio::test]
async fn a_report_to_a_reply_address_settles_by_its_marks() {
    let house = house().await;
    house.reply_address("hello@bounce.news.example", Some("team@example.com")).await;
    let returned = format!("--b\r\nContent-Type: message/rfc822\r\n\r\nReturn-Path: <{}>\r\n", house.return_path());
    let returned = format!("{returned}From: news@news.example\r\nTo: ana@example.net\r\n\r\nHello\r\n\r\n--b--\r\n");
    let text = report("hello@bounce.news.example").replace("--b--\r\n", &returned);
    assert_eq!(house.say(&text).await, TAKEN);
    assert!(house.bounced().await);
    assert_eq!(house.replies().await, "");
}

#[tokio::test]
async fn addresses_without_purpose_are_refused() {
    let house = house().await;
    house.reply_address("hello@answers.news.example", None).await;
    for (rcpt, code) in [
        ("hello@answers.news.example", "250"),
        ("other@answers.news.example", "550"),
        ("info@bounce.news.example", "550"),
        ("fbl@bounce.news.example", "250"),
        ("fbl@answers.news.example", "550"),
        ("hello@news.example", "550"),
    ] {
        let text = format!("EHLO x\r\nMAIL FROM:<a@x.example>\r\nRCPT TO:<{rcpt}>\r\nQUIT\r\n");
        assert_eq!(house.say(&text).await, format!("220 250 250 {code} 221"), "{rcpt}");
    }
}

/// The content of a session's mail.
fn content(session: &str) -> Vec<u8> {
    let (_, content) = session.split_once("DATA\r\n").unwrap();
    content.split_once("\r\n.\r\n").unwrap().0.as_bytes().to_vec()
}

#[tokio::test]
async fn what_is_fed_takes_the_same_way() {
    let house = house().await;
    let fed = |message: Vec<u8>, rcpts: &[&str]| Fed {
        origin: "API".to_owned(),
        rcpts: rcpts.iter().map(|text| Address::parse(text).unwrap()).collect(),
        message,
        is_cut: false,
    };
    let told = async |fed: Fed| {
        let outcome = feed(&house.inbound, fed).await.unwrap();
        let line = |one: &super::super::Told| {
            let class = outcome.class.map(mail::BounceClass::as_str).unwrap_or("-");
            format!("{} {} {class} {}", one.purpose, one.recipient.is_some(), one.what)
        };
        outcome.told.iter().map(line).collect::<Vec<_>>().join("; ")
    };
    let path = house.return_path();
    let bounce = content(&report("x@x.example"));
    // Its address is none of ours and it returns nothing: nobody can say whom it is about.
    assert_eq!(told(fed(bounce.clone(), &[])).await, "elsewhere false bad_mailbox it names no recipient of ours");
    assert_eq!(house.unmatched().await, 1);
    let delivered = [format!("Delivered-To: {path}\r\n").as_bytes(), &bounce].concat();
    assert_eq!(told(fed(delivered.clone(), &[])).await, "return_path true bad_mailbox bounced");
    assert!(house.bounced().await);
    assert_eq!(told(fed(delivered, &[])).await, "return_path true bad_mailbox known already");
    assert_eq!(told(fed(bounce.clone(), &[&path])).await, "return_path true bad_mailbox known already");
    // Over a mailbox elsewhere, by the Message-ID of what it returns.
    let returned = format!(
        "--b\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: <1.1.{:x}@news.example>\r\nFrom: a@news.example\r\nTo: ana@example.net\r\n\r\n--b--",
        house.accepted_ms
    );
    let marked = String::from_utf8(bounce).unwrap().replace("--b--", &returned);
    assert_eq!(told(fed(marked.into_bytes(), &[])).await, "elsewhere true bad_mailbox known already");
    let complaint = feedback("x@x.example", "abuse", &format!("Return-Path: <{path}>\r\n"));
    assert_eq!(told(fed(content(&complaint), &[])).await, "elsewhere true - complained");
    assert!(house.suppressed().await);
}

#[tokio::test]
async fn tls_is_offered_where_there_is_a_certificate() {
    let mut house = house().await;
    let dir = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["mx.news.example".to_owned()]).unwrap();
    let (file, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    std::fs::write(&file, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let certificate = Arc::new(Certificate::load(&file, &key).unwrap());
    Arc::get_mut(&mut house.inbound).unwrap().certificate = Some(certificate);
    let (mut client, server) = tokio::io::duplex(64 * 1024);
    let stop = CancellationToken::new();
    let session = super::session::run(&house.inbound, server, [127, 0, 0, 1].into(), &stop);
    let talk = async {
        client.write_all(b"EHLO x\r\nSTARTTLS\r\n").await.unwrap();
        let mut plain = String::new();
        while !plain.ends_with("go ahead\r\n") {
            let mut piece = [0; 512];
            let read = client.read(&mut piece).await.unwrap();
            assert!(read > 0, "{plain}");
            plain.push_str(std::str::from_utf8(&piece[..read]).unwrap());
        }
        assert!(plain.contains("250-STARTTLS\r\n"), "{plain}");
        let mut roots = rustls::RootCertStore::empty();
        roots.add(made.cert.der().clone()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = rustls::pki_types::ServerName::try_from("mx.news.example").unwrap();
        let mut tls = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, client).await.unwrap();
        // What was said before does not count any more, and TLS is offered once.
        let rest = report(&house.return_path()).replacen("EHLO peer.example\r\n", "MAIL FROM:<>\r\nEHLO x\r\n", 1);
        tls.write_all(rest.as_bytes()).await.unwrap();
        let mut secured = String::new();
        tls.read_to_string(&mut secured).await.unwrap_or_default();
        assert!(secured.starts_with("503") && !secured.contains("STARTTLS"), "{secured}");
        assert!(secured.contains("250 2.6.0 taken\r\n"), "{secured}");
    };
    tokio::join!(session, talk);
    assert!(house.bounced().await);
    // Commands sent along in plain text are not taken for said under TLS: the connection ends.
    let replies = house.say("EHLO x\r\nSTARTTLS\r\nMAIL FROM:<>\r\n").await;
    assert_eq!(replies, "220");
}

/// Mail that is kept whole takes room: who is slow with two has no more of it, and others still have.
#[tokio::test]
async fn one_peer_does_not_take_all_the_room() {
    let house = house().await;
    let stop = CancellationToken::new();
    let mut clients = Vec::new();
    let mut said = Vec::new();
    for last in [1, 1, 1, 2] {
        let (mut client, server) = tokio::io::duplex(64 * 1024);
        let (inbound, stop) = (house.inbound.clone(), stop.clone());
        tokio::spawn(async move { super::session::run(&inbound, server, [192, 0, 2, last].into(), &stop).await });
        let text = "EHLO x\r\nMAIL FROM:<a@x.example>\r\nRCPT TO:<dmarc@bounce.news.example>\r\nDATA\r\n";
        client.write_all(text.as_bytes()).await.unwrap();
        let mut replies = String::new();
        while !replies.contains("\r\n354 ") && !replies.contains("\r\n452 ") {
            let mut piece = [0; 512];
            let read = client.read(&mut piece).await.unwrap();
            assert!(read > 0, "{replies}");
            replies.push_str(std::str::from_utf8(&piece[..read]).unwrap());
        }
        said.push(replies.contains("\r\n354 "));
        clients.push(client);
    }
    assert_eq!(said, [true, true, false, true]);
    // One of them ends: there is room again.
    clients[0].write_all(b"Subject: x\r\n\r\nx\r\n.\r\n").await.unwrap();
    let mut piece = [0; 512];
    let read = clients[0].read(&mut piece).await.unwrap();
    assert!(piece[..read].starts_with(b"250 "));
    clients[2].write_all(b"MAIL FROM:<a@x.example>\r\nRCPT TO:<dmarc@bounce.news.example>\r\nDATA\r\n").await.unwrap();
    let mut replies = String::new();
    while !replies.contains("354 ") && !replies.contains("452 ") {
        let read = clients[2].read(&mut piece).await.unwrap();
        assert!(read > 0, "{replies}");
        replies.push_str(std::str::from_utf8(&piece[..read]).unwrap());
    }
    assert!(replies.contains("354 "), "{replies}");
    stop.cancel();
}

/// A report that carries back a large message is heard like any other; what is kept whole has less room.
#[tokio::test]
async fn a_report_may_be_as_large_as_what_it_returns() {
    let house = house().await;
    let padding = "y".repeat(998) + "\r\n";
    for (rcpt, code) in [(house.return_path(), "250"), ("dmarc@bounce.news.example".to_owned(), "552")] {
        let text = report(&rcpt);
        let (head, _) = text.split_once("\r\n.\r\n").unwrap();
        let (mut client, server) = tokio::io::duplex(64 * 1024);
        let stop = CancellationToken::new();
        let session = super::session::run(&house.inbound, server, [127, 0, 0, 1].into(), &stop);
        let talk = async {
            client.write_all(head.as_bytes()).await.unwrap();
            client.write_all(b"\r\n").await.unwrap();
            for _ in 0..12_000 {
                client.write_all(padding.as_bytes()).await.unwrap();
            }
            client.write_all(b".\r\nQUIT\r\n").await.unwrap();
            client.shutdown().await.unwrap();
            let mut replies = String::new();
            client.read_to_string(&mut replies).await.unwrap();
            replies
        };
        let ((), replies) = tokio::join!(session, talk);
        let codes: Vec<&str> =
            replies.lines().filter(|line| line.as_bytes()[3] == b' ').map(|line| &line[..3]).collect();
        assert_eq!(codes, ["220", "250", "250", "250", "354", code, "221"], "{rcpt}");
    }
    assert!(house.bounced().await);
}
