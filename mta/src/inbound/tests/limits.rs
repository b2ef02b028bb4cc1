//! Whoever takes the time or the places of the listener away.

use super::house;
use crate::inbound::{CONNECTIONS_MAX, network, session};
use std::net::IpAddr;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_util::sync::CancellationToken;

/// Whoever says nothing is hung up on after five minutes, and sooner while places are few.
#[tokio::test(start_paused = true)]
async fn the_silent_are_hung_up_on() {
    let house = house().await;
    let silent = async || {
        let (mut client, server) = tokio::io::duplex(1024);
        let begun = tokio::time::Instant::now();
        let stop = CancellationToken::new();
        let session = session::run(&house.inbound, server, IpAddr::from([127, 0, 0, 1]), &stop);
        let talk = async {
            client.write_all(b"EHLO peer.example\r\n").await.unwrap();
            let mut replies = String::new();
            client.read_to_string(&mut replies).await.unwrap();
            replies
        };
        let ((), replies) = tokio::join!(session, talk);
        assert!(replies.ends_with("421 4.4.2 nothing was said for too long, closing\r\n"), "{replies}");
        begun.elapsed().as_secs()
    };
    assert_eq!(silent().await, 300);
    let few = u32::try_from(CONNECTIONS_MAX - CONNECTIONS_MAX / 4 + 1).unwrap();
    let taken = house.inbound.desk.places.acquire_many(few).await.unwrap();
    assert_eq!(silent().await, 20);
    drop(taken);
    assert_eq!(silent().await, 300);
}

#[tokio::test]
async fn who_says_too_much_is_told_so() {
    let house = house().await;
    let codes = house.say(&format!("EHLO peer.example\r\n{}", "NOOP\r\n".repeat(1200))).await;
    assert!(codes.starts_with("220 250 250") && codes.ends_with("250 421"), "{codes}");
}

#[test]
fn one_host_has_many_addresses() {
    for (address, expected) in [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:db8:1:2::7", "2001:db8:1:2::"),
    ] {
        assert_eq!(network(address.parse().unwrap()), expected.parse::<IpAddr>().unwrap(), "{address}");
    }
}
