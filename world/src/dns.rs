//! DNS questions of a mail sender. `hickory` answers them.
//!
//! Only the questions are here; what an answer means for delivery (null MX, implicit MX, order) is decided in
//! `mta::site`.

use futures_util::future::BoxFuture;
use std::net::IpAddr;

/// One MX record. `host` is lower case without trailing dot; empty for the null MX (RFC 7505).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MxRecord {
    /// Lower is tried first (RFC 5321 §5.1).
    pub preference: u16,
    /// The mail exchanger's name.
    pub host: String,
}

/// Why there is no answer. "No such record" is an answer (an empty list), not an error.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DnsError {
    /// NXDOMAIN: the name does not exist.
    #[error("{name} does not exist")]
    NoSuchName {
        /// The name asked for.
        name: String,
    },
    /// No server answered usefully; worth trying again.
    #[error("no answer about {name}: {why}")]
    Temporary {
        /// The name asked for.
        name: String,
        /// What the resolver said.
        why: String,
    },
}

/// Asks the DNS. Implementations cache, negative answers too (RFC 2308).
pub trait Dns: Send + Sync + 'static {
    /// MX records, unordered; empty when there are none. CNAMEs are followed.
    fn mx<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<MxRecord>, DnsError>>;
    /// A and AAAA records; empty when there are none.
    fn addresses<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<IpAddr>, DnsError>>;
    /// TXT records, the strings of each joined.
    fn txt<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Vec<String>, DnsError>>;
    /// PTR names of an address.
    fn ptr(&self, ip: IpAddr) -> BoxFuture<'_, Result<Vec<String>, DnsError>>;
}
