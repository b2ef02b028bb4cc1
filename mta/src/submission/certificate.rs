//! The listener's certificate: loaded at the start, and again whenever its files change, so that renewing it needs no
//! restart. A renewal that cannot be used leaves the old one in force and says so.

use crate::shared::lock;
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};
use std::{fs, io};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use world::Clock;

/// The files are looked at this often.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// A file is not there, or not readable for this user.
    #[error("cannot read {}", path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
    /// A file has not what it should have.
    #[error("{} has no {wanted} in PEM form", path.display())]
    Pem {
        /// Which file.
        path: PathBuf,
        /// `certificate` or `private key`.
        wanted: &'static str,
    },
    /// Certificate and key do not fit.
    #[error("the certificate {} cannot be used with the key {}", certificate.display(), key.display())]
    Use {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What TLS said.
        #[source]
        cause: rustls::Error,
    },
}

/// A certificate in force, with the files that it comes from.
pub struct Certificate {
    certificate: PathBuf,
    key: PathBuf,
    present: Mutex<Present>,
}

struct Present {
    config: Arc<ServerConfig>,
    /// How the files were when last looked at, whether they could be used or not.
    seen: [Option<Stamp>; 2],
}

/// By what a changed file is known.
type Stamp = (SystemTime, u64);

impl Certificate {
    /// Reads both files: the chain, the host's own certificate first, and its key.
    ///
    /// # Errors
    /// A file that cannot be read, has something else in it, or does not fit the other.
    pub fn load(certificate: &Path, key: &Path) -> Result<Certificate, CertificateError> {
        let seen = [stamp(certificate), stamp(key)];
        let config = load(certificate, key)?;
        let present = Mutex::new(Present { config, seen });
        Ok(Certificate { certificate: certificate.to_owned(), key: key.to_owned(), present })
    }

    /// What new connections are served with.
    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        TlsAcceptor::from(Arc::clone(&lock(&self.present).config))
    }

    /// Takes changed files over; whether there was a change.
    fn look(&self) -> Result<bool, CertificateError> {
        let seen = [stamp(&self.certificate), stamp(&self.key)];
        if lock(&self.present).seen == seen {
            return Ok(false);
        }
        let loaded = load(&self.certificate, &self.key);
        let mut present = lock(&self.present);
        present.seen = seen;
        present.config = loaded?;
        Ok(true)
    }

    /// Looks at the files again and again until `stop`.
    pub async fn watch(&self, clock: &dyn Clock, stop: &CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = clock.sleep(LOOK_EVERY) => {}
            }
            match self.look() {
                Ok(false) => {}
                Ok(true) => tracing::info!(file = %self.certificate.display(), "the new certificate is in force"),
                Err(error) => {
                    let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
                    tracing::error!(%error, cause, "the changed certificate cannot be used; the old one stays in force");
                }
            }
        }
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}

fn load(certificate: &Path, key: &Path) -> Result<Arc<ServerConfig>, CertificateError> {
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(&read(certificate)?)
        .collect::<Result<_, _>>()
        .ok()
        .filter(|chain: &Vec<_>| !chain.is_empty())
        .ok_or_else(|| CertificateError::Pem { path: certificate.to_owned(), wanted: "certificate" })?;
    let secret = PrivateKeyDer::from_pem_slice(&read(key)?)
        .map_err(|_| CertificateError::Pem { path: key.to_owned(), wanted: "private key" })?;
    let unusable = |cause| CertificateError::Use { certificate: certificate.to_owned(), key: key.to_owned(), cause };
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(unusable)?
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .map_err(unusable)?;
    Ok(Arc::new(config))
}

fn read(path: &Path) -> Result<Vec<u8>, CertificateError> {
    fs::read(path).map_err(|cause| CertificateError::Read { path: path.to_owned(), cause })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_renewed_one_is_taken_over_and_a_bad_one_is_not() {
        let dir = tempfile::tempdir().unwrap();
        let (certificate, key) = (dir.path().join("cert.pem"), dir.path().join("key.pem"));
        let missing = Certificate::load(&certificate, &key).err().unwrap();
        assert!(matches!(missing, CertificateError::Read { .. }), "{missing}");
        let make = || rcgen::generate_simple_self_signed(["mail.example.com".to_owned()]).unwrap();
        let first = make();
        fs::write(&certificate, first.cert.pem()).unwrap();
        fs::write(&key, first.signing_key.serialize_pem()).unwrap();
        let loaded = Certificate::load(&certificate, &key).unwrap();
        let config = || Arc::clone(&lock(&loaded.present).config);
        let before = config();
        assert!(!loaded.look().unwrap());
        // Half of a renewal: the key does not fit yet.
        let second = make();
        fs::write(&certificate, format!("{}\n", second.cert.pem())).unwrap();
        assert!(matches!(loaded.look(), Err(CertificateError::Use { .. })));
        assert!(!loaded.look().unwrap(), "said once");
        assert!(Arc::ptr_eq(&before, &config()));
        fs::write(&key, format!("{}\n", second.signing_key.serialize_pem())).unwrap();
        assert!(loaded.look().unwrap());
        assert!(!Arc::ptr_eq(&before, &config()));
        fs::write(&key, "no key").unwrap();
        assert!(matches!(loaded.look(), Err(CertificateError::Pem { wanted: "private key", .. })));
    }
}
