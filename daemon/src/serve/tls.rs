//! What TLS policies of other domains need of this host: certificate authorities, HTTPS, and DNS answers with proof.

use super::dns_options;
use anyhow::Context;
use config::Config;
use mta::tls::TlsParts;
use rustls::RootCertStore;
use std::sync::Arc;
use world::{Dnssec, HttpsFetch, Proof, ValidatingDns};

/// The real parts, as configured.
pub(super) fn parts(config: &Config) -> anyhow::Result<TlsParts> {
    let roots = authorities();
    if roots.is_empty() && config.smtp.mta_sts {
        tracing::warn!("{NO_AUTHORITIES}");
    }
    Ok(TlsParts {
        dnssec: dnssec(config)?,
        fetch: Arc::new(HttpsFetch::new()),
        roots: Arc::new(roots),
        submitter: config.server.hostname.to_string(),
    })
}

const NO_AUTHORITIES: &str = "this host has no certificate authorities (on Debian the package ca-certificates brings \
                              them): mail to domains that enforce MTA-STS waits";

/// The authorities that the system trusts; what cannot be read of them is passed over.
fn authorities() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    roots
}

fn dnssec(config: &Config) -> anyhow::Result<Option<Arc<dyn Dnssec>>> {
    if !config.smtp.dane {
        return Ok(None);
    }
    let dns =
        ValidatingDns::new(&dns_options(config, config.dns.cache_entries)).context("cannot set up DNSSEC for DANE")?;
    Ok(Some(Arc::new(dns)))
}

/// What this host lacks for what is configured, for `packetboat check`.
pub(crate) async fn warnings(config: &Config) -> Vec<String> {
    let mut warnings = Vec::new();
    if config.smtp.mta_sts && authorities().is_empty() {
        warnings.push(format!("smtp.mta_sts: {NO_AUTHORITIES}"));
    }
    match dnssec(config) {
        Ok(None) => {}
        Err(e) => warnings.push(format!("smtp.dane: {e:#}")),
        // The root is signed, so a resolver that hands signatures through proves what is there and what is not.
        Ok(Some(dnssec)) => match dnssec.mx_proof(".").await {
            Ok(Proof::Secure) => {}
            Ok(Proof::Insecure | Proof::Bogus) => warnings.push(
                "smtp.dane: the DNS resolver does not hand DNSSEC signatures through; mail to signed domains would \
                 wait. Put a resolver that does into dns.servers (unbound on this host), or switch smtp.dane off"
                    .to_owned(),
            ),
            Err(e) => warnings.push(format!("smtp.dane: {e}")),
        },
    }
    warnings
}
