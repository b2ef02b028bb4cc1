//! Domains, local parts and addresses, parsed once at the door.

use std::fmt;

/// A domain name: A-labels, lower case, no trailing dot. RFC 5321 §2.3.5; lengths are RFC 1035 §2.3.4.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Domain(String);

/// Why a text is not a domain.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a domain name: {why}")]
pub struct NotADomain {
    /// What was given.
    pub text: String,
    /// What is wrong with it.
    pub why: &'static str,
}

impl Domain {
    /// Reads a domain name in U-label or A-label form.
    ///
    /// # Errors
    /// Names what is wrong: empty label, forbidden character, too long, only one label.
    pub fn parse(text: &str) -> Result<Domain, NotADomain> {
        let fail = |why| NotADomain { text: text.to_owned(), why };
        let trimmed = text.strip_suffix('.').unwrap_or(text);
        if trimmed.is_empty() {
            return Err(fail("it is empty"));
        }
        let ascii = if trimmed.is_ascii() {
            trimmed.to_ascii_lowercase()
        } else {
            idna::domain_to_ascii(trimmed).map_err(|_| fail("it is not a valid internationalized name"))?
        };
        if ascii.len() > 253 {
            return Err(fail("it is longer than 253 characters"));
        }
        for label in ascii.split('.') {
            if label.is_empty() {
                return Err(fail("it has an empty label"));
            }
            if label.len() > 63 {
                return Err(fail("a label is longer than 63 characters"));
            }
            if label.starts_with('-') || label.ends_with('-') {
                return Err(fail("a label begins or ends with a hyphen"));
            }
            // Underscores occur in real return-path and DKIM names, so they pass.
            if !label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_') {
                return Err(fail("it has a character that no host name may have"));
            }
        }
        if !ascii.contains('.') {
            return Err(fail("it has only one label"));
        }
        if ascii.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
            return Err(fail("it is an IP address"));
        }
        Ok(Domain(ascii))
    }

    /// The name as text: A-labels, lower case.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for Domain {
    type Err = NotADomain;
    fn from_str(text: &str) -> Result<Domain, NotADomain> {
        Domain::parse(text)
    }
}

/// The part before the `@`, its case kept (RFC 5321 §2.4). ASCII or UTF-8 (RFC 6531).
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LocalPart(String);

impl LocalPart {
    /// The local part as written in an envelope, quotes included.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A mailbox: local part and domain.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Address {
    local: LocalPart,
    domain: Domain,
}

/// Why a text is not a mail address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is not a mail address: {why}")]
pub struct NotAnAddress {
    /// What was given.
    pub text: String,
    /// What is wrong with it.
    pub why: String,
}

impl Address {
    /// Reads `local@domain`, with a dot-string or a quoted string before the `@` (RFC 5321 §4.1.2).
    ///
    /// # Errors
    /// Names what is wrong.
    pub fn parse(text: &str) -> Result<Address, NotAnAddress> {
        let fail = |why: &str| NotAnAddress { text: text.to_owned(), why: why.to_owned() };
        let Some((local, domain)) = text.rsplit_once('@') else {
            return Err(fail("it has no @"));
        };
        check_local(local).map_err(fail)?;
        let domain = Domain::parse(domain).map_err(|e| fail(e.why))?;
        Ok(Address { local: LocalPart(local.to_owned()), domain })
    }

    /// Makes an address of parts known to be good, for addresses that we coin ourselves.
    ///
    /// # Errors
    /// When the local part has a character that no local part may have.
    pub fn from_parts(local: &str, domain: &Domain) -> Result<Address, NotAnAddress> {
        check_local(local).map_err(|why| NotAnAddress { text: format!("{local}@{domain}"), why: why.to_owned() })?;
        Ok(Address { local: LocalPart(local.to_owned()), domain: domain.clone() })
    }

    /// The local part.
    #[must_use]
    pub fn local(&self) -> &LocalPart {
        &self.local
    }

    /// The domain.
    #[must_use]
    pub fn domain(&self) -> &Domain {
        &self.domain
    }

    /// The form under which addresses are compared and suppressed: everything in lower case. In theory the local
    /// part's case matters (RFC 5321 §2.4); in practice two contacts that differ only in case are one person.
    #[must_use]
    pub fn normalized(&self) -> String {
        format!("{}@{}", self.local.0.to_lowercase(), self.domain)
    }

    /// Whether sending needs SMTPUTF8 (RFC 6531).
    #[must_use]
    pub fn needs_smtputf8(&self) -> bool {
        !self.local.0.is_ascii()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.local.0, self.domain)
    }
}

impl std::str::FromStr for Address {
    type Err = NotAnAddress;
    fn from_str(text: &str) -> Result<Address, NotAnAddress> {
        Address::parse(text)
    }
}

fn check_local(local: &str) -> Result<(), &'static str> {
    if local.is_empty() {
        return Err("nothing stands before the @");
    }
    if local.len() > 64 {
        return Err("the part before the @ is longer than 64 characters");
    }
    if let Some(inner) = local.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) {
        return check_quoted(inner);
    }
    if local.starts_with('.') || local.ends_with('.') || local.contains("..") {
        return Err("a dot stands at the wrong place before the @");
    }
    if !local.chars().all(is_atext_or_dot) {
        return Err("the part before the @ has a character that is not allowed there");
    }
    Ok(())
}

fn check_quoted(inner: &str) -> Result<(), &'static str> {
    let mut escaped = false;
    for c in inner.chars() {
        if c.is_control() {
            return Err("a control character stands before the @");
        }
        match (escaped, c) {
            (false, '"') => return Err("a quote stands unescaped before the @"),
            (false, '\\') => escaped = true,
            _ => escaped = false,
        }
    }
    if escaped { Err("the quoted part before the @ does not end") } else { Ok(()) }
}

/// `atext` of RFC 5322 §3.2.3, the dot, and UTF-8 (RFC 6531 §3.3).
fn is_atext_or_dot(c: char) -> bool {
    c.is_ascii_alphanumeric()
        || "!#$%&'*+-/=?^_`{|}~.".contains(c)
        || (!c.is_ascii() && !c.is_control() && !c.is_whitespace())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(text: &str, expected: Result<&str, &str>) {
        let found = Address::parse(text).map(|a| a.normalized()).map_err(|e| e.why);
        assert_eq!(found.as_deref().map_err(String::as_str), expected, "{text}");
    }

    #[test]
    fn addresses() {
        check("Ana@Example.COM", Ok("ana@example.com"));
        check("ana.b+tag@example.com.", Ok("ana.b+tag@example.com"));
        check("\"a b\"@example.com", Ok("\"a b\"@example.com"));
        check("josé@bücher.example", Ok("josé@xn--bcher-kva.example"));
        check("ana", Err("it has no @"));
        check("@example.com", Err("nothing stands before the @"));
        check("a..b@example.com", Err("a dot stands at the wrong place before the @"));
        check("a b@example.com", Err("the part before the @ has a character that is not allowed there"));
        check("a@b@example.com", Err("the part before the @ has a character that is not allowed there"));
        check("a@localhost", Err("it has only one label"));
        check("a@-x.example", Err("a label begins or ends with a hyphen"));
        check("a@x..example", Err("it has an empty label"));
        check("a@1.2.3.4", Err("it is an IP address"));
        check("a@exa mple.com", Err("it has a character that no host name may have"));
        check("a\r\nb@example.com", Err("the part before the @ has a character that is not allowed there"));
        check("\"a\r\nb\"@example.com", Err("a control character stands before the @"));
        check("\"a\\\"@example.com", Err("the quoted part before the @ does not end"));
    }

    proptest! {
        #[test]
        fn parsing_what_was_printed_gives_the_same(local in "[a-z0-9+]{1,20}", label in "[a-z0-9]{1,20}") {
            let address = Address::parse(&format!("{local}@{label}.example")).unwrap();
            prop_assert_eq!(Address::parse(&address.to_string()).unwrap(), address);
        }

        #[test]
        fn no_text_panics_and_none_carries_a_line_end(text in "\\PC*|.*") {
            if let Ok(address) = Address::parse(&text) {
                prop_assert!(!address.to_string().contains(['\r', '\n']));
            }
        }
    }
}
