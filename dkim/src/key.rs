//! Signing keys: RSA-2048 (RFC 8301 §3.2) and Ed25519 (RFC 8463).

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair};
use crate::batches::Batches;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fmt;
use zeroize::Zeroizing;

/// A signing algorithm.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Algorithm {
    /// RSA with SHA-256: what every receiver understands.
    RsaSha256,
    /// Ed25519 over SHA-256: short keys, still not understood everywhere, hence never alone.
    Ed25519Sha256,
}

impl Algorithm {
    /// The `a=` tag of a signature.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Algorithm::RsaSha256 => "rsa-sha256",
            Algorithm::Ed25519Sha256 => "ed25519-sha256",
        }
    }

    /// The algorithm of an `a=` tag.
    #[must_use]
    pub fn parse(text: &str) -> Option<Algorithm> {
        [Algorithm::RsaSha256, Algorithm::Ed25519Sha256].into_iter().find(|algorithm| algorithm.as_str() == text)
    }

    /// The `k=` tag of a key record.
    #[must_use]
    pub fn key_type(self) -> &'static str {
        match self {
            Algorithm::RsaSha256 => "rsa",
            Algorithm::Ed25519Sha256 => "ed25519",
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The bytes are no PKCS#8 key of a kind that we sign with.
    #[error("not a PKCS#8 key of RSA or Ed25519")]
    NotAKey,
    /// RFC 8301 §3.2: receivers refuse RSA keys under 1024 bits, and large ones under 2048.
    #[error("the RSA key has {bits} bits, it needs at least 2048")]
    TooShort {
        /// Its length.
        bits: usize,
    },
    /// The crypto library failed.
    #[error("a key could not be made")]
    Generate,
}

/// A parsed private key, ready to sign. Kept for as long as the domain signs: parsing costs more than signing.
pub struct Key {
    pair: Pair,
    pkcs8: Zeroizing<Vec<u8>>,
}

enum Pair {
    Rsa(Box<Rsa>),
    Ed25519(Box<Ed25519KeyPair>),
}

struct Rsa {
    pair: RsaKeyPair,
    /// Where this machine can sign with it in batches.
    batches: Option<Batches>,
}

impl Pair {
    fn rsa(pair: RsaKeyPair, pkcs8: &[u8]) -> Pair {
        let batches = Batches::new(&pair, pkcs8);
        Pair::Rsa(Box::new(Rsa { pair, batches }))
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({})", self.algorithm())
    }
}

impl Key {
    /// Makes an RSA-2048 key. Longer ones don't fit one DNS answer over UDP and gain nothing at receivers.
    ///
    /// # Errors
    /// When the crypto library fails.
    pub fn generate_rsa() -> Result<Key, KeyError> {
        let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| KeyError::Generate)?;
        let der = AsDer::<Pkcs8V1Der<'_>>::as_der(&pair).map_err(|_| KeyError::Generate)?;
        let pkcs8 = Zeroizing::new(der.as_ref().to_vec());
        Ok(Key { pair: Pair::rsa(pair, &pkcs8), pkcs8 })
    }

    /// Makes an Ed25519 key.
    ///
    /// # Errors
    /// When the crypto library fails.
    pub fn generate_ed25519() -> Result<Key, KeyError> {
        let pair = Ed25519KeyPair::generate().map_err(|_| KeyError::Generate)?;
        let der = pair.to_pkcs8v1().map_err(|_| KeyError::Generate)?;
        Ok(Key { pkcs8: Zeroizing::new(der.as_ref().to_vec()), pair: Pair::Ed25519(Box::new(pair)) })
    }

    /// Reads a key in PKCS#8 DER.
    ///
    /// # Errors
    /// When it is no such key, or an RSA key that is too short.
    pub fn from_pkcs8(der: &[u8]) -> Result<Key, KeyError> {
        let pkcs8 = Zeroizing::new(der.to_vec());
        if let Ok(pair) = RsaKeyPair::from_pkcs8(der) {
            let bits = pair.public_modulus_len() * 8;
            if bits < 2048 {
                return Err(KeyError::TooShort { bits });
            }
            return Ok(Key { pair: Pair::rsa(pair, &pkcs8), pkcs8 });
        }
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map_err(|_| KeyError::NotAKey)?;
        Ok(Key { pair: Pair::Ed25519(Box::new(pair)), pkcs8 })
    }

    /// The private key in PKCS#8 DER: only to be sealed and stored.
    #[must_use]
    pub fn to_pkcs8(&self) -> &Zeroizing<Vec<u8>> {
        &self.pkcs8
    }

    /// What it signs with.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        match self.pair {
            Pair::Rsa(_) => Algorithm::RsaSha256,
            Pair::Ed25519(_) => Algorithm::Ed25519Sha256,
        }
    }

    /// The `p=` tag of its record: SubjectPublicKeyInfo for RSA (RFC 6376 erratum 3017), the bare 32 bytes for Ed25519
    /// (RFC 8463 §4.2); in base64.
    #[must_use]
    pub fn public_base64(&self) -> String {
        match &self.pair {
            Pair::Rsa(rsa) => {
                let der: Result<PublicKeyX509Der<'_>, _> = rsa.pair.public_key().as_der();
                // A parsed key can always be written again.
                der.map(|der| STANDARD.encode(der.as_ref())).unwrap_or_default()
            }
            Pair::Ed25519(pair) => STANDARD.encode(pair.public_key().as_ref()),
        }
    }

    /// How it signs in batches, where it can.
    pub(crate) fn batches(&self) -> Option<&Batches> {
        match &self.pair {
            Pair::Rsa(rsa) => rsa.batches.as_ref(),
            Pair::Ed25519(_) => None,
        }
    }

    /// Signs the canonical header hash input. RSA hashes it itself; Ed25519 signs its SHA-256 (RFC 8463 §3).
    pub(crate) fn sign(&self, input: &[u8]) -> Option<Vec<u8>> {
        match &self.pair {
            Pair::Rsa(rsa) => sign_alone(&rsa.pair, input),
            Pair::Ed25519(pair) => {
                let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, input);
                Some(pair.sign(digest.as_ref()).as_ref().to_vec())
            }
        }
    }
}

/// One signature of RSA.
pub(crate) fn sign_alone(pair: &RsaKeyPair, input: &[u8]) -> Option<Vec<u8>> {
    let mut signature = vec![0; pair.public_modulus_len()];
    pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), input, &mut signature).ok()?;
    Some(signature)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_survive_storage() {
        for key in [Key::generate_rsa().unwrap(), Key::generate_ed25519().unwrap()] {
            let again = Key::from_pkcs8(key.to_pkcs8()).unwrap();
            assert_eq!(again.algorithm(), key.algorithm());
            assert_eq!(again.public_base64(), key.public_base64());
            assert!(!key.public_base64().is_empty());
            assert_eq!(Algorithm::parse(key.algorithm().as_str()), Some(key.algorithm()));
            assert!(!format!("{key:?}").contains(&key.public_base64()));
        }
        assert!(matches!(Key::from_pkcs8(b"nonsense"), Err(KeyError::NotAKey)));
        assert!(matches!(Key::from_pkcs8(b""), Err(KeyError::NotAKey)));
    }
}
