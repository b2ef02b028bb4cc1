//! Visits to small servers on loopback, over TLS: good ones, and those that are slow, cut, oversized or refuse.

use super::{Outside, Puller, Setup, visit, wait};
use crate::inbound::REPORT_MAX;
use crate::inbound::tests::{House, house, report};
use rustls::RootCertStore;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use world::TcpDial;

/// How the server behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    Good,
    WrongPassword,
    /// Hangs up in the middle of a mail.
    CutInMail,
    /// Hangs up when a mail is to be deleted, marked or moved: as if we had died after settling.
    CutBeforeEnd,
    /// Says nothing more after the login.
    Silent,
    /// Sends a line without end.
    Endless,
    /// Says that it has no TLS.
    NoTls,
    /// Tells of its mails that they are as large as none may be.
    TellsOfHuge,
    /// Sends a mail that is larger than any may be, and has told another size.
    SendsHuge,
}

/// A mailbox: mails by number, with what became of them.
#[derive(Default)]
struct Shelf {
    mails: Vec<(u32, Vec<u8>)>,
    /// Those that are marked as read, or were moved.
    marked: Vec<u32>,
    logins: Vec<String>,
    fetched: u32,
}

struct Server {
    shelf: Arc<Mutex<Shelf>>,
    mood: Arc<Mutex<Mood>>,
    port: u16,
    roots: RootCertStore,
}

async fn server(is_imap: bool) -> Server {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(made.cert.der().clone()).unwrap();
    let key = rustls::pki_types::PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (shelf, mood) = (Arc::new(Mutex::new(Shelf::default())), Arc::new(Mutex::new(Mood::Good)));
    let serving = (shelf.clone(), mood.clone());
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let mood = *serving.1.lock().unwrap();
            // A client that hangs up is no matter of the server's.
            let _ = match is_imap {
                true => imap(stream, &acceptor, &serving.0, mood).await,
                false => pop3(stream, &acceptor, &serving.0, mood).await,
            };
        }
    });
    Server { shelf, mood, port, roots }
}

async fn pop3(stream: TcpStream, acceptor: &TlsAcceptor, shelf: &Mutex<Shelf>, mood: Mood) -> std::io::Result<()> {
    // Implicit TLS.
    let mut stream = BufReader::new(acceptor.accept(stream).await?);
    stream.write_all(b"+OK ready\r\n").await?;
    let mut deleted = Vec::new();
    let mut line = String::new();
    loop {
        line.clear();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let (command, rest) = line.trim_end().split_once(' ').unwrap_or((line.trim_end(), ""));
        let number = rest.parse().unwrap_or(0);
        let answer: Vec<u8> = match command {
            "PASS" if mood == Mood::WrongPassword => b"-ERR [AUTH] no\r\n".to_vec(),
            "PASS" => {
                shelf.lock().unwrap().logins.push(rest.to_owned());
                b"+OK\r\n".to_vec()
            }
            "LIST" | "UIDL" if mood == Mood::Silent => return quiet(&mut stream).await,
            "LIST" if mood == Mood::Endless => return endless(&mut stream).await,
            "LIST" | "UIDL" => {
                let shelf = shelf.lock().unwrap();
                let line = |(number, mail): &(u32, Vec<u8>)| match command {
                    "LIST" if mood == Mood::TellsOfHuge => format!("{number} {}\r\n", REPORT_MAX + 1),
                    "LIST" => format!("{number} {}\r\n", mail.len()),
                    _ => format!("{number} uid{number}\r\n"),
                };
                format!("+OK\r\n{}.\r\n", shelf.mails.iter().map(line).collect::<String>()).into_bytes()
            }
            "RETR" => {
                let mail = {
                    let mut shelf = shelf.lock().unwrap();
                    shelf.fetched += 1;
                    shelf.mails.iter().find(|(found, _)| *found == number).unwrap().1.clone()
                };
                if mood == Mood::CutInMail {
                    stream.write_all(&[b"+OK\r\n", &mail[..mail.len() / 2]].concat()).await?;
                    return Ok(());
                }
                if mood == Mood::SendsHuge && number == 4 {
                    stream.write_all(b"+OK\r\n").await?;
                    return endless(&mut stream).await;
                }
                [b"+OK\r\n", &mail[..], b".\r\n"].concat()
            }
            "DELE" => {
                deleted.push(number);
                b"+OK\r\n".to_vec()
            }
            "QUIT" if mood == Mood::CutBeforeEnd => return Ok(()),
            "QUIT" => {
                shelf.lock().unwrap().mails.retain(|(number, _)| !deleted.contains(number));
                b"+OK bye\r\n".to_vec()
            }
            _ => b"+OK\r\n".to_vec(),
        };
        stream.write_all(&answer).await?;
        stream.flush().await?;
    }
}

async fn quiet<S: AsyncRead + Unpin>(stream: &mut S) -> std::io::Result<()> {
    let mut rest = Vec::new();
    tokio::io::AsyncReadExt::read_to_end(stream, &mut rest).await.map(|_| ())
}

async fn endless<S: AsyncWrite + Unpin>(stream: &mut S) -> std::io::Result<()> {
    loop {
        stream.write_all(&[b'x'; 64 * 1024]).await?;
    }
}

async fn imap(stream: TcpStream, acceptor: &TlsAcceptor, shelf: &Mutex<Shelf>, mood: Mood) -> std::io::Result<()> {
    // STARTTLS.
    let mut plain = BufReader::new(stream);
    plain.write_all(b"* OK ready\r\n").await?;
    let mut line = String::new();
    plain.read_line(&mut line).await?;
    let (tag, command) = line.trim_end().split_once(' ').unwrap();
    assert_eq!(command, "STARTTLS");
    if mood == Mood::NoTls {
        return plain.write_all(format!("{tag} NO not here\r\n").as_bytes()).await;
    }
    plain.write_all(format!("{tag} OK begin\r\n").as_bytes()).await?;
    let mut stream = BufReader::new(acceptor.accept(plain.into_inner()).await?);
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let (tag, command) = line.trim_end().split_once(' ').unwrap();
        let words: Vec<&str> = command.split(' ').collect();
        let uid = words.get(2).and_then(|word| word.parse().ok()).unwrap_or(0);
        let ending = matches!(words[..], ["UID", "STORE" | "MOVE", ..]);
        if ending && mood == Mood::CutBeforeEnd {
            return Ok(());
        }
        let mut end = "OK done";
        let untagged: Vec<u8> = match words[..] {
            ["LOGIN", ..] if mood == Mood::WrongPassword => {
                end = "NO [AUTHENTICATIONFAILED] no";
                Vec::new()
            }
            ["LOGIN", _, password] => {
                shelf.lock().unwrap().logins.push(password.to_owned());
                Vec::new()
            }
            ["CAPABILITY"] => b"* CAPABILITY IMAP4rev1 UIDPLUS MOVE\r\n".to_vec(),
            ["SELECT", _] => b"* 2 EXISTS\r\n* OK [UIDVALIDITY 77] UIDs\r\n".to_vec(),
            ["UID", "SEARCH", ..] if mood == Mood::Silent => return quiet(&mut stream).await,
            ["UID", "SEARCH", ..] if mood == Mood::Endless => return endless(&mut stream).await,
            ["UID", "SEARCH", what, ..] => {
                let shelf = shelf.lock().unwrap();
                let unseen = |uid: &u32| what != "UNSEEN" || !shelf.marked.contains(uid);
                let uids = shelf.mails.iter().map(|(uid, _)| *uid).filter(unseen);
                format!("* SEARCH{}\r\n", uids.map(|uid| format!(" {uid}")).collect::<String>()).into_bytes()
            }
            ["UID", "FETCH", ..] => {
                let mail = {
                    let mut shelf = shelf.lock().unwrap();
                    shelf.fetched += 1;
                    shelf.mails.iter().find(|(found, _)| *found == uid).unwrap().1.clone()
                };
                let head = format!("* 1 FETCH (UID {uid} BODY[]<0> {{{}}}\r\n", mail.len());
                if mood == Mood::CutInMail {
                    return stream.write_all(&[head.as_bytes(), &mail[..mail.len() / 2]].concat()).await;
                }
                [head.as_bytes(), &mail, b" FLAGS ())\r\n"].concat()
            }
            ["UID", "STORE", _, _, "(\\Seen)"] => {
                shelf.lock().unwrap().marked.push(uid);
                Vec::new()
            }
            ["UID", "EXPUNGE", ..] => {
                shelf.lock().unwrap().mails.retain(|(found, _)| *found != uid);
                Vec::new()
            }
            ["UID", "MOVE", _, folder] => {
                assert_eq!(folder, "\"Taken\"");
                let mut shelf = shelf.lock().unwrap();
                shelf.mails.retain(|(found, _)| *found != uid);
                shelf.marked.push(uid);
                Vec::new()
            }
            _ => Vec::new(),
        };
        stream.write_all(&[&untagged[..], format!("{tag} {end}\r\n").as_bytes()].concat()).await?;
        stream.flush().await?;
    }
}

/// A mailbox of the server, read into the house.
fn puller(house: &Arc<House>, server: &Server, protocol: &str, more: &str) -> Puller {
    let tls = if protocol == "imap" { "starttls" } else { "implicit" };
    let text = format!(
        "[[mailbox]]\nname = \"bounces\"\nprotocol = \"{protocol}\"\nhost = \"127.0.0.1\"\nport = {}\ntls = \"{tls}\"\n\
         user = \"me\"\n{more}",
        server.port
    );
    let mailbox = config::parse("packetboat.toml", &text).unwrap().mailboxes.remove(0);
    let setup = Setup { mailbox, password: "pass\"word".to_owned(), ca_pem: None };
    let dns = world::HickoryDns::new(&world::DnsOptions {
        servers: vec!["127.0.0.1:9".parse().unwrap()],
        timeout: Duration::from_secs(1),
        attempts: 1,
        cache_answers: 0,
    });
    let outside = Outside {
        dns: Arc::new(dns.unwrap()),
        dial: Arc::new(TcpDial),
        roots: Arc::new(server.roots.clone()),
        patience: Duration::from_millis(400),
    };
    Puller::new(vec![setup], outside, house.inbound.clone()).unwrap()
}

/// A bounce of the house's recipient, as it lies in a mailbox.
fn bounce(house: &House) -> Vec<u8> {
    let session = report("x@x.example");
    let content = session.split_once("DATA\r\n").unwrap().1.split_once("\r\n.\r\n").unwrap().0;
    format!("Delivered-To: {}\r\n{content}\r\n", house.return_path()).into_bytes()
}

async fn visited(puller: &Puller) -> Result<u64, String> {
    let visited = visit::visit(puller, &puller.boxes[0]).await;
    let outcome = match &visited {
        Ok(taken) => Ok(*taken),
        Err(error) => Err(error.to_string()),
    };
    puller.note(&puller.boxes[0], visited);
    outcome
}

#[tokio::test]
async fn mail_is_taken_settled_and_then_deleted() {
    for protocol in ["pop3", "imap"] {
        let (house, server) = (Arc::new(house().await), server(protocol == "imap").await);
        let mails = vec![(4, bounce(&house)), (9, b"Subject: hello\r\n\r\n.dot\r\n".to_vec())];
        server.shelf.lock().unwrap().mails = mails;
        let puller = puller(&house, &server, protocol, "");
        assert_eq!(visited(&puller).await, Ok(2), "{protocol}");
        assert!(house.bounced().await && house.unmatched().await == 1, "{protocol}");
        assert!(server.shelf.lock().unwrap().mails.is_empty(), "{protocol}");
        let expected = if protocol == "imap" { "\"pass\\\"word\"" } else { "pass\"word" };
        assert_eq!(server.shelf.lock().unwrap().logins, [expected]);
        assert_eq!(visited(&puller).await, Ok(0), "{protocol}");
        assert_eq!(puller.statuses()[0].taken, 2);
    }
}

#[tokio::test]
async fn kept_and_moved_mail_is_taken_once() {
    for (protocol, more, left) in
        [("pop3", "after = \"keep\"", 1), ("imap", "after = \"keep\"", 1), ("imap", "move_to = \"Taken\"", 0)]
    {
        let (house, server) = (Arc::new(house().await), server(protocol == "imap").await);
        server.shelf.lock().unwrap().mails = vec![(4, b"Subject: hello\r\n\r\nhello\r\n".to_vec())];
        let puller = puller(&house, &server, protocol, more);
        for taken in [1, 0, 0] {
            assert_eq!(visited(&puller).await, Ok(taken), "{protocol} {more}");
        }
        let shelf = server.shelf.lock().unwrap();
        assert_eq!((shelf.mails.len(), shelf.fetched), (left, 1), "{protocol} {more}");
        assert_eq!(shelf.marked, if protocol == "imap" { vec![4] } else { vec![] });
    }
}

/// As if we had died between settling and deleting: the second visit takes nothing twice.
#[tokio::test]
async fn what_was_settled_before_a_cut_is_not_taken_again() {
    for protocol in ["pop3", "imap"] {
        let (house, server) = (Arc::new(house().await), server(protocol == "imap").await);
        server.shelf.lock().unwrap().mails = vec![(4, b"Subject: hello\r\n\r\nhello\r\n".to_vec())];
        let puller = puller(&house, &server, protocol, "");
        *server.mood.lock().unwrap() = Mood::CutBeforeEnd;
        let error = visited(&puller).await.unwrap_err();
        assert!(error.starts_with("the connection failed"), "{protocol} {error}");
        assert_eq!((house.unmatched().await, server.shelf.lock().unwrap().mails.len()), (1, 1));
        *server.mood.lock().unwrap() = Mood::Good;
        assert_eq!(visited(&puller).await, Ok(0), "{protocol}");
        assert_eq!((house.unmatched().await, server.shelf.lock().unwrap().mails.len()), (1, 0), "{protocol}");
        assert_eq!(server.shelf.lock().unwrap().fetched, 1);
    }
}

/// Twelve MiB, with one line of a quarter of one: what a report says stands before what it returns.
#[tokio::test]
async fn of_a_large_mail_the_beginning_is_read() {
    for protocol in ["pop3", "imap"] {
        let (house, server) = (Arc::new(house().await), server(protocol == "imap").await);
        let large = |mut mail: Vec<u8>| {
            mail.resize(mail.len() + 256 * 1024, b'y');
            mail.extend(format!("\r\n{}", "z".repeat(998)).repeat(12 * 1024).into_bytes());
            mail.extend(b"\r\n");
            mail
        };
        let figures = large(b"Delivered-To: dmarc@bounce.news.example\r\nSubject: Report\r\n\r\n".to_vec());
        server.shelf.lock().unwrap().mails = vec![(4, large(bounce(&house))), (5, figures), (6, bounce(&house))];
        let puller = puller(&house, &server, protocol, "");
        assert_eq!(visited(&puller).await, Ok(3), "{protocol}");
        assert!(house.bounced().await && server.shelf.lock().unwrap().mails.is_empty(), "{protocol}");
        let reasons = |c: &storage::Connection| storage::unmatched_report::reasons(c, storage::WorkspaceId::MAIN);
        let reasons = house.inbound.storage.read(reasons).await.unwrap();
        assert_eq!(reasons, [("it is too large to be kept whole".to_owned(), 1)], "half a report is none");
        assert_eq!(puller.statuses()[0].left, 0);
    }
}

/// It stays there, is told, and does not keep others from being taken; and is not fetched again and again.
#[tokio::test]
async fn what_is_too_large_is_left_and_told() {
    for (mood, first, fetched) in [
        (Mood::TellsOfHuge, Ok(0), 0),
        (Mood::SendsHuge, Err("a mail has more than 160 MiB; it stays there".to_owned()), 2),
    ] {
        let (house, server) = (Arc::new(house().await), server(false).await);
        let mails = vec![(4, b"Subject: huge\r\n\r\n".to_vec()), (9, bounce(&house))];
        server.shelf.lock().unwrap().mails = mails;
        let puller = puller(&house, &server, "pop3", "");
        *server.mood.lock().unwrap() = mood;
        assert_eq!(visited(&puller).await, first, "{mood:?}");
        *server.mood.lock().unwrap() = Mood::Good;
        // What was told to be too large is not believed to be smaller later.
        let taken = if mood == Mood::SendsHuge { 1 } else { 0 };
        for taken in [taken, 0] {
            assert_eq!(visited(&puller).await, Ok(taken), "{mood:?}");
        }
        assert_eq!(server.shelf.lock().unwrap().fetched, fetched, "{mood:?}");
        assert_eq!(puller.statuses()[0].left, server.shelf.lock().unwrap().mails.len() as u64, "{mood:?}");
        server.shelf.lock().unwrap().mails.clear();
        assert_eq!(visited(&puller).await, Ok(0));
        assert_eq!(puller.statuses()[0].left, 0, "somebody has deleted it");
        let known = |c: &storage::Connection| storage::mailbox::seen(c, "bounces");
        assert!(house.inbound.storage.read(known).await.unwrap().is_empty());
    }
}

#[tokio::test]
async fn trouble_is_told_and_nothing_is_deleted() {
    for (protocol, mood, expected) in [
        ("pop3", Mood::WrongPassword, "the login fails: [AUTH] no"),
        ("imap", Mood::WrongPassword, "the login fails: NO [AUTHENTICATIONFAILED] no"),
        ("pop3", Mood::CutInMail, "the connection failed"),
        ("imap", Mood::CutInMail, "the connection failed"),
        ("pop3", Mood::Silent, "the server did not answer in time"),
        ("imap", Mood::Silent, "the server did not answer in time"),
        ("pop3", Mood::Endless, "the server broke the protocol"),
        ("imap", Mood::Endless, "the server broke the protocol"),
        ("imap", Mood::NoTls, "TLS cannot be agreed on"),
    ] {
        let (house, server) = (Arc::new(house().await), server(protocol == "imap").await);
        server.shelf.lock().unwrap().mails = vec![(4, bounce(&house))];
        let puller = puller(&house, &server, protocol, "");
        *server.mood.lock().unwrap() = mood;
        let error = visited(&puller).await.unwrap_err();
        assert!(error.starts_with(expected), "{protocol} {mood:?}: {error}");
        assert!(!house.bounced().await && server.shelf.lock().unwrap().mails.len() == 1, "{protocol} {mood:?}");
        let status = &puller.statuses()[0];
        assert!(status.trouble.as_ref().is_some_and(|text| text.starts_with(expected)) && status.trouble_ms.is_some());
        *server.mood.lock().unwrap() = Mood::Good;
        assert_eq!(visited(&puller).await, Ok(1), "{protocol} {mood:?}");
        assert!(house.bounced().await && puller.statuses()[0].trouble.is_none(), "{protocol} {mood:?}");
    }
}

#[tokio::test]
async fn a_certificate_for_another_name_ends_the_visit() {
    let (house, server) = (Arc::new(house().await), server(false).await);
    let stranger = Server { roots: RootCertStore::empty(), ..server };
    let error = visited(&puller(&house, &stranger, "pop3", "")).await.unwrap_err();
    assert!(error.starts_with("TLS cannot be agreed on"), "{error}");
    assert!(stranger.shelf.lock().unwrap().logins.is_empty(), "no password is said");
}

#[test]
fn waits_grow() {
    let minute = Duration::from_secs(60);
    let waits: Vec<u64> = (0..8).map(|failures| wait(minute * 5, failures).as_secs() / 60).collect();
    assert_eq!(waits, [5, 10, 20, 40, 60, 60, 60, 60]);
    assert_eq!(wait(minute * 600, 3), minute * 600);
}
