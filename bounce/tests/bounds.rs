//! Trouble on purpose: nothing may panic, take long, or take much memory.

use bounce::{Rules, Sort, explain, normal_form, parse, shape};
use proptest::prelude::*;
use std::io::Write as _;
use std::time::{Duration, Instant};

/// An unoptimized build on a busy machine stays far below.
const PATIENCE: Duration = Duration::from_secs(20);

fn read_all(raw: &[u8]) -> bounce::Report {
    let begun = Instant::now();
    let report = parse(raw);
    let _ = normal_form(&report, Rules::builtin());
    let text = explain(&report, Rules::builtin());
    let _ = shape(&text);
    assert!(begun.elapsed() < PATIENCE, "{} bytes took {:?}", raw.len(), begun.elapsed());
    report
}

const NOTICE: &str = "From: MAILER-DAEMON@mx.example\r\nSubject: failure notice\r\n";

#[test]
fn a_hundred_megabytes() {
    let mut raw = format!("{NOTICE}\r\nHi.\r\n\r\n<ana@example.com>:\r\n550 5.1.1 no such user\r\n\r\n").into_bytes();
    raw.resize(100 * 1024 * 1024, b'x');
    let report = read_all(&raw);
    assert_eq!(report.recipients[0].final_recipient.as_deref(), Some("ana@example.com"));
}

#[test]
fn ten_thousand_parts() {
    let mut raw = format!("{NOTICE}Content-Type: multipart/report; boundary=b\r\n\r\n");
    for _ in 0..10_000 {
        raw.push_str("--b\r\nContent-Type: message/delivery-status\r\n\r\nFinal-Recipient: rfc822; ana@example.com\r\nAction: failed\r\n\r\n");
    }
    let report = read_all(raw.as_bytes());
    assert!((1..=500).contains(&report.recipients.len()), "{}", report.recipients.len());
}

#[test]
fn parts_within_parts() {
    let mut raw = NOTICE.to_owned();
    for depth in 0..3_000 {
        raw.push_str(&format!("Content-Type: multipart/mixed; boundary=b{depth}\r\n\r\n--b{depth}\r\n"));
    }
    read_all(raw.as_bytes());
    let messages = "Content-Type: message/rfc822\r\n\r\n".repeat(5_000);
    read_all(format!("{NOTICE}{messages}").as_bytes());
}

#[test]
fn endless_headers() {
    read_all("X-A: b\r\n".repeat(500_000).as_bytes());
    read_all(format!("X-A: {}\r\n\r\n", "b".repeat(9_000_000)).as_bytes());
    read_all(format!("{NOTICE}X-A: b\r\n{}", " c\r\n".repeat(1_000_000)).as_bytes());
    read_all(format!("{NOTICE}\r\n{}", "<".repeat(1_000_000)).as_bytes());
    read_all(format!("{NOTICE}\r\n{}", "a@".repeat(1_000_000)).as_bytes());
    read_all(format!("{NOTICE}\r\n{}", "550 \n".repeat(1_000_000)).as_bytes());
    read_all(format!("{NOTICE}Content-Type: text/html\r\n\r\n{}", "<p><style>".repeat(200_000)).as_bytes());
}

/// A gigabyte of spaces in a megabyte.
#[test]
fn zip_bombs() {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let block = vec![b' '; 1024 * 1024];
    for _ in 0..300 {
        packed.write_all(&block).unwrap();
    }
    packed.write_all(b"<feedback></feedback>").unwrap();
    assert_eq!(read_all(&packed.finish().unwrap()).sort, Sort::Ordinary);
}

#[test]
fn entity_bombs() {
    let mut xml = String::from("<?xml version=\"1.0\"?><!DOCTYPE feedback [<!ENTITY a \"aaaaaaaaaa\">");
    for (name, of) in "bcdefghij".chars().zip("abcdefghi".chars()) {
        xml.push_str(&format!("<!ENTITY {name} \"{}\">", format!("&{of};").repeat(10)));
    }
    xml.push_str("]><feedback><report_metadata><org_name>&j;</org_name></report_metadata></feedback>");
    let report = read_all(xml.as_bytes());
    assert!(report.dmarc.is_none_or(|dmarc| dmarc.organization.len() < 100));
}

proptest! {
    #[test]
    fn no_words_panic(words in "(\\PC{0,80}\r?\n){0,12}", subject in "\\PC{0,60}") {
        read_all(format!("From: MAILER-DAEMON@mx.example\nSubject: failure notice {subject}\n\n{words}").as_bytes());
    }

    #[test]
    fn no_addresses_panic(words in "([<>@\"'.:=(é) \n-]|ana|example|to|550 |RCPT TO:|expanded from ){0,60}") {
        read_all(format!("{NOTICE}\r\nyour message could not be delivered\r\n{words}").as_bytes());
    }

    #[test]
    fn no_file_panics(start in prop::sample::select(vec!["<feedback>", "{\"policies\":[", "\u{1f}\u{8b}", "PK\u{3}\u{4}", "{\"notificationType\":\"Bounce\","]), rest in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut raw: Vec<u8> = start.chars().map(|c| c as u8).collect();
        raw.extend(rest);
        read_all(&raw);
    }
}
