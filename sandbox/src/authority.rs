//! Certificates of the simulated world: from its one authority, or self-signed.

use crate::host::CertificateError;
use crate::manners::Certificate;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

/// A name that no server of the world has.
const OTHER_NAME: &str = "somebody-else.example";

/// Whom the simulated world trusts.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub fn new() -> Result<Authority, CertificateError> {
        let make = || {
            let mut params = CertificateParams::new(Vec::new())?;
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            params.distinguished_name.push(DnType::CommonName, "Authority of the simulated world");
            CertifiedIssuer::self_signed(params, KeyPair::generate()?)
        };
        let provider = || "the simulated world's authority".to_owned();
        make().map(Authority).map_err(|cause| CertificateError::Make { provider: provider(), cause })
    }

    pub fn certificate(&self) -> CertificateDer<'static> {
        self.0.der().clone()
    }

    /// A chain for these names, its own certificate first, with its key.
    pub fn issue(
        &self,
        names: Vec<String>,
        what: Certificate,
    ) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), rcgen::Error> {
        let names = if what == Certificate::OtherName { vec![OTHER_NAME.to_owned()] } else { names };
        let mut params = CertificateParams::new(names)?;
        if what == Certificate::Expired {
            params.not_after = date_time_ymd(2020, 1, 1);
        }
        let key = KeyPair::generate()?;
        let chain = match what {
            Certificate::SelfSigned => vec![params.self_signed(&key)?.der().clone()],
            Certificate::Trusted | Certificate::OtherName | Certificate::Expired => {
                vec![params.signed_by(&key, &self.0)?.der().clone(), self.certificate()]
            }
        };
        Ok((chain, PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()))))
    }
}
