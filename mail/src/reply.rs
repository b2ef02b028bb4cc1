//! SMTP replies (RFC 5321 §4.2) and enhanced status codes (RFC 3463).

use std::fmt;

/// An enhanced status code such as 5.1.1 (RFC 3463 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct EnhancedStatus {
    /// 2 success, 4 temporary, 5 permanent.
    pub class: u8,
    /// What it is about: 1 address, 2 mailbox, 3 system, 4 network, 5 protocol, 6 content, 7 policy.
    pub subject: u16,
    /// The detail.
    pub detail: u16,
}

impl EnhancedStatus {
    /// Reads `5.1.1`; `None` where the text is anything else.
    #[must_use]
    pub fn parse(text: &str) -> Option<EnhancedStatus> {
        let mut parts = text.split('.');
        let number = |part: Option<&str>| {
            let part = part?;
            if part.is_empty() || part.len() > 3 || !part.bytes().all(|b| b.is_ascii_digit()) {
                return None;
            }
            part.parse::<u16>().ok()
        };
        let class = number(parts.next())?;
        let subject = number(parts.next())?;
        let detail = number(parts.next())?;
        if parts.next().is_some() || !matches!(class, 2 | 4 | 5) {
            return None;
        }
        Some(EnhancedStatus { class: class as u8, subject, detail })
    }
}

impl fmt::Display for EnhancedStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class, self.subject, self.detail)
    }
}

/// What a reply's first digit says (RFC 5321 §4.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// 2yz: done.
    Positive,
    /// 3yz: go on.
    Intermediate,
    /// 4yz: not now.
    Transient,
    /// 5yz: not this way.
    Permanent,
}

/// A whole SMTP reply: code, enhanced status where given, and the text of every line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// 200 to 599.
    pub code: u16,
    /// RFC 2034's code at the start of the text, where there is one.
    pub enhanced: Option<EnhancedStatus>,
    /// The text, lines joined with `\n`, without code and enhanced status.
    pub text: String,
}

impl Reply {
    /// Makes a reply of its code and the raw text of its lines (after the code), taking the enhanced status off
    /// each line that repeats it.
    #[must_use]
    pub fn new<'a>(code: u16, lines: impl IntoIterator<Item = &'a str>) -> Reply {
        let mut enhanced = None;
        let mut text = String::new();
        for line in lines {
            let line = line.trim_end();
            let first = line.split_ascii_whitespace().next().unwrap_or("");
            let rest = match EnhancedStatus::parse(first) {
                Some(status) if u16::from(status.class) == code / 100 => {
                    enhanced.get_or_insert(status);
                    line.trim_start()[first.len()..].trim_start()
                }
                _ => line,
            };
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(rest);
        }
        Reply { code, enhanced, text }
    }

    /// What the first digit says.
    #[must_use]
    pub fn severity(&self) -> Severity {
        match self.code {
            200..=299 => Severity::Positive,
            300..=399 => Severity::Intermediate,
            400..=499 => Severity::Transient,
            _ => Severity::Permanent,
        }
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if let Some(status) = self.enhanced {
            write!(f, " {status}")?;
        }
        if !self.text.is_empty() {
            write!(f, " {}", self.text.replace('\n', " "))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn enhanced_status() {
        for (text, good) in [
            ("5.1.1", true),
            ("4.7.28", true),
            ("2.0.0", true),
            ("3.1.1", false),
            ("5.1", false),
            ("5.1.1.1", false),
            ("5.1.1234", false),
            ("5..1", false),
            ("", false),
            ("5.1.x", false),
        ] {
            assert_eq!(EnhancedStatus::parse(text).is_some(), good, "{text}");
        }
    }

    #[test]
    fn replies() {
        let reply = Reply::new(550, ["5.1.1 no such user", "5.1.1 see https://x.example "]);
        assert_eq!(reply.enhanced.unwrap().to_string(), "5.1.1");
        assert_eq!(reply.text, "no such user\nsee https://x.example");
        assert_eq!(reply.to_string(), "550 5.1.1 no such user see https://x.example");
        // A status of another class than the code is text, not a status.
        assert_eq!(Reply::new(450, ["5.1.1 odd"]).enhanced, None);
        assert_eq!(Reply::new(250, [""]).to_string(), "250");
        assert_eq!(Reply::new(421, ["x"]).severity(), Severity::Transient);
    }
}
