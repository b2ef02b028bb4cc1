//! Tag lists: the signature header and the key record (RFC 6376 §3.2, §3.5, §3.6.1).

use super::canon::Canon;
use super::{Algorithm, Fault, decode};
use std::collections::HashMap;

/// What a DKIM-Signature says.
#[derive(Debug)]
pub(super) struct SignatureTags {
    pub algorithm: Algorithm,
    pub domain: String,
    pub selector: String,
    pub headers: Vec<String>,
    pub header_canon: Canon,
    pub body_canon: Canon,
    pub body_length: Option<usize>,
    pub body_hash: Vec<u8>,
    pub signature: Vec<u8>,
    pub expires_s: Option<u64>,
    /// The domain part of `i=`.
    pub identity_domain: String,
}

impl SignatureTags {
    pub fn parse(value: &[u8]) -> Result<SignatureTags, Fault> {
        let text = std::str::from_utf8(value).map_err(|_| malformed("it is not UTF-8"))?;
        let tags = tag_list(text)?;
        let need = |name: &'static str| {
            tags.get(name).map(String::as_str).ok_or_else(|| malformed(&format!("{name}= is missing")))
        };
        if need("v")? != "1" {
            return Err(malformed("v= is not 1"));
        }
        let algorithm = match need("a")? {
            "rsa-sha256" => Algorithm::RsaSha256,
            "ed25519-sha256" => Algorithm::Ed25519Sha256,
            other => return Err(Fault::Unsupported(format!("algorithm {other:?}"))),
        };
        let (header_canon, body_canon) = canons(tags.get("c").map_or("simple/simple", String::as_str))?;
        let domain = need("d")?.to_ascii_lowercase();
        let headers: Vec<String> = need("h")?.split(':').map(|name| name.trim().to_owned()).collect();
        // RFC 6376 §5.4: From must be signed.
        if !headers.iter().any(|name| name.eq_ignore_ascii_case("from")) {
            return Err(malformed("h= does not have From"));
        }
        let binary = |name| decode(need(name)?).ok_or_else(|| malformed(&format!("{name}= is not base64")));
        Ok(SignatureTags {
            algorithm,
            selector: need("s")?.to_owned(),
            headers,
            header_canon,
            body_canon,
            body_length: number(&tags, "l")?,
            body_hash: binary("bh")?,
            signature: binary("b")?,
            expires_s: expiry(&tags)?,
            identity_domain: identity(&tags, &domain)?,
            domain,
        })
    }
}

/// `x=`, which must be after `t=` (RFC 6376 §3.5).
fn expiry(tags: &HashMap<String, String>) -> Result<Option<u64>, Fault> {
    let (signed, expires): (Option<u64>, Option<u64>) = (number(tags, "t")?, number(tags, "x")?);
    match (signed, expires) {
        (Some(signed), Some(expires)) if expires <= signed => Err(malformed("x= is not after t=")),
        _ => Ok(expires),
    }
}

/// The domain of `i=`: that of `d=` or one below it (RFC 6376 §3.5).
fn identity(tags: &HashMap<String, String>, domain: &str) -> Result<String, Fault> {
    let Some(identity) = tags.get("i") else { return Ok(domain.to_owned()) };
    let (_, of) = identity.rsplit_once('@').ok_or_else(|| malformed("i= has no @"))?;
    let of = of.to_ascii_lowercase();
    let below = of.strip_suffix(domain).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    if below { Ok(of) } else { Err(malformed("i= is not in the domain of d=")) }
}

fn canons(text: &str) -> Result<(Canon, Canon), Fault> {
    let (header, body) = text.split_once('/').unwrap_or((text, "simple"));
    Ok((Canon::parse(header)?, Canon::parse(body)?))
}

fn number<T: std::str::FromStr>(tags: &HashMap<String, String>, name: &str) -> Result<Option<T>, Fault> {
    let Some(text) = tags.get(name) else { return Ok(None) };
    text.parse().map(Some).map_err(|_| malformed(&format!("{name}= is not a number")))
}

/// A DNS key record.
#[derive(Debug)]
pub(super) struct KeyRecord {
    tags: HashMap<String, String>,
}

impl KeyRecord {
    pub fn parse(text: &str) -> Result<KeyRecord, Fault> {
        let tags = tag_list(text).map_err(|_| bad("its record is not a tag list"))?;
        if tags.get("v").is_some_and(|version| version != "DKIM1") {
            return Err(bad("v= is not DKIM1"));
        }
        Ok(KeyRecord { tags })
    }

    /// The key's bytes, when the record allows this signature.
    pub fn usable_for(&self, signature: &SignatureTags) -> Result<Vec<u8>, Fault> {
        let tag = |name: &str| self.tags.get(name).map(String::as_str);
        let wanted = match signature.algorithm {
            Algorithm::RsaSha256 => "rsa",
            Algorithm::Ed25519Sha256 => "ed25519",
        };
        if tag("k").unwrap_or("rsa") != wanted {
            return Err(bad("k= is another algorithm"));
        }
        if tag("h").is_some_and(|hashes| !hashes.split(':').any(|hash| hash.trim() == "sha256")) {
            return Err(bad("h= does not allow sha256"));
        }
        if tag("s").is_some_and(|services| !services.split(':').any(|s| matches!(s.trim(), "*" | "email"))) {
            return Err(bad("s= is not for mail"));
        }
        let strict = tag("t").is_some_and(|flags| flags.split(':').any(|flag| flag.trim() == "s"));
        if strict && signature.identity_domain != signature.domain {
            return Err(bad("t=s forbids an identity in a domain below"));
        }
        match tag("p") {
            None => Err(bad("p= is missing")),
            Some("") => Err(bad("it is revoked")),
            Some(key) => decode(key).ok_or_else(|| bad("p= is not base64")),
        }
    }
}

/// `name=value` separated by semicolons, folding space taken out at the ends; in `b=`, `bh=`, `p=` the decoder takes
/// the rest of it out. A repeated tag makes the list invalid.
fn tag_list(text: &str) -> Result<HashMap<String, String>, Fault> {
    let mut tags = HashMap::new();
    for part in text.split(';') {
        let part = part.trim();
        if part.is_empty() {
            continue;
        }
        let (name, value) = part.split_once('=').ok_or_else(|| malformed("a tag has no ="))?;
        if tags.insert(name.trim().to_owned(), value.trim().to_owned()).is_some() {
            return Err(malformed("a tag occurs twice"));
        }
    }
    Ok(tags)
}

/// The header's value with that of `b=` taken out, every other byte as it is (RFC 6376 §3.7).
pub(super) fn without_signature(value: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(value.len());
    for (n, part) in value.split(|byte| *byte == b';').enumerate() {
        if n > 0 {
            out.push(b';');
        }
        let equals = part.iter().position(|byte| *byte == b'=');
        match equals {
            Some(at) if part[..at].trim_ascii() == b"b" => out.extend_from_slice(&part[..=at]),
            _ => out.extend_from_slice(part),
        }
    }
    out
}

fn malformed(why: &str) -> Fault {
    Fault::Malformed(why.to_owned())
}

fn bad(why: &str) -> Fault {
    Fault::BadKey(why.to_owned())
}
