//! Suppression where it has to hold: an entry made while mail of every path waits in the queue, and a report that comes
//! long after the delivery.

mod common;
mod hook;

use api_types::Role;
use common::{Boat, Session, boat_with, good};
use daemon::serve::Overrides;
use hook::Peer;
use mta::submission::Security;
use reqwest::Method;
use sandbox::{Internet, LedgerOptions, Options, Providers};
use serde_json::{Value, json};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const PROVIDERS: &str = r#"
[[provider]]
name = "Albatross"
weight = 1
domains = ["albatross.example", "sender.example"]
mx = [{ host = "mx.albatross-mx.example", preference = 10, ip = "127.31.9.1" }]
[provider.manners]
tls = "offered"
"#;

const LIST: &str = "/api/v1/suppressions";

struct Harbour {
    boat: Boat,
    internet: sandbox::Running,
    ana: Session,
    // The certificate of submission lies here.
    _dir: tempfile::TempDir,
}

impl Harbour {
    async fn new() -> Harbour {
        let providers = Providers::parse(PROVIDERS).unwrap();
        let ledger = LedgerOptions { keep_last: 100, ..LedgerOptions::default() };
        let internet = Internet::start(Options { providers, ledger, ..Options::default() }).await.unwrap();
        let dir = tempfile::tempdir().unwrap();
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let (certificate, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
        std::fs::write(&certificate, made.cert.pem()).unwrap();
        std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
        let more = format!(
            "[webhook]\nallow_private = true\n[smtp]\nremote_port = {}\ninbound_listen = \"127.0.0.1:0\"\n\
             [submission]\nlisten_tls = [\"127.0.0.1:0\"]\ncertificate_file = {certificate:?}\nkey_file = {key:?}\n\
             [[source]]\nname = \"mx1\"\n[[source]]\nname = \"mx2\"\nip = \"127.0.0.1\"\n",
            internet.smtp_port()
        );
        let boat = boat_with(&more, Overrides::default(), &format!("servers = [\"{}\"]", internet.dns())).await;
        let ana = boat.session(Role::Owner).await;
        internet.zone().publish_address("localhost.localdomain", std::net::Ipv4Addr::LOCALHOST.into());
        ana.sending_domain(internet.zone(), "sender.example").await;
        Harbour { boat, internet, ana, _dir: dir }
    }

    /// A campaign to everybody, launched; its path.
    async fn campaign(&self) -> String {
        let source = "<p>Hello <a href=\"{{ unsubscribe_url }}\">No more</a></p>";
        let template = json!({ "name": "News", "kind": "html", "subject": "News", "source": source });
        let template = self.ana.post("/api/v1/templates", template).await;
        let everybody = json!({ "name": "Everybody", "filter": { "type": "and", "filters": [] } });
        let segment = self.ana.post("/api/v1/segments", everybody).await;
        let draft = json!({
            "name": "Spring", "template_id": template["id"], "segment_id": segment["id"],
            "from_email": "news@sender.example",
        });
        let path = format!("/api/v1/campaigns/{}", self.ana.post("/api/v1/campaigns", draft).await["id"]);
        self.ana.post(&format!("{path}/launch"), json!({ "override": true })).await;
        path
    }

    /// Asks until the answer is as wanted.
    async fn until(&self, path: &str, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        for _ in 0..400 {
            last = self.ana.get(path).await;
            if is(&last) {
                return last;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("never {what}: {path} stays {last}");
    }

    async fn message(&self, stream: &str, to: &[&str]) {
        let letter = json!({
            "from": "shop@sender.example", "to": to, "subject": "Your order", "text": "Thank you.", "stream": stream,
        });
        self.ana.post("/api/v1/messages", letter).await;
    }

    async fn over_smtp(&self, first: usize, count: usize) {
        let wish = json!({ "name": "shop", "domains": ["sender.example"] });
        let made = self.ana.post("/api/v1/smtp-credentials", wish).await;
        let (login, secret) = (made["credential"]["login"].as_str().unwrap(), made["secret"].as_str().unwrap());
        let listeners = &self.boat.running.submission_addrs;
        let port = listeners.iter().find(|(security, _)| *security == Security::Implicit).unwrap().1.port();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/submit.py");
        let mut command = tokio::process::Command::new("python3");
        command.arg(script).args(["tls", &port.to_string(), login, secret, &first.to_string(), &count.to_string()]);
        let output = command.stdin(Stdio::null()).kill_on_drop(true).output().await.unwrap();
        let told = String::from_utf8(output.stdout).unwrap();
        assert!(told.ends_with("done\n"), "{told}");
    }

    async fn suppress(&self, who: &str, covers: &str, global: bool) {
        let entry = json!({ "address": format!("{who}@albatross.example"), "covers": covers, "global": global });
        self.ana.post(LIST, entry).await;
    }

    async fn stop(self) {
        self.boat.stop().await;
        self.internet.shutdown().await;
    }
}

/// Everything waits when the entries are made; then it may go.
#[tokio::test(flavor = "multi_thread")]
async fn what_waits_on_any_path_does_not_go_to_who_is_suppressed_meanwhile() {
    let harbour = Harbour::new().await;
    let ana = &harbour.ana;
    for who in ["camp-free", "camp-all", "camp-marketing", "camp-global"] {
        ana.post("/api/v1/contacts", json!({ "email": format!("{who}@albatross.example") })).await;
    }
    let pause = ana.post("/api/v1/pauses", json!({ "scope": "workspace", "reason": "a moment" })).await;
    let campaign = harbour.campaign().await;
    harbour.until(&format!("{campaign}/progress"), "in the queue", |p| p["audience_complete"] == true).await;
    let single = ["one-free@albatross.example", "one-all@albatross.example", "one-marketing@albatross.example"];
    harbour.message("transactional", &single).await;
    harbour.message("bulk", &["bulk-free@albatross.example", "bulk-marketing@albatross.example"]).await;
    let letter = |to: &str| json!({ "from": "shop@sender.example", "to": [to], "subject": "Hi", "text": "Hi" });
    let batch = [letter("batch-free@albatross.example"), letter("batch-all@albatross.example")];
    ana.post("/api/v1/messages/batch", json!({ "messages": batch })).await;
    harbour.over_smtp(0, 2).await;
    for who in ["test-free", "test-all"] {
        let test = json!({ "address": format!("{who}@albatross.example"), "source": "mx2" });
        ana.post("/api/v1/test-deliveries", test).await;
    }
    let queued = &ana.get("/api/v1/queue").await["ledger"]["queued"];
    assert_eq!(*queued, 4 + 3 + 2 + 2 + 2 + 2, "all of it waits");

    for who in ["camp-all", "one-all", "batch-all", "r1", "test-all"] {
        harbour.suppress(who, "all", false).await;
    }
    for who in ["camp-marketing", "one-marketing", "bulk-marketing"] {
        harbour.suppress(who, "marketing", false).await;
    }
    harbour.suppress("camp-global", "all", true).await;
    let ended = format!("/api/v1/pauses/{}", pause["id"].as_str().unwrap());
    good(ana.send(Method::DELETE, &ended, None).await).await;
    let queue = harbour.until("/api/v1/queue", "empty", |queue| queue["ledger"]["queued"] == 0).await;
    let ledger = &queue["ledger"];
    assert_eq!((&ledger["holds"], &ledger["delivered"], &ledger["suppressed"]), (&json!(true), &json!(7), &json!(8)));

    let received = harbour.internet.ledger().last_messages();
    let mut got: Vec<String> = received.into_iter().flat_map(|mail| mail.recipients).collect();
    got.sort();
    let goes = ["batch-free", "bulk-free", "camp-free", "one-free", "one-marketing", "r0", "test-free"];
    assert_eq!(got, goes.map(|who| format!("{who}@albatross.example")));
    harbour.stop().await;
}

/// One mail, as a receiving server gives it back after it has taken it.
async fn give_back(boat: &Boat, reverse_path: &str, address: &str) {
    let report = format!(
        "EHLO peer.example\r\nMAIL FROM:<>\r\nRCPT TO:<{reverse_path}>\r\nDATA\r\n\
         From: <mailer-daemon@albatross.example>\r\nSubject: Returned\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n\
         --b\r\nContent-Type: text/plain\r\n\r\nSorry.\r\n\
         --b\r\nContent-Type: message/delivery-status\r\n\r\n\
         Reporting-MTA: dns; mx.albatross-mx.example\r\n\r\n\
         Final-Recipient: rfc822; {address}\r\nAction: failed\r\nStatus: 5.1.1\r\n\
         Diagnostic-Code: smtp; 550 5.1.1 <{address}>: no such user here\r\n\r\n--b--\r\n.\r\nQUIT\r\n"
    );
    let mut stream = TcpStream::connect(boat.running.inbound_addr.unwrap()).await.unwrap();
    stream.write_all(report.as_bytes()).await.unwrap();
    let mut replies = String::new();
    stream.read_to_string(&mut replies).await.unwrap();
    assert!(replies.contains("250 2.6.0 taken"), "{replies}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_report_after_the_delivery_corrects_everything_that_told_of_it() {
    let harbour = Harbour::new().await;
    let ana = &harbour.ana;
    for who in ["bo", "cy"] {
        ana.post("/api/v1/contacts", json!({ "email": format!("{who}@albatross.example") })).await;
    }
    let peer = Peer::start().await;
    ana.post("/api/v1/webhooks", json!({ "name": "all", "url": peer.url("/ok") })).await;
    let campaign = harbour.campaign().await;
    let path = format!("{campaign}/progress");
    let before = harbour.until(&path, "finished", |p| p["state"] == "finished").await;
    assert_eq!((&before["delivered"], &before["bounced"]), (&json!(2), &json!(0)));
    peer.wait("/ok", |got| got.iter().filter(|one| one.kind() == "message.delivered").count() == 2).await;

    let mails = harbour.internet.ledger().last_messages();
    let address = "bo@albatross.example";
    let bo = mails.iter().find(|mail| mail.recipients == [address]).unwrap();
    for _ in 0..2 {
        give_back(&harbour.boat, &bo.reverse_path, address).await;
    }
    let entry = harbour.until(&format!("{LIST}?q={address}"), "suppressed", |page| page["items"][0].is_object()).await;
    // What is seen of the entry's commit is seen of all of it.
    let after = ana.get(&path).await;
    assert_eq!((&after["delivered"], &after["bounced"]), (&json!(1), &json!(1)), "{after}");
    let entry = &entry["items"][0];
    let wanted = json!({ "reason": "hard_bounce", "covers": "all", "global": false, "ended": false });
    for (key, value) in wanted.as_object().unwrap() {
        assert_eq!(entry[key], *value, "{entry}");
    }
    assert!(entry["origin"].as_str().unwrap().contains("no such user here"), "{entry}");
    assert_eq!(entry["from"]["campaign"], "Spring", "{entry}");
    let recipient = ana.get(&format!("/api/v1/recipients/{}", entry["from"]["recipient_id"])).await;
    let recipient = &recipient["recipient"];
    assert_eq!((&recipient["state"], &recipient["address"]), (&json!("bounced"), &json!(address)), "{recipient}");

    let contact = ana.get(&format!("/api/v1/contacts?q={address}")).await["items"][0].clone();
    let standing = &contact["standing"];
    assert_eq!((&standing["gets"], &standing["entries"][0]["reason"]), (&json!("nothing"), &json!("hard_bounce")));
    let bounced = |got: &[hook::Got]| got.iter().filter(|one| one.kind() == "message.bounced").count() > 0;
    let got = peer.wait("/ok", bounced).await;
    let told: Vec<_> = got.iter().map(hook::Got::json).filter(|told| told["type"] == "message.bounced").collect();
    assert_eq!((told.len(), &told[0]["data"]["address"]), (1, &json!(address)), "once: {told:?}");
    let history = ana.get(&format!("{LIST}/history?address={address}")).await;
    assert_eq!(history["items"].as_array().unwrap().len(), 1, "{history}");
    harbour.stop().await;
}
