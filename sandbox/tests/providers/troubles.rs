//! Connections that end, or never begin.

use crate::client::{Client, SERVER, ip, world};
use expect_test::expect;
use sandbox::{Cut, Door, Manners, Step};
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::AsyncReadExt;
use world::Dial;

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
    let answers: Vec<_> = world.ledger.attempts("Cut-1@a.example").into_iter().map(|a| a.answer).collect();
    assert_eq!(answers, ["cut", "250 2.0.0"]);
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
