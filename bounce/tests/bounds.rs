//! Trouble on purpose: nothing may panic, take long, or take much memory.

use bounce::{Rules, Sort, explain, normal_form, parse, shape};
use proptest::prelude::*;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::Write as _;

/// What this thread has allocated: the measure of work that no busy machine falsifies.
#[derive(Clone, Copy, Default)]
struct Used {
    live: isize,
    peak: isize,
    all: isize,
}

thread_local! {
    static USED: Cell<Used> = const { Cell::new(Used { live: 0, peak: 0, all: 0 }) };
}

struct Counting;

fn count(bytes: isize) {
    // A thread that ends has no counter any more.
    let _ = USED.try_with(|used| {
        let Used { live, peak, all } = used.get();
        let live = live + bytes;
        used.set(Used { live, peak: peak.max(live), all: all + bytes.max(0) });
    });
}

#[expect(unsafe_code, reason = "an allocator is unsafe by its nature; this one hands everything on to the system's")]
// SAFETY: every call goes to the system's allocator as it came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size().cast_signed());
        // SAFETY: as above.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        count(-layout.size().cast_signed());
        // SAFETY: as above.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// At any moment, whatever comes: what is read of a mail, what is unpacked of a report, and what is made of them.
const PEAK_MAX: isize = 256 * 1024 * 1024;
/// In all.
const ALL_MAX: isize = 1536 * 1024 * 1024;

fn read_all(raw: &[u8]) -> bounce::Report {
    // The rules are compiled once, on first use.
    let rules = Rules::builtin();
    let before = USED.get();
    USED.set(Used { peak: before.live, ..before });
    let report = parse(raw);
    let _ = normal_form(&report, rules);
    let text = explain(&report, rules);
    let _ = shape(&text);
    let used = USED.get();
    let (peak, all) = (used.peak - before.live, used.all - before.all);
    assert!(peak < PEAK_MAX && all < ALL_MAX, "{} bytes took {peak} at a time, {all} in all", raw.len());
    assert!(report.recipients.len() <= 500 && report.complaints.len() <= 30 && report.evidence.len() <= 30);
    assert!(report.original_headers.len() <= bounce::ORIGINAL_HEADERS_MAX);
    if std::env::var_os("SHOW_WORK").is_some() {
        eprintln!("{} bytes took {peak} at a time, {all} in all", raw.len());
    }
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

fn gzipped(bytes: &[u8]) -> Vec<u8> {
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    packed.write_all(bytes).unwrap();
    packed.finish().unwrap()
}

fn zipped(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, bytes) in files {
        archive.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
        archive.write_all(bytes).unwrap();
    }
    archive.finish().unwrap().into_inner()
}

/// Packed twice, packed in a mail, many files in one: nothing is unpacked a second time, and no more than one file.
#[test]
fn nested_zip_bombs() {
    let bomb = gzipped(&vec![b' '; 64 * 1024 * 1024]);
    assert_eq!(read_all(&gzipped(&bomb)).sort, Sort::Ordinary);
    let spaces = vec![b' '; 16 * 1024 * 1024];
    let many: Vec<(String, &[u8])> = (0..40).map(|n| (format!("{n}.xml"), &spaces[..])).collect();
    let many: Vec<(&str, &[u8])> = many.iter().map(|(name, bytes)| (name.as_str(), *bytes)).collect();
    let archive = zipped(&many);
    assert_eq!(read_all(&archive).sort, Sort::Ordinary);
    assert_eq!(read_all(&zipped(&[("a.zip", &archive), ("b.xml", b"<feedback></feedback>")])).sort, Sort::Ordinary);
    let part = "--b\r\nContent-Type: application/gzip\r\nContent-Transfer-Encoding: base64\r\n\r\n";
    let mut mail = format!("{NOTICE}Content-Type: multipart/mixed; boundary=b\r\n\r\n");
    for _ in 0..30 {
        mail.push_str(&format!("{part}{}\r\n", base64(&bomb)));
    }
    read_all(mail.as_bytes());
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for (number, three) in bytes.chunks(3).enumerate() {
        let bits = three.iter().fold(0_u32, |bits, byte| bits << 8 | u32::from(*byte)) << (8 * (3 - three.len()));
        for place in 0..=three.len() {
            out.push(char::from(LETTERS[(bits >> (18 - 6 * place) & 63) as usize]));
        }
        out.push_str(&"=".repeat(3 - three.len()));
        if number % 19 == 18 {
            out.push_str("\r\n");
        }
    }
    out
}

/// Figures are read to the end, or not at all; never so many that they fill the memory.
#[test]
fn endless_figures() {
    let row = "<record><row><source_ip>192.0.2.1</source_ip><count>1</count></row></record>";
    let head = "<feedback><policy_published><domain>a.example</domain></policy_published>";
    read_all(format!("{head}{}</feedback>", row.repeat(80_000)).as_bytes());
    read_all(format!("{head}{}", "<record>".repeat(500_000)).as_bytes());
    read_all(format!("<feedback>{}", "<!-- ".repeat(500_000)).as_bytes());
    let policy = r#"{"policy":{"policy-type":"sts","policy-domain":"a.example"},"summary":{}},"#;
    read_all(format!("{{\"policies\":[{}", policy.repeat(80_000)).as_bytes());
    read_all(format!("{{\"policies\":{}", "[".repeat(2_000_000)).as_bytes());
}

/// Groups that name nobody, and fields without end.
#[test]
fn endless_delivery_status() {
    let head = "Content-Type: message/delivery-status\r\n\r\n";
    read_all(format!("{head}{}", "Status: 5.1.1\r\n\r\n".repeat(400_000)).as_bytes());
    read_all(format!("{head}{}", "Final-Recipient: rfc822;\r\n".repeat(300_000)).as_bytes());
    read_all(format!("{head}Final-Recipient: rfc822; a@b.example\r\n{}", "X: y\r\n".repeat(1_000_000)).as_bytes());
    read_all(format!("{head}Status: {}", "5.1.1 ".repeat(1_000_000)).as_bytes());
    read_all(format!("{head}Diagnostic-Code: smtp; {}", "550-5.1.1 no\r\n ".repeat(400_000)).as_bytes());
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
