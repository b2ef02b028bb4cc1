//! Everything that reads what strangers send, with bytes that nobody thought of. Most targets hold more than "does not
//! panic": what is read whole and what is read in pieces must be the same.
//!
//! A target is one line in `TARGETS` and a folder of the same name in `seeds`. Readers of `mta` are taken in by their
//! files, so that no database is compiled for them.
#![no_main]

mod inbound;
mod letter;
mod pieces;
mod returned;
mod smtp;
mod submission;

use std::sync::LazyLock;

/// By name: what is done with some bytes.
const TARGETS: &[(&str, fn(&[u8]))] = &[
    ("reply", smtp::replies),
    ("command", submission::commands),
    ("content", submission::content),
    ("dots", submission::dots),
    ("inbound", inbound::session),
    ("letter", letter::normalized),
    ("dsn", returned::reports),
    ("arf", returned::complaints),
    ("dmarc", returned::dmarc),
    ("tls_report", returned::tls_reports),
    ("verp", returned::return_paths),
];

/// The one that `FUZZ_TARGET` names.
static TARGET: LazyLock<fn(&[u8])> = LazyLock::new(|| {
    let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
    let found = TARGETS.iter().find(|(target, _)| *target == name);
    found.unwrap_or_else(|| panic!("FUZZ_TARGET is {name:?}, and there is no such target")).1
});

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| TARGET(bytes));
