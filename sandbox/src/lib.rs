//! A simulated internet of mailbox providers: for tests (in memory, one seed, simulated time), for the demo and for
//! benchmarks (on loopback sockets).
//!
//! Providers are data (`manners`), what an address is follows from the address (`mailbox`), the server's side of SMTP
//! is written once (`session`) and used over pipes (`sim`) and sockets (`internet`). The `ledger` is the witness.

mod addresses;
pub mod dkim_verify;
mod dns_server;
mod hash;
mod host;
mod internet;
mod ledger;
mod mailbox;
mod manners;
mod report;
mod session;
mod sim;
mod zone;

pub use addresses::{Expected, Person};
pub use host::CertificateError;
pub use internet::{Internet, Options, Running, StartError};
pub use ledger::{Attempt, DkimCheck, Ledger, LedgerOptions, ProviderSummary, Received};
pub use mailbox::Mailbox;
pub use manners::{
    BlockStage, Cut, Door, Manners, Mood, MxHost, OddAnswer, Oddity, Provider, Providers, ProvidersError, Step, Storm,
    Tls,
};
pub use sim::{Incoming, SeededRandom, SimClock, SimDial, SimDns, SimOptions, SimWorld, holding_time};
pub use zone::{Answer, Kind, Record, Zone, reverse};
