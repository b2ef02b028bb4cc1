//! Whole sessions over in-memory pipes, against a real database. TLS is taken as agreed on where the case is about what
//! comes after it; with TLS on real sockets they are tested in `daemon`.

use super::session::{End, Session};
use super::wire::Wire;
use super::{Certificate, Parts, Pressure, Security, Submission, conversation, serve};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use storage::credential::{self, NewCredential, Rights, SecretKey};
use storage::{MessageId, OpenOptions, RecipientId, Storage, WorkspaceId, message, queue};
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use world::{Clock, SystemClock, SystemRandom};

const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
const SECRET: &str = "twenty-random-bytes";

/// Short of disk space while set.
#[derive(Default)]
struct Disk(AtomicBool);

impl Pressure for Disk {
    fn shortage(&self) -> Option<&'static str> {
        self.0.load(Ordering::Relaxed).then_some("disk space")
    }
}

struct House {
    submission: Submission,
    disk: Arc<Disk>,
    woken: Arc<AtomicUsize>,
    dir: tempfile::TempDir,
}

/// Two sending domains; the credential `pb1` may use news.example alone.
async fn house(more: &str, messages_per_minute: Option<u32>) -> House {
    let dir = tempfile::tempdir().unwrap();
    let storage = Storage::open(&OpenOptions { dir: dir.path().to_owned(), readers: 2 }).unwrap();
    let key = SecretKey::new(&[7; 32]);
    let secret_tag = key.tag("pb1", SECRET);
    let now_ms = SystemClock.now_ms();
    let write = move |tx: &storage::Transaction<'_>| {
        let own = storage::domain::insert(tx, WorkspaceId::MAIN, ("news.example", "bounce.news.example"), &[], now_ms)?;
        storage::domain::insert(tx, WorkspaceId::MAIN, ("other.example", "bounce.other.example"), &[], now_ms)?;
        let stream = "transactional".to_owned();
        let rights = Rights { stream, domains: Some(vec![own]), messages_per_minute, enabled: true };
        let new = NewCredential {
            workspace_id: WorkspaceId::MAIN,
            name: "shop".to_owned(),
            login: "pb1".to_owned(),
            secret_tag,
            rights,
            created_by: "ana@news.example".to_owned(),
            created_ms: now_ms,
        };
        credential::insert(tx, &new)
    };
    storage.main().write(write).await.unwrap();
    let made = rcgen::generate_simple_self_signed(["mx.news.example".to_owned()]).unwrap();
    let (certificate, key_file) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key_file, made.signing_key.serialize_pem()).unwrap();
    let text = format!(
        "[submission]\nlisten = [\"127.0.0.1:0\"]\ncertificate_file = {certificate:?}\nkey_file = {key_file:?}\n{more}"
    );
    let config = config::parse("test", &text).unwrap();
    let (disk, woken) = (Arc::new(Disk::default()), Arc::new(AtomicUsize::new(0)));
    let wakes = Arc::clone(&woken);
    let submission = Submission::new(Parts {
        storage,
        clock: Arc::new(SystemClock),
        random: Arc::new(SystemRandom),
        key,
        hostname: mail::Domain::parse("mx.news.example").unwrap(),
        section: config.submission,
        notices: config.notice.to,
        streams: config.streams,
        certificate: Arc::new(Certificate::load(&certificate, &key_file).unwrap()),
        pressure: Arc::clone(&disk) as Arc<dyn Pressure>,
        wake: Box::new(move || {
            wakes.fetch_add(1, Ordering::Relaxed);
        }),
    });
    House { submission, disk, woken, dir }
}

/// A client that writes everything and leaves.
async fn client(sent: &[u8]) -> (DuplexStream, DuplexStream) {
    let (mut client, server) = tokio::io::duplex(sent.len().max(256 * 1024));
    client.write_all(sent).await.unwrap();
    client.shutdown().await.unwrap();
    (client, server)
}

impl House {
    /// Everything that a client is answered that sends all at once, over TLS.
    async fn replies(&self, sent: &[u8]) -> String {
        let (mut far, near) = client(sent).await;
        let mut session = Session::new(&self.submission, PEER);
        session.begin_tls();
        let mut wire = Wire::new(near);
        let ended = session.converse(&mut wire, &CancellationToken::new()).await;
        assert!(matches!(ended, Ok(End::Closed)), "{ended:?}");
        drop(wire);
        let mut replies = String::new();
        far.read_to_string(&mut replies).await.unwrap();
        replies
    }

    /// The reply codes of a session.
    async fn say(&self, sent: &str) -> String {
        codes(&self.replies(sent.as_bytes()).await)
    }

    /// The same, signed in already.
    async fn signed_in(&self, sent: &str) -> String {
        let codes = self.say(&format!("{}{sent}", sign_in(SECRET))).await;
        codes.strip_prefix("250 235 ").unwrap_or_else(|| panic!("{codes}")).to_owned()
    }

    async fn stored(&self, id: i64) -> (message::Message, String) {
        let id = MessageId(id);
        let found = self.submission.storage.read(move |c| {
            let row = message::find(c, WorkspaceId::MAIN, id)?.unwrap();
            let content = message::content(c, id)?.unwrap();
            Ok((row, String::from_utf8(content).unwrap()))
        });
        found.await.unwrap()
    }

    /// The address of a recipient, by its id.
    async fn recipient(&self, id: i64) -> Option<String> {
        let found = self.submission.storage.read(move |c| queue::find(c, WorkspaceId::MAIN, RecipientId(id))).await;
        found.unwrap().map(|recipient| recipient.address)
    }
}

fn codes(replies: &str) -> String {
    let last_lines = replies.lines().filter(|line| line.as_bytes().get(3) == Some(&b' '));
    last_lines.map(|line| &line[..3]).collect::<Vec<_>>().join(" ")
}

fn sign_in(secret: &str) -> String {
    format!("EHLO client.example\r\nAUTH PLAIN {}\r\n", STANDARD.encode(format!("\0pb1\0{secret}")))
}

const MAIL: &str = "MAIL FROM:<ana@news.example>\r\n";
const RCPT: &str = "RCPT TO:<ben@far.example>\r\n";
const LETTER: &str = "From: Ana <ana@news.example>\r\nSubject: Hi\r\nBcc: x@y.example\r\n\r\nHello\r\n";

fn transaction(letter: &str) -> String {
    format!("{MAIL}{RCPT}DATA\r\n{letter}.\r\n")
}

#[tokio::test]
async fn an_accepted_message_is_on_disk_whole() {
    let house = house("", None).await;
    let sent = format!(
        "{}MAIL FROM:<> BODY=8BITMIME RET=HDRS ENVID=e1\r\n{RCPT}RCPT TO:<BEN@far.example>\r\n\
         RCPT TO:<cy@far.example> NOTIFY=NEVER ORCPT=rfc822;c@far.example\r\nDATA\r\n{LETTER}..dot\r\n.\r\nQUIT\r\n",
        sign_in(SECRET)
    );
    let replies = house.replies(sent.as_bytes()).await;
    assert!(replies.contains("250 2.0.0 accepted as 1\r\n221 2.0.0 bye\r\n"), "{replies}");
    let (row, content) = house.stored(1).await;
    assert_eq!((row.submitter.as_str(), row.stream.as_str(), row.recipients), ("shop", "transactional", 2));
    assert_eq!((row.dsn_ret.as_deref(), row.dsn_envid.as_deref()), (Some("hdrs"), Some("e1")));
    assert_eq!((row.from_address.as_str(), row.subject.as_str()), ("ana@news.example", "Hi"));
    assert!(
        content.contains(&format!("Message-ID: <{}>\r\n", row.header_id)) && content.contains("\r\nDate: "),
        "{content}"
    );
    assert!(!content.contains("Bcc") && content.ends_with("\r\n\r\nHello\r\n.dot\r\n"), "{content}");
    let recipients = [house.recipient(1).await, house.recipient(2).await, house.recipient(3).await];
    let expected = [Some("ben@far.example"), Some("cy@far.example"), None];
    assert_eq!(recipients.each_ref().map(Option::as_deref), expected, "named twice is one");
    assert_eq!(house.woken.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn what_is_offered() {
    let house = house("message_max_mb = 1", None).await;
    let replies = house.replies(b"EHLO x\r\n").await;
    for keyword in [
        "PIPELINING",
        "8BITMIME",
        "SMTPUTF8",
        "CHUNKING",
        "DSN",
        "ENHANCEDSTATUSCODES",
        "AUTH PLAIN LOGIN",
        "SIZE 1048576",
    ] {
        assert!(replies.lines().any(|line| line.get(4..) == Some(keyword)), "{keyword}: {replies}");
    }
    assert!(!replies.contains("STARTTLS"), "{replies}");
    // In clear there is STARTTLS and no AUTH.
    let (mut far, near) = client(b"EHLO x\r\nAUTH PLAIN AGEAYg==\r\nMAIL FROM:<ana@news.example>\r\nQUIT\r\n").await;
    conversation(&house.submission, near, PEER, Security::StartTls, &CancellationToken::new()).await.unwrap();
    let mut replies = String::new();
    far.read_to_string(&mut replies).await.unwrap();
    assert!(replies.contains("250-STARTTLS\r\n") && !replies.contains("AUTH PLAIN"), "{replies}");
    assert_eq!(codes(&replies), "220 250 538 530 221");
}

#[tokio::test]
async fn nothing_is_relayed_for_strangers_nor_from_foreign_domains() {
    let house = house("", None).await;
    for (sent, expected) in [
        (format!("EHLO x\r\n{MAIL}{RCPT}DATA\r\nQUIT\r\n"), "250 530 503 503 221"),
        (format!("{MAIL}QUIT\r\n"), "503 221"),
        (format!("EHLO x\r\n{MAIL}BDAT 5 LAST\r\nhelloQUIT\r\n"), "250 530 503 221"),
    ] {
        assert_eq!(house.say(&sent).await, expected, "{sent}");
    }
    let foreign = LETTER.replace("ana@news.example", "ana@other.example");
    let none = LETTER.replace("From:", "To:");
    for (sent, expected) in [
        ("MAIL FROM:<ana@other.example>\r\nQUIT\r\n".to_owned(), "550 221"),
        ("MAIL FROM:<ana@sub.news.example>\r\nQUIT\r\n".to_owned(), "550 221"),
        (transaction(&foreign), "250 250 354 550"),
        (transaction(&none), "250 250 354 550"),
    ] {
        assert_eq!(house.signed_in(&sent).await, expected, "{sent}");
    }
    let none = house.submission.storage.read(|c| message::find(c, WorkspaceId::MAIN, MessageId(1))).await.unwrap();
    assert_eq!(none, None);
}

#[tokio::test]
async fn order_and_limits() {
    let house = house("recipients_max = 100\nmessage_max_mb = 1", None).await;
    let large = format!("{LETTER}{}", format!("{}\r\n", "x".repeat(900)).repeat(1200));
    let many: String = (0..102).map(|n| format!("RCPT TO:<r{n}@far.example>\r\n")).collect();
    for (sent, expected) in [
        ("RCPT TO:<a@b.example>\r\nDATA\r\n".to_owned(), "503 503".to_owned()),
        (format!("{MAIL}{MAIL}DATA\r\nRSET\r\n{RCPT}"), "250 503 503 250 503".to_owned()),
        ("MAIL FROM:<ana@news.example> SIZE=2000000\r\n".to_owned(), "552".to_owned()),
        (transaction(&large), "250 250 354 552".to_owned()),
        (format!("{}{}", transaction(&large), transaction(LETTER)), "250 250 354 552 250 250 354 250".to_owned()),
        (format!("{MAIL}{many}RSET\r\n"), format!("250 {}452 452 250", "250 ".repeat(100))),
        (transaction(&format!("{LETTER}bare\nline feed\r\n")), "250 250 354 550".to_owned()),
        (transaction(&format!("{LETTER}bare\rreturn\r\n")), "250 250 354 550".to_owned()),
        ("AUTH PLAIN AGEAYg==\r\nSTARTTLS\r\nNOPE\r\n".to_owned(), "503 503 500".to_owned()),
        ("MAIL FROM:<\u{e9}@news.example>\r\n".to_owned(), "553".to_owned()),
        (format!("{MAIL}RCPT TO:<\u{e9}@far.example>\r\n"), "250 553".to_owned()),
        (transaction(&LETTER.replace("Hi", "H\u{e9}")), "250 250 354 550".to_owned()),
        (transaction(&format!("X-Packetboat-Stream: none\r\n{LETTER}")), "250 250 354 550".to_owned()),
    ] {
        assert_eq!(house.signed_in(&sent).await, expected, "{}", &sent[..sent.len().min(300)]);
    }
}

#[tokio::test]
async fn a_smuggled_end_ends_nothing() {
    let house = house("", None).await;
    for end in ["\n.\n", "\n.\r\n", "\r.\r", "\r\n.\n", "\r\n.\r", "\r.\r\n"] {
        let letter = format!("{LETTER}one{end}{MAIL}{RCPT}DATA\r\n{LETTER}");
        assert_eq!(
            house.signed_in(&format!("{}QUIT\r\n", transaction(&letter))).await,
            "250 250 354 550 221",
            "{end:?}"
        );
    }
}

#[tokio::test]
async fn chunks() {
    let house = house("", None).await;
    let chunk = |text: &str, last: &str| format!("BDAT {}{last}\r\n{text}", text.len());
    let start = format!("{MAIL}{RCPT}");
    for (sent, expected) in [
        (format!("{start}{}", chunk(LETTER, " LAST")), "250 250 250"),
        (format!("{start}{}{}BDAT 0 LAST\r\n", chunk(LETTER, ""), chunk("..x\r\n.\r\n", "")), "250 250 250 250 250"),
        // Within a chunk dots mean nothing; DATA and RCPT may not come between.
        (format!("{start}{}DATA\r\n{RCPT}RSET\r\n", chunk(LETTER, "")), "250 250 250 503 503 250"),
        (format!("{MAIL}{}NOOP\r\n", chunk(LETTER, " LAST")), "250 503 250"),
        (format!("{start}{}", chunk("no message\n", " LAST")), "250 250 550"),
        (format!("{start}{}", chunk(LETTER.trim_end(), " LAST")), "250 250 250"),
    ] {
        assert_eq!(house.signed_in(&sent).await, expected, "{sent}");
    }
    assert!(house.stored(2).await.1.ends_with("Hello\r\n..x\r\n.\r\n"));
    assert!(house.stored(3).await.1.ends_with("Hello\r\n"));
}

#[tokio::test]
async fn under_pressure_it_puts_off_and_recovers_by_itself() {
    let house = house("", None).await;
    house.disk.0.store(true, Ordering::Relaxed);
    assert_eq!(house.signed_in(&format!("{MAIL}{RCPT}")).await, "452 503");
    house.disk.0.store(false, Ordering::Relaxed);
    assert_eq!(house.signed_in(&transaction(LETTER)).await, "250 250 354 250");
}

#[tokio::test]
async fn what_does_not_fit_into_memory_is_put_off() {
    let house = house("memory_mb = 16\nmessage_max_mb = 25", None).await;
    let large = format!("{LETTER}{}", format!("{}\r\n", "x".repeat(900)).repeat(18_800));
    let sent = format!("{}{}", transaction(&large), transaction(LETTER));
    assert_eq!(house.signed_in(&sent).await, "250 250 354 452 250 250 354 250");
}

#[tokio::test]
async fn a_rate_holds_over_all_sessions() {
    let house = house("", Some(2)).await;
    assert_eq!(house.signed_in(&transaction(LETTER)).await, "250 250 354 250");
    assert_eq!(house.signed_in(&format!("{}{MAIL}", transaction(LETTER))).await, "250 250 354 250 450");
}

#[tokio::test]
async fn a_credential_that_is_taken_back_ends_its_sessions() {
    let house = house("", None).await;
    let account = house.submission.accounts.sign_in("pb1", SECRET).await.unwrap().unwrap();
    let id = account.credential.id;
    house.submission.storage.main().write(move |tx| credential::delete(tx, WorkspaceId::MAIN, id)).await.unwrap();
    house.submission.accounts.forget("pb1");
    assert!(house.submission.accounts.again(&account).await.unwrap().is_none());
    assert_eq!(house.say(&sign_in(SECRET)).await, "250 535");
}

#[tokio::test(start_paused = true)]
async fn guessing_is_slow_and_ends() {
    let house = house("", None).await;
    let begun = Instant::now();
    let mut found = Vec::new();
    for _ in 0..11 {
        found.push(house.say(&format!("{}QUIT\r\n", sign_in("wrong"))).await);
    }
    assert_eq!(found[..10], vec!["250 535 221"; 10]);
    assert_eq!(found[10], "250 421");
    assert!(begun.elapsed().as_secs() >= 50, "{:?}", begun.elapsed());
    assert_eq!(house.say(&sign_in(SECRET)).await, "250 421", "not even with the right secret, from there");
}

#[tokio::test(start_paused = true)]
async fn who_says_nothing_is_hung_up_on() {
    let house = house("", None).await;
    for (sent, seconds, expected) in [
        (String::new(), 60, "421"),
        ("EHLO x\r\nNO".to_owned(), 60, "250 421"),
        (sign_in(SECRET), 300, "250 235 421"),
        (format!("{}{MAIL}{RCPT}DATA\r\nslow", sign_in(SECRET)), 600, "250 235 250 250 354 421"),
        (format!("{}{MAIL}{RCPT}BDAT 10\r\nslow", sign_in(SECRET)), 600, "250 235 250 250 421"),
    ] {
        let (mut far, near) = tokio::io::duplex(64 * 1024);
        far.write_all(sent.as_bytes()).await.unwrap();
        let begun = Instant::now();
        let mut session = Session::new(&house.submission, PEER);
        session.begin_tls();
        let mut wire = Wire::new(near);
        assert_eq!(session.converse(&mut wire, &CancellationToken::new()).await.unwrap(), End::Closed);
        assert_eq!(begun.elapsed().as_secs(), seconds, "{sent}");
        drop(wire);
        let mut replies = String::new();
        far.read_to_string(&mut replies).await.unwrap();
        assert_eq!(codes(&replies), expected, "{sent}");
    }
}

#[tokio::test]
async fn stopping_waits_for_no_client() {
    let house = house("", None).await;
    for (sent, expected) in [
        (sign_in(SECRET), "250 235 421"),
        (format!("{}{MAIL}{RCPT}DATA\r\nslow", sign_in(SECRET)), "250 235 250 250 354 421"),
    ] {
        let (mut far, near) = tokio::io::duplex(64 * 1024);
        far.write_all(sent.as_bytes()).await.unwrap();
        let mut session = Session::new(&house.submission, PEER);
        session.begin_tls();
        let (mut wire, stop) = (Wire::new(near), CancellationToken::new());
        let heard = async {
            let mut replies = String::new();
            while codes(&replies) != expected.strip_suffix(" 421").unwrap() {
                let mut some = [0; 4096];
                let n = far.read(&mut some).await.unwrap();
                replies.push_str(std::str::from_utf8(&some[..n]).unwrap());
            }
            stop.cancel();
            replies
        };
        let (mut replies, ended) = tokio::join!(heard, session.converse(&mut wire, &stop));
        assert_eq!(ended.unwrap(), End::Closed);
        drop(wire);
        far.read_to_string(&mut replies).await.unwrap();
        assert_eq!(codes(&replies), expected);
    }
}

#[tokio::test]
async fn who_only_errs_or_idles_is_hung_up_on() {
    let house = house("", None).await;
    assert_eq!(house.say(&"NONSENSE\r\n".repeat(100)).await, format!("{}421", "500 ".repeat(21)));
    assert_eq!(house.say(&"NOOP\r\n".repeat(300)).await, format!("{}421", "250 ".repeat(200)));
}

#[tokio::test]
async fn what_is_sent_before_tls_is_not_taken_for_what_comes_after() {
    let house = house("", None).await;
    let (mut far, near) = client(b"EHLO x\r\nSTARTTLS\r\nEHLO y\r\n").await;
    conversation(&house.submission, near, PEER, Security::StartTls, &CancellationToken::new()).await.unwrap();
    let mut replies = String::new();
    far.read_to_string(&mut replies).await.unwrap();
    assert_eq!(codes(&replies), "220 250 501");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_sessions_at_once_have_an_id_each() {
    let house = house("", None).await;
    let sent = format!("{}{}QUIT\r\n", sign_in(SECRET), transaction(LETTER).repeat(20));
    let sessions = (0..20).map(|_| house.replies(sent.as_bytes()));
    let mut ids: Vec<i64> = Vec::new();
    for replies in futures_util::future::join_all(sessions).await {
        ids.extend(replies.lines().filter_map(|line| line.strip_prefix("250 2.0.0 accepted as ")?.parse::<i64>().ok()));
    }
    ids.sort_unstable();
    assert_eq!(ids, (1..=400).collect::<Vec<i64>>());
    let ledger = house.submission.storage.read(|c| queue::ledger(c, WorkspaceId::MAIN, None)).await.unwrap();
    assert!(ledger.holds() && ledger.queued == 400, "{ledger:?}");
    assert!(house.dir.path().join("queue.db").exists());
}

/// Serves `house` on loopback; says where.
async fn served(house: House, stop: &CancellationToken) -> std::net::SocketAddr {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (dir, submission) = (house.dir, Arc::new(house.submission));
    let stop = stop.clone();
    tokio::spawn(async move {
        serve(listener, Security::StartTls, submission, stop).await;
        drop(dir);
    });
    address
}

/// What a client that begins with `sent` hears until the server hangs up or it has said QUIT.
async fn heard(address: std::net::SocketAddr, sent: &[u8]) -> String {
    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
    stream.write_all(sent).await.unwrap();
    let mut replies = Vec::new();
    // A connection that was turned away may be reset.
    let _ = stream.read_to_end(&mut replies).await;
    codes(&String::from_utf8(replies).unwrap())
}

#[tokio::test]
async fn a_balancer_must_say_whose_connection_it_hands_on() {
    let stop = CancellationToken::new();
    let address = served(house("proxy_networks = [\"127.0.0.0/8\"]", None).await, &stop).await;
    let header = [b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c", &[192, 0, 2, 7, 127, 0, 0, 1, 1, 0, 2, 0x4b][..]].concat();
    let sent = [&header[..], b"EHLO client.example\r\nQUIT\r\n"].concat();
    assert_eq!(heard(address, &sent).await, "220 250 221");
    assert_eq!(heard(address, b"EHLO client.example\r\nQUIT\r\n").await, "");
    stop.cancel();
}

#[tokio::test]
async fn connections_are_bounded_and_given_back() {
    for limit in ["connections_max = 1", "connections_per_peer = 1"] {
        let stop = CancellationToken::new();
        let address = served(house(limit, None).await, &stop).await;
        let mut first = tokio::net::TcpStream::connect(address).await.unwrap();
        let mut greeting = [0; 3];
        first.read_exact(&mut greeting).await.unwrap();
        assert_eq!(&greeting, b"220");
        assert_eq!(heard(address, b"").await, "421", "{limit}");
        first.write_all(b"QUIT\r\n").await.unwrap();
        first.read_to_end(&mut Vec::new()).await.unwrap();
        let mut again = String::new();
        for _ in 0..100 {
            again = heard(address, b"QUIT\r\n").await;
            if again == "220 221" {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        assert_eq!(again, "220 221", "{limit}");
        stop.cancel();
    }
}

/// What a client, good or evil, may say.
fn word() -> impl Strategy<Value = Vec<u8>> {
    let fixed = proptest::sample::select(vec![
        "EHLO x\r\n",
        "HELO x\r\n",
        MAIL,
        RCPT,
        "DATA\r\n",
        "RSET\r\n",
        "NOOP\r\n",
        ".\r\n",
        "\r\n.\r\n",
        "\n.\n",
        "BDAT 3\r\n",
        "BDAT 10 LAST\r\n",
        "BDAT 99999999999 LAST\r\n",
        "AUTH LOGIN\r\n",
        "AUTH PLAIN\r\n",
        "*\r\n",
        "cGIx\r\n",
        "VRFY x\r\n",
        LETTER,
        "MAIL FROM:<> SIZE=18446744073709551615\r\n",
        "\r",
        "\n",
        "\0",
    ]);
    prop_oneof![
        5 => fixed.prop_map(|text| text.as_bytes().to_vec()),
        1 => Just(sign_in(SECRET).into_bytes()),
        1 => proptest::collection::vec(any::<u8>(), 0..40),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn whatever_is_said_there_are_only_replies(words in proptest::collection::vec(word(), 0..40), signed_in: bool) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        let sent = words.concat();
        let sent = if signed_in { [sign_in(SECRET).into_bytes(), sent].concat() } else { sent };
        let replies = runtime.block_on(async { house("", None).await.replies(&sent).await });
        for line in replies.split_terminator("\r\n") {
            let good = line.len() >= 4 && line.as_bytes()[..3].iter().all(u8::is_ascii_digit) && !line.contains(['\r', '\n']);
            prop_assert!(good, "{line:?} answers {:?}", String::from_utf8_lossy(&sent));
        }
    }
}
