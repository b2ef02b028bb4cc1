//! Unsubscribe links: signed, short, good for as long as the recipient is kept.
//!
//! A link names a recipient, not an address, so that it tells nothing to who finds it, and cannot be made for somebody
//! else. Following it changes nothing; a POST does (RFC 8058), since scanners follow every link.

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use storage::unsubscribe::Applied;
use storage::{RecipientId, Storage, StorageError};

/// Bytes of the signature that stay in the link: 80 bits cannot be guessed over a rate-limited page.
const MAC_LEN: usize = 10;

/// Signs the links. Made once, of a secret that outlives restarts.
pub struct LinkKey(hmac::Key);

impl LinkKey {
    /// Takes a secret that is used for nothing else.
    #[must_use]
    pub fn new(secret: &[u8; 32]) -> LinkKey {
        LinkKey(hmac::Key::new(hmac::HMAC_SHA256, secret))
    }

    /// The token for a recipient, fit for a URL's path.
    #[must_use]
    pub fn encode(&self, id: RecipientId) -> String {
        let number = id.0.to_be_bytes();
        let skip = number.iter().take_while(|byte| **byte == 0).count().min(7);
        let mut bytes = number[skip..].to_vec();
        let mac = hmac::sign(&self.0, &bytes);
        bytes.extend_from_slice(&mac.as_ref()[..MAC_LEN]);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The recipient that a token names; `None` when we never signed it.
    #[must_use]
    pub fn decode(&self, token: &str) -> Option<RecipientId> {
        let bytes = URL_SAFE_NO_PAD.decode(token).ok()?;
        let (number, mac) = bytes.split_at_checked(bytes.len().checked_sub(MAC_LEN)?)?;
        if number.is_empty() || number.len() > 8 {
            return None;
        }
        let expected = hmac::sign(&self.0, number);
        aws_lc_rs::constant_time::verify_slices_are_equal(&expected.as_ref()[..MAC_LEN], mac).ok()?;
        let mut padded = [0; 8];
        padded[8 - number.len()..].copy_from_slice(number);
        Some(RecipientId(i64::from_be_bytes(padded)))
    }
}

/// Unsubscribes whom the recipient stands for; again changes nothing. `None` when the recipient is no longer kept.
///
/// # Errors
/// The database's.
pub async fn apply(storage: &Storage, id: RecipientId, now_ms: i64) -> Result<Option<Applied>, StorageError> {
    storage.queue().write(move |tx| storage::unsubscribe::apply(tx, id, now_ms)).await
}

/// Takes an unsubscribing back, on the wish of the recipient itself: nobody is more engaged. `None` when the recipient is
/// no longer kept.
///
/// # Errors
/// The database's.
pub async fn undo(storage: &Storage, id: RecipientId, now_ms: i64) -> Result<Option<Applied>, StorageError> {
    let found = storage.queue().write(move |tx| storage::unsubscribe::undo(tx, id, now_ms)).await?;
    let who = found.as_ref().map(|applied| &applied.subscriber);
    if let Some((workspace, contact)) = who.and_then(|who| Some((who.workspace_id, who.contact_id?))) {
        storage.main().write(move |tx| storage::contact::engaged(tx, workspace, contact, now_ms)).await?;
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key() -> LinkKey {
        LinkKey::new(&[3; 32])
    }

    #[test]
    fn tokens_are_short_and_signed() {
        let token = key().encode(RecipientId(1_000_000));
        assert!(token.len() <= 20, "{token}");
        assert_eq!(key().decode(&token), Some(RecipientId(1_000_000)));
        assert_eq!(LinkKey::new(&[4; 32]).decode(&token), None, "another house's link");
        for broken in ["", "AAAA", "x", "ä", &token[1..], &format!("{token}AA")] {
            assert_eq!(key().decode(broken), None, "{broken}");
        }
    }

    proptest! {
        #[test]
        fn what_was_encoded_decodes(id in 0..i64::MAX) {
            prop_assert_eq!(key().decode(&key().encode(RecipientId(id))), Some(RecipientId(id)));
        }

        #[test]
        fn no_text_panics(text in "\\PC{0,40}") {
            prop_assert_eq!(key().decode(&text), None);
        }
    }
}
