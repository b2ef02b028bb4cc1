use super::*;
use crate::classify::{normalized, status_within};
use crate::own::sample as read_sample;
use mail::Reply;
use std::collections::HashSet;

fn sample(text: &str) -> (Reply, Stage) {
    read_sample(text).unwrap_or_else(|| panic!("{text}"))
}

/// Every rule wins its own samples, and every alternative of every condition occurs in one of them: a pattern that
/// nothing exercises is a pattern that nobody knows to work.
#[test]
fn every_rule_is_alive() {
    let text = include_str!("../../data/rules.toml");
    let file: File = toml::from_str(text).unwrap();
    let mut names = HashSet::new();
    let mut faults = Vec::new();
    for written in &file.rule {
        assert!(names.insert(written.name.clone()), "two rules are named {}", written.name);
        let samples: Vec<_> = written.samples.iter().map(|text| sample(text)).collect();
        for ((reply, stage), text) in samples.iter().zip(&written.samples) {
            let words = normalized(&reply.text);
            let status = reply.enhanced.or_else(|| status_within(&words, reply.code));
            let question = Question { code: reply.code, status, text: &words, stage: *stage, also: None, provider: "" };
            let found = Rules::builtin().at("").find(&question).map_or("none", |(rule, _)| &*rule.name);
            if found != written.name {
                faults.push(format!("{}: {found} takes {text:?}", written.name));
            }
        }
        let mut dead = |what: &str, alive: &dyn Fn(&Reply, Stage) -> bool| {
            if !samples.iter().any(|(reply, stage)| alive(reply, *stage)) {
                faults.push(format!("{}: no sample for {what}", written.name));
            }
        };
        for code in &written.codes {
            let pattern = CodePattern::parse(code).unwrap();
            dead(code, &|reply, _| pattern.matches(reply.code));
        }
        for status in &written.status {
            let pattern = StatusPattern::parse(status).unwrap();
            dead(status, &|reply, _| {
                let status = reply.enhanced.or_else(|| status_within(&normalized(&reply.text), reply.code));
                status.is_some_and(|status| pattern.matches(status))
            });
        }
        for stage in &written.stages {
            dead(stage, &|_, at| Stage::parse(stage) == Some(at));
        }
        for alternative in &written.text {
            let terms = terms(alternative).unwrap();
            for phrase in terms.iter().flat_map(|term| &term.any) {
                // In company of one of each other term.
                dead(&format!("{phrase:?} of {alternative:?}"), &|reply, _| {
                    let text = normalized(&reply.text);
                    let says = |any: &[&str]| any.iter().any(|phrase| text.contains(phrase));
                    text.contains(phrase) && terms.iter().all(|term| says(&term.any))
                });
            }
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
}

#[test]
fn terms_of_a_text() {
    let mut written = Vec::new();
    let found = |alternative: &str, written: &mut Vec<String>| {
        terms(alternative).unwrap().into_iter().map(|term| numbered(term, written)).collect::<Vec<_>>()
    };
    let alternatives = ["user | box ~ full | gone", "one & two | three"];
    let compiled: Vec<_> = alternatives.iter().map(|text| found(text, &mut written)).collect();
    let set = Set::of(Vec::new(), written).unwrap();
    for (text, expected) in [
        (" the box is full ", [true, false]),
        (" gone is the user ", [true, false]),
        (" the user and the other one ", [false, false]),
        (" the box stands where it stood all the time, and it is full ", [false, false]),
        (" a full cup, and this box is by no means what one thought it would be: gone ", [true, false]),
        (" three and then, far away from it at the very end of the text, one ", [false, true]),
        (&normalized("box ana@example.com full"), [true, false]),
        (&normalized("the box is ana@example.com"), [false, false]),
        (&normalized("gone to where it is ana@example.com that one meets the user"), [false, false]),
    ] {
        let hits = set.phrases_in(text);
        assert_eq!([hits.say(&compiled[0]), hits.say(&compiled[1])], expected, "{text}");
    }
}

/// What decides by codes alone must not stand before what knows words, and nothing that has words is among it.
#[test]
fn fallbacks_stand_last() {
    let file: File = toml::from_str(include_str!("../../data/rules.toml")).unwrap();
    let first = file.rule.iter().position(|rule| rule.fallback).unwrap();
    // Texts that say nothing but which code was meant.
    let late: Vec<&str> = file.rule[first..].iter().filter(|rule| !rule.fallback).map(|rule| &*rule.name).collect();
    assert_eq!(late, LATE);
    let early = file.rule[..first].iter().filter(|rule| rule.text.is_empty());
    let vendors: Vec<&str> = early.map(|rule| &*rule.name).collect();
    assert_eq!(vendors, VENDOR_CODES);
}

/// Rules that know their text, and yet stand behind codes.
const LATE: [&str; 5] = [
    "try-again-later",
    "recipient-unknown-grammar",
    "too-much-grammar",
    "recipient-refused-plainly",
    "refused-grammar",
];

/// Codes that only one vendor gives, or one RFC: they say as much as words.
const VENDOR_CODES: [&str; 13] = [
    "google-unusual-rate",
    "google-blocked-rate",
    "microsoft-authentication",
    "microsoft-connection",
    "microsoft-remote-tls",
    "microsoft-tenant",
    "microsoft-sender",
    "authentication-status",
    "reverse-dns-status",
    "courier-sender",
    "sender-status",
    "moved-status",
    "login-codes",
];
