//! The real DNSSEC: hickory's validating resolver behind the questions of `Dnssec`, from the root's keys down.
//!
//! It needs servers that hand signatures through; one that strips them makes every signed name bogus, since nothing can
//! tell that from an attack.

use crate::dnssec::{Dnssec, NoProof, Proof, TlsaRecord};
use crate::hickory::{DnsOptions, DnsSetupError, builder};
use futures_util::future::BoxFuture;
use hickory_resolver::TokioResolver;
use hickory_resolver::net::{DnsError as HickoryError, NetError};
use hickory_resolver::proto::dnssec::{Proof as Found, TrustAnchors};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use std::sync::Arc;

/// Asks real name servers and validates what they say.
#[derive(Clone)]
pub struct ValidatingDns {
    resolver: TokioResolver,
}

impl ValidatingDns {
    /// Sets up a resolver that trusts the root's keys; asks nothing yet.
    ///
    /// # Errors
    /// When no server is given and the system's configuration names none.
    pub fn new(options: &DnsOptions) -> Result<ValidatingDns, DnsSetupError> {
        ValidatingDns::trusting(options, TrustAnchors::default())
    }

    fn trusting(options: &DnsOptions, anchors: TrustAnchors) -> Result<ValidatingDns, DnsSetupError> {
        let resolver = builder(options)?.with_trust_anchor(Arc::new(anchors)).build().map_err(DnsSetupError)?;
        Ok(ValidatingDns { resolver })
    }

    /// The records of one type, with the least of their proofs; CNAMEs that led to them count.
    async fn ask(&self, name: &str, kind: RecordType) -> Result<(Proof, Vec<Record>), NoProof> {
        let failed = |why: String| NoProof { name: name.to_owned(), why };
        let mut absolute = Name::from_ascii(name).map_err(|e| failed(e.to_string()))?;
        absolute.set_fqdn(true);
        let error = match self.resolver.lookup(absolute, kind).await {
            Ok(lookup) if !lookup.answers().is_empty() => {
                return Ok((least(lookup.answers()), lookup.answers().to_vec()));
            }
            Ok(lookup) => return Ok((least(lookup.authorities()), Vec::new())),
            Err(error) => error,
        };
        match error {
            NetError::Dns(HickoryError::DnssecBogus) => Ok((Proof::Bogus, Vec::new())),
            NetError::Dns(HickoryError::Nsec { proof, .. }) => Ok((word(Some(proof)), Vec::new())),
            // Absence is told by SOA and NSEC records: their proof is that of the absence.
            NetError::Dns(HickoryError::NoRecordsFound(none))
                if matches!(none.response_code, ResponseCode::NoError | ResponseCode::NXDomain) =>
            {
                Ok((least(none.authorities.as_deref().unwrap_or_default()), Vec::new()))
            }
            other => Err(failed(other.to_string())),
        }
    }
}

/// The least proof of several records. Signatures stand for nothing but themselves.
fn least(records: &[Record]) -> Proof {
    let signed = records.iter().filter(|record| record.record_type() != RecordType::RRSIG);
    word(signed.map(|record| record.proof).min())
}

/// What could not be decided for lack of an answer counts as bogus: never as "unsigned".
fn word(found: Option<Found>) -> Proof {
    match found {
        Some(Found::Secure) => Proof::Secure,
        // An empty answer only comes through where the zone is provably unsigned.
        Some(Found::Insecure) | None => Proof::Insecure,
        Some(Found::Bogus | Found::Indeterminate) => Proof::Bogus,
    }
}

impl Dnssec for ValidatingDns {
    fn tlsa<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<(Proof, Vec<TlsaRecord>), NoProof>> {
        Box::pin(async move {
            let (proof, records) = self.ask(name, RecordType::TLSA).await?;
            Ok((proof, records.into_iter().filter_map(tlsa).collect()))
        })
    }

    fn mx_proof<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Proof, NoProof>> {
        Box::pin(async move { Ok(self.ask(name, RecordType::MX).await?.0) })
    }

    fn address_proof<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Proof, NoProof>> {
        Box::pin(async move {
            let (four, six) = futures_util::try_join!(self.ask(name, RecordType::A), self.ask(name, RecordType::AAAA))?;
            Ok(match (four.0, six.0) {
                (Proof::Bogus, _) | (_, Proof::Bogus) => Proof::Bogus,
                (Proof::Secure, Proof::Secure) => Proof::Secure,
                _ => Proof::Insecure,
            })
        })
    }
}

fn tlsa(record: Record) -> Option<TlsaRecord> {
    match record.data {
        RData::TLSA(tlsa) => Some(TlsaRecord {
            usage: tlsa.cert_usage.into(),
            selector: tlsa.selector.into(),
            matching: tlsa.matching.into(),
            data: tlsa.cert_data,
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
