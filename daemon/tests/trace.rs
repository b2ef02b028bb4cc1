//! Everything about one recipient in one place, from the queue to the complaint, and everything sent to one address.

mod common;
mod hook;

use api_types::Role;
use common::{Boat, Session, bad, boat_with, good};
use daemon::serve::Overrides;
use hook::Peer;
use reqwest::{Method, Response};
use sandbox::{Internet, LedgerOptions, Options, Providers};
use serde_json::{Value, json};
use std::time::Duration;

const PROVIDERS: &str = r#"
[[provider]]
name = "Albatross"
weight = 1
domains = ["albatross.example", "sender.example"]
mx = [{ host = "mx.albatross-mx.example", preference = 10, ip = "127.31.8.1" }]
[provider.manners]
tls = "offered"
"#;

const BO: &str = "fine-bo@albatross.example";
const CY: &str = "fine-cy@albatross.example";

async fn harbour() -> (Boat, sandbox::Running, Session) {
    let providers = Providers::parse(PROVIDERS).unwrap();
    let ledger = LedgerOptions { keep_last: 100, ..LedgerOptions::default() };
    let internet = Internet::start(Options { providers, ledger, ..Options::default() }).await.unwrap();
    let more = format!(
        "[smtp]\nremote_port = {}\nconversation = \"all\"\n[webhook]\nallow_private = true",
        internet.smtp_port()
    );
    let boat = boat_with(&more, Overrides::default(), &format!("servers = [\"{}\"]", internet.dns())).await;
    let ana = boat.session(Role::Owner).await;
    internet.zone().publish_address("localhost.localdomain", std::net::Ipv4Addr::LOCALHOST.into());
    ana.sending_domain(internet.zone(), "sender.example").await;
    (boat, internet, ana)
}

/// A campaign to Bo and Cy, when it is finished.
async fn campaign(ana: &Session) -> i64 {
    let source = "<p>Hello. <a href=\"{{ unsubscribe_url }}\">No more</a></p>";
    let template = json!({ "name": "News", "kind": "html", "subject": "News", "source": source });
    let template = ana.post("/api/v1/templates", template).await["id"].clone();
    for email in [BO, CY] {
        ana.post("/api/v1/contacts", json!({ "email": email })).await;
    }
    let filter = json!({ "type": "and", "filters": [] });
    let segment = ana.post("/api/v1/segments", json!({ "name": "All", "filter": filter })).await["id"].clone();
    let draft = json!({
        "name": "Spring", "template_id": template, "segment_id": segment, "from_email": "news@sender.example",
    });
    let id = ana.post("/api/v1/campaigns", draft).await["id"].as_i64().unwrap();
    ana.post(&format!("/api/v1/campaigns/{id}/launch"), json!({})).await;
    until(ana, &format!("/api/v1/campaigns/{id}/progress"), |progress| progress["state"] == "finished").await;
    id
}

/// What the API says, once it is as wanted.
async fn until(ana: &Session, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    for _ in 0..600 {
        let found = ana.get(path).await;
        if wanted(&found) {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("{path} stays {:#}", ana.get(path).await);
}

/// The mail that arrived: its header, and the address that its reports return to.
fn arrived(internet: &sandbox::Running, to: &str) -> (String, String) {
    let all = internet.ledger().last_messages();
    let found = all.into_iter().rev().find(|received| received.recipients.iter().any(|one| one == to)).unwrap();
    let content = String::from_utf8_lossy(&found.content).into_owned();
    (content.split("\r\n\r\n").next().unwrap().to_owned(), found.reverse_path)
}

fn report(action: &str, status: &str, words: &str) -> String {
    format!(
        "From: <mailer-daemon@albatross.example>\r\nSubject: Report\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=b\r\n\r\n\
         --b\r\nContent-Type: text/plain\r\n\r\nA report.\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n\
         Reporting-MTA: dns; albatross.example\r\n\r\nFinal-Recipient: rfc822; {BO}\r\nAction: {action}\r\n\
         Status: {status}\r\nDiagnostic-Code: smtp; {words}\r\n\r\n--b--\r\n"
    )
}

fn complaint(header: &str) -> String {
    format!(
        "From: <fbl@albatross.example>\r\nSubject: complaint\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=feedback-report; boundary=b\r\n\r\n\
         --b\r\nContent-Type: text/plain\r\n\r\nSpam.\r\n--b\r\nContent-Type: message/feedback-report\r\n\r\n\
         Feedback-Type: abuse\r\nUser-Agent: Albatross/1\r\nVersion: 1\r\n\r\n\
         --b\r\nContent-Type: message/rfc822\r\n\r\n{header}\r\n\r\nHello\r\n--b--\r\n"
    )
}

/// A program that brings mail, and may do nothing else.
struct Feeder<'a> {
    boat: &'a Boat,
    key: String,
}

impl Feeder<'_> {
    async fn send(&self, method: Method, path: &str, body: String) -> Response {
        self.boat.http.request(method, self.boat.url(path)).bearer_auth(&self.key).body(body).send().await.unwrap()
    }

    async fn bring(&self, rcpt: &str, mail: String) -> Value {
        good(self.send(Method::POST, &format!("/api/v1/inbound?rcpt={rcpt}"), mail).await).await
    }
}

/// The kinds of a trace from the first to the last, without what webhooks were told.
fn story(detail: &Value) -> Vec<&str> {
    let entries = detail["timeline"].as_array().unwrap().iter().rev();
    entries.map(|entry| entry["kind"].as_str().unwrap()).filter(|kind| *kind != "webhook").collect()
}

fn of_kind<'d>(detail: &'d Value, kind: &str) -> &'d Value {
    let mut entries = detail["timeline"].as_array().unwrap().iter();
    entries.find(|entry| entry["kind"] == kind).unwrap_or_else(|| panic!("no {kind} in {detail:#}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn one_recipient_from_the_queue_to_the_complaint() {
    let (boat, internet, ana) = harbour().await;
    let peer = Peer::start().await;
    let hook = json!({ "name": "desk", "url": peer.url("/desk") });
    let hook = ana.post("/api/v1/webhooks", hook).await["webhook"]["id"].clone();
    ana.post("/api/v1/reply-addresses", json!({ "address": "hello@bounce.sender.example" })).await;
    let id = campaign(&ana).await;
    let log = ana.get(&format!("/api/v1/campaigns/{id}/recipients?q={BO}")).await;
    let recipient = format!("/api/v1/recipients/{}", log["items"][0]["id"]);
    let (header, return_path) = arrived(&internet, BO);
    let unfolded = header.replace("\r\n ", " ").replace("\r\n\t", " ");
    let line = |name: &str| unfolded.lines().find_map(|line| line.strip_prefix(name)).unwrap().to_owned();

    let made = ana.post("/api/v1/api_keys", json!({ "name": "feeder", "scopes": ["inbound"] })).await;
    let feeder = Feeder { boat: &boat, key: made["key"].as_str().unwrap().to_owned() };
    assert_eq!(bad(feeder.send(Method::GET, &recipient, String::new()).await).await.0, 403);
    for _ in 0..2 {
        feeder.bring(&return_path, report("relayed", "2.0.0", "250 went on")).await;
    }
    feeder.bring(&return_path, report("delayed", "4.4.1", "451 4.4.1 still trying")).await;
    let answer = format!(
        "From: {BO}\r\nSubject: Re: News\r\nMessage-ID: <1@albatross.example>\r\nIn-Reply-To: {}\r\n\r\nWho is it?",
        line("Message-ID: ")
    );
    feeder.bring("hello@bounce.sender.example", answer).await;
    let link = line("List-Unsubscribe: ").split(['<', '>']).nth(1).unwrap().to_owned();
    let click = boat.http.post(&link).header("content-type", "application/x-www-form-urlencoded");
    assert_eq!(click.body("List-Unsubscribe=One-Click").send().await.unwrap().status(), 200);
    let told = feeder.bring("fbl@bounce.sender.example", complaint(&header)).await;
    assert_eq!(told[0]["done"], "complained", "{told}");
    feeder.bring(&return_path, report("failed", "5.1.1", "550 5.1.1 no such user here")).await;

    let told = |detail: &Value, n: usize| {
        let entries = detail["timeline"].as_array().unwrap().iter();
        entries.filter(|entry| entry["kind"] == "webhook" && entry["reply"] == "HTTP 200 thanks").count() == n
    };
    // The delivery, the delay, the answer, the wish, the complaint and the late bounce are told; the rest stays here.
    let detail = until(&ana, &recipient, |detail| told(detail, 6)).await;
    let expected = [
        "accepted",
        "delivered",
        "relayed",
        "delayed",
        "replied",
        "suppression_added",
        "unsubscribed",
        "complained",
        "bounced",
        "suppression_added",
    ];
    assert_eq!(story(&detail), expected, "{detail:#}");
    assert_eq!((&detail["recipient"]["state"], &detail["notes"]), (&json!("bounced"), &json!([])), "{detail:#}");
    assert_eq!(of_kind(&detail, "accepted")["summary"], "Queued by the campaign Spring.");
    let talk = of_kind(&detail, "delivered")["conversation"].as_str().unwrap();
    assert!(talk.contains(&format!("RCPT TO:<{BO}>")), "{talk}");
    assert_eq!(of_kind(&detail, "replied")["leads_to"]["to"], "reply");
    let link = json!({ "to": "suppressions", "name": BO });
    assert_eq!(of_kind(&detail, "suppression_added")["leads_to"], link);
    let webhook = of_kind(&detail, "webhook");
    assert_eq!(webhook["leads_to"], json!({ "to": "webhook", "id": hook, "name": "desk" }));
    let late = of_kind(&detail, "bounced");
    assert!(late["summary"].as_str().unwrap().starts_with("A report came back"), "{late}");
    assert_eq!((&late["class"], &late["reply"]), (&json!("bad_mailbox"), &json!("550 5.1.1 no such user here")));

    // A person lifts the suppression: that belongs to the story, too.
    let listed = ana.get(&format!("/api/v1/suppressions?q={BO}")).await;
    let hard = listed["items"].as_array().unwrap().iter().find(|row| row["reason"] == "hard_bounce").unwrap();
    let why = json!({ "reason": "a mistake of theirs" });
    ana.post(&format!("/api/v1/suppressions/{}/remove", hard["id"]), why).await;
    let detail = until(&ana, &recipient, |detail| story(detail).contains(&"suppression_removed")).await;
    let lifted = of_kind(&detail, "suppression_removed")["summary"].as_str().unwrap();
    assert!(lifted.contains("a mistake of theirs") && lifted.contains("owner@example.com"), "{lifted}");

    figures_lead_to_who_did_it(&ana, id).await;
    by_address(&boat, &ana, &log["items"][0]).await;
    boat.stop().await;
    internet.shutdown().await;
}

async fn figures_lead_to_who_did_it(ana: &Session, id: i64) {
    let progress = ana.get(&format!("/api/v1/campaigns/{id}/progress")).await;
    let share =
        |response: &str, count: u64, percent: f64| json!({ "response": response, "count": count, "percent": percent });
    // One of the two was delivered in the end.
    let expected = json!([
        share("unsubscribed", 1, 100.0),
        share("left", 0, 0.0),
        share("complained", 1, 100.0),
        share("replied", 1, 100.0),
    ]);
    assert_eq!(progress["responses"], expected, "{progress}");
    for (query, expected) in [
        ("response=complained", vec![BO]),
        ("response=unsubscribed&state=bounced", vec![BO]),
        ("response=left", vec![]),
        ("source=default", vec![BO, CY]),
        ("source=elsewhere", vec![]),
    ] {
        let page = ana.get(&format!("/api/v1/campaigns/{id}/recipients?{query}")).await;
        let found: Vec<&str> =
            page["items"].as_array().unwrap().iter().map(|row| row["address"].as_str().unwrap()).collect();
        assert_eq!(found, expected, "{query}");
    }
    let wrong = ana.send(Method::GET, &format!("/api/v1/campaigns/{id}/recipients?response=laughed"), None).await;
    assert_eq!(bad(wrong).await.1.error.field.as_deref(), Some("response"));
}

async fn by_address(boat: &Boat, ana: &Session, first: &Value) {
    let letter = json!({ "from": "shop@sender.example", "to": [BO], "subject": "Your order", "text": "Thanks." });
    ana.post("/api/v1/messages", letter).await;
    let path = "/api/v1/trace?address=Fine-Bo@ALBATROSS.example";
    let done = |found: &Value| found["recipients"]["items"][0]["state"] == "delivered";
    let found = until(ana, path, done).await;
    let items = found["recipients"]["items"].as_array().unwrap();
    assert_eq!((items.len(), &items[1]["id"], &items[1]["campaign"]), (2, &first["id"], &json!("Spring")), "{found:#}");
    let standing = &found["standing"];
    assert_eq!((&standing["contact_id"], &standing["soft_bounces"]), (&first["contact_id"], &json!(0)), "{standing}");
    assert_eq!(standing["suppressions"][0]["reason"], "unsubscribe", "{standing}");
    let responses: Vec<&str> =
        standing["responses"].as_array().unwrap().iter().map(|sum| sum["response"].as_str().unwrap()).collect();
    assert_eq!(responses, ["unsubscribed", "complained", "replied", "relayed"]);
    // Page by page, and after the contact is gone.
    let page = ana.get(&format!("{path}&limit=1")).await;
    let next = page["recipients"]["next"].as_str().unwrap();
    let gone = ana.send(Method::DELETE, &format!("/api/v1/contacts/{}", first["contact_id"]), None).await;
    good(gone).await;
    let page = ana.get(&format!("{path}&limit=1&cursor={next}")).await;
    assert_eq!((&page["recipients"]["items"][0]["id"], &page["standing"]["contact_id"]), (&first["id"], &json!(null)));
    let wrong = ana.send(Method::GET, "/api/v1/trace?address=bo", None).await;
    assert_eq!(bad(wrong).await.1.error.field.as_deref(), Some("address"));

    for (what, wanted) in [
        (BO.to_owned(), vec!["campaign Spring", "unsubscribe", "complained 1 times", "message 1"]),
        (first["id"].to_string(), vec!["Queued by the campaign Spring.", "RCPT TO", "The webhook desk was told"]),
    ] {
        let config = boat.dir.path().join("packetboat.toml");
        std::fs::write(&config, format!("[storage]\ndir = {:?}\n", boat.dir.path().join("data"))).unwrap();
        let run = tokio::task::spawn_blocking(move || {
            let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_packetboat"));
            command.env("PACKETBOAT_CONFIG", &config).args(["trace", &what]).output().unwrap()
        });
        let output = run.await.unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        wanted.iter().for_each(|wanted| assert!(text.contains(wanted), "no {wanted} in {text}"));
    }
}
