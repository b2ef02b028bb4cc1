//! TLS towards smart hosts: the certificate must be good for the host's name (RFC 8314 §5), judged by the authorities that
//! the system trusts and by what the operator adds for a route.

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;

/// A configuration whose handshakes fail where the certificate is not good for the name.
pub(crate) fn verified_config(
    roots: &RootCertStore,
    ca_pem: Option<&[u8]>,
) -> Result<Arc<ClientConfig>, rustls::Error> {
    let mut roots = roots.clone();
    if let Some(pem) = ca_pem {
        let wrong = |why: String| rustls::Error::General(format!("its ca_file {why}"));
        let added = CertificateDer::pem_slice_iter(pem).collect::<Result<Vec<_>, _>>();
        let added = added.map_err(|e| wrong(format!("is not PEM: {e}")))?;
        if added.is_empty() {
            return Err(wrong("has no certificate".to_owned()));
        }
        added.into_iter().try_for_each(|certificate| roots.add(certificate))?;
    }
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(Arc::new(config))
}
