//! A welcome series over several days, through the whole daemon: mail goes to servers on loopback, the date is moved by
//! hand.

mod common;

use api_types::Role;
use common::{Boat, Session, bad, boat_with, good};
use daemon::serve::Overrides;
use futures_util::future::BoxFuture;
use reqwest::Method;
use sandbox::{Internet, LedgerOptions, Options, Providers};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use world::{Clock, SystemClock};

/// One that takes everything, and one that knows nobody.
const PROVIDERS: &str = r#"
[[provider]]
name = "Albatross"
weight = 1
domains = ["albatross.example"]
mx = [{ host = "mx.albatross-mx.example", preference = 10, ip = "127.31.11.1" }]
[provider.manners]
tls = "offered"
[[provider]]
name = "Shut"
weight = 1
domains = ["shut.example"]
mx = [{ host = "mx.shut-mx.example", preference = 10, ip = "127.31.11.2" }]
[provider.manners]
tls = "offered"
unknown_per_mille = 1000
"#;

const LOOK: Duration = Duration::from_millis(50);
const HOUR_MS: i64 = 3_600_000;

/// The machine's clock, moved on by hand.
struct Ahead(AtomicI64);

impl Clock for Ahead {
    fn now_ms(&self) -> i64 {
        SystemClock.now_ms() + self.0.load(Ordering::SeqCst)
    }

    fn sleep(&self, span: Duration) -> BoxFuture<'static, ()> {
        SystemClock.sleep(span.min(LOOK))
    }
}

struct Harbour {
    boat: Boat,
    internet: sandbox::Running,
    ana: Session,
    clock: Arc<Ahead>,
}

impl Harbour {
    async fn new() -> Harbour {
        let providers = Providers::parse(PROVIDERS).unwrap();
        let ledger = LedgerOptions { keep_last: 100, ..LedgerOptions::default() };
        let internet = Internet::start(Options { providers, ledger, ..Options::default() }).await.unwrap();
        let clock = Arc::new(Ahead(AtomicI64::new(0)));
        let overrides = Overrides { clock: Some(clock.clone()), ..Overrides::default() };
        let more = format!("session_days = 365\n[smtp]\nremote_port = {}", internet.smtp_port());
        let boat = boat_with(&more, overrides, &format!("servers = [\"{}\"]", internet.dns())).await;
        let ana = boat.session(Role::Owner).await;
        internet.zone().publish_address("localhost.localdomain", std::net::Ipv4Addr::LOCALHOST.into());
        ana.sending_domain(internet.zone(), "sender.example").await;
        Harbour { boat, internet, ana, clock }
    }

    /// Asks until the answer is as wanted.
    async fn until(&self, path: &str, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        for _ in 0..600 {
            last = self.ana.get(path).await;
            if is(&last) {
                return last;
            }
            tokio::time::sleep(LOOK).await;
        }
        panic!("never {what}: {path} stays {last:#}");
    }

    fn hours(&self, n: i64) {
        self.clock.0.fetch_add(n * HOUR_MS, Ordering::SeqCst);
    }

    async fn joins(&self, email: &str) -> i64 {
        self.ana.post("/api/v1/contacts", json!({ "email": email })).await["id"].as_i64().unwrap()
    }

    /// The program beside the running daemon.
    async fn packetboat(&self, args: &[&str]) -> String {
        let config = self.boat.dir.path().join("packetboat.toml");
        let text = format!("[storage]\ndir = {:?}\n", self.boat.dir.path().join("data"));
        std::fs::write(&config, text).unwrap();
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_packetboat"));
        let output = command.env("PACKETBOAT_CONFIG", &config).args(args).output().await.unwrap();
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
    }
}

fn welcome(template: &Value, list: &Value) -> Value {
    let send = |key: &str, to: &str| {
        let mail = json!({ "type": "send", "template_id": template, "from_email": "news@sender.example", "from_name": "News" });
        json!({ "key": key, "name": format!("Mail {key}"), "action": mail, "to": { "next": to } })
    };
    let wait = |key: &str, minutes: u32, to: &str| json!({ "key": key, "action": { "type": "wait", "minutes": minutes }, "to": { "next": to } });
    json!({
        "list_id": list,
        "start": "hello",
        "steps": [
            send("hello", "two-days"),
            wait("two-days", 2 * 1440, "second"),
            send("second", "another-day"),
            wait("another-day", 1440, "tag"),
            { "key": "tag", "action": { "type": "add_tag", "tag": "welcomed" }, "to": { "next": "end" } },
            { "key": "end", "action": { "type": "exit" } },
        ],
    })
}

/// How every run stands, by address.
fn standing(runs: &Value) -> Vec<String> {
    let all = runs["items"].as_array().unwrap();
    let mut told: Vec<String> = all
        .iter()
        .map(|run| {
            let text = |key: &str| run[key].as_str().unwrap_or_default().to_owned();
            let how = if run["end_reason"].is_null() { "at".to_owned() } else { format!("{} at", text("end_reason")) };
            format!("{} {how} {}", text("email").split('@').next().unwrap(), text("step"))
        })
        .collect();
    told.sort_unstable();
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn a_welcome_series_over_several_days() {
    let harbour = Harbour::new().await;
    let ana = &harbour.ana;
    let list = ana.post("/api/v1/lists", json!({ "name": "News", "default": true })).await["id"].clone();
    let source = "<p>Hello. <a href=\"{{ unsubscribe_url }}\">No more</a></p>";
    let template = json!({ "name": "Hello", "kind": "html", "subject": "Hello", "source": source });
    let template = ana.post("/api/v1/templates", template).await["id"].clone();

    // A step that has no template keeps it from being published, and is named.
    let mut graph = welcome(&json!(null), &list);
    let made = ana.post("/api/v1/journeys", json!({ "name": "Welcome", "graph": graph })).await;
    let path = format!("/api/v1/journeys/{}", made["id"]);
    let check = ana.get(&format!("{path}/check")).await;
    assert_eq!((&check["ready"], &check["points"][1]["step"]), (&json!(false), &json!("hello")), "{check:#}");
    let (status, refusal) = bad(ana.send(Method::POST, &format!("{path}/publish"), None).await).await;
    let expected = "The journey cannot be published: the step “Mail hello”: Choose a template.";
    assert_eq!((status, refusal.error.message.as_str()), (409, expected));
    graph = welcome(&template, &list);
    good(ana.send(Method::PUT, &path, Some(json!({ "name": "Welcome", "graph": graph }))).await).await;
    assert_eq!(ana.post(&format!("{path}/publish"), json!({})).await["state"], "live");

    // Four join: one stays, one unsubscribes, one does not exist, one is suppressed.
    ana.post("/api/v1/suppressions", json!({ "address": "zoe@albatross.example", "covers": "all" })).await;
    let stays = harbour.joins("stays@albatross.example").await;
    harbour.joins("goes@albatross.example").await;
    harbour.joins("nobody@shut.example").await;
    harbour.joins("zoe@albatross.example").await;
    let runs = format!("{path}/runs");
    let bounced = |runs: &Value| standing(runs).iter().any(|run| run == "nobody bounced at two-days");
    harbour.until(&runs, "bounced", bounced).await;
    let both = |journey: &Value| journey["figures"][0]["delivered"] == 2;
    harbour.until(&path, "the first mail with both", both).await;

    // The one-click request of a mail program (RFC 8058 §3.2): the answer comes after the commit that ends the run.
    let received = harbour.internet.ledger().last_messages();
    let mail = received.iter().find(|mail| mail.recipients[0].starts_with("goes@")).unwrap();
    let content = String::from_utf8_lossy(&mail.content).replace("\r\n ", " ");
    let token = content.split("/u/").nth(1).unwrap().split('>').next().unwrap().to_owned();
    let request = harbour.boat.http.post(harbour.boat.url(&format!("/u/{token}")));
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    assert!(request.body("List-Unsubscribe=One-Click").send().await.unwrap().status().is_success());
    let expected = [
        "goes unsubscribed at two-days",
        "nobody bounced at two-days",
        "stays at two-days",
        "zoe not_entered at hello",
    ];
    assert_eq!(standing(&ana.get(&runs).await), expected);

    // Nothing happens before its time; a paused journey does nothing after it.
    harbour.hours(47);
    tokio::time::sleep(10 * LOOK).await;
    assert_eq!(standing(&ana.get(&runs).await), expected);
    assert_eq!(harbour.packetboat(&["journey", "pause", "1"]).await, "Welcome is paused.\n");
    harbour.hours(2);
    tokio::time::sleep(10 * LOOK).await;
    assert_eq!(standing(&ana.get(&runs).await), expected);
    assert_eq!(harbour.packetboat(&["journey", "resume", "1"]).await, "Welcome is live.\n");
    harbour.until(&path, "the second mail", |journey| journey["figures"][2]["delivered"] == 1).await;
    harbour.hours(25);
    let finished = |runs: &Value| standing(runs).iter().any(|run| run == "stays finished at end");
    harbour.until(&runs, "finished", finished).await;

    // Each got what it should, once.
    let ledger = harbour.internet.ledger();
    let copies = ["stays", "goes", "zoe"].map(|who| ledger.copies(&format!("{who}@albatross.example")));
    assert_eq!(copies, [2, 1, 0]);
    let journey = ana.get(&path).await;
    let first = &journey["figures"][0];
    assert_eq!(
        [&first["sent"], &first["delivered"], &first["bounced"], &first["unsubscribed"]],
        [&json!(3), &json!(2), &json!(1), &json!(1)]
    );
    assert_eq!(
        (&journey["entered"], &journey["waiting"], &journey["ended"]["finished"]),
        (&json!(3), &json!(0), &json!(1))
    );

    // The contact's page, its run's log, and the mail as a campaign's.
    let contact = ana.get(&format!("/api/v1/contacts/{stays}")).await;
    assert_eq!(contact["tags"], json!(["welcomed"]));
    let told = |timeline: &Value| timeline.to_string().contains("A journey ended: Welcome: finished.");
    let timeline = harbour.until(&format!("/api/v1/contacts/{stays}/timeline"), "told", told).await.to_string();
    assert!(timeline.contains("Entered a journey: Welcome: joined the list “News”."), "{timeline}");
    assert!(timeline.contains("Welcome, version 1: Mail second"), "the mail names journey and step: {timeline}");
    let all = ana.get(&runs).await;
    let mine = all["items"].as_array().unwrap().iter().find(|run| run["contact_id"] == stays).unwrap();
    let log = ana.get(&format!("{runs}/{}/log", mine["id"])).await;
    let steps: Vec<String> = log["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| format!("{} {}", entry["step"].as_str().unwrap(), entry["result"].as_str().unwrap()))
        .collect();
    assert_eq!(steps, ["hello next", "two-days next", "second next", "another-day next", "tag next", "end ended"]);
    assert_eq!(ana.get("/api/v1/campaigns").await["items"], json!([]));
    let mailing = format!("/api/v1/campaigns/{}", first["campaign_ids"][0]);
    let bounces = ana.get(&format!("{mailing}/recipients?state=bounced")).await;
    assert_eq!(bounces["items"][0]["address"], "nobody@shut.example");
    let (status, _) = bad(ana.send(Method::POST, &format!("{mailing}/cancel"), None).await).await;
    assert_eq!(status, 409);

    // Once is once, whoever asks; and the program says the same.
    let again = json!({ "contact_id": stays });
    let entry = ana.post(&format!("{path}/entries"), again).await;
    assert_eq!(
        (&entry["entered"], &entry["message"]),
        (&json!(false), &json!("The contact has been in it, and it is for once."))
    );
    let refused = harbour.packetboat(&["journey", "enter", "1", "zoe@albatross.example"]).await;
    assert_eq!(refused, "The contact was not let in: the address is suppressed: manual.\n");
    let listed = harbour.packetboat(&["journey", "list"]).await;
    assert_eq!(listed, "   1  live   Welcome: 0 under way, 3 entered\n");
    let shown = harbour.packetboat(&["journey", "show", "1"]).await;
    assert!(shown.contains("Mail hello: 0 waiting, 3 sent, 2 delivered, 1 bounced, 1 unsubscribed"), "{shown}");
    let ended = harbour.packetboat(&["journey", "runs", "1", "--state", "ended", "--step", "two-days"]).await;
    assert!(ended.contains("goes@albatross.example") && !ended.contains("stays@"), "{ended}");
    let finished = harbour.packetboat(&["journey", "runs", "1", "--version", "1", "--reason", "finished"]).await;
    assert!(finished.contains("stays@albatross.example") && !finished.contains("goes@"), "{finished}");
    let run = mine["id"].to_string();
    let log = harbour.packetboat(&["journey", "log", "1", &run]).await;
    assert_eq!(log.lines().count(), steps.len(), "{log}");

    // The end is for good.
    assert_eq!(harbour.packetboat(&["journey", "end", "1"]).await, "Welcome is ended.\n");
    let (status, _) = bad(ana.send(Method::POST, &format!("{path}/resume"), None).await).await;
    assert_eq!(status, 409);
    let (status, _) = bad(ana.send(Method::DELETE, &path, None).await).await;
    assert_eq!(status, 409);
    let (status, said) = bad(ana.send(Method::GET, &format!("{runs}?reason=tired"), None).await).await;
    assert_eq!((status, said.error.field.as_deref()), (422, Some("reason")));
    harbour.boat.stop().await;
    harbour.internet.shutdown().await;
}
