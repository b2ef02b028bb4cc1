//! What is asked of TLS with other servers, and what came of it.
//!
//! `sts` and `dane` read what domains publish, `decide` says who goes before whom, `trust` judges certificates; all of
//! that is pure. `store` fetches and keeps MTA-STS policies, `policies` puts it to work around each connection,
//! `outcomes`, `rpt` and `reporting` tell domains how their policies fared, `look` tells people.
//!
//! RFC 8461 (MTA-STS), 7672, 7671 and 6698 (DANE), 8460 (TLS reports), 7435, 3207.

pub mod dane;
pub mod decide;
pub mod look;
mod outcomes;
mod policies;
pub(crate) mod reporting;
pub mod rpt;
mod store;
pub mod sts;
pub mod trust;

pub(crate) use policies::{Policies, Try};
pub use policies::{SiteTls, TlsParts};
