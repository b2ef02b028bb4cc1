//! Secrets come from outside the TOML: a file, a systemd credential, or the environment.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// Why a secret that was promised could not be read. A secret that nobody gave is `Ok(None)`.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// A file that was named is not readable.
    #[error("the secret {name} cannot be read from {path}")]
    Read {
        /// Which secret.
        name: String,
        /// From where.
        path: PathBuf,
        /// What the system says.
        #[source]
        cause: std::io::Error,
    },
    /// A secret that is needed is nowhere.
    #[error("the secret {name} is nowhere: name a file for it, or give it as systemd credential or as PACKETBOAT_{}", name.to_ascii_uppercase())]
    Absent {
        /// Which secret.
        name: String,
    },
    /// Found, but with nothing in it.
    #[error("the secret {name} from {origin} is empty")]
    Empty {
        /// Which secret.
        name: String,
        /// The file or environment variable.
        origin: String,
    },
}

/// Looks for the secret `name` (lower case, `master_key`): in `file` when one is named; else in
/// `$CREDENTIALS_DIRECTORY/<name>` (systemd's LoadCredential=); else in `PACKETBOAT_<NAME>`. White space at the end
/// is not part of it. `env` looks up the environment: `|name| std::env::var_os(name)` outside tests.
///
/// # Errors
/// When a place that should have it can't be read, or has only white space.
pub fn read(
    name: &str,
    file: Option<&Path>,
    env: impl Fn(&str) -> Option<OsString>,
) -> Result<Option<String>, SecretError> {
    let credential = || {
        let path = PathBuf::from(env("CREDENTIALS_DIRECTORY")?).join(name);
        path.exists().then_some(path)
    };
    if let Some(path) = file.map(Path::to_path_buf).or_else(credential) {
        let text = std::fs::read_to_string(&path).map_err(|cause| SecretError::Read {
            name: name.to_owned(),
            path: path.clone(),
            cause,
        })?;
        return not_empty(name, &text, path.display().to_string()).map(Some);
    }
    let variable = format!("PACKETBOAT_{}", name.to_ascii_uppercase());
    match env(&variable) {
        Some(value) => not_empty(name, &value.to_string_lossy(), variable).map(Some),
        None => Ok(None),
    }
}

fn not_empty(name: &str, text: &str, origin: String) -> Result<String, SecretError> {
    let trimmed = text.trim_end();
    if trimmed.is_empty() {
        return Err(SecretError::Empty { name: name.to_owned(), origin });
    }
    Ok(trimmed.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn file_then_credential_then_environment() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("key.txt");
        std::fs::write(&file, "from file\n").unwrap();
        let credentials = dir.path().join("credentials");
        std::fs::create_dir(&credentials).unwrap();
        std::fs::write(credentials.join("master_key"), "from systemd").unwrap();
        let env = |with_credentials: bool| {
            let credentials = credentials.clone();
            move |name: &str| match name {
                "CREDENTIALS_DIRECTORY" => with_credentials.then(|| credentials.clone().into_os_string()),
                "PACKETBOAT_MASTER_KEY" => Some("from environment".into()),
                _ => None,
            }
        };
        let found = |file: Option<&Path>, credentials| read("master_key", file, env(credentials)).unwrap();
        assert_eq!(found(Some(&file), true).as_deref(), Some("from file"));
        assert_eq!(found(None, true).as_deref(), Some("from systemd"));
        assert_eq!(found(None, false).as_deref(), Some("from environment"));
        assert_eq!(read("other", None, |_| None).unwrap(), None);
        let missing = read("master_key", Some(Path::new("/nonexistent/x")), |_| None).unwrap_err();
        assert_eq!(missing.to_string(), "the secret master_key cannot be read from /nonexistent/x");
        let empty = read("master_key", None, |name| (name == "PACKETBOAT_MASTER_KEY").then(|| "\n".into()));
        assert_eq!(empty.unwrap_err().to_string(), "the secret master_key from PACKETBOAT_MASTER_KEY is empty");
    }
}
