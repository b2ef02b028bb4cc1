//! Secrets and signatures, by the Standard Webhooks scheme: base64 of HMAC-SHA-256 over `id.timestamp.body`, with `v1,`
//! before it; several signatures are parted by a blank, so that an old secret can end without a gap.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use dkim::MasterKey;
use storage::WebhookId;
use storage::webhook::Secrets;
use world::Random;
use zeroize::Zeroizing;

/// What a secret begins with.
const PREFIX: &str = "whsec_";
/// Bytes of a secret; the scheme wants 24 to 64.
const SECRET_BYTES: usize = 32;
/// How long the secret before signs too.
pub(super) const OVERLAP_MS: i64 = 24 * 3_600_000;

/// A new secret, sealed for its webhook.
pub(super) struct NewSecret {
    pub bytes: Zeroizing<[u8; SECRET_BYTES]>,
}

impl NewSecret {
    pub fn new(random: &dyn Random) -> NewSecret {
        let mut bytes = Zeroizing::new([0; SECRET_BYTES]);
        random.fill(&mut *bytes);
        NewSecret { bytes }
    }

    /// As people copy it into their program.
    pub fn text(&self) -> String {
        format!("{PREFIX}{}", STANDARD.encode(*self.bytes))
    }

    pub fn sealed(&self, master: &MasterKey, id: WebhookId) -> Vec<u8> {
        master.seal(&*self.bytes, &context(id))
    }
}

/// What the secret is sealed for: it opens in no other row.
fn context(id: WebhookId) -> String {
    format!("secret of webhook {id}")
}

/// Signs requests of one webhook.
pub(super) struct Signer {
    present: hmac::Key,
    before: Option<(hmac::Key, i64)>,
}

impl Signer {
    /// Opens a webhook's secrets.
    pub fn open(master: &MasterKey, id: WebhookId, secrets: &Secrets) -> Result<Signer, dkim::OpenError> {
        let key = |sealed: &[u8]| Ok(hmac::Key::new(hmac::HMAC_SHA256, &master.open(sealed, &context(id))?));
        let before = secrets.before.as_ref().map(|(sealed, until_ms)| Ok((key(sealed)?, *until_ms))).transpose()?;
        Ok(Signer { present: key(&secrets.sealed)?, before })
    }

    /// The headers of a request that is made now.
    pub fn headers(&self, message_id: &str, body: &str, now_ms: i64) -> [(&'static str, String); 3] {
        let seconds = (now_ms / 1000).to_string();
        let signed = [message_id, &seconds, body].join(".");
        let signature = |key: &hmac::Key| format!("v1,{}", STANDARD.encode(hmac::sign(key, signed.as_bytes())));
        let mut signatures = signature(&self.present);
        if let Some((key, _)) = self.before.as_ref().filter(|(_, until_ms)| now_ms < *until_ms) {
            signatures = format!("{signatures} {}", signature(key));
        }
        [("webhook-id", message_id.to_owned()), ("webhook-timestamp", seconds), ("webhook-signature", signatures)]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn master() -> MasterKey {
        MasterKey::parse(&STANDARD.encode([7; 32]), "test").unwrap()
    }

    #[test]
    fn the_example_of_the_scheme() {
        // The worked example that the scheme's libraries are tested with.
        let secret = STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let id = WebhookId(1);
        let secrets = Secrets { sealed: master().seal(&secret, &context(id)), before: None };
        let signer = Signer::open(&master(), id, &secrets).unwrap();
        let body = r#"{"test": 2432232314}"#;
        let headers = signer.headers("msg_p5jXN8AQM9LWM0D4loKWxJek", body, 1_614_265_330_999);
        assert_eq!(headers[1].1, "1614265330");
        assert_eq!(headers[2].1, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }

    #[test]
    fn the_secret_before_signs_too_until_its_time_is_over() {
        let id = WebhookId(3);
        let (old, new) = (NewSecret::new(&world::SystemRandom), NewSecret::new(&world::SystemRandom));
        assert!(old.text().starts_with(PREFIX) && old.text() != new.text());
        let secrets = Secrets { sealed: new.sealed(&master(), id), before: Some((old.sealed(&master(), id), 5000)) };
        let signer = Signer::open(&master(), id, &secrets).unwrap();
        let count = |now_ms| signer.headers("evt-1", "{}", now_ms)[2].1.split(' ').count();
        assert_eq!((count(4999), count(5000)), (2, 1));
        let only_old = Secrets { sealed: old.sealed(&master(), id), before: None };
        let old_signature = Signer::open(&master(), id, &only_old).unwrap().headers("evt-1", "{}", 4999)[2].1.clone();
        assert!(signer.headers("evt-1", "{}", 4999)[2].1.ends_with(&format!(" {old_signature}")));
        assert!(Signer::open(&master(), WebhookId(4), &only_old).is_err(), "a secret opens in its own row only");
    }
}
