//! The verifier against the examples of the RFCs and against dkimpy.

use sandbox::dkim_verify::{Checked, Fault, verify};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;

const RFC_KEYS: [(&str, &str); 3] = [
    (
        // RFC 6376 appendix C.
        "brisbane._domainkey.example.com",
        "v=DKIM1; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDwIRP/UC3SBsEmGqZ9ZJW3/DkMoGeLnQg1fWn7/zYt\
         IxN2SnFCjxOCKG9v3b4jYfcTNh5ijSsq631uBItLa7od+v/RtdC2UzJ1lWT947qR+Rcac2gb\
         to/NMqJ0fzfVjH4OuKhitdY9tf6mcwGjaNBcWToIMmPSPDdQPNUYckcQ2QIDAQAB",
    ),
    (
        // RFC 8463 appendix A.2.
        "brisbane._domainkey.football.example.com",
        "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
    ),
    (
        "test._domainkey.football.example.com",
        "v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bd\
         OKb2jLQiY/J16JYi0Qvx/byYzCNb3W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9Pzox\
         ZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB",
    ),
];

fn example(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data").join(name);
    std::fs::read_to_string(path).unwrap().replace('\n', "\r\n")
}

fn rfc_keys(name: &str) -> Vec<String> {
    RFC_KEYS.iter().filter(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned()).collect()
}

fn check(message: &str) -> Vec<Checked> {
    verify(message.as_bytes(), None, rfc_keys)
}

fn faults(message: &str) -> Vec<Result<(), Fault>> {
    check(message).into_iter().map(|checked| checked.result).collect()
}

#[test]
fn the_examples_of_the_rfcs_hold() {
    assert_eq!(faults(&example("rfc6376-a2.eml")), [Ok(())]);
    let both = check(&example("rfc8463-a.eml"));
    let names: Vec<_> = both.iter().map(|c| format!("{} {}", c.selector, c.domain)).collect();
    assert_eq!(names, ["brisbane football.example.com", "test football.example.com"]);
    assert_eq!(faults(&example("rfc8463-a.eml")), [Ok(()), Ok(())]);
}

#[test]
fn what_is_wrong_is_named() {
    let good = example("rfc8463-a.eml");
    let signature_only = |message: &str| faults(message).into_iter().next().unwrap();
    let malformed = |why: &str| Err(Fault::Malformed(why.to_owned()));
    for (from, to, expected) in [
        ("hungry", "thirsty", Err(Fault::BodyHash)),
        ("Joe.\r\n", "Joe.\r\nPS\r\n", Err(Fault::BodyHash)),
        ("Is dinner", "Was dinner", Err(Fault::Signature)),
        // Signed twice but there once: a second one was forbidden.
        ("To: Suzie", "From: Eve <eve@example.org>\r\nTo: Suzie", Err(Fault::Signature)),
        ("t=1528637909", "t=1528637908", Err(Fault::Signature)),
        // Changes that relaxed canonicalization forgives.
        ("Is dinner ready?", "Is   dinner\r\n\tready? ", Ok(())),
        ("hungry yet?", "hungry   yet? \t", Ok(())),
        ("Joe.\r\n", "Joe.\r\n\r\n\r\n", Ok(())),
        ("s=brisbane", "s=paris", Err(Fault::NoKey("paris._domainkey.football.example.com".to_owned()))),
        ("s=brisbane", "s=test", Err(Fault::BadKey("k= is another algorithm".to_owned()))),
        ("v=1; a=ed", "v=2; a=ed", malformed("v= is not 1")),
        ("v=1; a=ed", "v=1; v=1; a=ed", malformed("a tag occurs twice")),
        ("h=from : to :\r\n", "h=to :\r\n", Err(Fault::Signature)),
        ("i=@football", "i=@evil", malformed("i= is not in the domain of d=")),
        ("c=relaxed/relaxed", "c=nofws", Err(Fault::Unsupported("canonicalization \"nofws\"".to_owned()))),
        ("a=ed25519-sha256", "a=rsa-sha1", Err(Fault::Unsupported("algorithm \"rsa-sha1\"".to_owned()))),
    ] {
        let changed = good.replacen(from, to, 1);
        assert_ne!(changed, good, "{from:?} is not in the message");
        assert_eq!(signature_only(&changed), expected, "{from:?} to {to:?}");
    }
    assert!(check("From: a@b.example\r\n\r\nHi\r\n").is_empty());
    assert!(check("").is_empty());
}

#[test]
fn a_signature_ends_when_it_says() {
    let good = example("rfc8463-a.eml").replacen("t=1528637909;", "t=1528637909; x=1528637999;", 1);
    let at = |now_s| verify(good.as_bytes(), now_s, rfc_keys)[0].result.clone();
    // The added tag breaks the signature; what is looked at here is only the order of the checks.
    assert_eq!(at(Some(1_528_637_999)), Err(Fault::Expired));
    assert_eq!(at(Some(1_528_637_998)), Err(Fault::Signature));
    assert_eq!(at(None), Err(Fault::Signature));
}

#[test]
fn key_records_can_forbid() {
    let message = example("rfc8463-a.eml");
    let with = |record: &str| {
        verify(message.as_bytes(), None, |name| match name.starts_with("brisbane") {
            true => vec![record.to_owned()],
            false => vec![],
        })
        .remove(0)
        .result
    };
    let key = "p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
    let bad = |why: &str| Err(Fault::BadKey(why.to_owned()));
    for (record, expected) in [
        (format!("k=ed25519; {key}"), Ok(())),
        (format!("v=DKIM1; k=ed25519; h=sha1:sha256; s=email; t=s:y; n=note; {key}"), Ok(())),
        (format!("v=DKIM2; k=ed25519; {key}"), bad("v= is not DKIM1")),
        (format!("v=DKIM1; k=ed25519; h=sha1; {key}"), bad("h= does not allow sha256")),
        (format!("v=DKIM1; k=ed25519; s=web; {key}"), bad("s= is not for mail")),
        ("v=DKIM1; k=ed25519; p=".to_owned(), bad("it is revoked")),
        ("v=DKIM1; k=ed25519".to_owned(), bad("p= is missing")),
        ("v=DKIM1; k=ed25519; p=%%%".to_owned(), bad("p= is not base64")),
        ("v=DKIM1; k=ed25519; p=AAAA".to_owned(), Err(Fault::Signature)),
    ] {
        assert_eq!(with(&record), expected, "{record}");
    }
}

/// Installs dkimpy beside the build's files on first use.
fn dkimpy() -> PathBuf {
    let venv = Path::new(env!("CARGO_TARGET_TMPDIR")).join("dkimpy-1.1.8");
    let python = venv.join("bin/python3");
    let works = Command::new(&python).args(["-c", "import dkim, nacl"]).output();
    if !works.is_ok_and(|output| output.status.success()) {
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
fn what_dkimpy_signs_holds_and_breaks_when_changed() {
    if std::env::var_os("PACKETBOAT_SKIP_DKIMPY").is_some() {
        eprintln!("skipped: PACKETBOAT_SKIP_DKIMPY is set");
        return;
    }
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("dkimpy-signed");
    std::fs::create_dir_all(&folder).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/dkimpy_sign.py");
    let output = Command::new(dkimpy()).arg(script).arg(&folder).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let keys = std::fs::read_to_string(folder.join("keys.tsv")).unwrap();
    let keys: HashMap<_, _> = keys.lines().filter_map(|line| line.split_once('\t')).collect();
    let txt = |name: &str| keys.get(name).map(|value| (*value).to_owned()).into_iter().collect::<Vec<_>>();
    let mut messages = 0;
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "eml") {
            continue;
        }
        let message = std::fs::read(&path).unwrap();
        let verdicts = |message: &[u8]| verify(message, None, txt).into_iter().map(|c| c.result).collect::<Vec<_>>();
        assert_eq!(verdicts(&message), [Ok(()), Ok(())], "{}", path.display());
        let subject = String::from_utf8_lossy(&message).replacen("folded", "fo1ded", 1).into_bytes();
        assert_eq!(verdicts(&subject), [const { Err(Fault::Signature) }; 2], "{}", path.display());
        let longer = [&message[..], b"\r\nmore\r\n"].concat();
        assert_eq!(verdicts(&longer), [const { Err(Fault::BodyHash) }; 2], "{}", path.display());
        messages += 1;
    }
    assert_eq!(messages, 36);
}
