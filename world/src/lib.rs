//! Everything that differs between two runs: clock, randomness, DNS, dialing.
//!
//! Traits and their real forms. The simulated ones live in `sandbox`. No other room reads the wall clock, draws a
//! random number or opens an outgoing socket.

mod clock;
mod dial;
mod dns;
mod dnssec;
mod fetch;
mod hickory;
mod post;
mod random;
mod validating;

pub use clock::{Clock, SystemClock};
pub use dial::{Dial, Stream, TcpDial};
pub use dns::{Dns, DnsError, MxRecord};
pub use dnssec::{Dnssec, NoProof, Proof, TlsaRecord};
pub use fetch::{Fetch, FetchError, Fetched, HttpsFetch};
pub use hickory::{DnsOptions, DnsSetupError, HickoryDns};
pub use post::{PostError, Posted, Poster, Reach};
pub use random::{Random, SystemRandom};
pub use validating::ValidatingDns;
