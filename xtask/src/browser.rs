//! `cargo xtask browser` and `cargo xtask screenshots`: the demo's console in Chromium. The stories are npm's
//! (`xtask/browser`), since the driver of browsers is; here is only what must be there first.

use std::path::Path;

use anyhow::Result;

use crate::setup::{Purpose, setup};
use crate::{build, shell};

/// Builds what is missing and runs the browser tests.
pub fn browser(root: &Path) -> Result<()> {
    setup(Purpose::Test)?;
    let daemon = build::daemon_with_console(root)?;
    tests(root, &daemon)
}

/// Makes the pictures of README and documents anew.
pub fn screenshots(root: &Path) -> Result<()> {
    setup(Purpose::Test)?;
    let daemon = build::daemon_with_console(root)?;
    run(root, &daemon, &["run", "--silent", "pictures"])
}

/// Runs the browser tests over a daemon that is built already.
pub fn tests(root: &Path, daemon: &Path) -> Result<()> {
    run(root, daemon, &["test", "--silent"])
}

fn run(root: &Path, daemon: &Path, words: &[&str]) -> Result<()> {
    let folder = root.join("xtask/browser");
    // Nothing of these packages needs its install script: the browser is Debian's.
    let install = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
    shell::run(shell::command(&folder, "npm").args(install))?;
    shell::run(shell::command(&folder, "npm").args(words).env("PACKETBOAT", daemon))
}
