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

    assert_eq!((&without["route"], &without["other_ways"]), (&Value::Null, &json!([])));
    let all = ana.get("/api/v1/providers").await;
    let names: Vec<&str> = all["items"].as_array().unwrap().iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert!(names.len() >= 12 && names.contains(&"Microsoft 365"), "{names:?}");
    let one = ana.get("/api/v1/providers/Microsoft%20365").await;
    assert_eq!(limit(&one, "messages_per_connection"), ("50", "provider Microsoft 365"));
    let (status, _) = bad(ana.send(Method::GET, "/api/v1/providers/nobody.example", None).await).await;
    assert_eq!(status, 404);
    boat.stop().await;
}

const ROUTES: &str = r#"
[[source]]
name = "mx1"
[[route]]
name = "partner"
domains = ["partner.example"]
hosts = [{ host = "192.0.2.1", port = 2525, tls = "none" }]
[[route]]
name = "relay"
streams = ["transactional"]
hosts = [{ host = "smtp.relay.example", port = 587 }, { host = "b.relay.example" }]
[[shaping]]
provider = "relay.example"
message_rate = "3/s"
[[shaping]]
domain = "gmail.example"
message_rate = "7/min"
"#;

#[tokio::test]
async fn routes_are_explained() {
    let internet =
        Internet::start(Options { providers: Providers::parse(WORLD).unwrap(), ..Options::default() }).await.unwrap();
    let dns = format!("servers = [\"{}\"]", internet.dns());
    let boat = boat_with(ROUTES, Overrides::default(), &dns).await;
    let ana = boat.session(Role::Viewer).await;
    let told = async |query: &str| ana.get(&format!("/api/v1/explain?{query}")).await;
    let direct = told("domain=gmail.example").await;
    assert_eq!((&direct["provider"], &direct["route"]), (&json!("Google"), &Value::Null));
    assert_eq!(limit(&direct, "message_rate").0, "7/min");
    let relay = json!({ "stream": "transactional", "route": "relay",
        "hosts": ["smtp.relay.example, port 587", "b.relay.example, port 25"] });
    assert_eq!(direct["other_ways"], json!([relay]));

    let single = told("domain=gmail.example&stream=transactional").await;
    assert_eq!(single["route"], json!({ "name": "relay", "down_until": null }));
    assert_eq!(single["hosts"], json!(["smtp.relay.example", "b.relay.example"]));
    assert_eq!((&single["provider"], &single["other_ways"]), (&json!("relay.example"), &json!([])));
    assert_eq!(limit(&single, "message_rate"), ("3/s", "packetboat.toml, [[shaping]] 1 (provider relay.example)"));
    let bulk = told("domain=gmail.example&stream=bulk").await;
    assert_eq!((&bulk["route"], &bulk["provider"], &bulk["other_ways"]), (&Value::Null, &json!("Google"), &json!([])));

    // Every stream goes there, and nobody asks the DNS about it.
    let partner = told("domain=partner.example").await;
    assert_eq!((&partner["route"]["name"], &partner["other_ways"]), (&json!("partner"), &json!([])));
    assert_eq!((&partner["provider"], &partner["hosts"]), (&json!("192.0.2.1"), &json!(["192.0.2.1"])));
    let answer = ana.send(Method::GET, "/api/v1/explain?domain=gmail.example&stream=none", None).await;
    let (status, body) = bad(answer).await;
    assert_eq!((status, body.error.field.as_deref()), (422, Some("stream")));
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

const OWN_RULES: &str = r#"
[[bounce_rule]]
name = "glork"
class = "mailbox_full"
text = ["the glork is over"]
samples = ["550 5.1.1 the glork is over"]
[[bounce_rule]]
name = "at google"
class = "inactive"
providers = ["Google"]
text = ["frotz"]
samples = ["550 frotz"]
"#;

#[tokio::test]
async fn own_rules_stand_before_the_others() {
    let boat = boat_with(OWN_RULES, Overrides::default(), common::NO_DNS).await;
    let ana = boat.session(Role::Viewer).await;
    let judge = async |reply: &str, provider: &str| {
        let input = json!({ "reply": reply, "stage": "rcpt", "provider": provider });
        let judged = ana.post("/api/v1/rules/test", input).await;
        [&judged["class"], &judged["class_rule"], &judged["class_by"]].map(|value| value.as_str().unwrap().to_owned())
    };
    assert_eq!(judge("550 5.1.1 The glork is over", "").await, ["mailbox_full", "glork", "own_rule"]);
    assert_eq!(judge("550 5.1.1 frotz", "Google").await, ["inactive", "at google", "own_rule"]);
    assert_eq!(judge("550 5.1.1 frotz", "Yahoo").await, ["bad_mailbox", "status-bad-mailbox", "codes"]);
    assert_eq!(judge("550 5.1.1 No such user", "").await[2], "builtin_rule");

    let mail = "From: MAILER-DAEMON@mx.example\r\nSubject: failure notice\r\nContent-Type: multipart/report; boundary=b\r\n\r\n\
        --b\r\nContent-Type: message/delivery-status\r\n\r\nReporting-MTA: dns; mx.example\r\n\r\nFinal-Recipient: rfc822; \
        ana@example.com\r\nAction: failed\r\nStatus: 5.1.1\r\nRemote-MTA: dns; gmail-smtp-in.l.google.com\r\nDiagnostic-Code: \
        smtp; 550 5.1.1 frotz\r\n\r\n--b--\r\n";
    let explained: Value = {
        let sent = ana.http.post(boat.url("/api/v1/explain-mail")).header("cookie", &ana.cookie);
        let sent = sent.header("x-csrf-token", &ana.csrf).header("content-type", "message/rfc822").body(mail);
        common::good(sent.send().await.unwrap()).await
    };
    let event = &explained["events"][0];
    assert_eq!((&event["class"], &event["rule"]), (&json!("mailbox_disabled"), &json!("at google")), "{explained}");
    assert!(explained["explanation"].as_str().unwrap().contains("by your own rule at google"), "{explained}");
    boat.stop().await;
}

#[tokio::test]
async fn unknown_texts_are_listed_and_made_rules_of() {
    let boat = boat_with(OWN_RULES, Overrides::default(), common::NO_DNS).await;
    let now_ms = boat.running.app().now_ms();
    let seen = |provider: &str, sample: &str, n, at_ms: i64| storage::unknown_text::Seen {
        workspace_id: WorkspaceId::MAIN,
        provider: provider.to_owned(),
        shape: bounce::shape(sample),
        sample: sample.to_owned(),
        stage: "rcpt",
        class: mail::BounceClass::Unclassified,
        rule: "none".to_owned(),
        n,
        first_ms: now_ms + at_ms,
        last_ms: now_ms + at_ms,
    };
    let all = [
        seen("Yahoo", "550 zorkmid account is asleep (id 4F3A99)", 7, 1_000),
        seen("Google", "550 frotz", 2, 3_000),
        seen("", "550 the glork is over", 1, 2_000),
    ];
    let events = boat.running.app().storage.events();
    events.write(move |tx| storage::unknown_text::note(tx, &all)).await.unwrap();
    let (ana, root) = (boat.session(Role::Viewer).await, boat.session(Role::Admin).await);
    let list = async |query: &str| {
        let page = ana.get(&format!("/api/v1/unknown-texts?{query}")).await;
        let told = |row: &Value| format!("{} {}", row["provider"].as_str().unwrap(), row["count"]);
        let items: Vec<String> = page["items"].as_array().unwrap().iter().map(told).collect();
        (items, page["next"].as_str().unwrap_or("").to_owned(), page["items"][0].clone())
    };
    let (first, next, yahoo) = list("limit=1").await;
    assert_eq!(first, ["Yahoo 7"]);
    assert_eq!(list(&format!("limit=2&cursor={next}")).await.0, ["Google 2", " 1"]);
    let (last, next, google) = list("sort=last&limit=2").await;
    assert_eq!(last, ["Google 2", " 1"]);
    assert_eq!(google["known_by"], "at google", "a rule knows it by now");
    assert_eq!(list(&format!("sort=last&limit=2&cursor={next}")).await.0, ["Yahoo 7"]);
    assert_eq!(list("provider=Yahoo").await.0, ["Yahoo 7"]);
    for (query, field) in [("sort=size", "sort"), ("cursor=7", "cursor"), ("limit=0", "limit")] {
        let path = format!("/api/v1/unknown-texts?{query}");
        let (status, body) = bad(ana.send(Method::GET, &path, None).await).await;
        assert_eq!((status, body.error.field.as_deref()), (422, Some(field)), "{query}");
    }

    let rule = async |row: &Value, class: &str| {
        ana.send(Method::GET, &format!("/api/v1/unknown-texts/{}/rule?class={class}", row["id"]), None).await
    };
    let drafted = common::good(rule(&yahoo, "inactive").await).await;
    assert_eq!(drafted["faults"], json!([]));
    let toml = drafted["toml"].as_str().unwrap();
    assert!(
        toml.contains("text = [\"zorkmid account is asleep (id\"]") && toml.contains("class = \"inactive\""),
        "{toml}"
    );
    config::parse("drafted.toml", toml).unwrap();
    let shadowed = common::good(rule(&google, "policy").await).await;
    assert!(shadowed["faults"][0].as_str().unwrap().contains("at google stands before it"), "{shadowed}");
    assert_eq!(bad(rule(&yahoo, "asleep").await).await.0, 422);

    let path = format!("/api/v1/unknown-texts/{}", yahoo["id"]);
    assert_eq!(bad(ana.send(Method::DELETE, &path, None).await).await.0, 403);
    common::good(root.send(Method::DELETE, &path, None).await).await;
    assert_eq!(bad(root.send(Method::DELETE, &path, None).await).await.0, 404);
    assert_eq!(list("").await.0, ["Google 2", " 1"]);
    boat.stop().await;
}

#[test]
fn the_consoles_classes_are_all_there_are() {
    let classes: Vec<&str> = mail::BounceClass::ALL.iter().map(|class| class.as_str()).collect();
    assert_eq!(api_types::BOUNCE_CLASSES[..], classes);
}
