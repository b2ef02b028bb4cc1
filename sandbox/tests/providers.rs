//! The providers' behaviours, as dialogues over in-memory pipes in simulated time.

use expect_test::{Expect, expect};
use sandbox::{
    BlockStage, Cut, Door, Incoming, Ledger, Manners, Provider, Providers, SimOptions, SimWorld, Step, Storm, Tls,
    holding_time,
};
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use world::{Clock, Dial, Dns, DnsError, Random, Stream};

const SERVER: &str = "127.20.0.1";

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn world(manners: Manners) -> SimWorld {
    let providers = Providers { providers: vec![Provider::of("a.example", ip(SERVER), manners)], oddities: vec![] };
    let options = SimOptions { blocked_sources: vec![ip("127.0.1.3")], ..SimOptions::default() };
    SimWorld::new(&options, providers).unwrap()
}

/// A client that says what it is told and writes down what it hears.
struct Client {
    io: BufReader<Box<dyn Stream>>,
    heard: String,
}

impl Client {
    async fn connect(world: &SimWorld, source: &str) -> Client {
        let peer = SocketAddr::new(ip(SERVER), 25);
        let io = BufReader::new(world.dial.connect(Some(ip(source)), peer).await.unwrap());
        let mut client = Client { io, heard: String::new() };
        client.hear().await;
        client
    }

    /// Hears one whole reply.
    async fn hear(&mut self) {
        loop {
            let mut line = String::new();
            match self.io.read_line(&mut line).await {
                Ok(0) | Err(_) => return self.heard.push_str("(closed)\n"),
                Ok(_) => self.heard.push_str(&line.replace("\r\n", "\n")),
            }
            if line.as_bytes().get(3) != Some(&b'-') {
                return;
            }
        }
    }

    async fn say(&mut self, text: &str) {
        // When the server has gone, the next reply says so.
        let _ = self.io.write_all(text.replace('\n', "\r\n").as_bytes()).await;
    }

    /// One command and its reply.
    async fn ask(&mut self, text: &str) {
        self.say(&format!("{text}\n")).await;
        self.hear().await;
    }

    /// A whole message to one recipient: the replies to MAIL, RCPT and what follows, as far as it goes.
    async fn send(&mut self, recipient: &str) {
        self.ask("MAIL FROM:<news@b.example>").await;
        self.ask(&format!("RCPT TO:<{recipient}>")).await;
        if self.heard.ends_with("2.1.5 Ok\n") {
            self.ask("DATA").await;
            self.ask("From: news@b.example\nMessage-ID: <1@b.example>\n\nHello\n.").await;
        } else {
            self.ask("RSET").await;
        }
    }

    fn expect(self, expected: Expect) {
        expected.assert_eq(&self.heard);
    }
}

async fn wait(world: &SimWorld, seconds: u64) {
    world.clock.sleep(Duration::from_secs(seconds)).await;
}

/// The provider's refusals and cuts.
fn counts(ledger: &Ledger) -> String {
    let total = ledger.total();
    let mut out = format!("{} accepted", total.copies);
    for (what, count) in total.refusals.iter().chain(&total.cuts).chain(&total.breaches) {
        let _ = write!(out, ", {count} x {what}");
    }
    out
}

#[tokio::test(start_paused = true)]
async fn accepts() {
    let world = world(Manners::default());
    let mut client = Client::connect(&world, "127.0.1.1").await;
    client.ask("EHLO out.b.example").await;
    client.send("ana@a.example").await;
    client.send("fine-bob@A.example").await;
    client.ask("QUIT").await;
    client.hear().await;
    client.expect(expect![[r#"
        220 mx.a.example ESMTP
        250-mx.a.example greets out.b.example
        250-PIPELINING
        250-8BITMIME
        250-SIZE 10485760
        250 ENHANCEDSTATUSCODES
        250 2.1.0 Ok
        250 2.1.5 Ok
        354 End data with <CR><LF>.<CR><LF>
        250 2.0.0 Ok: queued as 000001
        250 2.1.0 Ok
        250 2.1.5 Ok
        354 End data with <CR><LF>.<CR><LF>
        250 2.0.0 Ok: queued as 000002
        221 2.0.0 Bye
        (closed)
    "#]]);
    assert_eq!((world.ledger.copies("ana@a.example"), world.ledger.copies("fine-bob@a.example")), (1, 1));
    assert_eq!(world.ledger.repeated_message_ids(), 1);
    let last = world.ledger.last_messages().pop().unwrap();
    assert_eq!(last.content, b"From: news@b.example\r\nMessage-ID: <1@b.example>\r\n\r\nHello\r\n");
    assert_eq!((last.reverse_path.as_str(), last.source, last.tls), ("news@b.example", ip("127.0.1.1"), false));
}

#[tokio::test(start_paused = true)]
async fn pipelined_commands_are_answered_in_order() {
    let world = world(Manners::default());
    let mut client = Client::connect(&world, "127.0.1.1").await;
    client.ask("EHLO b.example").await;
    client.heard.clear();
    // The second message's commands come in one piece with the first one's content.
    client.say("MAIL FROM:<>\nRCPT TO:<ana@a.example>\nRCPT TO:<unknown-1@a.example>\nDATA\n").await;
    for _ in 0..4 {
        client.hear().await;
    }
    client.say("From: x@b.example\n\n..dots\n.\nMAIL FROM:<>\nRCPT TO:<unknown-2@a.example>\nDATA\n").await;
    for _ in 0..4 {
        client.hear().await;
    }
    client.expect(expect![[r#"
        250 2.1.0 Ok
        250 2.1.5 Ok
        550 5.1.1 User unknown
        354 End data with <CR><LF>.<CR><LF>
        250 2.0.0 Ok: queued as 000001
        250 2.1.0 Ok
        550 5.1.1 User unknown
        554 5.5.1 No valid recipients
    "#]]);
    assert!(world.ledger.last_messages()[0].content.ends_with(b"\r\n.dots\r\n"));
}

#[tokio::test(start_paused = true)]
async fn greylists_by_source_and_until_the_time_has_come() {
    let world = world(Manners { greylist_ms: Some(300_000), ..Manners::default() });
    let mut client = Client::connect(&world, "127.0.1.1").await;
    client.ask("EHLO b.example").await;
    client.heard.clear();
    client.ask("MAIL FROM:<>").await;
    client.ask("RCPT TO:<ana@a.example>").await;
    wait(&world, 299).await;
    client.ask("RCPT TO:<ana@a.example>").await;
    wait(&world, 1).await;
    client.ask("RCPT TO:<Ana@a.example>").await;
    client.expect(expect![[r#"
        250 2.1.0 Ok
        451 4.7.1 Greylisted, please try again later
        451 4.7.1 Greylisted, please try again later
        250 2.1.5 Ok
    "#]]);
    let mut client = Client::connect(&world, "127.0.1.1").await;
    client.ask("EHLO b.example").await;
    client.ask("MAIL FROM:<>").await;
    client.heard.clear();
    client.ask("RCPT TO:<Ana@a.example>").await;
    let mut other = Client::connect(&world, "127.0.1.2").await;
    other.ask("EHLO b.example").await;
    other.ask("MAIL FROM:<>").await;
    other.heard.clear();
    other.ask("RCPT TO:<Ana@a.example>").await;
    client.expect(expect![[r#"
        250 2.1.5 Ok
    "#]]);
    other.expect(expect![[r#"
        451 4.7.1 Greylisted, please try again later
    "#]]);
}

#[tokio::test(start_paused = true)]
async fn limits_connections_per_source_and_messages_per_connection() {
    let world = world(Manners { connections_max: Some(1), messages_max: Some(1), ..Manners::default() });
    let mut first = Client::connect(&world, "127.0.1.1").await;
    let mut second = Client::connect(&world, "127.0.1.1").await;
    let other = Client::connect(&world, "127.0.1.2").await;
    second.hear().await;
    second.expect(expect![[r#"
        421 4.7.0 Too many connections from 127.0.1.1, try again later
        (closed)
    "#]]);
    other.expect(expect![[r#"
        220 mx.a.example ESMTP
    "#]]);
    first.ask("EHLO b.example").await;
    first.heard.clear();
    first.send("ana@a.example").await;
    first.ask("MAIL FROM:<>").await;
    first.hear().await;
    first.expect(expect![[r#"
        250 2.1.0 Ok
        250 2.1.5 Ok
        354 End data with <CR><LF>.<CR><LF>
        250 2.0.0 Ok: queued as 000001
        421 4.7.0 Too many messages in this connection
        (closed)
    "#]]);
    // Both places are free again.
    Client::connect(&world, "127.0.1.1").await.expect(expect![[r#"
        220 mx.a.example ESMTP
    "#]]);
    assert_eq!(world.ledger.total().connections_peak, 2);
}

#[tokio::test(start_paused = true)]
async fn mailboxes_refuse_each_in_its_way() {
    let world = world(Manners { full_attempts: 1, ..Manners::default() });
    let mut client = Client::connect(&world, "127.0.1.1").await;
    client.ask("EHLO b.example").await;
    client.heard.clear();
    for recipient in
        ["unknown-1@a.example", "full-1@a.example", "full-1@a.example", "overquota-1@a.example", "ana@b.example"]
    {
        client.send(recipient).await;
    }
    client.heard.retain(|c| c != '\r');
    client.heard = client.heard.lines().filter(|l| !l.ends_with(" Ok")).map(|l| format!("{l}\n")).collect();
    client.expect(expect![[r#"
        550 5.1.1 User unknown
        452 4.2.2 Mailbox is full
        354 End data with <CR><LF>.<CR><LF>
        250 2.0.0 Ok: queued as 000001
        552 5.2.2 Mailbox is over its quota
        550 5.7.1 Relaying denied
    "#]]);
    assert_eq!(counts(&world.ledger), "1 accepted, 1 x 452 4.2.2, 1 x 550 5.1.1, 1 x 550 5.7.1, 1 x 552 5.2.2");
}

#[tokio::test(start_paused = true)]
async fn blocks_a_source_at_each_stage() {
    for (stage, expected) in [
        (BlockStage::Connect, "554 5.7.1 Service unavailable; client host [127.0.1.3] blocked"),
        (BlockStage::Mail, "554 5.7.1 Service unavailable; client host [127.0.1.3] blocked"),
        (BlockStage::Rcpt, "554 5.7.1 Service unavailable; client host [127.0.1.3] blocked"),
    ] {
        let world = world(Manners { blocks_sources: Some(stage), ..Manners::default() });
        for (source, blocked) in [("127.0.1.3", true), ("127.0.1.1", false)] {
            let mut client = Client::connect(&world, source).await;
            client.ask("EHLO b.example").await;
            client.send("ana@a.example").await;
            assert_eq!(client.heard.contains(expected), blocked, "{stage:?} {}", client.heard);
        }
        assert_eq!(world.ledger.copies("ana@a.example"), 1, "{stage:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn storms_come_and_go() {
    let storm = Storm { every_ms: 60_000, lasts_ms: 20_000 };
    let world = world(Manners { storm: Some(storm), ..Manners::default() });
    let mut client = Client::connect(&world, "127.0.1.1").await;
    client.ask("EHLO b.example").await;
    client.heard.clear();
    for _ in 0..4 {
        client.ask("MAIL FROM:<>").await;
        client.ask("RSET").await;
        wait(&world, 20).await;
    }
    client.expect(expect![[r#"
        451 4.3.2 System not accepting messages right now
        250 2.0.0 Ok
        250 2.1.0 Ok
        250 2.0.0 Ok
        250 2.1.0 Ok
        250 2.0.0 Ok
        451 4.3.2 System not accepting messages right now
        250 2.0.0 Ok
    "#]]);
}

#[tokio::test(start_paused = true)]
async fn slow_replies_take_their_time_one_by_one() {
    let world = world(Manners { latency_ms: 1000, ..Manners::default() });
    let started_ms = world.clock.now_ms();
    let mut client = Client::connect(&world, "127.0.1.1").await;
    client.ask("EHLO b.example").await;
    client.say("MAIL FROM:<>\nRCPT TO:<ana@a.example>\nDATA\n").await;
    for _ in 0..3 {
        client.hear().await;
    }
    assert_eq!(world.clock.now_ms() - started_ms, 5000);
}

#[tokio::test(start_paused = true)]
async fn connections_are_cut_at_every_step() {
    for (at, replies) in [
        (Step::Greeting, 0),
        (Step::Ehlo, 1),
        (Step::Mail, 2),
        (Step::Rcpt, 3),
        (Step::Data, 4),
        (Step::Content, 5),
        (Step::Dot, 5),
    ] {
        let world = world(Manners { cut: Some(Cut { at, times: 1 }), ..Manners::default() });
        for (cut, copies) in [(true, 0), (false, 1)] {
            let mut client = Client::connect(&world, "127.0.1.1").await;
            client.ask("EHLO b.example").await;
            client.send("ana@a.example").await;
            let heard = client.heard.lines().filter(|line| line.as_bytes()[3] == b' ').count();
            if cut {
                assert_eq!((heard, client.heard.contains("(closed)")), (replies, true), "{at:?} {}", client.heard);
            }
            assert_eq!(world.ledger.copies("ana@a.example"), copies, "{at:?} {}", client.heard);
        }
        assert_eq!(world.ledger.total().cuts.values().sum::<u64>(), 1, "{at:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn addresses_that_lose_the_connection() {
    let world = world(Manners::default());
    let mut story = String::new();
    for recipient in ["cut-1@a.example", "cut-1@a.example", "limbo-kept-1@a.example", "limbo-1@a.example"] {
        let mut client = Client::connect(&world, "127.0.1.1").await;
        client.ask("EHLO b.example").await;
        client.send(recipient).await;
        let last = client.heard.lines().last().unwrap_or_default();
        let _ = writeln!(story, "{recipient}: {last}; {} copies", world.ledger.copies(recipient));
    }
    expect![[r#"
        cut-1@a.example: (closed); 0 copies
        cut-1@a.example: 250 2.0.0 Ok: queued as 000001; 1 copies
        limbo-kept-1@a.example: (closed); 1 copies
        limbo-1@a.example: (closed); 0 copies
    "#]]
    .assert_eq(&story);
}

#[tokio::test(start_paused = true)]
async fn a_breach_of_the_protocol_is_refused_and_counted() {
    for (text, reply, count) in [
        ("DATA\r\n", "503 5.5.1", "503 5.5.1"),
        ("NOOP\n", "500 5.5.2", "bare CR or LF in a command"),
        ("VROUM\r\n", "500 5.5.1", "a command that makes no sense"),
        ("MAIL FROM:<a@b.example>\r\nMAIL FROM:<a@b.example>\r\n", "503 5.5.1", "makes no sense"),
        ("MAIL FROM:<> SIZE=99999999\r\n", "552 5.3.4", "552 5.3.4"),
    ] {
        let world = world(Manners::default());
        let mut client = Client::connect(&world, "127.0.1.1").await;
        client.ask("EHLO b.example").await;
        client.io.write_all(text.as_bytes()).await.unwrap();
        for _ in text.matches("\n") {
            client.hear().await;
        }
        assert!(client.heard.lines().last().unwrap().starts_with(reply), "{text:?} {}", client.heard);
        assert!(counts(&world.ledger).contains(count), "{text:?} {}", counts(&world.ledger));
    }
}

#[tokio::test(start_paused = true)]
async fn content_is_judged() {
    let long = format!("{}\r\n", "x".repeat(1200));
    let huge = "0123456789\r\n".repeat(1000);
    for (content, reply, count) in [
        ("a\nb\r\n", "550 5.5.2", "bare CR or LF in the content"),
        (long.as_str(), "550 5.5.2", "a content line longer than 998 bytes"),
        (huge.as_str(), "552 5.3.4", "552 5.3.4"),
        ("Ol\u{e1}\r\n", "250 2.0.0", "8-bit content without BODY=8BITMIME"),
    ] {
        let world = world(Manners { size_max: 4096, ..Manners::default() });
        let mut client = Client::connect(&world, "127.0.1.1").await;
        client.ask("EHLO b.example").await;
        client.ask("MAIL FROM:<>").await;
        client.ask("RCPT TO:<ana@a.example>").await;
        client.ask("DATA").await;
        client.io.write_all(content.as_bytes()).await.unwrap();
        client.io.write_all(b".\r\n").await.unwrap();
        client.hear().await;
        // The dialogue goes on in step whatever was said about the content.
        client.ask("NOOP").await;
        let lines: Vec<_> = client.heard.lines().rev().take(2).collect();
        assert!(lines[1].starts_with(reply) && lines[0] == "250 2.0.0 Ok", "{content:.20} {}", client.heard);
        assert!(counts(&world.ledger).contains(count), "{content:.20} {}", counts(&world.ledger));
    }
}

#[tokio::test(start_paused = true)]
async fn doors() {
    let world = world(Manners::default());
    let peer = SocketAddr::new(ip(SERVER), 25);
    let minute = Duration::from_secs(60);
    world.dial.set_door(ip(SERVER), Door::Refuses);
    let refused = world.dial.connect(None, peer).await.err().unwrap();
    assert_eq!(refused.kind(), std::io::ErrorKind::ConnectionRefused);
    world.dial.set_door(ip(SERVER), Door::Unreachable);
    assert!(tokio::time::timeout(minute, world.dial.connect(None, peer)).await.is_err());
    world.dial.set_door(ip(SERVER), Door::Silent);
    let mut silent = world.dial.connect(None, peer).await.unwrap();
    assert!(tokio::time::timeout(minute, silent.read_u8()).await.is_err());
    world.dial.set_door(ip(SERVER), Door::Open);
    world.dial.remove_source(ip("127.0.1.9"));
    let missing = world.dial.connect(Some(ip("127.0.1.9")), peer).await.err().unwrap();
    assert_eq!(missing.kind(), std::io::ErrorKind::AddrNotAvailable);
    let nobody = world.dial.connect(None, SocketAddr::new(ip("127.20.99.99"), 25)).await.err().unwrap();
    assert_eq!(nobody.kind(), std::io::ErrorKind::ConnectionRefused);
}

mod tls {
    use super::*;
    use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
    use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
    use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
    use std::sync::Arc;

    /// Takes any certificate, as opportunistic TLS does.
    #[derive(Debug)]
    struct AnyCertificate;

    impl ServerCertVerifier for AnyCertificate {
        fn verify_server_cert(
            &self,
            _: &CertificateDer<'_>,
            _: &[CertificateDer<'_>],
            _: &ServerName<'_>,
            _: &[u8],
            _: UnixTime,
        ) -> Result<ServerCertVerified, rustls::Error> {
            Ok(ServerCertVerified::assertion())
        }

        fn verify_tls12_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, rustls::Error> {
            Ok(HandshakeSignatureValid::assertion())
        }

        fn verify_tls13_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, rustls::Error> {
            Ok(HandshakeSignatureValid::assertion())
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            rustls::crypto::aws_lc_rs::default_provider().signature_verification_algorithms.supported_schemes()
        }
    }

    async fn secure(client: Client) -> Client {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyCertificate))
            .with_no_client_auth();
        let name = ServerName::try_from("mx.a.example").unwrap();
        let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
        let stream = connector.connect(name, client.io.into_inner()).await.unwrap();
        Client { io: BufReader::new(Box::new(stream)), heard: client.heard }
    }

    #[tokio::test(start_paused = true)]
    async fn required_tls() {
        let world = world(Manners { tls: Tls::Required, ..Manners::default() });
        let mut client = Client::connect(&world, "127.0.1.1").await;
        client.ask("EHLO b.example").await;
        client.ask("MAIL FROM:<>").await;
        client.ask("STARTTLS").await;
        let mut client = secure(client).await;
        client.ask("MAIL FROM:<>").await;
        client.ask("EHLO b.example").await;
        client.ask("STARTTLS").await;
        client.send("ana@a.example").await;
        client.expect(expect![[r#"
            220 mx.a.example ESMTP
            250-mx.a.example greets b.example
            250-PIPELINING
            250-8BITMIME
            250-SIZE 10485760
            250-ENHANCEDSTATUSCODES
            250 STARTTLS
            530 5.7.0 Must issue a STARTTLS command first
            220 2.0.0 Ready to start TLS
            503 5.5.1 Bad sequence of commands
            250-mx.a.example greets b.example
            250-PIPELINING
            250-8BITMIME
            250-SIZE 10485760
            250 ENHANCEDSTATUSCODES
            502 5.5.1 STARTTLS is not available
            250 2.1.0 Ok
            250 2.1.5 Ok
            354 End data with <CR><LF>.<CR><LF>
            250 2.0.0 Ok: queued as 000001
        "#]]);
        assert_eq!(world.ledger.total().tls_messages, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn words_before_tls_are_thrown_away() {
        let world = world(Manners { tls: Tls::Offered, ..Manners::default() });
        let mut client = Client::connect(&world, "127.0.1.1").await;
        client.ask("EHLO b.example").await;
        client.ask("STARTTLS\nMAIL FROM:<>").await;
        let mut client = secure(client).await;
        client.heard.clear();
        client.ask("NOOP").await;
        client.expect(expect![[r#"
            250 2.0.0 Ok
        "#]]);
        assert_eq!(counts(&world.ledger), "0 accepted, 1 x words between STARTTLS and TLS");
    }
}

/// Takes one message as the MX of the reverse-path's domain, refusing `refusals` times before.
async fn take_report(listener: &mut tokio::sync::mpsc::Receiver<Incoming>, refusals: usize) -> (String, String) {
    for n in 0.. {
        let mut io = BufReader::new(listener.recv().await.unwrap().stream);
        io.write_all(b"220 in.b.example ESMTP\r\n").await.unwrap();
        let mut envelope = String::new();
        let mut content = String::new();
        loop {
            let mut line = String::new();
            if io.read_line(&mut line).await.unwrap() == 0 {
                break;
            }
            envelope.push_str(&line);
            let reply = match line.trim_end() {
                "DATA" => "354 Go on\r\n",
                "QUIT" => "221 Bye\r\n",
                text if text.starts_with("RCPT") && n < refusals => "451 4.3.0 Not now\r\n",
                _ => "250 Ok\r\n",
            };
            io.write_all(reply.as_bytes()).await.unwrap();
            if reply.starts_with("354") {
                while !content.ends_with("\r\n.\r\n") {
                    io.read_line(&mut content).await.unwrap();
                }
                io.write_all(b"250 Ok\r\n").await.unwrap();
            }
        }
        if !content.is_empty() {
            return (envelope, content);
        }
    }
    unreachable!("the loop has no end of its own")
}

#[tokio::test(start_paused = true)]
async fn reports_go_to_the_exchanger_of_the_reverse_path() {
    let world = world(Manners { report_ms: 5000, ..Manners::default() });
    world.zone.publish_mx("b.example", 10, "in.b.example");
    world.zone.publish_address("in.b.example", ip("127.0.0.7"));
    let mut listener = world.dial.listen(SocketAddr::new(ip("127.0.0.7"), 25));
    let mut client = Client::connect(&world, "127.0.1.1").await;
    client.ask("EHLO b.example").await;
    client.send("report-1@a.example").await;
    let accepted_ms = world.clock.now_ms();
    let (envelope, content) = take_report(&mut listener, 1).await;
    expect![[r#"
        EHLO mx.a.example
        MAIL FROM:<>
        RCPT TO:<news@b.example>
        DATA
        QUIT
    "#]]
    .assert_eq(&envelope.replace('\r', ""));
    expect![[r#"
        From: Mail Delivery System <MAILER-DAEMON@mx.a.example>
        To: news@b.example
        Subject: Undelivered Mail Returned to Sender
        Date: Mon, 5 Jan 2026 09:00:05 +0000
        Message-ID: <1@mx.a.example>
        In-Reply-To: <1@b.example>
        Auto-Submitted: auto-replied
        MIME-Version: 1.0
        Content-Type: multipart/report; report-type=delivery-status;
         boundary="=_report"

        --=_report
        Content-Type: text/plain; charset=us-ascii

        Your message could not be delivered to report-1@a.example:
        the mailbox does not exist.

        --=_report
        Content-Type: message/delivery-status

        Reporting-MTA: dns; mx.a.example
        Arrival-Date: Mon, 5 Jan 2026 09:00:05 +0000

        Final-Recipient: rfc822; report-1@a.example
        Original-Recipient: rfc822; report-1@a.example
        Action: failed
        Status: 5.1.1
        Diagnostic-Code: smtp; 550 5.1.1 User unknown
        Last-Attempt-Date: Mon, 5 Jan 2026 09:00:05 +0000

        --=_report
        Content-Type: text/rfc822-headers

        From: news@b.example
        Message-ID: <1@b.example>

        --=_report--
        .
    "#]]
    .assert_eq(&without_ids(&content));
    // Five seconds until the first attempt, one more until the second.
    assert_eq!(world.clock.now_ms() - accepted_ms, 6000);
    wait(&world, 1).await;
    assert_eq!((world.ledger.total().reports_sent, world.ledger.copies("report-1@a.example")), (1, 1));
}

/// The boundary's and Message-ID's digits come from a hash: they say nothing.
fn without_ids(content: &str) -> String {
    let boundary = content.split_once("=_report_").map(|(_, rest)| rest[..16].to_owned()).unwrap();
    content.replace('\r', "").replace(&format!("_{boundary}"), "").replace(&boundary, "1")
}

#[tokio::test(start_paused = true)]
async fn the_simulated_dns_answers_from_the_zone() {
    let world = SimWorld::new(&SimOptions::default(), Providers::builtin()).unwrap();
    let mx = world.dns.mx("twins.example").await.unwrap();
    assert_eq!(
        mx.iter().map(|mx| mx.host.as_str()).collect::<Vec<_>>(),
        ["mx1.twins-mx.example", "mx2.twins-mx.example"]
    );
    assert_eq!(world.dns.addresses("mx2.twins-mx.example").await.unwrap(), [ip("127.20.14.2")]);
    assert_eq!(world.dns.mx("hermit.example").await.unwrap(), []);
    assert_eq!(world.dns.mx("nomail.example").await.unwrap()[0].host, "");
    assert!(matches!(world.dns.mx("nosuchdomain.example").await, Err(DnsError::NoSuchName { .. })));
    assert!(matches!(world.dns.mx("brokendns.example").await, Err(DnsError::Temporary { .. })));
    assert_eq!(world.dns.ptr(ip("127.20.1.1")).await.unwrap(), ["mx1.albatross-mx.example"]);
    assert_eq!(world.dns.questions(), 8);
}

#[tokio::test(start_paused = true)]
async fn one_seed_one_story_and_time_can_be_held() {
    let draw = |seed| {
        let random = sandbox::SeededRandom::new(seed);
        let mut bytes = [0; 12];
        random.fill(&mut bytes);
        (random.below(1000), random.below(0), bytes)
    };
    assert_eq!(draw(7), draw(7));
    assert_ne!(draw(7), draw(8));
    let world = world(Manners::default());
    let before_ms = world.clock.now_ms();
    // Somebody waits for an hour, while we wait for a thread.
    let sleeper = tokio::spawn(world.clock.sleep(Duration::from_secs(3600)));
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let thread = std::thread::spawn(move || sender.send(()));
    holding_time(receiver).await.unwrap();
    thread.join().unwrap().unwrap();
    assert_eq!(world.clock.now_ms(), before_ms);
    sleeper.await.unwrap();
    assert_eq!(world.clock.now_ms(), before_ms + 3_600_000);
}
