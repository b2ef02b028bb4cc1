//! VERP: return paths that name their recipient, so that a report is assigned without reading it.
//!
//! The local part is `b-<what>-<signature>`: the recipient's id and the day of sending in base 32, and the first 80
//! bits of an HMAC-SHA256 over it. Only letters and digits, since local parts get lower-cased and quoted on the way
//! (though RFC 5321 §2.4 forbids it); all in lower case and compared so. Forged addresses cost one HMAC.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hmac;
use std::time::Duration;

const PREFIX: &str = "b-";
/// Where it names a message and not one of its recipients.
const MESSAGE_PREFIX: &str = "m-";
/// Where a mail to it unsubscribes the recipient.
const UNSUBSCRIBE_PREFIX: &str = "u-";
/// RFC 4648 §6, in lower case.
const ALPHABET: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
/// Bytes of the signature: 16 digits.
const MAC_LEN: usize = 10;
const DAY_MS: i64 = 86_400_000;

/// Signs return paths. Made once, of a secret that outlives restarts.
pub struct Key(hmac::Key);

impl Key {
    /// Takes a secret, such as `MasterKey::derive("verp")` gives.
    #[must_use]
    pub fn new(secret: &[u8; 32]) -> Key {
        Key(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }
}

/// Why a local part leads to no recipient.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerpError {
    /// It doesn't look like one of ours.
    #[error("not a return path of ours")]
    NotVerp,
    /// It looks like one, but we never signed it.
    #[error("the return path is forged")]
    Forged,
    /// Ours, but from too long ago.
    #[error("the return path has expired")]
    Expired,
}

/// The local part for a recipient.
#[must_use]
pub fn encode(key: &Key, recipient_id: i64, at_ms: i64) -> String {
    signed(key, PREFIX, recipient_id, at_ms)
}

/// The local part for several recipients of one message, which share a transaction.
#[must_use]
pub fn encode_message(key: &Key, message_id: i64, at_ms: i64) -> String {
    signed(key, MESSAGE_PREFIX, message_id, at_ms)
}

/// The local part at which a mail unsubscribes a recipient.
#[must_use]
pub fn encode_unsubscribe(key: &Key, recipient_id: i64, at_ms: i64) -> String {
    signed(key, UNSUBSCRIBE_PREFIX, recipient_id, at_ms)
}

fn signed(key: &Key, prefix: &str, id: i64, at_ms: i64) -> String {
    // 16 bits of day last until 2149.
    let day = u128::from(at_ms.div_euclid(DAY_MS) as u16);
    let what = (u128::from(id as u64) << 16) | day;
    let mut out = String::with_capacity(36);
    out.push_str(prefix);
    push_number(what, &mut out);
    let mac = mac(key, &out);
    out.push('-');
    push_bytes(&mac, &mut out);
    out
}

/// The recipient that a local part names. `max_age` counts from the day of sending.
///
/// # Errors
/// When it isn't ours or is too old.
pub fn decode(key: &Key, local: &str, now_ms: i64, max_age: Duration) -> Result<i64, VerpError> {
    read(key, PREFIX, local, now_ms, max_age)
}

/// The message that a local part of [`encode_message`] names.
///
/// # Errors
/// When it isn't ours or is too old.
pub fn decode_message(key: &Key, local: &str, now_ms: i64, max_age: Duration) -> Result<i64, VerpError> {
    read(key, MESSAGE_PREFIX, local, now_ms, max_age)
}

/// The recipient that a local part of [`encode_unsubscribe`] names.
///
/// # Errors
/// When it isn't ours or is too old.
pub fn decode_unsubscribe(key: &Key, local: &str, now_ms: i64, max_age: Duration) -> Result<i64, VerpError> {
    read(key, UNSUBSCRIBE_PREFIX, local, now_ms, max_age)
}

fn read(key: &Key, prefix: &str, local: &str, now_ms: i64, max_age: Duration) -> Result<i64, VerpError> {
    let local = local.to_ascii_lowercase();
    let (signed, signature) = local.rsplit_once('-').ok_or(VerpError::NotVerp)?;
    let what = signed.strip_prefix(prefix).and_then(number).ok_or(VerpError::NotVerp)?;
    if signature.len() != MAC_LEN * 8 / 5 || !signature.bytes().all(|b| ALPHABET.contains(&b)) {
        return Err(VerpError::NotVerp);
    }
    let mut expected = String::with_capacity(16);
    push_bytes(&mac(key, signed), &mut expected);
    verify_slices_are_equal(expected.as_bytes(), signature.as_bytes()).map_err(|_| VerpError::Forged)?;
    let sent_ms = (what & 0xffff) as i64 * DAY_MS;
    if now_ms.saturating_sub(sent_ms) > i64::try_from(max_age.as_millis()).unwrap_or(i64::MAX) {
        return Err(VerpError::Expired);
    }
    Ok((what >> 16) as u64 as i64)
}

fn mac(key: &Key, signed: &str) -> [u8; MAC_LEN] {
    let tag = hmac::sign(&key.0, signed.as_bytes());
    let mut out = [0; MAC_LEN];
    out.copy_from_slice(&tag.as_ref()[..MAC_LEN]);
    out
}

/// Digits of a number in base 32, without leading zeros, at least one.
fn push_number(mut number: u128, out: &mut String) {
    let start = out.len();
    loop {
        out.insert(start, char::from(ALPHABET[(number & 31) as usize]));
        number >>= 5;
        if number == 0 {
            return;
        }
    }
}

/// The number of its digits; at most the 80 bits that `encode` writes.
fn number(digits: &str) -> Option<u128> {
    if digits.is_empty() || digits.len() > 16 {
        return None;
    }
    digits.bytes().try_fold(0, |number: u128, digit| {
        let value = ALPHABET.iter().position(|&letter| letter == digit)?;
        Some((number << 5) | value as u128)
    })
}

/// Bytes in base 32; five of them make eight digits.
fn push_bytes(bytes: &[u8; MAC_LEN], out: &mut String) {
    for five in bytes.chunks_exact(5) {
        let bits = five.iter().fold(0_u64, |bits, &byte| (bits << 8) | u64::from(byte));
        for place in (0..8).rev() {
            out.push(char::from(ALPHABET[(bits >> (place * 5)) as usize & 31]));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW_MS: i64 = 1_780_000_000_000;
    const WEEK: Duration = Duration::from_secs(7 * 86_400);

    fn key() -> Key {
        Key::new(&[7; 32])
    }

    #[test]
    fn by_example() {
        let local = encode(&key(), 42, NOW_MS);
        assert!(local.len() < 30 && local.starts_with("b-"), "{local}");
        assert_eq!(decode(&key(), &local, NOW_MS, WEEK), Ok(42));
        assert_eq!(decode(&key(), &local.to_uppercase(), NOW_MS, WEEK), Ok(42));
        assert_eq!(decode(&key(), &local, NOW_MS + 6 * DAY_MS, WEEK), Ok(42));
        assert_eq!(decode(&key(), &local, NOW_MS + 8 * DAY_MS, WEEK), Err(VerpError::Expired));
        assert_eq!(decode(&Key::new(&[8; 32]), &local, NOW_MS, WEEK), Err(VerpError::Forged));
        let message = encode_message(&key(), 42, NOW_MS);
        assert_eq!(decode_message(&key(), &message, NOW_MS, WEEK), Ok(42));
        // One is never taken for the other.
        assert_eq!(decode(&key(), &message, NOW_MS, WEEK), Err(VerpError::NotVerp));
        assert_eq!(decode_message(&key(), &local, NOW_MS, WEEK), Err(VerpError::NotVerp));
        let wish = encode_unsubscribe(&key(), 42, NOW_MS);
        assert_eq!(decode_unsubscribe(&key(), &wish, NOW_MS, WEEK), Ok(42));
        assert_eq!(decode(&key(), &wish, NOW_MS, WEEK), Err(VerpError::NotVerp));
        assert_eq!(decode_unsubscribe(&key(), &local.replacen('b', "u", 1), NOW_MS, WEEK), Err(VerpError::Forged));
        assert_eq!(decode(&key(), &message.replacen('m', "b", 1), NOW_MS, WEEK), Err(VerpError::Forged));
        for odd in ["", "b-", "b--", "ana", "b-x-y", "news-2024", "b-aaaa-!!!!!!!!!!!!!!!!", "bounce+ana=example.com"] {
            assert_eq!(decode(&key(), odd, NOW_MS, WEEK), Err(VerpError::NotVerp), "{odd}");
        }
    }

    proptest! {
        #[test]
        fn what_was_encoded_is_decoded(id in any::<i64>(), at_ms in 0..5_000_000_000_000_i64) {
            let local = encode(&key(), id, at_ms);
            prop_assert!(local.len() <= 64);
            prop_assert_eq!(decode(&key(), &local, at_ms, WEEK), Ok(id));
        }

        #[test]
        fn nothing_else_is(id in 0..1_000_000_i64, at in 0..20_usize, letter in "[a-z2-7]", text in "\\PC{0,40}") {
            let local = encode(&key(), id, NOW_MS);
            let mut changed = local.clone();
            let at = 2 + at % (local.len() - 2);
            changed.replace_range(at..=at, &letter);
            if changed != local {
                prop_assert!(decode(&key(), &changed, NOW_MS, WEEK).is_err());
            }
            prop_assert!(decode(&key(), &text, NOW_MS, WEEK).is_err());
        }
    }
}
