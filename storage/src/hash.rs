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

/// Before the digits of a key in files: a bare one of this length could as well be MD5.
const KEY_NAME: &str = "sha256-128:";

/// A suppression key as files have it.
#[must_use]
pub fn address_hash_word(hash: &AddressHash) -> String {
    hash.iter().fold(KEY_NAME.to_owned(), |word, byte| format!("{word}{byte:02x}"))
}

/// The suppression key of what a file has: the word that [`address_hash_word`] makes, or the 64 hexadecimal digits of
/// SHA-256 of the address in lower case, as other systems give their lists away.
#[must_use]
pub fn address_hash_of_word(word: &str) -> Option<AddressHash> {
    let digits = match word.strip_prefix(KEY_NAME) {
        Some(digits) => Some(digits).filter(|digits| digits.len() == 32),
        None => Some(word).filter(|digits| digits.len() == 64),
    }?;
    let mut whole = Vec::with_capacity(32);
    for pair in digits.as_bytes().chunks_exact(2) {
        let value = |digit: u8| char::from(digit).to_digit(16);
        whole.push(u8::try_from(value(pair[0])? * 16 + value(pair[1])?).ok()?);
    }
    whole.get(..16)?.try_into().ok()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_in_words() {
        let hash = address_hash(&mail::Address::parse("Ana@Gull.example").unwrap());
        let word = address_hash_word(&hash);
        assert_eq!(address_hash_of_word(&word), Some(hash));
        // printf ana@gull.example | sha256sum
        let others = "6bfd900791ccc249c43b1d2c4dc48ec3fb87884e72a7979f47001d20d2235acf";
        for (word, expected) in [
            (others, Some(hash)),
            (&others.to_uppercase(), Some(hash)),
            (&others[..32], None),
            (&others[1..], None),
            (&format!("{}x", &others[..63]), None),
            (&word[..word.len() - 2], None),
            ("", None),
        ] {
            assert_eq!(address_hash_of_word(word), expected, "{word}");
        }
    }
}
