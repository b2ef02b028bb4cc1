//! DNS questions whose answers only count when they are proven (RFC 4033): what DANE needs (RFC 7672 §2.1).
//!
//! Apart from `Dns`, so that validation, with its many questions per name, is paid for only where it decides something.

use futures_util::future::BoxFuture;

/// What DNSSEC says of an answer (RFC 4035 §4.3). That there is no answer at all is an error, never one of these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// A chain of signatures leads to it.
    Secure,
    /// It provably lies in an unsigned zone.
    Insecure,
    /// It should be signed and is not, or not well: an attack or a mistake, which look the same from here.
    Bogus,
}

/// One TLSA record as published (RFC 6698 §2.1); numbers that nobody knows are kept as they are.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TlsaRecord {
    /// Certificate usage: 2 is DANE-TA, 3 DANE-EE (RFC 7218).
    pub usage: u8,
    /// Selector: 0 the whole certificate, 1 its public key.
    pub selector: u8,
    /// Matching type: 0 in full, 1 SHA-256, 2 SHA-512.
    pub matching: u8,
    /// What has to match.
    pub data: Vec<u8>,
}

/// No server answered usefully; worth trying again.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no validated answer about {name}: {why}")]
pub struct NoProof {
    /// The name asked for.
    pub name: String,
    /// What the resolver said.
    pub why: String,
}

/// Asks the DNS and validates. "No such name" and "no such record" are answers: proven or not.
pub trait Dnssec: Send + Sync + 'static {
    /// TLSA records of a name, with what they are worth; empty when there are none.
    fn tlsa<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(Proof, Vec<TlsaRecord>), NoProof>>;
    /// What the MX records of a name, or their absence, are worth.
    fn mx_proof<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Proof, NoProof>>;
    /// What the addresses of a name are worth; the worse of its A and AAAA records, since either may be used.
    fn address_proof<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Proof, NoProof>>;
}
