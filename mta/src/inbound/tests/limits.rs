//! Whoever takes the time or the places of the listener away.

use super::{house, report};
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

/// What cannot be written now is sent again by the other side, and then it can.
#[tokio::test]
async fn a_full_disk_puts_off_and_is_overcome() {
    let house = house().await;
    let pages_max = async |pages: u32| {
        let limit = move |tx: &storage::Transaction<'_>| Ok(tx.pragma_update(None, "max_page_count", pages)?);
        house.inbound.storage.events().write(limit).await.unwrap();
    };
    // Of nobody's delivery, and so kept for reading, which takes some pages.
    let mail = format!(
        "EHLO x.example\r\nMAIL FROM:<a@x.example>\r\nRCPT TO:<{}>\r\nDATA\r\nSubject: hi\r\n\r\n{}.\r\nQUIT\r\n",
        house.return_path(),
        format!("{}\r\n", "x".repeat(398)).repeat(100)
    );
    pages_max(1).await;
    assert_eq!(house.say(&mail).await, "220 250 250 250 354 452 221");
    assert_eq!(house.unmatched().await, 0);
    pages_max(1_000_000).await;
    assert_eq!(house.say(&mail).await, "220 250 250 250 354 250 221");
    assert_eq!(house.unmatched().await, 1);
}

/// A report about mail to an address with UTF-8 in it comes with SMTPUTF8, or not at all (RFC 6533).
#[tokio::test]
async fn reports_may_have_utf8_in_their_addresses() {
    let house = house().await;
    let text = report(&house.return_path())
        .replace("MAIL FROM:<>", "MAIL FROM:<> SMTPUTF8 BODY=8BITMIME")
        .replace("message/delivery-status", "message/global-delivery-status")
        .replace("rfc822; ana@example.net", "utf-8; jörg@example.net");
    assert_eq!(house.say(&text).await, "220 250 250 250 354 250 221");
    assert!(house.bounced().await);
}
