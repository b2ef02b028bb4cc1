//! Rules, compiled: every phrase of every rule goes into one automaton, so that a reply is scanned once however many rules
//! there are. Two sets in their order: the operator's own ([`Rules::with_own`]), then those of `data/rules.toml`.

use crate::classify::{Kind, Stage};
use crate::normal::shared_word;
use crate::patterns::{CodePattern, StatusPattern, Term, terms};
use aho_corasick::AhoCorasick;
use mail::{BounceClass, EnhancedStatus, Severity};
use serde::Deserialize;
use std::ops::Range;
use std::sync::{Arc, LazyLock};

/// The built-in rules.
static BUILTIN: LazyLock<Rules> = LazyLock::new(|| {
    // A test compiles the same text, so this is an invariant of the source.
    Rules { own: None, builtin: Arc::new(builtin_set().expect("the built-in rules are good")) }
});

/// Phrases of one set at most.
const PHRASES_MAX: usize = 4096;

/// So many bytes at most lie between phrases that are to stand near each other: some five words.
pub(crate) const NEAR_MAX: usize = 32;

/// The phrases that occur in a text.
struct Hits {
    /// Which do, one bit each.
    bits: [u64; PHRASES_MAX / 64],
    /// Each with its place.
    places: Vec<(usize, Range<usize>)>,
    /// Where a sentence or a part of one ends: what stands behind it is said of something else.
    ends: Vec<usize>,
}

impl Hits {
    fn has_any(&self, term: &Term<usize>) -> bool {
        term.any.iter().any(|phrase| self.bits[phrase / 64] & (1 << (phrase % 64)) != 0)
    }

    /// Whether a phrase of one stands near one of the other, before or behind it.
    fn are_near(&self, one: &Term<usize>, other: &Term<usize>) -> bool {
        self.places_of(one).any(|here| self.places_of(other).any(|there| self.is_near(here, there)))
    }

    fn is_near(&self, one: &Range<usize>, other: &Range<usize>) -> bool {
        let between = if one.start < other.start { one.end..other.start } else { other.end..one.start };
        between.len() <= NEAR_MAX && !self.ends.iter().any(|end| between.contains(end))
    }

    fn places_of<'h>(&'h self, term: &'h Term<usize>) -> impl Iterator<Item = &'h Range<usize>> {
        let theirs = self.places.iter().filter(|(phrase, _)| term.any.contains(phrase));
        theirs.map(|(_, place)| place)
    }

    /// Whether the text says one of what each term asks for, near each other where that is asked.
    fn say(&self, terms: &[Term<usize>]) -> bool {
        let near = |pair: &[Term<usize>]| !pair[1].near || self.are_near(&pair[0], &pair[1]);
        terms.iter().all(|term| self.has_any(term)) && terms.windows(2).all(near)
    }
}

/// One rule as it is written: in the file of built-in rules, or by the operator.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WrittenRule {
    /// What it is called where it has decided.
    pub name: String,
    /// The class that it gives.
    pub class: String,
    /// What follows for the recipient, where it is not what the class says: `hard`, `soft`, `block` or `delay`.
    #[serde(default)]
    pub kind: Option<String>,
    /// Only at these providers.
    #[serde(default)]
    pub providers: Vec<String>,
    /// Any of these reply codes: `550`, `5xx`.
    #[serde(default)]
    pub codes: Vec<String>,
    /// Any of these enhanced codes: `5.7.1`, `*.7.*`.
    #[serde(default)]
    pub status: Vec<String>,
    /// Any of these texts; `a & b` wants both, `a & b | c` wants `a` and one of the others, `a ~ b` wants them near each
    /// other.
    #[serde(default)]
    pub text: Vec<String>,
    /// Only there in the session.
    #[serde(default)]
    pub stages: Vec<String>,
    /// A built-in rule that decides by codes alone, since the words said nothing.
    #[serde(default)]
    pub fallback: bool,
    /// How the normal form calls it, where that is not what it calls the class; built-in rules only.
    #[serde(default)]
    pub word: Option<String>,
    /// Replies that it is for.
    pub samples: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    rule: Vec<WrittenRule>,
}

/// The part of a written rule that is wrong; lists by the number of the entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All of it.
    Whole,
    /// `name`
    Name,
    /// `class`
    Class,
    /// `kind`
    Kind,
    /// `codes`
    Code(usize),
    /// `status`
    Status(usize),
    /// `text`
    Text(usize),
    /// `stages`
    Stage(usize),
    /// `samples`
    Sample(usize),
}

/// One rule, compiled. It matches when each of its conditions that isn't empty does.
pub(crate) struct Rule {
    pub name: Arc<str>,
    pub class: BounceClass,
    pub kind: Option<Kind>,
    pub fallback: bool,
    pub word: Option<&'static str>,
    providers: Vec<String>,
    codes: Vec<CodePattern>,
    status: Vec<StatusPattern>,
    /// Any of these; of each, every term must occur.
    text: Vec<Vec<Term<usize>>>,
    stages: Vec<Stage>,
}

/// Which condition keeps a rule from matching.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Miss {
    Provider,
    Code,
    Status,
    Stage,
    Text,
}

/// Rules in order; the first that matches wins.
pub(crate) struct Set {
    pub rules: Vec<Rule>,
    phrases: AhoCorasick,
}

/// All rules: the operator's own before the built-in ones. Cheap to clone.
#[derive(Clone)]
pub struct Rules {
    pub(crate) own: Option<Arc<Set>>,
    pub(crate) builtin: Arc<Set>,
}

/// The rules, asked about the replies of one provider.
#[derive(Clone, Copy)]
pub struct RulesAt<'a> {
    pub(crate) rules: &'a Rules,
    pub(crate) provider: &'a str,
}

impl std::fmt::Debug for RulesAt<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("RulesAt").field(&self.provider).finish()
    }
}

/// What rules look at.
#[derive(Clone, Copy)]
pub(crate) struct Question<'a> {
    pub code: u16,
    pub status: Option<EnhancedStatus>,
    /// Lower case, white space as single spaces, a space at both ends.
    pub text: &'a str,
    pub stage: Stage,
    /// Another stage that a rule may ask for: a reply in a report whose place in the session is told.
    pub also: Option<Stage>,
    /// Whose server said it; empty where that is not known.
    pub provider: &'a str,
}

fn builtin_set() -> Result<Set, String> {
    let file: File = toml::from_str(include_str!("../data/rules.toml")).map_err(|error| error.to_string())?;
    let mut phrases = Vec::new();
    let mut rules = Vec::with_capacity(file.rule.len());
    for written in &file.rule {
        rules.push(compile_rule(written, &mut phrases).map_err(|wrongs| format!("rule {}: {wrongs:?}", written.name))?);
    }
    Set::of(rules, phrases)
}

impl Rules {
    /// The rules that come with the product.
    #[must_use]
    pub fn builtin() -> &'static Rules {
        &BUILTIN
    }

    /// The rules for what servers of this provider say; an empty name is nobody in particular.
    #[must_use]
    pub fn at<'a>(&'a self, provider: &'a str) -> RulesAt<'a> {
        RulesAt { rules: self, provider }
    }
}

impl<'a> RulesAt<'a> {
    /// Whose replies these are.
    #[must_use]
    pub fn provider(self) -> &'a str {
        self.provider
    }

    /// The first rule that matches, and whether it is the operator's own.
    pub(crate) fn find(self, question: &Question<'_>) -> Option<(&'a Rule, bool)> {
        let own = self.rules.own.as_ref().and_then(|own| own.find(question));
        own.map(|rule| (rule, true)).or_else(|| self.rules.builtin.find(question).map(|rule| (rule, false)))
    }
}

impl Set {
    /// Rules with the phrases that they share.
    pub fn of(rules: Vec<Rule>, phrases: Vec<String>) -> Result<Set, String> {
        if phrases.len() > PHRASES_MAX {
            return Err(format!("all rules together have {} phrases; {PHRASES_MAX} are the most", phrases.len()));
        }
        let phrases = AhoCorasick::new(phrases).map_err(|error| error.to_string())?;
        Ok(Set { rules, phrases })
    }

    /// The first rule that matches.
    pub fn find(&self, question: &Question<'_>) -> Option<&Rule> {
        let found = self.phrases_in(question.text);
        self.rules.iter().find(|rule| rule.misses(question, &found).is_none())
    }

    /// Why one rule does not match.
    pub fn miss(&self, rule: usize, question: &Question<'_>) -> Option<Miss> {
        let found = self.phrases_in(question.text);
        self.rules.get(rule)?.misses(question, &found)
    }

    fn phrases_in(&self, text: &str) -> Hits {
        let mut hits = Hits { bits: [0; PHRASES_MAX / 64], places: Vec::new(), ends: ends(text) };
        for hit in self.phrases.find_overlapping_iter(text) {
            let phrase = hit.pattern().as_usize();
            hits.bits[phrase / 64] |= 1 << (phrase % 64);
            hits.places.push((phrase, hit.range()));
        }
        hits
    }
}

/// Marks before a blank that end a sentence, or a part of one.
fn ends(text: &str) -> Vec<usize> {
    let pairs = text.as_bytes().windows(2).enumerate();
    pairs.filter(|(_, pair)| matches!(pair, [b'.' | b';' | b',' | b'!' | b'?', b' '])).map(|(at, _)| at).collect()
}

impl Rule {
    fn misses(&self, question: &Question<'_>, found: &Hits) -> Option<Miss> {
        let at = |name: &String| name.eq_ignore_ascii_case(question.provider);
        if !self.codes.is_empty() && !self.codes.iter().any(|code| code.matches(question.code)) {
            return Some(Miss::Code);
        }
        let status = |pattern: &StatusPattern| question.status.is_some_and(|status| pattern.matches(status));
        if !self.status.is_empty() && !self.status.iter().any(status) {
            return Some(Miss::Status);
        }
        let there = |stage: &Stage| *stage == question.stage || Some(*stage) == question.also;
        if !self.stages.is_empty() && !self.stages.iter().any(there) {
            return Some(Miss::Stage);
        }
        if !self.text.is_empty() && !self.text.iter().any(|terms| found.say(terms)) {
            return Some(Miss::Text);
        }
        (!self.providers.is_empty() && !self.providers.iter().any(at)).then_some(Miss::Provider)
    }
}

/// What is wrong with one rule.
pub(crate) type Wrongs = Vec<(Part, String)>;

/// Compiles a rule; its phrases are added to those of all.
pub(crate) fn compile_rule(written: &WrittenRule, all: &mut Vec<String>) -> Result<Rule, Wrongs> {
    let mut wrongs = Wrongs::new();
    let class = BounceClass::parse(&written.class);
    if class.is_none() {
        let known: Vec<&str> = BounceClass::ALL.iter().map(|class| class.as_str()).collect();
        wrongs.push((Part::Class, format!("there is no class {:?}; there are {}", written.class, known.join(", "))));
    }
    let kind = written.kind.as_deref().map(|word| (word, Kind::of_rule(word)));
    if let Some((word, None)) = kind {
        wrongs.push((Part::Kind, format!("there is no kind {word:?}; there are hard, soft, block and delay")));
    }
    if let (Some(class), Some((_, Some(Kind::Hard)))) = (class, kind)
        && matches!(Kind::of(class, Severity::Permanent), Kind::Block | Kind::Delay)
    {
        let why = format!(
            "{} tells of this sender, so \"hard\" would suppress people for our own name; say what it tells of the address \
             with another class, such as bad_mailbox",
            class.as_str()
        );
        wrongs.push((Part::Kind, why));
    }
    let codes = (Part::Code as fn(usize) -> Part, "a reply code such as 550, 4xx or 5xx");
    let codes = each(&written.codes, codes, CodePattern::parse, &mut wrongs);
    let status = (Part::Status as fn(usize) -> Part, "an enhanced code such as 5.7.1 or *.7.*");
    let status = each(&written.status, status, StatusPattern::parse, &mut wrongs);
    let stages = (Part::Stage as fn(usize) -> Part, "greeting, hello, mail, rcpt, data, message or report");
    let stages = each(&written.stages, stages, Stage::parse, &mut wrongs);
    let mut text = Vec::with_capacity(written.text.len());
    for (number, alternative) in written.text.iter().enumerate() {
        match terms(alternative) {
            Ok(terms) => text.push(terms.into_iter().map(|term| numbered(term, all)).collect()),
            Err(why) => wrongs.push((Part::Text(number), why)),
        }
    }
    if written.samples.is_empty() {
        let why = "a rule without samples dies unseen; give it one reply at least";
        wrongs.push((Part::Whole, why.to_owned()));
    }
    if [&written.codes, &written.status, &written.text, &written.stages].iter().all(|conditions| conditions.is_empty())
    {
        let why = "it would match every reply; give it codes, status, text or stages";
        wrongs.push((Part::Whole, why.to_owned()));
    }
    if written.fallback && !written.text.is_empty() {
        wrongs.push((Part::Whole, "what decides by its text is no fallback".to_owned()));
    }
    let word = written.word.as_deref().map(|word| (word, shared_word(word)));
    if let Some((word, None)) = word {
        wrongs.push((Part::Whole, format!("the normal form has no word {word:?}")));
    }
    let word = word.and_then(|(_, word)| word);
    let Some(class) = class.filter(|_| wrongs.is_empty()) else { return Err(wrongs) };
    let (name, providers, fallback) = (written.name.as_str().into(), written.providers.clone(), written.fallback);
    let kind = kind.and_then(|(_, kind)| kind);
    Ok(Rule { name, class, kind, fallback, word, providers, codes, status, text, stages })
}

fn each<T>(
    texts: &[String],
    (part, wanted): (fn(usize) -> Part, &str),
    parse: fn(&str) -> Option<T>,
    wrongs: &mut Wrongs,
) -> Vec<T> {
    let mut good = Vec::with_capacity(texts.len());
    for (number, text) in texts.iter().enumerate() {
        match parse(text) {
            Some(value) => good.push(value),
            None => wrongs.push((part(number), format!("{text:?} must be {wanted}"))),
        }
    }
    good
}

fn numbered(term: Term<&str>, all: &mut Vec<String>) -> Term<usize> {
    Term { any: term.any.into_iter().map(|phrase| place(phrase, all)).collect(), near: term.near }
}

/// The number of a phrase; each is kept once.
fn place(phrase: &str, all: &mut Vec<String>) -> usize {
    all.iter().position(|known| known == phrase).unwrap_or_else(|| {
        all.push(phrase.to_owned());
        all.len() - 1
    })
}

#[cfg(test)]
mod tests;
