//! SPF as a receiver evaluates it, over a small DNS.

use dkim::judge_spf;
use dkim::spf::{Answer, Answers, Evaluation, Mail, Question, evaluate};
use expect_test::expect;
use std::fmt::Write;
use std::net::IpAddr;

/// Lines `name TYPE value`; what is not there is empty, and `FAIL` gives no answer.
struct Zone(&'static str);

impl Zone {
    fn ask(&self, question: &Question) -> Answer {
        let (name, kind) = match question {
            Question::Txt(name) => (name.clone(), "TXT"),
            Question::Addresses(name) => (name.clone(), "A"),
            Question::Mx(name) => (name.clone(), "MX"),
            Question::Names(ip) => (ip.to_string(), "PTR"),
        };
        let mut values = Vec::new();
        for line in self.0.lines().map(str::trim) {
            let mut words = line.splitn(3, ' ');
            if words.next() == Some(name.as_str()) {
                match words.next() {
                    Some("FAIL") => return Answer::Failed,
                    Some(found) if found == kind => values.push(words.next().unwrap_or("").to_owned()),
                    _ => {}
                }
            }
        }
        match question {
            Question::Addresses(_) => Answer::Addresses(values.iter().map(|ip| ip.parse().unwrap()).collect()),
            _ => Answer::Texts(values),
        }
    }
}

fn run(zone: &Zone, domain: &str, ip: &str) -> (Evaluation, usize) {
    let mail = Mail { ip: ip.parse().unwrap(), local: "b+1", domain, helo: "mx1.example.org" };
    let mut answers = Answers::new();
    loop {
        match evaluate(&mail, &answers) {
            Ok(evaluation) => return (evaluation, answers.len()),
            Err(question) => {
                let answer = zone.ask(&question);
                assert!(answers.insert(question.clone(), answer).is_none(), "{question:?} is asked twice");
            }
        }
    }
}

const ZONE: &str = "
    plain TXT v=spf1 ip4:198.51.100.7 ip6:2001:db8::/32 ~all
    plain TXT another-text
    empty TXT v=spf10 all
    twice TXT v=spf1 -all
    twice TXT v=spf1 mx -all
    sure TXT v=spf1 ?ip4:192.0.2.0/24 -all
    outer TXT v=spf1 include:inner a:host/24 mx -all
    inner TXT v=spf1 include:plain -all
    host A 203.0.113.9
    host A 2001:db9::9
    outer MX mail.outer
    mail.outer A 192.0.2.5
    moved TXT v=spf1 redirect=plain
    lost TXT v=spf1 redirect=nowhere
    lost-include TXT v=spf1 include:nowhere -all
    wrong TXT v=spf1 ipv4:198.51.100.7 -all
    wrong-bits TXT v=spf1 ip4:198.51.100.7/033 -all
    strange TXT v=spf1 unknown=modifier ip4:198.51.100.7 -all
    broken FAIL
    on-broken TXT v=spf1 include:broken -all
    loop TXT v=spf1 include:loop -all
    many TXT v=spf1 a:h1 a:host a:host a:host a:host a:host a:host a:host a:host a:host a:host ip4:198.51.100.7 -all
    ten TXT v=spf1 a:host a:host a:host a:host a:host a:host a:host a:host a:host a:host ip4:198.51.100.7 -all
    voids TXT v=spf1 a:v1 a:v2 a:v3 ip4:198.51.100.7 -all
    by-macro TXT v=spf1 exists:%{ir}.%{l1r+}.spf.%{d} -all
    7.100.51.198.b.spf.by-macro A 127.0.0.2
    by-name TXT v=spf1 ptr -all
    198.51.100.7 PTR forged.by-name
    198.51.100.7 PTR mx.by-name
    mx.by-name A 198.51.100.7
    forged.by-name A 203.0.113.1
    six TXT v=spf1 a:host/32//64 -all
";

#[test]
fn results() {
    let zone = Zone(ZONE);
    let mut out = String::new();
    for (domain, ip) in [
        ("plain", "198.51.100.7"),
        ("plain", "198.51.100.8"),
        ("plain", "2001:db8::7"),
        ("absent", "198.51.100.7"),
        ("empty", "198.51.100.7"),
        ("twice", "198.51.100.7"),
        ("sure", "198.51.100.7"),
        ("sure", "192.0.2.77"),
        ("outer", "198.51.100.7"),
        ("outer", "203.0.113.200"),
        ("outer", "192.0.2.5"),
        ("outer", "192.0.2.6"),
        ("moved", "198.51.100.7"),
        ("lost", "198.51.100.7"),
        ("lost-include", "198.51.100.7"),
        ("wrong", "198.51.100.7"),
        ("wrong-bits", "198.51.100.7"),
        ("strange", "198.51.100.7"),
        ("broken", "198.51.100.7"),
        ("on-broken", "198.51.100.7"),
        ("loop", "198.51.100.7"),
        ("many", "198.51.100.7"),
        ("ten", "198.51.100.7"),
        ("voids", "198.51.100.7"),
        ("by-macro", "198.51.100.7"),
        ("by-macro", "198.51.100.8"),
        ("by-name", "198.51.100.7"),
        ("by-name", "203.0.113.1"),
        ("six", "2001:db9::1234"),
        ("six", "2001:db9:1::9"),
    ] {
        let (found, questions) = run(&zone, domain, ip);
        let by = found.by.join(" > ");
        writeln!(out, "{domain} {ip}: {} [{by}] {} look-ups, {questions} questions", found.outcome, found.lookups)
            .unwrap();
    }
    expect![[r#"
        plain 198.51.100.7: pass [ip4:198.51.100.7] 0 look-ups, 1 questions
        plain 198.51.100.8: softfail [~all] 0 look-ups, 1 questions
        plain 2001:db8::7: pass [ip6:2001:db8::/32] 0 look-ups, 1 questions
        absent 198.51.100.7: none [] 0 look-ups, 1 questions
        empty 198.51.100.7: none [] 0 look-ups, 1 questions
        twice 198.51.100.7: permerror: twice has several SPF records (RFC 7208 §4.5) [] 0 look-ups, 1 questions
        sure 198.51.100.7: fail [-all] 0 look-ups, 1 questions
        sure 192.0.2.77: neutral [?ip4:192.0.2.0/24] 0 look-ups, 1 questions
        outer 198.51.100.7: pass [include:inner > include:plain > ip4:198.51.100.7] 2 look-ups, 3 questions
        outer 203.0.113.200: pass [a:host/24] 3 look-ups, 4 questions
        outer 192.0.2.5: pass [mx] 4 look-ups, 6 questions
        outer 192.0.2.6: fail [-all] 4 look-ups, 6 questions
        moved 198.51.100.7: pass [redirect=plain > ip4:198.51.100.7] 1 look-ups, 2 questions
        lost 198.51.100.7: permerror: redirect=nowhere leads to no SPF record (RFC 7208 §6.1) [] 1 look-ups, 2 questions
        lost-include 198.51.100.7: permerror: include:nowhere leads to no SPF record (RFC 7208 §5.2) [] 1 look-ups, 2 questions
        wrong 198.51.100.7: permerror: the term "ipv4:198.51.100.7" in the record of wrong is not understood [] 0 look-ups, 1 questions
        wrong-bits 198.51.100.7: permerror: the term "ip4:198.51.100.7/033" in the record of wrong-bits is not understood [] 0 look-ups, 1 questions
        strange 198.51.100.7: pass [ip4:198.51.100.7] 0 look-ups, 1 questions
        broken 198.51.100.7: temperror: no answer about broken [] 0 look-ups, 1 questions
        on-broken 198.51.100.7: temperror: no answer about broken [] 1 look-ups, 2 questions
        loop 198.51.100.7: permerror: more than 10 terms that ask the DNS (RFC 7208 §4.6.4); include:loop is one too many [] 11 look-ups, 1 questions
        many 198.51.100.7: permerror: more than 10 terms that ask the DNS (RFC 7208 §4.6.4); a:host is one too many [] 11 look-ups, 3 questions
        ten 198.51.100.7: pass [ip4:198.51.100.7] 10 look-ups, 2 questions
        voids 198.51.100.7: permerror: more than 2 of its look-ups find nothing (RFC 7208 §4.6.4) [] 3 look-ups, 4 questions
        by-macro 198.51.100.7: pass [exists:%{ir}.%{l1r+}.spf.%{d}] 1 look-ups, 2 questions
        by-macro 198.51.100.8: fail [-all] 1 look-ups, 2 questions
        by-name 198.51.100.7: pass [ptr] 1 look-ups, 4 questions
        by-name 203.0.113.1: fail [-all] 1 look-ups, 2 questions
        six 2001:db9::1234: pass [a:host/32//64] 1 look-ups, 2 questions
        six 2001:db9:1::9: fail [-all] 1 look-ups, 2 questions
    "#]].assert_eq(&out);
}

#[test]
fn what_it_means_for_the_record() {
    let zone = Zone(ZONE);
    let mut out = String::new();
    for (domain, ips) in [
        ("plain", &["198.51.100.7"][..]),
        ("plain", &["198.51.100.7", "2001:db8::7"]),
        ("plain", &["198.51.100.7", "198.51.100.8", "2001:db9::1"]),
        ("outer", &["198.51.100.7", "192.0.2.5"]),
        ("many", &["198.51.100.7"]),
        ("on-broken", &["198.51.100.7"]),
    ] {
        let found: Vec<(IpAddr, Evaluation)> =
            ips.iter().map(|ip| (ip.parse().unwrap(), run(&zone, domain, ip).0)).collect();
        writeln!(out, "{domain} {ips:?}: {:?}", judge_spf(&found)).unwrap();
    }
    expect![[r#"
        plain ["198.51.100.7"]: (Found, "Mail from 198.51.100.7 passes, with 0 of 10 look-ups.")
        plain ["198.51.100.7", "2001:db8::7"]: (Found, "Mail from each of 2 addresses passes, with 0 of 10 look-ups.")
        plain ["198.51.100.7", "198.51.100.8", "2001:db9::1"]: (Differs { why: "mail from 198.51.100.8 gets “softfail” (~all); add ip4:198.51.100.8; mail from 2001:db9::1 gets “softfail” (~all); add ip6:2001:db9::1" }, "")
        outer ["198.51.100.7", "192.0.2.5"]: (Found, "Mail from each of 2 addresses passes, with 4 of 10 look-ups.")
        many ["198.51.100.7"]: (Differs { why: "receivers ignore the record for 198.51.100.7: more than 10 terms that ask the DNS (RFC 7208 §4.6.4); a:host is one too many" }, "")
        on-broken ["198.51.100.7"]: (Differs { why: "whether 198.51.100.7 passes is unknown: no answer about broken" }, "")
    "#]].assert_eq(&out);
}
