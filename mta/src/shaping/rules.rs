//! The rules of `data/rules.toml`: what follows from a reply, or from a ratio, besides the recipient's own verdict.

use super::limits::Limits;
use bounce::Stage;
use config::Rate;
use mail::{BounceClass, EnhancedStatus, Reply};
use serde::Deserialize;
use std::time::Duration;
use storage::automation::Scope;

/// What a rule makes the engine do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// What it is about.
    pub scope: Scope,
    /// Nothing goes for so long.
    pub hold: Option<Hold>,
    /// After the hold one connection, then one more at a time.
    pub recovery: bool,
    /// Messages at most.
    pub rate: Option<Rate>,
    /// Connections at most.
    pub connections: Option<u32>,
    /// How long rate and connections hold.
    pub span: Duration,
    /// What a person should do.
    pub alarm: Option<String>,
}

/// How long nothing goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hold {
    /// So long.
    For(Duration),
    /// As long as the limits in force say (`block_hold`).
    AsLimited,
}

/// A rule for replies.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Its name.
    pub name: String,
    /// What it does.
    pub action: Action,
    providers: Vec<String>,
    codes: Vec<CodePattern>,
    status: Vec<StatusPattern>,
    /// Any of these; each is a set of phrases that must all occur.
    text: Vec<Vec<String>>,
    classes: Vec<BounceClass>,
}

/// A rule for shares of the outcomes of the last hour.
#[derive(Clone, Debug)]
pub struct RatioRule {
    /// Its name.
    pub name: String,
    /// From which share on.
    pub limit: RatioLimit,
    /// With at least so many outcomes.
    pub minimum: u32,
    /// What it does.
    pub action: Action,
}

/// The limit that has the share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RatioLimit {
    /// `bounce_slow_percent`.
    BounceSlowPercent,
    /// `bounce_hold_percent`.
    BounceHoldPercent,
    /// `complaint_warn_permille`.
    ComplaintWarnPermille,
    /// `complaint_slow_permille`.
    ComplaintSlowPermille,
    /// `complaint_hold_permille`.
    ComplaintHoldPermille,
}

impl RatioLimit {
    /// The share in force, per mille; `None` where it is switched off.
    #[must_use]
    pub fn permille(self, limits: &Limits) -> Option<u32> {
        let permille = match self {
            RatioLimit::BounceSlowPercent => limits.bounce_slow_percent * 10,
            RatioLimit::BounceHoldPercent => limits.bounce_hold_percent * 10,
            RatioLimit::ComplaintWarnPermille => limits.complaint_warn_permille,
            RatioLimit::ComplaintSlowPermille => limits.complaint_slow_permille,
            RatioLimit::ComplaintHoldPermille => limits.complaint_hold_permille,
        };
        (permille > 0).then_some(permille)
    }

    /// Whether it is a share of complaints; else of bounces.
    #[must_use]
    pub fn of_complaints(self) -> bool {
        !matches!(self, RatioLimit::BounceSlowPercent | RatioLimit::BounceHoldPercent)
    }
}

/// `421`, or `4xx`.
#[derive(Clone, Copy, Debug)]
enum CodePattern {
    Exact(u16),
    Hundreds(u16),
}

/// `4.7.28`, or `*.7.28` for both classes.
#[derive(Clone, Copy, Debug)]
struct StatusPattern {
    class: Option<u8>,
    subject: u16,
    detail: u16,
}

/// All rules in order; the first that matches wins.
pub struct Rules {
    replies: Vec<Rule>,
    ratios: Vec<RatioRule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    rule: Vec<WrittenRule>,
    ratio: Vec<WrittenRatio>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRule {
    name: String,
    #[serde(default)]
    providers: Vec<String>,
    #[serde(default)]
    codes: Vec<String>,
    #[serde(default)]
    status: Vec<String>,
    #[serde(default)]
    text: Vec<String>,
    #[serde(default)]
    classes: Vec<String>,
    scope: String,
    hold_minutes: Option<Minutes>,
    #[serde(default)]
    recovery: bool,
    rate: Option<String>,
    connections: Option<u32>,
    for_minutes: Option<u64>,
    alarm: Option<String>,
    samples: Vec<String>,
    misses: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRatio {
    name: String,
    limit: RatioLimit,
    minimum: u32,
    scope: String,
    hold_minutes: Option<Minutes>,
    rate: Option<String>,
    connections: Option<u32>,
    for_minutes: Option<u64>,
    alarm: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Minutes {
    Number(u64),
    Word(String),
}

impl Rules {
    /// The built-in rules.
    #[must_use]
    pub fn builtin() -> Rules {
        // A test compiles the same text, so this is an invariant of the source.
        Rules::compile(include_str!("../../data/rules.toml")).expect("the built-in rules are good")
    }

    fn compile(text: &str) -> Result<Rules, String> {
        let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
        let named = |name: &str, error: String| format!("rule {name}: {error}");
        let rule = |written: WrittenRule| {
            let name = written.name.clone();
            compile_rule(written).map_err(|error| named(&name, error))
        };
        let ratio = |written: WrittenRatio| {
            let WrittenRatio { name, limit, minimum, scope, hold_minutes, rate, connections, for_minutes, alarm } =
                written;
            let numbers = Numbers { hold_minutes, recovery: false, rate, connections, for_minutes };
            let action = compile_action(&scope, numbers, alarm).map_err(|error| named(&name, error))?;
            Ok::<_, String>(RatioRule { name, limit, minimum, action })
        };
        Ok(Rules {
            replies: file.rule.into_iter().map(rule).collect::<Result<_, _>>()?,
            ratios: file.ratio.into_iter().map(ratio).collect::<Result<_, _>>()?,
        })
    }

    /// The first rule that matches a reply that was no yes, and what was found to mean this.
    #[must_use]
    pub fn find(&self, reply: &Reply, class: BounceClass, provider: &str) -> Option<&Rule> {
        let mut text = reply.text.to_lowercase();
        if text.contains(['\n', '\t']) {
            text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        }
        self.replies.iter().find(|rule| rule.matches(reply, class, &text, provider))
    }

    /// The rules for ratios, in their order.
    #[must_use]
    pub fn ratios(&self) -> &[RatioRule] {
        &self.ratios
    }
}

impl Rule {
    fn matches(&self, reply: &Reply, class: BounceClass, text: &str, provider: &str) -> bool {
        (self.providers.is_empty() || self.providers.iter().any(|name| name == provider))
            && (self.codes.is_empty() || self.codes.iter().any(|code| code.matches(reply.code)))
            && (self.status.is_empty()
                || reply.enhanced.is_some_and(|status| self.status.iter().any(|pattern| pattern.matches(status))))
            && (self.classes.is_empty() || self.classes.contains(&class))
            && (self.text.is_empty() || self.text.iter().any(|all| all.iter().all(|phrase| text.contains(phrase))))
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
        let either = text.strip_prefix("*.").map(|rest| EnhancedStatus::parse(&format!("4.{rest}")));
        match either {
            Some(status) => status.map(|s| StatusPattern { class: None, subject: s.subject, detail: s.detail }),
            None => EnhancedStatus::parse(text).map(|s| StatusPattern {
                class: Some(s.class),
                subject: s.subject,
                detail: s.detail,
            }),
        }
    }

    fn matches(self, status: EnhancedStatus) -> bool {
        self.class.is_none_or(|class| class == status.class)
            && (self.subject, self.detail) == (status.subject, status.detail)
    }
}

fn compile_rule(written: WrittenRule) -> Result<Rule, String> {
    if written.samples.is_empty() || written.misses.is_empty() {
        return Err("a rule without samples and near misses dies unseen".to_owned());
    }
    let all = |texts: &[String], what: &str| format!("bad {what} in {texts:?}");
    let codes: Option<Vec<_>> = written.codes.iter().map(|text| CodePattern::parse(text)).collect();
    let status: Option<Vec<_>> = written.status.iter().map(|text| StatusPattern::parse(text)).collect();
    let classes: Option<Vec<_>> = written.classes.iter().map(|text| BounceClass::parse(text)).collect();
    let phrases = |text: &String| text.split(" & ").map(str::to_owned).collect::<Vec<_>>();
    if let Some(bad) = written.text.iter().flat_map(phrases).find(|p| p.len() < 3 || *p != p.to_lowercase()) {
        return Err(format!("the phrase {bad:?} must be lower case and of three letters at least"));
    }
    let numbers = Numbers {
        hold_minutes: written.hold_minutes,
        recovery: written.recovery,
        rate: written.rate,
        connections: written.connections,
        for_minutes: written.for_minutes,
    };
    Ok(Rule {
        action: compile_action(&written.scope, numbers, written.alarm)?,
        codes: codes.ok_or_else(|| all(&written.codes, "code"))?,
        status: status.ok_or_else(|| all(&written.status, "status"))?,
        classes: classes.ok_or_else(|| all(&written.classes, "class"))?,
        text: written.text.iter().map(phrases).collect(),
        name: written.name,
        providers: written.providers,
    })
}

/// What a rule says about how much and how long.
struct Numbers {
    hold_minutes: Option<Minutes>,
    recovery: bool,
    rate: Option<String>,
    connections: Option<u32>,
    for_minutes: Option<u64>,
}

fn compile_action(scope: &str, numbers: Numbers, alarm: Option<String>) -> Result<Action, String> {
    // What is about mail wherever it goes follows from figures, not from a reply of one provider.
    let known = Scope::parse(scope).filter(|scope| !scope.is_everywhere());
    let scope = known.ok_or_else(|| format!("no scope {scope}"))?;
    let hold = match numbers.hold_minutes {
        None => None,
        Some(Minutes::Number(minutes)) => Some(Hold::For(Duration::from_mins(minutes))),
        Some(Minutes::Word(word)) if word == "block_hold" => Some(Hold::AsLimited),
        Some(Minutes::Word(word)) => return Err(format!("bad hold_minutes {word:?}")),
    };
    let rate = match &numbers.rate {
        None => None,
        Some(text) => Some(Rate::parse(text).ok_or_else(|| format!("bad rate {text:?}"))?),
    };
    let slows = rate.is_some() || numbers.connections.is_some();
    let of_source = matches!(scope, Scope::SourceSite | Scope::SourceProvider);
    match (&hold, slows, numbers.for_minutes) {
        // A warning lasts for a while, so that it is not begun again with each further case.
        (None, false, Some(_)) if alarm.is_some() => {}
        (None, false, _) => return Err("it does nothing".to_owned()),
        (Some(_), true, _) => return Err("it cannot hold and slow down at once".to_owned()),
        (None, true, None) => return Err("for_minutes is missing".to_owned()),
        (Some(_), _, Some(_)) => return Err("for_minutes belongs to rate and connections".to_owned()),
        _ => {}
    }
    // Connections and rates belong to lanes; what one domain or workspace sends shares them with others.
    if !of_source && (slows || numbers.recovery) {
        return Err("only what is about a source can slow down".to_owned());
    }
    Ok(Action {
        scope,
        hold,
        recovery: numbers.recovery,
        rate,
        connections: numbers.connections,
        span: Duration::from_mins(numbers.for_minutes.unwrap_or(0)),
        alarm,
    })
}

/// `421 4.7.28 text`, or `[greeting] 554 text`, as a reply; the reply to the message unless it says so.
#[must_use]
pub fn parse_reply(text: &str) -> Option<(Reply, Stage)> {
    let text = text.trim();
    let (stage, line) = match text.strip_prefix('[').and_then(|rest| rest.split_once("] ")) {
        Some((stage, line)) => (stage_of(stage)?, line),
        None => (Stage::Message, text),
    };
    let code: u16 = line.get(..3)?.parse().ok().filter(|code| (200..600).contains(code))?;
    // `421-4.7.28`: the lines of a reply, pasted together.
    let rest = line.get(3..)?.trim_start_matches(['-', ' ']);
    Some((Reply::new(code, rest.lines()), stage))
}

/// The stage of a word.
#[must_use]
pub fn stage_of(word: &str) -> Option<Stage> {
    Some(match word {
        "greeting" => Stage::Greeting,
        "hello" => Stage::Hello,
        "mail" => Stage::Mail,
        "rcpt" => Stage::Rcpt,
        "data" => Stage::Data,
        "message" => Stage::Message,
        "report" => Stage::Report,
        _ => return None,
    })
}

/// What the built-in rules take a reply for.
#[cfg(test)]
pub(crate) fn class_of(reply: &Reply, stage: Stage) -> BounceClass {
    bounce::Rules::builtin().classify(reply, stage).class
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    /// Every rule wins its own samples and none of its misses, and every alternative of every condition occurs in a
    /// sample: a pattern that nothing exercises is a pattern that nobody knows to work.
    #[test]
    fn every_rule_is_alive() {
        let text = include_str!("../../data/rules.toml");
        let file: File = toml::from_str(text).unwrap();
        let rules = Rules::builtin();
        let families: HashSet<String> =
            crate::providers::builtin().families.iter().map(|f| f.name.to_string()).collect();
        let mut names = HashSet::new();
        let mut faults = Vec::new();
        for written in &file.rule {
            assert!(names.insert(written.name.clone()), "two rules are named {}", written.name);
            faults.extend(
                written.providers.iter().filter(|p| !families.contains(*p)).map(|p| format!("no provider {p}")),
            );
            let anybody = ["mx.example".to_owned()];
            let providers = if written.providers.is_empty() { &anybody[..] } else { &written.providers };
            let won = |text: &str, provider: &str| {
                let (reply, stage) = parse_reply(text).unwrap_or_else(|| panic!("{text}"));
                rules
                    .find(&reply, class_of(&reply, stage), provider)
                    .map_or("none", |rule| rule.name.as_str())
                    .to_owned()
            };
            for provider in providers {
                for sample in &written.samples {
                    let winner = won(sample, provider);
                    if winner != written.name {
                        faults.push(format!("{}: {winner} takes {sample:?}", written.name));
                    }
                }
                let missed = |miss: &&String| won(miss, provider) == written.name;
                faults.extend(
                    written.misses.iter().filter(missed).map(|miss| format!("{} takes {miss:?}", written.name)),
                );
            }
            let samples: Vec<Reply> = written.samples.iter().map(|text| parse_reply(text).unwrap().0).collect();
            let mut dead = |what: &str, alive: &dyn Fn(&Reply) -> bool| {
                if !samples.iter().any(alive) {
                    faults.push(format!("{}: no sample for {what}", written.name));
                }
            };
            for code in &written.codes {
                dead(code, &|reply| CodePattern::parse(code).unwrap().matches(reply.code));
            }
            for status in &written.status {
                dead(status, &|reply| reply.enhanced.is_some_and(|s| StatusPattern::parse(status).unwrap().matches(s)));
            }
            for text in &written.text {
                dead(text, &|reply| text.split(" & ").all(|phrase| reply.text.to_lowercase().contains(phrase)));
            }
        }
        assert!(faults.is_empty(), "{faults:#?}");
    }

    #[test]
    fn bad_rules_are_refused() {
        let rule = |rest: &str| {
            let text = format!("ratio = []\n[[rule]]\nname = \"x\"\nsamples = [\"550\"]\nmisses = [\"551\"]\n{rest}");
            Rules::compile(&text).err().unwrap_or_default()
        };
        for (rest, expected) in [
            ("scope = \"nowhere\"\nhold_minutes = 1", "rule x: no scope nowhere"),
            ("scope = \"source_site\"", "rule x: it does nothing"),
            ("scope = \"source_site\"\nrate = \"1/min\"", "rule x: for_minutes is missing"),
            ("scope = \"source_site\"\nhold_minutes = \"long\"", "rule x: bad hold_minutes \"long\""),
            (
                "scope = \"domain_provider\"\nrate = \"1/min\"\nfor_minutes = 5",
                "rule x: only what is about a source can slow down",
            ),
            ("scope = \"source_site\"\nhold_minutes = 1\ncodes = [\"250\"]", "rule x: bad code in [\"250\"]"),
            ("scope = \"source_site\"\nhold_minutes = 1\nstatus = [\"4.7\"]", "rule x: bad status in [\"4.7\"]"),
        ] {
            assert_eq!(rule(rest), expected);
        }
        assert!(rule("scope = \"source_site\"\nhold_minutes = 1\ntext = [\"Spam\"]").contains("lower case"));
    }

    #[test]
    fn pasted_replies() {
        let shown = |text| parse_reply(text).map(|(reply, stage)| format!("{reply} at {stage:?}"));
        assert_eq!(shown("421-4.7.28 slow down\n4.7.28 please").unwrap(), "421 4.7.28 slow down please at Message");
        assert_eq!(shown("[mail] 550 no").unwrap(), "550 no at Mail");
        assert_eq!((shown("hello"), shown("99 no"), shown("[nowhere] 550 no")), (None, None, None));
    }
}
