//! Limits, rules and automations through the API.

mod common;

use api_types::Role;
use common::{bad, boat_with};
use daemon::serve::Overrides;
use reqwest::Method;
use sandbox::{Internet, Options, Providers};
use serde_json::{Value, json};
use storage::automation::{self, Automation, Scope};
use storage::{AutomationId, WorkspaceId};

const WORLD: &str = r#"
[[provider]]
name = "Google"
domains = ["gmail.example"]
mx = [{ host = "gmail-smtp-in.l.google.com", preference = 10, ip = "127.32.1.1" }]
"#;

const LIMITS: &str =
    "[[source]]\nname = \"mx1\"\n[[shaping]]\ndomain = \"gmail.example\"\nsource = \"mx1\"\nmessage_rate = \"7/min\"";

fn limit<'v>(explained: &'v Value, name: &str) -> (&'v str, &'v str) {
    let limits = explained["limits"].as_array().unwrap();
    let found = limits.iter().find(|limit| limit["name"] == name).unwrap();
    (found["value"].as_str().unwrap(), found["layer"].as_str().unwrap())
}

#[tokio::test]
async fn limits_are_explained() {
    let internet =
        Internet::start(Options { providers: Providers::parse(WORLD).unwrap(), ..Options::default() }).await.unwrap();
    let dns = format!("servers = [\"{}\"]", internet.dns());
    let boat = boat_with(LIMITS, Overrides::default(), &dns).await;
    let ana = boat.session(Role::Viewer).await;
    let explained = ana.get("/api/v1/explain?domain=gmail.example&source=mx1").await;
    assert_eq!(explained["provider"], "Google");
    assert_eq!(explained["hosts"], json!(["gmail-smtp-in.l.google.com"]));
    assert_eq!(limit(&explained, "provider_connections"), ("5", "provider Google"));
    let own = "packetboat.toml, [[shaping]] 1 (domain gmail.example, source mx1)";
    assert_eq!(limit(&explained, "message_rate"), ("7/min", own));
    let without = ana.get("/api/v1/explain?domain=gmail.example").await;
    assert_eq!(limit(&without, "message_rate"), ("100/s", "default"));
    for (query, field) in [
        ("domain=gmail.example&source=mx9", "source"),
        ("domain=no..dots", "domain"),
        ("domain=gone.example", "domain"),
    ] {
        let (status, body) = bad(ana.send(Method::GET, &format!("/api/v1/explain?{query}"), None).await).await;
        assert_eq!((status, body.error.field.as_deref()), (422, Some(field)), "{query}");
    }

    let all = ana.get("/api/v1/providers").await;
    let names: Vec<&str> = all["items"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert!(names.len() >= 12 && names.contains(&"Microsoft 365"), "{names:?}");
    let one = ana.get("/api/v1/providers/Microsoft%20365").await;
    assert_eq!(limit(&one, "messages_per_connection"), ("50", "provider Microsoft 365"));
    let (status, _) = bad(ana.send(Method::GET, "/api/v1/providers/nobody.example", None).await).await;
    assert_eq!(status, 404);
    boat.stop().await;
}

#[tokio::test]
async fn replies_are_judged() {
    let boat = common::boat().await;
    let ana = boat.session(Role::Viewer).await;
    let judge = async |reply: &str, stage: &str, provider: &str| {
        ana.post("/api/v1/rules/test", json!({ "reply": reply, "stage": stage, "provider": provider })).await
    };
    let rate = judge("421 4.7.28 unusual rate", "", "Google").await;
    assert_eq!((&rate["class"], &rate["rule"]), (&json!("rate_limit"), &json!("google-unusual-rate")));
    assert!(rate["effect"].as_str().unwrap().contains("nothing goes for 10 min"), "{rate}");
    let unknown = judge("550 5.1.1 no such user", "rcpt", "Google").await;
    assert_eq!((&unknown["kind"], &unknown["rule"]), (&json!("hard"), &Value::Null));
    assert!(unknown["recipient"].as_str().unwrap().contains("suppressed"), "{unknown}");
    let refused = judge("550 5.7.515 Access denied, sending domain", "message", "Microsoft 365").await;
    assert_eq!(refused["recipient"], "Waits for 1 h; the attempt does not count.");
    assert!(refused["alarm"].is_string(), "{refused}");
    let yes = judge("250 2.0.0 Ok", "message", "").await;
    assert_eq!((&yes["class"], &yes["recipient"]), (&Value::Null, &json!("Accepted.")));
    for (reply, stage, field) in [("hello", "", "reply"), ("421 no", "nowhere", "stage")] {
        let body = json!({ "reply": reply, "stage": stage });
        let (status, body) = bad(ana.send(Method::POST, "/api/v1/rules/test", Some(body)).await).await;
        assert_eq!((status, body.error.field.as_deref()), (422, Some(field)));
    }
    boat.stop().await;
}

#[tokio::test]
async fn automations_are_listed_and_lifted() {
    let boat = common::boat().await;
    let ana = boat.session(Role::Admin).await;
    let row = |id: i64, workspace: i64, scope: Scope| Automation {
        id: AutomationId(id),
        workspace_id: WorkspaceId(workspace),
        scope,
        source: (scope == Scope::SourceProvider).then(|| "default".to_owned()),
        site: None,
        provider: "Yahoo".to_owned(),
        domain: (scope == Scope::DomainProvider).then(|| "sender.example".to_owned()),
        campaign_id: None,
        rule: format!("rule-{id}"),
        hold_until_ms: Some(i64::MAX / 4),
        rate: None,
        connections: None,
        recovers: false,
        alarm: Some("Mend it.".to_owned()),
        reply: "421 not now".to_owned(),
        since_ms: 0,
        until_ms: i64::MAX / 4,
        ended_ms: None,
        ended_by: None,
    };
    // What concerns a source concerns everybody; another workspace's domain does not.
    let rows = [row(1, 9, Scope::SourceProvider), row(2, 1, Scope::DomainProvider), row(3, 9, Scope::DomainProvider)];
    boat.running
        .app()
        .storage
        .queue()
        .write(move |tx| rows.iter().try_for_each(|row| automation::put(tx, row, None)))
        .await
        .unwrap();
    let ids = |page: &Value| -> Vec<i64> {
        page["items"].as_array().unwrap().iter().map(|row| row["id"].as_i64().unwrap()).collect()
    };
    let open = ana.get("/api/v1/automations").await;
    assert_eq!(ids(&open), [2, 1]);
    assert_eq!(open["items"][0]["effect"], "Mail of sender.example to Yahoo: nothing goes.");
    let notices = ana.get("/api/v1/overview").await["notices"].to_string();
    assert!(notices.contains("sender.example at Yahoo: Mend it."), "{notices}");
    let (status, _) = bad(ana.send(Method::DELETE, "/api/v1/automations/3", None).await).await;
    assert_eq!(status, 404);
    let lifted = common::good(ana.send(Method::DELETE, "/api/v1/automations/2", None).await).await;
    assert_eq!(lifted["message"], "rule-2 is lifted; mail to Yahoo goes on.");
    let (status, _) = bad(ana.send(Method::DELETE, "/api/v1/automations/2", None).await).await;
    assert_eq!(status, 409);
    assert_eq!(ids(&ana.get("/api/v1/automations").await), [1]);
    let all = ana.get("/api/v1/automations?which=all").await;
    assert_eq!((ids(&all), &all["items"][0]["ended_by"]), (vec![2, 1], &json!("admin@example.com")));
    boat.stop().await;
}
