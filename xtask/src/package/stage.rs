//! The tree of files that goes into a package.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// A folder that stands for `/` of the system that the package is installed in.
pub struct Stage {
    folder: PathBuf,
}

impl Stage {
    /// An empty one.
    pub fn new(folder: PathBuf) -> Result<Stage> {
        if folder.exists() {
            fs::remove_dir_all(&folder).with_context(|| format!("cannot clear {}", folder.display()))?;
        }
        fs::create_dir_all(&folder)?;
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755))?;
        Ok(Stage { folder })
    }

    /// Where it is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Copies a file in.
    pub fn copy(&self, from: &Path, to: &str, mode: u32) -> Result<()> {
        let bytes = fs::read(from).with_context(|| format!("cannot read {}", from.display()))?;
        self.write(to, &bytes, mode)
    }

    /// Writes a file, with mode 0755 for the folders on the way whatever our own umask is.
    pub fn write(&self, to: &str, bytes: &[u8], mode: u32) -> Result<()> {
        let path = self.folder.join(to);
        self.create_dir(path.parent().unwrap_or(&self.folder))?;
        fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
        Ok(())
    }

    fn create_dir(&self, folder: &Path) -> Result<()> {
        fs::create_dir_all(folder)?;
        for ancestor in folder.ancestors().take_while(|ancestor| *ancestor != self.folder) {
            fs::set_permissions(ancestor, fs::Permissions::from_mode(0o755))?;
        }
        Ok(())
    }

    /// What both packages have: program, configuration, documents.
    pub fn put_common(&self, root: &Path, daemon: &Path) -> Result<()> {
        self.copy(daemon, "usr/bin/packetboat", 0o755)?;
        self.copy(&root.join("packaging/packetboat.toml"), "etc/packetboat/packetboat.toml", 0o644)?;
        let reference = root.join("docs/reference/configuration.md");
        self.copy(&reference, "usr/share/doc/packetboat/configuration.md", 0o644)
    }

    /// Bytes of all files.
    pub fn size(&self) -> Result<u64> {
        size_below(&self.folder)
    }
}

fn size_below(folder: &Path) -> Result<u64> {
    let mut size = 0;
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let metadata = entry.metadata()?;
        size += if metadata.is_dir() { size_below(&entry.path())? } else { metadata.len() };
    }
    Ok(size)
}
