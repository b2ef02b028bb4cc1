//! Whether a server's certificates are good for its name, in the words of TLS reports (RFC 8460 §4.3).

use rustls::RootCertStore;
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, Error};
use std::time::Duration;

/// What went wrong with TLS; the words are those of RFC 8460 §4.3.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum FailureKind {
    /// The server does not offer STARTTLS.
    StartTlsNotSupported,
    /// The certificate is for other names.
    HostMismatch,
    /// The certificate is over, or not yet valid.
    Expired,
    /// Nobody who is trusted vouches for the certificate.
    NotTrusted,
    /// Something else: the handshake broke.
    Invalid,
    /// The TLSA records say nothing that matches.
    TlsaInvalid,
    /// The DNS answers fail validation.
    DnssecInvalid,
    /// The policy could not be fetched.
    StsFetch,
    /// The policy makes no sense.
    StsInvalid,
    /// The policy server's certificate is not good.
    StsWebPki,
}

impl FailureKind {
    /// All of them.
    pub const ALL: [FailureKind; 10] = [
        FailureKind::StartTlsNotSupported,
        FailureKind::HostMismatch,
        FailureKind::Expired,
        FailureKind::NotTrusted,
        FailureKind::Invalid,
        FailureKind::TlsaInvalid,
        FailureKind::DnssecInvalid,
        FailureKind::StsFetch,
        FailureKind::StsInvalid,
        FailureKind::StsWebPki,
    ];

    /// The result type of a report (RFC 8460 §4.3).
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            FailureKind::StartTlsNotSupported => "starttls-not-supported",
            FailureKind::HostMismatch => "certificate-host-mismatch",
            FailureKind::Expired => "certificate-expired",
            FailureKind::NotTrusted => "certificate-not-trusted",
            FailureKind::Invalid => "validation-failure",
            FailureKind::TlsaInvalid => "tlsa-invalid",
            FailureKind::DnssecInvalid => "dnssec-invalid",
            FailureKind::StsFetch => "sts-policy-fetch-error",
            FailureKind::StsInvalid => "sts-policy-invalid",
            FailureKind::StsWebPki => "sts-webpki-invalid",
        }
    }
}

/// A failure with its words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What kind.
    pub kind: FailureKind,
    /// For people.
    pub text: String,
}

impl Failure {
    pub(crate) fn new(kind: FailureKind, text: impl Into<String>) -> Failure {
        Failure { kind, text: text.into() }
    }

    pub(crate) fn invalid(text: &str) -> Failure {
        Failure::new(FailureKind::Invalid, text)
    }
}

/// What certificates are held against.
#[derive(Clone, Copy, Debug)]
pub struct Trust<'a> {
    /// The name that was connected to.
    pub host: &'a str,
    /// The date.
    pub now_ms: i64,
    /// The authorities that the host trusts.
    pub roots: &'a RootCertStore,
}

/// Whether the chain, server's own certificate first, is good for the host by the authorities of the web (RFC 8461 §4.2).
///
/// # Errors
/// Why not.
pub fn check_web(chain: &[CertificateDer<'_>], trust: &Trust<'_>) -> Result<(), Failure> {
    if trust.roots.is_empty() {
        return Err(Failure::new(FailureKind::NotTrusted, "this host has no certificate authorities to check with"));
    }
    check(chain, trust.roots, trust)
}

/// The same by an anchor of another origin: one that DANE publishes.
pub(crate) fn trusted(
    chain: &[CertificateDer<'_>],
    anchor: &CertificateDer<'_>,
    trust: &Trust<'_>,
) -> Result<(), Failure> {
    let mut roots = RootCertStore::empty();
    roots.add(anchor.clone().into_owned()).map_err(|e| failure(&e))?;
    check(chain, &roots, trust)
}

fn check(chain: &[CertificateDer<'_>], roots: &RootCertStore, trust: &Trust<'_>) -> Result<(), Failure> {
    let Some((own, rest)) = chain.split_first() else { return Err(Failure::invalid("the server sent no certificate")) };
    let name = ServerName::try_from(trust.host).map_err(|e| Failure::invalid(&e.to_string()))?;
    let now = UnixTime::since_unix_epoch(Duration::from_millis(u64::try_from(trust.now_ms).unwrap_or(0)));
    let algorithms = aws_lc_rs::default_provider().signature_verification_algorithms.all;
    let parsed = ParsedCertificate::try_from(own).map_err(|e| failure(&e))?;
    verify_server_cert_signed_by_trust_anchor(&parsed, roots, rest, now, algorithms).map_err(|e| failure(&e))?;
    verify_server_name(&parsed, &name).map_err(|e| failure(&e))
}

/// What rustls says, in the words of reports.
fn failure(error: &Error) -> Failure {
    use CertificateError as C;
    let kind = match error {
        Error::InvalidCertificate(
            C::Expired | C::ExpiredContext { .. } | C::NotValidYet | C::NotValidYetContext { .. },
        ) => FailureKind::Expired,
        Error::InvalidCertificate(C::NotValidForName | C::NotValidForNameContext { .. }) => FailureKind::HostMismatch,
        Error::InvalidCertificate(C::UnknownIssuer | C::BadSignature | C::Revoked) => FailureKind::NotTrusted,
        _ => FailureKind::Invalid,
    };
    Failure::new(kind, error.to_string())
}
