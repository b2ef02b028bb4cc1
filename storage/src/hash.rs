//! Hashes under which addresses and secrets are looked up.

use aws_lc_rs::digest::{Context, SHA256, digest};

/// The key of the suppression list: the first 16 bytes of SHA-256 of the normalized address.
pub type AddressHash = [u8; 16];

/// The suppression key of an address.
#[must_use]
pub fn address_hash(address: &mail::Address) -> AddressHash {
    let whole = digest(&SHA256, address.normalized().as_bytes());
    let mut short = [0; 16];
    short.copy_from_slice(&whole.as_ref()[..16]);
    short
}

/// Under which a random secret (session token, API key) is stored. The secrets have 256 random bits, so that a plain
/// hash is enough; passwords are another matter (Argon2id, in `daemon`).
#[must_use]
pub fn secret_hash(secret: &str) -> [u8; 32] {
    request_hash(&[secret.as_bytes()])
}

/// SHA-256 of a request's parts: whether two requests are the same.
#[must_use]
pub fn request_hash(parts: &[&[u8]]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    for part in parts {
        context.update(part);
    }
    let mut out = [0; 32];
    out.copy_from_slice(context.finish().as_ref());
    out
}
