//! Reports that come after acceptance.

use crate::client::{Client, ip, wait, world};
use expect_test::expect;
use sandbox::{Incoming, Manners};
use std::net::SocketAddr;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use world::Clock;

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
