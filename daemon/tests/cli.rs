//! The program itself: what it prints, its exit codes, and that it works with and without a running daemon.

use std::path::Path;
use std::process::{Command, Output, Stdio};

fn packetboat(dir: &Path, args: &[&str]) -> Output {
    let config = dir.join("packetboat.toml");
    let text = format!("[storage]\ndir = {:?}\nmin_free_mb = 0\n[http]\nlisten = \"127.0.0.1:0\"\n", dir.join("data"));
    std::fs::write(&config, text).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_packetboat"));
    command.env("PACKETBOAT_CONFIG", &config).args(args).output().unwrap()
}

fn good(output: &Output) -> String {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{out}{err}");
    out.into_owned()
}

#[test]
fn version_and_documents() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(good(&packetboat(dir.path(), &["version"])), format!("packetboat {}\n", env!("CARGO_PKG_VERSION")));
    assert!(good(&packetboat(dir.path(), &["config", "example"])).contains("#listen = \"127.0.0.1:8080\""));
    assert!(good(&packetboat(dir.path(), &["config", "reference"])).contains("`listen`"));
}

#[test]
fn a_reader_who_has_seen_enough_is_no_error() {
    let mut command = Command::new(env!("CARGO_BIN_EXE_packetboat"));
    let command = command.args(["config", "reference"]).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    drop(child.stdout.take());
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), String::from_utf8_lossy(&output.stderr).as_ref()), (Some(0), ""));
}

/// As on a full disk, or when nobody reads the log any more.
#[test]
fn a_log_that_cannot_be_written_stops_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let config = dir.path().join("packetboat.toml");
    let text =
        format!("[storage]\ndir = {:?}\nmin_free_mb = 0\n[http]\nlisten = \"127.0.0.1:0\"\n", dir.path().join("data"));
    std::fs::write(&config, text).unwrap();
    let full = || Stdio::from(std::fs::File::options().write(true).open("/dev/full").unwrap());
    let mut command = Command::new(env!("CARGO_BIN_EXE_packetboat"));
    let mut child =
        command.env("PACKETBOAT_CONFIG", &config).arg("serve").stdout(full()).stderr(full()).spawn().unwrap();
    let socket = dir.path().join("data").join("packetboat.sock");
    for _ in 0..600 {
        assert_eq!(child.try_wait().unwrap(), None, "it has stopped");
        if std::os::unix::net::UnixStream::connect(&socket).is_ok() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    good(&packetboat(dir.path(), &["workspace", "show"]));
    assert!(Command::new("kill").arg(child.id().to_string()).status().unwrap().success());
    assert!(child.wait().unwrap().success());
}

#[test]
fn check_names_every_mistake_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("bad.toml");
    std::fs::write(&file, "[http]\nlisen = \"x\"\nsession_days = 0\n").unwrap();
    let output = packetboat(dir.path(), &["check", file.to_str().unwrap()]);
    let out = String::from_utf8_lossy(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{out}");
    assert!(out.contains("bad.toml:2:1:") && out.contains("bad.toml:3:16:") && out.contains("2 mistakes"), "{out}");

    let submission =
        "[submission]\nlisten = [\"127.0.0.1:0\"]\ncertificate_file = \"/none.pem\"\nkey_file = \"/k.pem\"\n";
    let stranger =
        "[[shaping]]\nprovider = \"google\"\nconnections = 2\n[[shaping]]\nprovider = \"Gogle\"\nconnections = 3\n";
    std::fs::write(&file, format!("{submission}[[source]]\nname = \"a\"\nip = \"192.0.2.1\"\n{stranger}")).unwrap();
    let out = good(&packetboat(dir.path(), &["check", file.to_str().unwrap()]));
    assert!(out.contains("submission.certificate_file: cannot read /none.pem: No such file"), "{out}");
    assert!(out.contains("warning: source a: this host does not have 192.0.2.1"), "{out}");
    assert!(out.contains("warning: [[shaping]]: no provider is called \"Gogle\", so this never holds"), "{out}");
    assert!(!out.contains("\"google\""), "{out}");
}

#[test]
fn credentials_are_made_shown_once_and_taken_back() {
    let dir = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| packetboat(dir.path(), args);
    good(&run(&["domain", "add", "example.com"]));
    let out = good(&run(&["credential", "add", "shop", "--domain", "Example.com", "--per-minute", "60"]));
    let line = |word: &str| out.lines().find_map(|line| line.strip_prefix(word)).unwrap().trim().to_owned();
    let (login, secret) = (line("Login:"), line("Secret:"));
    assert!(login.starts_with("pb") && login.len() == 14 && secret.len() == 32, "{out}");
    assert!(out.contains("No listener is configured yet"), "{out}");
    let listed = good(&run(&["credential", "list"]));
    assert!(listed.contains(&login) && listed.contains("transactional, example.com, last used never"), "{listed}");
    assert!(!listed.contains(&secret), "{listed}");
    let refused = |args: &[&str]| String::from_utf8_lossy(&run(args).stderr).into_owned();
    assert!(refused(&["credential", "add", "shop"]).contains("name: There is a credential of this name already."));
    assert!(refused(&["credential", "add", "x", "--stream", "none"]).contains("There is no stream none."));
    assert!(
        refused(&["credential", "add", "x", "--domain", "b.example"]).contains("b.example is not a sending domain")
    );
    assert!(refused(&["credential", "add", "x", "--per-minute", "0"]).contains("must be 1 to 1000000"));
    assert!(good(&run(&["credential", "disable", "shop"])).contains("works no longer"));
    assert!(good(&run(&["credential", "list"])).contains(", disabled"));
    assert!(good(&run(&["credential", "remove", &login])).contains("no longer works"));
    assert_eq!(good(&run(&["credential", "list"])), "");
}

#[test]
fn commands_work_without_a_daemon() {
    let dir = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| packetboat(dir.path(), args);
    let out = good(&run(&["user", "add", "Ana@Example.com", "--role", "owner"]));
    assert!(out.contains("ana@example.com was added.") && out.contains("Password: "), "{out}");
    assert!(good(&run(&["user", "list"])).contains("owner     ana@example.com"));
    assert!(good(&run(&["user", "link", "ana@example.com"])).contains("/sign-in?token="));
    let again = run(&["user", "add", "ana@example.com", "--role", "viewer"]);
    let err = String::from_utf8_lossy(&again.stderr);
    assert!(!again.status.success() && err.contains("email: A user with this address exists already."), "{err}");

    assert!(good(&run(&["domain", "add", "example.com"])).contains("_dmarc.example.com"));
    assert!(good(&run(&["domain", "list"])).contains("not checked yet"));
    let keys = good(&run(&["domain", "keys", "example.com"]));
    assert!(keys.contains("waiting") && keys.contains("Publish its record."), "{keys}");
    let selector = keys.split_whitespace().next().unwrap();
    let forced = good(&run(&["domain", "keys", "example.com", "--sign-anyway", selector]));
    assert!(forced.contains("active") && forced.contains("terminal let it sign without its record on"), "{forced}");
    let rotated = good(&run(&["domain", "rotate", "example.com"]));
    assert!(rotated.contains(&format!("{selector}2._domainkey.example.com")), "{rotated}");
    assert!(!run(&["domain", "rotate", "example.com"]).status.success(), "new keys wait already");
    good(&run(&["domain", "keys", "example.com", "--remove", &format!("{selector}2")]));
    assert!(good(&run(&["domain", "rotate", "example.com", "--every", "90"])).contains("every 90 days"));
    assert!(!run(&["domain", "rotate", "example.com", "--every", "3"]).status.success());
    assert!(!run(&["domain", "keys", "nowhere.example"]).status.success());
    good(&run(&["suppressions", "add", "no@example.com", "--note", "asked"]));
    assert!(good(&run(&["suppressions", "list"])).contains("no@example.com"));
    good(&run(&["suppressions", "remove", "no@example.com", "--reason", "asked again"]));
    assert!(!good(&run(&["suppressions", "list"])).contains("no@example.com"));
    good(&run(&["suppressions", "add", "Trap@example.com", "--global", "--until", "2999-01-01T00:00:00Z"]));
    good(&run(&["suppressions", "add", "trap@example.com", "--marketing"]));
    let list = |narrowed: &[&str]| good(&run(&[&["suppressions", "list"], narrowed].concat())).lines().count();
    assert_eq!(list(&[]), 2);
    assert_eq!(list(&["trap", "--global", "--covers", "all", "--in-force", "--reason", "manual"]), 1);
    assert_eq!((list(&["--own", "--covers", "all"]), list(&["--ended"])), (0, 0));
    assert!(!run(&["suppressions", "remove", "rap@example.com", "--reason", "x"]).status.success(), "another address");
    let removed = good(&run(&["suppressions", "remove", "trap@example.com", "--reason", "it was none", "--global"]));
    assert!(removed.contains("global") && removed.contains("until 2999"), "{removed}");
    assert_eq!(list(&[]), 1);
    let history = good(&run(&["suppressions", "history", "trap@example.com"]));
    assert_eq!(history.lines().count(), 3, "{history}");
    assert!(history.lines().next().unwrap().contains("removed trap@example.com"), "{history}");
    assert!(history.contains("by terminal: it was none"), "{history}");
    assert_eq!(good(&run(&["suppressions", "history"])).lines().count(), 5);

    let file = dir.path().join("people.csv");
    std::fs::write(&file, "Mail,Name\nbo@example.com,Bo\nnobody,No\n").unwrap();
    let out = good(&run(&["contacts", "import", file.to_str().unwrap(), "--map", "Name=first_name", "--tag", "new"]));
    assert!(
        out.contains("2 rows: 1 new, 0 changed, 0 left alone, 1 refused") && out.contains("line 3, Mail:"),
        "{out}"
    );
    let out = good(&run(&["doctor"]));
    assert!(out.contains("ok       ledger") && out.contains("ok       database"), "{out}");
}

#[test]
fn keys_and_messages_without_a_daemon() {
    let dir = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| packetboat(dir.path(), args);
    assert!(good(&run(&["api-key", "create", "shop", "--scope", "send", "--rate", "60"])).starts_with("pbk_"));
    assert!(good(&run(&["api-key", "list"])).contains("send, 60 a minute; last used never"));
    good(&run(&["api-key", "revoke", "1"]));
    assert_eq!(good(&run(&["api-key", "list"])), "");
    good(&run(&["domain", "add", "example.com"]));
    let to = ["message", "send", "--to", "bo@example.net", "--subject", "Hi", "--text", "Hi", "--tag", "t", "--from"];
    let sent = good(&run(&[&to[..], &["ana@example.com"]].concat()));
    assert!(sent.contains("Message 1 was taken in for 1 recipients.") && sent.contains("No daemon runs"), "{sent}");
    let refused = run(&[&to[..], &["ana@elsewhere.example"]].concat());
    let err = String::from_utf8_lossy(&refused.stderr);
    assert!(!refused.status.success() && err.contains("from: elsewhere.example is not one of your"), "{err}");
    assert!(good(&run(&["message", "list", "--to", "bo@example.net", "--tag", "t"])).contains("bo@example.net: Hi"));
    assert_eq!(good(&run(&["message", "cancel", "1"])), "Cancelled for 1 of 1 recipients.\n");
    let out = good(&run(&["message", "show", "1"]));
    assert!(out.contains("Tags:      t") && out.contains("bo@example.net: cancelled"), "{out}");
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_reach_the_running_daemon() {
    let dir = tempfile::tempdir().unwrap();
    let text = format!("[storage]\ndir = {:?}\n[http]\nlisten = \"127.0.0.1:0\"\n", dir.path().join("data"));
    let config = config::parse("test.toml", &text).unwrap();
    let running = daemon::serve::start(config, daemon::serve::Overrides::default()).await.unwrap();
    let run = |args: &'static [&'static str]| {
        let dir = dir.path().to_owned();
        tokio::task::spawn_blocking(move || packetboat(&dir, args))
    };
    good(&run(&["user", "add", "ana@example.com", "--role", "owner"]).await.unwrap());
    let link = good(&run(&["user", "link", "ana@example.com"]).await.unwrap());
    assert!(link.starts_with(&format!("http://{}/sign-in?token=", running.http_addr)), "{link}");
    running.stop().await.unwrap();
}

#[test]
fn the_queue_is_controlled_without_a_daemon() {
    let dir = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| packetboat(dir.path(), args);
    let refused = |args: &[&str]| {
        let output = run(args);
        assert!(!output.status.success(), "{args:?}");
        String::from_utf8_lossy(&output.stderr).into_owned()
    };
    assert_eq!(good(&run(&["pause", "list"])), "Nothing is paused.\n");
    assert_eq!(good(&run(&["pause", "everything", "--why", "a wrong price"])), "Paused: everything.\n");
    assert_eq!(good(&run(&["pause", "domain", "Example.com"])), "Paused: mail to example.com.\n");
    let listed = good(&run(&["pause", "list"]));
    assert!(listed.contains("everything, since ") && listed.contains("by terminal: a wrong price"), "{listed}");
    assert!(refused(&["pause", "source", "mx9"]).contains("There is no source \"mx9\""));
    assert_eq!(good(&run(&["resume", "everything"])), "No longer paused: everything.\n");
    assert!(refused(&["resume", "everything"]).contains("that is not paused"));

    assert!(good(&run(&["queue", "summary"])).starts_with("0 in the queue"));
    assert!(good(&run(&["queue", "summary", "--domain", "A.example"])).starts_with("0 in the queue"));
    assert!(refused(&["queue", "hold"]).contains("The filter is empty"));
    assert!(
        good(&run(&["queue", "hold", "--all"])).contains("hold everybody in the queue (finished): 0 of 0 looked at")
    );
    let reroute = ["queue", "reroute", "--to", "source:default", "--state", "held", "--why", "another way"];
    assert!(good(&run(&reroute)).contains("reroute state held (finished)"));
    assert_eq!(good(&run(&["queue", "jobs"])).lines().count(), 2);
    assert!(refused(&["test-delivery", "a@example.com", "--source", "default"]).contains("No daemon is running"));
}

#[test]
fn webhooks_are_made_shown_switched_and_taken_back() {
    let dir = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| packetboat(dir.path(), &[&["webhook"], args].concat());
    let out = good(&run(&["add", "shop", "https://localhost:9/in", "--type", "message.bounced"]));
    let secret = out.lines().find_map(|line| line.strip_prefix("Secret: whsec_")).unwrap();
    assert_eq!(secret.len(), 44, "{out}");
    let listed = good(&run(&["list"]));
    assert!(listed.contains("https://localhost:9/in  last success never, 0 behind, works"), "{listed}");
    assert!(!listed.contains(secret), "{listed}");
    let tested = run(&["test", "shop"]);
    let out = String::from_utf8_lossy(&tested.stdout);
    assert!(!tested.status.success() && out.contains("which is not a public address"), "{out}");
    let refused = |args: &[&str]| String::from_utf8_lossy(&run(args).stderr).into_owned();
    assert!(refused(&["add", "x", "https://a.example", "--type", "mail"]).contains("types: message.delivered, "));
    assert!(refused(&["retry", "shop", "1"]).contains("There is no such delivery."));
    assert!(good(&run(&["disable", "1"])).contains(", disabled"));
    assert!(refused(&["retry", "shop", "1"]).contains("The webhook is disabled."));
    assert!(good(&run(&["enable", "shop", "--skip-missed"])).contains(", works"));
    assert!(!good(&run(&["rotate", "shop"])).contains(secret));
    assert_eq!(good(&run(&["deliveries", "shop"])), "");
    assert!(good(&run(&["remove", "shop"])).contains("deleted"));
    assert!(refused(&["disable", "shop"]).contains("there is no webhook shop"));
}

/// One line for each file, in their order; one that cannot be read does not keep the others from being explained.
#[test]
fn mails_are_explained_from_files_and_from_standard_input() {
    let dir = tempfile::tempdir().unwrap();
    let mail = "From: MAILER-DAEMON@mx.example\nSubject: failure notice\n\nIt failed.\n\n<ana@example.com>:\n550 5.1.1 no such user\n";
    let (one, other) = (dir.path().join("one.eml"), dir.path().join("other.eml"));
    std::fs::write(&one, mail).unwrap();
    std::fs::write(&other, "From: bo@example.com\nSubject: Lunch\n\nAt twelve?\n").unwrap();
    let (one, other) = (one.to_str().unwrap(), other.to_str().unwrap());
    let output = packetboat(dir.path(), &["explain-mail", "--json", one, "/none.eml", other]);
    let out = String::from_utf8_lossy(&output.stdout);
    let forms: Vec<serde_json::Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(output.status.code(), Some(1), "{out}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot open /none.eml"));
    let said: Vec<_> = forms.iter().map(|form| (form["file"].as_str().unwrap(), &form["events"])).collect();
    let event = &said[0].1[0];
    let told = ["recipient", "action", "kind", "permanence", "status", "reply", "class"].map(|name| &event[name]);
    assert_eq!(told, ["ana@example.com", "failed", "hard", "permanent", "5.1.1", "550", "user_unknown"]);
    assert_eq!((said[0].0, said[1].0, said[1].1), (one, other, &serde_json::json!([])));
    for args in [&["explain-mail", "--json"][..], &["explain-mail", "--json", "-"]] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_packetboat"));
        let command = command.env("PACKETBOAT_CONFIG", dir.path().join("packetboat.toml")).args(args);
        let out = good(&command.stdin(std::fs::File::open(one).unwrap()).output().unwrap());
        let form: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!((&form["file"], &form["events"][0]), (&serde_json::json!("-"), event));
    }
    let out = good(&packetboat(dir.path(), &["explain-mail", one]));
    assert!(out.contains("ana@example.com: failed, bad_mailbox (hard), by the rule bad-mailbox-words"), "{out}");
}

#[test]
fn a_contact_s_standing_and_a_part_of_the_list() {
    let dir = tempfile::tempdir().unwrap();
    let run = |args: &[&str]| packetboat(dir.path(), args);
    let file = dir.path().join("people.csv");
    std::fs::write(&file, "email\nana@gull.example\nbo@gull.example\n").unwrap();
    good(&run(&["contacts", "import", file.to_str().unwrap()]));
    good(&run(&["suppressions", "add", "Ana@gull.example", "--marketing", "--note", "by letter"]));
    good(&run(&["suppressions", "add", "cy@gull.example"]));
    let shown = good(&run(&["contacts", "show", "ANA@gull.example"]));
    assert!(shown.starts_with("ana@gull.example (contact 1) gets single mail, no campaigns.\n"), "{shown}");
    assert!(shown.contains("manual") && shown.contains("by letter"), "{shown}");
    assert!(good(&run(&["contacts", "show", "bo@gull.example"])).contains(" gets every mail.\n"));
    let nobody = run(&["contacts", "show", "cy@gull.example"]);
    assert!(!nobody.status.success() && String::from_utf8_lossy(&nobody.stderr).contains("is no contact"));
    for (args, lines) in [
        (&[][..], 3),
        (&["--covers", "marketing"], 2),
        (&["gull", "--reason", "manual", "--own", "--in-force"], 3),
        (&["--ended"], 1),
    ] {
        let csv = good(&run(&[&["suppressions", "export"], args].concat()));
        assert_eq!(csv.lines().count(), lines, "{args:?}: {csv}");
    }
}
