//! Real mail servers and clients of other people, on loopback: Postfix, its smtp-sink and aiosmtpd receive from us;
//! Postfix and swaks hand in to us.

mod common;
mod peer;

use api_types::Role;
use common::{Boat, Session, boat_with};
use daemon::serve::Overrides;
use mta::submission::Security;
use peer::postfix::{Postfix, Upstream};
use peer::{Aiosmtpd, PATIENCE, Sink, files, free_port, program};
use sandbox::{Internet, LedgerOptions, Options, Providers, dkim_verify};
use serde_json::{Value, json};
use std::fs;
use std::time::Duration;

const PROVIDERS: &str = r#"
[[provider]]
name = "Albatross"
weight = 1
domains = ["albatross.example"]
mx = [{ host = "mx.albatross-mx.example", preference = 10, ip = "127.34.1.1" }]
[provider.manners]
tls = "offered"
"#;
const POSTFIX: &str = "127.34.1.2";
const SINK: &str = "127.34.1.3";
const MODERN: &str = "127.34.1.4";
const OLD: &str = "127.34.1.5";
/// What the modern receiver takes at most.
const SIZE_MAX: usize = 20_000;
const LOOK: Duration = Duration::from_millis(50);

/// Our daemon with a sending domain, and a simulated internet for its DNS.
struct Harbour {
    boat: Boat,
    ana: Session,
    internet: sandbox::Running,
    // The certificate lies here.
    _dir: tempfile::TempDir,
}

/// `remote_port` is where every mail exchanger listens; by default, the simulated ones.
async fn harbour(remote_port: Option<u16>) -> Harbour {
    let providers = Providers::parse(PROVIDERS).unwrap();
    let ledger = LedgerOptions { keep_last: 10, ..LedgerOptions::default() };
    let internet = Internet::start(Options { providers, ledger, ..Options::default() }).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
    fs::write(&certificate, made.cert.pem()).unwrap();
    fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let more = format!(
        "[smtp]\nremote_port = {}\ntransactional_retry = [\"1s\"]\n[submission]\nlisten = [\"127.0.0.1:0\"]\n\
         certificate_file = {certificate:?}\nkey_file = {key:?}\n",
        remote_port.unwrap_or(internet.smtp_port())
    );
    let dns = format!("servers = [\"{}\"]", internet.dns());
    let boat = boat_with(&more, Overrides::default(), &dns).await;
    let ana = boat.session(Role::Owner).await;
    let domain = ana.post("/api/v1/domains", json!({ "domain": "sender.example" })).await;
    for record in domain["records"].as_array().unwrap().iter().filter(|record| record["kind"] == "TXT") {
        internet.zone().publish_txt(record["name"].as_str().unwrap(), record["wanted"].as_str().unwrap());
    }
    // Nothing signs before its record was seen.
    ana.post(&format!("/api/v1/domains/{}/verify", domain["domain"]["id"]), json!({})).await;
    Harbour { boat, ana, internet, _dir: dir }
}

impl Harbour {
    fn publish(&self, domain: &str, ip: &str) {
        let host = format!("mx.{domain}");
        self.internet.zone().publish_mx(domain, 10, &host);
        self.internet.zone().publish_address(&host, ip.parse().unwrap());
    }

    fn port(&self) -> u16 {
        let addresses = &self.boat.running.submission_addrs;
        addresses.iter().find(|(security, _)| *security == Security::StartTls).unwrap().1.port()
    }

    /// Sends to one address; the recipient as it ended, over the API.
    async fn send(&self, to: &str, text: &str) -> Value {
        let message = json!({ "from": "ana@sender.example", "to": [to], "subject": "Olá", "text": text });
        let id = self.ana.post("/api/v1/messages", message).await["id"].clone();
        let ended = async {
            loop {
                let detail = self.ana.get(&format!("/api/v1/messages/{id}")).await;
                if detail["message"]["live"] == false {
                    return detail["recipients"]["items"][0]["recipient"].clone();
                }
                tokio::time::sleep(LOOK).await;
            }
        };
        tokio::time::timeout(PATIENCE, ended).await.unwrap_or_else(|_| panic!("{to} still waits"))
    }

    /// Fails unless each signature holds; line ends are as a mailbox has them.
    fn check_signatures(&self, message: &[u8]) {
        let text = String::from_utf8_lossy(message).replace("\r\n", "\n").replace('\n', "\r\n");
        let found = dkim_verify::verify(text.as_bytes(), None, |name| self.internet.zone().txt(name));
        assert!(!found.is_empty() && found.iter().all(|one| one.result.is_ok()), "{found:?}\n{text}");
    }

    async fn stop(self) {
        self.boat.stop().await;
        self.internet.shutdown().await;
    }
}

async fn until(what: impl Fn() -> String, mut condition: impl FnMut() -> bool) {
    let wait = async {
        while !condition() {
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("in vain: {}", what()));
}

#[tokio::test(flavor = "multi_thread")]
async fn postfix_receives_over_tls_and_its_sink_receives() {
    let port = free_port(POSTFIX);
    let harbour = harbour(Some(port)).await;
    let (postfix, sink) =
        tokio::task::spawn_blocking(move || (Postfix::start(POSTFIX, port, None), Sink::start(SINK, port)))
            .await
            .unwrap();
    harbour.publish(peer::postfix::DOMAIN, POSTFIX);
    harbour.publish("sink.example", SINK);
    for to in ["ben@postfix.example", "ben@sink.example"] {
        let ended = harbour.send(to, "Hello\n.a line that begins with a dot\n").await;
        assert_eq!(ended["state"], "delivered", "{ended}\n{}", postfix.log());
    }
    let no_answer = || format!("one copy each: {}", postfix.log());
    until(no_answer, || postfix.kept().len() == 1 && sink.kept().len() == 1).await;
    let received = String::from_utf8(postfix.kept().remove(0)).unwrap();
    assert!(received.contains("(using TLSv1.3 with cipher "), "{received}");
    assert!(received.contains("\nDelivered-To: ben@postfix.example\n"), "{received}");
    assert!(received.contains("\nReceived: from "), "{received}");
    for message in [postfix.kept().remove(0), sink.kept().remove(0)] {
        harbour.check_signatures(&message);
        let text = String::from_utf8_lossy(&message).into_owned();
        assert!(text.contains("\n.a line that begins with a dot"), "{text}");
    }
    // It relays for nobody, us included; what it says is kept.
    harbour.publish("elsewhere.example", POSTFIX);
    let refused = harbour.send("ben@elsewhere.example", "Hello\n").await;
    assert!(refused["state"] == "bounced" && refused.to_string().contains("Relay access denied"), "{refused}");
    assert_eq!((postfix.kept().len(), sink.kept().len()), (1, 1), "one copy each");
    drop((postfix, sink));
    harbour.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn aiosmtpd_receives_what_it_says_that_it_takes() {
    let port = free_port(MODERN);
    let harbour = harbour(Some(port)).await;
    let start =
        move || (Aiosmtpd::start(MODERN, port, SIZE_MAX, "utf8"), Aiosmtpd::start(OLD, port, SIZE_MAX, "ascii"));
    let (modern, old) = tokio::task::spawn_blocking(start).await.unwrap();
    harbour.publish("modern.example", MODERN);
    harbour.publish("old.example", OLD);
    let large = "a line of a large letter\n".repeat(SIZE_MAX / 20);
    for (to, text, state, words) in [
        ("ben@modern.example", "Hello\n", "delivered", "kept"),
        ("jörg@modern.example", "Hello\n", "delivered", "kept"),
        ("ben@modern.example", large.as_str(), "bounced", "takes 20000"),
        ("ben@old.example", "Hello\n", "delivered", "kept"),
        ("jörg@old.example", "Hello\n", "bounced", "takes no UTF-8 in addresses"),
    ] {
        let ended = harbour.send(to, text).await;
        assert!(ended["state"] == state && ended.to_string().contains(words), "{to}: {ended}");
    }
    let (modern, old) = (modern.folder.path(), old.folder.path());
    let envelopes = files(modern, ".json").into_iter().map(|bytes| serde_json::from_slice::<Value>(&bytes).unwrap());
    let envelopes: Vec<Value> = envelopes.collect();
    assert_eq!(envelopes.len(), 2, "{envelopes:?}");
    let has = |at: usize, word: &str| envelopes[at]["mail"].as_array().unwrap().iter().any(|one| one == word);
    assert_eq!(
        (&envelopes[1]["to"][0], has(0, "SMTPUTF8"), has(1, "SMTPUTF8")),
        (&json!("jörg@modern.example"), false, true)
    );
    assert_eq!(files(old, ".json").len(), 1);
    for message in [files(modern, ".eml"), files(old, ".eml")].concat() {
        harbour.check_signatures(&message);
    }
    harbour.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn postfix_hands_in_over_tls_signed_in() {
    let harbour = harbour(None).await;
    let created = harbour.ana.post("/api/v1/smtp-credentials", json!({ "name": "postfix" })).await;
    let (login, secret) = (text(&created["credential"]["login"]), text(&created["secret"]));
    let (ours, port) = (harbour.port(), free_port(POSTFIX));
    let to: Vec<String> = (0..5).map(|n| format!("r{n}@albatross.example")).collect();
    let recipients = to.clone();
    let start = move || {
        let postfix = Postfix::start(POSTFIX, port, Some(&Upstream { port: ours, login: &login, secret: &secret }));
        let letter = "From: Ana <ana@sender.example>\nTo: all@albatross.example\nSubject: Hi\n\nHello\n.dot\n";
        postfix.sendmail("ana@sender.example", &recipients, letter);
        postfix
    };
    let postfix = tokio::task::spawn_blocking(start).await.unwrap();
    let ledger = harbour.internet.ledger();
    until(|| format!("five copies: {}", postfix.log()), || ledger.total().copies == 5).await;
    assert!(to.iter().all(|address| ledger.copies(address) == 1), "{}", postfix.log());
    assert_eq!((ledger.total().dkim_failed, ledger.total().dkim_missing), (0, 0), "{:?}", ledger.dkim_failures());
    until(|| postfix.log(), || postfix.log().matches("status=sent (250 2.0.0 accepted as ").count() == 5).await;
    drop(postfix);
    harbour.stop().await;
}

fn text(value: &Value) -> String {
    value.as_str().unwrap().to_owned()
}

/// swaks at work; its exit status, which says how far it came, and what was said.
fn swaks(port: u16, words: &str) -> (i32, String) {
    let mut command = std::process::Command::new("timeout");
    command.arg("60").arg(program("swaks", "swaks libnet-ssleay-perl"));
    command.args(["--server", "127.0.0.1", "--port", &port.to_string(), "--helo", "client.example", "--timeout", "20"]);
    let output = command.args(words.split(' ')).output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap_or(-1), String::from_utf8_lossy(&said).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn swaks_is_served_or_refused_at_the_right_step() {
    /// swaks(1), "exit codes".
    const DONE: i32 = 0;
    const AT_MAIL: i32 = 23;
    const AT_AUTH: i32 = 28;
    const AT_XCLIENT: i32 = 33;
    let harbour = harbour(None).await;
    let created = harbour.ana.post("/api/v1/smtp-credentials", json!({ "name": "swaks" })).await;
    let (login, secret) = (text(&created["credential"]["login"]), text(&created["secret"]));
    let port = harbour.port();
    let good = format!("--auth-user {login} --auth-password {secret}");
    let own = "--from ana@sender.example";
    let cases = [
        (format!("--tls --auth PLAIN {good} {own} --to plain@albatross.example"), DONE, "235 "),
        (format!("--tls --auth LOGIN {good} {own} --to login@albatross.example"), DONE, "235 "),
        (
            format!("--tls --auth PLAIN {good} {own} --pipeline --to a@albatross.example,b@albatross.example"),
            DONE,
            "235 ",
        ),
        (
            format!("--tls --auth PLAIN --auth-user {login} --auth-password no {own} --to x@albatross.example"),
            AT_AUTH,
            "535 ",
        ),
        // No secret travels in clear.
        (format!("--auth PLAIN {good} {own} --to x@albatross.example"), AT_AUTH, "250-STARTTLS"),
        (format!("--tls {own} --to x@albatross.example"), AT_MAIL, "530 "),
        (format!("{own} --to x@albatross.example"), AT_MAIL, "530 "),
        ("--tls --from me@elsewhere.example --to x@albatross.example".to_owned(), AT_MAIL, "530 "),
        (
            format!("--tls --auth PLAIN {good} --from me@elsewhere.example --to x@albatross.example"),
            AT_MAIL,
            "550 5.7.1",
        ),
        // Who connects is not for the client to say.
        (format!("--xclient ADDR=192.0.2.1 {own} --to x@albatross.example"), AT_XCLIENT, "220 "),
    ];
    let said =
        tokio::task::spawn_blocking(move || cases.map(|(words, status, reply)| (swaks(port, &words), status, reply)));
    for ((ended, said), status, reply) in said.await.unwrap() {
        assert!(ended == status && said.contains(reply), "{ended} instead of {status}, wanted {reply}: {said}");
    }
    let ledger = harbour.internet.ledger();
    until(|| "four copies".to_owned(), || ledger.total().copies == 4).await;
    assert_eq!(ledger.copies("x@albatross.example"), 0);
    assert_eq!((ledger.total().dkim_failed, ledger.total().dkim_missing), (0, 0), "{:?}", ledger.dkim_failures());
    harbour.stop().await;
}
