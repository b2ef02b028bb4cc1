//! SPF (RFC 7208), evaluated as a receiver does it: includes followed, the limits of look-ups kept.
//!
//! Pure: the evaluation is given the answers that are known and either ends, or names the one question that it needs
//! next. Asking and evaluating again is cheap, since there are never more than a few dozen questions.

mod macros;
mod record;

use record::{Cidr, Mechanism, Qualifier, Record, Term};
use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;

/// RFC 7208 §4.6.4: terms that ask the DNS, over all includes.
pub const LOOKUPS_MAX: u32 = 10;
/// RFC 7208 §4.6.4: look-ups that find nothing.
const VOID_MAX: u32 = 2;
/// RFC 7208 §4.6.4: hosts of one `mx`, names of one `ptr`.
const NAMES_MAX: usize = 10;

/// A question to the DNS.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Question {
    /// The TXT records of a name.
    Txt(String),
    /// The addresses of a name, of either family.
    Addresses(String),
    /// The mail exchangers of a name.
    Mx(String),
    /// The names of an address.
    Names(IpAddr),
}

/// What the DNS said. Nothing there is an empty list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// Texts, or names.
    Texts(Vec<String>),
    /// Addresses.
    Addresses(Vec<IpAddr>),
    /// No answer for now.
    Failed,
}

/// The answers known so far.
pub type Answers = HashMap<Question, Answer>;

/// RFC 7208 §2.6.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The address may send.
    Pass,
    /// It may not.
    Fail,
    /// It probably may not.
    SoftFail,
    /// Nothing is said about it.
    Neutral,
    /// There is no record.
    None,
    /// The record is wrong; receivers treat the mail as unauthenticated.
    Broken(String),
    /// The DNS gave no answer for now.
    NoAnswer(String),
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Outcome::Pass => f.write_str("pass"),
            Outcome::Fail => f.write_str("fail"),
            Outcome::SoftFail => f.write_str("softfail"),
            Outcome::Neutral => f.write_str("neutral"),
            Outcome::None => f.write_str("none"),
            Outcome::Broken(why) => write!(f, "permerror: {why}"),
            Outcome::NoAnswer(name) => write!(f, "temperror: no answer about {name}"),
        }
    }
}

/// What a receiver would find.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Evaluation {
    /// The result.
    pub outcome: Outcome,
    /// The terms that decided, from the record down through its includes; empty when none matched.
    pub by: Vec<String>,
    /// Terms that asked the DNS on the way.
    pub lookups: u32,
}

/// The mail that is judged.
#[derive(Clone, Copy, Debug)]
pub struct Mail<'a> {
    /// The address that it comes from.
    pub ip: IpAddr,
    /// Local part of the return path.
    pub local: &'a str,
    /// Domain of the return path, whose record it is.
    pub domain: &'a str,
    /// The name of EHLO.
    pub helo: &'a str,
}

/// Judges as far as the answers go.
///
/// # Errors
/// The next question to ask.
pub fn evaluate(mail: &Mail<'_>, answers: &Answers) -> Result<Evaluation, Question> {
    let mut run = Run { mail, answers, lookups: 0, voids: 0, by: Vec::new() };
    match run.check(mail.domain) {
        Ok(outcome) => Ok(run.end(outcome)),
        Err(Stop::Ask(question)) => Err(question),
        Err(Stop::Outcome(outcome)) => Ok(run.end(outcome)),
    }
}

/// Why an evaluation stops before its last term.
enum Stop {
    Ask(Question),
    Outcome(Outcome),
}

impl Stop {
    fn broken<T>(why: impl Into<String>) -> Result<T, Stop> {
        Err(Stop::Outcome(Outcome::Broken(why.into())))
    }
}

struct Run<'a> {
    mail: &'a Mail<'a>,
    answers: &'a Answers,
    lookups: u32,
    voids: u32,
    by: Vec<String>,
}

impl Run<'_> {
    fn end(self, outcome: Outcome) -> Evaluation {
        Evaluation { outcome, by: self.by, lookups: self.lookups }
    }

    /// RFC 7208 §4: the record of one domain.
    fn check(&mut self, domain: &str) -> Result<Outcome, Stop> {
        let texts = self.texts(Question::Txt(domain.to_owned()))?;
        let records: Vec<&String> = texts.iter().filter(|text| is_record(text)).collect();
        let text = match records.as_slice() {
            [] => return Ok(Outcome::None),
            [text] => (*text).clone(),
            _ => return Stop::broken(format!("{domain} has several SPF records (RFC 7208 §4.5)")),
        };
        let record = match Record::parse(&text) {
            Ok(record) => record,
            Err(term) => return Stop::broken(format!("the term {term:?} in the record of {domain} is not understood")),
        };
        for term in &record.terms {
            if self.matches(&term.mechanism, domain)? {
                self.by.insert(0, term.text.clone());
                return Ok(outcome_of(term));
            }
        }
        let Some(redirect) = &record.redirect else { return Ok(Outcome::Neutral) };
        let target = self.expand(redirect, domain)?;
        self.count(&format!("redirect={target}"))?;
        match self.check(&target)? {
            Outcome::None => Stop::broken(format!("redirect={target} leads to no SPF record (RFC 7208 §6.1)")),
            outcome => {
                self.by.insert(0, format!("redirect={target}"));
                Ok(outcome)
            }
        }
    }

    fn matches(&mut self, mechanism: &Mechanism, domain: &str) -> Result<bool, Stop> {
        let name_of = |run: &Self, spec: &Option<String>| match spec {
            Some(spec) => run.expand(spec, domain),
            None => Ok(domain.to_owned()),
        };
        match mechanism {
            Mechanism::All => Ok(true),
            Mechanism::Ip(network, bits) => Ok(record::covers(*network, *bits, self.mail.ip)),
            Mechanism::Include(spec) => {
                let target = self.expand(spec, domain)?;
                self.count(&format!("include:{target}"))?;
                self.include(&target)
            }
            Mechanism::A(spec, cidr) => {
                let name = name_of(self, spec)?;
                self.count(&format!("a:{name}"))?;
                let found = self.addresses(&name)?;
                self.note_void(found.is_empty())?;
                Ok(self.any_covers(&found, *cidr))
            }
            Mechanism::Mx(spec, cidr) => {
                let name = name_of(self, spec)?;
                self.count(&format!("mx:{name}"))?;
                self.mx(&name, *cidr)
            }
            Mechanism::Ptr(spec) => {
                let name = name_of(self, spec)?;
                self.count(&format!("ptr:{name}"))?;
                self.ptr(&name)
            }
            Mechanism::Exists(spec) => {
                let name = self.expand(spec, domain)?;
                self.count(&format!("exists:{name}"))?;
                // RFC 7208 §5.7: an A record, whatever the family of the sender.
                let found = self.addresses(&name)?.iter().any(IpAddr::is_ipv4);
                self.note_void(!found)?;
                Ok(found)
            }
        }
    }

    /// RFC 7208 §5.2.
    fn include(&mut self, target: &str) -> Result<bool, Stop> {
        match self.check(target)? {
            Outcome::Pass => Ok(true),
            Outcome::None => Stop::broken(format!("include:{target} leads to no SPF record (RFC 7208 §5.2)")),
            _ => {
                // What decided in there decided nothing here.
                self.by.clear();
                Ok(false)
            }
        }
    }

    fn mx(&mut self, name: &str, cidr: Cidr) -> Result<bool, Stop> {
        let hosts = self.texts(Question::Mx(name.to_owned()))?;
        self.note_void(hosts.is_empty())?;
        if hosts.len() > NAMES_MAX {
            return Stop::broken(format!("mx:{name} has more than {NAMES_MAX} hosts (RFC 7208 §4.6.4)"));
        }
        for host in hosts {
            let found = self.addresses(&host)?;
            if self.any_covers(&found, cidr) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// RFC 7208 §5.5: a name of the address counts when it leads back and lies in the domain. Failures are no match.
    fn ptr(&mut self, domain: &str) -> Result<bool, Stop> {
        let names = match self.texts(Question::Names(self.mail.ip)) {
            Err(Stop::Outcome(_)) => return Ok(false),
            names => names?,
        };
        self.note_void(names.is_empty())?;
        for name in names.iter().take(NAMES_MAX) {
            let inside = name.eq_ignore_ascii_case(domain)
                || name.to_ascii_lowercase().ends_with(&format!(".{}", domain.to_ascii_lowercase()));
            let found = match self.addresses(name) {
                Err(Stop::Outcome(_)) => continue,
                found => found?,
            };
            if inside && found.contains(&self.mail.ip) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn any_covers(&self, found: &[IpAddr], cidr: Cidr) -> bool {
        found.iter().any(|ip| record::covers(*ip, if ip.is_ipv4() { cidr.four } else { cidr.six }, self.mail.ip))
    }

    fn expand(&self, spec: &str, domain: &str) -> Result<String, Stop> {
        match macros::expand(spec, self.mail, domain) {
            Some(name) => Ok(name),
            None => Stop::broken(format!("the macro in {spec:?} is not understood")),
        }
    }

    fn count(&mut self, term: &str) -> Result<(), Stop> {
        self.lookups += 1;
        if self.lookups > LOOKUPS_MAX {
            return Stop::broken(format!(
                "more than {LOOKUPS_MAX} terms that ask the DNS (RFC 7208 §4.6.4); {term} is one too many"
            ));
        }
        Ok(())
    }

    fn note_void(&mut self, void: bool) -> Result<(), Stop> {
        self.voids += u32::from(void);
        if self.voids > VOID_MAX {
            return Stop::broken(format!("more than {VOID_MAX} of its look-ups find nothing (RFC 7208 §4.6.4)"));
        }
        Ok(())
    }

    fn texts(&self, question: Question) -> Result<Vec<String>, Stop> {
        match self.answers.get(&question) {
            None => Err(Stop::Ask(question)),
            Some(Answer::Texts(texts)) => Ok(texts.clone()),
            Some(_) => Err(no_answer(&question)),
        }
    }

    fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, Stop> {
        let question = Question::Addresses(name.to_owned());
        match self.answers.get(&question) {
            None => Err(Stop::Ask(question)),
            Some(Answer::Addresses(ips)) => Ok(ips.clone()),
            Some(_) => Err(no_answer(&question)),
        }
    }
}

fn no_answer(question: &Question) -> Stop {
    let name = match question {
        Question::Txt(name) | Question::Addresses(name) | Question::Mx(name) => name.clone(),
        Question::Names(ip) => ip.to_string(),
    };
    Stop::Outcome(Outcome::NoAnswer(name))
}

fn outcome_of(term: &Term) -> Outcome {
    match term.qualifier {
        Qualifier::Pass => Outcome::Pass,
        Qualifier::Fail => Outcome::Fail,
        Qualifier::SoftFail => Outcome::SoftFail,
        Qualifier::Neutral => Outcome::Neutral,
    }
}

/// RFC 7208 §4.5.
pub(crate) fn is_record(text: &str) -> bool {
    let version = text.split(' ').next().unwrap_or("");
    version.eq_ignore_ascii_case("v=spf1")
}
