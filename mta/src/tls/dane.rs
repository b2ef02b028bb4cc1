//! DANE for SMTP (RFC 7672, RFC 6698, RFC 7671): which TLSA records can be used, and whether a server's certificates
//! match one. Pure; the DNS that brings the records is asked in `policies`.

use super::trust::{Failure, Trust, trusted};
use aws_lc_rs::digest::{SHA256, SHA512, digest};
use rustls::pki_types::CertificateDer;
use rustls::server::ParsedCertificate;
use std::fmt::Write as _;
use world::TlsaRecord;

/// Where the records of a host's mail server are (RFC 7672 §2.2.3). The port is always that of mail between servers.
#[must_use]
pub fn tlsa_name(host: &str) -> String {
    format!("_25._tcp.{host}")
}

const DANE_TA: u8 = 2;
const DANE_EE: u8 = 3;
const WHOLE: u8 = 0;
const KEY: u8 = 1;
const EXACT: u8 = 0;
const SHA_256: u8 = 1;
const SHA_512: u8 = 2;

/// Whether a record says something that a mail client can check. Usages 0 and 1 are not for SMTP (RFC 7672 §3.1.3).
#[must_use]
pub fn is_usable(record: &TlsaRecord) -> bool {
    let data_fits = match record.matching {
        EXACT => !record.data.is_empty(),
        SHA_256 => record.data.len() == 32,
        SHA_512 => record.data.len() == 64,
        _ => false,
    };
    matches!(record.usage, DANE_TA | DANE_EE) && matches!(record.selector, WHOLE | KEY) && data_fits
}

/// The record in the form of a zone file.
#[must_use]
pub fn written(record: &TlsaRecord) -> String {
    let mut text = format!("{} {} {} ", record.usage, record.selector, record.matching);
    for byte in &record.data {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// Whether one of the records vouches for the chain, which begins with the server's own certificate.
///
/// # Errors
/// When none does: the reason of the record that came closest.
pub fn check(records: &[TlsaRecord], chain: &[CertificateDer<'_>], trust: &Trust<'_>) -> Result<(), Failure> {
    let Some((own, rest)) = chain.split_first() else { return Err(Failure::invalid("the server sent no certificate")) };
    let usable = || records.iter().filter(|record| is_usable(record));
    // RFC 7671 §5.1: a match of the server's own certificate is enough, whatever name or date it has.
    if usable().any(|record| record.usage == DANE_EE && matches(record, own)) {
        return Ok(());
    }
    let mut closest = Failure::invalid("no TLSA record matches the server's certificates");
    for record in usable().filter(|record| record.usage == DANE_TA) {
        // RFC 7671 §5.2.2: an anchor that is only known by its digest has to come with the chain.
        let published = CertificateDer::from(record.data.as_slice());
        let whole = (record.selector, record.matching) == (WHOLE, EXACT);
        let anchors = rest.iter().filter(|cert| matches(record, cert)).chain(whole.then_some(&published));
        for anchor in anchors {
            match trusted(chain, anchor, trust) {
                Ok(()) => return Ok(()),
                Err(failure) => closest = failure,
            }
        }
    }
    Err(closest)
}

fn matches(record: &TlsaRecord, cert: &CertificateDer<'_>) -> bool {
    let selected = match record.selector {
        WHOLE => cert.to_vec(),
        _ => match ParsedCertificate::try_from(cert) {
            Ok(parsed) => parsed.subject_public_key_info().to_vec(),
            Err(_) => return false,
        },
    };
    match record.matching {
        EXACT => selected == record.data,
        SHA_256 => digest(&SHA256, &selected).as_ref() == record.data,
        SHA_512 => digest(&SHA512, &selected).as_ref() == record.data,
        _ => false,
    }
}
