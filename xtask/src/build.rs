//! The programs that the other chores use: console, then daemon, built once in release mode.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::shell;
use crate::ui;

/// Builds the console, and the daemon that embeds it. Where nothing changed, only cargo is asked.
pub fn daemon_with_console(root: &Path) -> Result<PathBuf> {
    ui::build(root, &ui::Options { install_target: false })?;
    daemon(root)
}

/// Builds the daemon with the console that is there, and the simulated internet's program in the same go, since they
/// share most of what is compiled.
pub fn daemon(root: &Path) -> Result<PathBuf> {
    release(root, &["daemon", "sandbox"])?;
    Ok(release_folder(root).join("packetboat"))
}

/// Builds the programs of these rooms.
pub fn release(root: &Path, rooms: &[&str]) -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = shell::command(root, cargo);
    build.args(["build", "--release", "--locked", "--bins"]);
    for room in rooms {
        build.args(["--package", room]);
    }
    shell::run(&mut build)
}

/// Builds an example of a room.
pub fn release_example(root: &Path, room: &str, example: &str) -> Result<()> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut build = shell::command(root, cargo);
    shell::run(build.args(["build", "--release", "--locked", "--package", room, "--example", example]))
}

/// Where release builds lie.
pub fn release_folder(root: &Path) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    root.join(target).join("release")
}
