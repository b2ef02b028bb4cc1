//! The life of signing keys in a running daemon: its clock is moved by hand, its DNS is a zone in memory.

mod common;

use api_types::Role;
use common::{Boat, NO_DNS, Session, bad, boat_with, good};
use daemon::serve::Overrides;
use futures_util::future::BoxFuture;
use reqwest::Method;
use sandbox::{Providers, SimOptions, SimWorld, Zone};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};
use world::Clock;

const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;
/// A moment of real time, for what waits for simulated time.
const TICK: Duration = Duration::from_millis(20);
const PATIENCE: Duration = Duration::from_secs(60);

/// A date that the test moves; sleeping takes a moment whatever is asked for, so that jobs see the new date soon.
struct HandClock(AtomicI64);

impl HandClock {
    fn forward(&self, span_ms: i64) {
        self.0.fetch_add(span_ms, Ordering::SeqCst);
    }
}

impl Clock for HandClock {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }

    fn sleep(&self, _: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(TICK))
    }
}

struct Harbour {
    boat: Boat,
    ana: Session,
    zone: Zone,
    clock: Arc<HandClock>,
    id: i64,
}

impl Harbour {
    /// A daemon with a sending domain whose records are not published.
    async fn new() -> Harbour {
        let options = SimOptions::default();
        let SimWorld { dns, zone, .. } = SimWorld::new(&options, Providers::builtin()).unwrap();
        let clock = Arc::new(HandClock(AtomicI64::new(options.start_ms)));
        let overrides = Overrides { dns: Some(dns), clock: Some(clock.clone()), ..Overrides::default() };
        let more = "session_days = 365\n[server]\nhostname = \"mail.sender.example\"\n\
                    [[source]]\nname = \"a\"\nip = \"198.51.100.5\"\nehlo = \"a.sender.example\"";
        let boat = boat_with(more, overrides, NO_DNS).await;
        let ana = boat.session(Role::Admin).await;
        let detail = ana.post("/api/v1/domains", json!({ "domain": "sender.example" })).await;
        let id = detail["domain"]["id"].as_i64().unwrap();
        Harbour { boat, ana, zone, clock, id }
    }

    fn path(&self, rest: &str) -> String {
        format!("/api/v1/domains/{}{rest}", self.id)
    }

    async fn detail(&self) -> Value {
        self.ana.get(&self.path("")).await
    }

    /// Publishes every record that is wanted, in place of what was there.
    async fn publish(&self) {
        let detail = self.detail().await;
        let records = detail["records"].as_array().unwrap().clone();
        for record in &records {
            self.zone.withdraw(record["name"].as_str().unwrap());
        }
        self.zone.publish_address("mail.sender.example", "198.51.100.4".parse().unwrap());
        for record in &records {
            let (name, wanted) = (record["name"].as_str().unwrap(), record["wanted"].as_str().unwrap());
            match record["kind"].as_str().unwrap() {
                "TXT" => self.zone.publish_txt(name, wanted),
                "A" => self.zone.publish_address(name, wanted.parse().unwrap()),
                "PTR" => self.zone.publish_ptr("198.51.100.5".parse().unwrap(), wanted),
                "MX" => self.zone.publish_mx(name, 10, wanted.split(' ').nth(1).unwrap()),
                kind => panic!("a record of the type {kind}"),
            }
        }
    }

    async fn verify(&self) -> Value {
        self.ana.post(&self.path("/verify"), json!({})).await
    }

    /// Waits until the daemon has come to it by itself.
    async fn until(&self, what: &str, holds: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let detail = self.detail().await;
            if holds(&detail) {
                return detail;
            }
            assert!(begun.elapsed() < PATIENCE, "never {what}: {detail:#}");
            tokio::time::sleep(TICK).await;
        }
    }
}

/// `selector: step` of each RSA key.
fn steps(detail: &Value) -> Vec<String> {
    let keys = detail["keys"].as_array().unwrap().iter();
    let rsa = keys.filter(|key| key["algorithm"] == "rsa-sha256");
    rsa.map(|key| format!("{}: {}", key["selector"].as_str().unwrap(), key["step"].as_str().unwrap())).collect()
}

fn told(detail: &Value, text: &str) -> bool {
    detail["events"].as_array().unwrap().iter().any(|event| event["text"].as_str().unwrap().contains(text))
}

#[tokio::test]
async fn from_publishing_to_forgetting() {
    let harbour = Harbour::new().await;
    let detail = harbour.detail().await;
    assert_eq!(
        (steps(&detail), &detail["domain"]["health"]),
        (vec!["pb202601r: waiting".to_owned()], &json!("unchecked"))
    );
    let detail = harbour.verify().await;
    assert_eq!(detail["domain"]["health"], "cannot_sign", "{detail:#}");
    harbour.publish().await;
    let detail = harbour.verify().await;
    assert_eq!(steps(&detail), ["pb202601r: active"]);
    assert_eq!(detail["domain"]["health"], "good", "{detail:#}");
    assert_eq!(detail["domain"]["records_ok"], detail["domain"]["records_total"], "{detail:#}");

    let detail = harbour.ana.post(&harbour.path("/rotate"), json!({})).await;
    assert_eq!(steps(&detail), ["pb202601r: active", "pb202601r2: waiting"]);
    assert_eq!(detail["domain"]["health"], "attention", "nothing is broken while the key before signs");
    let (status, body) = bad(harbour.ana.send(Method::POST, &harbour.path("/rotate"), None).await).await;
    assert_eq!(status, 409);
    assert!(body.error.message.contains("pb202601r2 waits"), "{}", body.error.message);
    harbour.publish().await;
    assert_eq!(steps(&harbour.verify().await), ["pb202601r: active", "pb202601r2: seen"]);

    // From here on time alone does it.
    harbour.clock.forward(HOUR);
    harbour.until("taken over", |d| steps(d) == ["pb202601r: replaced", "pb202601r2: active"]).await;
    let old = |d: &Value| d["keys"][0]["id"].as_i64().unwrap();
    let key = harbour.path(&format!("/keys/{}", old(&harbour.detail().await)));
    let (status, _) = bad(harbour.ana.send(Method::DELETE, &key, None).await).await;
    assert_eq!(status, 409, "mail that it signed is under way");
    harbour.clock.forward(7 * DAY);
    let detail = harbour.until("retired", |d| steps(d) == ["pb202601r: retired", "pb202601r2: active"]).await;
    let record = |d: &Value| {
        let records = d["records"].as_array().unwrap().iter();
        records.filter(|r| r["name"] == "pb202601r._domainkey.sender.example").cloned().collect::<Vec<_>>()
    };
    assert_eq!(record(&detail)[0]["wanted"], "v=DKIM1; k=rsa; p=", "{detail:#}");
    assert_eq!(detail["domain"]["health"], "attention");
    harbour.publish().await;
    assert_eq!(steps(&harbour.verify().await), ["pb202601r: revoked", "pb202601r2: active"]);
    harbour.clock.forward(30 * DAY);
    let detail = harbour.until("removable", |d| steps(d)[0] == "pb202601r: removable").await;
    assert!(record(&detail).is_empty(), "nothing is wanted of it any more");
    for step in ["created_at", "seen_at", "active_at", "replaced_at", "retired_at", "revoked_at", "removable_at"] {
        assert!(detail["keys"][0][step].is_string(), "{step} is dated: {detail:#}");
    }
    good(harbour.ana.send(Method::DELETE, &key, None).await).await;
    let detail = harbour.detail().await;
    assert_eq!(steps(&detail), ["pb202601r2: active"]);
    for text in
        ["The domain was added", "New keys were made: pb202601r2", "pb202601r is retired", "pb202601r was removed"]
    {
        assert!(told(&detail, text), "{text}: {detail:#}");
    }
    harbour.boat.stop().await;
}

#[tokio::test]
async fn a_record_that_disappears_is_noticed_and_its_key_stops_signing() {
    let harbour = Harbour::new().await;
    harbour.publish().await;
    harbour.verify().await;
    harbour.zone.withdraw("pb202601r._domainkey.sender.example");
    harbour.zone.withdraw("_dmarc.sender.example");
    // The daemon looks by itself: after six hours, and then soon again.
    harbour.clock.forward(7 * HOUR);
    let lost = "TXT pb202601r._domainkey.sender.example has disappeared";
    let detail = harbour.until("noticed", |d| told(d, lost)).await;
    assert_eq!(steps(&detail), ["pb202601r: active"], "it is looked for twice");
    assert!(told(&detail, "TXT _dmarc.sender.example has disappeared"), "{detail:#}");
    assert_eq!(detail["domain"]["health"], "broken");
    harbour.clock.forward(HOUR / 2);
    let detail = harbour.until("stopped", |d| steps(d) == ["pb202601r: waiting"]).await;
    assert_eq!(detail["domain"]["health"], "cannot_sign");
    let overview = harbour.ana.get("/api/v1/overview").await;
    let notices = overview["notices"].to_string();
    assert!(notices.contains("sender.example: No key may sign"), "{notices}");

    // A campaign is refused, in a sentence that says what to do.
    let campaign =
        harbour.ana.post("/api/v1/campaigns", json!({ "name": "News", "from_email": "news@sender.example" })).await;
    let check = format!("/api/v1/campaigns/{}/check", campaign["id"]);
    let dkim = |list: &Value| list["points"].as_array().unwrap().iter().find(|p| p["name"] == "dkim").unwrap().clone();
    let point = dkim(&harbour.ana.get(&check).await);
    assert_eq!(point["level"], "fatal");
    assert!(point["message"].as_str().unwrap().contains("publish the record of pb202601r"), "{point}");

    // Unless somebody says so, which is noted.
    let key = detail["keys"][0]["id"].as_i64().unwrap();
    let detail = harbour.ana.post(&harbour.path(&format!("/keys/{key}/sign_anyway")), json!({})).await;
    assert_eq!(steps(&detail), ["pb202601r: active"]);
    assert_eq!(detail["keys"][0]["forced_by"], "admin@example.com");
    assert!(told(&detail, "pb202601r signs although"), "{detail:#}");
    assert_eq!(dkim(&harbour.ana.get(&check).await)["level"], "ok");
    let twice = harbour.ana.send(Method::POST, &harbour.path(&format!("/keys/{key}/sign_anyway")), None).await;
    assert_eq!(bad(twice).await.0, 409);

    // Back in the DNS, all is as it was.
    harbour.publish().await;
    harbour.clock.forward(HOUR);
    let detail = harbour.until("back", |d| d["domain"]["health"] == "good").await;
    assert!(told(&detail, "TXT _dmarc.sender.example is as wanted"), "{detail:#}");
    harbour.boat.stop().await;
}

#[tokio::test]
async fn new_keys_by_schedule() {
    let harbour = Harbour::new().await;
    harbour.publish().await;
    harbour.verify().await;
    let path = harbour.path("/schedule");
    let schedule = |days: Value| harbour.ana.send(Method::PUT, &path, Some(json!({ "every_days": days })));
    let (status, body) = bad(schedule(json!(3)).await).await;
    assert_eq!((status, body.error.field.as_deref()), (422, Some("every_days")));
    let detail = good(schedule(json!(30)).await).await;
    assert_eq!(detail["domain"]["rotate_every_days"], 30);
    harbour.clock.forward(29 * DAY);
    harbour.until("checked", |d| d["domain"]["checked_at"].as_str().unwrap().starts_with("2026-02-03")).await;
    assert_eq!(steps(&harbour.detail().await).len(), 1);
    harbour.clock.forward(DAY + HOUR);
    let detail = harbour.until("made", |d| steps(d).len() == 2).await;
    assert_eq!(steps(&detail), ["pb202601r: active", "pb202602r: waiting"]);
    let detail = good(schedule(Value::Null).await).await;
    assert!(detail["domain"]["rotate_every_days"].is_null());
    harbour.boat.stop().await;
}
