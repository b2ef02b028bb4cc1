//! Passwords: Argon2id (RFC 9106) off the async threads, a few at a time, since each takes 19 MiB and some tens of
//! milliseconds of a core. OWASP's first parameters: m=19456 KiB, t=2, p=1.

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use tokio::sync::Semaphore;

/// Hashings at once; more wait.
const AT_ONCE: usize = 2;
/// A password shorter than this is refused.
pub(crate) const LENGTH_MIN: usize = 10;
/// A longer one only costs time to hash.
pub(crate) const LENGTH_MAX: usize = 256;

/// Verified against when nobody has the address, so that the answer takes as long as for somebody: the hash of a
/// random password that was thrown away.
const NOBODY: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$cGFja2V0Ym9hdC1ub2JvZHk$6Yw1lY8NBkYsXoG4mI8xVtYJ3t5rX0xk9mQkH0m2q0w";

/// Hashes and verifies passwords.
pub(crate) struct Passwords {
    places: Semaphore,
}

impl Passwords {
    pub fn new() -> Passwords {
        Passwords { places: Semaphore::new(AT_ONCE) }
    }

    /// The PHC form to store.
    pub async fn hash(&self, password: String) -> anyhow::Result<String> {
        let _place = self.places.acquire().await?;
        tokio::task::spawn_blocking(move || {
            let hash = Argon2::default().hash_password(password.as_bytes());
            hash.map(|hash| hash.to_string()).map_err(|e| anyhow::anyhow!("cannot hash a password: {e}"))
        })
        .await?
    }

    /// Whether the password is the one; with `None` for nobody, `false` after the same work.
    pub async fn verify(&self, password: String, stored: Option<String>) -> anyhow::Result<bool> {
        let _place = self.places.acquire().await?;
        let known = stored.is_some();
        let right = tokio::task::spawn_blocking(move || {
            let stored = stored.unwrap_or_else(|| NOBODY.to_owned());
            let parsed =
                PasswordHash::new(&stored).map_err(|e| anyhow::anyhow!("a stored password is damaged: {e}"))?;
            anyhow::Ok(Argon2::default().verify_password(password.as_bytes(), &parsed).is_ok())
        })
        .await??;
        Ok(right && known)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn right_wrong_and_nobody() {
        let passwords = Passwords::new();
        let hash = passwords.hash("a long password".to_owned()).await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        for (given, stored, expected) in [
            ("a long password", Some(hash.clone()), true),
            ("a longer password", Some(hash), false),
            ("a long password", None, false),
        ] {
            assert_eq!(passwords.verify(given.to_owned(), stored).await.unwrap(), expected);
        }
    }
}
