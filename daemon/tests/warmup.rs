//! Warm-up from the checklist to the wire, with the API and the command line.

mod common;

use api_types::Role;
use common::{Boat, Session, bad, boat_with};
use daemon::serve::Overrides;
use reqwest::Method;
use sandbox::{Internet, Options, Providers};
use serde_json::{Value, json};
use std::pin::Pin;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

const PROVIDERS: &str = r#"
[[provider]]
name = "Albatross"
weight = 1
domains = ["albatross.example"]
mx = [{ host = "mx.albatross-mx.example", preference = 10, ip = "127.32.1.1" }]
[provider.manners]
tls = "offered"
"#;
const PROVIDER: &str = "albatross-mx.example";
const PEOPLE: usize = 20;

/// It is noon, 2026-01-05 (UTC), when the test begins.
struct Noon(Instant);

impl world::Clock for Noon {
    fn now_ms(&self) -> i64 {
        1_767_614_400_000 + i64::try_from(self.0.elapsed().as_millis()).unwrap()
    }

    fn sleep(&self, span: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(tokio::time::sleep(span))
    }
}

async fn harbour() -> (Boat, sandbox::Running) {
    let providers = Providers::parse(PROVIDERS).unwrap();
    let internet = Internet::start(Options { providers, ..Options::default() }).await.unwrap();
    let more = format!(
        "[smtp]\nremote_port = {}\n[[source]]\nname = \"new\"\nwarmup = \"own\"\n[[warmup_plan]]\nname = \"own\"\nstages = [5, 500]",
        internet.smtp_port()
    );
    let dns = format!("servers = [\"{}\"]", internet.dns());
    let overrides = Overrides { clock: Some(Arc::new(Noon(Instant::now()))), ..Overrides::default() };
    (boat_with(&more, overrides, &dns).await, internet)
}

/// A draft to everybody, from the domain `sender.example`.
async fn draft(internet: &sandbox::Running, ana: &Session) -> i64 {
    let domain = ana.post("/api/v1/domains", json!({ "domain": "sender.example" })).await;
    for record in domain["records"].as_array().unwrap() {
        let text = |key: &str| record[key].as_str().unwrap();
        if text("kind") == "TXT" {
            internet.zone().publish_txt(text("name"), text("wanted"));
        }
    }
    // Keys sign once their records are seen.
    ana.post(&format!("/api/v1/domains/{}/verify", domain["domain"]["id"]), json!({})).await;
    for n in 1..=PEOPLE {
        ana.post("/api/v1/contacts", json!({ "email": format!("person-{n}@albatross.example") })).await;
    }
    let template = json!({ "name": "Hello", "kind": "html", "subject": "Hello", "source": "<p>Hello</p>" });
    let template = ana.post("/api/v1/templates", template).await;
    let draft = json!({ "name": "First", "template_id": template["id"], "from_email": "news@sender.example" });
    ana.post("/api/v1/campaigns", draft).await["id"].as_i64().unwrap()
}

fn point(checklist: &Value) -> Value {
    let points = checklist["points"].as_array().unwrap();
    points.iter().find(|point| point["name"] == "warm_up").cloned().unwrap_or_default()
}

/// Asks until `good`, for at most twenty seconds.
async fn until(ana: &Session, path: &str, good: impl Fn(&Value) -> bool) -> Value {
    let began = Instant::now();
    loop {
        let found = ana.get(path).await;
        if good(&found) {
            return found;
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{path}: {found}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// Runs the program beside the daemon.
async fn packetboat(boat: &Boat, args: &[&str]) -> String {
    let config = boat.dir.path().join("packetboat.toml");
    std::fs::write(&config, format!("[storage]\ndir = {:?}\n", boat.dir.path().join("data"))).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_packetboat"));
    command.env("PACKETBOAT_CONFIG", &config).arg("warmup").args(args);
    let output = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    out.into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_campaign_from_a_new_source() {
    let (boat, internet) = harbour().await;
    let ana = boat.session(Role::Owner).await;
    let id = draft(&internet, &ana).await;
    let warning = point(&ana.get(&format!("/api/v1/campaigns/{id}/check")).await);
    assert_eq!(warning["level"], "warning", "{warning}");
    let told = warning["message"].as_str().unwrap();
    let expected = format!("The warm-up allows 5 to {PROVIDER} today, this campaign needs {PEOPLE}. If every day goes");
    assert!(told.starts_with(&expected) && told.contains("Tuesday 2026-01-06 00:4"), "{told}");

    ana.post(&format!("/api/v1/campaigns/{id}/launch"), json!({})).await;
    let progress = format!("/api/v1/campaigns/{id}/progress");
    until(&ana, &progress, |figures| figures["delivered"] == 1 && figures["queued"] == PEOPLE - 1).await;
    let waits = json!([{ "name": "warm_up", "count": PEOPLE - 1 }]);
    until(&ana, "/api/v1/queue", |queue| queue["reasons"] == waits).await;
    let lines = ana.get("/api/v1/warmup?axis=source").await;
    let line = &lines["items"][0];
    let told = |line: &Value| {
        let text = |key: &str| line[key].to_string();
        ["subject", "provider", "state", "stage", "allowed", "sent", "delivered"].map(text).join(" ")
    };
    assert_eq!(told(line), format!("\"new\" \"{PROVIDER}\" \"running\" 1 5 1 1"), "{lines}");

    let listed = packetboat(&boat, &["list"]).await;
    assert!(
        listed.contains("source new") && listed.contains("stage 1 of 2") && listed.contains("today 1 of 5"),
        "{listed}"
    );
    assert!(packetboat(&boat, &["pause", "new", PROVIDER]).await.contains("stage 1 of 2, paused"));
    let again = ana.send(Method::POST, &format!("/api/v1/warmup/{}/pause", line["id"]), None).await;
    assert_eq!(bad(again).await.0, 409);
    // At five a day: the rest of today, then three whole days.
    let foreseen = packetboat(&boat, &["forecast", "--campaign", &id.to_string()]).await;
    assert!(foreseen.contains("19 waiting  4 today, finishes about Friday 2026-01-09 00:00"), "{foreseen}");
    assert!(packetboat(&boat, &["resume", "new", PROVIDER]).await.contains("resumed by terminal"));
    let wrong = json!({ "stage": 9 });
    let wrong = ana.send(Method::POST, &format!("/api/v1/warmup/{}/stage", line["id"]), Some(wrong)).await;
    assert_eq!(bad(wrong).await.1.error.field.as_deref(), Some("stage"));
    assert!(packetboat(&boat, &["set-stage", "new", PROVIDER, "done"]).await.contains("warm"));
    until(&ana, &progress, |figures| figures["delivered"] == PEOPLE).await;
    boat.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sending_domain_begins_and_ends() {
    let (boat, internet) = harbour().await;
    let ana = boat.session(Role::Owner).await;
    let begin = |domain: &str, plan: &str| {
        let body = json!({ "domain": domain, "plan": plan });
        ana.send(Method::POST, "/api/v1/warmup/domains", Some(body))
    };
    assert_eq!(bad(begin("sender.example", "own").await).await.1.error.field.as_deref(), Some("domain"));
    let id = draft(&internet, &ana).await;
    assert_eq!(bad(begin("sender.example", "steep").await).await.1.error.field.as_deref(), Some("plan"));
    assert!(packetboat(&boat, &["begin-domain", "Sender.example", "own"]).await.contains("follows the plan own"));
    ana.post(&format!("/api/v1/campaigns/{id}/launch"), json!({})).await;
    let lines = until(&ana, "/api/v1/warmup?axis=domain", |lines| lines["items"][0]["delivered"] == 1).await;
    assert_eq!(lines["items"][0]["subject"], "sender.example");
    assert!(packetboat(&boat, &["plans"]).await.contains("own: 5 500"));
    packetboat(&boat, &["end-domain", "sender.example"]).await;
    assert_eq!(ana.get("/api/v1/warmup/domains").await, json!([]));
    assert_eq!(ana.get("/api/v1/warmup?axis=domain").await["items"], json!([]));
    boat.stop().await;
}
