//! What a server offers, as the reply to EHLO says (RFC 5321 §4.1.1.1).

use mail::Reply;

/// What the server offers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Capabilities {
    pub pipelining: bool,
    pub eight_bit: bool,
    pub smtputf8: bool,
    pub starttls: bool,
    /// AUTH PLAIN and AUTH LOGIN are offered (RFC 4954 §3).
    pub auth_plain: bool,
    pub auth_login: bool,
    /// BDAT is taken (RFC 3030).
    pub chunking: bool,
    /// The parameters of RFC 3461 are taken, and the duty to report with them.
    pub dsn: bool,
    /// SIZE is offered (RFC 1870); the limit, 0 when none is named.
    pub size: Option<u64>,
}

impl Capabilities {
    /// Reads the reply to EHLO; what is not known is passed over.
    pub(super) fn read(reply: &Reply) -> Capabilities {
        let mut found = Capabilities::default();
        for line in reply.text.lines().skip(1) {
            let mut words = line.split_ascii_whitespace();
            match words.next().unwrap_or("").to_ascii_uppercase().as_str() {
                "PIPELINING" => found.pipelining = true,
                "8BITMIME" => found.eight_bit = true,
                "SMTPUTF8" => found.smtputf8 = true,
                "STARTTLS" => found.starttls = true,
                "CHUNKING" => found.chunking = true,
                "DSN" => found.dsn = true,
                "AUTH" => {
                    let offers = |mechanism: &str| words.clone().any(|word| word.eq_ignore_ascii_case(mechanism));
                    (found.auth_plain, found.auth_login) = (offers("PLAIN"), offers("LOGIN"));
                }
                "SIZE" => found.size = Some(words.next().and_then(|size| size.parse().ok()).unwrap_or(0)),
                _ => {}
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keywords() {
        let read = |lines: &[&str]| Capabilities::read(&Reply::new(250, lines.iter().copied()));
        // The first line is the server's name, whatever it looks like.
        assert_eq!(read(&["DSN"]), Capabilities::default());
        let all = read(&["mx.example", "pipelining", "CHUNKING", "DSN", "SIZE 1000", "AUTH LOGIN", "X-OWN 1"]);
        let expected = Capabilities {
            pipelining: true,
            chunking: true,
            dsn: true,
            size: Some(1000),
            auth_login: true,
            ..Capabilities::default()
        };
        assert_eq!(all, expected);
        assert_eq!(read(&["mx.example", "SIZE", "8BITMIME", "SMTPUTF8"]).size, Some(0));
    }
}
