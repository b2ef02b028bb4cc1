//! DMARC and TLS reports over the listener.

use super::{House, TAKEN, house, house_with};
use base64::Engine as _;
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write as _;
use storage::dmarc_report::{self, Asked, Filter, Sender};
use storage::report_alarm::{self, ReportAlarm};
use storage::{WorkspaceId, tls_report};
use world::{Clock, SystemClock};

const WS: WorkspaceId = WorkspaceId::MAIN;
const DMARC: &str = "dmarc@bounce.news.example";
const TLSRPT: &str = "TLSRPT@bounce.news.example";

/// A row: address, messages, DKIM, SPF.
type Row = (&'static str, u32, &'static str, &'static str);

fn dmarc(id: &str, about: &str, days_ago: i64, rows: &[Row]) -> String {
    let begin_s = SystemClock.now_ms() / 1000 - days_ago * 86_400;
    let rows: String = rows
        .iter()
        .map(|(ip, n, dkim, spf)| {
            format!(
                "<record><row><source_ip>{ip}</source_ip><count>{n}</count><policy_evaluated>\
                 <disposition>quarantine</disposition><dkim>{dkim}</dkim><spf>{spf}</spf></policy_evaluated></row>\
                 <identifiers><header_from>{about}</header_from></identifiers>\
                 <auth_results><dkim><domain>{about}</domain><selector>s1</selector><result>{dkim}</result></dkim>\
                 <spf><domain>bounce.{about}</domain><result>{spf}</result></spf></auth_results></record>"
            )
        })
        .collect();
    format!(
        "<?xml version=\"1.0\"?><feedback><report_metadata><org_name>big.example</org_name><email>a@big.example</email>\
         <report_id>{id}</report_id><date_range><begin>{begin_s}</begin><end>{}</end></date_range></report_metadata>\
         <policy_published><domain>{about}</domain><p>none</p></policy_published>{rows}</feedback>",
        begin_s + 3600
    )
}

fn tls(id: &str, successful: u32, failed: u32) -> String {
    let at = |ms: i64| format!("{:.0}", jiff::Timestamp::from_millisecond(SystemClock.now_ms() + ms).unwrap());
    format!(
        r#"{{"organization-name": "big.example", "report-id": "{id}", "contact-info": "a@big.example",
            "date-range": {{"start-datetime": "{}", "end-datetime": "{}"}},
            "policies": [{{"policy": {{"policy-type": "sts", "policy-domain": "bounce.news.example"}},
                "summary": {{"total-successful-session-count": {successful}, "total-failure-session-count": {failed}}},
                "failure-details": [{{"result-type": "certificate-expired", "sending-mta-ip": "192.0.2.1",
                    "receiving-mx-hostname": "mx.news.example", "failed-session-count": {failed}}}]}}]}}"#,
        at(-86_400_000),
        at(-1000)
    )
}

fn mailed(rcpt: &str, kind: &str, content: &str) -> String {
    let mut packed = GzEncoder::new(Vec::new(), Compression::default());
    packed.write_all(content.as_bytes()).unwrap();
    let text = base64::engine::general_purpose::STANDARD.encode(packed.finish().unwrap());
    let lines: Vec<&str> = text.as_bytes().chunks(76).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!(
        "EHLO big.example\r\nMAIL FROM:<reports@big.example>\r\nRCPT TO:<{rcpt}>\r\nDATA\r\n\
         From: reports@big.example\r\nSubject: Report domain: news.example\r\nMIME-Version: 1.0\r\n\
         Content-Type: {kind}\r\nContent-Transfer-Encoding: base64\r\n\r\n{}\r\n.\r\nQUIT\r\n",
        lines.join("\r\n")
    )
}

impl House {
    async fn alarms(&self) -> Vec<ReportAlarm> {
        let filter = report_alarm::Filter::default();
        self.inbound.storage.read(move |c| report_alarm::page(c, WS, &filter, i64::MAX, 10)).await.unwrap()
    }

    async fn dmarc_reports(&self) -> Vec<dmarc_report::DmarcReport> {
        let read = |c: &storage::Connection| dmarc_report::page(c, WS, &Filter::default(), i64::MAX, 10);
        self.inbound.storage.read(read).await.unwrap()
    }
}

#[tokio::test]
async fn a_dmarc_report_is_kept_once_and_says_what_of_ours_fails() {
    let house = house().await;
    // Others see the second address: the source is behind a translator.
    house.zone.publish_address("mx1.news.example", "203.0.113.1".parse().unwrap());
    let rows =
        [("198.51.100.7", 40, "pass", "pass"), ("203.0.113.1", 3, "fail", "pass"), ("192.0.2.66", 7, "fail", "fail")];
    let report = mailed(DMARC, "application/gzip", &dmarc("1", "news.example", 1, &rows));
    for _ in 0..2 {
        assert_eq!(house.say(&report).await, TAKEN);
        let reports = house.dmarc_reports().await;
        assert_eq!(reports.len(), 1);
        assert_eq!((reports[0].sums.messages, reports[0].sums.passed), (50, 43));
        let alarms = house.alarms().await;
        assert_eq!(alarms.len(), 1, "{alarms:?}");
        assert_eq!((alarms[0].item.as_str(), alarms[0].failed, alarms[0].total), ("203.0.113.1", 3, 3));
        assert!(alarms[0].text.contains("mx1 (203.0.113.1) fail, DKIM 3 and SPF 0; 3 were"), "{}", alarms[0].text);
    }
    let asked = Asked { domain: None, sender: None, since_ms: 0 };
    let senders = house.inbound.storage.read(move |c| dmarc_report::senders(c, WS, &asked, None, 10)).await.unwrap();
    let shown: Vec<_> = senders.iter().map(|row| (row.source_ip.as_str(), row.sender)).collect();
    assert_eq!(shown, [("198.51.100.7", Sender::Ours), ("192.0.2.66", Sender::Failing), ("203.0.113.1", Sender::Ours)]);
    // The same day's other report says nothing; one of a later time ends the alarm.
    let clean = [("203.0.113.1", 9, "pass", "pass")];
    assert_eq!(house.say(&mailed(DMARC, "application/gzip", &dmarc("2", "news.example", 1, &clean))).await, TAKEN);
    assert_eq!(house.alarms().await.len(), 1);
    assert_eq!(house.say(&mailed(DMARC, "application/gzip", &dmarc("3", "news.example", 0, &clean))).await, TAKEN);
    assert_eq!(house.alarms().await, []);
    assert_eq!(house.inbound.storage.read(storage::outbox::waiting).await.unwrap(), 2 + delivered(), "began, ended");
    assert_eq!(house.unmatched().await, 0);
}

/// Events of the house before anything came: its one recipient's.
fn delivered() -> u64 {
    1
}

#[tokio::test]
async fn a_report_comes_to_whatever_address_of_ours() {
    let house = house().await;
    let rows = [("198.51.100.7", 1, "pass", "pass")];
    for (n, rcpt) in ["fbl@bounce.news.example", &house.return_path(), TLSRPT].into_iter().enumerate() {
        let report = dmarc(&n.to_string(), "news.example", 1, &rows);
        assert_eq!(house.say(&mailed(rcpt, "application/gzip", &report)).await, TAKEN);
        assert_eq!(house.dmarc_reports().await.len(), n + 1, "{rcpt}");
    }
}

#[tokio::test]
async fn what_is_about_nobody_is_kept_unmatched() {
    let house = house().await;
    let rows = [("198.51.100.7", 1, "fail", "fail")];
    for (why, text) in [
        ("the report is about no domain of ours", dmarc("1", "other.example", 1, &rows)),
        ("the report is about no domain of ours", dmarc("2", "example", 1, &rows)),
        ("the report does not tell of a time that is possible", dmarc("3", "news.example", 4_000, &rows)),
        ("it is no DMARC or TLS report", "hello".to_owned()),
    ] {
        assert_eq!(house.say(&mailed(DMARC, "application/gzip", &text)).await, TAKEN);
        let newest =
            house.inbound.storage.read(|c| storage::unmatched_report::page(c, WS, None, i64::MAX, 1)).await.unwrap();
        assert_eq!(newest[0].why, why);
    }
    assert_eq!((house.dmarc_reports().await, house.alarms().await), (vec![], vec![]));
    let reasons = house.inbound.storage.read(|c| storage::unmatched_report::reasons(c, WS)).await.unwrap();
    assert_eq!(reasons[0], ("the report is about no domain of ours".to_owned(), 2));
}

#[tokio::test]
async fn a_day_has_room_for_so_many() {
    let house = house_with("[reports]\ndaily_max = 2\n").await;
    for n in 0..4 {
        let report = dmarc(&n.to_string(), "news.example", 1, &[("198.51.100.7", 1, "fail", "fail")]);
        assert_eq!(house.say(&mailed(DMARC, "application/gzip", &report)).await, TAKEN);
    }
    assert_eq!(house.dmarc_reports().await.len(), 2);
    let beyond = |c: &storage::Connection| storage::report_day::beyond(c, WS, "dmarc", None, 0);
    assert_eq!(house.inbound.storage.read(beyond).await.unwrap(), 2);
    assert_eq!(house.alarms().await[0].failed, 2, "what is only counted tells nothing");
}

#[tokio::test]
async fn a_tls_report_is_kept_once_and_raises_an_alarm() {
    let house = house().await;
    let report = mailed(TLSRPT, "application/tlsrpt+gzip", &tls("1", 90, 10));
    for _ in 0..2 {
        assert_eq!(house.say(&report).await, TAKEN);
    }
    let read = |c: &storage::Connection| tls_report::page(c, WS, &Filter::default(), i64::MAX, 10);
    let reports = house.inbound.storage.read(read).await.unwrap();
    assert_eq!(reports.len(), 1);
    assert_eq!((reports[0].domain.as_str(), reports[0].successful, reports[0].failed), ("news.example", 90, 10));
    let alarms = house.alarms().await;
    assert_eq!(alarms.len(), 1);
    assert_eq!(alarms[0].item, "bounce.news.example sts");
    let expected = "10 of 100 sessions to bounce.news.example (sts) fail, says big.example: certificate-expired at \
                    mx.news.example (10)";
    assert_eq!(alarms[0].text, expected);
    assert_eq!(house.say(&mailed(TLSRPT, "application/tlsrpt+gzip", &tls("2", 99, 1))).await, TAKEN);
    assert_eq!(house.alarms().await.len(), 1, "below the threshold, and of the same time");
}

/// A domain is known to be ours however it is written.
#[tokio::test]
async fn names_are_compared_without_regard_to_case() {
    let house = house().await;
    let report = dmarc("1", "News.Example", 1, &[("198.51.100.7", 1, "pass", "pass")]);
    assert_eq!(house.say(&mailed(DMARC, "application/gzip", &report)).await, TAKEN);
    assert_eq!(house.dmarc_reports().await[0].domain, "news.example");
}
