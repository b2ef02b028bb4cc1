//! Everything that differs between two runs: clock, randomness, DNS, dialing.
//!
//! Traits and their real forms. The simulated ones live in `sandbox`. No other room reads the wall clock, draws a
//! random number or opens an outgoing socket.

mod clock;
mod dial;
mod dns;
mod hickory;
mod random;

pub use clock::{Clock, SystemClock};
pub use dial::{Dial, Stream, TcpDial};
pub use dns::{Dns, DnsError, MxRecord};
pub use hickory::{DnsOptions, DnsSetupError, HickoryDns};
pub use random::{Random, SystemRandom};
