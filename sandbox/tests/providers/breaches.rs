//! What a provider says to a client that breaks the rules.

use crate::client::{Client, counts, world};
use sandbox::Manners;
use tokio::io::AsyncWriteExt;

#[tokio::test(start_paused = true)]
async fn a_breach_of_the_protocol_is_refused_and_counted() {
    for (text, reply, count) in [
        ("DATA\r\n", "503 5.5.1", "0 accepted"),
        ("RCPT TO:<a@a.example>\r\n", "503 5.5.1", "0 accepted"),
        // Whose recipients were all refused must say RSET before the next message.
        ("MAIL FROM:<>\r\nRCPT TO:<unknown-1@a.example>\r\nDATA\r\nMAIL FROM:<>\r\n", "503 5.5.1", "makes no sense"),
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
