//! What a provider says to a client that does everything right.

use crate::client::{Client, counts, ip, wait, world};
use expect_test::expect;
use sandbox::{BlockStage, Manners, Storm};
use world::Clock;

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
    let content = "From: x@b.example\n\n..dots\n.\n";
    client.say(&format!("{content}MAIL FROM:<>\nRCPT TO:<unknown-2@a.example>\nDATA\nRSET\n")).await;
    for _ in 0..5 {
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
        250 2.0.0 Ok
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
