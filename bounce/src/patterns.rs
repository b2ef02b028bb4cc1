//! The conditions of a rule: reply codes, enhanced codes, phrases.

use mail::EnhancedStatus;

/// Letters of a phrase, at least: shorter ones occur in everything.
const PHRASE_MIN: usize = 3;
/// Bytes of a phrase at most: longer ones are one mail's text, not what many have in common.
const PHRASE_MAX: usize = 200;

/// `550`, `4xx` or `5xx`.
#[derive(Clone, Copy, Debug)]
pub(crate) enum CodePattern {
    Exact(u16),
    Hundreds(u16),
}

impl CodePattern {
    pub fn parse(text: &str) -> Option<CodePattern> {
        match text.strip_suffix("xx") {
            Some(hundreds) => hundreds.parse().ok().filter(|h| matches!(h, 4 | 5)).map(CodePattern::Hundreds),
            None => text.parse().ok().filter(|code| (400..600).contains(code)).map(CodePattern::Exact),
        }
    }

    pub fn matches(self, code: u16) -> bool {
        match self {
            CodePattern::Exact(wanted) => code == wanted,
            CodePattern::Hundreds(hundreds) => code / 100 == hundreds,
        }
    }
}

/// `5.1.1`, or `*.1.1` for both classes, or `5.7.*`, `*.7.*`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StatusPattern {
    class: Option<u8>,
    subject: u16,
    detail: Option<u16>,
}

impl StatusPattern {
    pub fn parse(text: &str) -> Option<StatusPattern> {
        let mut parts = text.split('.');
        let (class, subject, detail) = (parts.next()?, parts.next()?, parts.next()?);
        let class = match class {
            "*" => None,
            class => Some(class.parse().ok().filter(|class| matches!(class, 4 | 5))?),
        };
        let detail = if detail == "*" { None } else { Some(detail.parse().ok()?) };
        parts.next().is_none().then_some(StatusPattern { class, subject: subject.parse().ok()?, detail })
    }

    pub fn matches(self, status: EnhancedStatus) -> bool {
        self.class.is_none_or(|class| class == status.class)
            && self.subject == status.subject
            && self.detail.is_none_or(|detail| detail == status.detail)
    }
}

/// One part of a text that a rule asks for: any of some phrases.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Term<P> {
    pub any: Vec<P>,
    /// Whether it is to stand near one of the part before it.
    pub near: bool,
}

/// The parts of `a & b | c ~ d`: of each set of phrases one must occur, and what stands behind `~` near the set before it.
pub(crate) fn terms(alternative: &str) -> Result<Vec<Term<&str>>, String> {
    let mut terms = Vec::new();
    for chain in alternative.split(" & ") {
        for (place, set) in chain.split(" ~ ").enumerate() {
            terms.push(any_of(set, place > 0)?);
        }
    }
    Ok(terms)
}

/// The phrases of `b | c`.
fn any_of(set: &str, near: bool) -> Result<Term<&str>, String> {
    let any = set.split(" | ").map(|phrase| checked(phrase).map(|()| phrase)).collect::<Result<_, _>>()?;
    Ok(Term { any, near })
}

fn checked(phrase: &str) -> Result<(), String> {
    let why = if phrase.len() < PHRASE_MIN {
        format!("must have {PHRASE_MIN} letters at least")
    } else if phrase.len() > PHRASE_MAX {
        format!("must have {PHRASE_MAX} letters at most")
    } else if phrase != phrase.to_lowercase() {
        "must be lower case, as replies are compared".to_owned()
    } else if phrase.contains('@') {
        "cannot match: addresses are taken out before texts are compared".to_owned()
    } else if phrase.contains("  ") || phrase.contains(['\n', '\t', '\r']) {
        "cannot match: white space is compared as single spaces".to_owned()
    } else {
        return Ok(());
    };
    Err(format!("the phrase {phrase:?} {why}"))
}
