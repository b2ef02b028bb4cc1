//! A DKIM verifier of its own (RFC 6376, RFC 8463), so that what our signer makes is judged by other code.
//!
//! It canonicalizes, hashes and compares by itself; only the primitives (SHA-256, RSA, Ed25519) are a library's.
//! Every signature of a message is checked, and each verdict names what is wrong.

mod canon;
mod message;
mod tags;

pub use message::header;

use aws_lc_rs::{digest, signature};
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use canon::Canon;
use message::Message;
use std::fmt;
use tags::{KeyRecord, SignatureTags};

/// A signature algorithm of DKIM.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// `rsa-sha256` (RFC 6376 §3.3.2).
    RsaSha256,
    /// `ed25519-sha256` (RFC 8463 §3).
    Ed25519Sha256,
}

/// One signature of a message and what became of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checked {
    /// `d=`, as far as it could be read.
    pub domain: String,
    /// `s=`, as far as it could be read.
    pub selector: String,
    /// `a=`, where it is one that we know.
    pub algorithm: Option<Algorithm>,
    /// The verdict.
    pub result: Result<(), Fault>,
}

/// Why a signature does not hold.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The header cannot be read as a tag list, or a tag has a value that is not allowed.
    #[error("the signature is malformed: {0}")]
    Malformed(String),
    /// `a=` or `c=` names something that we do not know.
    #[error("{0} is not supported")]
    Unsupported(String),
    /// `x=` is past.
    #[error("it has expired")]
    Expired,
    /// There is no TXT record with a key.
    #[error("there is no key at {0}")]
    NoKey(String),
    /// The key record cannot be used for this signature.
    #[error("the key cannot be used: {0}")]
    BadKey(String),
    /// `bh=` is not the body's hash.
    #[error("the body has changed")]
    BodyHash,
    /// `b=` is not a signature of the headers by the key.
    #[error("the signed headers have changed, or another key signed")]
    Signature,
}

impl fmt::Display for Checked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "signature of {} ({}): ", self.domain, self.selector)?;
        match &self.result {
            Ok(()) => f.write_str("holds"),
            Err(fault) => write!(f, "{fault}"),
        }
    }
}

/// Checks every DKIM-Signature of `message`, in the order of the headers. `txt` gives the TXT records of a name;
/// `now_s` is the time in seconds since 1970 for `x=`, which is passed over without it.
#[must_use]
pub fn verify(message: &[u8], now_s: Option<u64>, txt: impl Fn(&str) -> Vec<String>) -> Vec<Checked> {
    let message = Message::parse(message);
    let signatures = message.headers.iter().enumerate().filter(|(_, header)| header.is("DKIM-Signature"));
    signatures.map(|(index, header)| check_one(&message, index, header.value, now_s, &txt)).collect()
}

fn check_one(
    message: &Message<'_>,
    index: usize,
    value: &[u8],
    now_s: Option<u64>,
    txt: &impl Fn(&str) -> Vec<String>,
) -> Checked {
    match SignatureTags::parse(value) {
        Err(fault) => Checked { domain: String::new(), selector: String::new(), algorithm: None, result: Err(fault) },
        Ok(tags) => {
            let result = check_tags(message, index, &tags, now_s, txt);
            Checked { domain: tags.domain, selector: tags.selector, algorithm: Some(tags.algorithm), result }
        }
    }
}

fn check_tags(
    message: &Message<'_>,
    index: usize,
    tags: &SignatureTags,
    now_s: Option<u64>,
    txt: &impl Fn(&str) -> Vec<String>,
) -> Result<(), Fault> {
    if let (Some(expires), Some(now)) = (tags.expires_s, now_s)
        && expires <= now
    {
        return Err(Fault::Expired);
    }
    let key = find_key(tags, txt)?;
    let mut body = canon::body(message.body, tags.body_canon);
    if let Some(length) = tags.body_length {
        // RFC 6376 §3.5: a length beyond the body's is an error of the signer.
        if length > body.len() {
            return Err(Fault::Malformed("l= is longer than the body".to_owned()));
        }
        body.truncate(length);
    }
    if digest::digest(&digest::SHA256, &body).as_ref() != tags.body_hash {
        return Err(Fault::BodyHash);
    }
    let signed = signed_headers(message, index, tags);
    if key.verifies(&signed, &tags.signature) { Ok(()) } else { Err(Fault::Signature) }
}

/// The canonical headers that `h=` names, then the signature's own without its value (RFC 6376 §3.7).
fn signed_headers(message: &Message<'_>, index: usize, tags: &SignatureTags) -> Vec<u8> {
    let mut out = Vec::with_capacity(2048);
    let mut used = vec![false; message.headers.len()];
    for name in &tags.headers {
        // From the bottom up; a name beyond the last header of that name signs its absence (RFC 6376 §5.4.2).
        let found = (0..message.headers.len()).rev().find(|i| !used[*i] && message.headers[*i].is(name));
        if let Some(found) = found {
            used[found] = true;
            canon::header(&message.headers[found], tags.header_canon, &mut out);
            out.extend_from_slice(b"\r\n");
        }
    }
    let own = &message.headers[index];
    let emptied = tags::without_signature(own.value);
    canon::header(&message::Header { name: own.name, value: &emptied }, tags.header_canon, &mut out);
    out
}

struct Key {
    algorithm: Algorithm,
    bytes: Vec<u8>,
}

impl Key {
    fn verifies(&self, data: &[u8], signed: &[u8]) -> bool {
        match self.algorithm {
            // 1024 bits are the least that a verifier may take (RFC 8301 §3.2).
            Algorithm::RsaSha256 => signature::UnparsedPublicKey::new(
                &signature::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY,
                &self.bytes,
            )
            .verify(data, signed)
            .is_ok(),
            // Ed25519 signs the hash, not the data (RFC 8463 §3).
            Algorithm::Ed25519Sha256 => {
                let hash = digest::digest(&digest::SHA256, data);
                signature::UnparsedPublicKey::new(&signature::ED25519, &self.bytes)
                    .verify(hash.as_ref(), signed)
                    .is_ok()
            }
        }
    }
}

fn find_key(tags: &SignatureTags, txt: &impl Fn(&str) -> Vec<String>) -> Result<Key, Fault> {
    let name = format!("{}._domainkey.{}", tags.selector, tags.domain);
    let mut fault = Fault::NoKey(name.clone());
    for text in txt(&name) {
        match KeyRecord::parse(&text).and_then(|record| record.usable_for(tags)) {
            Ok(bytes) => return Ok(Key { algorithm: tags.algorithm, bytes }),
            Err(found) => fault = found,
        }
    }
    Err(fault)
}

fn decode(text: &str) -> Option<Vec<u8>> {
    let packed: String = text.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    BASE64.decode(packed).ok()
}

impl Canon {
    fn parse(name: &str) -> Result<Canon, Fault> {
        match name {
            "simple" => Ok(Canon::Simple),
            "relaxed" => Ok(Canon::Relaxed),
            other => Err(Fault::Unsupported(format!("canonicalization {other:?}"))),
        }
    }
}
