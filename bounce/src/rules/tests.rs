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
        for phrases in &written.text {
            dead(phrases, &|reply, _| {
                let text = normalized(&reply.text);
                phrases.split(" & ").all(|phrase| text.contains(phrase))
            });
        }
    }
    assert!(faults.is_empty(), "{faults:#?}");
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
const LATE: [&str; 2] = ["try-again-later", "recipient-refused-plainly"];

/// Codes that only one vendor gives, or one RFC: they say as much as words.
const VENDOR_CODES: [&str; 9] = [
    "google-unusual-rate",
    "google-blocked-rate",
    "microsoft-authentication",
    "microsoft-tenant",
    "microsoft-sender",
    "authentication-status",
    "reverse-dns-status",
    "moved-status",
    "login-codes",
];
