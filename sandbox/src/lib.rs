//! A simulated internet of mailbox providers: for tests (in memory, one seed, simulated time), for the demo and for
//! benchmarks (on loopback sockets).
//!
//! Providers are data (`manners`), what an address is follows from the address (`mailbox`), the server's side of SMTP
//! is written once (`session`) and used over pipes (`sim`) and sockets (`internet`). The `ledger` is the witness. A
//! `fault` stands in the line between. The
//! `application` is on the other side: it submits mail.

mod addresses;
mod application;
mod authority;
pub mod dkim_verify;
mod dns_server;
mod fault;
mod flood;
mod hash;
mod host;
mod internet;
mod ledger;
mod mailbox;
mod manners;
mod relay;
mod report;
mod session;
mod sim;
mod web;
mod zone;

pub use addresses::{Expected, Person};
pub use application::Application;
pub use fault::{BadLine, Fault, Harm, Moment, Way, interpose};
pub use flood::Flood;
pub use host::CertificateError;
pub use internet::{Internet, Options, Running, StartError};
pub use ledger::{Attempt, DkimCheck, Ledger, LedgerOptions, ProviderSummary, Received};
pub use mailbox::Mailbox;
pub use manners::{
    BlockStage, Certificate, Cut, Door, Manners, Mood, MxHost, OddAnswer, Oddity, Provider, Providers, ProvidersError,
    Step, Storm, Tls,
};
pub use relay::{Relay, RelayManners, Relayed};
pub use sim::{Incoming, SeededRandom, SimClock, SimDial, SimDns, SimOptions, SimWorld, holding_time};
pub use web::{Posted, SimWeb};
pub use zone::{Answer, Kind, Record, Zone, reverse};
