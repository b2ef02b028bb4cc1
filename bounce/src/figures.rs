//! Reports that are figures: DMARC aggregate reports (RFC 7489 §7.2, RFC 9990) and TLS reports (RFC 8460), as mail or as
//! the bare file. What is zipped is unpacked up to a bound, so that a small file cannot grow without one; entities of XML
//! are never expanded by the reader.

use crate::report::{DmarcFigures, DmarcRow, Report, Sort, TlsFigures, TlsPolicyFigures};
use mail_auth::report::{ActionDisposition, Disposition, DmarcResult};
use mail_parser::{Message, MessagePart, MimeHeaders, PartType};
use serde::Deserialize;
use std::io::{Cursor, Read};

/// So much is unpacked of a zipped report.
const UNPACKED_MAX: u64 = 32 * 1024 * 1024;
/// So many parts of a mail are looked into: a report has one, and each may be a bomb.
const CARRIERS_MAX: usize = 4;
/// So many rows are kept.
const ROWS_MAX: usize = 20_000;

/// A bare file, as one saves it from a mail; `None` where it is none.
pub(crate) fn of_file(raw: &[u8]) -> Option<Report> {
    let start = raw.trim_ascii_start();
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
    let could_be = start.starts_with(b"<")
        || start.starts_with(b"{")
        || raw.starts_with(b"\x1f\x8b")
        || raw.starts_with(b"PK\x03\x04");
    if could_be { read(raw) } else { None }
}

/// A mail that brings one.
pub(crate) fn of_mail(message: &Message<'_>) -> Option<Report> {
    message.parts.iter().take(20).filter(|part| could_carry(part)).take(CARRIERS_MAX).find_map(|part| {
        match &part.body {
            PartType::Binary(bytes) | PartType::InlineBinary(bytes) => read(bytes),
            PartType::Text(text) => read(text.as_bytes()),
            _ => None,
        }
    })
}

fn could_carry(part: &MessagePart<'_>) -> bool {
    let kind = part.content_type();
    let main = kind.map_or("", |kind| kind.ctype()).to_ascii_lowercase();
    let sub = kind.and_then(|kind| kind.subtype()).unwrap_or("").to_ascii_lowercase();
    let by_type = main == "application"
        && [
            "gzip",
            "x-gzip",
            "zip",
            "x-zip-compressed",
            "x-zip",
            "xml",
            "octet-stream",
            "tlsrpt+json",
            "tlsrpt+gzip",
            "json",
        ]
        .contains(&sub.as_str())
        || main == "text" && sub == "xml";
    let name = part.attachment_name().unwrap_or("").to_ascii_lowercase();
    by_type || [".xml", ".gz", ".zip", ".json"].iter().any(|end| name.ends_with(end))
}

fn read(bytes: &[u8]) -> Option<Report> {
    let unpacked;
    let content = if bytes.starts_with(b"\x1f\x8b") {
        unpacked = gunzip(bytes)?;
        &unpacked
    } else if bytes.starts_with(b"PK\x03\x04") {
        unpacked = unzip(bytes)?;
        &unpacked
    } else {
        bytes
    };
    match content.trim_ascii_start().strip_prefix(b"\xef\xbb\xbf").unwrap_or(content.trim_ascii_start()).first()? {
        b'<' => dmarc(content),
        b'{' => tls(content),
        _ => None,
    }
}

/// The whole of it, or nothing: half a report has false figures.
fn bounded(reader: impl Read) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    reader.take(UNPACKED_MAX + 1).read_to_end(&mut out).ok()?;
    (out.len() as u64 <= UNPACKED_MAX).then_some(out)
}

fn gunzip(bytes: &[u8]) -> Option<Vec<u8>> {
    bounded(flate2::read::MultiGzDecoder::new(bytes))
}

fn unzip(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).ok()?;
    bounded(archive.by_index(0).ok()?)
}

fn dmarc(content: &[u8]) -> Option<Report> {
    if !contains(&content[..content.len().min(4_096)], b"feedback") {
        return None;
    }
    let read = mail_auth::report::Report::parse_xml(content).ok()?;
    let rows = read.records().iter().take(ROWS_MAX).map(|record| DmarcRow {
        source_ip: record.source_ip(),
        header_from: record.header_from().to_owned(),
        messages: u64::from(record.count()),
        dkim_pass: record.dmarc_dkim_result() == DmarcResult::Pass,
        spf_pass: record.dmarc_spf_result() == DmarcResult::Pass,
        disposition: match record.action_disposition() {
            ActionDisposition::Quarantine => "quarantine",
            ActionDisposition::Reject => "reject",
            _ => "none",
        }
        .to_owned(),
    });
    let figures = DmarcFigures {
        organization: read.org_name().to_owned(),
        report_id: read.report_id().to_owned(),
        domain: read.domain().to_owned(),
        policy: match read.p() {
            Disposition::Quarantine => "quarantine",
            Disposition::Reject => "reject",
            _ => "none",
        }
        .to_owned(),
        begin_s: read.date_range_begin(),
        end_s: read.date_range_end(),
        rows: rows.collect(),
    };
    let evidence = vec!["it brings a DMARC aggregate report".to_owned()];
    Some(Report { sort: Sort::DmarcReport, dmarc: Some(figures), evidence, ..Report::default() })
}

/// What is read of a TLS report. Real ones take liberties with everything else: `mx-host` as a text, counts left out.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct WrittenTls {
    #[serde(default)]
    organization_name: String,
    #[serde(default)]
    report_id: String,
    policies: Vec<WrittenPolicy>,
}

#[derive(Deserialize)]
struct WrittenPolicy {
    policy: WrittenPolicyName,
    #[serde(default)]
    summary: WrittenSummary,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct WrittenPolicyName {
    #[serde(default)]
    policy_type: String,
    #[serde(default)]
    policy_domain: String,
}

#[derive(Default, Deserialize)]
struct WrittenSummary {
    #[serde(default, rename = "total-successful-session-count")]
    successful: u64,
    #[serde(default, rename = "total-failure-session-count")]
    failed: u64,
}

fn tls(content: &[u8]) -> Option<Report> {
    let read: WrittenTls = serde_json::from_slice(content).ok()?;
    let policies = read.policies.into_iter().take(ROWS_MAX).map(|policy| TlsPolicyFigures {
        domain: policy.policy.policy_domain,
        policy: policy.policy.policy_type,
        successful: policy.summary.successful,
        failed: policy.summary.failed,
    });
    let figures =
        TlsFigures { organization: read.organization_name, report_id: read.report_id, policies: policies.collect() };
    let evidence = vec!["it brings a TLS report (RFC 8460)".to_owned()];
    Some(Report { sort: Sort::TlsReport, tls: Some(figures), evidence, ..Report::default() })
}

fn contains(content: &[u8], word: &[u8]) -> bool {
    content.windows(word.len()).any(|window| window == word)
}
