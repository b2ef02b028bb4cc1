//! What comes back: delivery reports, complaints, DMARC and TLS reports, return paths. A report says the same however
//! often it is read, packed or not, and never more than its bounds allow.

use bounce::verp::{self, Key};
use bounce::{Kind, Report, Rules, Sort, WrittenRule};
use std::io::Write;
use std::time::Duration;

/// Groups of recipients that are read at most.
const RECIPIENTS_MAX: usize = 500;

/// Reads a mail in every way that something is made of it.
fn understood(bytes: &[u8]) -> Report {
    let report = bounce::parse(bytes);
    assert_eq!(report, bounce::parse(bytes));
    assert!(report.recipients.len() <= RECIPIENTS_MAX);
    assert!(report.original_headers.len() <= bounce::ORIGINAL_HEADERS_MAX);
    let form = bounce::normal_form(&report, Rules::builtin());
    assert!(
        form.events.iter().all(|event| event.action != "delayed" || event.kind == "delay" || event.class.is_none())
    );
    let _ = bounce::explain(&report, Rules::builtin());
    report
}

/// Delivery reports; a text of theirs that no rule knows makes a good rule, or none.
pub fn reports(bytes: &[u8]) {
    for group in understood(bytes).recipients {
        let Some(found) = group.classify(Rules::builtin()) else { continue };
        let Some(reply) = group.reply() else { panic!("{found:?} of nothing") };
        assert!(found.kind != Kind::Hard || reply.code >= 500);
        let shape = bounce::shape(&reply.to_string());
        assert_eq!(shape, bounce::shape(&reply.to_string()));
        if let Some(rule) = WrittenRule::draft(&reply.to_string(), bounce::Stage::Report, "", "policy") {
            let toml: toml::Table = rule.to_toml().parse().expect("what is drafted can be read");
            assert_eq!(toml.len(), 1);
            assert_eq!(Rules::with_own(&[rule]).err(), None);
        }
    }
}

/// Complaints.
pub fn complaints(bytes: &[u8]) {
    let report = understood(bytes);
    assert_eq!(report.feedback.is_some(), report.sort == Sort::Feedback);
}

/// DMARC aggregate reports.
pub fn dmarc(bytes: &[u8]) {
    let bare = understood(bytes);
    assert_eq!(bare.dmarc.is_some(), bare.sort == Sort::DmarcReport);
    if bare.dmarc.is_some() && is_bare(bytes) {
        assert_eq!(bounce::parse(&packed(bytes)).dmarc, bare.dmarc);
    }
}

/// TLS reports.
pub fn tls_reports(bytes: &[u8]) {
    let bare = understood(bytes);
    assert_eq!(bare.tls.is_some(), bare.sort == Sort::TlsReport);
    if bare.tls.is_some() && is_bare(bytes) {
        assert_eq!(bounce::parse(&packed(bytes)).tls, bare.tls);
    }
}

/// A file rather than a mail that brings one.
fn is_bare(bytes: &[u8]) -> bool {
    matches!(bytes.trim_ascii_start().first(), Some(b'<' | b'{'))
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(bytes).expect("memory cannot fail");
    packer.finish().expect("memory cannot fail")
}

/// Return paths: what is read was signed by us, and nothing else is.
pub fn return_paths(bytes: &[u8]) {
    const DAY_MS: i64 = 86_400_000;
    let key = Key::new(&[7; 32]);
    let age = Duration::from_secs(45 * 86_400);
    let local = String::from_utf8_lossy(bytes);
    let _ = (verp::decode(&key, &local, 0, age), verp::decode_message(&key, &local, 0, age));
    let Some((id, rest)) = bytes.split_first_chunk::<8>() else { return };
    let Some((at, rest)) = rest.split_first_chunk::<4>() else { return };
    let (id, at_ms) = (i64::from_be_bytes(*id) & i64::MAX, i64::from(u32::from_be_bytes(*at)) * 1_000);
    let signed = verp::encode(&key, id, at_ms);
    assert_eq!(verp::decode(&key, &signed, at_ms + DAY_MS, age), Ok(id));
    assert!(verp::decode(&key, &signed, at_ms + 60 * DAY_MS, age).is_err());
    // One letter that is another: signed by nobody.
    let [place, letter, ..] = rest else { return };
    let mut forged = signed.clone().into_bytes();
    let place = usize::from(*place) % forged.len();
    forged[place] = letter & 127;
    let forged = String::from_utf8(forged).expect("ASCII");
    if !forged.eq_ignore_ascii_case(&signed) {
        assert!(verp::decode(&key, &forged, at_ms + DAY_MS, age).is_err(), "{forged} for {signed}");
    }
}
