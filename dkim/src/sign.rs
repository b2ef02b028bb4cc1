//! Signing: each message gets one signature per key, relaxed/relaxed, with the headers that matter over-signed.
//!
//! The body is canonicalized and hashed once, the headers once; a signature then costs little more than its private
//! key operation. Over-signing (RFC 6376 §8.15) names a header once more than it occurs, so that nobody can add
//! another From, Subject or List-Unsubscribe without breaking the signature.

use crate::batches;
use crate::canonical::{Field, relaxed_body, relaxed_field, split};
use crate::key::{Algorithm, Key};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mail::Domain;
use std::sync::Arc;

/// Headers named once more than they occur, in the order in which they are named.
const OVER_SIGNED: [&str; 16] = [
    "From",
    "To",
    "Cc",
    "Reply-To",
    "Subject",
    "Date",
    "Message-ID",
    "Content-Type",
    "List-Id",
    // RFC 8058 §4: the signature must cover both.
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
    "List-Help",
    "List-Owner",
    "List-Post",
    "List-Subscribe",
    "List-Archive",
];

/// Headers named as often as they occur: relays may rightly add one (RFC 6376 §5.4.1).
const SIGNED: [&str; 8] = [
    "Sender",
    "In-Reply-To",
    "References",
    "MIME-Version",
    "Content-Transfer-Encoding",
    "Feedback-ID",
    // RFC 9477 §3.1.4: the signature must cover both.
    "CFBL-Address",
    "CFBL-Feedback-ID",
];

/// A key and the selector under which its public part is published.
#[derive(Clone, Debug)]
pub struct SigningKey {
    /// The label before `._domainkey`.
    pub selector: String,
    /// The key.
    pub key: Arc<Key>,
}

/// Why there is no signature.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// A selector is no part of a domain name.
    #[error("the selector {selector:?} cannot stand in a domain name")]
    Selector {
        /// What was given.
        selector: String,
    },
    /// No key was given.
    #[error("{domain} has no key to sign with")]
    NoKey {
        /// The domain.
        domain: String,
    },
    /// RFC 6376 §5.4: From must be signed.
    #[error("the message has no From header")]
    NoFrom,
    /// The crypto library failed.
    #[error("signing for {domain} failed")]
    Crypto {
        /// The domain.
        domain: String,
    },
}

/// Signs for one domain.
#[derive(Debug)]
pub struct Signer {
    domain: Domain,
    keys: Vec<Prepared>,
}

/// A key with the part of its header that never changes.
#[derive(Clone, Debug)]
struct Prepared {
    key: Arc<Key>,
    head: String,
}

impl Signer {
    /// Prepares signing with all of `keys`, in their order.
    ///
    /// # Errors
    /// When there is no key or a selector is wrong.
    pub fn new(domain: &Domain, keys: impl IntoIterator<Item = SigningKey>) -> Result<Signer, SignError> {
        let prepare = |SigningKey { selector, key }: SigningKey| {
            if Domain::parse(&format!("{selector}._domainkey.{domain}")).is_err() {
                return Err(SignError::Selector { selector });
            }
            let algorithm = key.algorithm();
            let head = format!(" v=1; a={algorithm}; c=relaxed/relaxed; d={domain};\r\n\ts={selector}; t=");
            Ok(Prepared { key, head })
        };
        let keys: Vec<Prepared> = keys.into_iter().map(prepare).collect::<Result<_, _>>()?;
        if keys.is_empty() {
            return Err(SignError::NoKey { domain: domain.to_string() });
        }
        Ok(Signer { domain: domain.clone(), keys })
    }

    /// The same with the keys of one algorithm; `None` where there are none.
    #[must_use]
    pub fn only(&self, algorithm: Algorithm) -> Option<Signer> {
        let keys: Vec<Prepared> = self.keys.iter().filter(|key| key.key.algorithm() == algorithm).cloned().collect();
        (!keys.is_empty()).then(|| Signer { domain: self.domain.clone(), keys })
    }

    /// The domain that it signs for.
    #[must_use]
    pub fn domain(&self) -> &Domain {
        &self.domain
    }

    /// The DKIM-Signature headers of `message` (CRLF line ends), to be put before it. `at_ms` is the time of signing.
    ///
    /// # Errors
    /// When the message has no From, or the crypto library fails.
    pub fn sign(&self, message: &[u8], at_ms: i64) -> Result<Vec<u8>, SignError> {
        let unsigned = self.prepare(message, at_ms)?;
        let signatures = unsigned.inputs().map(|(key, input)| key.sign(input)).collect();
        unsigned.finish(signatures)
    }

    /// All that comes before the private key operation: `sign_all` does those of several messages together, which is
    /// cheaper.
    ///
    /// # Errors
    /// When the message has no From.
    pub fn prepare(&self, message: &[u8], at_ms: i64) -> Result<Unsigned, SignError> {
        let (fields, body) = split(message);
        let (names, headers) = canonical_headers(&fields)?;
        let names = folded_names(&names);
        let body_hash = body_hash(body);
        let part = |prepared: &Prepared| {
            // RFC 6376 §3.7: the signature's own header is hashed last, with an empty b= and without CRLF.
            let value =
                format!("{}{};\r\n\th={names};\r\n\tbh={body_hash};\r\n\tb=", prepared.head, at_ms.div_euclid(1000));
            let mut input = headers.clone();
            relaxed_field(b"DKIM-Signature", value.as_bytes(), &mut input);
            Part { key: prepared.key.clone(), value, input }
        };
        Ok(Unsigned { domain: self.domain.clone(), parts: self.keys.iter().map(part).collect() })
    }
}

/// A message's signatures but for their values.
#[derive(Debug)]
pub struct Unsigned {
    domain: Domain,
    parts: Vec<Part>,
}

/// One signature to be.
#[derive(Debug)]
struct Part {
    key: Arc<Key>,
    value: String,
    input: Vec<u8>,
}

impl Unsigned {
    fn inputs(&self) -> impl Iterator<Item = (&Key, &[u8])> {
        self.parts.iter().map(|part| (&*part.key, &part.input[..]))
    }

    fn finish(&self, signatures: Vec<Option<Vec<u8>>>) -> Result<Vec<u8>, SignError> {
        let mut out = Vec::with_capacity(self.parts.len() * 900);
        for (part, signature) in self.parts.iter().zip(signatures) {
            let signature = signature.ok_or_else(|| SignError::Crypto { domain: self.domain.to_string() })?;
            out.extend_from_slice(b"DKIM-Signature:");
            out.extend_from_slice(part.value.as_bytes());
            fold_base64(&STANDARD.encode(signature), &mut out);
            out.extend_from_slice(b"\r\n");
        }
        Ok(out)
    }
}

/// The DKIM-Signature headers of several messages, of each in its place.
#[must_use]
pub fn sign_all(messages: &[&Unsigned]) -> Vec<Result<Vec<u8>, SignError>> {
    let inputs: Vec<_> = messages.iter().flat_map(|message| message.inputs()).collect();
    let mut signatures = batches::sign_all(&inputs).into_iter();
    messages.iter().map(|message| message.finish(signatures.by_ref().take(message.parts.len()).collect())).collect()
}

/// The names for `h=` and the canonical headers that they stand for, each with its CRLF. A name that occurs again
/// means the next instance upwards from the bottom; beyond the last one it means "none" (RFC 6376 §5.4.2).
fn canonical_headers(fields: &[Field<'_>]) -> Result<(Vec<&'static str>, Vec<u8>), SignError> {
    let mut names = Vec::with_capacity(40);
    let mut input = Vec::with_capacity(2048);
    for (name, once_more) in
        OVER_SIGNED.iter().map(|name| (*name, true)).chain(SIGNED.iter().map(|name| (*name, false)))
    {
        let instances = fields.iter().rev().filter(|field| field.name.eq_ignore_ascii_case(name.as_bytes()));
        let before = names.len();
        for field in instances {
            names.push(name);
            relaxed_field(field.name, field.value, &mut input);
            input.extend_from_slice(b"\r\n");
        }
        if name == "From" && names.len() == before {
            return Err(SignError::NoFrom);
        }
        if once_more {
            names.push(name);
        }
    }
    Ok((names, input))
}

/// Joins names with colons, folded so that no line grows long (RFC 6376 §3.5 allows white space around the colons).
fn folded_names(names: &[&str]) -> String {
    let mut out = String::with_capacity(names.len() * 14);
    let mut column = 3;
    for (number, name) in names.iter().enumerate() {
        if number > 0 {
            out.push(':');
            if column + name.len() > 74 {
                out.push_str("\r\n\t ");
                column = 2;
            }
        }
        out.push_str(name);
        column += name.len() + 1;
    }
    out
}

fn body_hash(body: &[u8]) -> String {
    STANDARD.encode(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, &relaxed_body(body)))
}

fn fold_base64(text: &str, out: &mut Vec<u8>) {
    for (number, part) in text.as_bytes().chunks(72).enumerate() {
        if number > 0 {
            out.extend_from_slice(b"\r\n\t");
        }
        out.extend_from_slice(part);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_over_signed() {
        let (fields, _) = split(b"From: a\r\nReceived: x\r\nsubject: 1\r\nSubject: 2\r\nSender: s\r\n\r\n");
        let (names, input) = canonical_headers(&fields).unwrap();
        let count = |name| names.iter().filter(|found| **found == name).count();
        assert_eq!((count("From"), count("Subject"), count("Sender"), count("Received")), (2, 3, 1, 0));
        assert_eq!((count("List-Unsubscribe"), count("In-Reply-To")), (1, 0));
        // The lower instance comes first.
        assert_eq!(String::from_utf8(input).unwrap(), "from:a\r\nsubject:2\r\nsubject:1\r\nsender:s\r\n");
    }

    #[test]
    fn refusals() {
        let domain = Domain::parse("example.com").unwrap();
        let key = Arc::new(Key::generate_ed25519().unwrap());
        let new = |selector: &str| Signer::new(&domain, [SigningKey { selector: selector.into(), key: key.clone() }]);
        assert!(matches!(new("a b"), Err(SignError::Selector { .. })));
        assert!(matches!(new(""), Err(SignError::Selector { .. })));
        assert!(matches!(Signer::new(&domain, []), Err(SignError::NoKey { .. })));
        assert!(matches!(new("s1").unwrap().sign(b"To: a\r\n\r\n", 0), Err(SignError::NoFrom)));
    }

    #[test]
    fn lines_stay_short() {
        let domain = Domain::parse("example.com").unwrap();
        let key = Arc::new(Key::generate_rsa().unwrap());
        let signer = Signer::new(&domain, [SigningKey { selector: "s1".into(), key }]).unwrap();
        let header = String::from_utf8(signer.sign(b"From: a\r\n\r\nx", 1_700_000_000_000).unwrap()).unwrap();
        assert!(header.lines().all(|line| line.len() <= 78), "{header}");
        assert!(header.contains("t=1700000000;"));
        assert!(header.ends_with("\r\n") && !header.contains("\r\n\r\n"));
    }

    /// RFC 8463 appendix A: Ed25519 is deterministic, so that the RFC's own signature must come out.
    #[test]
    fn rfc_8463_example() {
        let seed = STANDARD.decode("nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=").unwrap();
        let pkcs8 = [&[0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20][..], &seed].concat();
        let key = Key::from_pkcs8(&pkcs8).unwrap();
        assert_eq!(key.public_base64(), "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=");
        let message = b"From: Joe SixPack <joe@football.example.com>\r\n\
            To: Suzie Q <suzie@shopping.example.net>\r\n\
            Subject: Is dinner ready?\r\n\
            Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)\r\n\
            Message-ID: <20030712040037.46341.5F8J@football.example.com>\r\n\r\n\
            Hi.\r\n\r\nWe lost the game.  Are you hungry yet?\r\n\r\nJoe.\r\n";
        let (fields, body) = split(message);
        assert_eq!(body_hash(body), "2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=");
        let mut input = Vec::new();
        // Its h= names from, subject and date once more at the end, where nothing is left.
        for field in &fields {
            relaxed_field(field.name, field.value, &mut input);
            input.extend_from_slice(b"\r\n");
        }
        let value = " v=1; a=ed25519-sha256; c=relaxed/relaxed;\r\n d=football.example.com; i=@football.example.com;\r\n \
            q=dns/txt; s=brisbane; t=1528637909; h=from : to :\r\n subject : date : message-id : from : subject : date;\r\n \
            bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;\r\n b=";
        relaxed_field(b"DKIM-Signature", value.as_bytes(), &mut input);
        assert_eq!(
            STANDARD.encode(key.sign(&input).unwrap()),
            "/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11BusFa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw=="
        );
    }
}
