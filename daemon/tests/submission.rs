//! Mail handed in by real clients over TLS, through to a simulated provider that checks its signatures; and what was
//! accepted when the daemon is killed.

mod common;

use api_types::Role;
use common::{Boat, Session, boat_with, good};
use daemon::serve::Overrides;
use mta::submission::Security;
use reqwest::Method;
use sandbox::{Internet, LedgerOptions, Options, Providers};
use serde_json::{Value, json};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

const PROVIDERS: &str = r#"
[[provider]]
name = "Albatross"
weight = 1
domains = ["albatross.example"]
mx = [{ host = "mx.albatross-mx.example", preference = 10, ip = "127.32.1.1" }]
[provider.manners]
tls = "offered"
"#;

/// Nothing here takes so long; a test that hangs tells less than one that fails.
const PATIENCE: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(20);

async fn internet() -> sandbox::Running {
    let providers = Providers::parse(PROVIDERS).unwrap();
    let ledger = LedgerOptions { keep_last: 10, ..LedgerOptions::default() };
    Internet::start(Options { providers, ledger, ..Options::default() }).await.unwrap()
}

/// `[submission]` with a certificate of its own; `[smtp]` towards the simulated internet.
fn sections(dir: &Path, internet: &sandbox::Running, listen: &str) -> String {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let (certificate, key) = (dir.join("cert.pem"), dir.join("key.pem"));
    fs::write(&certificate, made.cert.pem()).unwrap();
    fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    format!(
        "[smtp]\nremote_port = {}\ntransactional_retry = [\"1s\"]\n\
         [submission]\n{listen}\ncertificate_file = {certificate:?}\nkey_file = {key:?}\n",
        internet.smtp_port()
    )
}

fn publish(internet: &sandbox::Running, domain: &Value) {
    for record in domain["records"].as_array().unwrap().iter().filter(|record| record["kind"] == "TXT") {
        internet.zone().publish_txt(record["name"].as_str().unwrap(), record["wanted"].as_str().unwrap());
    }
}

/// smtplib at work: `count` messages, the first to `r<first>`.
fn client(how: &str, port: u16, pair: &Pair, first: usize, count: usize) -> Child {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/submit.py");
    let mut command = Command::new("python3");
    command.arg(script).args([
        how,
        &port.to_string(),
        &pair.login,
        &pair.secret,
        &first.to_string(),
        &count.to_string(),
    ]);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap()
}

/// What it printed.
async fn answers(child: Child) -> Vec<String> {
    let output = tokio::time::timeout(PATIENCE, child.wait_with_output()).await.expect("smtplib hangs").unwrap();
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

struct Pair {
    login: String,
    secret: String,
}

fn pair(created: &Value) -> Pair {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    Pair { login: text(&created["credential"]["login"]), secret: text(&created["secret"]) }
}

async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let wait = async {
        while !condition() {
            tokio::time::sleep(LOOK).await;
        }
    };
    tokio::time::timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("in vain: {what}"));
}

struct Harbour {
    boat: Boat,
    ana: Session,
    internet: sandbox::Running,
    // The certificate lies here.
    _dir: tempfile::TempDir,
}

async fn harbour() -> Harbour {
    let (internet, dir) = (internet().await, tempfile::tempdir().unwrap());
    let listen = "listen = [\"127.0.0.1:0\"]\nlisten_tls = [\"127.0.0.1:0\"]";
    let more = sections(dir.path(), &internet, listen);
    let dns = format!("servers = [\"{}\"]", internet.dns());
    let boat = boat_with(&more, Overrides::default(), &dns).await;
    let ana = boat.session(Role::Owner).await;
    publish(&internet, &ana.post("/api/v1/domains", json!({ "domain": "sender.example" })).await);
    Harbour { boat, ana, internet, _dir: dir }
}

impl Harbour {
    fn port(&self, wanted: Security) -> u16 {
        let addresses = &self.boat.running.submission_addrs;
        addresses.iter().find(|(security, _)| *security == wanted).unwrap().1.port()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn smtplib_hands_in_and_the_provider_gets_it_signed() {
    let harbour = harbour().await;
    let (ana, internet) = (&harbour.ana, &harbour.internet);
    let created = ana.post("/api/v1/smtp-credentials", json!({ "name": "shop", "domains": ["sender.example"] })).await;
    let pair = pair(&created);
    let (starttls, tls) = (harbour.port(Security::StartTls), harbour.port(Security::Implicit));
    let (one, other) =
        tokio::join!(answers(client("starttls", starttls, &pair, 0, 10)), answers(client("tls", tls, &pair, 10, 10)),);
    for lines in [&one, &other] {
        assert_eq!(lines.len(), 11, "{lines:?}");
        assert!(lines[..10].iter().all(|line| line.starts_with("250 2.0.0 accepted as ")), "{lines:?}");
        assert_eq!(lines[10], "done");
    }
    until("twenty copies", || internet.ledger().total().copies == 20).await;
    let total = internet.ledger().total();
    assert_eq!((total.dkim_failed, total.dkim_missing), (0, 0), "{:?}", internet.ledger().dkim_failures());
    assert!((0..20).all(|n| internet.ledger().copies(&format!("r{n}@albatross.example")) == 1));
    let received = internet.ledger().last_messages().pop().unwrap();
    let content = String::from_utf8_lossy(&received.content).into_owned();
    assert!(content.contains("\r\nReceived: by localhost.localdomain (Packetboat) with ESMTPSA id "), "{content}");
    assert!(content.contains("\r\nMessage-ID: <") && !content.contains("Bcc"), "{content}");
    assert!(content.ends_with("Hello\r\n.a line that begins with a dot\r\n"), "{content}");

    // Taken back, it opens nothing.
    let listed = &ana.get("/api/v1/smtp-credentials").await["items"][0];
    assert!(listed["last_used_at"].is_string() && !listed.to_string().contains(&pair.secret), "{listed}");
    let path = format!("/api/v1/smtp-credentials/{}", listed["id"]);
    let off = good(ana.send(Method::PATCH, &path, Some(json!({ "enabled": false }))).await).await;
    assert_eq!((&off["enabled"], &off["domains"]), (&json!(false), &json!(["sender.example"])));
    let refused = answers(client("tls", tls, &pair, 0, 1)).await;
    assert!(refused[0].contains("SMTPAuthenticationError"), "{refused:?}");
    good(ana.send(Method::PATCH, &path, Some(json!({ "enabled": true, "messages_per_minute": 1 }))).await).await;
    let limited = answers(client("starttls", starttls, &pair, 20, 2)).await;
    assert!(limited[0].starts_with("250 ") && limited.len() == 2, "{limited:?}");
    good(ana.send(Method::DELETE, &path, None).await).await;
    assert!(answers(client("tls", tls, &pair, 0, 1)).await[0].contains("SMTPAuthenticationError"));
    harbour.boat.stop().await;
    harbour.internet.shutdown().await;
}

/// Installs nodemailer beside the build's files on first use.
fn nodemailer() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("nodemailer-10.6.1");
    if !folder.join("node_modules/nodemailer/package.json").exists() {
        fs::create_dir_all(&folder).unwrap();
        let mut npm = std::process::Command::new("npm");
        npm.args(["install", "--silent", "--no-audit", "--no-fund", "nodemailer@10.6.1", "--prefix"]).arg(&folder);
        let installed = npm.status().is_ok_and(|status| status.success());
        assert!(installed, "this test needs node, npm and its registry, or PACKETBOAT_SKIP_NODEMAILER=1");
    }
    folder.join("node_modules")
}

#[tokio::test(flavor = "multi_thread")]
async fn nodemailer_hands_in_over_several_connections() {
    if std::env::var_os("PACKETBOAT_SKIP_NODEMAILER").is_some() {
        eprintln!("skipped: PACKETBOAT_SKIP_NODEMAILER is set");
        return;
    }
    let modules = tokio::task::spawn_blocking(nodemailer).await.unwrap();
    let harbour = harbour().await;
    let pair = pair(&harbour.ana.post("/api/v1/smtp-credentials", json!({ "name": "shop" })).await);
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/submit.js");
    let mut node = Command::new("node");
    let port = harbour.port(Security::StartTls).to_string();
    node.arg(script).args([port.as_str(), pair.login.as_str(), pair.secret.as_str(), "12"]).env("NODE_PATH", modules);
    let lines = answers(node.stdin(Stdio::null()).stdout(Stdio::piped()).kill_on_drop(true).spawn().unwrap()).await;
    assert!(lines.len() == 13 && lines[12] == "done", "{lines:?}");
    assert!(lines[..12].iter().all(|line| line.starts_with("250 2.0.0 accepted as ")), "{lines:?}");
    let ledger = harbour.internet.ledger();
    until("twelve copies", || ledger.total().copies == 12).await;
    assert_eq!((ledger.total().dkim_failed, ledger.total().dkim_missing), (0, 0), "{:?}", ledger.dkim_failures());
    harbour.boat.stop().await;
    harbour.internet.shutdown().await;
}

/// A process of the real daemon, spoken to over its local socket.
struct Daemon {
    process: std::process::Child,
    http: reqwest::Client,
}

impl Daemon {
    async fn start(config: &Path, folder: &Path) -> Daemon {
        let log = fs::File::options().create(true).append(true).open(folder.join("log")).unwrap();
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_packetboat"));
        command.args(["serve", "--config"]).arg(config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let process = command.spawn().unwrap();
        let http = reqwest::Client::builder().unix_socket(folder.join("data/packetboat.sock")).build().unwrap();
        let daemon = Daemon { process, http };
        let answers = async {
            while !daemon.http.get("http://packetboat/healthz").send().await.is_ok_and(|a| a.status().is_success()) {
                tokio::time::sleep(LOOK).await;
            }
        };
        let log = || fs::read_to_string(folder.join("log")).unwrap_or_default();
        tokio::time::timeout(PATIENCE, answers).await.unwrap_or_else(|_| panic!("no answer: {}", log()));
        daemon
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        good(self.http.post(format!("http://packetboat/api/v1{path}")).json(&body).send().await.unwrap()).await
    }

    /// SIGKILL: no word of farewell, nothing flushed.
    fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have been killed already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn configuration(folder: &Path, internet: &sandbox::Running, port: u16) -> PathBuf {
    let text = format!(
        "[storage]\ndir = {:?}\nmin_free_mb = 0\n[http]\nlisten = \"127.0.0.1:0\"\n[dns]\nservers = [\"{}\"]\n{}",
        folder.join("data"),
        internet.dns(),
        sections(folder, internet, &format!("listen = [\"127.0.0.1:{port}\"]")),
    );
    let file = folder.join("packetboat.toml");
    fs::write(&file, text).unwrap();
    file
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_with_250_survives_being_killed() {
    const KILLS: usize = 3;
    const BEFORE_A_KILL: usize = 40;
    let (internet, folder) = (internet().await, tempfile::tempdir().unwrap());
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let config = configuration(folder.path(), &internet, port);
    let mut daemon = Daemon::start(&config, folder.path()).await;
    publish(&internet, &daemon.post("/domains", json!({ "domain": "sender.example" })).await);
    let pair = pair(&daemon.post("/smtp-credentials", json!({ "name": "shop" })).await);

    let mut accepted = Vec::new();
    for round in 0..KILLS {
        let first = round * 10_000;
        let mut child = client("starttls", port, &pair, first, 10_000);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut taken = 0;
        // After the kill what it had heard before is still read to the end.
        while let Some(line) = tokio::time::timeout(PATIENCE, lines.next_line()).await.expect("smtplib hangs").unwrap()
        {
            if line.starts_with("250 ") {
                accepted.push(format!("r{}@albatross.example", first + taken));
                taken += 1;
            }
            if taken == BEFORE_A_KILL && daemon.process.try_wait().unwrap().is_none() {
                daemon.kill();
            }
        }
        assert!(taken >= BEFORE_A_KILL, "round {round}: only {taken} were taken");
        daemon = Daemon::start(&config, folder.path()).await;
    }
    let missing = || accepted.iter().filter(|address| internet.ledger().copies(address) == 0).count();
    until("everything that was accepted arrives", || missing() == 0).await;
    let queue = good(daemon.http.get("http://packetboat/api/v1/queue").send().await.unwrap()).await;
    assert_eq!(queue["ledger"]["holds"], true, "{queue}");
    eprintln!("{} accepted over {KILLS} kills, all of them arrived", accepted.len());
    daemon.kill();
    internet.shutdown().await;
}
