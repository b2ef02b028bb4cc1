//! Signatures as receivers see them: verified by mail-auth and, independently, by dkimpy.

use dkim::{Key, Signer, SigningKey};
use mail::Domain;
use mail_auth::common::parse::TxtRecordParser;
use mail_auth::common::verify::DomainKey;
use mail_auth::{
    AuthenticatedMessage, DkimResult, MX, MessageAuthenticator, Parameters, RecordSet, ResolverCache, Txt,
};
use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

const AT_MS: i64 = 1_780_000_000_000;

/// A message and what mail-auth is known to say about it.
struct Case {
    name: &'static str,
    message: Vec<u8>,
    /// mail-auth 0.13 canonicalizes bodies that end in white-space lines wrongly, so its check fails there; dkimpy
    /// and the RFC's text decide.
    mail_auth_errs: bool,
}

fn cases() -> Vec<Case> {
    let case = |name, message: &[u8]| Case { name, message: message.to_vec(), mail_auth_errs: false };
    let head = "From: News <news@example.com>\r\nTo: ana@example.net\r\nSubject: Hello\r\n\
        Date: Tue, 14 Nov 2023 22:13:20 +0000\r\nMessage-ID: <1@example.com>\r\n";
    let with = |tail: &str| format!("{head}{tail}").into_bytes();
    vec![
        case("plain", &with("\r\nHello, Ana.\r\n")),
        case("empty-body", &with("\r\n")),
        case("no-body", head.as_bytes()),
        case("only-empty-lines", &with("\r\n\r\n\r\n\r\n")),
        case("no-final-line-end", &with("\r\nHello")),
        case("empty-lines-inside-and-at-end", &with("\r\nHello\r\n\r\n\r\nAna\r\n\r\n\r\n")),
        Case { mail_auth_errs: true, ..case("white-space-lines-at-end", &with("\r\nHello\r\n \t\r\n   \r\n")) },
        Case { mail_auth_errs: true, ..case("white-space-lines-only", &with("\r\n \r\n\t\r\n")) },
        case("runs-of-space", &with("\r\n a  b \t c  \r\n\tx\t\r\n")),
        case(
            "folded-headers",
            b"from:  News\r\n\t <news@example.com>  \r\nSUBJECT: a\r\n  folded \r\n\tsubject\r\nTo: a@example.net,\r\n b@example.net\r\nX-Other: x\r\n\r\nbody\r\n",
        ),
        case("8-bit", &with("Content-Type: text/plain; charset=utf-8\r\n\r\nOl\u{e1}, \u{1f6a2}\r\n")),
        case("8-bit-headers", "From: J\u{f6}rg <news@example.com>\r\nSubject: \u{e9}t\u{e9}\r\n\r\nx\r\n".as_bytes()),
        case("latin1", b"From: news@example.com\r\nSubject: caf\xe9\r\n\r\ncaf\xe9\r\n"),
        case("headers-twice", &with("Subject: again\r\nReply-To: x@example.com\r\nReceived: y\r\n\r\nbody\r\n")),
        case(
            "bulk",
            &with(
                "List-Id: <news.example.com>\r\nList-Unsubscribe: <https://example.com/u/1>,\r\n <mailto:u@example.com>\r\n\
                 List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\nFeedback-ID: 1:2:3:packetboat\r\n\
                 MIME-Version: 1.0\r\nContent-Type: multipart/alternative;\r\n boundary=\"b\"\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n",
            ),
        ),
        case("dots-and-long-lines", &with(&format!("\r\n.\r\n..x\r\n{}\r\n", "long ".repeat(190)))),
    ]
}

/// Changes that must break every signature.
fn tampered(signed: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let prepend = |header: &str| [header.as_bytes(), signed].concat();
    let body_added = [signed, b"\r\nmore\r\n"].concat();
    vec![
        ("from-added", prepend("From: boss@example.com\r\n")),
        ("subject-added", prepend("Subject: Urgent\r\n")),
        ("unsubscribe-added", prepend("List-Unsubscribe: <https://evil.example/>\r\n")),
        ("one-click-added", prepend("List-Unsubscribe-Post: x\r\n")),
        ("reply-to-added", prepend("Reply-To: x@evil.example\r\n")),
        ("content-type-added", prepend("Content-Type: text/html\r\n")),
        ("body-added", body_added),
    ]
}

struct World {
    signer: Signer,
    published: Vec<(String, String)>,
}

fn world() -> World {
    let domain = Domain::parse("example.com").unwrap();
    let rsa = Arc::new(Key::generate_rsa().unwrap());
    let ed25519 = Arc::new(Key::generate_ed25519().unwrap());
    let keys = [("r1", rsa), ("e1", ed25519)];
    let published = keys
        .iter()
        .map(|(selector, key)| {
            (
                format!("{selector}._domainkey.{domain}"),
                format!("v=DKIM1; k={}; p={}", key.algorithm().key_type(), key.public_base64()),
            )
        })
        .collect();
    let keys = keys.map(|(selector, key)| SigningKey { selector: selector.to_owned(), key });
    World { signer: Signer::new(&domain, keys).unwrap(), published }
}

fn signed(world: &World, message: &[u8]) -> Vec<u8> {
    let mut out = world.signer.sign(message, AT_MS).unwrap();
    out.extend_from_slice(message);
    out
}

/// Key records handed to mail-auth; everything else is unknown.
struct Zone(HashMap<Box<str>, Txt>);

impl ResolverCache<Box<str>, Txt> for Zone {
    fn get<Q>(&self, name: &Q) -> Option<Txt>
    where
        Box<str>: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        self.0.get(name).cloned()
    }

    fn remove<Q>(&self, _: &Q) -> Option<Txt>
    where
        Box<str>: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        None
    }

    fn insert(&self, _: Box<str>, _: Txt, _: Instant) {}
}

/// Nothing known.
struct Empty;

impl<K, V> ResolverCache<K, V> for Empty {
    fn get<Q>(&self, _: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        None
    }

    fn remove<Q>(&self, _: &Q) -> Option<V>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        None
    }

    fn insert(&self, _: K, _: V, _: Instant) {}
}

/// One verdict per signature, from the top.
async fn mail_auth_verdicts(message: &[u8], published: &[(String, String)]) -> Vec<bool> {
    let key = |value: &String| Txt::from(DomainKey::parse(value.as_bytes()).unwrap());
    let zone = Zone(published.iter().map(|(name, value)| (format!("{name}.").into(), key(value))).collect());
    let authenticator = MessageAuthenticator::new_cloudflare().unwrap();
    let message = AuthenticatedMessage::parse(message).unwrap();
    let parameters = Parameters {
        params: &message,
        cache_txt: Some(&zone),
        cache_mx: None::<&Empty>,
        cache_ptr: None::<&Empty>,
        cache_ipv4: None::<&Empty>,
        cache_ipv6: None::<&Empty>,
    };
    let output = authenticator.verify_dkim::<Zone, Empty, Empty, Empty, Empty>(parameters).await;
    output.iter().map(|output| output.result() == &DkimResult::Pass).collect()
}

#[test]
fn empty_caches_fit_every_record() {
    fn fits<T: ResolverCache<Box<str>, RecordSet<MX>> + ResolverCache<Box<str>, RecordSet<Ipv4Addr>>>() {}
    fn fits_too<T: ResolverCache<IpAddr, RecordSet<Box<str>>> + ResolverCache<Box<str>, RecordSet<Ipv6Addr>>>() {}
    fits::<Empty>();
    fits_too::<Empty>();
}

#[tokio::test]
async fn mail_auth_accepts_what_was_signed_and_nothing_else() {
    let world = world();
    for case in cases() {
        let good = signed(&world, &case.message);
        let verdicts = mail_auth_verdicts(&good, &world.published).await;
        assert_eq!(verdicts, [!case.mail_auth_errs; 2], "{}", case.name);
        for (change, bad) in tampered(&good) {
            let verdicts = mail_auth_verdicts(&bad, &world.published).await;
            assert_eq!(verdicts, [false; 2], "{} with {change}", case.name);
        }
    }
}

/// Installs dkimpy beside the build's files on first use.
fn dkimpy() -> PathBuf {
    let venv = Path::new(env!("CARGO_TARGET_TMPDIR")).join("dkimpy-1.1.8");
    let python = venv.join("bin/python3");
    let works = |python: &Path| {
        Command::new(python).args(["-c", "import dkim, nacl"]).output().is_ok_and(|output| output.status.success())
    };
    if !works(&python) {
        let run = |program: &Path, arguments: &[&str]| {
            let status = Command::new(program).args(arguments).status();
            assert!(
                status.is_ok_and(|status| status.success()),
                "{} {arguments:?} failed; this test needs python3-venv and PyPI, or PACKETBOAT_SKIP_DKIMPY=1",
                program.display()
            );
        };
        run(Path::new("python3"), &["-m", "venv", "--clear", &venv.display().to_string()]);
        run(&python, &["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "dkimpy==1.1.8", "pynacl"]);
    }
    python
}

#[test]
fn dkimpy_accepts_what_was_signed_and_nothing_else() {
    if std::env::var_os("PACKETBOAT_SKIP_DKIMPY").is_some() {
        eprintln!("skipped: PACKETBOAT_SKIP_DKIMPY is set");
        return;
    }
    let python = dkimpy();
    let world = world();
    let folder = tempfile::tempdir().unwrap();
    let keys: String = world.published.iter().map(|(name, value)| format!("{name}\t{value}\n")).collect();
    std::fs::write(folder.path().join("keys.tsv"), keys).unwrap();
    let mut expected = Vec::new();
    let mut write = |name: String, message: &[u8], verdict: &str| {
        std::fs::write(folder.path().join(format!("{name}.eml")), message).unwrap();
        expected.push(format!("{name}.eml {verdict} {verdict}"));
    };
    for case in cases() {
        let good = signed(&world, &case.message);
        write(case.name.to_owned(), &good, "pass");
        for (change, bad) in tampered(&good) {
            write(format!("{}-{change}", case.name), &bad, "fail");
        }
    }
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/verify_dkimpy.py");
    let output = Command::new(python).arg(script).arg(folder.path()).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    let found: Vec<&str> = text.lines().collect();
    assert_eq!(found.len(), expected.len(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    let wrong: Vec<_> = expected.iter().filter(|line| !found.contains(&line.as_str())).collect();
    assert!(wrong.is_empty(), "expected {wrong:#?}\n{}", String::from_utf8_lossy(&output.stderr));
}
