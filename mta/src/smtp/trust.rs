//! TLS towards smart hosts: the certificate must be good for the host's name (RFC 8314 §5), judged by what the system
//! trusts and by what the operator adds for a route.

use rustls::ClientConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls_platform_verifier::Verifier;
use std::sync::Arc;

/// A configuration whose handshakes fail where the certificate is not good for the name.
pub(crate) fn verified_config(ca_pem: Option<&[u8]>) -> Result<Arc<ClientConfig>, rustls::Error> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let added = CertificateDer::pem_slice_iter(ca_pem.unwrap_or_default()).collect::<Result<Vec<_>, _>>();
    let added = added.map_err(|e| rustls::Error::General(format!("its ca_file is not PEM: {e}")))?;
    if ca_pem.is_some() && added.is_empty() {
        return Err(rustls::Error::General("its ca_file has no certificate".to_owned()));
    }
    let verifier = Verifier::new_with_extra_roots(added, provider.clone())?;
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(Arc::new(config))
}
