//! Control of the queue through the API, over sockets to a small simulated internet: pauses, actions, conversations,
//! test deliveries.

mod common;

use api_types::Role;
use common::{Boat, Session, bad, boat_with, good};
use daemon::serve::Overrides;
use reqwest::Method;
use sandbox::{Internet, Options, Providers};
use serde_json::{Value, json};
use std::time::Duration;

const PROVIDERS: &str = r#"
[[provider]]
name = "Albatross"
weight = 1
domains = ["albatross.example"]
mx = [{ host = "mx.albatross-mx.example", preference = 10, ip = "127.32.1.1" }]
[provider.manners]
tls = "offered"

[[provider]]
name = "Grebe"
weight = 1
domains = ["grebe.example"]
mx = [{ host = "mx.grebe-mx.example", preference = 10, ip = "127.32.2.1" }]
[provider.manners]
greylist_ms = 3600000

# Of a family that has a name with a capital letter.
[[provider]]
name = "Gannet"
weight = 1
domains = ["gannet.example"]
mx = [{ host = "aspmx.l.google.com", preference = 10, ip = "127.32.3.1" }]
[provider.manners]
tls = "offered"
"#;

async fn harbour() -> (Boat, sandbox::Running, Session) {
    let providers = Providers::parse(PROVIDERS).unwrap();
    let internet = Internet::start(Options { providers, ..Options::default() }).await.unwrap();
    let more = format!(
        "[smtp]\nremote_port = {}\ntransactional_retry = [\"30m\"]\n[[source]]\nname = \"mx1\"\n[[source]]\nname = \"mx2\"\n\
         ip = \"127.0.0.1\"",
        internet.smtp_port()
    );
    let boat = boat_with(&more, Overrides::default(), &format!("servers = [\"{}\"]", internet.dns())).await;
    let ana = boat.session(Role::Owner).await;
    let domain = ana.post("/api/v1/domains", json!({ "domain": "sender.example" })).await;
    for record in domain["records"].as_array().unwrap().iter().filter(|record| record["kind"] == "TXT") {
        internet.zone().publish_txt(record["name"].as_str().unwrap(), record["wanted"].as_str().unwrap());
    }
    // Nothing signs before its record was seen.
    ana.post(&format!("/api/v1/domains/{}/verify", domain["domain"]["id"]), json!({})).await;
    (boat, internet, ana)
}

async fn send(ana: &Session, address: &str) -> Value {
    ana.post("/api/v1/test-deliveries", json!({ "address": address, "source": "mx2" })).await
}

/// Asks until the answer is as wanted.
async fn until(ana: &Session, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
    let mut last = Value::Null;
    for _ in 0..200 {
        last = ana.get(path).await;
        if wanted(&last) {
            return last;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{path} stays {last}; in the queue: {}", ana.get("/api/v1/recipients").await["items"]);
}

async fn act(ana: &Session, action: Value) -> Value {
    let job = ana.post("/api/v1/queue/actions", action).await;
    until(ana, &format!("/api/v1/queue/jobs/{}", job["id"]), |job| job["state"] == "finished").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_test_delivery_shows_its_conversation() {
    let (boat, internet, ana) = harbour().await;
    let begun = send(&ana, "fine-1@albatross.example").await;
    let path = format!("/api/v1/test-deliveries/{}", begun["recipient"]["id"]);
    let done = until(&ana, &path, |test| test["done"] == true).await;
    let said = done["conversation"].as_str().unwrap();
    assert_eq!(done["recipient"]["state"], "delivered", "{done}");
    assert_eq!(done["recipient"]["source"], "mx2");
    for line in ["S: 220 ", "-- TLSv1.3", "C: RCPT TO:<fine-1@albatross.example>", "and its final dot", "S: 250"] {
        assert!(said.contains(line), "{line}: {said}");
    }
    assert!(!said.contains("Ordered by"), "content is not shown: {said}");
    assert_eq!(internet.ledger().total().dkim_failed + internet.ledger().total().dkim_missing, 0);
    let told = until(&ana, &path, |test| test["timeline"][0]["mx"].is_string()).await;
    let attempt = &told["timeline"][0];
    assert_eq!((&attempt["mx"], &attempt["attempt"]), (&json!("mx.albatross-mx.example"), &json!(1)), "{attempt}");

    for (body, field) in [
        (json!({ "address": "nobody", "source": "mx1" }), "address"),
        (json!({ "address": "a@albatross.example", "source": "mx9" }), "source"),
        (json!({ "address": "a@albatross.example", "source": "mx1", "domain": "other.example" }), "domain"),
    ] {
        let (status, body) = bad(ana.send(Method::POST, "/api/v1/test-deliveries", Some(body)).await).await;
        assert_eq!((status, body.error.field.as_deref()), (422, Some(field)));
    }
    boat.stop().await;
    internet.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_is_found_held_released_and_given_up() {
    let (boat, internet, ana) = harbour().await;
    for n in 1..=12 {
        send(&ana, &format!("fine-{n}@grebe.example")).await;
    }
    let waiting = "/api/v1/recipients?reason=greylisted&provider=grebe-mx.example&limit=5";
    let count = "/api/v1/recipients/count?reason=greylisted&domain=grebe.example";
    until(&ana, count, |count| count["count"] == 12 && count["exact"] == true).await;
    let page = ana.get(waiting).await;
    assert_eq!(page["items"].as_array().unwrap().len(), 5);
    let next = ana.get(&format!("{waiting}&cursor={}", page["next"].as_str().unwrap())).await;
    assert_ne!(next["items"][0]["id"], page["items"][0]["id"]);
    assert_eq!(ana.get("/api/v1/recipients/count?min_age_seconds=3600").await["count"], 0);
    let id = page["items"][0]["id"].as_i64().unwrap();
    let talks = until(&ana, &format!("/api/v1/recipients/{id}/conversations"), |talks| talks[0].is_object()).await;
    assert_eq!(talks[0]["outcome"], "deferred");
    assert!(talks[0]["text"].as_str().unwrap().contains("S: 4"), "{talks}");

    let hold = json!({ "action": "hold", "filter": { "domain": "grebe.example" }, "reason": "asked for" });
    let held = act(&ana, hold).await;
    assert_eq!((&held["matched"], &held["changed"], &held["expected"]), (&json!(12), &json!(12), &json!(12)), "{held}");
    let queue = until(&ana, "/api/v1/queue", |queue| queue["states"][0]["name"] == "held").await;
    assert_eq!(queue["ledger"]["holds"], true);
    assert_eq!(
        (&queue["providers"][0]["name"], &queue["providers"][0]["count"]),
        (&json!("grebe-mx.example"), &json!(12))
    );
    assert_eq!(queue["ages"].as_array().unwrap().len(), queue["age_bounds"].as_array().unwrap().len() + 1);
    let detail = ana.get(&format!("/api/v1/recipients/{id}")).await;
    let told = detail["timeline"].as_array().unwrap().iter().any(|entry| entry["kind"] == "held");
    assert!(told || detail["recipient"]["state"] == "held", "{detail}");

    let skipped = act(&ana, json!({ "action": "retry", "all": true })).await;
    assert_eq!((&skipped["changed"], &skipped["skipped"]), (&json!(0), &json!(12)), "held ones are released first");
    let reroute = act(&ana, json!({ "action": "reroute", "filter": { "state": "held" }, "pool": "source:mx1" })).await;
    assert_eq!(reroute["changed"], 12);
    let release = act(&ana, json!({ "action": "release", "filter": { "ids": [id, id + 1] } })).await;
    assert_eq!(release["changed"], 2);
    let bounce = act(&ana, json!({ "action": "bounce", "filter": { "state": "held" } })).await;
    assert_eq!(bounce["changed"], 10);
    let jobs = ana.get("/api/v1/queue/jobs?limit=2").await;
    assert_eq!((&jobs["items"][0]["action"], &jobs["items"][0]["filter"]), (&json!("bounce"), &json!("state held")));
    let ended = format!("/api/v1/queue/jobs/{}/cancel", bounce["id"]);
    assert_eq!(bad(ana.send(Method::POST, &ended, None).await).await.0, 409);
    assert_eq!(ana.get("/api/v1/recipients/count").await["count"], 2);

    for (body, field) in [
        (json!({ "action": "bounce" }), "filter"),
        (json!({ "action": "bounce", "filter": { "domian": "x" } }), "filter.domian"),
        (json!({ "action": "hold", "filter": { "state": "asleep" } }), "state"),
        (json!({ "action": "reroute", "all": true, "pool": "nowhere" }), "pool"),
        (json!({ "action": "reroute", "all": true }), "pool"),
        (json!({ "action": "hold", "all": true, "pool": "default" }), "pool"),
    ] {
        let (status, answer) = bad(ana.send(Method::POST, "/api/v1/queue/actions", Some(body.clone())).await).await;
        assert_eq!((status, answer.error.field.as_deref()), (422, Some(field)), "{body}");
    }
    boat.stop().await;
    internet.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pause_holds_until_it_is_ended() {
    let (boat, internet, ana) = harbour().await;
    let paused = ana.post("/api/v1/pauses", json!({ "scope": "everything", "reason": "a wrong price" })).await;
    assert_eq!((&paused["what"], &paused["can_end"]), (&json!("everything"), &json!(true)));
    let again = ana.send(Method::POST, "/api/v1/pauses", Some(json!({ "scope": "everything" }))).await;
    assert_eq!(bad(again).await.0, 409);
    for (body, field) in [
        (json!({ "scope": "source", "subject": "mx9" }), "subject"),
        (json!({ "scope": "domain", "subject": "a b" }), "subject"),
        (json!({ "scope": "campaign", "subject": "spring" }), "subject"),
        (json!({ "scope": "provider" }), "subject"),
        (json!({ "scope": "provider", "subject": "Gogle" }), "subject"),
    ] {
        let (status, answer) = bad(ana.send(Method::POST, "/api/v1/pauses", Some(body.clone())).await).await;
        assert_eq!((status, answer.error.field.as_deref()), (422, Some(field)), "{body}");
    }
    let test = send(&ana, "fine-1@albatross.example").await;
    let path = format!("/api/v1/test-deliveries/{}", test["recipient"]["id"]);
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(ana.get(&path).await["recipient"]["state"], "queued");
    let listed = ana.get("/api/v1/pauses").await;
    assert_eq!((listed.as_array().unwrap().len(), &listed[0]["reason"]), (1, &json!("a wrong price")), "{listed}");
    let ended = format!("/api/v1/pauses/{}", paused["id"].as_str().unwrap());
    good(ana.send(Method::DELETE, &ended, None).await).await;
    assert_eq!(bad(ana.send(Method::DELETE, &ended, None).await).await.0, 404);
    let done = until(&ana, &path, |test| test["done"] == true).await;
    assert_eq!(done["recipient"]["state"], "delivered", "{done}");

    // What only reaches one way: the other domain's mail goes on.
    ana.post("/api/v1/pauses", json!({ "scope": "domain", "subject": "Grebe.example" })).await;
    let stopped = send(&ana, "fine-2@grebe.example").await;
    let goes = send(&ana, "fine-3@albatross.example").await;
    until(&ana, &format!("/api/v1/test-deliveries/{}", goes["recipient"]["id"]), |test| test["done"] == true).await;
    let path = format!("/api/v1/recipients/{}", stopped["recipient"]["id"]);
    let waits = until(&ana, &path, |detail| detail["recipient"]["wait_reason"] == "paused").await;
    assert_eq!(waits["recipient"]["attempts"], 0);
    boat.stop().await;
    internet.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_provider_is_paused_and_found_however_its_name_is_written() {
    let (boat, internet, ana) = harbour().await;
    let paused = ana.post("/api/v1/pauses", json!({ "scope": "provider", "subject": "google" })).await;
    assert_eq!((&paused["subject"], &paused["what"]), (&json!("Google"), &json!("mail to the provider Google")));
    let stopped = send(&ana, "fine-1@gannet.example").await;
    let path = format!("/api/v1/recipients/{}", stopped["recipient"]["id"]);
    until(&ana, &path, |detail| detail["recipient"]["wait_reason"] == "paused").await;
    let goes = send(&ana, "fine-1@albatross.example").await;
    until(&ana, &format!("/api/v1/test-deliveries/{}", goes["recipient"]["id"]), |test| test["done"] == true).await;
    for name in ["Google", "google", " GOOGLE "] {
        let count = ana.get(&format!("/api/v1/recipients/count?provider={}", name.replace(' ', "%20"))).await;
        assert_eq!(count["count"], 1, "{name}");
    }
    assert_eq!(ana.get("/api/v1/providers/google").await["name"], "Google");
    let ended = format!("/api/v1/pauses/{}", paused["id"].as_str().unwrap());
    good(ana.send(Method::DELETE, &ended, None).await).await;
    let done = until(&ana, &path, |detail| detail["recipient"]["state"] == "delivered").await;
    assert_eq!((&done["recipient"]["provider"], &done["recipient"]["attempts"]), (&json!("Google"), &json!(1)));

    ana.post("/api/v1/pauses", json!({ "scope": "provider", "subject": "Google" })).await;
    let stopped = send(&ana, "fine-2@gannet.example").await;
    let path = format!("/api/v1/recipients/{}", stopped["recipient"]["id"]);
    until(&ana, &path, |detail| detail["recipient"]["wait_reason"] == "paused").await;
    let given_up = act(&ana, json!({ "action": "bounce", "filter": { "provider": "google" } })).await;
    assert_eq!((&given_up["changed"], &given_up["filter"]), (&json!(1), &json!("provider Google")));
    boat.stop().await;
    internet.shutdown().await;
}
