//! The operator's own rules: written as the built-in ones are, and held to the same: each matches its samples, and none is
//! shadowed by one that stands before it.

use crate::classify::{Stage, normalized, status_within};
use crate::rules::{Miss, Part, Question, Rule, Rules, Set, WrittenRule, compile_rule};
use mail::Reply;
use std::sync::Arc;

/// Own rules at most.
pub const OWN_RULES_MAX: usize = 500;

/// What is wrong with an own rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The number of the rule, from 0.
    pub rule: usize,
    /// The part of it.
    pub part: Part,
    /// Why, as a sentence without its subject's name.
    pub why: String,
}

impl Rules {
    /// The operator's rules before the built-in ones.
    ///
    /// # Errors
    /// Every fault at once, in the order of the rules.
    pub fn with_own(written: &[WrittenRule]) -> Result<Rules, Vec<Fault>> {
        let builtin = Rules::builtin().builtin.clone();
        if written.is_empty() {
            return Ok(Rules { own: None, builtin });
        }
        let mut faults = Vec::new();
        let mut good = Vec::new();
        let mut rules = Vec::new();
        let mut phrases = Vec::new();
        for (number, one) in written.iter().enumerate() {
            faults.extend(name_fault(written, number));
            match compile_rule(one, &mut phrases) {
                Ok(rule) => {
                    good.push(number);
                    rules.push(rule);
                }
                Err(wrongs) => faults.extend(wrongs.into_iter().map(|(part, why)| Fault { rule: number, part, why })),
            }
        }
        let set = match Set::of(rules, phrases) {
            Ok(set) => set,
            Err(why) => return Err(vec![Fault { rule: written.len() - 1, part: Part::Whole, why }]),
        };
        for (place, number) in good.into_iter().enumerate() {
            faults.extend(sample_faults(&set, place, (number, &written[number])));
        }
        faults.sort_by_key(|fault| fault.rule);
        if faults.is_empty() { Ok(Rules { own: Some(Arc::new(set)), builtin }) } else { Err(faults) }
    }
}

fn name_fault(written: &[WrittenRule], number: usize) -> Option<Fault> {
    let name = &written[number].name;
    let fault = |why: String| Some(Fault { rule: number, part: Part::Name, why });
    if number == OWN_RULES_MAX {
        return fault(format!("there are more than {OWN_RULES_MAX} rules"));
    }
    if name.trim().is_empty() {
        return fault("a rule needs a name".to_owned());
    }
    let twin = written[..number].iter().any(|earlier| earlier.name == *name);
    if twin { fault(format!("two rules are named {name}; names must be unique")) } else { None }
}

/// Samples that the rule does not match, and those that an earlier one takes wherever the rule holds.
fn sample_faults(set: &Set, place: usize, (number, written): (usize, &WrittenRule)) -> Vec<Fault> {
    let anybody = [String::new()];
    let providers = if written.providers.is_empty() { &anybody[..] } else { &written.providers };
    let fault = |sample, why: String| Fault { rule: number, part: Part::Sample(sample), why };
    let mut faults = Vec::new();
    for (at, text) in written.samples.iter().enumerate() {
        let Some((reply, stage)) = sample(text) else {
            let why = "a sample is a reply as the server says it, such as \"550 5.1.1 No such user\", or \
                       \"[greeting] 554 No\" where it answers something else than RCPT TO";
            faults.push(fault(at, why.to_owned()));
            continue;
        };
        let words = normalized(&reply.text);
        let status = reply.enhanced.or_else(|| status_within(&words, reply.code));
        let ask = |provider| Question { code: reply.code, status, text: &words, stage, also: None, provider };
        if let Some(miss) = set.miss(place, &ask(providers[0].as_str())) {
            faults.push(fault(at, format!("the rule does not match this sample: {}", missing(miss))));
            continue;
        }
        let mut takers = providers.iter().filter_map(|provider| set.find(&ask(provider)));
        let is_other = |taker: &&Rule| !std::ptr::eq(*taker, &raw const set.rules[place]);
        let first = takers.clone().next();
        if let Some(taker) = first.filter(|_| takers.all(|taker| is_other(&taker))) {
            let name = &taker.name;
            let why = format!(
                "the rule {name} stands before it and takes this sample; move this rule before {name}, or make {name} \
                 narrower"
            );
            faults.push(fault(at, why));
        }
    }
    faults
}

fn missing(miss: Miss) -> &'static str {
    match miss {
        Miss::Provider => "it is not of this provider",
        Miss::Code => "its reply code is none of `codes`",
        Miss::Status => "it has no enhanced code that is among `status`",
        Miss::Stage => "it answers none of `stages` (without a stage in brackets before it, it answers rcpt)",
        Miss::Text => "none of the phrases in `text` occurs in it",
    }
}

/// `550 5.1.1 text`, or `[greeting] 554 text` where it isn't a reply to RCPT TO.
pub(crate) fn sample(text: &str) -> Option<(Reply, Stage)> {
    let (stage, line) = match text.strip_prefix('[').and_then(|rest| rest.split_once("] ")) {
        Some((stage, line)) => (Stage::parse(stage)?, line),
        None => (Stage::Rcpt, text),
    };
    let (code, rest) = line.split_at_checked(3)?;
    let code = code.parse().ok().filter(|code| (400..600).contains(code))?;
    let begins = rest.is_empty() || rest.starts_with([' ', '-']);
    begins.then(|| (Reply::new(code, [rest.trim_start_matches('-').trim_start()]), stage))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classify::{DecidedBy, Kind};
    use expect_test::{Expect, expect};

    fn written(text: &str) -> Vec<WrittenRule> {
        #[derive(serde::Deserialize)]
        struct File {
            rule: Vec<WrittenRule>,
        }
        toml::from_str::<File>(text).unwrap().rule
    }

    fn check_faults(text: &str, expected: Expect) {
        let faults = Rules::with_own(&written(text)).err().unwrap_or_default();
        let told: String = faults.iter().map(|f| format!("{} {:?}: {}\n", f.rule, f.part, f.why)).collect();
        expected.assert_eq(&told);
    }

    const MUMBLE: &str = r#"
        [[rule]]
        name = "mumble"
        class = "mailbox_full"
        kind = "hard"
        text = ["mumble & frotz"]
        samples = ["550 5.1.1 Mumble: the frotz is over", "[message] 554 mumble frotz"]
        [[rule]]
        name = "at one"
        class = "policy"
        providers = ["Example Mail"]
        codes = ["550"]
        text = ["no such user"]
        samples = ["550 No such user"]
    "#;

    #[test]
    fn own_rules_stand_before_the_others() {
        let rules = Rules::with_own(&written(MUMBLE)).unwrap();
        let told = |provider, line: &str| {
            let (reply, stage) = sample(line).unwrap();
            let found = rules.at(provider).classify(&reply, stage);
            (found.class.as_str(), found.kind, found.by)
        };
        let own = DecidedBy::OwnRule;
        assert_eq!(told("", "550 5.1.1 mumble! frotz"), ("mailbox_full", Kind::Hard, own));
        assert_eq!(told("", "450 4.1.1 mumble! frotz"), ("mailbox_full", Kind::Soft, own));
        assert_eq!(told("", "[mail] 550 5.1.1 mumble! frotz"), ("sender_refused", Kind::Block, own));
        assert_eq!(told("example mail", "550 no such user"), ("policy", Kind::Block, own));
        assert_eq!(told("Other", "550 no such user"), ("bad_mailbox", Kind::Hard, DecidedBy::BuiltinRule));
        assert_eq!(told("", "550 5.1.1 Glork"), ("bad_mailbox", Kind::Hard, DecidedBy::Codes));
        assert_eq!(told("", "550 Glork"), ("unclassified", Kind::Unknown, DecidedBy::Nothing));
    }

    #[test]
    fn faults_are_told_all_at_once() {
        check_faults(
            r#"
            [[rule]]
            name = "a"
            class = "pollicy"
            codes = ["250", "5xx"]
            status = ["5.x.1"]
            stages = ["quit"]
            text = ["Spam", "ab", "ana@example.com", "two  spaces"]
            kind = "harsh"
            samples = []
            [[rule]]
            name = "a"
            class = "policy"
            samples = ["550 no"]
            [[rule]]
            name = "b"
            class = "domain_reputation"
            kind = "hard"
            text = ["mumble"]
            samples = ["550 mumble"]
            "#,
            expect![[r#"
                0 Class: there is no class "pollicy"; there are bad_mailbox, moved, inactive, suspended, bad_domain, takes_no_mail, mailbox_full, too_large, policy, authentication, reverse_dns, sender_refused, reputation, domain_reputation, blocklist, content, virus, malformed, greylist, rate_limit, too_many_connections, dns, connection, tls, protocol, relay_denied, system, loop, expired, vacation, unclassified
                0 Kind: there is no kind "harsh"; there are hard, soft, block and delay
                0 Code(0): "250" must be a reply code such as 550, 4xx or 5xx
                0 Status(0): "5.x.1" must be an enhanced code such as 5.7.1 or *.7.*
                0 Stage(0): "quit" must be greeting, hello, mail, rcpt, data, message or report
                0 Text(0): the phrase "Spam" must be lower case, as replies are compared
                0 Text(1): the phrase "ab" must have 3 letters at least
                0 Text(2): the phrase "ana@example.com" cannot match: addresses are taken out before texts are compared
                0 Text(3): the phrase "two  spaces" cannot match: white space is compared as single spaces
                0 Whole: a rule without samples dies unseen; give it one reply at least
                1 Name: two rules are named a; names must be unique
                1 Whole: it would match every reply; give it codes, status, text or stages
                2 Kind: domain_reputation tells of this sender, so "hard" would suppress people for our own name; say what it tells of the address with another class, such as bad_mailbox
            "#]],
        );
    }

    #[test]
    fn samples_are_matched_and_not_shadowed() {
        check_faults(
            r#"
            [[rule]]
            name = "wide"
            class = "policy"
            text = ["mumble"]
            samples = ["550 mumble"]
            [[rule]]
            name = "narrow"
            class = "content"
            codes = ["550"]
            text = ["mumble & frotz"]
            samples = ["550 mumble frotz", "554 mumble frotz", "550 glork", "[data] 550 mumble frotz", "hello"]
            [[rule]]
            name = "at two, one of them taken"
            class = "content"
            providers = ["One", "Two"]
            text = ["glork"]
            samples = ["550 glork"]
            "#,
            expect![[r#"
                1 Sample(0): the rule wide stands before it and takes this sample; move this rule before wide, or make wide narrower
                1 Sample(1): the rule does not match this sample: its reply code is none of `codes`
                1 Sample(2): the rule does not match this sample: none of the phrases in `text` occurs in it
                1 Sample(3): the rule wide stands before it and takes this sample; move this rule before wide, or make wide narrower
                1 Sample(4): a sample is a reply as the server says it, such as "550 5.1.1 No such user", or "[greeting] 554 No" where it answers something else than RCPT TO
            "#]],
        );
        let partly = r#"
            [[rule]]
            name = "one"
            class = "policy"
            providers = ["One"]
            text = ["glork"]
            samples = ["550 glork"]
            [[rule]]
            name = "both"
            class = "content"
            providers = ["One", "Two"]
            text = ["glork"]
            samples = ["550 glork"]
        "#;
        check_faults(partly, expect![[""]]);
    }
}
