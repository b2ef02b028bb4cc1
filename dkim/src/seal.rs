//! Secrets at rest: AES-256-GCM under a master key that lives in a file outside the database.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{HKDF_SHA256, KeyType, Prk, Salt};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// The first byte of everything sealed, so that another scheme can follow one day.
const VERSION: u8 = 1;

/// The key that all keys are kept under. Other secrets of the house are derived from it, each for its purpose.
pub struct MasterKey {
    sealing: LessSafeKey,
    root: Prk,
}

/// Why there is no master key.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    /// The file can't be read.
    #[error("the master key {path} cannot be read")]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
    /// There was none, and it can't be made.
    #[error("the master key {path} cannot be made")]
    Create {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        cause: io::Error,
    },
    /// Others may read the file.
    #[error("the master key {path} can be read by others (mode {mode:04o}); run: chmod 600 {path}")]
    Exposed {
        /// The file.
        path: PathBuf,
        /// Its permissions.
        mode: u32,
    },
    /// The content is no key.
    #[error("{origin} is not a master key: 32 bytes in base64 are expected")]
    Malformed {
        /// The file or other origin.
        origin: String,
    },
}

/// Why something sealed can't be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Sealed by a newer version, or no sealed secret at all.
    #[error("not a sealed secret of a form that this version knows")]
    Form,
    /// Another master key, another context, or changed bytes: there is no telling which.
    #[error("the secret was sealed with another master key, or for another purpose, or was changed")]
    Refused,
}

impl MasterKey {
    /// Reads the master key's file, or makes it (mode 0600) when there is none.
    ///
    /// # Errors
    /// When it can't be read or made, others may read it, or it holds something else.
    pub fn load_or_create(path: &Path) -> Result<MasterKey, MasterKeyError> {
        match fs::metadata(path) {
            Ok(metadata) => {
                let mode = metadata.mode() & 0o7777;
                if mode & 0o077 != 0 {
                    return Err(MasterKeyError::Exposed { path: path.to_owned(), mode });
                }
                let read = fs::read_to_string(path).map(Zeroizing::new);
                let text = read.map_err(|cause| MasterKeyError::Read { path: path.to_owned(), cause })?;
                MasterKey::parse(&text, &path.display().to_string())
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let text = fresh().map_err(|cause| MasterKeyError::Create { path: path.to_owned(), cause })?;
                write_durably(path, &text).map_err(|cause| MasterKeyError::Create { path: path.to_owned(), cause })?;
                MasterKey::parse(&text, &path.display().to_string())
            }
            Err(cause) => Err(MasterKeyError::Read { path: path.to_owned(), cause }),
        }
    }

    /// Takes a key given as text: 32 bytes in base64. `origin` names where it came from in errors.
    ///
    /// # Errors
    /// When it is something else.
    pub fn parse(text: &str, origin: &str) -> Result<MasterKey, MasterKeyError> {
        let malformed = || MasterKeyError::Malformed { origin: origin.to_owned() };
        let bytes = Zeroizing::new(STANDARD.decode(text.trim()).map_err(|_| malformed())?);
        if bytes.len() != 32 {
            return Err(malformed());
        }
        let root = Salt::new(HKDF_SHA256, b"packetboat master key").extract(&bytes);
        let key = expand(&root, "seal");
        let unbound = UnboundKey::new(&AES_256_GCM, &*key).map_err(|_| malformed())?;
        Ok(MasterKey { sealing: LessSafeKey::new(unbound), root })
    }

    /// A secret for one purpose, always the same: for signed tokens and the like.
    #[must_use]
    pub fn derive(&self, purpose: &str) -> Zeroizing<[u8; 32]> {
        expand(&self.root, &format!("derive {purpose}"))
    }

    /// A short text by which two master keys can be told apart and which reveals nothing. Kept in the database, so
    /// that a start with the wrong key file is refused instead of failing at the first signature.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        self.derive("fingerprint")[..8].iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Encrypts. `context` says what the secret is for ("dkim key of example.com, selector s1"); it isn't stored, and
    /// opening with another one fails, so that a row's secret can't be moved to another row.
    ///
    /// # Panics
    /// When the system's random generator fails.
    #[must_use]
    pub fn seal(&self, plaintext: &[u8], context: &str) -> Vec<u8> {
        let mut nonce = [0; NONCE_LEN];
        aws_lc_rs::rand::fill(&mut nonce).expect("the system's random generator works");
        let mut out = Vec::with_capacity(1 + NONCE_LEN + plaintext.len() + AES_256_GCM.tag_len());
        out.push(VERSION);
        out.extend_from_slice(&nonce);
        let mut secret = Zeroizing::new(plaintext.to_vec());
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = self
            .sealing
            .seal_in_place_separate_tag(nonce, Aad::from(context.as_bytes()), &mut secret)
            .expect("a secret is shorter than AES-GCM's limit of 64 GiB");
        out.extend_from_slice(&secret);
        out.extend_from_slice(tag.as_ref());
        out
    }

    /// Decrypts what `seal` made with the same key and context.
    ///
    /// # Errors
    /// When it was made with others, or changed.
    pub fn open(&self, sealed: &[u8], context: &str) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let (&version, rest) = sealed.split_first().ok_or(OpenError::Form)?;
        if version != VERSION || rest.len() < NONCE_LEN {
            return Err(OpenError::Form);
        }
        let (nonce, ciphertext) = rest.split_at(NONCE_LEN);
        let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| OpenError::Form)?;
        let mut buffer = Zeroizing::new(ciphertext.to_vec());
        let opened = self.sealing.open_in_place(nonce, Aad::from(context.as_bytes()), &mut buffer);
        let length = opened.map_err(|_| OpenError::Refused)?.len();
        buffer.truncate(length);
        Ok(buffer)
    }
}

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MasterKey({})", self.fingerprint())
    }
}

struct Length32;
impl KeyType for Length32 {
    fn len(&self) -> usize {
        32
    }
}

fn expand(root: &Prk, label: &str) -> Zeroizing<[u8; 32]> {
    let mut out = Zeroizing::new([0; 32]);
    let info = [label.as_bytes()];
    // HKDF gives up to 255 × 32 bytes; 32 never fail.
    root.expand(&info, Length32).and_then(|okm| okm.fill(&mut *out)).expect("HKDF gives 32 bytes");
    out
}

fn fresh() -> io::Result<Zeroizing<String>> {
    let mut bytes = Zeroizing::new([0; 32]);
    aws_lc_rs::rand::fill(&mut *bytes).map_err(|_| io::Error::other("the system's random generator failed"))?;
    Ok(Zeroizing::new(STANDARD.encode(*bytes) + "\n"))
}

/// A crash must leave either no key or the whole key: written beside, synced, renamed, and the folder synced.
fn write_durably(path: &Path, text: &str) -> io::Result<()> {
    let beside = path.with_extension("new");
    match fs::remove_file(&beside) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&beside)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    fs::rename(&beside, path)?;
    match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => File::open(dir)?.sync_all(),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn the_file_is_made_once_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("master.key");
        let first = MasterKey::load_or_create(&path).unwrap();
        let sealed = first.seal(b"secret", "a");
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        let again = MasterKey::load_or_create(&path).unwrap();
        assert_eq!(&again.open(&sealed, "a").unwrap()[..], b"secret");
        assert_eq!(first.fingerprint(), again.fingerprint());
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("master.key");
        MasterKey::load_or_create(&path).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let error = MasterKey::load_or_create(&path).unwrap_err().to_string();
        assert!(error.ends_with(&format!("(mode 0640); run: chmod 600 {}", path.display())), "{error}");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "short").unwrap();
        assert!(matches!(MasterKey::load_or_create(&path), Err(MasterKeyError::Malformed { .. })));
        let nowhere = dir.path().join("missing/master.key");
        assert!(matches!(MasterKey::load_or_create(&nowhere), Err(MasterKeyError::Create { .. })));
    }

    #[test]
    fn sealed_for_one_key_and_one_context() {
        let key = |byte: u8| MasterKey::parse(&STANDARD.encode([byte; 32]), "test").unwrap();
        let sealed = key(1).seal(b"secret", "a");
        assert_ne!(sealed, key(1).seal(b"secret", "a"), "each sealing has its own nonce");
        assert_eq!(key(1).open(&sealed, "b").unwrap_err(), OpenError::Refused);
        assert_eq!(key(2).open(&sealed, "a").unwrap_err(), OpenError::Refused);
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(key(1).open(&changed, "a").is_err(), "byte {at}");
            assert!(key(1).open(&sealed[..at], "a").is_err(), "cut at {at}");
        }
        assert_ne!(key(1).derive("x"), key(1).derive("y"));
        assert_ne!(key(1).fingerprint(), key(2).fingerprint());
        assert!(MasterKey::parse(&STANDARD.encode([1; 31]), "test").is_err());
    }
}
