//! Which signatures are made together, and that each of them is right.

use crate::batch::{self, BatchKey};
use crate::key::{Key, sign_alone};
use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rsa::KeyPair as RsaKeyPair;
use aws_lc_rs::signature::{KeyPair as _, ParsedPublicKey, RSA_PKCS1_2048_8192_SHA256};

/// Signatures of a batch.
pub(crate) const BATCH: usize = 4;
/// From so many on a batch is cheaper than as many single signatures.
const WORTH: usize = 3;
/// Bytes of an RSA-2048 signature.
pub(crate) const SIGNATURE: usize = 256;
/// Bytes of a hash by SHA-256.
pub(crate) const HASH: usize = 32;

/// What an RSA key needs to sign in batches.
pub(crate) struct Batches {
    private: BatchKey,
    public: ParsedPublicKey,
}

impl Batches {
    /// `None` where this machine or this key cannot, or where the signatures of both ways are not the same.
    pub fn new(pair: &RsaKeyPair, pkcs8: &[u8]) -> Option<Batches> {
        let private = BatchKey::from_pkcs8(pkcs8)?;
        let public: PublicKeyX509Der<'_> = pair.public_key().as_der().ok()?;
        let public = ParsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, public.as_ref()).ok()?;
        let trial = b"Packetboat signs this with each key that it reads.";
        let alone = sign_alone(pair, trial)?;
        let hash = hash(trial);
        let together = batch::sign([(&private, &hash); BATCH])?;
        together.iter().all(|signature| signature[..] == alone).then_some(Batches { private, public })
    }

    /// A signature that the public key agrees with.
    fn verified(&self, input: &[u8], signature: &[u8]) -> Option<Vec<u8>> {
        self.public.verify_sig(input, signature).ok().map(|()| signature.to_vec())
    }
}

/// The signature of each input with its key; `None` where the crypto library failed.
///
/// RSA signatures are made in batches as far as that is cheaper. One that does not verify is made again, alone: a
/// mistake of the machine must not tell the key.
pub(crate) fn sign_all(work: &[(&Key, &[u8])]) -> Vec<Option<Vec<u8>>> {
    let mut signatures: Vec<Option<Vec<u8>>> = vec![None; work.len()];
    let able: Vec<_> = work.iter().enumerate().filter_map(|(n, (key, input))| Some((n, key.batches()?, *input))).collect();
    for chunk in able.chunks(BATCH).filter(|chunk| chunk.len() >= WORTH) {
        let hashes: Vec<_> = chunk.iter().map(|(_, _, input)| hash(input)).collect();
        // What is missing to a batch is filled with its last one.
        let last = chunk.len() - 1;
        let made = batch::sign(std::array::from_fn(|n| (&chunk[n.min(last)].1.private, &hashes[n.min(last)])));
        for ((n, batches, input), signature) in chunk.iter().zip(made.iter().flatten()) {
            signatures[*n] = batches.verified(input, signature);
        }
    }
    signatures.into_iter().zip(work).map(|(made, (key, input))| made.or_else(|| key.sign(input))).collect()
}

fn hash(input: &[u8]) -> [u8; HASH] {
    let mut hash = [0; HASH];
    hash.copy_from_slice(digest(&SHA256, input).as_ref());
    hash
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Any number of messages, of several keys and kinds in turn: each gets the signature that it would have got alone.
    #[test]
    fn each_input_gets_its_own_signature() {
        let keys = [Key::generate_rsa().unwrap(), Key::generate_ed25519().unwrap(), Key::generate_rsa().unwrap()];
        for many in 0..14 {
            let inputs: Vec<String> = (0..many).map(|n| format!("input {n}")).collect();
            let work: Vec<_> = inputs.iter().enumerate().map(|(n, input)| (&keys[n % 3], input.as_bytes())).collect();
            let alone: Vec<_> = work.iter().map(|(key, input)| key.sign(input)).collect();
            assert_eq!(sign_all(&work), alone);
        }
    }

    /// A single wrong bit, and the signature is not given out.
    #[test]
    fn a_wrong_signature_stays_here() {
        let key = Key::generate_rsa().unwrap();
        let Some(batches) = key.batches() else { return };
        let mut signature = key.sign(b"text").unwrap();
        assert_eq!(batches.verified(b"text", &signature), Some(signature.clone()));
        assert_eq!(batches.verified(b"other text", &signature), None);
        signature[17] ^= 4;
        assert_eq!(batches.verified(b"text", &signature), None);
    }
}
