//! DMARC policies, and the demands of the large providers.

use dkim::dmarc::{hint, judge, names};
use dkim::requirements::{self, Facts, Met, Standing};
use expect_test::expect;
use mail::Domain;
use std::fmt::Write;

fn domain(text: &str) -> Domain {
    Domain::parse(text).unwrap()
}

#[test]
fn where_a_policy_is_looked_for() {
    let cases = [
        ("example.com", "_dmarc.example.com"),
        ("news.example.com", "_dmarc.news.example.com _dmarc.example.com"),
        (
            "a.b.c.d.e.f.g.h.example.com",
            "_dmarc.a.b.c.d.e.f.g.h.example.com _dmarc.d.e.f.g.h.example.com _dmarc.e.f.g.h.example.com \
             _dmarc.f.g.h.example.com _dmarc.g.h.example.com _dmarc.h.example.com _dmarc.example.com",
        ),
    ];
    for (name, expected) in cases {
        assert_eq!(names(&domain(name)).join(" "), expected);
    }
}

#[test]
fn policies_in_words() {
    let (from, path) = (domain("news.example.com"), domain("bounce.news.example.com"));
    let cases: &[(&[&str], &[&str])] = &[
        (&[], &[]),
        (&["other"], &["v=DMARC1; p=none; sp=reject; rua=mailto:d@example.com"]),
        (&[], &["v=DMARC1; p=quarantine"]),
        (&["v=DMARC1;p=Reject; rua=mailto:x@example.com"], &["v=DMARC1; p=none"]),
        (&["v=DMARC1; p=none; aspf=s; adkim=s"], &[]),
        (&["v=DMARC1; rua=mailto:x@example.com"], &[]),
        (&["v=DMARC1; p=maybe"], &[]),
        (&["p=none; v=DMARC1"], &[]),
        (&["v=DMARC1; p=none", "v=DMARC1; p=reject"], &[]),
    ];
    let mut out = String::new();
    for (own, above) in cases {
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
        let found =
            [("_dmarc.news.example.com".to_owned(), texts(own)), ("_dmarc.example.com".to_owned(), texts(above))];
        let (verdict, policy, note) = judge(&from, &path, &found);
        writeln!(out, "{own:?} {above:?}\n    {verdict:?}\n    {policy:?}\n    {note:?}").unwrap();
    }
    expect![[r#"
        [] []
            Missing
            None
            ""
        ["other"] ["v=DMARC1; p=none; sp=reject; rua=mailto:d@example.com"]
            Found
            Some(Policy { at: "_dmarc.example.com", policy: "reject", strict_dkim: false, strict_spf: false, reports: "mailto:d@example.com" })
            "The policy is reject, inherited from _dmarc.example.com. Our signatures are aligned: they name the From domain itself. So is SPF."
        [] ["v=DMARC1; p=quarantine"]
            Found
            Some(Policy { at: "_dmarc.example.com", policy: "quarantine", strict_dkim: false, strict_spf: false, reports: "" })
            "The policy is quarantine, inherited from _dmarc.example.com. Our signatures are aligned: they name the From domain itself. So is SPF. Nobody gets the reports; add rua=mailto: with an address to learn who sends in this name."
        ["v=DMARC1;p=Reject; rua=mailto:x@example.com"] ["v=DMARC1; p=none"]
            Found
            Some(Policy { at: "_dmarc.news.example.com", policy: "reject", strict_dkim: false, strict_spf: false, reports: "mailto:x@example.com" })
            "The policy is reject. Our signatures are aligned: they name the From domain itself. So is SPF."
        ["v=DMARC1; p=none; aspf=s; adkim=s"] []
            Found
            Some(Policy { at: "_dmarc.news.example.com", policy: "none", strict_dkim: true, strict_spf: true, reports: "" })
            "The policy is none. Our signatures are aligned: they name the From domain itself. SPF is not: aspf=s wants the return path at news.example.com itself, so DKIM must pass. Nobody gets the reports; add rua=mailto: with an address to learn who sends in this name."
        ["v=DMARC1; rua=mailto:x@example.com"] []
            Differs { why: "it has no policy; add p=none at least" }
            None
            ""
        ["v=DMARC1; p=maybe"] []
            Differs { why: "its policy p=maybe is not none, quarantine or reject" }
            None
            ""
        ["p=none; v=DMARC1"] []
            Missing
            None
            ""
        ["v=DMARC1; p=none", "v=DMARC1; p=reject"] []
            Differs { why: "there are several DMARC records; receivers then ignore all of them (RFC 9989 §4.10)" }
            None
            ""
    "#]].assert_eq(&out);
}

#[test]
fn reports_that_go_elsewhere() {
    let domain = domain("example.com");
    let mailbox = "dmarc@bounce.example.com";
    for (rua, is_hinted) in [
        ("", false),
        ("; rua=mailto:dmarc@bounce.example.com", false),
        ("; rua=mailto:a@example.com, MAILTO:Dmarc@bounce.example.com!10m", false),
        ("; rua=mailto:a@example.com", true),
        ("; rua=dmarc@bounce.example.com", true),
    ] {
        let found = [("_dmarc.example.com".to_owned(), vec![format!("v=DMARC1; p=none{rua}")])];
        let policy = judge(&domain, &domain, &found).1.unwrap();
        assert_eq!(!hint(&policy, mailbox).is_empty(), is_hinted, "{rua}");
    }
}

fn facts() -> Facts {
    Facts {
        domain: domain("example.com"),
        return_path: domain("bounce.example.com"),
        spf: Standing::Good,
        dkim: Standing::Good,
        rsa_bits: Some(2048),
        dmarc: Standing::Good,
        policy: None,
        reverse_dns: Standing::Good,
        tls: true,
        https_links: true,
        bounces: Standing::Good,
        complaints: 0,
    }
}

fn print(facts: &Facts) -> String {
    let mut out = String::new();
    for provider in requirements::judge(facts) {
        writeln!(out, "{}", provider.provider).unwrap();
        assert!(provider.page.starts_with("https://"), "{}", provider.page);
        for demand in provider.demands {
            writeln!(out, "  {:?} {}: {}", demand.result, demand.wants, demand.why).unwrap();
        }
    }
    out
}

#[test]
fn a_domain_that_does_everything() {
    expect![[r#"
        Google
          Yes SPF passes for the sending domain: every sending address passes
          Yes DKIM passes for the sending domain: mail is signed, and the key is in the DNS
          Yes DKIM keys have 2048 bits; at least 1024 are demanded: 2048 bits
          Yes A DMARC policy, p=none at least: there is a policy
          Yes The From domain is aligned with SPF or DKIM: with both
          Yes Each sending address has a name that leads back to it: addresses and names lead to each other
          Yes Mail is sent over TLS: used wherever the other server offers it
          Yes Marketing mail can be unsubscribed with one click: campaign mail carries List-Unsubscribe and List-Unsubscribe-Post, both covered by the signature
          Yes Unsubscribing is honoured within 48 hours: an unsubscribed address is suppressed at once
          Yes Each mail has a Message-ID of its own: each recipient's mail gets one of its own
          Yes Messages follow RFC 5322, with one From address: composed by Packetboat, with one From address
          NotCheckable The rate of spam reports stays under 0.1 % and never reaches 0.3 %: the provider alone counts; none was reported to this host
          Yes A Feedback-ID header, so that the rates are told by campaign: campaign mail carries it
          NotCheckable Marketing and other mail come from different addresses or domains: which mail leaves from which address and domain is yours to decide
        Yahoo
          Yes SPF passes: every sending address passes
          Yes DKIM passes: mail is signed, and the key is in the DNS
          Yes DKIM keys have at least 1024 bits: 2048 bits
          Yes A DMARC policy, p=none at least: there is a policy
          Yes The From domain is aligned with SPF or DKIM: with both
          Yes Each sending address has a name that leads back to it: addresses and names lead to each other
          Yes Marketing mail can be unsubscribed with one click: campaign mail carries List-Unsubscribe and List-Unsubscribe-Post, both covered by the signature
          Yes Unsubscribing is honoured within two days: an unsubscribed address is suppressed at once
          NotCheckable The rate of spam reports stays under 0.3 %: the provider alone counts; none was reported to this host
          Yes Messages follow RFC 5322, with one From address: composed by Packetboat, with one From address
        Microsoft
          Yes SPF passes for the sending domain: every sending address passes
          Yes DKIM passes: mail is signed, and the key is in the DNS
          Yes A DMARC policy, p=none at least: there is a policy
          Yes The From domain is aligned with SPF or DKIM, better with both: with both
          Yes Each sending address has a name that leads back to it: addresses and names lead to each other
          Yes From and return path are valid and can receive; bounces are heard: bounces are heard, and addresses that do not exist are suppressed
          Yes An unsubscribe link that works and is easy to find: every campaign mail has one; where a template forgets it, it is added
        Apple
          Yes SPF passes: every sending address passes
          Yes DKIM passes: mail is signed, and the key is in the DNS
          Yes A DMARC policy: there is a policy
          Yes The From domain is aligned with SPF or DKIM: with both
          Yes Each sending address has a name that leads back to it: addresses and names lead to each other
          Yes Messages follow RFC 5322, with one From address: composed by Packetboat, with one From address
          Yes An unsubscribe link that works at once: every campaign mail has one; where a template forgets it, it is added
          Yes Bounces are dealt with by a fixed rule: bounces are heard, and addresses that do not exist are suppressed
          NotCheckable Marketing and other mail come from different addresses or domains: which mail leaves from which address and domain is yours to decide
    "#]].assert_eq(&print(&facts()));
}

#[test]
fn a_domain_that_does_nothing() {
    let bad = |why: &str| Standing::Bad(why.to_owned());
    let facts = Facts {
        spf: bad("nothing is published"),
        dkim: Standing::Unknown("not looked up yet".to_owned()),
        rsa_bits: None,
        dmarc: bad("nothing is published"),
        reverse_dns: bad("198.51.100.7 has no name"),
        tls: false,
        https_links: false,
        bounces: bad("nobody listens"),
        complaints: 2,
        ..facts()
    };
    let text = print(&facts);
    let google = text.split("Yahoo").next().unwrap();
    expect![[r#"
        Google
          No SPF passes for the sending domain: nothing is published
          NotCheckable DKIM passes for the sending domain: not looked up yet
          No DKIM keys have 2048 bits; at least 1024 are demanded: no RSA key signs
          No A DMARC policy, p=none at least: nothing is published
          NotCheckable The From domain is aligned with SPF or DKIM: not looked up yet
          No Each sending address has a name that leads back to it: 198.51.100.7 has no name
          No Mail is sent over TLS: TLS is off; set [smtp] tls to "opportunistic"
          No Marketing mail can be unsubscribed with one click: the links begin with http; one-click needs https (RFC 8058 §3.1): set [http] public_url
          Yes Unsubscribing is honoured within 48 hours: an unsubscribed address is suppressed at once
          Yes Each mail has a Message-ID of its own: each recipient's mail gets one of its own
          Yes Messages follow RFC 5322, with one From address: composed by Packetboat, with one From address
          NotCheckable The rate of spam reports stays under 0.1 % and never reaches 0.3 %: the provider alone counts; 2 recipients' reports reached this host
          Yes A Feedback-ID header, so that the rates are told by campaign: campaign mail carries it
          NotCheckable Marketing and other mail come from different addresses or domains: which mail leaves from which address and domain is yours to decide
    "#]].assert_eq(google);
}

#[test]
fn alignment_needs_one_of_the_two() {
    let (good, bad) = (Standing::Good, Standing::Bad("no".to_owned()));
    let strict = judge(
        &domain("example.com"),
        &domain("bounce.example.com"),
        &[("_dmarc.example.com".to_owned(), vec!["v=DMARC1; p=none; aspf=s".to_owned()])],
    );
    for (dkim, spf, policy, met) in [
        (&good, &good, None, Met::Yes),
        (&bad, &good, None, Met::Yes),
        (&bad, &good, strict.1.clone(), Met::No),
        (&good, &bad, strict.1.clone(), Met::Yes),
        (&bad, &bad, None, Met::No),
    ] {
        let facts = Facts { dkim: dkim.clone(), spf: spf.clone(), policy, ..facts() };
        let google = &requirements::judge(&facts)[0];
        let demand = google.demands.iter().find(|demand| demand.wants.contains("aligned")).unwrap();
        assert_eq!(demand.result, met, "{facts:?}: {}", demand.why);
    }
}
