//! `cargo xtask package`: a deb and an rpm from the release build, with the tools of the distributions themselves
//! (`dpkg-deb`, `rpmbuild`); and their test in a clean system.

mod deb;
mod install;
mod rpm;
mod stage;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::setup::{Purpose, setup};
use crate::{build, shell};

pub use install::test_packages;

/// The version of everything: the workspace's.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The packages that were made.
pub struct Packages {
    /// For Debian and Ubuntu.
    pub deb: PathBuf,
    /// For Fedora, RHEL, SUSE and their kin.
    pub rpm: PathBuf,
}

impl Packages {
    /// Where they lie.
    pub fn of(root: &Path) -> Packages {
        let folder = root.join("target/packages");
        Packages {
            deb: folder.join(format!("packetboat_{VERSION}_{}.deb", deb::architecture())),
            rpm: folder.join(format!("packetboat-{VERSION}-1.{}.rpm", std::env::consts::ARCH)),
        }
    }
}

/// The chore: builds what is missing unless told not to, makes both packages, tests them if asked to.
pub fn package(root: &Path, test: bool, build: bool) -> Result<()> {
    setup(Purpose::Package)?;
    let daemon = if build { build::daemon_with_console(root)? } else { build::release_folder(root).join("packetboat") };
    let packages = build_packages(root, &daemon)?;
    println!("{}\n{}", packages.deb.display(), packages.rpm.display());
    if test {
        test_packages(root, &daemon)?;
    }
    Ok(())
}

/// Makes both packages from a daemon that is built.
pub fn build_packages(root: &Path, daemon: &Path) -> Result<Packages> {
    console_is_inside(root, daemon)?;
    let packages = Packages::of(root);
    for old in [&packages.deb, &packages.rpm] {
        if old.exists() {
            fs::remove_file(old).with_context(|| format!("cannot replace {}", old.display()))?;
        }
    }
    deb::build(root, daemon, &packages.deb)?;
    rpm::build(root, daemon, &packages.rpm)?;
    for package in [&packages.deb, &packages.rpm] {
        let size = fs::metadata(package).with_context(|| format!("{} was not made", package.display()))?.len();
        eprintln!("{} ({} kB)", package.display(), size / 1000);
    }
    Ok(packages)
}

/// A package without console would answer every page with an error, so it is not made. The names of the console's
/// files carry their content's hash, hence a binary with an older console is noticed too.
fn console_is_inside(root: &Path, daemon: &Path) -> Result<()> {
    let assets = root.join("admin-ui/dist/assets");
    let Ok(entries) = fs::read_dir(&assets) else {
        bail!("the console is not built, and the package needs it: run `cargo xtask ui`");
    };
    let binary = fs::read(daemon).with_context(|| format!("cannot read {}", daemon.display()))?;
    for entry in entries {
        let name = entry?.file_name();
        let name = name.as_encoded_bytes();
        if !binary.windows(name.len()).any(|window| window == name) {
            let name = String::from_utf8_lossy(name);
            bail!("{} lacks the console's file {name}: build the daemon again", daemon.display());
        }
    }
    Ok(())
}

/// The date of the last commit: the same sources give the same packages.
fn date(root: &Path, format: &str) -> Result<String> {
    let moment = shell::output(shell::command(root, "git").args(["log", "-1", "--format=@%ct"]));
    let moment = moment.unwrap_or_else(|_| "now".to_owned());
    let mut date = shell::command(root, "date");
    date.env("LC_ALL", "C").args(["--utc", "--date", moment.trim()]).arg(format!("+{format}"));
    Ok(shell::output(&mut date)?.trim().to_owned())
}
