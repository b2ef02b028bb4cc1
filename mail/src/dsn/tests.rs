use super::*;
use expect_test::{Expect, expect};

fn told(address: &str, action: Action, status: &str, diagnostic: Option<Diagnostic>) -> Told {
    Told {
        address: Address::parse(address).unwrap(),
        orcpt: None,
        action,
        status: EnhancedStatus::parse(status).unwrap(),
        remote_mta: diagnostic.is_some().then(|| "mx.a.example".to_owned()),
        diagnostic,
        at_ms: 1_795_171_023_000,
        until_ms: None,
    }
}

fn check(told: &[Told], original: Original, expected: Expect) {
    let from = Address::parse("MAILER-DAEMON@shop.example").unwrap();
    let to = Address::parse("orders@shop.example").unwrap();
    let notice = Notice {
        reporting_mta: "mail.example.com",
        from: &from,
        to: &to,
        header_id: "r1.2@shop.example",
        about: "order-7@shop.example",
        envid: Some("order+2D7"),
        arrival_ms: 1_795_171_000_000,
        now_ms: 1_795_171_024_000,
        told,
        original: &original,
    };
    let written = String::from_utf8(notice.write()).unwrap();
    assert!(!written.replace("\r\n", "").contains(['\r', '\n']));
    expected.assert_eq(&written.replace("\r\n", "\n"));
}

#[test]
fn failed_and_delayed() {
    let refused = Diagnostic::Smtp("550 5.1.1 no such user\r\nFake-Field: x".to_owned());
    let mut first = told("ana@a.example", Action::Failed, "5.1.1", Some(refused));
    first.orcpt = Some("rfc822;Ana+2Bx@old.example".to_owned());
    let own = Diagnostic::Own("no connection".to_owned());
    let mut second = told("bo@b.example", Action::Delayed, "4.4.1", Some(own));
    second.remote_mta = None;
    second.until_ms = Some(1_795_257_423_000);
    check(
        &[first, second],
        Original::Headers(b"Subject: Order 7\r\n".to_vec()),
        expect![[r#"
        From: Mail Delivery System <MAILER-DAEMON@shop.example>
        To: orders@shop.example
        Subject: Not delivered to 2 recipients
        Date: Fri, 20 Nov 2026 10:37:04 +0000
        Message-ID: <r1.2@shop.example>
        In-Reply-To: <order-7@shop.example>
        References: <order-7@shop.example>
        Auto-Submitted: auto-replied
        MIME-Version: 1.0
        Content-Type: multipart/report; report-type=delivery-status;
         boundary="=_report_r12shopexample"

        --=_report_r12shopexample
        Content-Type: text/plain; charset=utf-8

        This is the mail system at mail.example.com.

        Your message could not be delivered. It is not tried any more:

          ana@a.example: mx.a.example answered: 550 5.1.1 no such user Fake-Field: x

        Your message could not be delivered yet. It is still being tried; nothing need be done:

          bo@b.example: no connection

        --=_report_r12shopexample
        Content-Type: message/delivery-status

        Original-Envelope-Id: order-7
        Reporting-MTA: dns; mail.example.com
        Arrival-Date: Fri, 20 Nov 2026 10:36:40 +0000

        Original-Recipient: rfc822;Ana+x@old.example
        Final-Recipient: rfc822; ana@a.example
        Action: failed
        Status: 5.1.1
        Remote-MTA: dns; mx.a.example
        Diagnostic-Code: smtp; 550 5.1.1 no such user Fake-Field: x
        Last-Attempt-Date: Fri, 20 Nov 2026 10:37:03 +0000

        Final-Recipient: rfc822; bo@b.example
        Action: delayed
        Status: 4.4.1
        Diagnostic-Code: X-Packetboat; no connection
        Last-Attempt-Date: Fri, 20 Nov 2026 10:37:03 +0000
        Will-Retry-Until: Sat, 21 Nov 2026 10:37:03 +0000

        --=_report_r12shopexample
        Content-Type: text/rfc822-headers

        Subject: Order 7
        --=_report_r12shopexample--
    "#]],
    );
}

#[test]
fn with_utf8() {
    let told = told("anä@a.example", Action::Delivered, "2.0.0", None);
    check(
        &[told],
        Original::Whole("Subject: Bestätigt\r\n\r\nDanke.\r\n".into()),
        expect![[r#"
        From: Mail Delivery System <MAILER-DAEMON@shop.example>
        To: orders@shop.example
        Subject: Delivered
        Date: Fri, 20 Nov 2026 10:37:04 +0000
        Message-ID: <r1.2@shop.example>
        In-Reply-To: <order-7@shop.example>
        References: <order-7@shop.example>
        Auto-Submitted: auto-replied
        MIME-Version: 1.0
        Content-Type: multipart/report; report-type=delivery-status;
         boundary="=_report_r12shopexample"

        --=_report_r12shopexample
        Content-Type: text/plain; charset=utf-8
        Content-Transfer-Encoding: 8bit

        This is the mail system at mail.example.com.

        Your message was delivered:

          anä@a.example

        --=_report_r12shopexample
        Content-Type: message/global-delivery-status
        Content-Transfer-Encoding: 8bit

        Original-Envelope-Id: order-7
        Reporting-MTA: dns; mail.example.com
        Arrival-Date: Fri, 20 Nov 2026 10:36:40 +0000

        Final-Recipient: utf-8; anä@a.example
        Action: delivered
        Status: 2.0.0
        Last-Attempt-Date: Fri, 20 Nov 2026 10:37:03 +0000

        --=_report_r12shopexample
        Content-Type: message/global
        Content-Transfer-Encoding: 8bit

        Subject: Bestätigt

        Danke.
        --=_report_r12shopexample--
    "#]],
    );
}

#[test]
fn headers_are_cut_at_lines() {
    for (message, most, expected) in [
        ("A: b\r\nC: d\r\n\r\nbody\r\n", 100, "A: b\r\nC: d\r\n"),
        ("A: b\r\nC: d\r\n\r\nbody\r\n", 8, "A: b\r\n"),
        ("A: b\r\n", 100, "A: b\r\n"),
        ("A: b\r\n\r\n", 3, ""),
    ] {
        assert_eq!(headers_of(message.as_bytes(), most), expected.as_bytes(), "{message:?}");
    }
}

#[test]
fn what_is_asked_for() {
    for (action, notify, expected) in [
        (Action::Failed, "FAILURE,DELAY", true),
        (Action::Failed, "NEVER", false),
        (Action::Delayed, "FAILURE", false),
        (Action::Relayed, "SUCCESS", true),
        (Action::Delivered, "FAILURE", false),
    ] {
        assert_eq!(action.is_asked(notify), expected, "{action:?} {notify}");
        assert_eq!(Action::parse(action.as_str()), Some(action));
    }
}
