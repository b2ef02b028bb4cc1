//! A campaign from the draft to the wire, over sockets to a small simulated internet.

mod common;

use api_types::Role;
use common::{Boat, Session, bad, boat_with, good};
use daemon::serve::Overrides;
use reqwest::Method;
use sandbox::{Internet, LedgerOptions, Options, Providers};
use serde_json::{Value, json};

const PROVIDERS: &str = r#"
[[provider]]
name = "Albatross"
weight = 1
domains = ["albatross.example"]
mx = [{ host = "mx.albatross-mx.example", preference = 10, ip = "127.31.1.1" }]
[provider.manners]
tls = "offered"

[[provider]]
name = "Petrel"
weight = 1
domains = ["petrel.example"]
mx = [{ host = "mx.petrel-mx.example", preference = 10, ip = "127.31.2.1" }]
[provider.manners]
unknown_per_mille = 300
"#;

const MJML: &str = "<mjml><mj-body><mj-section><mj-column><mj-text>Hello {{ contact.first_name | default: \"there\" }}, \
    <a href=\"{{ unsubscribe_url }}\">unsubscribe</a></mj-text></mj-column></mj-section></mj-body></mjml>";

async fn harbour() -> (Boat, sandbox::Running) {
    let providers = Providers::parse(PROVIDERS).unwrap();
    let ledger = LedgerOptions { keep_last: 100, ..LedgerOptions::default() };
    let internet = Internet::start(Options { providers, ledger, ..Options::default() }).await.unwrap();
    let more = format!("[smtp]\nremote_port = {}\nbulk_retry = [\"1s\"]", internet.smtp_port());
    let dns = format!("servers = [\"{}\"]", internet.dns());
    (boat_with(&more, Overrides::default(), &dns).await, internet)
}

/// Everything that a launch needs, made through the API. Answers the campaign's id.
async fn prepare(internet: &sandbox::Running, ana: &Session, people: usize) -> i64 {
    let domain =
        good(ana.send(Method::POST, "/api/v1/domains", Some(json!({ "domain": "sender.example" }))).await).await;
    for record in domain["records"].as_array().unwrap() {
        let text = |key: &str| record[key].as_str().unwrap();
        match text("kind") {
            "TXT" => internet.zone().publish_txt(text("name"), text("wanted")),
            "MX" => internet.zone().publish_mx(text("name"), 10, text("wanted").split(' ').nth(1).unwrap()),
            other => panic!("no source has an address here, yet there is a {other} record"),
        }
    }
    // The host that takes the bounces; it stands for the system's choice of a source, too.
    internet.zone().publish_address("localhost.localdomain", std::net::Ipv4Addr::LOCALHOST.into());
    let verified = ana.post(&format!("/api/v1/domains/{}/verify", domain["domain"]["id"]), json!({})).await;
    assert_eq!(verified["domain"]["records_ok"], verified["domain"]["records_total"], "{verified}");
    for person in internet.providers().people(people, 7) {
        let contact = json!({ "email": person.address, "first_name": person.first_name });
        ana.post("/api/v1/contacts", contact).await;
    }
    let template =
        json!({ "name": "Hello", "kind": "mjml", "subject": "Hello {{ contact.first_name }}", "source": MJML });
    let template = ana.post("/api/v1/templates", template).await;
    let filter = json!({ "type": "attribute", "path": "email", "op": "ends_with", "value": ".example" });
    let segment = ana.post("/api/v1/segments", json!({ "name": "All of them", "filter": filter })).await;
    assert_eq!(segment["count"], people);
    let draft = json!({
        "name": "First voyage", "template_id": template["id"], "segment_id": segment["id"],
        "from_email": "news@sender.example", "from_name": "Ana",
    });
    let campaign = ana.post("/api/v1/campaigns", draft).await;
    let check = ana.get(&format!("/api/v1/campaigns/{}/check", campaign["id"])).await;
    assert_eq!((&check["ready"], &check["receiving"]), (&json!(true), &json!(people)), "{check}");
    campaign["id"].as_i64().unwrap()
}

/// The events of a campaign's stream up to its end.
async fn watch(ana: &Session, id: i64) -> Vec<Value> {
    let response = ana.send(Method::GET, &format!("/api/v1/campaigns/{id}/stream"), None).await;
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let text = response.text().await.unwrap();
    let data = text.lines().filter_map(|line| line.strip_prefix("data: "));
    data.map(|json| serde_json::from_str(json).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_recipients_arrive_once_and_one_leaves() {
    let (boat, internet) = harbour().await;
    let ana = boat.session(Role::Owner).await;
    let id = prepare(&internet, &ana, 50).await;
    let (status, _) = bad(ana.send(Method::POST, &format!("/api/v1/campaigns/{id}/pause"), None).await).await;
    assert_eq!(status, 409, "a draft cannot be paused");
    let launched = ana.post(&format!("/api/v1/campaigns/{id}/launch"), json!({})).await;
    assert_eq!(launched["state"], "running");

    let events = watch(&ana, id).await;
    let last = events.last().unwrap();
    let sum = last["delivered"].as_u64().unwrap() + last["bounced"].as_u64().unwrap();
    assert_eq!((&last["state"], &last["accepted"], sum), (&json!("finished"), &json!(50), 50), "{last}");
    let ledger = &ana.get("/api/v1/queue").await["ledger"];
    assert_eq!((&ledger["holds"], &ledger["queued"]), (&json!(true), &json!(0)), "{ledger}");

    // The witness: every copy signed twice, nobody has two.
    let total = internet.ledger().total();
    assert_eq!(total.copies, last["delivered"].as_u64().unwrap());
    assert_eq!((total.dkim_failed, total.dkim_missing, internet.ledger().doubles_count()), (0, 0, 0));
    assert_eq!(internet.ledger().repeated_message_ids(), 0);

    // A bounced one is suppressed, with the server's own words.
    let log = ana.get(&format!("/api/v1/campaigns/{id}/recipients?state=bounced&limit=1")).await;
    let bounced = &log["items"][0];
    assert_eq!(
        (&bounced["class"], &bounced["provider"]),
        (&json!("bad_mailbox"), &json!("petrel-mx.example")),
        "{bounced}"
    );
    assert!(bounced["reply"].as_str().unwrap().starts_with("550 5.1.1"), "{bounced}");
    let contact = ana.get(&format!("/api/v1/contacts/{}", bounced["contact_id"])).await;
    assert!(contact["suppressed"].as_str().unwrap().starts_with("hard bounce"), "{contact}");

    unsubscribe(&boat, &ana, &internet).await;
    boat.stop().await;
    internet.shutdown().await;
}

/// The link of a mail that was received: looking changes nothing, one click does.
async fn unsubscribe(boat: &Boat, ana: &Session, internet: &sandbox::Running) {
    let received = internet.ledger().last_messages().pop().unwrap();
    let content = String::from_utf8_lossy(&received.content).replace("\r\n ", " ").replace("\r\n\t", " ");
    let header = content.lines().find_map(|line| line.strip_prefix("List-Unsubscribe: ")).unwrap();
    assert!(content.contains("List-Unsubscribe-Post: List-Unsubscribe=One-Click"));
    let link = header.split(['<', '>']).nth(1).unwrap().trim();
    assert!(link.starts_with(&format!("{}/u/", boat.base)), "{link}");
    let address = &received.recipients[0];
    let suppressed = async || {
        let found = ana.get(&format!("/api/v1/suppressions?q={address}")).await;
        found["items"].as_array().map(Vec::len)
    };
    let page = boat.http.get(link).send().await.unwrap();
    assert_eq!(page.status(), 200);
    assert!(page.headers()["content-security-policy"].to_str().unwrap().contains("default-src 'none'"));
    let page = page.text().await.unwrap();
    assert!(page.contains("<form method=\"post\">") && !page.contains(address.as_str()), "{page}");
    assert_eq!(suppressed().await, Some(0), "looking changes nothing");
    let post = |body: &'static str| {
        let request = boat.http.post(link).header("content-type", "application/x-www-form-urlencoded");
        request.body(body).send()
    };
    assert_eq!(post("").await.unwrap().status(), 400);
    assert_eq!(suppressed().await, Some(0), "a POST that says nothing changes nothing");
    for _ in 0..2 {
        let answer = post("List-Unsubscribe=One-Click").await.unwrap();
        assert_eq!(answer.status(), 200);
        assert!(answer.text().await.unwrap().contains("You are unsubscribed"));
        assert_eq!(suppressed().await, Some(1));
    }
    let broken = boat.http.get(boat.url("/u/AAAAAAAAAAAAAAAA")).send().await.unwrap();
    assert_eq!(broken.status(), 404);
    assert!(broken.text().await.unwrap().contains("This link does not work"));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_paused_and_cancelled_is_not_sent() {
    let (boat, internet) = harbour().await;
    let ana = boat.session(Role::Owner).await;
    let id = prepare(&internet, &ana, 20).await;
    let act = async |what: &str| ana.send(Method::POST, &format!("/api/v1/campaigns/{id}/{what}"), None).await;
    good(act("launch").await).await;
    let paused = good(act("pause").await).await;
    assert_eq!(paused["state_reason"], "paused by owner@example.com");
    let (status, _) = bad(act("launch").await).await;
    assert_eq!(status, 409, "a second launch");
    let cancelled = good(act("cancel").await).await;
    assert_eq!(cancelled["state"], "cancelled");
    let last = watch(&ana, id).await.pop().unwrap();
    let figure = |name: &str| last[name].as_u64().unwrap();
    assert_eq!(figure("delivered") + figure("bounced") + figure("cancelled"), figure("accepted"), "{last}");
    assert_eq!(internet.ledger().total().copies, figure("delivered"));
    boat.stop().await;
    internet.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_launch_without_what_it_needs_says_what() {
    let (boat, internet) = harbour().await;
    let ana = boat.session(Role::Owner).await;
    let campaign = ana.post("/api/v1/campaigns", json!({ "name": "Empty", "from_email": "" })).await;
    let check = ana.get(&format!("/api/v1/campaigns/{}/check", campaign["id"])).await;
    assert_eq!(check["ready"], false);
    let launch = format!("/api/v1/campaigns/{}/launch", campaign["id"]);
    let (status, body) = bad(ana.send(Method::POST, &launch, None).await).await;
    assert_eq!(status, 409);
    assert!(body.error.message.contains("cannot be launched"), "{}", body.error.message);
    let (status, _) =
        bad(ana.send(Method::GET, &format!("/api/v1/campaigns/{}/stream", campaign["id"]), None).await).await;
    assert_eq!(status, 409, "a draft has no stream");
    boat.stop().await;
    internet.shutdown().await;
}
