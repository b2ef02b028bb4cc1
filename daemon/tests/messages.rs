//! Single messages from the API's request to the wire, over sockets to a small simulated internet; and what keys may do.

mod common;

use api_types::{ErrorCode, Role};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use common::{Boat, Session, bad, boat, boat_with, good};
use daemon::http::access::Access;
use daemon::serve::Overrides;
use reqwest::{Method, Response};
use sandbox::{Internet, LedgerOptions, Options, Providers};
use serde_json::{Value, json};
use std::time::Duration;

const PROVIDERS: &str = r#"
[[provider]]
name = "Albatross"
weight = 1
domains = ["albatross.example", "sender.example"]
mx = [{ host = "mx.albatross-mx.example", preference = 10, ip = "127.31.1.1" }]
[provider.manners]
tls = "offered"
"#;

async fn harbour() -> (Boat, sandbox::Running, Session) {
    harbour_with("").await
}

/// With these sections behind the others.
async fn harbour_with(sections: &str) -> (Boat, sandbox::Running, Session) {
    let providers = Providers::parse(PROVIDERS).unwrap();
    let ledger = LedgerOptions { keep_last: 100, ..LedgerOptions::default() };
    let internet = Internet::start(Options { providers, ledger, ..Options::default() }).await.unwrap();
    let more = format!("[smtp]\nremote_port = {}\nbulk_retry = [\"1s\"]\n{sections}", internet.smtp_port());
    let boat = boat_with(&more, Overrides::default(), &format!("servers = [\"{}\"]", internet.dns())).await;
    let ana = boat.session(Role::Owner).await;
    ana.sending_domain(internet.zone(), "sender.example").await;
    (boat, internet, ana)
}

fn letter(to: &[&str]) -> Value {
    json!({ "from": "Shop <shop@sender.example>", "to": to, "subject": "Your order", "text": "Thank you." })
}

/// The message as it stands once nothing of it waits any more and what happened is written in every recipient's
/// timeline, which follows a little later.
async fn settled(ana: &Session, id: &Value) -> Value {
    for _ in 0..600 {
        let detail = ana.get(&format!("/api/v1/messages/{id}")).await;
        let recipients = detail["recipients"]["items"].as_array().unwrap();
        let told = recipients.iter().all(|one| one["timeline"][0].is_object());
        if detail["message"]["live"] == false && told {
            return detail;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("message {id} still waits: {}", ana.get(&format!("/api/v1/messages/{id}")).await);
}

async fn send(ana: &Session, key: &str, path: &str, body: &Value) -> Response {
    let request = ana.http.post(format!("{}{path}", ana.base));
    let request = request.header("cookie", &ana.cookie).header("x-csrf-token", &ana.csrf);
    request.header("idempotency-key", key).json(body).send().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_arrives_signed_and_its_suppressed_recipient_gets_none() {
    let (boat, internet, ana) = harbour().await;
    ana.post("/api/v1/suppressions", json!({ "address": "no@albatross.example", "note": "asked" })).await;
    let message = json!({
        "from": "Shop <shop@sender.example>", "reply_to": "help@sender.example",
        "to": ["Bo <bo@albatross.example>", "BO@albatross.example"], "cc": ["no@albatross.example"],
        "bcc": ["unseen@albatross.example"],
        "subject": "Olá", "html": "<p>Thank <b>you</b>. <a href='https://shop.example/'>Shop</a></p>",
        "attachments": [{ "name": "bill.pdf", "content_type": "application/pdf", "content": "JVBERg" }],
        "headers": { "X-Order": "17" }, "tags": ["order"],
    });
    let accepted = ana.post("/api/v1/messages", message).await;
    assert_eq!(accepted["recipients"], 3, "{accepted}");
    let detail = settled(&ana, &accepted["id"]).await;
    let of = |at: usize, key: &str| detail["recipients"]["items"][at]["recipient"][key].clone();
    let states: Vec<_> = (0..3).map(|at| (of(at, "address"), of(at, "state"))).collect();
    let expected = [("bo@", "delivered"), ("no@", "suppressed"), ("unseen@", "delivered")];
    let expected: Vec<_> =
        expected.iter().map(|(who, state)| (json!(format!("{who}albatross.example")), json!(state))).collect();
    assert_eq!(states, expected, "{detail}");
    let told = detail["recipients"]["items"][1]["timeline"][0]["summary"].as_str().unwrap();
    assert_eq!(told, "Not sent: the address is on the suppression list (manual).");

    let total = internet.ledger().total();
    assert_eq!((total.copies, total.dkim_failed, total.dkim_missing), (2, 0, 0));
    for received in internet.ledger().last_messages() {
        let content = String::from_utf8(received.content).unwrap();
        for wanted in [
            "X-Order: 17",
            "Subject: =?utf-8?",
            "To: \"Bo\" <bo@albatross.example>",
            "JVBERg==",
            "Shop (https://shop.example/)",
        ] {
            assert!(content.contains(wanted), "{wanted} is not in {content}");
        }
        assert!(content.contains(&format!("Message-ID: <{}>", accepted["header_id"].as_str().unwrap())), "{content}");
        assert!(!content.contains("unseen@") && !content.contains("List-Unsubscribe: <"), "{content}");
    }

    let found = async |query: &str| {
        let page = ana.get(&format!("/api/v1/messages?{query}")).await;
        page["items"].as_array().unwrap().len()
    };
    for (query, expected) in [
        ("", 1),
        ("address=Unseen@albatross.example", 1),
        ("address=x@albatross.example", 0),
        ("tag=order", 1),
        ("tag=orders", 0),
        ("state=suppressed", 1),
        ("state=bounced", 0),
        ("from=SHOP", 1),
        ("stream=bulk", 0),
        ("since=2099-01-01T00:00:00Z", 0),
        ("until=2099-01-01T00:00:00Z", 1),
    ] {
        assert_eq!(found(query).await, expected, "{query}");
    }
    boat.stop().await;
    internet.shutdown().await;
}

/// One message to two domains, of which one is known to verify Ed25519.
#[tokio::test(flavor = "multi_thread")]
async fn a_receiver_that_verifies_ed25519_needs_no_other_signature() {
    let shaping = "[[shaping]]\ndomain = \"sender.example\"\nsignatures = \"ed25519\"";
    let (boat, internet, ana) = harbour_with(shaping).await;
    let accepted = ana.post("/api/v1/messages", letter(&["bo@albatross.example", "bo@sender.example"])).await;
    settled(&ana, &accepted["id"]).await;
    let total = internet.ledger().total();
    assert_eq!((total.copies, total.dkim_failed, total.dkim_missing), (2, 0, 0));
    for received in internet.ledger().last_messages() {
        let content = String::from_utf8(received.content).unwrap();
        let domain = received.recipients[0].split_once('@').unwrap().1;
        let signed = |algorithm: &str| content.contains(&format!("a={algorithm};"));
        let signatures = (signed("ed25519-sha256"), signed("rsa-sha256"));
        assert_eq!(signatures, (true, domain == "albatross.example"), "{domain}: {content}");
    }
    boat.stop().await;
    internet.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whole_messages_templates_and_bulk_mail() {
    let (boat, internet, ana) = harbour().await;
    let raw = "From: Shop <shop@sender.example>\nTo: everybody@albatross.example\nBcc: secret@albatross.example\n\
        X-Packetboat-Tags: a,b\nSubject: =?utf-8?Q?Ol=C3=A1?=\n\nHi\n";
    let accepted =
        ana.post("/api/v1/messages", json!({ "raw": STANDARD.encode(raw), "to": ["one@albatross.example"] })).await;
    let detail = settled(&ana, &accepted["id"]).await;
    assert_eq!(
        (&detail["message"]["subject"], &detail["message"]["tags"], &detail["message"]["recipients"]),
        (&json!("Olá"), &json!(["a", "b"]), &json!(1)),
        "{detail}"
    );
    let received = internet.ledger().last_messages().pop().unwrap();
    let content = String::from_utf8(received.content).unwrap();
    assert!(
        content.contains("To: everybody@") && !content.contains("secret@") && !content.contains("X-Packetboat"),
        "{content}"
    );

    let template = json!({ "name": "Order", "kind": "html", "subject": "Order {{ order.number }}", "source": "<p>{{ order.what }}</p>" });
    let template = ana.post("/api/v1/templates", template).await;
    let bulk = json!({
        "from": "shop@sender.example", "to": ["x@albatross.example", "y@albatross.example"], "stream": "bulk",
        "template": template["id"], "variables": { "order": { "number": 17, "what": "Rope & sail" } },
    });
    let accepted = ana.post("/api/v1/messages", bulk).await;
    let detail = settled(&ana, &accepted["id"]).await;
    assert_eq!(detail["message"]["subject"], "Order 17", "{detail}");
    // Each recipient of bulk mail has a link of its own, and one click on it suppresses that address.
    let links: Vec<(String, String)> = internet
        .ledger()
        .last_messages()
        .iter()
        .filter_map(|received| {
            let content = String::from_utf8_lossy(&received.content).replace("\r\n ", " ");
            let link = content
                .lines()
                .find_map(|line| line.strip_prefix("List-Unsubscribe: <"))?
                .trim_end_matches('>')
                .to_owned();
            assert!(
                content.contains("Rope &amp; sail")
                    && content.contains("List-Unsubscribe-Post: List-Unsubscribe=One-Click")
            );
            Some((received.recipients[0].clone(), link))
        })
        .collect();
    assert_eq!(links.len(), 2, "{links:?}");
    assert_ne!(links[0].1, links[1].1);
    let form = boat.http.post(&links[0].1).header("content-type", "application/x-www-form-urlencoded");
    assert_eq!(form.body("List-Unsubscribe=One-Click").send().await.unwrap().status(), 200);
    let suppressed = ana.get(&format!("/api/v1/suppressions?q={}", links[0].0)).await;
    assert_eq!(suppressed["items"][0]["reason"], "unsubscribe", "{suppressed}");
    let total = internet.ledger().total();
    assert_eq!((total.copies, total.dkim_failed, total.dkim_missing), (3, 0, 0));
    boat.stop().await;
    internet.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_mistake_names_its_field() {
    let (boat, internet, ana) = harbour().await;
    let with = |key: &str, value: Value| {
        let mut message = letter(&["bo@albatross.example"]);
        message[key] = value;
        message
    };
    let many: Vec<String> = (0..1001).map(|n| format!("r{n}@albatross.example")).collect();
    let raw = |text: &str| json!({ "raw": STANDARD.encode(text), "to": ["bo@albatross.example"] });
    for (body, field) in [
        (with("from", Value::Null), "from"),
        (with("from", json!("shop@elsewhere.example")), "from"),
        (with("from", json!("a@sender.example, b@sender.example")), "from"),
        (with("to", json!([])), "to"),
        (with("to", json!(many)), "to"),
        (with("to", json!(["bo@albatross.example", "bo"])), "to[1]"),
        (with("bcc", json!(["x@y"])), "bcc[0]"),
        (with("subject", json!("a\r\nBcc: c@example.com")), "subject"),
        (with("text", Value::Null), "text"),
        (with("headers", json!({ "Bcc": "c@example.com" })), "headers.Bcc"),
        (with("headers", json!({ "X-A": "b\nBcc: c@example.com" })), "headers.X-A"),
        (with("headers", json!({ "Message-ID": "17" })), "headers"),
        (
            with("attachments", json!([{ "name": "a", "content_type": "text/plain", "content": "*" }])),
            "attachments[0].content",
        ),
        (
            with("attachments", json!([{ "name": "a", "content_type": "text", "content": "" }])),
            "attachments[0].content_type",
        ),
        (with("stream", json!("nowhere")), "stream"),
        (with("tags", json!(["a,b"])), "tags"),
        (with("send_at", json!("tomorrow")), "send_at"),
        (with("send_at", json!("2199-01-01T00:00:00Z")), "send_at"),
        (with("sendat", json!("2026-01-01T00:00:00Z")), "sendat"),
        (with("template", json!(7)), "subject"),
        (with("variables", json!({ "a": 1 })), "variables"),
        (json!({ "from": "shop@sender.example", "to": ["bo@albatross.example"], "template": 7 }), "template"),
        (with("raw", json!("aGk=")), "from"),
        (json!({ "raw": "*", "to": ["bo@albatross.example"] }), "raw"),
        (raw("Subject: no author\n\nHi\n"), "raw"),
        (raw("From: shop@elsewhere.example\n\nHi\n"), "raw"),
        (raw("From: shop@sender.example\r\n\r\nsmuggled\n.\r\n"), "raw"),
    ] {
        let (status, answer) = bad(ana.send(Method::POST, "/api/v1/messages", Some(body.clone())).await).await;
        assert_eq!((status, answer.error.field.as_deref()), (422, Some(field)), "{body}: {}", answer.error.message);
    }
    let large = with(
        "attachments",
        json!([{ "name": "a", "content_type": "text/plain", "content": STANDARD.encode(vec![b'x'; 21 << 20]) }]),
    );
    let (status, answer) = bad(ana.send(Method::POST, "/api/v1/messages", Some(large)).await).await;
    assert_eq!((status, answer.error.code), (413, ErrorCode::TooLarge));
    assert_eq!(ana.get("/api/v1/messages").await["items"], json!([]), "nothing of it was taken in");
    boat.stop().await;
    internet.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_comes_again_is_answered_and_not_done_again() {
    let (boat, internet, ana) = harbour().await;
    let path = "/api/v1/messages";
    let body = letter(&["bo@albatross.example"]);
    // Two at once, and then some.
    let answers = futures_util::future::join_all((0..8).map(|_| send(&ana, "order-17", path, &body))).await;
    let mut ids = Vec::new();
    for answer in answers {
        ids.push(good(answer).await["id"].clone());
    }
    ids.dedup();
    assert_eq!(ids.len(), 1, "{ids:?}");
    let again = send(&ana, "order-17", path, &body).await;
    assert_eq!(again.headers()["idempotent-replayed"], "true");
    assert_eq!(good(again).await["id"], ids[0]);
    let (status, answer) = bad(send(&ana, "order-17", path, &letter(&["else@albatross.example"])).await).await;
    assert_eq!((status, answer.error.field.as_deref()), (422, Some("Idempotency-Key")));
    // The same word of somebody else is another request, and a refused request leaves its key free.
    let marketer = boat.session(Role::Marketer).await;
    assert_ne!(good(send(&marketer, "order-17", path, &body).await).await["id"], ids[0]);
    let mut wrong = body.clone();
    wrong["from"] = json!("shop@elsewhere.example");
    assert_eq!(bad(send(&ana, "order-18", path, &wrong).await).await.0, 422);
    assert!(good(send(&ana, "order-18", path, &body).await).await["id"].is_i64());
    assert_eq!(bad(send(&ana, "", path, &body).await).await.1.error.field.as_deref(), Some("Idempotency-Key"));
    assert_eq!(ana.get(path).await["items"].as_array().unwrap().len(), 3);
    boat.stop().await;
    internet.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_batch_tells_what_became_of_each_message() {
    let (boat, internet, ana) = harbour().await;
    let mut messages: Vec<Value> = (0..999).map(|n| letter(&[&format!("r{n}@albatross.example")])).collect();
    messages.push(json!({ "from": "shop@sender.example", "to": ["bo"], "text": "Hi" }));
    let batch = json!({ "messages": messages });
    let path = "/api/v1/messages/batch";
    let answer = good(send(&ana, "night", path, &batch).await).await;
    assert_eq!((&answer["accepted"], &answer["refused"]), (&json!(999), &json!(1)));
    let results = answer["results"].as_array().unwrap();
    assert_eq!(results[999]["error"]["field"], "messages[999].to[0]");
    let ids: std::collections::BTreeSet<i64> = results.iter().filter_map(|r| r["message"]["id"].as_i64()).collect();
    assert_eq!(ids.len(), 999);
    assert_eq!(good(send(&ana, "night", path, &batch).await).await, answer);
    for (body, field) in [
        (json!({ "messages": [] }), "messages"),
        (json!({ "messages": vec![letter(&["bo@albatross.example"]); 1001] }), "messages"),
    ] {
        let (status, answer) = bad(ana.send(Method::POST, path, Some(body)).await).await;
        assert_eq!((status, answer.error.field.as_deref()), (422, Some(field)));
    }
    for result in [&results[0], &results[998]] {
        let detail = settled(&ana, &result["message"]["id"]).await;
        assert_eq!(detail["message"]["states"], json!([{ "name": "delivered", "count": 1 }]));
    }
    boat.stop().await;
    internet.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_gives_a_return_path_is_told_by_mail() {
    let (boat, internet, ana) = harbour().await;
    let with = |more: Value| {
        let mut message = letter(&["unknown-1@albatross.example", "unknown-2@albatross.example"]);
        message.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        message
    };
    for (more, field) in [
        (json!({ "notify": ["failure"] }), "notify"),
        (json!({ "return_path": "ana@elsewhere.example" }), "return_path"),
        (json!({ "return_path": "ana" }), "return_path"),
    ] {
        let refused = send(&ana, field, "/api/v1/messages", &with(more)).await;
        assert_eq!(refused.status(), 422, "{field}");
        assert_eq!(refused.json::<Value>().await.unwrap()["error"]["field"], field);
    }
    let accepted = ana.post("/api/v1/messages", with(json!({ "return_path": "Shop <shop@sender.example>" }))).await;
    settled(&ana, &accepted["id"]).await;
    let mut reports = Vec::new();
    for _ in 0..600 {
        reports = internet.ledger().last_messages();
        if !reports.is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let [report] = &reports[..] else { panic!("{reports:?}") };
    assert_eq!((report.reverse_path.as_str(), &*report.recipients), ("", &["shop@sender.example".to_owned()][..]));
    let content = String::from_utf8_lossy(&report.content);
    for wanted in [
        "From: Mail Delivery System <MAILER-DAEMON@sender.example>",
        "Final-Recipient: rfc822; unknown-1@albatross.example",
        "Final-Recipient: rfc822; unknown-2@albatross.example",
        "Action: failed",
        "Status: 5.1.1",
        "Subject: Your order",
    ] {
        assert!(content.contains(wanted), "{wanted} is not in {content}");
    }
    let total = internet.ledger().total();
    assert_eq!((total.dkim_failed, total.dkim_missing, total.breaches.len()), (0, 0, 0));
    // The trace of who was refused leads to the report.
    let detail = ana.get(&format!("/api/v1/messages/{}", accepted["id"])).await;
    let path = format!("/api/v1/recipients/{}", detail["recipients"]["items"][0]["recipient"]["id"]);
    let mut told = Value::Null;
    for _ in 0..100 {
        told = ana.get(&path).await["timeline"][0].clone();
        if told["kind"] == "sender_told" {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(told["summary"], "Whoever handed it in was told by mail: failed.", "{told}");
    let report = ana.get(&format!("/api/v1/messages/{}", told["leads_to"]["id"])).await;
    assert_eq!(report["message"]["origin"], "system", "{report}");
    boat.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_can_be_cancelled() {
    let (boat, internet, ana) = harbour().await;
    let mut later = letter(&["bo@albatross.example", "cy@albatross.example"]);
    let in_an_hour = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(1);
    later["send_at"] = json!(in_an_hour.to_string());
    let accepted = ana.post("/api/v1/messages", later).await;
    let shown = ana.get(&format!("/api/v1/messages/{}", accepted["id"])).await;
    assert_eq!(shown["recipients"]["items"][0]["recipient"]["wait_reason"], "scheduled", "{shown}");
    let cancel = format!("/api/v1/messages/{}/cancel", accepted["id"]);
    let done = good(ana.send(Method::POST, &cancel, None).await).await;
    assert_eq!(done["message"], "Cancelled for 2 of 2 recipients.");
    let detail = settled(&ana, &accepted["id"]).await;
    assert_eq!(detail["message"]["states"], json!([{ "name": "cancelled", "count": 2 }]));
    assert_eq!(bad(ana.send(Method::POST, &cancel, None).await).await.0, 409, "a second time");
    assert_eq!(bad(ana.send(Method::POST, "/api/v1/messages/99/cancel", None).await).await.0, 404);
    assert_eq!(internet.ledger().total().copies, 0);
    assert_eq!(ana.get("/api/v1/queue").await["ledger"]["holds"], true);
    boat.stop().await;
    internet.shutdown().await;
}

/// A key with these scopes, as a header's value.
async fn key(ana: &Session, scopes: &[&str], rate: Option<u32>) -> String {
    let new = json!({ "name": scopes.join(" "), "scopes": scopes, "rate_per_minute": rate });
    let made = ana.post("/api/v1/api_keys", new).await;
    assert_eq!((&made["api_key"]["scopes"], &made["api_key"]["rate_per_minute"]), (&json!(scopes), &json!(rate)));
    format!("Bearer {}", made["key"].as_str().unwrap())
}

#[tokio::test]
async fn a_key_opens_what_its_scopes_say() {
    let boat = boat().await;
    let ana = boat.session(Role::Owner).await;
    let inbound = key(&ana, &["inbound"], None).await;
    let keys = [
        (key(&ana, &["send"], None).await, None, true),
        (inbound.clone(), None, false),
        (key(&ana, &["read"], None).await, Some(Role::Viewer), false),
        (key(&ana, &["send", "read"], None).await, Some(Role::Viewer), true),
        (key(&ana, &["marketing"], None).await, Some(Role::Marketer), true),
        (key(&ana, &["admin"], None).await, Some(Role::Admin), true),
    ];
    let (_, _, routes) = daemon::http::api(boat.running.app());
    for route in routes {
        let path = route.path.replace("{id}", "0").replace("{number}", "0");
        for (key, role, sends) in &keys {
            let may = match route.access {
                Access::Public => continue,
                Access::Sends => *sends,
                Access::Feeds => *role == Some(Role::Admin) || *key == inbound,
                Access::Least(least) => least != Role::Owner && role.is_some_and(|role| role.may(least)),
            };
            // What ends slowly, or ends nothing, is not begun; nothing has the id 0.
            if may
                && (path.ends_with("/stream")
                    || path.ends_with("/doctor")
                    || !path.contains('0') && route.method != "GET")
            {
                continue;
            }
            let request =
                boat.http.request(route.method.parse().unwrap(), boat.url(&path)).header("authorization", key);
            let status = request.json(&json!({})).send().await.unwrap().status().as_u16();
            assert_eq!(status == 403, !may, "{} {path} with {role:?} {sends}: {status}", route.method);
        }
    }
    let (status, _) =
        bad(ana.send(Method::POST, "/api/v1/api_keys", Some(json!({ "name": "x", "scopes": [] }))).await).await;
    assert_eq!(status, 422);
    boat.stop().await;
}

#[tokio::test]
async fn a_key_with_a_rate_has_to_wait() {
    let boat = boat().await;
    let ana = boat.session(Role::Owner).await;
    let key = key(&ana, &["send", "read"], Some(3)).await;
    let ask = async || boat.http.get(boat.url("/api/v1/messages")).header("authorization", &key).send().await.unwrap();
    let batch = json!({ "messages": vec![letter(&["bo@albatross.example"]); 4] });
    let batch = boat.http.post(boat.url("/api/v1/messages/batch")).header("authorization", &key).json(&batch);
    let (status, answer) = bad(batch.send().await.unwrap()).await;
    assert_eq!((status, answer.error.code), (429, ErrorCode::RateLimited), "{}", answer.error.message);
    for _ in 0..2 {
        assert_eq!(ask().await.status(), 200);
    }
    let refused = ask().await;
    let wait: u64 = refused.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=20).contains(&wait), "{wait}");
    assert_eq!(bad(refused).await.0, 429);
    boat.stop().await;
}

#[tokio::test]
async fn a_full_disk_refuses_messages_for_now() {
    let dir = tempfile::tempdir().unwrap();
    let text = format!(
        "[storage]\ndir = {:?}\nmin_free_mb = 1000000\n[http]\nlisten = \"127.0.0.1:0\"\n[dns]\n{}\n",
        dir.path().join("data"),
        common::NO_DNS
    );
    let running = daemon::serve::start(config::parse("test.toml", &text).unwrap(), Overrides::default()).await.unwrap();
    let base = format!("http://{}", running.http_addr);
    let boat = Boat { running, dir, http: reqwest::Client::builder().no_proxy().build().unwrap(), base };
    let ana = boat.session(Role::Owner).await;
    let response = ana.send(Method::POST, "/api/v1/messages", Some(letter(&["bo@albatross.example"]))).await;
    assert_eq!(response.headers()["retry-after"], "60");
    let (status, answer) = bad(response).await;
    assert_eq!((status, answer.error.code), (503, ErrorCode::Unavailable));
    assert_eq!(ana.get("/api/v1/messages").await["items"], json!([]), "looking is still possible");
    boat.stop().await;
}
