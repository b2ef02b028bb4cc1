//! The rules of `data/rules.toml`, compiled: every phrase of every rule goes into one automaton, so that a reply is
//! scanned once however many rules there are.

use crate::classify::Stage;
use aho_corasick::AhoCorasick;
use mail::{BounceClass, EnhancedStatus};
use serde::Deserialize;
use std::sync::{Arc, LazyLock};

/// The built-in rules.
static BUILTIN: LazyLock<Rules> = LazyLock::new(|| {
    // A test compiles the same text, so this is an invariant of the source.
    Rules::compile(include_str!("../data/rules.toml")).expect("the built-in rules are good")
});

/// Words of `found`, one bit per phrase.
type Bits = [u64; 32];

/// One rule as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    class: String,
    #[serde(default)]
    codes: Vec<String>,
    #[serde(default)]
    status: Vec<String>,
    #[serde(default)]
    text: Vec<String>,
    #[serde(default)]
    stages: Vec<String>,
    samples: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    rule: Vec<Written>,
}

/// One rule, compiled. It matches when each of its conditions that isn't empty does.
pub(crate) struct Rule {
    pub name: Arc<str>,
    pub class: BounceClass,
    codes: Vec<CodePattern>,
    status: Vec<StatusPattern>,
    /// Any of these; each is a set of phrases that must all occur.
    text: Vec<Vec<usize>>,
    stages: Vec<Stage>,
}

/// `550`, `4xx` or `5xx`.
#[derive(Clone, Copy)]
enum CodePattern {
    Exact(u16),
    Hundreds(u16),
}

/// `5.1.1`, or `*.1.1` for both classes, or `5.7.*`, `*.7.*`.
#[derive(Clone, Copy)]
struct StatusPattern {
    class: Option<u8>,
    subject: u16,
    detail: Option<u16>,
}

/// All rules in order, the first that matches wins.
pub struct Rules {
    rules: Vec<Rule>,
    phrases: AhoCorasick,
}

/// What rules look at.
pub(crate) struct Question<'a> {
    pub code: u16,
    pub status: Option<EnhancedStatus>,
    /// Lower case, white space as single spaces, a space at both ends.
    pub text: &'a str,
    pub stage: Stage,
}

impl Rules {
    fn compile(text: &str) -> Result<Rules, String> {
        let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
        let mut phrases: Vec<String> = Vec::new();
        let mut rules = Vec::with_capacity(file.rule.len());
        for written in file.rule {
            let name = written.name.clone();
            rules.push(compile_rule(written, &mut phrases).map_err(|error| format!("rule {name}: {error}"))?);
        }
        if phrases.len() > Bits::default().len() * 64 {
            return Err(format!("{} phrases are more than there is room for", phrases.len()));
        }
        let phrases = AhoCorasick::new(phrases).map_err(|error| error.to_string())?;
        Ok(Rules { rules, phrases })
    }

    /// The rules that come with the product.
    #[must_use]
    pub fn builtin() -> &'static Rules {
        &BUILTIN
    }

    /// The first rule that matches.
    pub(crate) fn find(&self, question: &Question<'_>) -> Option<&Rule> {
        let mut found = Bits::default();
        for hit in self.phrases.find_overlapping_iter(question.text) {
            let phrase = hit.pattern().as_usize();
            found[phrase / 64] |= 1 << (phrase % 64);
        }
        self.rules.iter().find(|rule| rule.matches(question, &found))
    }
}

impl Rule {
    fn matches(&self, question: &Question<'_>, found: &Bits) -> bool {
        let has = |phrase: &usize| found[phrase / 64] & (1 << (phrase % 64)) != 0;
        (self.codes.is_empty() || self.codes.iter().any(|code| code.matches(question.code)))
            && (self.status.is_empty()
                || question.status.is_some_and(|status| self.status.iter().any(|pattern| pattern.matches(status))))
            && (self.stages.is_empty() || self.stages.contains(&question.stage))
            && (self.text.is_empty() || self.text.iter().any(|phrases| phrases.iter().all(has)))
    }
}

impl CodePattern {
    fn parse(text: &str) -> Option<CodePattern> {
        match text.strip_suffix("xx") {
            Some(hundreds) => hundreds.parse().ok().filter(|h| matches!(h, 4 | 5)).map(CodePattern::Hundreds),
            None => text.parse().ok().filter(|code| (400..600).contains(code)).map(CodePattern::Exact),
        }
    }

    fn matches(self, code: u16) -> bool {
        match self {
            CodePattern::Exact(wanted) => code == wanted,
            CodePattern::Hundreds(hundreds) => code / 100 == hundreds,
        }
    }
}

impl StatusPattern {
    fn parse(text: &str) -> Option<StatusPattern> {
        let mut parts = text.split('.');
        let (class, subject, detail) = (parts.next()?, parts.next()?, parts.next()?);
        let class = match class {
            "*" => None,
            class => Some(class.parse().ok().filter(|class| matches!(class, 4 | 5))?),
        };
        let detail = if detail == "*" { None } else { Some(detail.parse().ok()?) };
        parts.next().is_none().then_some(StatusPattern { class, subject: subject.parse().ok()?, detail })
    }

    fn matches(self, status: EnhancedStatus) -> bool {
        self.class.is_none_or(|class| class == status.class)
            && self.subject == status.subject
            && self.detail.is_none_or(|detail| detail == status.detail)
    }
}

fn compile_rule(written: Written, phrases: &mut Vec<String>) -> Result<Rule, String> {
    if written.samples.is_empty() {
        return Err("a rule without samples dies unseen".to_owned());
    }
    let class = BounceClass::parse(&written.class).ok_or_else(|| format!("no class {}", written.class))?;
    let each = |texts: &[String], what: &str| format!("bad {what} in {texts:?}");
    let codes: Option<Vec<_>> = written.codes.iter().map(|text| CodePattern::parse(text)).collect();
    let status: Option<Vec<_>> = written.status.iter().map(|text| StatusPattern::parse(text)).collect();
    let stages: Option<Vec<_>> = written.stages.iter().map(|text| Stage::parse(text)).collect();
    let mut text = Vec::with_capacity(written.text.len());
    for alternative in &written.text {
        let mut all = Vec::new();
        for phrase in alternative.split(" & ") {
            if phrase.len() < 3 || phrase != phrase.to_lowercase() {
                return Err(format!("the phrase {phrase:?} must be lower case and of three letters at least"));
            }
            let place = phrases.iter().position(|known| known == phrase).unwrap_or_else(|| {
                phrases.push(phrase.to_owned());
                phrases.len() - 1
            });
            all.push(place);
        }
        text.push(all);
    }
    Ok(Rule {
        name: written.name.into(),
        class,
        codes: codes.ok_or_else(|| each(&written.codes, "code"))?,
        status: status.ok_or_else(|| each(&written.status, "status"))?,
        text,
        stages: stages.ok_or_else(|| each(&written.stages, "stage"))?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classify::{classify, normalized, status_within};
    use mail::Reply;
    use std::collections::HashSet;

    /// `550 5.1.1 text`, or `[greeting] 554 text` where it isn't a reply to RCPT TO.
    fn sample(text: &str) -> (Reply, Stage) {
        let (stage, line) = match text.strip_prefix('[').and_then(|rest| rest.split_once("] ")) {
            Some((stage, line)) => (Stage::parse(stage).expect(text), line),
            None => (Stage::Rcpt, text),
        };
        let (code, rest) = line.split_at(3);
        (Reply::new(code.parse().expect(text), [rest.trim_start()]), stage)
    }

    /// Every rule wins its own samples, and every alternative of every condition occurs in one of them: a pattern that
    /// nothing exercises is a pattern that nobody knows to work.
    #[test]
    fn every_rule_is_alive() {
        let text = include_str!("../data/rules.toml");
        let file: File = toml::from_str(text).unwrap();
        let mut names = HashSet::new();
        let mut faults = Vec::new();
        for written in &file.rule {
            assert!(names.insert(written.name.clone()), "two rules are named {}", written.name);
            let samples: Vec<_> = written.samples.iter().map(|text| sample(text)).collect();
            for ((reply, stage), text) in samples.iter().zip(&written.samples) {
                let found = classify(reply, *stage);
                if *found.rule != *written.name && *found.rule != *"before-recipient" {
                    faults.push(format!("{}: {} takes {text:?}", written.name, found.rule));
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

    #[test]
    fn bad_rules_are_refused() {
        let rule = |rest: &str| Rules::compile(&format!("[[rule]]\nname = \"x\"\n{rest}")).err().unwrap_or_default();
        for (rest, expected) in [
            ("class = \"policy\"\nsamples = []", "rule x: a rule without samples dies unseen"),
            ("class = \"pollicy\"\nsamples = [\"550\"]", "rule x: no class pollicy"),
            ("class = \"policy\"\nsamples = [\"550\"]\ncodes = [\"250\"]", "rule x: bad code in [\"250\"]"),
            ("class = \"policy\"\nsamples = [\"550\"]\nstatus = [\"5.x.1\"]", "rule x: bad status in [\"5.x.1\"]"),
            ("class = \"policy\"\nsamples = [\"550\"]\nstages = [\"quit\"]", "rule x: bad stage in [\"quit\"]"),
        ] {
            assert_eq!(rule(rest), expected);
        }
        assert!(rule("class = \"policy\"\nsamples = [\"550\"]\ntext = [\"Spam\"]").contains("lower case"));
        assert!(rule("class = \"policy\"\nsamples = [\"550\"]\ntexts = [\"spam\"]").contains("unknown field"));
    }
}
