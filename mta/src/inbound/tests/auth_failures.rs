//! Reports of failed authentication over the listener.

use super::{House, TAKEN, house, house_with};
use storage::auth_failure::{self, AuthFailure, Filter};
use storage::domain::{self, NewDkimKey};
use storage::report_alarm::{self, ReportAlarm};
use storage::{DomainId, RecipientId, WorkspaceId};
use world::{Clock, SystemClock};

const WS: WorkspaceId = WorkspaceId::MAIN;

/// A report with the Message-ID `id`; `fields` are those of its feedback part, `returned` the header of the mail.
fn mailed(rcpt: &str, id: &str, fields: &str, returned: &str) -> String {
    format!(
        "EHLO big.example\r\nMAIL FROM:<>\r\nRCPT TO:<{rcpt}>\r\nDATA\r\n\
         From: Reports <r@big.example>\r\nSubject: FW: Spring\r\nMessage-ID: <{id}@big.example>\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=feedback-report; boundary=b\r\n\r\n\
         --b\r\nContent-Type: text/plain\r\n\r\nA mail failed authentication.\r\n\
         --b\r\nContent-Type: message/feedback-report\r\n\r\n\
         Feedback-Type: auth-failure\r\nUser-Agent: Big/1.0\r\nVersion: 1\r\n{fields}\r\n\
         --b\r\nContent-Type: text/rfc822-headers\r\n\r\n{returned}From: News <news@news.example>\r\n\
         To: redacted@big.example\r\nSubject: Spring\r\n\r\n--b--\r\n.\r\nQUIT\r\n"
    )
}

const DMARC: &str = "dmarc@bounce.news.example";
const OURS: &str = "Auth-Failure: spf\r\nSource-IP: 198.51.100.7\r\nDelivery-Result: spam\r\n";

impl House {
    async fn with_key(self) -> House {
        let key = NewDkimKey {
            selector: "s1".to_owned(),
            algorithm: "rsa-sha256",
            private_sealed: vec![1],
            public_key: "x".to_owned(),
        };
        let insert = move |tx: &storage::Transaction<'_>| domain::insert_key(tx, WS, DomainId(1), &key, 1);
        self.inbound.storage.main().write(insert).await.unwrap();
        self
    }

    async fn auth_failures(&self) -> Vec<AuthFailure> {
        let read = |c: &storage::Connection| auth_failure::page(c, WS, &Filter::default(), i64::MAX, 20);
        self.inbound.storage.read(read).await.unwrap()
    }

    async fn auth_alarms(&self) -> Vec<ReportAlarm> {
        let filter = report_alarm::Filter { kind: Some(report_alarm::Kind::Auth), ..report_alarm::Filter::default() };
        self.inbound.storage.read(move |c| report_alarm::page(c, WS, &filter, i64::MAX, 10)).await.unwrap()
    }
}

#[tokio::test]
async fn a_failure_of_ours_is_kept_once_and_raises_one_alarm() {
    let house = house().await;
    for rcpt in [DMARC, "fbl@bounce.news.example", &house.return_path()] {
        assert_eq!(house.say(&mailed(rcpt, "1", OURS, "")).await, TAKEN, "{rcpt}");
    }
    let kept = house.auth_failures().await;
    assert_eq!(kept.len(), 1, "{kept:?}");
    assert_eq!((kept[0].domain.as_str(), kept[0].organization.as_str()), ("news.example", "big.example"));
    assert_eq!((kept[0].item.as_str(), kept[0].recipient_id), ("198.51.100.7", None));
    for id in ["2", "3"] {
        assert_eq!(house.say(&mailed(DMARC, id, OURS, "")).await, TAKEN);
    }
    let alarms = house.auth_alarms().await;
    assert_eq!(alarms.len(), 1, "{alarms:?}");
    let expected = "mail from mx1 (198.51.100.7) fails SPF; it was put among the spam, says big.example";
    assert_eq!((alarms[0].text.as_str(), alarms[0].failed), (expected, 3));
    assert_eq!(house.inbound.storage.read(storage::outbox::waiting).await.unwrap(), 1 + 1, "it began once");
    assert!(!house.suppressed().await && !house.bounced().await);
    assert_eq!((house.unmatched().await, house.heard.lock().unwrap().len()), (0, 0));
}

/// Fields, header of the mail, what of ours is named.
#[tokio::test]
async fn what_of_ours_is_named() {
    for (fields, returned, item) in [
        (OURS, "", "198.51.100.7"),
        ("Auth-Failure: dmarc\r\nSource-IP: [203.0.113.1]\r\n", "", "203.0.113.1"),
        ("Auth-Failure: dmarc\r\nSource-IP: ::ffff:198.51.100.7\r\n", "", "198.51.100.7"),
        ("Auth-Failure: dmarc\r\nSource-IP: 192.0.2.66\r\n", "", ""),
        (
            "Auth-Failure: bodyhash\r\nSource-IP: 192.0.2.66\r\nDKIM-Domain: News.Example\r\nDKIM-Selector: S1\r\n",
            "",
            "s1._domainkey.news.example",
        ),
        (
            "Auth-Failure: dmarc\r\nAuthentication-Results: x; dkim=fail (a (b)) header.d=news.example\r\n",
            "DKIM-Signature: v=1; d=news.example; s=s1; b=x\r\n",
            "s1._domainkey.news.example",
        ),
        // Somebody else's key, and one that we never had.
        ("Auth-Failure: signature\r\nDKIM-Domain: other.example\r\nDKIM-Selector: s1\r\n", "", ""),
        ("Auth-Failure: signature\r\nDKIM-Domain: news.example\r\nDKIM-Selector: s2\r\n", "", ""),
        ("Auth-Failure: spf\r\n", "DKIM-Signature: v=1; d=news.example; s=s1; b=x\r\n", ""),
        ("", "", ""),
    ] {
        let house = house().await.with_key().await;
        house.zone.publish_address("mx1.news.example", "203.0.113.1".parse().unwrap());
        assert_eq!(house.say(&mailed(DMARC, "1", fields, returned)).await, TAKEN);
        let kept = house.auth_failures().await;
        assert_eq!(kept.iter().map(|one| one.item.as_str()).collect::<Vec<_>>(), [item], "{fields}");
        let alarms: Vec<_> = house.auth_alarms().await.into_iter().map(|alarm| alarm.item).collect();
        assert_eq!(alarms, if item.is_empty() { vec![] } else { vec![item.to_owned()] }, "{fields}");
    }
}

/// By each of our marks, and only by those: the address alone names nobody.
#[tokio::test]
async fn it_is_joined_to_the_recipient() {
    let house = house().await;
    let path = house.return_path();
    let header_id = format!("Message-ID: <1.1.{:x}@news.example>\r\n", house.accepted_ms);
    let false_id = format!("Message-ID: <1.1.{:x}@news.example>\r\n", house.accepted_ms + 1);
    for (n, (fields, returned, found)) in [
        (format!("Original-Mail-From: <{path}>\r\n"), String::new(), true),
        (String::new(), format!("Return-Path: <{path}>\r\n"), true),
        (String::new(), header_id, true),
        ("Original-Rcpt-To: ana@example.net\r\n".to_owned(), false_id, false),
        ("Original-Rcpt-To: ana@example.net\r\n".to_owned(), String::new(), false),
    ]
    .into_iter()
    .enumerate()
    {
        let fields = format!("{OURS}{fields}");
        assert_eq!(house.say(&mailed(DMARC, &n.to_string(), &fields, &returned)).await, TAKEN);
        let newest = house.auth_failures().await.remove(0);
        assert_eq!(newest.recipient_id, found.then_some(RecipientId(1)), "{fields}{returned}");
    }
    assert!(!house.suppressed().await && !house.bounced().await);
}

#[tokio::test]
async fn bounds_and_what_is_about_nobody() {
    let house = house_with("[reports]\ndaily_max = 3\nauth_alarm_reports = 3\n").await;
    let other = mailed(DMARC, "0", "Reported-Domain: other.example\r\n", "").replace("@news.example", "@other.example");
    assert_eq!(house.say(&other).await, TAKEN);
    let reasons = house.inbound.storage.read(|c| storage::unmatched_report::reasons(c, WS)).await.unwrap();
    assert_eq!(reasons, [("the report is about no domain of ours".to_owned(), 1)]);
    for (id, alarms) in [("1", 0), ("2", 0), ("3", 1), ("4", 1)] {
        assert_eq!(house.say(&mailed(DMARC, id, OURS, "")).await, TAKEN);
        assert_eq!(house.auth_alarms().await.len(), alarms, "{id}");
    }
    assert_eq!(house.auth_failures().await.len(), 3);
    let beyond = |c: &storage::Connection| storage::report_day::beyond(c, WS, "auth", None, 0);
    assert_eq!(house.inbound.storage.read(beyond).await.unwrap(), 1);

    let silent = house_with("[reports]\nauth_alarm_reports = 0\n").await;
    assert_eq!(silent.say(&mailed(DMARC, "1", OURS, "")).await, TAKEN);
    assert_eq!((silent.auth_failures().await.len(), silent.auth_alarms().await.len()), (1, 0));
}

/// A date of long ago or to come does not decide for how long an alarm stands.
#[tokio::test]
async fn an_impossible_date_is_that_of_today() {
    let house = house().await;
    let fields = format!("{OURS}Arrival-Date: Sat, 8 Oct 2011 20:15:58 +0000\r\n");
    assert_eq!(house.say(&mailed(DMARC, "1", &fields, "")).await, TAKEN);
    let kept = house.auth_failures().await;
    assert!(SystemClock.now_ms() - kept[0].arrived_ms < 60_000, "{kept:?}");
}
