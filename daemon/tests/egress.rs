//! Streams, routes and sources as the API shows them, and a campaign that chooses its stream.

mod common;

use api_types::Role;
use common::{NO_DNS, bad, boat_with, launch};
use daemon::serve::Overrides;
use reqwest::Method;
use sandbox::{Providers, SimOptions, SimWorld};
use serde_json::{Value, json};

const CONFIG: &str = r#"
[[source]]
name = "here"
ip = "127.0.0.1"
ehlo = "mx1.sender.example"
max_rate = "5000/h"
[[source]]
name = "away"
ip = "192.0.2.9"
[[source]]
name = "resting"
ip = "192.0.2.10"
enabled = false
[[stream]]
name = "newsletter"
kind = "bulk"
retry = ["10m", "1h"]
expiry = "1d"
[[route]]
name = "relay"
streams = ["newsletter"]
domains = ["*.partner.example"]
hosts = [{ host = "smtp.relay.example", user = "me", password_file = "PASSWORD" }, { host = "192.0.2.1", tls = "none" }]
then_direct = true
"#;

fn config(dir: &tempfile::TempDir) -> String {
    let file = dir.path().join("password");
    std::fs::write(&file, "se cret\n").unwrap();
    CONFIG.replace("PASSWORD", file.to_str().unwrap())
}

#[tokio::test]
async fn streams_routes_and_sources() {
    let sim = SimWorld::new(&SimOptions::default(), Providers::builtin()).unwrap();
    sim.zone.publish_address("mx1.sender.example", "127.0.0.1".parse().unwrap());
    let dir = tempfile::tempdir().unwrap();
    let overrides = Overrides { dns: Some(sim.dns.clone()), ..Overrides::default() };
    let boat = boat_with(&config(&dir), overrides, NO_DNS).await;
    let admin = boat.session(Role::Admin).await;
    let egress = admin.get("/api/v1/egress").await;
    let names: Vec<&Value> = egress["streams"].as_array().unwrap().iter().map(|stream| &stream["name"]).collect();
    assert_eq!(names, ["transactional", "bulk", "newsletter"]);
    let expected = json!({
        "name": "newsletter", "kind": "bulk", "pool": "default", "retry_seconds": [600, 3600], "expiry_seconds": 86400,
    });
    assert_eq!(egress["streams"][2], expected);
    let expected = json!({
        "name": "relay", "streams": ["newsletter"], "domains": ["*.partner.example"],
        "hosts": ["smtp.relay.example, port 587", "192.0.2.1, port 25"], "then_direct": true, "down_until": null,
    });
    assert_eq!(egress["routes"][0], expected);
    assert!(!egress.to_string().contains("se cret"));

    let sources = admin.get("/api/v1/sources").await;
    let short = |source: &Value| {
        let out = source["out"].as_str().unwrap_or("in use");
        format!("{} {} {} {out}", source["name"], source["level"], source["max_rate"])
    };
    let shown: Vec<String> = sources["items"].as_array().unwrap().iter().map(short).collect();
    assert_eq!(
        shown,
        [
            "\"here\" \"off\" \"5000/h\" in use",
            "\"away\" \"bad\" null this host does not have 192.0.2.9",
            "\"resting\" \"off\" null in use",
        ]
    );
    let detail = admin.post("/api/v1/sources/here/check", json!({})).await;
    let checks = detail["source"]["checks"].as_array().unwrap();
    let found: Vec<String> = checks.iter().map(|check| format!("{} {}", check["subject"], check["level"])).collect();
    assert_eq!(
        found,
        [
            "\"address\" \"good\"",
            "\"ptr\" \"off\"",
            "\"forward\" \"off\"",
            "\"ehlo\" \"good\"",
            "\"blocklist\" \"off\"",
            "\"port25\" \"off\"",
        ]
    );
    assert_eq!(detail["source"]["level"], "good");
    assert_eq!(admin.get("/api/v1/sources/here").await["source"], detail["source"]);
    let (status, _) = bad(admin.send(Method::POST, "/api/v1/sources/nobody/check", Some(json!({}))).await).await;
    assert_eq!(status, 404);
    let viewer = boat.session(Role::Viewer).await;
    let (status, _) = bad(viewer.send(Method::POST, "/api/v1/sources/here/check", Some(json!({}))).await).await;
    assert_eq!(status, 403);
    let notices = viewer.get("/api/v1/overview").await["notices"].to_string();
    assert!(notices.contains("The source away is out, this host does not have 192.0.2.9"), "{notices}");
    assert!(!notices.contains("resting") && !notices.contains("here:"), "{notices}");
    boat.stop().await;
}

#[tokio::test]
async fn a_campaign_chooses_its_stream() {
    let dir = tempfile::tempdir().unwrap();
    let boat = boat_with(&config(&dir), Overrides::default(), NO_DNS).await;
    let marketer = boat.session(Role::Marketer).await;
    let made = marketer.post("/api/v1/campaigns", json!({ "name": "One", "from_email": "news@sender.example" })).await;
    assert_eq!((&made["stream"], &made["pool"]), (&json!("bulk"), &json!("")));
    let path = format!("/api/v1/campaigns/{}", made["id"]);
    let egress_point = async |stream: &str| {
        let input = json!({ "name": "One", "from_email": "news@sender.example", "stream": stream });
        let saved = marketer.send(Method::PUT, &path, Some(input)).await;
        assert!(saved.status().is_success());
        let list = marketer.get(&format!("{path}/check")).await;
        let point = list["points"].as_array().unwrap().iter().find(|point| point["name"] == "egress").unwrap().clone();
        format!("{} {}", point["level"].as_str().unwrap(), point["message"].as_str().unwrap())
    };
    assert_eq!(egress_point("newsletter").await, "ok Leaves from the pool “default” as “newsletter”.");
    let unknown = "fatal There is no stream “transactional” for campaigns; streams are bulk, newsletter.";
    assert_eq!(egress_point("transactional").await, unknown);
    boat.stop().await;
}

#[tokio::test]
async fn a_route_without_its_password_keeps_the_daemon_from_starting() {
    let dir = tempfile::tempdir().unwrap();
    let text = CONFIG.replace("PASSWORD", "/nonexistent/password");
    let error = launch(dir.path(), &text, Overrides::default(), NO_DNS).await.err().map(|e| format!("{e:#}")).unwrap();
    let expected = "the route relay: the secret route_password_relay cannot be read from /nonexistent/password";
    assert!(error.starts_with(expected), "{error}");
}
