//! The master key and what is derived from it.

use anyhow::{Context, bail};
use config::Config;
use dkim::MasterKey;
use storage::{Storage, meta};
use zeroize::Zeroizing;

/// Under which the database remembers which master key it was made with.
const FINGERPRINT: &str = "master_key_fingerprint";

/// Secrets of the house.
pub struct Keys {
    /// Seals the signing keys.
    pub master: MasterKey,
    /// Signs return paths (VERP).
    pub verp: Zeroizing<[u8; 32]>,
    /// Signs unsubscribe links.
    pub unsubscribe: Zeroizing<[u8; 32]>,
}

impl Keys {
    /// Finds the master key, or makes it at the first start, and refuses one that the database was not made with:
    /// it could sign nothing, and every link in mails already sent would be dead.
    pub(crate) async fn load(config: &Config, storage: &Storage) -> anyhow::Result<Keys> {
        let master = find(config)?;
        let fingerprint = master.fingerprint();
        let stored = storage.read(|c| meta::get(c, FINGERPRINT)).await?;
        match stored {
            None => {
                let value = fingerprint.into_bytes();
                storage.main().write(move |tx| meta::set(tx, FINGERPRINT, &value)).await?;
            }
            Some(known) if known == fingerprint.as_bytes() => {}
            Some(known) => bail!(
                "this is not the master key that the database in {} was made with (fingerprint {fingerprint}, expected \
                 {}); put the right key back: server.master_key_file, the systemd credential or PACKETBOAT_MASTER_KEY",
                storage.dir().display(),
                String::from_utf8_lossy(&known),
            ),
        }
        Ok(Keys { verp: master.derive("verp"), unsubscribe: master.derive("unsubscribe"), master })
    }
}

fn find(config: &Config) -> anyhow::Result<MasterKey> {
    if config.server.master_key_file.is_none() {
        let given = config::secret::read("master_key", None, |name| std::env::var_os(name))?;
        if let Some(text) = given.map(Zeroizing::new) {
            let origin = "the systemd credential or PACKETBOAT_MASTER_KEY";
            return MasterKey::parse(&text, origin).context("cannot use the master key");
        }
    }
    MasterKey::load_or_create(&config.master_key_file()).context("cannot use the master key")
}
