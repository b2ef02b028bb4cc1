//! Commands of submission: what a client may say, read strictly. RFC 5321 §4.1, with the parameters of RFC 1870 (SIZE),
//! 6152 (BODY), 6531 (SMTPUTF8), 3461 (DSN), 4954 (AUTH) and 3030 (BDAT). Pure.

use mail::Address;

/// A command.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command<'a> {
    Ehlo,
    Helo,
    StartTls,
    Auth { mechanism: &'a str, initial: Option<&'a str> },
    Mail(Box<Mail>),
    Rcpt(Box<Rcpt>),
    Data,
    Bdat { size: u64, last: bool },
    Rset,
    Noop,
    Vrfy,
    Help,
    Quit,
}

/// MAIL FROM with what it announces.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Mail {
    /// The reverse-path; `None` for the empty one.
    pub from: Option<Address>,
    /// SIZE, in bytes.
    pub size: Option<u64>,
    /// BODY=8BITMIME.
    pub eight_bit: bool,
    pub smtputf8: bool,
    /// RET (RFC 3461 §4.3).
    pub ret: Option<&'static str>,
    /// ENVID (RFC 3461 §4.4), still encoded.
    pub envid: Option<String>,
}

/// RCPT TO with its DSN parameters.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rcpt {
    pub to: Address,
    /// The words of NOTIFY (RFC 3461 §4.1).
    pub notify: Option<String>,
    /// The value of ORCPT (RFC 3461 §4.2).
    pub orcpt: Option<String>,
}

/// Why a line is no command of ours, as reply code, enhanced status and text.
pub(super) type Refusal = (u16, &'static str, &'static str);

const SYNTAX: Refusal = (501, "5.5.4", "not understood behind the command");
const NOT_AN_ADDRESS: Refusal = (553, "5.1.3", "not a mail address");
const UNKNOWN_PARAMETER: Refusal = (555, "5.5.4", "a parameter that is not offered here");
const BAD_PARAMETER: Refusal = (501, "5.5.4", "a parameter has no good value, or stands twice");

/// ENVID at most (RFC 3461 §4.4).
const ENVID_MAX: usize = 100;
/// ORCPT at most (RFC 3461 §4.2).
const ORCPT_MAX: usize = 500;

/// Reads a line without its CRLF.
pub(super) fn parse(line: &[u8]) -> Result<Command<'_>, Refusal> {
    let text = std::str::from_utf8(line).map_err(|_| (500, "5.5.2", "not UTF-8"))?;
    if text.chars().any(char::is_control) {
        return Err((500, "5.5.2", "a control character stands in the line"));
    }
    let text = text.trim_end_matches(' ');
    let (verb, rest) = text.split_once(' ').unwrap_or((text, ""));
    let verb = verb.to_ascii_uppercase();
    match (verb.as_str(), rest.trim_start_matches(' ')) {
        ("EHLO" | "HELO", "") => Err((501, "5.5.4", "say your name behind it")),
        ("EHLO", _) => Ok(Command::Ehlo),
        ("HELO", _) => Ok(Command::Helo),
        ("MAIL", rest) => mail(rest),
        ("RCPT", rest) => rcpt(rest),
        ("BDAT", rest) => bdat(rest),
        ("AUTH", rest) => auth(rest),
        ("DATA", "") => Ok(Command::Data),
        ("RSET", "") => Ok(Command::Rset),
        ("STARTTLS", "") => Ok(Command::StartTls),
        ("QUIT", "") => Ok(Command::Quit),
        ("DATA" | "RSET" | "STARTTLS" | "QUIT", _) => Err((501, "5.5.4", "nothing may stand behind it")),
        ("NOOP", _) => Ok(Command::Noop),
        ("VRFY", _) => Ok(Command::Vrfy),
        ("HELP", _) => Ok(Command::Help),
        _ => Err((500, "5.5.1", "no such command")),
    }
}

fn auth(rest: &str) -> Result<Command<'_>, Refusal> {
    match rest.split_once(' ') {
        None if rest.is_empty() => Err(SYNTAX),
        None => Ok(Command::Auth { mechanism: rest, initial: None }),
        // RFC 4954 §4: an empty initial response is sent as one equals sign.
        Some((mechanism, "=")) => Ok(Command::Auth { mechanism, initial: Some("") }),
        Some((mechanism, initial)) => Ok(Command::Auth { mechanism, initial: Some(initial) }),
    }
}

fn bdat(rest: &str) -> Result<Command<'_>, Refusal> {
    let (size, last) = match rest.split_once(' ') {
        None => (rest, false),
        Some((size, last)) if last.eq_ignore_ascii_case("LAST") => (size, true),
        Some(_) => return Err(SYNTAX),
    };
    Ok(Command::Bdat { size: number(size).ok_or(SYNTAX)?, last })
}

fn mail(rest: &str) -> Result<Command<'_>, Refusal> {
    let (path, parameters) = path(rest, "FROM:")?;
    let mut mail = Mail::default();
    if !path.is_empty() {
        mail.from = Some(Address::parse(path).map_err(|_| NOT_AN_ADDRESS)?);
    }
    let mut seen = Seen::default();
    for (key, value) in pairs(parameters) {
        match seen.once(key)?.as_str() {
            "SIZE" => mail.size = Some(value.and_then(number).ok_or(BAD_PARAMETER)?),
            "BODY" => mail.eight_bit = body(value.unwrap_or_default())?,
            "SMTPUTF8" if value.is_none() => mail.smtputf8 = true,
            "RET" => mail.ret = Some(ret(value.unwrap_or_default())?),
            "ENVID" => mail.envid = Some(xtext(value, ENVID_MAX)?),
            // RFC 4954 §5: who submitted it elsewhere. Nobody is trusted about that here, so it says nothing.
            "AUTH" if value.is_some() => {}
            "SMTPUTF8" | "AUTH" => return Err(BAD_PARAMETER),
            _ => return Err(UNKNOWN_PARAMETER),
        }
    }
    // RFC 6531 §3.4: such an address needs the parameter.
    if !mail.smtputf8 && !path.is_ascii() {
        return Err((553, "5.6.7", "an address that is not ASCII needs SMTPUTF8"));
    }
    Ok(Command::Mail(Box::new(mail)))
}

fn rcpt(rest: &str) -> Result<Command<'_>, Refusal> {
    let (path, parameters) = path(rest, "TO:")?;
    let to = Address::parse(path).map_err(|_| NOT_AN_ADDRESS)?;
    let mut rcpt = Rcpt { to, notify: None, orcpt: None };
    let mut seen = Seen::default();
    for (key, value) in pairs(parameters) {
        match seen.once(key)?.as_str() {
            "NOTIFY" => rcpt.notify = Some(notify(value.unwrap_or_default())?),
            "ORCPT" => rcpt.orcpt = Some(orcpt(value.unwrap_or_default())?),
            _ => return Err(UNKNOWN_PARAMETER),
        }
    }
    Ok(Command::Rcpt(Box::new(rcpt)))
}

/// Splits `FROM:<path> parameters`. A space behind the colon is wrong, but common.
fn path<'a>(rest: &'a str, word: &str) -> Result<(&'a str, &'a str), Refusal> {
    let head = rest.get(..word.len()).filter(|head| head.eq_ignore_ascii_case(word)).ok_or(SYNTAX)?;
    let rest = rest[head.len()..].trim_start_matches(' ').strip_prefix('<').ok_or(SYNTAX)?;
    let end = path_end(rest).ok_or(SYNTAX)?;
    let parameters = &rest[end + 1..];
    if !(parameters.is_empty() || parameters.starts_with(' ')) {
        return Err(SYNTAX);
    }
    // A source route (RFC 5321 appendix C) is left out.
    let path = match &rest[..end] {
        routed if routed.starts_with('@') => routed.split_once(':').ok_or(SYNTAX)?.1,
        path => path,
    };
    Ok((path, parameters))
}

/// Where the `>` stands that ends the path; in quotes it ends nothing.
fn path_end(text: &str) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, byte) in text.bytes().enumerate() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'>' if !quoted => return Some(at),
            _ => {}
        }
    }
    None
}

fn pairs(text: &str) -> impl Iterator<Item = (&str, Option<&str>)> {
    let words = text.split(' ').filter(|word| !word.is_empty());
    words.map(|word| word.split_once('=').map_or((word, None), |(key, value)| (key, Some(value))))
}

/// Parameters that stood already.
#[derive(Default)]
struct Seen(Vec<String>);

impl Seen {
    /// The key in upper case, the first time.
    fn once(&mut self, key: &str) -> Result<String, Refusal> {
        let key = key.to_ascii_uppercase();
        if self.0.contains(&key) {
            return Err(BAD_PARAMETER);
        }
        self.0.push(key.clone());
        Ok(key)
    }
}

/// Digits alone: no sign, at most 20 of them (RFC 1870 §3).
fn number(text: &str) -> Option<u64> {
    let digits = (1..=20).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

fn body(value: &str) -> Result<bool, Refusal> {
    match value.to_ascii_uppercase().as_str() {
        "7BIT" => Ok(false),
        "8BITMIME" => Ok(true),
        "BINARYMIME" => Err(UNKNOWN_PARAMETER),
        _ => Err(BAD_PARAMETER),
    }
}

fn ret(value: &str) -> Result<&'static str, Refusal> {
    match value.to_ascii_uppercase().as_str() {
        "FULL" => Ok("full"),
        "HDRS" => Ok("hdrs"),
        _ => Err(BAD_PARAMETER),
    }
}

/// RFC 3461 §4.1: NEVER alone, or a choice of the others.
fn notify(value: &str) -> Result<String, Refusal> {
    let value = value.to_ascii_uppercase();
    let words: Vec<&str> = value.split(',').collect();
    let good = words == ["NEVER"] || words.iter().all(|word| ["SUCCESS", "FAILURE", "DELAY"].contains(word));
    let twice = words.iter().enumerate().any(|(n, word)| words[..n].contains(word));
    if good && !twice { Ok(value) } else { Err(BAD_PARAMETER) }
}

/// RFC 3461 §4.2: an address type, a semicolon, the address as xtext, or UTF-8 (RFC 6533 §3).
fn orcpt(value: &str) -> Result<String, Refusal> {
    let (kind, address) = value.split_once(';').ok_or(BAD_PARAMETER)?;
    let good = !kind.is_empty() && kind.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    let utf8 = kind.eq_ignore_ascii_case("utf-8");
    if !good || value.len() > ORCPT_MAX || address.is_empty() || !(utf8 || is_xtext(address)) {
        return Err(BAD_PARAMETER);
    }
    Ok(value.to_owned())
}

fn xtext(value: Option<&str>, max: usize) -> Result<String, Refusal> {
    let good = |value: &&str| !value.is_empty() && value.len() <= max && is_xtext(value);
    value.filter(good).map(str::to_owned).ok_or(BAD_PARAMETER)
}

/// RFC 3461 §4: graphic ASCII without `=`, with `+` only before two hexadecimal digits.
fn is_xtext(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.iter().enumerate().all(|(at, byte)| match byte {
        b'+' => bytes.get(at + 1..at + 3).is_some_and(|hex| hex.iter().all(|b| matches!(b, b'0'..=b'9' | b'A'..=b'F'))),
        b'=' => false,
        byte => byte.is_ascii_graphic(),
    })
}

#[cfg(test)]
mod tests;
