//! DKIM (RFC 6376, RFC 8463): keys and their rotation, signing, and every DNS record that a sending domain needs, with
//! what SPF and DMARC make of them and what the large mailbox providers demand.
//!
//! Pure: time, message and DNS answers are arguments; the only file touched is the master key's. Signing is our own
//! code over aws-lc-rs rather than mail-auth's: that one takes the time from the system's clock, hashes the body
//! once per key, and canonicalizes bodies that end in white-space lines wrongly. RSA signatures of several messages are made together
//! where the machine can; aws-lc-rs verifies each. mail-auth verifies in the tests, and
//! so does dkimpy as a second opinion.

#[cfg_attr(not(all(target_arch = "x86_64", target_os = "linux")), path = "batch/none.rs")]
mod batch;
mod batches;
mod canonical;
mod compare;
pub mod dmarc;
mod key;
mod records;
pub mod requirements;
pub mod rotation;
mod seal;
mod sign;
pub mod spf;

pub use compare::{Verdict, compare, judge_spf, sight};
pub use key::{Algorithm, Key, KeyError};
pub use records::{
    DnsRecord, DomainSetup, Need, PublishedKey, Purpose, RecordKind, ReportMailboxes, link_record, records,
    source_records,
};
pub use seal::{MasterKey, MasterKeyError, OpenError};
pub use sign::{SignError, Signer, SigningKey, Unsigned, sign_all};
