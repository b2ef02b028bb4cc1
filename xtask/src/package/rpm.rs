//! The package for Fedora, RHEL, SUSE and their kin.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

use super::VERSION;
use super::stage::Stage;
use crate::shell;

/// Makes the package.
pub fn build(root: &Path, daemon: &Path, to: &Path) -> Result<()> {
    let folder = root.join("target/packages");
    let stage = Stage::new(folder.join("rpm"))?;
    stage.put_common(root, daemon)?;
    stage.copy(&root.join("packaging/packetboat.service"), "usr/lib/systemd/system/packetboat.service", 0o644)?;
    stage.copy(&root.join("CHANGELOG.md"), "usr/share/doc/packetboat/CHANGELOG.md", 0o644)?;
    for license in ["LICENSE-APACHE", "LICENSE-MIT"] {
        stage.copy(&root.join(license), &format!("usr/share/licenses/packetboat/{license}"), 0o644)?;
    }
    fs::create_dir_all(stage.folder().join("var/lib/packetboat"))?;
    let top = folder.join("rpmbuild");
    let mut rpmbuild = shell::command(root, "rpmbuild");
    rpmbuild.args(["-bb", "--quiet"]);
    let definitions = [
        format!("_topdir {}", top.display()),
        format!("_rpmdir {}", top.display()),
        format!("packetboat_version {VERSION}"),
        format!("packetboat_stage {}", stage.folder().display()),
    ];
    for definition in &definitions {
        rpmbuild.args(["--define", definition]);
    }
    rpmbuild.arg(root.join("packaging/rpm/packetboat.spec"));
    shell::output(&mut rpmbuild)?;
    let name = to.file_name().context("the package has no name")?;
    let made = top.join(std::env::consts::ARCH).join(name);
    fs::copy(&made, to).with_context(|| format!("rpmbuild did not make {}", made.display()))?;
    fs::remove_dir_all(top)?;
    Ok(())
}
