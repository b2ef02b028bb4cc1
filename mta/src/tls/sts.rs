//! MTA-STS (RFC 8461): a domain says over HTTPS which hosts take its mail, and that their certificates are to be checked.
//! Here is what its record and its policy mean; `store` fetches and keeps them. Pure.

/// Where the record is, before the domain (RFC 8461 §3.1).
pub const RECORD_LABEL: &str = "_mta-sts";
/// A policy is kept for a year at most (RFC 8461 §3.2).
const MAX_AGE_MAX_S: u64 = 31_557_600;
/// Longest policy that is read (RFC 8461 §3.3 leaves the bound to us).
pub const POLICY_BYTES_MAX: usize = 64 * 1024;
/// Patterns kept of one policy.
const PATTERNS_MAX: usize = 200;

/// Where a domain's policy is (RFC 8461 §3.3).
#[must_use]
pub fn policy_url(domain: &str) -> String {
    format!("https://mta-sts.{domain}/.well-known/mta-sts.txt")
}

/// What is wrong with a domain's record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// More than one begins with "v=STSv1": none counts (RFC 8461 §3.1).
    #[error("{0} records begin with v=STSv1, and only one may")]
    Several(usize),
    /// There is no id.
    #[error("the record has no id")]
    NoId,
    /// The id is not 1 to 32 letters and digits.
    #[error("the id {0:?} is not 1 to 32 letters and digits")]
    BadId(String),
    /// A field has no "=".
    #[error("the field {0:?} has no value")]
    BadField(String),
}

/// The id of a domain's policy, from its TXT records; `None` when it has no MTA-STS record (RFC 8461 §3.1).
///
/// # Errors
/// Whatever makes the record void.
pub fn read_record(texts: &[String]) -> Result<Option<String>, RecordError> {
    let mut ours = texts.iter().filter(|text| is_record(text));
    let Some(record) = ours.next() else { return Ok(None) };
    match ours.count() {
        0 => read_fields(record).map(Some),
        more => Err(RecordError::Several(more + 1)),
    }
}

fn is_record(text: &str) -> bool {
    text.strip_prefix("v=STSv1").is_some_and(|rest| rest.trim_start_matches([' ', '\t']).starts_with(';'))
}

fn read_fields(record: &str) -> Result<String, RecordError> {
    let mut found = None;
    for field in record.split(';').skip(1).map(str::trim).filter(|field| !field.is_empty()) {
        let Some((name, value)) = field.split_once('=') else {
            return Err(RecordError::BadField(shown(field)));
        };
        if name == "id" && found.is_none() {
            found = Some(value);
        }
    }
    let id = found.ok_or(RecordError::NoId)?;
    if !(1..=32).contains(&id.len()) || !id.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(RecordError::BadId(shown(id)));
    }
    Ok(id.to_owned())
}

/// What a policy asks of senders.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mode {
    /// No delivery without a match.
    Enforce,
    /// Delivery as ever; failures are reported.
    Testing,
    /// Nothing: how a domain takes its policy back.
    None,
}

impl Mode {
    /// The word of the policy.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Mode::Enforce => "enforce",
            Mode::Testing => "testing",
            Mode::None => "none",
        }
    }
}

/// A domain's policy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StsPolicy {
    /// What it asks for.
    pub mode: Mode,
    /// How long it may be relied on, from when it was fetched.
    pub max_age_s: u64,
    /// Patterns of the MX hosts that take the domain's mail: names, or `*.` and a name. Lower case.
    pub mx: Vec<String>,
}

/// What is wrong with a policy.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Not text.
    #[error("the policy is not UTF-8")]
    NotText,
    /// A line without colon.
    #[error("line {line} has no colon: {text:?}")]
    NoColon {
        /// Which line, from 1.
        line: usize,
        /// What it says.
        text: String,
    },
    /// A version other than ours, or none.
    #[error("the version is {0:?} and not STSv1")]
    Version(String),
    /// A field is missing.
    #[error("the policy has no {0}")]
    Missing(&'static str),
    /// Mode is another word.
    #[error("the mode {0:?} is neither enforce, testing nor none")]
    Mode(String),
    /// Not a number of seconds.
    #[error("max_age {0:?} is not a number of seconds")]
    MaxAge(String),
    /// Not a name or wildcard.
    #[error("mx {0:?} is no host name and no *. before one")]
    Mx(String),
}

/// Reads a policy (RFC 8461 §3.2). Of fields said twice the first counts; unknown ones are passed over.
///
/// # Errors
/// The first thing that makes it void.
pub fn read_policy(body: &[u8]) -> Result<StsPolicy, PolicyError> {
    let text = std::str::from_utf8(body).map_err(|_| PolicyError::NotText)?;
    let (mut version, mut mode, mut max_age) = (None, None, None);
    let mut mx = Vec::new();
    for (n, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let Some((key, value)) = line.split_once(':') else {
            return Err(PolicyError::NoColon { line: n + 1, text: shown(line) });
        };
        let value = value.trim();
        match key.trim() {
            "version" => _ = version.get_or_insert(value),
            "mode" => _ = mode.get_or_insert(value),
            "max_age" => _ = max_age.get_or_insert(value),
            "mx" if mx.len() < PATTERNS_MAX => mx.push(pattern(value)?),
            _ => {}
        }
    }
    match version {
        Some("STSv1") => {}
        other => return Err(PolicyError::Version(shown(other.unwrap_or_default()))),
    }
    let mode = read_mode(mode.ok_or(PolicyError::Missing("mode"))?)?;
    let max_age_s = read_max_age(max_age.ok_or(PolicyError::Missing("max_age"))?)?;
    if mx.is_empty() && mode != Mode::None {
        return Err(PolicyError::Missing("mx"));
    }
    Ok(StsPolicy { mode, max_age_s, mx })
}

fn read_mode(word: &str) -> Result<Mode, PolicyError> {
    match word {
        "enforce" => Ok(Mode::Enforce),
        "testing" => Ok(Mode::Testing),
        "none" => Ok(Mode::None),
        other => Err(PolicyError::Mode(shown(other))),
    }
}

/// At most ten digits; what exceeds a year is taken for a year.
fn read_max_age(text: &str) -> Result<u64, PolicyError> {
    let is_number = (1..=10).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = is_number.then(|| text.parse::<u64>().ok()).flatten();
    Ok(seconds.ok_or_else(|| PolicyError::MaxAge(shown(text)))?.min(MAX_AGE_MAX_S))
}

fn pattern(value: &str) -> Result<String, PolicyError> {
    let name = value.strip_prefix("*.").unwrap_or(value);
    let domain = mail::Domain::parse(name).map_err(|_| PolicyError::Mx(shown(value)))?;
    Ok(if name.len() < value.len() { format!("*.{domain}") } else { domain.to_string() })
}

/// Foreign text in a message of ours.
fn shown(text: &str) -> String {
    text.chars().take(80).collect()
}

impl StsPolicy {
    /// Whether a host is one of the policy's (RFC 8461 §4.1): `*` stands for exactly one label.
    #[must_use]
    pub fn covers(&self, host: &str) -> bool {
        self.mx.iter().any(|pattern| matches(pattern, host))
    }

    /// The policy as it was written, line by line, for reports and people.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let head = [
            "version: STSv1".to_owned(),
            format!("mode: {}", self.mode.as_str()),
            format!("max_age: {}", self.max_age_s),
        ];
        head.into_iter().chain(self.mx.iter().map(|mx| format!("mx: {mx}"))).collect()
    }
}

fn matches(pattern: &str, host: &str) -> bool {
    match pattern.strip_prefix("*.") {
        None => pattern.eq_ignore_ascii_case(host),
        Some(rest) => {
            host.split_once('.').is_some_and(|(first, tail)| !first.is_empty() && tail.eq_ignore_ascii_case(rest))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn texts(all: &[&str]) -> Vec<String> {
        all.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn records() {
        let id = |id: &str| Ok(Some(id.to_owned()));
        for (found, wanted) in [
            (&["v=STSv1; id=20160831085700Z;"][..], id("20160831085700Z")),
            (&["v=STSv1;id=1"], id("1")),
            (&["v=STSv1 ; x=y ; id=a1 ;"], id("a1")),
            (&["v=spf1 -all", "v=STSv1; id=7"], id("7")),
            (&["v=STSv1; id=1; id=2"], id("1")),
            (&[], Ok(None)),
            (&["v=STSv2; id=1"], Ok(None)),
            (&["v=STSv1"], Ok(None)),
            (&["V=STSv1; id=1"], Ok(None)),
            (&["v=STSv1; id=1", "v=STSv1; id=1"], Err(RecordError::Several(2))),
            (&["v=STSv1;"], Err(RecordError::NoId)),
            (&["v=STSv1; id=a-b"], Err(RecordError::BadId("a-b".to_owned()))),
            (&["v=STSv1; id="], Err(RecordError::BadId(String::new()))),
            (&["v=STSv1; hello"], Err(RecordError::BadField("hello".to_owned()))),
        ] {
            assert_eq!(read_record(&texts(found)), wanted, "{found:?}");
        }
        let long = "1".repeat(33);
        assert_eq!(read_record(&[format!("v=STSv1; id={long}")]), Err(RecordError::BadId(long)));
    }

    const GOOD: &str =
        "version: STSv1\r\nmode: enforce\r\nmx: Mail.Example.com\r\nmx: *.example.net\r\nmax_age: 604800\r\n";

    #[test]
    fn a_policy_and_what_it_covers() {
        let policy = read_policy(GOOD.as_bytes()).unwrap();
        let mx = texts(&["mail.example.com", "*.example.net"]);
        assert_eq!(policy, StsPolicy { mode: Mode::Enforce, max_age_s: 604_800, mx });
        assert_eq!(read_policy(policy.lines().join("\n").as_bytes()), Ok(policy.clone()));
        for (host, covered) in [
            ("mail.example.com", true),
            ("MAIL.example.com", true),
            ("a.mail.example.com", false),
            ("mx1.example.net", true),
            ("example.net", false),
            ("a.mx1.example.net", false),
            (".example.net", false),
            ("evil-example.net", false),
        ] {
            assert_eq!(policy.covers(host), covered, "{host}");
        }
    }

    #[test]
    fn what_makes_a_policy_void() {
        let void = |from: &str, to: &str| read_policy(GOOD.replace(from, to).as_bytes()).unwrap_err();
        assert_eq!(void("version: STSv1\r\n", ""), PolicyError::Version(String::new()));
        assert_eq!(void("STSv1", "STSv2"), PolicyError::Version("STSv2".to_owned()));
        assert_eq!(void("mode: enforce\r\n", ""), PolicyError::Missing("mode"));
        assert_eq!(void("enforce", "Enforce"), PolicyError::Mode("Enforce".to_owned()));
        assert_eq!(void("max_age: 604800\r\n", ""), PolicyError::Missing("max_age"));
        assert_eq!(void("604800", "-1"), PolicyError::MaxAge("-1".to_owned()));
        assert_eq!(void("604800", "12345678901"), PolicyError::MaxAge("12345678901".to_owned()));
        assert_eq!(void("mx: ", "mxx: "), PolicyError::Missing("mx"));
        assert_eq!(void("*.example.net", "mx.*.net"), PolicyError::Mx("mx.*.net".to_owned()));
        assert_eq!(void("mode:", "mode"), PolicyError::NoColon { line: 2, text: "mode enforce".to_owned() });
        assert_eq!(read_policy(b"\xff"), Err(PolicyError::NotText));
    }

    #[test]
    fn what_is_forgiven() {
        let reads = |from: &str, to: &str| read_policy(GOOD.replace(from, to).as_bytes()).unwrap();
        assert_eq!(reads("\r\n", "\n").mx.len(), 2);
        assert_eq!(reads("mode: enforce", "mode: testing\nmode: enforce").mode, Mode::Testing, "the first one counts");
        assert_eq!(reads("604800", "9999999999").max_age_s, MAX_AGE_MAX_S);
        assert_eq!(reads("mode:", "future: yes\nmode:").mode, Mode::Enforce);
        let none = read_policy(b"version: STSv1\nmode: none\nmax_age: 86400").unwrap();
        assert_eq!((none.mode, none.mx.len()), (Mode::None, 0));
    }

    proptest! {
        #[test]
        fn nothing_makes_the_readers_panic(body in prop::collection::vec(any::<u8>(), 0..400), text in "\\PC{0,80}") {
            let _ = read_policy(&body);
            let _ = read_policy(text.as_bytes());
            let _ = read_record(std::slice::from_ref(&text));
            let _ = read_record(&[format!("v=STSv1;{text}")]);
        }

        #[test]
        fn a_policy_that_reads_says_the_same_again(
            lines in prop::collection::vec("(version|mode|max_age|mx|x): (STSv1|enforce|testing|none|[0-9]{1,10}|(\\*\\.)?[a-z]{1,4}\\.example)", 0..9)
        ) {
            if let Ok(policy) = read_policy(lines.join("\n").as_bytes()) {
                prop_assert_eq!(read_policy(policy.lines().join("\n").as_bytes()), Ok(policy));
            }
        }
    }
}
