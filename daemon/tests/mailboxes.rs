//! Mail that comes in, over sockets: wishes to get no more, answers that go on, and what is fed by the API and the command
//! line.

mod common;

use api_types::Role;
use common::{Boat, NO_DNS, Session, bad, boat_with, good};
use daemon::serve::Overrides;
use reqwest::Method;
use sandbox::{Internet, LedgerOptions, Options, Providers};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

const PROVIDERS: &str = r#"
[[provider]]
name = "Albatross"
weight = 1
domains = ["albatross.example", "sender.example"]
mx = [{ host = "mx.albatross-mx.example", preference = 10, ip = "127.31.1.1" }]
[provider.manners]
tls = "offered"
"#;

const LISTENS: &str = "[smtp]\ninbound_listen = \"127.0.0.1:0\"";

async fn harbour() -> (Boat, sandbox::Running, Session) {
    let providers = Providers::parse(PROVIDERS).unwrap();
    let ledger = LedgerOptions { keep_last: 100, ..LedgerOptions::default() };
    let internet = Internet::start(Options { providers, ledger, ..Options::default() }).await.unwrap();
    let more = format!("[smtp]\nremote_port = {}\ninbound_listen = \"127.0.0.1:0\"", internet.smtp_port());
    let boat = boat_with(&more, Overrides::default(), &format!("servers = [\"{}\"]", internet.dns())).await;
    let ana = boat.session(Role::Owner).await;
    ana.sending_domain(internet.zone(), "sender.example").await;
    (boat, internet, ana)
}

/// Sends a message of a program and returns it as it arrived, with what the API said of it.
async fn sent(ana: &Session, internet: &sandbox::Running, to: &str, stream: &str) -> (String, Value) {
    let message = json!({ "from": "shop@sender.example", "to": [to], "subject": "Your order", "text": "Thanks.", "stream": stream });
    let accepted = ana.post("/api/v1/messages", message).await;
    (arrived(internet, to).await, accepted)
}

async fn arrived(internet: &sandbox::Running, to: &str) -> String {
    for _ in 0..400 {
        let all = internet.ledger().last_messages();
        if let Some(found) = all.into_iter().rev().find(|received| received.recipients.iter().any(|one| one == to)) {
            return String::from_utf8(found.content).unwrap().replace("\r\n ", " ");
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("nothing arrived at {to}");
}

/// Sends a mail to the listener; the last replies but one tell whether it was taken.
async fn bring(boat: &Boat, from: &str, rcpt: &str, content: &str) -> String {
    let mut stream = TcpStream::connect(boat.running.inbound_addr.unwrap()).await.unwrap();
    let session =
        format!("EHLO x.example\r\nMAIL FROM:<{from}>\r\nRCPT TO:<{rcpt}>\r\nDATA\r\n{content}\r\n.\r\nQUIT\r\n");
    stream.write_all(session.as_bytes()).await.unwrap();
    let mut replies = String::new();
    stream.read_to_string(&mut replies).await.unwrap();
    replies
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_to_the_list_unsubscribe_address_unsubscribes() {
    let (boat, internet, ana) = harbour().await;
    let (content, _) = sent(&ana, &internet, "bo@albatross.example", "bulk").await;
    let line = content.lines().find(|line| line.starts_with("List-Unsubscribe: <http")).unwrap();
    let address = line.split_once("<mailto:").unwrap().1.trim_end_matches('>');
    assert!(address.starts_with("u-") && address.ends_with("@bounce.sender.example"), "{line}");
    assert!(content.contains("List-Unsubscribe-Post: List-Unsubscribe=One-Click"), "{content}");
    let replies = bring(&boat, "bo@albatross.example", address, "From: bo@albatross.example\r\n\r\n").await;
    assert!(replies.contains("250 2.6.0 taken"), "{replies}");
    let suppressed = ana.get("/api/v1/suppressions?q=bo@albatross.example").await;
    assert_eq!(suppressed["items"][0]["reason"], "unsubscribe", "{suppressed}");
    let total = internet.ledger().total();
    assert_eq!((total.copies, total.dkim_failed, total.dkim_missing), (1, 0, 0));
    boat.stop().await;
    internet.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_goes_on_to_the_team() {
    let (boat, internet, ana) = harbour().await;
    for (address, forward_to, field) in [
        ("hello", "team@albatross.example", "address"),
        ("hello@other.example", "team@albatross.example", "address"),
        ("fbl@bounce.sender.example", "team@albatross.example", "address"),
        ("hello@bounce.sender.example", "", "forward_to"),
        ("hello@bounce.sender.example", "x@bounce.sender.example", "forward_to"),
    ] {
        let new = json!({ "address": address, "action": "forward", "forward_to": forward_to });
        let (status, refusal) = bad(ana.send(Method::POST, "/api/v1/reply-addresses", Some(new)).await).await;
        assert_eq!((status, refusal.error.field.as_deref()), (422, Some(field)), "{address} {forward_to}");
    }
    let new = json!({ "address": "Hello@bounce.sender.example" });
    let made = ana.post("/api/v1/reply-addresses", new.clone()).await;
    assert_eq!((&made["address"], &made["action"]), (&json!("hello@bounce.sender.example"), &json!("keep")));
    let twice = bad(ana.send(Method::POST, "/api/v1/reply-addresses", Some(new)).await).await;
    assert_eq!(twice.0, 409);
    let path = format!("/api/v1/reply-addresses/{}", made["id"]);
    let change = json!({ "action": "forward", "forward_to": "team@albatross.example" });
    good(ana.send(Method::PATCH, &path, Some(change)).await).await;

    let (_, accepted) = sent(&ana, &internet, "bo@albatross.example", "transactional").await;
    let answer = format!(
        "From: Bo <bo@albatross.example>\r\nTo: hello@bounce.sender.example\r\nSubject: Re: Your order\r\n\
         Message-ID: <1@albatross.example>\r\nIn-Reply-To: <{}>\r\n\r\nWhere is it?",
        accepted["header_id"].as_str().unwrap()
    );
    for _ in 0..2 {
        let replies = bring(&boat, "bo@albatross.example", "hello@bounce.sender.example", &answer).await;
        assert!(replies.contains("250 2.6.0 taken"), "{replies}");
    }
    let content = arrived(&internet, "team@albatross.example").await;
    for wanted in ["From: \"Bo\" <hello@bounce.sender.example>", "Reply-To: bo@albatross.example", "Where is it?"] {
        assert!(content.contains(wanted), "{wanted} is not in {content}");
    }
    let total = internet.ledger().total();
    assert_eq!((total.copies, total.dkim_failed, total.dkim_missing), (2, 0, 0));
    let replies = ana.get("/api/v1/replies").await;
    let items = replies["items"].as_array().unwrap();
    assert_eq!(items.len(), 1, "taken once: {replies}");
    assert_eq!((&items[0]["done"], &items[0]["from"]), (&json!("forwarded"), &json!("bo@albatross.example")));
    assert!(items[0]["recipient_id"].is_i64() && items[0]["message_id"].is_i64(), "{replies}");
    let shown = ana.get(&format!("/api/v1/replies/{}", items[0]["id"])).await;
    assert!(shown["content"].as_str().unwrap().contains("Where is it?"), "{shown}");
    assert_eq!(ana.get("/api/v1/replies?done=stopped").await["items"], json!([]));
    good(ana.send(Method::DELETE, &path, None).await).await;
    let replies = bring(&boat, "bo@albatross.example", "hello@bounce.sender.example", &answer).await;
    assert!(replies.contains("550 5.1.1"), "{replies}");
    boat.stop().await;
    internet.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_is_told_to_a_webhook() {
    let boat = boat_with(LISTENS, Overrides::default(), NO_DNS).await;
    let ana = boat.session(Role::Owner).await;
    ana.post("/api/v1/domains", json!({ "domain": "sender.example" })).await;
    let hook = json!({ "name": "desk", "url": "https://desk.example/", "types": ["message.bounced"] });
    let hook = ana.post("/api/v1/webhooks", hook).await["webhook"]["id"].clone();
    for (new, field) in [
        (json!({ "action": "webhook" }), "webhook_id"),
        (json!({ "action": "webhook", "webhook_id": 99 }), "webhook_id"),
        (json!({ "action": "keep", "webhook_id": hook }), "webhook_id"),
        (json!({ "action": "webhook", "webhook_id": hook, "forward_to": "a@b.example" }), "forward_to"),
    ] {
        let mut new = new;
        new["address"] = json!("hello@bounce.sender.example");
        let (status, refusal) = bad(ana.send(Method::POST, "/api/v1/reply-addresses", Some(new)).await).await;
        assert_eq!((status, refusal.error.field.as_deref()), (422, Some(field)));
    }
    let new = json!({ "address": "hello@bounce.sender.example", "action": "webhook", "webhook_id": hook });
    assert_eq!(ana.post("/api/v1/reply-addresses", new).await["webhook_id"], hook);
    let answer = |number: u32| {
        format!("From: Bo <bo@albatross.example>\r\nMessage-ID: <{number}@x.example>\r\nSubject: Re\r\n\r\nWhere?")
    };
    let replies = bring(&boat, "bo@albatross.example", "hello@bounce.sender.example", &answer(1)).await;
    assert!(replies.contains("250 2.6.0 taken"), "{replies}");
    let reply = ana.get("/api/v1/replies").await["items"][0].clone();
    assert_eq!((&reply["done"], &reply["subject"]), (&json!("webhook"), &json!("Re")), "{reply}");
    let list = format!("/api/v1/webhooks/{hook}/deliveries");
    let mut delivery = Value::Null;
    for _ in 0..400 {
        delivery = ana.get(&list).await["items"][0].clone();
        if delivery.is_object() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    assert_eq!(delivery["type"], "reply.received", "whatever types it asks for");
    let detail = ana.get(&format!("{list}/{}", delivery["id"])).await;
    let request: Value = serde_json::from_str(detail["request"].as_str().unwrap()).unwrap();
    let data = &request["data"];
    assert_eq!((&data["reply_id"], &data["from"]), (&reply["id"], &json!("bo@albatross.example")), "{request}");
    assert!(data["content"].as_str().unwrap().contains("Where?") && data["is_cut"] == false, "{request}");
    // Without the webhook answers are kept, and say why.
    good(ana.send(Method::DELETE, &format!("/api/v1/webhooks/{hook}"), None).await).await;
    bring(&boat, "bo@albatross.example", "hello@bounce.sender.example", &answer(2)).await;
    let reply = ana.get("/api/v1/replies").await["items"][0].clone();
    assert_eq!((&reply["done"], &reply["why"]), (&json!("kept"), &json!("its webhook is gone")), "{reply}");
    boat.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_fed_changes_the_outcome() {
    let (boat, internet, ana) = harbour().await;
    let report = |to: &str, header_id: &Value| {
        format!(
            "From: <mailer-daemon@albatross.example>\nTo: bounces@elsewhere.example\nSubject: Returned\n\
             MIME-Version: 1.0\nContent-Type: multipart/report; report-type=delivery-status; boundary=b\n\n\
             --b\nContent-Type: text/plain\n\nSorry.\n--b\nContent-Type: message/delivery-status\n\n\
             Reporting-MTA: dns; albatross.example\n\nFinal-Recipient: rfc822; {to}\nAction: failed\n\
             Status: 5.1.1\nDiagnostic-Code: smtp; 550 5.1.1 no such user here\n\n\
             --b\nContent-Type: text/rfc822-headers\n\nMessage-ID: <{}>\nFrom: shop@sender.example\nTo: {to}\n\n--b--\n",
            header_id.as_str().unwrap()
        )
    };
    let (_, one) = sent(&ana, &internet, "bo@albatross.example", "transactional").await;
    let (_, two) = sent(&ana, &internet, "cy@albatross.example", "transactional").await;
    let feed = async |body: String, query: &str| {
        let request = ana.http.post(format!("{}/api/v1/inbound{query}", ana.base)).body(body);
        request.header("cookie", &ana.cookie).header("x-csrf-token", &ana.csrf).send().await.unwrap()
    };
    let told = good(feed(report("bo@albatross.example", &one["header_id"]), "").await).await;
    assert_eq!(
        (&told[0]["purpose"], &told[0]["done"], &told[0]["class"], &told[0]["matched"]),
        (&json!("elsewhere"), &json!("bounced"), &json!("bad_mailbox"), &json!(true)),
        "{told}"
    );
    assert!(told[0]["recipient_id"].is_i64(), "{told}");
    let (status, refusal) = bad(feed("Subject: x\n\nx".to_owned(), "?rcpt=nobody").await).await;
    assert_eq!((status, refusal.error.field.as_deref()), (422, Some("rcpt")));

    // A report that it failed authentication is kept, and told in its trace; it is nothing against its recipient.
    let failed = format!(
        "From: <dmarc@albatross.example>\nTo: bounces@elsewhere.example\nSubject: FW: Hello\nMIME-Version: 1.0\n\
         Content-Type: multipart/report; report-type=feedback-report; boundary=b\n\n\
         --b\nContent-Type: message/feedback-report\n\nFeedback-Type: auth-failure\nVersion: 1\nUser-Agent: A/1\n\
         Auth-Failure: dmarc\nSource-IP: 127.0.0.1\nDelivery-Result: reject\n\n\
         --b\nContent-Type: text/rfc822-headers\n\nMessage-ID: <{}>\nFrom: shop@sender.example\nTo: x\n\n--b--\n",
        two["header_id"].as_str().unwrap()
    );
    let told = good(feed(failed, "").await).await;
    assert_eq!((&told[0]["done"], &told[0]["matched"]), (&json!("the report is kept"), &json!(true)), "{told}");
    let failures = ana.get("/api/v1/reports/failures?domain=sender.example").await["items"].clone();
    assert_eq!(
        (failures[0]["failure"].as_str(), failures[0]["organization"].as_str()),
        (Some("dmarc"), Some("albatross.example"))
    );
    let whom = &failures[0]["recipient_id"];
    assert_eq!(whom, &told[0]["recipient_id"], "{failures}");
    let trace = ana.get(&format!("/api/v1/recipients/{whom}")).await;
    let entry = trace["timeline"].as_array().unwrap().iter().find(|entry| entry["kind"] == "auth_failure").unwrap();
    let expected = "albatross.example reported that it failed authentication (dmarc), coming from 127.0.0.1.";
    assert_eq!((&entry["summary"], &trace["recipient"]["state"]), (&json!(expected), &json!("delivered")));

    // An mbox by the command line: one known, one new, one about nobody. Files that cannot be read don't keep it back.
    let mbox = format!(
        "From a Mon\n{}\nFrom b Tue\n{}\nFrom c Wed\nSubject: hello\n\nhello\n",
        report("bo@albatross.example", &one["header_id"]),
        report("cy@albatross.example", &two["header_id"])
    );
    let (file, config) = (boat.dir.path().join("mails.mbox"), boat.dir.path().join("packetboat.toml"));
    std::fs::write(&file, mbox).unwrap();
    std::fs::write(&config, format!("[storage]\ndir = {:?}\n", boat.dir.path().join("data"))).unwrap();
    let (none, large) = (boat.dir.path().join("none.eml"), boat.dir.path().join("large.eml"));
    std::fs::File::create(&large).unwrap().set_len(161 * 1024 * 1024).unwrap();
    let run = tokio::task::spawn_blocking(move || {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_packetboat"));
        command.env("PACKETBOAT_CONFIG", &config).arg("inbound").args([none, large, file]).output().unwrap()
    });
    let output = run.await.unwrap();
    let why = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && why.contains("cannot open") && why.contains("none.eml"), "{why}");
    assert!(why.contains("large.eml: has 161.0 MiB, and a mail may have 160 MiB; feed its beginning"), "{why}");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 3, "{text}{why}");
    assert!(lines[0].contains("#1: delivery_report") && lines[0].ends_with("known already (bad_mailbox)"), "{text}");
    assert!(lines[1].ends_with("bounced (bad_mailbox)"), "{text}");
    assert!(lines[2].ends_with("not matched: it is not a report about a delivery"), "{text}");
    let suppressed = ana.get("/api/v1/suppressions").await;
    assert_eq!(suppressed["items"].as_array().unwrap().len(), 2, "{suppressed}");
    boat.stop().await;
    internet.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mailbox_that_cannot_be_read_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let password = dir.path().join("password");
    std::fs::write(&password, "secret\n").unwrap();
    // Nobody listens there: the listener is gone before the daemon begins.
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let mailbox = format!(
        "[[mailbox]]\nname = \"bounces\"\nprotocol = \"imap\"\nhost = \"127.0.0.1\"\nport = {port}\nuser = \"me\"\n\
         password_file = {password:?}"
    );
    let boat = boat_with(&mailbox, Overrides::default(), NO_DNS).await;
    let ana = boat.session(Role::Owner).await;
    let mut told = String::new();
    for _ in 0..200 {
        told = ana.get("/api/v1/doctor").await.to_string();
        if told.contains("cannot be read since") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    assert!(told.contains("mailbox bounces") && told.contains("the connection failed"), "{told}");
    assert!(told.contains("warning") && !told.contains("secret"), "{told}");
    let overview = ana.get("/api/v1/overview").await["notices"].to_string();
    assert!(overview.contains("The mailbox bounces cannot be read: the connection failed"), "{overview}");
    boat.stop().await;
}
