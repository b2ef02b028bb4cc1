//! Webhooks of a running daemon, with other people's programs of every kind behind them.

mod common;
mod hook;

use api_types::{ErrorCode, Role, WebhookType};
use common::{Boat, Session, bad, boat, boat_with, good, launch};
use daemon::serve::Overrides;
use futures_util::future::BoxFuture;
use hook::{Got, Peer, now_ms};
use reqwest::{Method, multipart};
use sandbox::{Internet, LedgerOptions, Options, Providers};
use serde_json::{Value, json};
use std::io::Write;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering::SeqCst};
use std::time::Duration;
use storage::complaint::{self, Complaint};
use storage::event::{Event, Kind};
use storage::{RecipientId, Storage, Transaction, WebhookId, WorkspaceId, outbox, webhook};
use world::{Clock, SystemClock};

const PRIVATE: &str = "session_days = 365\n[webhook]\nallow_private = true\n";

const PROVIDERS: &str = r#"
[[provider]]
name = "Albatross"
weight = 1
domains = ["albatross.example", "sender.example"]
mx = [{ host = "mx.albatross-mx.example", preference = 10, ip = "127.31.2.1" }]
[provider.manners]
tls = "offered"
"#;

/// The machine's clock, moved on by hand.
struct Ahead(AtomicI64);

impl Ahead {
    fn forward(&self, span: Duration) {
        self.0.fetch_add(span.as_millis().try_into().unwrap(), SeqCst);
    }
}

impl Clock for Ahead {
    fn now_ms(&self) -> i64 {
        SystemClock.now_ms() + self.0.load(SeqCst)
    }

    fn sleep(&self, span: Duration) -> BoxFuture<'static, ()> {
        SystemClock.sleep(span.min(Duration::from_millis(50)))
    }
}

/// Makes a webhook; its id and its secret.
async fn add(ana: &Session, name: &str, url: &str, more: Value) -> (i64, String) {
    let mut wish = json!({ "name": name, "url": url });
    wish.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    let made = ana.post("/api/v1/webhooks", wish).await;
    (made["webhook"]["id"].as_i64().unwrap(), made["secret"].as_str().unwrap().to_owned())
}

/// Writes events of recipients that nobody knows.
async fn happen(storage: &Storage, kind: Kind, count: i64) {
    let put = move |tx: &Transaction<'_>| {
        for n in 0..count {
            let event = Event { recipient_id: Some(RecipientId(n)), ..Event::new(now_ms(), WorkspaceId::MAIN, kind) };
            outbox::put(tx, &event)?;
        }
        Ok(())
    };
    storage.queue().write(put).await.unwrap();
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

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_to_mail_is_told_signed_and_a_dead_program_delays_no_other() {
    let providers = Providers::parse(PROVIDERS).unwrap();
    let ledger = LedgerOptions { keep_last: 100, ..LedgerOptions::default() };
    let internet = Internet::start(Options { providers, ledger, ..Options::default() }).await.unwrap();
    let more = format!("{PRIVATE}[smtp]\nremote_port = {}\n", internet.smtp_port());
    let boat = boat_with(&more, Overrides::default(), &format!("servers = [\"{}\"]", internet.dns())).await;
    let ana = boat.session(Role::Owner).await;
    let domain = ana.post("/api/v1/domains", json!({ "domain": "sender.example" })).await;
    for record in domain["records"].as_array().unwrap() {
        if record["kind"] == "TXT" {
            internet.zone().publish_txt(record["name"].as_str().unwrap(), record["wanted"].as_str().unwrap());
        }
    }
    ana.post(&format!("/api/v1/domains/{}/verify", domain["domain"]["id"]), json!({})).await;

    let peer = Peer::start().await;
    add(&ana, "dead", &peer.url("/hang"), json!({})).await;
    let (_, secret) = add(&ana, "all", &peer.url("/ok"), json!({})).await;
    let bounces = json!({ "types": ["message.bounced"], "tag": "order", "stream": "transactional" });
    add(&ana, "bounces", &peer.url("/bounces"), bounces).await;
    add(&ana, "other tag", &peer.url("/other"), json!({ "tag": "bill" })).await;
    let letter = json!({
        "from": "Shop <shop@sender.example>", "to": ["fine-bo@albatross.example", "unknown-al@albatross.example"],
        "subject": "Your order", "text": "Thank you.", "tags": ["order"],
    });
    let accepted = ana.post("/api/v1/messages", letter).await;
    let of = |kind: &str, got: &[Got]| got.iter().find(|one| one.kind() == kind).cloned();
    let both = |got: &[Got]| of("message.delivered", got).is_some() && of("message.bounced", got).is_some();
    let got = peer.wait("/ok", both).await;
    let delivered = of("message.delivered", &got).unwrap().json();
    assert_eq!(delivered["data"]["address"], "fine-bo@albatross.example");
    let bounced = of("message.bounced", &got).unwrap().json();
    let data = &bounced["data"];
    assert_eq!((&data["message_id"], &data["header_id"]), (&accepted["id"], &accepted["header_id"]), "{bounced}");
    for (key, wanted) in [
        ("address", json!("unknown-al@albatross.example")),
        ("tags", json!(["order"])),
        ("stream", json!("transactional")),
        ("reply_code", json!(550)),
        ("class", json!("bad_mailbox")),
        ("provider", json!("albatross-mx.example")),
    ] {
        assert_eq!(data[key], wanted, "{key} of {bounced}");
    }
    let complaint = Complaint {
        id: RecipientId(delivered["data"]["recipient_id"].as_i64().unwrap()),
        at_ms: now_ms(),
        domain: None,
        text: "abuse, by albatross.example".to_owned(),
    };
    let storage = &boat.running.app().storage;
    assert!(storage.queue().write(move |tx| complaint::settle(tx, &complaint)).await.unwrap());
    let got = peer.wait("/ok", |got| of("message.complained", got).is_some()).await;
    for one in &got {
        assert_eq!((one.signed_with(&secret), one.signature.split(' ').count()), (1, 1), "{one:?}");
        assert_eq!(one.json()["id"], one.id.as_str());
        let at: i64 = one.json()["at"].as_str().unwrap().parse::<jiff::Timestamp>().unwrap().as_millisecond();
        // The dead one keeps each of its requests for 10 s.
        assert!(one.at_ms - at < 5_000, "{} ms late: {one:?}", one.at_ms - at);
    }
    assert_eq!(peer.wait("/bounces", |got| !got.is_empty()).await.len(), 1);
    assert!(!peer.got("/hang").is_empty() && peer.got("/other").is_empty());
    as_documented(&secret, &got[0]);
    boat.stop().await;
    internet.shutdown().await;
}

/// The example of docs/reference/webhooks.md checks a request, and refuses a changed one and an old one.
fn as_documented(secret: &str, got: &Got) {
    let manual = include_str!("../../docs/reference/webhooks.md");
    let example = manual.split("```python\n").nth(1).unwrap().split("```").next().unwrap();
    let driver = "\nimport json, sys\nask = json.load(sys.stdin)\nheaders, body = ask['headers'], ask['body'].encode()\n\
        now = int(headers['webhook-timestamp'])\n\
        print(is_genuine(ask['secret'], headers, body, now + 9), is_genuine(ask['secret'], headers, body + b' ', now),\n\
        is_genuine(ask['secret'], headers, body, now + 301))\n";
    let mut command = Command::new("python3");
    let command = command.arg("-c").arg(format!("{example}{driver}")).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut python = match command.spawn() {
        Ok(python) => python,
        Err(e) => {
            eprintln!("the manual's example is not tried: python3 does not start: {e}");
            return;
        }
    };
    let headers =
        json!({ "webhook-id": got.id, "webhook-timestamp": got.timestamp, "webhook-signature": got.signature });
    let ask = json!({ "secret": secret, "headers": headers, "body": got.body });
    python.stdin.take().unwrap().write_all(ask.to_string().as_bytes()).unwrap();
    let out = python.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&out.stdout).trim(), "True False False");
}

async fn ahead() -> (Boat, Session, Arc<Ahead>, Arc<Peer>) {
    let clock = Arc::new(Ahead(AtomicI64::new(0)));
    let overrides = Overrides { clock: Some(clock.clone()), ..Overrides::default() };
    let boat = boat_with(PRIVATE, overrides, common::NO_DNS).await;
    let ana = boat.session(Role::Admin).await;
    (boat, ana, clock, Peer::start().await)
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_are_retried_then_given_up_then_the_webhook_is_disabled() {
    let (boat, ana, clock, peer) = ahead().await;
    let storage = boat.running.app().storage.clone();
    let (id, _) = add(&ana, "shop", &peer.url("/switch"), json!({ "types": ["message.bounced"] })).await;
    let path = format!("/api/v1/webhooks/{id}");
    peer.switch.store(503, SeqCst);
    happen(&storage, Kind::Bounced, 5).await;
    // Of what is told after five failures one is tried, and then one a minute: the others wait.
    let mut sent = peer.wait("/switch", |got| got.len() >= 5).await.len();
    until(&ana, &path, |hook| hook["health"]["attempts_failed"] == 5).await;
    happen(&storage, Kind::Bounced, 10).await;
    until(&ana, &path, |hook| hook["health"]["behind"] == 10).await;
    assert_eq!(peer.got("/switch").len(), sent, "it rests");
    let minute = Duration::from_secs(60);
    for (attempt, wait) in [(2, 1), (3, 5), (4, 30), (5, 120), (6, 720)] {
        clock.forward(wait * minute * 11 / 10);
        sent = peer.wait("/switch", |got| got.len() >= sent + 5).await.len();
        let list = format!("{path}/deliveries");
        let far = |list: &Value| list["items"].as_array().unwrap().iter().filter(|d| d["attempts"] == attempt).count();
        until(&ana, &list, |list| far(list) >= 5).await;
    }
    let hook = until(&ana, &path, |hook| hook["enabled"] == false).await;
    let why = hook["disabled_why"].as_str().unwrap();
    assert_eq!(why, "5 deliveries in a row were given up; the last answer: HTTP 503 as you like");
    let overview = ana.get("/api/v1/overview").await;
    let notice = overview["notices"].as_array().unwrap().iter().find(|notice| notice["link"] == "/webhooks").unwrap();
    assert!(notice["message"].as_str().unwrap().starts_with("The webhook shop is told nothing any more: 5 deliveries"));

    let failed = ana.get(&format!("{path}/deliveries?state=failed")).await;
    assert_eq!(failed["items"].as_array().unwrap().len(), 5, "{failed}");
    let one = &failed["items"][0];
    assert_eq!((&one["attempts"], &one["status"], &one["next_at"]), (&json!(6), &json!(503), &Value::Null));
    let again = format!("{path}/deliveries/{}/retry", one["id"]);
    let (status, body) = bad(ana.send(Method::POST, &again, None).await).await;
    assert_eq!((status, body.error.code), (409, ErrorCode::WrongState), "it is disabled");

    // It comes back: what it missed is told, and one that was given up when asked for.
    peer.switch.store(204, SeqCst);
    let name = one["message_id"].as_str().unwrap();
    let before = peer.got("/switch").iter().filter(|got| got.id == name).count();
    let change = json!({ "enabled": true });
    ana.send(Method::PATCH, &path, Some(change)).await.error_for_status().unwrap();
    until(&ana, &path, |hook| hook["health"]["behind"] == 0 && hook["health"]["attempts_failed"] == 0).await;
    ana.post(&again, json!({})).await;
    let detail =
        until(&ana, &format!("{path}/deliveries/{}", one["id"]), |d| d["delivery"]["state"] == "delivered").await;
    let requests: Vec<Got> = peer.got("/switch").into_iter().filter(|got| got.id == name).collect();
    assert_eq!((requests.len(), before), (7, 6));
    assert!(requests.iter().all(|got| got.body == requests[0].body), "the same bytes each time");
    assert_eq!(detail["request"], requests[0].body.as_str());
    drop(storage);
    boat.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_and_not_noted_is_sent_again_under_its_name() {
    let dir = tempfile::tempdir().unwrap();
    let peer = Peer::start().await;
    let start = || launch(dir.path(), PRIVATE, Overrides::default(), common::NO_DNS);
    let running = start().await.unwrap();
    let boat = Boat {
        base: format!("http://{}", running.http_addr),
        http: reqwest::Client::builder().no_proxy().build().unwrap(),
        dir: tempfile::tempdir().unwrap(),
        running,
    };
    let ana = boat.session(Role::Admin).await;
    add(&ana, "slow", &peer.url("/hang"), json!({})).await;
    happen(&boat.running.app().storage, Kind::Delivered, 1).await;
    let first = peer.wait("/hang", |got| !got.is_empty()).await;
    boat.running.stop().await.unwrap();
    let running = start().await.unwrap();
    let both = peer.wait("/hang", |got| got.len() > first.len()).await;
    assert_eq!((&both[0].id, &both[0].body), (&both[1].id, &both[1].body));
    running.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn odd_programs() {
    let (boat, ana, _, peer) = ahead().await;
    let ana = &ana;
    let cases = [
        ("/ok", true, Some(200), "thanks"),
        ("/redirect", false, Some(302), ""),
        ("/huge", true, Some(200), "xxx"),
        ("/drip", true, Some(200), "."),
        ("/hang", false, None, "no answer within 10 s"),
        ("/gone", false, Some(410), ""),
    ];
    let tests = cases.map(|(path, success, status, answer)| {
        let peer = peer.clone();
        async move {
            let (id, secret) = add(ana, path, &peer.url(path), json!({})).await;
            let said = ana.post(&format!("/api/v1/webhooks/{id}/test"), json!({})).await;
            assert_eq!((&said["success"], &said["status"]), (&json!(success), &json!(status)), "{path}: {said}");
            let text = said["answer"].as_str().unwrap();
            assert!(text.starts_with(answer) && text.len() <= 1024, "{path}: {text}");
            let got = peer.got(path).pop().unwrap();
            assert_eq!((got.kind(), got.signed_with(&secret)), ("webhook.test".to_owned(), 1));
            assert_eq!(said["request"], got.body.as_str());
            id
        }
    });
    let ids = futures_util::future::join_all(tests).await;
    assert!(peer.got("/led").is_empty(), "a redirect was followed");
    // The one that is gone is told nothing any more, after one request.
    happen(&boat.running.app().storage, Kind::Delivered, 1).await;
    let gone = until(ana, &format!("/api/v1/webhooks/{}", ids[5]), |hook| hook["enabled"] == false).await;
    assert_eq!(gone["disabled_why"], "the other side says that it is gone (410)");
    boat.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn secrets_rotate_with_an_overlap_and_what_is_no_event_is_told_too() {
    let (boat, ana, clock, peer) = ahead().await;
    let (id, old) = add(&ana, "replies", &peer.url("/ok"), json!({ "types": ["message.bounced"] })).await;
    let path = format!("/api/v1/webhooks/{id}");
    assert!(!ana.get("/api/v1/webhooks").await.to_string().contains("whsec_"), "secrets are shown once");
    let turned = ana.post(&format!("{path}/secret"), json!({})).await;
    let new = turned["secret"].as_str().unwrap().to_owned();
    assert!(turned["webhook"]["old_secret_until"].is_string() && new != old);
    let reply = |subject: &'static str| {
        let put = move |tx: &Transaction<'_>| {
            let about = (WebhookType::ReplyReceived, 1_700_000_000_000);
            webhook::queue(tx, WorkspaceId::MAIN, WebhookId(id), about, &json!({ "subject": subject }))
        };
        boat.running.app().storage.queue().write(put)
    };
    assert!(reply("Re: Hello").await.unwrap());
    let got = peer.wait("/ok", |got| got.len() == 1).await.remove(0);
    assert_eq!((got.signed_with(&old), got.signed_with(&new)), (1, 1));
    let expected = json!({
        "id": "out-1", "type": "reply.received", "at": "2023-11-14T22:13:20.000Z", "workspace_id": 1,
        "data": { "subject": "Re: Hello" },
    });
    assert_eq!(got.json(), expected);
    clock.forward(Duration::from_hours(24));
    assert!(reply("Re: Again").await.unwrap());
    let got = peer.wait("/ok", |got| got.len() == 2).await.remove(1);
    assert_eq!((got.signed_with(&old), got.signed_with(&new)), (0, 1));

    ana.send(Method::DELETE, &path, None).await.error_for_status().unwrap();
    let (status, _) = bad(ana.send(Method::GET, &format!("{path}/deliveries"), None).await).await;
    assert_eq!(status, 404);
    boat.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused() {
    let boat = boat().await;
    let ana = boat.session(Role::Admin).await;
    let good = || json!({ "name": "shop", "url": "https://hooks.example/in" });
    ana.post("/api/v1/webhooks", good()).await;
    for (key, value, field, said) in [
        ("name", json!("shop"), "name", "There is a webhook of this name already."),
        ("name", json!(" "), "name", "Give the webhook a name of 1 to 100 characters: what it is for."),
        ("url", json!("http://hooks.example/"), "url", "The URL must begin with https://."),
        ("url", json!("https://127.0.0.1/"), "url", "127.0.0.1 leads to 127.0.0.1, which is not a public address."),
        (
            "types",
            json!(["reply.received"]),
            "types",
            "reply.received is sent to the webhook that it is meant for; it cannot be asked for.",
        ),
        ("campaign_id", json!(9), "campaign_id", "There is no such campaign."),
        ("stream", json!("river"), "stream", "There is no stream river. Streams: transactional, bulk."),
    ] {
        let mut wish = good();
        wish["name"] = json!("other");
        wish[key] = value;
        let (_, body) = bad(ana.send(Method::POST, "/api/v1/webhooks", Some(wish.clone())).await).await;
        assert_eq!((body.error.field.as_deref(), body.error.message.as_str()), (Some(field), said), "{wish}");
    }
    let marketer = boat.session(Role::Marketer).await;
    let (status, _) = bad(marketer.send(Method::GET, "/api/v1/webhooks", None).await).await;
    assert_eq!(status, 403);
    boat.stop().await;
}

/// Who changes the suppression list by hand is told of, by what asks for it; what narrows itself down to messages is not.
#[tokio::test(flavor = "multi_thread")]
async fn suppressions_by_hand_are_told() {
    let (boat, ana, _, peer) = ahead().await;
    add(&ana, "list", &peer.url("/ok"), json!({ "types": ["suppression.added", "suppression.removed"] })).await;
    add(&ana, "all", &peer.url("/all"), json!({})).await;
    add(&ana, "bounces", &peer.url("/other"), json!({ "types": ["message.bounced"] })).await;
    add(&ana, "orders", &peer.url("/other"), json!({ "tag": "order" })).await;
    let new = json!({ "address": "Bo@gull.example", "note": "by telephone", "covers": "marketing" });
    let entry = ana.post("/api/v1/suppressions", new.clone()).await;
    // It stands there already.
    ana.post("/api/v1/suppressions", new).await;
    let off = format!("/api/v1/suppressions/{}/remove", entry["id"]);
    ana.post(&off, json!({ "reason": "asked again" })).await;
    let got = peer.wait("/ok", |got| got.len() >= 2).await;
    let mut told: Vec<(String, Value)> = got.iter().map(|got| (got.kind(), got.json()["data"].clone())).collect();
    told.sort_by_key(|(kind, _)| kind.clone());
    let data = |words: &str| {
        json!({ "address": "bo@gull.example", "covers": "marketing", "reason": "manual", "words": words,
            "by": told[0].1["by"] })
    };
    assert_eq!(told[0], ("suppression.added".to_owned(), data("by telephone")));
    assert_eq!(told[1], ("suppression.removed".to_owned(), data("asked again")));
    assert!(!told[0].1["by"].as_str().unwrap().is_empty());
    peer.wait("/all", |got| got.iter().filter(|got| got.kind().starts_with("suppression.")).count() == 2).await;
    assert_eq!((peer.got("/ok").len(), peer.got("/other").len()), (2, 0));
    boat.stop().await;
}

/// A file of suppressions is told once, as a whole, and what holds for the whole installation is told too.
#[tokio::test(flavor = "multi_thread")]
async fn imports_and_the_installations_list_are_told() {
    let (boat, ana, _, peer) = ahead().await;
    add(&ana, "list", &peer.url("/ok"), json!({ "types": ["suppression.imported", "suppression.added"] })).await;
    let import = async |query: &str, lines: &str| {
        let part = multipart::Part::text(format!("address\r\n{lines}")).file_name("old list.csv");
        let request = ana.http.post(format!("{}/api/v1/suppressions/import{query}", ana.base));
        let request = request.header("cookie", &ana.cookie).header("x-csrf-token", &ana.csrf);
        good(request.multipart(multipart::Form::new().part("file", part)).send().await.unwrap()).await
    };
    // More than is taken in one commit.
    let many: String = (0..1500).map(|n| format!("user{n}@gull.example\r\n")).collect();
    assert_eq!(import("", &many).await["added"], 1500);
    // Nothing is new: nothing is told.
    assert_eq!(import("", &many).await["known"], 1500);
    assert_eq!(import("?global=true", "bo@gull.example\r\nnobody\r\n").await["added"], 1);
    ana.post("/api/v1/suppressions", json!({ "address": "cy@gull.example", "global": true })).await;
    let got = peer.wait("/ok", |got| got.len() >= 3).await;
    let by = got[0].json()["data"]["by"].clone();
    let mut told: Vec<String> = got.iter().map(|got| format!("{} {}", got.kind(), got.json()["data"])).collect();
    told.sort();
    let expected = [
        format!(
            "suppression.added {}",
            json!({ "address": "cy@gull.example", "covers": "all", "reason": "manual", "by": by,
            "global": true })
        ),
        format!(
            "suppression.imported {}",
            json!({ "file": "old list.csv", "added": 1, "known": 0, "failed": 1, "by": by,
            "global": true })
        ),
        format!(
            "suppression.imported {}",
            json!({ "file": "old list.csv", "added": 1500, "known": 0, "failed": 0,
            "by": by })
        ),
    ];
    assert_eq!(told, expected);
    boat.stop().await;
}

/// The ladder's first wait is a minute; who says an hour is asked again in an hour.
#[tokio::test(flavor = "multi_thread")]
async fn who_asks_to_be_left_alone_is() {
    let (boat, ana, _, peer) = ahead().await;
    let (id, _) = add(&ana, "busy", &peer.url("/busy"), json!({})).await;
    happen(&boat.running.app().storage, Kind::Delivered, 1).await;
    let list =
        until(&ana, &format!("/api/v1/webhooks/{id}/deliveries"), |list| list["items"][0]["attempts"] == 1).await;
    let next: jiff::Timestamp = list["items"][0]["next_at"].as_str().unwrap().parse().unwrap();
    let wait_s = (next.as_millisecond() - hook::now_ms()) / 1000;
    assert!((3500..=3600).contains(&wait_s), "{wait_s} s: {list}");
    boat.stop().await;
}
