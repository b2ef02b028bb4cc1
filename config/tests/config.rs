//! The configuration as its readers and writers see it.

use config::{Config, TlsMode};
use expect_test::{Expect, expect, expect_file};
use std::time::Duration;

fn check(text: &str, expected: Expect) {
    let found = match config::parse("packetboat.toml", text) {
        Ok(_) => "good".to_owned(),
        Err(problems) => problems.to_string(),
    };
    expected.assert_eq(&found);
}

#[test]
fn everything_is_optional() {
    let config = config::parse("x", "").unwrap();
    assert_eq!(config, Config::default());
    assert_eq!(config.http.base_url().as_str(), "http://127.0.0.1:8080");
    assert!(!config.http.secure_cookies());
    assert_eq!(config.master_key_file().to_str(), Some("/var/lib/packetboat/master.key"));
    assert_eq!(config.smtp.bulk_retry[0], Duration::from_secs(300));
    assert_eq!(config.smtp.tls, TlsMode::Opportunistic);
    assert_eq!(config.sources.len(), 1);
    assert_eq!(config.sources[0].ip, None);
    assert_eq!(config.sources[0].ehlo.as_str(), "localhost.localdomain");
    assert_eq!(config.default_pool().sources[0].source, config.sources[0].name);
}

#[test]
fn a_full_file() {
    let config = config::parse(
        "x",
        r#"
        [server]
        hostname = "mail.example.com"
        [storage]
        dir = "/data"
        [http]
        public_url = "https://mail.example.com/"
        [smtp]
        remote_port = 2525
        tls = "required"
        bulk_retry = ["1s", "1h30m"]
        [[source]]
        name = "mx1"
        ip = "127.0.1.1"
        ehlo = "MX1.example.com."
        [[source]]
        name = "mx2"
        ip = "::1"
        enabled = false
        [[pool]]
        name = "news"
        sources = [{ source = "mx1", weight = 3 }, { source = "mx2" }]
        [[pool]]
        name = "default"
        [[pool.sources]]
        source = "mx2"
        [dns]
        servers = ["127.0.0.1", "[::1]:5353"]
        [log]
        level = "debug"
        format = "json"
        "#,
    )
    .unwrap();
    assert!(config.http.secure_cookies());
    assert_eq!(config.http.base_url().as_str(), "https://mail.example.com");
    assert_eq!(config.sources[0].ehlo.as_str(), "mx1.example.com");
    assert_eq!(config.sources[1].ehlo.as_str(), "mail.example.com");
    assert_eq!(config.pools[0].sources[0].weight, 3);
    assert_eq!(config.pools[0].sources[1].weight, 1);
    assert_eq!(config.default_pool().name.as_str(), "default");
    assert_eq!(config.dns.servers[0].0.to_string(), "127.0.0.1:53");
    assert_eq!(config.dns.servers[1].0.to_string(), "[::1]:5353");
    assert_eq!(config.smtp.bulk_retry[1], Duration::from_secs(5400));
    assert_eq!(config.log.level.as_str(), "debug");
}

#[test]
fn all_mistakes_at_once() {
    check(
        r#"lissten = 1
[htpp]
[http]
lisen = "x"
session_days = 0
listen = "localhost:80"
public_url = "mail.example.com"
[smtp]
jitter_percent = "10"
bulk_retry = ["5m", "soon", "48h"]
bulk_expiry = "1s"
command_timeout = 300
tls = "yes"
listen = "x"
return_path_label = "a.b"
[log]
level = "verbose"
"#,
        expect![[r#"
            packetboat.toml:1:1: unknown key lissten; known sections: server, storage, http, smtp, submission, source, pool, warmup_plan, stream, domains, route, mailbox, notice, health, suppression, webhook, reports, reputation, shaping, bounce_rule, dns, log
            packetboat.toml:2:2: unknown section htpp; did you mean http?
            packetboat.toml:4:1: unknown key http.lisen; did you mean listen?
            packetboat.toml:5:16: http.session_days must be a whole number, 1 to 365, is 0
            packetboat.toml:6:10: http.listen must be an IP address and port such as "127.0.0.1:8080" or "[::1]:8080", is "localhost:80"
            packetboat.toml:7:14: http.public_url must be an http or https URL such as "https://mail.example.com", is "mail.example.com"
            packetboat.toml:9:18: smtp.jitter_percent must be a whole number, 0 to 50, is "10"
            packetboat.toml:10:21: smtp.bulk_retry[1] must be a duration such as "90s", "5m" or "48h", 1s to 24h, is "soon"
            packetboat.toml:10:29: smtp.bulk_retry[2] must be a duration such as "90s", "5m" or "48h", 1s to 24h, is "48h"
            packetboat.toml:11:15: smtp.bulk_expiry must be a duration such as "90s", "5m" or "48h", 1m to 14d, is "1s"
            packetboat.toml:12:19: smtp.command_timeout must be a duration such as "90s", "5m" or "48h", 1s to 30m, is 300
            packetboat.toml:13:7: smtp.tls must be "opportunistic", "required" or "off", is "yes"
            packetboat.toml:14:1: unknown key smtp.listen; it belongs to [http]
            packetboat.toml:15:21: smtp.return_path_label must be one label of a domain name, such as "bounce", is "a.b"
            packetboat.toml:17:9: log.level must be "error", "warn", "info", "debug" or "trace", is "verbose""#]],
    );
}

#[test]
fn sources_and_pools() {
    check(
        r#"
[[source]]
name = "mx1"
ip = "127.0.1.1"
[[source]]
name = "mx1"
ip = "127.0.1.2"
[[source]]
name = "mx3"
ip = "127.0.1.1"
[[source]]
ip = "127.0.1.300"
[[source]]
name = "MX 4"
ehlo = "here"
[[pool]]
name = "a"
sources = [{ source = "mx2" }, { source = "mx3", weight = 0 }]
[[pool]]
name = "b"
sources = [{ source = "mx2" }, { source = "mx3" },
           { source = "mx3" }, { source = "other" }]
[[pool]]
name = "b"
sources = []
[[pool]]
sources = [{ weight = 1 }, "mx1", { source = "mx1", wait = 1 }]
"#,
        expect![[r#"
            packetboat.toml:6:8: two sources are named mx1; names must be unique
            packetboat.toml:10:6: sources mx1 and mx3 have the same address; each needs its own
            packetboat.toml:11:1: source[3].name is missing, it must be a name of 1 to 40 lower-case letters, digits, "-", "_" or "."
            packetboat.toml:12:6: source[3].ip must be an IPv4 or IPv6 address such as "198.51.100.7", is "127.0.1.300"
            packetboat.toml:14:8: source[4].name must be a name of 1 to 40 lower-case letters, digits, "-", "_" or ".", is "MX 4"
            packetboat.toml:15:8: source[4].ehlo must be a domain name such as "mail.example.com", is "here" (it has only one label)
            packetboat.toml:18:59: pool[0].sources[1].weight must be a whole number, 1 to 1000, is 0
            packetboat.toml:21:23: pool b names source mx2, which does not exist; did you mean mx1?
            packetboat.toml:22:23: pool b names source mx3 twice
            packetboat.toml:22:43: pool b names source other, which does not exist; sources: mx1, mx1, mx3, MX 4
            packetboat.toml:24:8: two pools are named b; names must be unique
            packetboat.toml:25:11: pool b has no sources; name at least one
            packetboat.toml:26:1: pool[3].name is missing, it must be a name of 1 to 40 lower-case letters, digits, "-", "_" or "."
            packetboat.toml:27:12: pool[3].sources[0] has no source
            packetboat.toml:27:28: pool[3].sources[1] must be a table such as { source = "mx1", weight = 1 }, weight 1 to 1000 and 1 when left out, is "mx1"
            packetboat.toml:27:53: pool[3].sources[2] has the unknown key wait; known here: source, weight"#]],
    );
    check(
        "[[pool]]\nname = \"a\"\nsources = [{ source = \"mx1\" }]",
        expect!["packetboat.toml:3:23: pool a names source mx1, which does not exist; sources: default"],
    );
    check("[[pool]]\nname = \"a\"\nsources = [{ source = \"default\" }]", expect![["good"]]);
}

#[test]
fn warmup_and_overflow() {
    check(
        r#"
[[source]]
name = "mx1"
warmup = "standart"
[[source]]
name = "mx2"
warmup = "gentle"
warmup_providers = [{ provider = "Google", plan = "none" }, { provider = "GMX", plan = "fast" }]
[[source]]
name = "mx3"
warmup_providers = [{ provider = "Google" }]
[[pool]]
name = "a"
sources = [{ source = "mx1" }]
overflow = "b"
[[pool]]
name = "b"
sources = [{ source = "mx2" }]
overflow = "c"
[[pool]]
name = "c"
sources = [{ source = "mx2" }]
overflow = "a"
[[pool]]
name = "d"
sources = [{ source = "mx2" }]
overflow = "elsewhere"
[[pool]]
name = "e"
sources = [{ source = "mx2" }]
overflow = "a"
[[warmup_plan]]
name = "standard"
stages = [1]
[[warmup_plan]]
name = "gentle"
stages = [50, 20]
[[warmup_plan]]
name = "steep"
stages = { start = 1000, factor = 9.0, days = 40 }
[[warmup_plan]]
name = "typo"
stages = { start = 1000, faktor = 9.0, days = 40 }
"#,
        expect![[r#"
            packetboat.toml:4:10: source mx1 follows the warm-up plan standart, which does not exist; did you mean standard?
            packetboat.toml:8:20: source mx2 follows the warm-up plan fast, which does not exist; plans: standard, gradual, gentle, steep, typo
            packetboat.toml:11:21: source[2].warmup_providers[0] must be a table such as { provider = "Google", plan = "gradual" }, with the plan "none" where it is warm, is { provider = "Google" }
            packetboat.toml:15:12: pool a overflows into itself: a → b → c → a
            packetboat.toml:19:12: pool b overflows into itself: b → c → a → b
            packetboat.toml:23:12: pool c overflows into itself: c → a → b → c
            packetboat.toml:27:12: pool d overflows into elsewhere, which does not exist; pools: a, b, c, d, e
            packetboat.toml:33:8: there is a warm-up plan named standard already; choose another name
            packetboat.toml:37:10: warmup_plan[1].stages must be a list of messages a day such as [50, 100, 200], none below the one before, or a table such as { start = 50, factor = 1.4, days = 30 }, is [50, 20]
            packetboat.toml:40:10: warmup_plan[2].stages must be a list of messages a day such as [50, 100, 200], none below the one before, or a table such as { start = 50, factor = 1.4, days = 30 }, is { start = 1000, factor = 9.0, days = 40 …
            packetboat.toml:43:10: warmup_plan[3].stages must be a list of messages a day such as [50, 100, 200], none below the one before, or a table such as { start = 50, factor = 1.4, days = 30 }, is { start = 1000, faktor = 9.0, days = 40 …"#]],
    );
    let config = config::parse(
        "x",
        r#"
        [[source]]
        name = "mx1"
        warmup = "own"
        warmup_providers = [{ provider = "Google", plan = "gradual" }, { provider = "GMX", plan = "none" }]
        [[pool]]
        name = "a"
        sources = [{ source = "mx1" }]
        overflow = "b"
        [[pool]]
        name = "b"
        sources = [{ source = "mx1" }]
        [[warmup_plan]]
        name = "own"
        stages = { start = 10, factor = 2, days = 4 }
        "#,
    )
    .unwrap();
    assert_eq!(config.warmup_plans[2].stages, [10, 20, 40, 80]);
    assert_eq!(config.pools[0].overflow.as_ref().unwrap().as_str(), "b");
    let at = |provider: &str| config.sources[0].warmup_at(provider).map(|plan| plan.as_str());
    assert_eq!((at("Yahoo"), at("google"), at("GMX")), (Some("own"), Some("gradual"), None));
}

#[test]
fn streams() {
    let config = config::parse(
        "x",
        r#"
        [smtp]
        bulk_retry = ["7m"]
        [[pool]]
        name = "slow"
        sources = [{ source = "default" }]
        [[stream]]
        name = "bulk"
        kind = "bulk"
        expiry = "1d"
        [[stream]]
        name = "news"
        kind = "bulk"
        pool = "slow"
        retry = ["1h"]
        "#,
    )
    .unwrap();
    let shown: Vec<String> = config
        .streams
        .iter()
        .map(|s| format!("{} {} {} {:?} {:?}", s.name, s.kind, s.pool, &s.retry[..1], s.expiry))
        .collect();
    assert_eq!(
        shown,
        [
            "transactional transactional slow [60s] 86400s",
            "bulk bulk slow [420s] 86400s",
            "news bulk slow [3600s] 172800s",
        ]
    );
    assert_eq!(config.streams.find("news").unwrap().pool.as_str(), "slow");
    assert_eq!(config.streams.find("other"), None);
    let single = config.streams.default_of(mail::StreamKind::Transactional);
    assert_eq!(single.name.as_str(), "transactional");
    check(
        r#"
[[stream]]
name = "transactional"
kind = "bulk"
[[stream]]
name = "news"
kind = "mass"
[[stream]]
name = "alerts"
kind = "transactional"
pool = "defualt"
retry = []
[[stream]]
name = "alerts"
kind = "transactional"
expiry = "30d"
"#,
        expect![[r#"
            packetboat.toml:4:8: the stream transactional must be of the kind "transactional"; give yours another name
            packetboat.toml:7:8: stream[1].kind must be "transactional" or "bulk", is "mass"
            packetboat.toml:11:8: stream alerts names pool defualt, which does not exist; did you mean default?
            packetboat.toml:12:9: stream alerts must have at least one wait in retry, such as ["5m"]
            packetboat.toml:14:8: two streams are named alerts; names must be unique
            packetboat.toml:16:10: stream[3].expiry must be a duration such as "90s", "5m" or "48h", 1m to 14d, is "30d""#]],
    );
}

#[test]
fn submission_wants_a_certificate_where_it_listens() {
    check(
        "[submission]\nlisten_tls = [\"127.0.0.1:465\"]\nkey_file = \"/k.pem\"\nproxy_networks = [\"10.0.0.0/40\"]\n",
        expect![[r#"
            packetboat.toml:2:14: submission.certificate_file is missing: clients sign in over TLS alone; name the file, or take submission.listen_tls away
            packetboat.toml:4:19: submission.proxy_networks[0] must be a network or address such as "192.0.2.0/24" or "2001:db8::/32", is "10.0.0.0/40""#]],
    );
    check(
        "[submission]\nlisten_tls = [\"127.0.0.1:465\"]\nkey_file = \"/k.pem\"\n",
        expect![
            "packetboat.toml:2:14: submission.certificate_file is missing: clients sign in over TLS alone; name the file, or take submission.listen_tls away"
        ],
    );
    check("[submission]\nmessage_max_mb = 10\n", expect!["good"]);
}

#[test]
fn mailboxes() {
    let text = r#"
        [[mailbox]]
        name = "b-1"
        protocol = "pop3"
        host = "POP.example.com"
        user = "me"
        password_file = "/x"
        [[mailbox]]
        name = "replies"
        protocol = "imap"
        host = "192.0.2.1"
        tls = "starttls"
        user = "me"
        move_to = "Taken"
    "#;
    let config = config::parse("packetboat.toml", text).unwrap();
    let shown: Vec<String> =
        config.mailboxes.iter().map(|one| format!("{} {} {}", one.host, one.port, one.after.as_str())).collect();
    assert_eq!(shown, ["pop.example.com 995 delete", "192.0.2.1 143 delete"]);
    let error = config.mailboxes[0].password(|_| None).unwrap_err().to_string();
    assert_eq!(error, "the secret mailbox_password_b_1 cannot be read from /x");
    let env = |name: &str| (name == "PACKETBOAT_MAILBOX_PASSWORD_REPLIES").then(|| "secret".into());
    assert_eq!(config.mailboxes[1].password(env).unwrap(), "secret");
    check(
        r#"[[mailbox]]
name = "a"
protocol = "pop3"
host = "x"
user = ""
[[mailbox]]
name = "b"
protocol = "pop3"
host = "pop.example.com"
user = "me\nyou"
move_to = "Taken"
[[mailbox]]
name = "b"
protocol = "imap"
host = "imap.example.com"
user = "me"
folder = ""
"#,
        expect![[r#"
            packetboat.toml:4:8: mailbox[0].host must be a host name such as "smtp.example.com", or an IP address, is "x"
            packetboat.toml:10:8: mailbox b: user must not be empty, and must have no line ends
            packetboat.toml:11:11: mailbox b: POP3 knows no folders; take move_to away
            packetboat.toml:13:8: two mailboxes are named b; names must be unique
            packetboat.toml:17:10: mailbox b: folder must not be empty, and must have no line ends"#]],
    );
}

#[test]
fn routes() {
    let config = config::parse(
        "x",
        r#"
        [[source]]
        name = "mx1"
        max_rate = "5000/h"
        [[route]]
        name = "re-lay"
        streams = ["bulk"]
        domains = ["example.com", "*.example.org"]
        hosts = [
            { host = "smtp.example.com", tls = "implicit", user = "me", password_file = "/x" },
            { host = "192.0.2.1", tls = "opportunistic" },
            { host = "2001:db8::1", port = 26 },
            { host = "b.example.com", user = "me" },
        ]
        then_direct = true
        "#,
    )
    .unwrap();
    assert_eq!(config.sources[0].max_rate.unwrap().to_string(), "5000/h");
    let route = &config.routes[0];
    let hosts: Vec<String> =
        route.hosts.iter().map(|host| format!("{} {} {}", host.host, host.port, host.tls.as_str())).collect();
    assert_eq!(
        hosts,
        [
            "smtp.example.com 465 implicit",
            "192.0.2.1 25 opportunistic",
            "2001:db8::1 26 required",
            "b.example.com 587 required"
        ]
    );
    for (domain, fits) in [
        ("example.com", true),
        ("a.example.com", false),
        ("a.example.org", true),
        ("example.org", false),
        ("xexample.org", false),
    ] {
        assert_eq!(route.domains.iter().any(|pattern| pattern.fits(domain)), fits, "{domain}");
    }
    // The first host's password is in a file that is not there.
    let error = route.passwords(|_| None).unwrap_err().to_string();
    assert_eq!(error, "the secret route_password_re_lay cannot be read from /x");
    let mut route = route.clone();
    route.hosts.remove(0);
    let error = route.passwords(|_| None).unwrap_err().to_string();
    expect!["the secret route_password_re_lay_3 is nowhere: name a file for it, or give it as systemd credential or as PACKETBOAT_ROUTE_PASSWORD_RE_LAY_3"]
        .assert_eq(&error);
    let given =
        route.passwords(|name| (name == "PACKETBOAT_ROUTE_PASSWORD_RE_LAY_3").then(|| "secret".into())).unwrap();
    assert_eq!(given, [None, None, Some("secret".to_owned())]);
    check(
        r#"
[[source]]
name = "mx1"
max_rate = "many"
[[route]]
name = "a"
hosts = []
[[route]]
name = "a"
streams = ["bluk"]
domains = ["*.x"]
hosts = [{ host = "smtp" }, { port = 70000, host = "a.example" }, { tls = "never", host = "a.example" },
         { host = "a.example", tls = "none", user = "me" }, { host = "a.example", password_file = "/x" }, { hosts = "a.example" }, 5]
"#,
        expect![[r#"
            packetboat.toml:4:12: source[0].max_rate must be a rate such as "100/s", "1000/min", "5000/h" or "20000/d", or "none", is "many"
            packetboat.toml:7:9: route a has no hosts; name at least one
            packetboat.toml:11:12: route[1].domains[0] must be a domain name such as "example.com" or "*.example.com", is "*.x"
            packetboat.toml:12:19: route[1].hosts[0].host must be a host name such as "smtp.example.com", or an IP address, is "smtp"
            packetboat.toml:12:38: route[1].hosts[1].port must be a whole number, 1 to 65535, is 70000
            packetboat.toml:12:75: route[1].hosts[2].tls must be "none", "opportunistic", "required" or "implicit", is "never"
            packetboat.toml:13:38: route[1].hosts[3].tls must be "required" or "implicit": AUTH is never said without TLS
            packetboat.toml:13:99: route[1].hosts[4].password_file stands there without user
            packetboat.toml:13:107: route[1].hosts[5] has no host
            packetboat.toml:13:109: route[1].hosts[5] has the unknown key hosts; known here: host, port, tls, user, password_file
            packetboat.toml:13:132: route[1].hosts[6] must be a table such as { host = "smtp.example.com", port = 587, tls = "required", user = "me" }, is 5"#]],
    );
    check(
        "[[route]]\nname = \"a\"\nstreams = [\"bluk\"]\nhosts = [{ host = \"a.example\" }]",
        expect!["packetboat.toml:3:11: route a names stream bluk, which does not exist; streams: transactional, bulk"],
    );
}

#[test]
fn wrong_shapes() {
    check(
        "smtp = 5\n[source]\nname = \"x\"\n",
        expect![[r#"
        packetboat.toml:1:8: smtp must be a section written [smtp], once
        packetboat.toml:2:1: source must be written [[source]]"#]],
    );
    check(
        "pool = [1]\n[[http]]\n",
        expect![[r#"
        packetboat.toml:1:9: pool[0] must be a section written [[pool]]
        packetboat.toml:2:1: http must be a section written [http], once"#]],
    );
    check(
        "[smtp]\nbulk_retry = []\ntransactional_retry = \"5m\"\n",
        expect![[r#"
        packetboat.toml:2:14: smtp.bulk_retry must have at least one wait, such as ["5m"]
        packetboat.toml:3:23: smtp.transactional_retry must be a list, each a duration such as "90s", "5m" or "48h", 1s to 24h, is "5m""#]],
    );
    check(
        "[storage]\ndir = \"data\"\nreaders = -1\nmin_free_mb = 1e3\n",
        expect![[r#"
        packetboat.toml:2:7: storage.dir must be an absolute path, is "data"
        packetboat.toml:3:11: storage.readers must be a whole number, 1 to 64, is -1
        packetboat.toml:4:15: storage.min_free_mb must be a whole number, 0 to 1_000_000, is 1e3"#]],
    );
}

#[test]
fn mistakes_of_grammar() {
    check("[http\nlisten = \"x\"\n", expect!["packetboat.toml:1:6: not valid TOML: unclosed table, expected `]`"]);
    check(
        "[http]\nlisten = \n[smtp]\nremote_port = 25 26\n",
        expect![[r#"
            packetboat.toml:2:10: not valid TOML: string values must be quoted, expected literal string
            packetboat.toml:4:15: not valid TOML at 25 26: string values must be quoted, expected literal string"#]],
    );
    check(
        "[http]\nsession_days = 1\nsession_days = 2\n[http]\n",
        expect![[r#"
            packetboat.toml:3:1: not valid TOML at session_days: duplicate key
            packetboat.toml:4:2: not valid TOML at http: duplicate key"#]],
    );
    check(
        "[sérver]\n\"é\" = 'x' y\n",
        expect![[r#"
            packetboat.toml:1:3: not valid TOML at é: invalid unquoted key, expected letters, numbers, `-`, `_`
            packetboat.toml:2:11: not valid TOML: unexpected key or value, expected newline, `#`"#]],
    );
}

#[test]
fn a_file_that_is_not_there() {
    let problems = config::load(std::path::Path::new("/nonexistent/packetboat.toml")).unwrap_err();
    assert_eq!(
        problems.to_string(),
        "/nonexistent/packetboat.toml: the configuration cannot be read: No such file or directory (os error 2)"
    );
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("latin1.toml");
    std::fs::write(&file, b"[log]\n# \xe9\n").unwrap();
    let problem = config::load(&file).unwrap_err().0.remove(0);
    assert_eq!((problem.place.unwrap().line, problem.place.unwrap().column), (2, 3));
}

#[test]
fn limits_of_the_operator() {
    let config = config::parse(
        "x",
        "[[source]]\nname = \"mx1\"\n[[shaping]]\ndomain = \"Example.ORG\"\nsource = \"mx1\"\nmessage_rate = \"10/min\"\n\
         connection_rate = \"none\"\nidle = \"10s\"",
    )
    .unwrap();
    let [only] = &config.shaping[..] else { panic!("one entry") };
    assert_eq!(only.domain.as_ref().unwrap().as_str(), "example.org");
    assert_eq!(only.message_rate.unwrap().to_string(), "10/min");
    assert_eq!(only.connection_rate, Some(config::Rate::Unlimited));
    check(
        r#"
[[source]]
name = "mx1"
[[shaping]]
source = "mx2"
tls = "required"
message_rate = "10/minute"
[[shaping]]
domain = "example.org"
[[shaping]]
connections = 0
mesage_rate = "1/s"
"#,
        expect![[r#"
            packetboat.toml:5:10: shaping.source names mx2, which does not exist; did you mean mx1?
            packetboat.toml:6:7: shaping.tls cannot depend on the source; give it an entry without source
            packetboat.toml:7:16: shaping[0].message_rate must be a rate such as "100/s", "1000/min", "5000/h" or "20000/d", or "none", is "10/minute"
            packetboat.toml:9:1: this [[shaping]] sets no limit; give it one, or remove it
            packetboat.toml:11:15: shaping[2].connections must be a whole number, 1 to 1_000, is 0
            packetboat.toml:12:1: unknown key shaping[2].mesage_rate; did you mean message_rate?"#]],
    );
}

#[test]
fn bounce_rules() {
    let rule = "[[bounce_rule]]\nname = \"wide\"\nclass = \"policy\"\ntext = [\"glork\"]\nsamples = [\"550 glork\"]\n";
    let config = config::parse("packetboat.toml", rule).unwrap();
    let reply = mail::Reply::new(550, ["5.1.1 Glork"]);
    assert_eq!(&*config.rules().classify(&reply, bounce::Stage::Rcpt).rule, "wide");
    check(
        &format!(
            "{rule}\n[[bounce_rule]]\nname = \"wide\"\nclass = \"polcy\"\ntext = [\"fine\", \"Frotz\"]\nsamples = [\"550 fine\"]\n\
             [[bounce_rule]]\nname = \"late\"\nclass = \"content\"\nkind = \"soft\"\ntext = [\"glork\"]\nsamples = [\n  \
             \"550 glork\",\n  \"[mail] 550 fine\",\n]\n[[bounce_rule]]\nname = \"all\"\nclass = \"content\"\nsamples = []\n\
             [[bounce_rule]]\nname = \"none\"\nclas = \"content\"\n"
        ),
        expect![[r#"
            packetboat.toml:8:8: bounce_rule.name of the rule "wide": two rules are named wide; names must be unique
            packetboat.toml:9:9: bounce_rule.class of the rule "wide": there is no class "polcy"; there are bad_mailbox, moved, inactive, suspended, bad_domain, takes_no_mail, mailbox_full, too_large, policy, authentication, reverse_dns, sender_refused, reputation, domain_reputation, blocklist, content, virus, malformed, greylist, rate_limit, too_many_connections, dns, connection, tls, protocol, relay_denied, system, loop, expired, vacation, unclassified; did you mean policy?
            packetboat.toml:10:17: bounce_rule.text[1] of the rule "wide": the phrase "Frotz" must be lower case, as replies are compared
            packetboat.toml:18:3: bounce_rule.samples[0] of the rule "late": the rule wide stands before it and takes this sample; move this rule before wide, or make wide narrower
            packetboat.toml:19:3: bounce_rule.samples[1] of the rule "late": the rule does not match this sample: none of the phrases in `text` occurs in it
            packetboat.toml:22:1: bounce_rule of the rule "all": a rule without samples dies unseen; give it one reply at least
            packetboat.toml:22:1: bounce_rule of the rule "all": it would match every reply; give it codes, status, text or stages
            packetboat.toml:25:1: bounce_rule[4].class is missing, it must be a text
            packetboat.toml:25:1: bounce_rule[4].samples is missing, it must be a list, each a text
            packetboat.toml:27:1: unknown key bounce_rule[4].clas; did you mean class?"#]],
    );
}

#[test]
fn shipped_copies_are_current() {
    expect_file!["../../packaging/packetboat.toml"].assert_eq(&config::example());
    expect_file!["../../docs/reference/configuration.md"].assert_eq(&config::reference());
}

#[test]
fn the_example_shows_the_defaults() {
    assert_eq!(config::parse("example", &config::example()).unwrap(), Config::default());
    // With every default written out it still means the same, apart from the sample source, pool and limits.
    let example = config::example();
    let uncommented: Vec<&str> = example
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(rest) if !rest.starts_with(' ') => rest,
            _ => line,
        })
        // The sample limits name a source, and whether TLS is needed cannot depend on it.
        .filter(|line| *line != "tls = \"required\"")
        .collect();
    let mut config = config::parse("example", &uncommented.join("\n")).unwrap();
    assert_eq!(config.sources[0].name.as_str(), "mx1");
    assert_eq!(config.pools[0].sources[0].source.as_str(), "mx1");
    let defaults = Config::default();
    config.sources = defaults.sources.clone();
    config.pools = defaults.pools.clone();
    assert_eq!(config.warmup_plans.pop().unwrap().name.as_str(), "gentle");
    config.streams = defaults.streams.clone();
    assert_eq!(config.routes[0].hosts[0].port, 587);
    config.routes.clear();
    assert_eq!(config.mailboxes[0].move_to.as_deref(), Some("Taken"));
    config.mailboxes.clear();
    assert_eq!(config.shaping[0].provider.as_deref(), Some("Google"));
    config.shaping = defaults.shaping.clone();
    assert_eq!(config.bounce_rules.pop().unwrap().class, "mailbox_full");
    assert_eq!(config, defaults);
}
