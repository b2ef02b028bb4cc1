//! What the world reports about our domains: over the wire to the listener, and shown by the API.

mod common;

use api_types::Role;
use base64::Engine as _;
use common::{Boat, NO_DNS, Session, bad, boat_with};
use daemon::serve::Overrides;
use reqwest::Method;
use sandbox::{Providers, SimOptions, SimWorld};
use serde_json::{Value, json};
use std::io::Write as _;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use world::{Clock, SystemClock};

const CONFIG: &str = "[smtp]\ninbound_listen = \"127.0.0.1:0\"\n[server]\nhostname = \"mail.sender.example\"\n\
    [[source]]\nname = \"mx1\"\nip = \"198.51.100.7\"\nehlo = \"mx1.sender.example\"";

async fn house() -> (Boat, SimWorld, Session) {
    let sim = SimWorld::new(&SimOptions::default(), Providers::builtin()).unwrap();
    let overrides = Overrides { dns: Some(sim.dns.clone()), ..Overrides::default() };
    let boat = boat_with(CONFIG, overrides, NO_DNS).await;
    let ana = boat.session(Role::Admin).await;
    ana.post("/api/v1/domains", json!({ "domain": "sender.example" })).await;
    (boat, sim, ana)
}

/// Mails a file to an address of the listener's.
async fn mail(boat: &Boat, rcpt: &str, kind: &str, file: &[u8]) {
    let text = base64::engine::general_purpose::STANDARD.encode(file);
    let lines: Vec<&str> = text.as_bytes().chunks(76).map(|line| std::str::from_utf8(line).unwrap()).collect();
    let dialogue = format!(
        "EHLO big.example\r\nMAIL FROM:<reports@big.example>\r\nRCPT TO:<{rcpt}>\r\nDATA\r\n\
         From: reports@big.example\r\nSubject: Report\r\nMIME-Version: 1.0\r\nContent-Type: {kind}\r\n\
         Content-Transfer-Encoding: base64\r\n\r\n{}\r\n.\r\nQUIT\r\n",
        lines.join("\r\n")
    );
    let mut stream = TcpStream::connect(boat.running.inbound_addr.unwrap()).await.unwrap();
    stream.write_all(dialogue.as_bytes()).await.unwrap();
    let mut replies = String::new();
    stream.read_to_string(&mut replies).await.unwrap();
    assert!(replies.contains("250 2.6.0 taken"), "{replies}");
}

fn zipped_dmarc(id: &str, dkim: &str) -> Vec<u8> {
    let begin_s = SystemClock.now_ms() / 1000 - 7200;
    let row = |ip: &str, n: u32, dkim: &str, spf: &str| {
        format!(
            "<record><row><source_ip>{ip}</source_ip><count>{n}</count><policy_evaluated><disposition>none</disposition>\
             <dkim>{dkim}</dkim><spf>{spf}</spf></policy_evaluated></row>\
             <identifiers><header_from>sender.example</header_from></identifiers><auth_results>\
             <dkim><domain>sender.example</domain><selector>s1</selector><result>{dkim}</result></dkim>\
             <spf><domain>bounce.sender.example</domain><result>{spf}</result></spf></auth_results></record>"
        )
    };
    let xml = format!(
        "<?xml version=\"1.0\"?><feedback><report_metadata><org_name>big.example</org_name><email>a@big.example</email>\
         <report_id>{id}</report_id><date_range><begin>{begin_s}</begin><end>{}</end></date_range></report_metadata>\
         <policy_published><domain>sender.example</domain><p>none</p></policy_published>{}{}</feedback>",
        begin_s + 3600,
        row("198.51.100.7", 30, dkim, "pass"),
        row("192.0.2.66", 4, "fail", "fail"),
    );
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    archive.start_file("report.xml", zip::write::SimpleFileOptions::default()).unwrap();
    archive.write_all(xml.as_bytes()).unwrap();
    archive.finish().unwrap().into_inner()
}

fn items(page: &Value) -> &Vec<Value> {
    page["items"].as_array().unwrap()
}

#[tokio::test]
async fn a_zipped_dmarc_report_is_shown_and_raises_an_alarm() {
    let (boat, _sim, ana) = house().await;
    let before = ana.get("/api/v1/reports/dmarc").await;
    let record = &before["domains"][0]["record"];
    assert_eq!(record["name"], "_dmarc.sender.example");
    assert_eq!(record["value"], "v=DMARC1; p=none; rua=mailto:dmarc@bounce.sender.example");
    assert_eq!(record["mailbox"], "dmarc@bounce.sender.example");
    assert_eq!((before["days"].as_array().unwrap().len(), before["alarms"].as_array().unwrap().len()), (30, 0));

    for _ in 0..2 {
        mail(&boat, "dmarc@bounce.sender.example", "application/zip", &zipped_dmarc("1", "fail")).await;
        let told = ana.get("/api/v1/reports/dmarc?domain=sender.example&days=7").await;
        assert_eq!(told["domains"][0]["reports"], 1, "twice is once: {told}");
        assert_eq!(told["domains"][0]["counts"]["messages"], 34);
        let sum: u64 =
            told["days"].as_array().unwrap().iter().map(|day| day["counts"]["passed"].as_u64().unwrap()).sum();
        assert_eq!(sum, 30);
        assert_eq!(told["alarms"].as_array().unwrap().len(), 1);
    }
    let senders = ana.get("/api/v1/reports/dmarc/senders?limit=1").await;
    assert_eq!((&items(&senders)[0]["source"], &items(&senders)[0]["sender"]), (&json!("mx1"), &json!("ours")));
    let cursor = senders["next"].as_str().unwrap().replace(' ', "%20");
    let senders = ana.get(&format!("/api/v1/reports/dmarc/senders?limit=1&cursor={cursor}")).await;
    assert_eq!(
        (&items(&senders)[0]["source_ip"], &items(&senders)[0]["sender"]),
        (&json!("192.0.2.66"), &json!("failing"))
    );
    assert_eq!(items(&ana.get("/api/v1/reports/dmarc/senders?sender=aligned").await).len(), 0);

    let reports = ana.get("/api/v1/reports/dmarc/reports").await;
    let id = &items(&reports)[0]["id"];
    let one = ana.get(&format!("/api/v1/reports/dmarc/reports/{id}")).await;
    assert_eq!(
        (&one["organization"], &one["policy"], &one["brought_by"]),
        (&json!("big.example"), &json!("none"), &json!("127.0.0.1"))
    );
    let rows = ana.get(&format!("/api/v1/reports/dmarc/reports/{id}/rows")).await;
    assert_eq!(items(&rows)[0]["signatures"], "s1._domainkey.sender.example=fail");
    assert_eq!(ana.send(Method::GET, "/api/v1/reports/dmarc/reports/999/rows", None).await.status(), 404);

    let overview = ana.get("/api/v1/overview").await;
    let says = |overview: &Value| {
        let notices = overview["notices"].as_array().unwrap().iter();
        notices.filter(|notice| notice["link"] == "/reports").filter_map(|n| n["message"].as_str()).collect::<String>()
    };
    let text = "sender.example: 30 of 30 messages from mx1 (198.51.100.7) fail, DKIM 30 and SPF 0; 0 were put among the \
                spam, 0 refused, says big.example.";
    assert_eq!(says(&overview), text);
    let alarm = &items(&ana.get("/api/v1/reports/alarms?kind=dmarc").await)[0]["id"].clone();
    ana.post(&format!("/api/v1/reports/alarms/{alarm}/lift"), json!({})).await;
    assert_eq!(says(&ana.get("/api/v1/overview").await), "");
    assert_eq!(items(&ana.get("/api/v1/reports/alarms").await).len(), 0);
    let ended = ana.get("/api/v1/reports/alarms?ended=true").await;
    assert!(items(&ended)[0]["ended_by"].is_string(), "{ended}");
    for (path, field) in [
        ("/api/v1/reports/dmarc?days=0", "days"),
        ("/api/v1/reports/dmarc/senders?sender=all", "sender"),
        ("/api/v1/reports/dmarc/senders?cursor=x", "cursor"),
        ("/api/v1/reports/alarms?kind=x", "kind"),
    ] {
        let (status, body) = bad(ana.send(Method::GET, path, None).await).await;
        assert_eq!((status, body.error.field.as_deref()), (422, Some(field)), "{path}");
    }
    boat.stop().await;
}

#[tokio::test]
async fn a_tls_report_is_shown_and_raises_an_alarm() {
    let (boat, _sim, ana) = house().await;
    let now_ms = SystemClock.now_ms();
    let at = |ms: i64| format!("{:.0}", jiff::Timestamp::from_millisecond(now_ms + ms).unwrap());
    let report = json!({
        "organization-name": "big.example", "report-id": "77", "contact-info": "a@big.example",
        "date-range": { "start-datetime": at(-7_200_000), "end-datetime": at(-3_600_000) },
        "policies": [{
            "policy": { "policy-type": "sts", "policy-domain": "bounce.sender.example" },
            "summary": { "total-successful-session-count": 15, "total-failure-session-count": 5 },
            "failure-details": [{ "result-type": "certificate-host-mismatch", "failed-session-count": 5,
                "receiving-mx-hostname": "mail.sender.example" }],
        }],
    });
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packed.write_all(report.to_string().as_bytes()).unwrap();
    let packed = packed.finish().unwrap();
    for _ in 0..2 {
        mail(&boat, "tlsrpt@bounce.sender.example", "application/tlsrpt+gzip", &packed).await;
    }
    let told = ana.get("/api/v1/reports/tls?days=7").await;
    assert_eq!(
        told["policies"],
        json!([
            { "domain": "bounce.sender.example", "policy": "sts", "successful": 15, "failed": 5 }
        ])
    );
    assert_eq!(
        (&told["failures"][0]["sessions"], &told["failures"][0]["mx"]),
        (&json!(5), &json!("mail.sender.example"))
    );
    assert_eq!(told["records"][0]["value"], "v=TLSRPTv1; rua=mailto:tlsrpt@bounce.sender.example");
    assert!(told["alarms"][0]["text"].as_str().unwrap().starts_with("5 of 20 sessions"), "{told}");
    assert_eq!(items(&ana.get("/api/v1/reports/tls/reports").await).len(), 1, "twice is once");
    boat.stop().await;
}

#[tokio::test]
async fn listed_domains_are_told_until_they_are_not() {
    let (boat, sim, ana) = house().await;
    let look = async || {
        ana.post("/api/v1/reports/blocklists/check", json!({})).await;
        let notices = ana.get("/api/v1/overview").await["notices"].to_string();
        let listings = ana.get("/api/v1/reports/blocklists/listings").await;
        let gone: Vec<bool> = items(&listings).iter().map(|one| one["gone_at"].is_string()).collect();
        (notices.contains("Spamhaus DBL lists sender.example: phishing"), gone)
    };
    assert_eq!(look().await, (false, vec![]));
    sim.zone.publish_address("sender.example.dbl.spamhaus.org", "127.0.1.4".parse().unwrap());
    // Refuses the question: that is no listing.
    sim.zone.publish_address("sender.example.multi.uribl.com", "127.255.255.254".parse().unwrap());
    for _ in 0..2 {
        assert_eq!(look().await, (true, vec![false]));
    }
    let standing = ana.get("/api/v1/reports/blocklists").await;
    let levels: Vec<_> = items(&standing).iter().map(|one| one["level"].as_str().unwrap()).collect();
    assert_eq!(levels, ["good", "bad", "unsure"], "{standing}");
    sim.zone.withdraw("sender.example.dbl.spamhaus.org");
    assert_eq!(look().await, (false, vec![true]));
    boat.stop().await;
}

#[tokio::test]
async fn returned_mail_for_nobody_is_told_by_reason() {
    let (boat, _sim, ana) = house().await;
    mail(&boat, "dmarc@bounce.sender.example", "text/plain", b"hello").await;
    mail(&boat, "fbl@bounce.sender.example", "text/plain", b"hello").await;
    let told = ana.get("/api/v1/reports/feedback").await;
    assert_eq!(told["mailboxes"], json!(["fbl@bounce.sender.example"]));
    assert_eq!(
        told["unmatched"],
        json!([
            { "name": "it is no DMARC or TLS report", "count": 1 },
            { "name": "it is no feedback report", "count": 1 },
        ])
    );
    let page = ana.get("/api/v1/reports/feedback/unmatched?why=it%20is%20no%20feedback%20report").await;
    assert_eq!((items(&page).len(), &items(&page)[0]["rcpt"]), (1, &json!("fbl@bounce.sender.example")));
    let first = ana.get("/api/v1/reports/feedback/unmatched?limit=1").await;
    let next = ana
        .get(&format!("/api/v1/reports/feedback/unmatched?limit=1&cursor={}", first["next"].as_str().unwrap()))
        .await;
    assert_eq!(items(&next)[0]["rcpt"], "dmarc@bounce.sender.example");
    boat.stop().await;
}
