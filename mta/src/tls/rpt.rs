//! TLS reports (RFC 8460): the record by which a domain asks for them, the report, and the mail that carries it. Pure.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use std::fmt::Write as _;
use std::io::Write as _;
use storage::tls::{PolicyType, SessionCount};

/// Where the record is, before the domain (RFC 8460 §3).
pub const RECORD_LABEL: &str = "_smtp._tls";
/// Places that one domain's reports are sent to at most.
const PLACES_MAX: usize = 4;
/// The media type of a report (RFC 8460 §6.5).
pub const MEDIA_TYPE: &str = "application/tlsrpt+gzip";
const DAY_MS: i64 = 86_400_000;
/// Base64 in a line of mail (RFC 2045 §6.8).
const LINE_CHARS: usize = 76;

/// Where a report is to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// By mail.
    Mail(mail::Address),
    /// By POST to this URL.
    Https(String),
}

/// What is wrong with a domain's record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RptError {
    /// More than one begins with "v=TLSRPTv1": none counts (RFC 8460 §3).
    #[error("{0} records begin with v=TLSRPTv1, and only one may")]
    Several(usize),
    /// It names no place.
    #[error("the record names no place to report to")]
    NoPlace,
    /// A place is neither mailto: nor https:.
    #[error("{0:?} is neither a mailto: nor an https: address")]
    BadPlace(String),
}

/// Where a domain wants its reports, from its TXT records; empty when it wants none (RFC 8460 §3).
///
/// # Errors
/// Whatever makes the record void.
pub fn read_record(texts: &[String]) -> Result<Vec<Place>, RptError> {
    let is_ours = |text: &&String| {
        let rest = text.strip_prefix("v=TLSRPTv1");
        rest.is_some_and(|rest| rest.trim_start_matches([' ', '\t']).starts_with(';'))
    };
    let ours: Vec<&String> = texts.iter().filter(is_ours).collect();
    let record = match ours.as_slice() {
        [] => return Ok(Vec::new()),
        [record] => record,
        several => return Err(RptError::Several(several.len())),
    };
    let fields = record.split(';').skip(1).filter_map(|field| field.trim().split_once('='));
    let (_, rua) = fields.into_iter().find(|(name, _)| *name == "rua").ok_or(RptError::NoPlace)?;
    let places = rua.split(',').map(str::trim).filter(|uri| !uri.is_empty()).take(PLACES_MAX);
    let places = places.map(read_place).collect::<Result<Vec<_>, _>>()?;
    if places.is_empty() { Err(RptError::NoPlace) } else { Ok(places) }
}

fn read_place(uri: &str) -> Result<Place, RptError> {
    let bad = || RptError::BadPlace(uri.chars().take(80).collect());
    let (scheme, rest) = uri.split_once(':').ok_or_else(bad)?;
    if scheme.eq_ignore_ascii_case("https") && rest.starts_with("//") && uri.bytes().all(|b| b.is_ascii_graphic()) {
        return Ok(Place::Https(uri.to_owned()));
    }
    if !scheme.eq_ignore_ascii_case("mailto") {
        return Err(bad());
    }
    // RFC 6068: headers may follow, which nobody needs here.
    let address = unescape(rest.split('?').next().unwrap_or(rest)).ok_or_else(bad)?;
    mail::Address::parse(&address).map(Place::Mail).map_err(|_| bad())
}

/// RFC 3986 §2.1.
fn unescape(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| char::from(byte?).to_digit(16);
        let value = digit(bytes.next())? * 16 + digit(bytes.next())?;
        out.push(u8::try_from(value).ok()?);
    }
    String::from_utf8(out).ok()
}

/// A report (RFC 8460 §4.4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Report {
    organization_name: String,
    date_range: DateRange,
    contact_info: String,
    report_id: String,
    policies: Vec<PolicyResult>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct DateRange {
    start_datetime: String,
    end_datetime: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct PolicyResult {
    policy: PolicyShown,
    summary: Summary,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    failure_details: Vec<FailureDetail>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct PolicyShown {
    policy_type: String,
    policy_string: Vec<String>,
    policy_domain: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    mx_host: Vec<String>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Summary {
    total_successful_session_count: u64,
    total_failure_session_count: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct FailureDetail {
    result_type: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    sending_mta_ip: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    receiving_mx_hostname: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    receiving_ip: String,
    failed_session_count: u64,
    failure_reason_code: String,
}

/// Who reports, and about what.
#[derive(Clone, Debug)]
pub struct Subject<'a> {
    /// The recipients' domain.
    pub domain: &'a str,
    /// The begin of the day, UTC.
    pub day_ms: i64,
    /// The reporting host.
    pub submitter: &'a str,
    /// Whom to ask: the address that reports come from.
    pub contact: &'a str,
}

impl Subject<'_> {
    /// The report's id: one for each day and domain, so that a report sent again is known as the same.
    #[must_use]
    pub fn report_id(&self) -> String {
        format!("{}.{}@{}", self.day_ms / 1000, self.domain, self.submitter)
    }

    /// The name of the report's file (RFC 8460 §5.1).
    #[must_use]
    pub fn file_name(&self) -> String {
        let (begin, end) = (self.day_ms / 1000, (self.day_ms + DAY_MS) / 1000 - 1);
        format!("{}!{}!{begin}!{end}.json.gz", self.submitter, self.domain)
    }

    /// What was counted, as a report.
    #[must_use]
    pub fn report(&self, counts: &[SessionCount]) -> Report {
        let of = |policy: PolicyType| {
            let counts: Vec<&SessionCount> = counts.iter().filter(|count| count.key.policy == policy).collect();
            (!counts.is_empty()).then(|| self.policy_result(policy, &counts))
        };
        Report {
            organization_name: self.submitter.to_owned(),
            date_range: DateRange {
                start_datetime: date(self.day_ms),
                end_datetime: date(self.day_ms + DAY_MS - 1000),
            },
            contact_info: self.contact.to_owned(),
            report_id: self.report_id(),
            policies: [PolicyType::Tlsa, PolicyType::Sts].into_iter().filter_map(of).collect(),
        }
    }

    fn policy_result(&self, policy: PolicyType, counts: &[&SessionCount]) -> PolicyResult {
        let (failed, fine): (Vec<_>, Vec<_>) = counts.iter().partition(|count| !count.key.failure.is_empty());
        let sum = |counts: &[&&SessionCount]| counts.iter().map(|count| count.n).sum();
        let lines = counts.iter().map(|count| &count.policy_lines).find(|lines| !lines.is_empty());
        let policy_string = lines.cloned().unwrap_or_default();
        let mx_host = policy_string.iter().filter_map(|line| line.strip_prefix("mx: ")).map(str::to_owned).collect();
        PolicyResult {
            policy: PolicyShown {
                policy_type: policy.as_str().to_owned(),
                policy_domain: self.domain.to_owned(),
                mx_host,
                policy_string,
            },
            summary: Summary { total_successful_session_count: sum(&fine), total_failure_session_count: sum(&failed) },
            failure_details: failed.into_iter().map(|count| detail(count)).collect(),
        }
    }

    /// The mail that carries a report (RFC 8460 §5.3), without signature; lines end in CR LF.
    #[must_use]
    pub fn mail(&self, to: &mail::Address, zipped: &[u8], now_ms: i64) -> Vec<u8> {
        let Subject { domain, submitter, contact, .. } = self;
        let id = self.report_id();
        // Base64 has no "=_", so no line of a part is taken for the boundary.
        let boundary = format!("=_tlsrpt_{}", self.day_ms / 1000);
        let moment = Timestamp::from_millisecond(now_ms).unwrap_or_default();
        let moment = jiff::fmt::rfc2822::to_string(&moment.to_zoned(jiff::tz::TimeZone::UTC)).unwrap_or_default();
        let file = self.file_name();
        let mut text = format!(
            "From: {contact}\r\nTo: {to}\r\nDate: {moment}\r\nMessage-ID: <{id}>\r\n\
             Subject: Report Domain: {domain}\r\n Submitter: {submitter}\r\n Report-ID: <{id}>\r\n\
             TLS-Report-Domain: {domain}\r\nTLS-Report-Submitter: {submitter}\r\nAuto-Submitted: auto-generated\r\n\
             MIME-Version: 1.0\r\n\
             Content-Type: multipart/report; report-type=\"tlsrpt\";\r\n boundary=\"{boundary}\"\r\n\r\n\
             --{boundary}\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n\
             This is an aggregate report about TLS in sessions of {submitter}\r\nwith the mail servers of {domain} on {}.\r\n\
             --{boundary}\r\nContent-Type: {MEDIA_TYPE}\r\nContent-Transfer-Encoding: base64\r\n\
             Content-Disposition: attachment;\r\n filename=\"{file}\"\r\n\r\n",
            &date(self.day_ms)[..10],
        );
        let encoded = base64(zipped);
        for line in encoded.as_bytes().chunks(LINE_CHARS) {
            // Writing to a String cannot fail; base64 is ASCII.
            let _ = write!(text, "{}\r\n", String::from_utf8_lossy(line));
        }
        let _ = write!(text, "--{boundary}--\r\n");
        text.into_bytes()
    }
}

fn base64(bytes: &[u8]) -> String {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.encode(bytes)
}

fn detail(count: &SessionCount) -> FailureDetail {
    FailureDetail {
        result_type: count.key.failure.clone(),
        sending_mta_ip: count.key.source_ip.clone(),
        receiving_mx_hostname: count.key.host.clone(),
        receiving_ip: count.key.host_ip.clone(),
        failed_session_count: count.n,
        failure_reason_code: count.reason.clone(),
    }
}

/// RFC 3339, to the second.
fn date(ms: i64) -> String {
    Timestamp::from_second(ms.div_euclid(1000)).unwrap_or_default().to_string()
}

impl Report {
    /// JSON, zipped (RFC 8460 §5.2).
    ///
    /// # Errors
    /// Never in practice: all of it happens in memory.
    pub fn zipped(&self) -> std::io::Result<Vec<u8>> {
        let mut zip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        zip.write_all(&serde_json::to_vec_pretty(self)?)?;
        zip.finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use proptest::prelude::*;
    use std::io::Read as _;
    use storage::tls::ResultKey;

    #[test]
    fn records() {
        let mail = |text: &str| Place::Mail(mail::Address::parse(text).unwrap());
        let https = |text: &str| Place::Https(text.to_owned());
        for (texts, wanted) in [
            (&["v=TLSRPTv1; rua=mailto:tls@a.example"][..], Ok(vec![mail("tls@a.example")])),
            (
                &["v=TLSRPTv1;rua=https://r.example/v1 , MAILTO:a%2Bb@a.example?subject=x;"],
                Ok(vec![https("https://r.example/v1"), mail("a+b@a.example")]),
            ),
            (&["v=spf1 -all"], Ok(vec![])),
            (&[], Ok(vec![])),
            (&["v=TLSRPTv1; x=y"], Err(RptError::NoPlace)),
            (&["v=TLSRPTv1; rua="], Err(RptError::NoPlace)),
            (&["v=TLSRPTv1; rua=http://a.example"], Err(RptError::BadPlace("http://a.example".to_owned()))),
            (&["v=TLSRPTv1; rua=mailto:nobody"], Err(RptError::BadPlace("mailto:nobody".to_owned()))),
            (&["v=TLSRPTv1; rua=mailto:%zz@a.example"], Err(RptError::BadPlace("mailto:%zz@a.example".to_owned()))),
            (&["v=TLSRPTv1; rua=a", "v=TLSRPTv1; rua=b"], Err(RptError::Several(2))),
        ] {
            let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
            assert_eq!(read_record(&texts), wanted, "{texts:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_makes_the_reader_panic(text in "\\PC{0,80}") {
            let _ = read_record(&[format!("v=TLSRPTv1;{text}")]);
            let _ = read_record(&[format!("v=TLSRPTv1; rua=mailto:{text}")]);
        }
    }

    fn count(policy: PolicyType, failure: &str, host: &str, n: u64) -> SessionCount {
        let key = ResultKey {
            day_ms: 1_767_571_200_000,
            domain: "a.example".to_owned(),
            policy,
            failure: failure.to_owned(),
            source_ip: if failure.is_empty() { String::new() } else { "192.0.2.1".to_owned() },
            host: host.to_owned(),
            host_ip: String::new(),
        };
        let policy_lines = vec!["mode: enforce".to_owned(), "mx: *.a.example".to_owned()];
        SessionCount { key, policy_lines, reason: failure.to_owned(), n }
    }

    fn subject() -> Subject<'static> {
        Subject {
            domain: "a.example",
            day_ms: 1_767_571_200_000,
            submitter: "mail.sender.example",
            contact: "postmaster@sender.example",
        }
    }

    #[test]
    fn a_report() {
        let counts =
            [count(PolicyType::Sts, "", "", 12), count(PolicyType::Sts, "certificate-expired", "mx.a.example", 3)];
        let report = subject().report(&counts);
        expect![[r#"
            {
              "organization-name": "mail.sender.example",
              "date-range": {
                "start-datetime": "2026-01-05T00:00:00Z",
                "end-datetime": "2026-01-05T23:59:59Z"
              },
              "contact-info": "postmaster@sender.example",
              "report-id": "1767571200.a.example@mail.sender.example",
              "policies": [
                {
                  "policy": {
                    "policy-type": "sts",
                    "policy-string": [
                      "mode: enforce",
                      "mx: *.a.example"
                    ],
                    "policy-domain": "a.example",
                    "mx-host": [
                      "*.a.example"
                    ]
                  },
                  "summary": {
                    "total-successful-session-count": 12,
                    "total-failure-session-count": 3
                  },
                  "failure-details": [
                    {
                      "result-type": "certificate-expired",
                      "sending-mta-ip": "192.0.2.1",
                      "receiving-mx-hostname": "mx.a.example",
                      "failed-session-count": 3,
                      "failure-reason-code": "certificate-expired"
                    }
                  ]
                }
              ]
            }"#]]
        .assert_eq(&serde_json::to_string_pretty(&report).unwrap());
    }

    #[test]
    fn the_mail_brings_it_whole() {
        let report = subject().report(&[count(PolicyType::Tlsa, "", "", 5)]);
        let to = mail::Address::parse("tls@a.example").unwrap();
        let mail = subject().mail(&to, &report.zipped().unwrap(), 1_767_603_600_000);
        let text = String::from_utf8(mail).unwrap();
        assert!(text.replace("\r\n", "").find(['\r', '\n']).is_none(), "every line ends in CR LF");
        let (headers, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(headers.contains("Date: Mon, 5 Jan 2026 09:00:00 +0000\r\n"), "{headers}");
        assert!(headers.contains("TLS-Report-Domain: a.example\r\n"), "{headers}");
        let (_, attachment) = body.rsplit_once("json.gz\"\r\n\r\n").unwrap();
        let encoded: String = attachment.split("--=_").next().unwrap().split("\r\n").collect();
        let zipped = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, encoded).unwrap();
        let mut json = String::new();
        flate2::read::GzDecoder::new(&zipped[..]).read_to_string(&mut json).unwrap();
        assert_eq!(serde_json::from_str::<Report>(&json).unwrap(), report);
    }
}
