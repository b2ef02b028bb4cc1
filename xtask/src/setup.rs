//! Installs what a chore needs and this machine lacks, after saying what and why. Nothing is done, and no rights are
//! needed, where nothing is missing.
//!
//! Strategies: Debian's and Ubuntu's packages through apt; rustup's target for the console where it can be had, else
//! Debian's own toolchain; services that come with a package are kept from starting.

use std::fs;
use std::io::{IsTerminal, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use clap::ValueEnum;

use crate::shell;
use crate::ui;

/// What is to be done with the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Purpose {
    /// Building daemon and console, and the demo.
    Demo,
    /// Everything that `cargo xtask test` runs.
    Test,
    /// Making and testing the packages.
    Package,
    /// Measuring against Postfix.
    Bench,
    /// All of it.
    All,
}

/// A Debian package, why it is needed, and how to see that it is there.
struct Need {
    package: &'static str,
    why: &'static str,
    /// A program that it brings, or a path.
    sign: &'static str,
    purposes: &'static [Purpose],
}

const NEEDS: &[Need] = &[
    Need { package: "gcc", why: "compiles SQLite and the cryptography", sign: "gcc", purposes: &[Purpose::Demo] },
    Need {
        package: "libc6-dev",
        why: "compiles SQLite and the cryptography",
        sign: "/usr/include/stdlib.h",
        purposes: &[Purpose::Demo],
    },
    Need {
        package: "npm",
        why: "fetches the console's font and the driver of the browser tests",
        sign: "npm",
        purposes: &[Purpose::Test, Purpose::Package],
    },
    Need { package: "chromium", why: "runs the browser tests", sign: "chromium", purposes: &[Purpose::Test] },
    Need {
        package: "python3-venv",
        why: "holds dkimpy, the second opinion on our signatures",
        sign: "/usr/share/doc/python3-venv",
        purposes: &[Purpose::Test],
    },
    Need { package: "g++", why: "compiles libFuzzer", sign: "g++", purposes: &[Purpose::Test] },
    Need { package: "rpm", why: "makes the rpm package", sign: "rpmbuild", purposes: &[Purpose::Package] },
    Need { package: "cpio", why: "unpacks the rpm package to check it", sign: "cpio", purposes: &[Purpose::Package] },
    Need { package: "lintian", why: "checks the deb package", sign: "lintian", purposes: &[Purpose::Package] },
    Need {
        package: "debootstrap",
        why: "makes the clean system that the packages are installed in",
        sign: "debootstrap",
        purposes: &[Purpose::Package],
    },
    Need {
        package: "postfix",
        why: "the peer of tests and benchmark, and its smtp-sink",
        sign: "/usr/sbin/smtp-sink",
        purposes: &[Purpose::Bench, Purpose::Test],
    },
    Need {
        package: "libsasl2-modules",
        why: "lets Postfix sign in to us",
        sign: "/usr/share/doc/libsasl2-modules",
        purposes: &[Purpose::Test],
    },
    Need { package: "swaks", why: "a client that tests what is refused", sign: "swaks", purposes: &[Purpose::Test] },
    Need {
        package: "libnet-ssleay-perl",
        why: "TLS for swaks",
        sign: "/usr/share/doc/libnet-ssleay-perl",
        purposes: &[Purpose::Test],
    },
    Need {
        package: "python3-aiosmtpd",
        why: "a receiver with size limit and SMTPUTF8",
        sign: "/usr/lib/python3/dist-packages/aiosmtpd",
        purposes: &[Purpose::Test],
    },
    Need {
        package: "opendkim-tools",
        why: "makes the key of the benchmark's peer",
        sign: "opendkim-genkey",
        purposes: &[Purpose::Bench],
    },
    Need {
        package: "opendkim",
        why: "signs for the peer of the benchmark",
        sign: "opendkim",
        purposes: &[Purpose::Bench],
    },
];

impl Need {
    fn serves(&self, purpose: Purpose) -> bool {
        self.purposes.iter().any(|own| purpose.includes(*own))
    }

    fn is_missing(&self) -> bool {
        if self.sign.starts_with('/') { !Path::new(self.sign).exists() } else { shell::which(self.sign).is_none() }
    }
}

impl Purpose {
    /// Everything else begins with a build; the tests make packages.
    fn includes(self, other: Purpose) -> bool {
        match self {
            Purpose::All => true,
            Purpose::Test => matches!(other, Purpose::Test | Purpose::Demo | Purpose::Package),
            _ => other == self || other == Purpose::Demo,
        }
    }
}

/// Installs what is missing for the purpose.
pub fn setup(purpose: Purpose) -> Result<()> {
    let mut missing: Vec<(&str, &str)> = Vec::new();
    for need in NEEDS.iter().filter(|need| need.serves(purpose) && need.is_missing()) {
        missing.push((need.package, need.why));
    }
    if !ui::can_build()? && !add_rustup_target() {
        missing.extend(ui::DEBIAN_PACKAGES.map(|package| (package, "compiles the console to WebAssembly")));
    }
    if !missing.is_empty() {
        eprintln!("To be installed with apt-get:");
        for (package, why) in &missing {
            eprintln!("  {package:14} {why}");
        }
        let packages: Vec<&str> = missing.iter().map(|(package, _)| *package).collect();
        install(&packages)?;
    }
    Ok(())
}

/// rustup's target, where rustup is there and can fetch it; needs no rights.
fn add_rustup_target() -> bool {
    if shell::which("rustup").is_none() {
        return false;
    }
    eprintln!("The console is compiled to WebAssembly: rustup target add {}", ui::TARGET);
    let added = Command::new("rustup").args(["target", "add", ui::TARGET]).stdin(Stdio::null()).output();
    let added = added.is_ok_and(|output| output.status.success());
    if !added {
        eprintln!("rustup cannot fetch it here; Debian's own toolchain can do the same.");
    }
    added
}

fn install(packages: &[&str]) -> Result<()> {
    let by_hand = format!("apt-get install --no-install-recommends {}", packages.join(" "));
    if shell::which("apt-get").is_none() {
        bail!("this machine has no apt-get; install what these packages of Debian hold: {}", packages.join(" "));
    }
    let _quiet = KeptFromStarting::for_packages(packages)?;
    if packages.contains(&"postfix") {
        preseed_postfix(&by_hand)?;
    }
    apt_get(&["update"], &by_hand)?;
    let mut words = vec!["install", "-y", "--no-install-recommends"];
    words.extend(packages);
    apt_get(&words, &by_hand)
}

fn apt_get(words: &[&str], by_hand: &str) -> Result<()> {
    let mut command = as_root("apt-get", by_hand)?;
    command.arg("-qq").args(words).stdin(Stdio::null());
    shell::run_aloud(&mut command).with_context(|| format!("as root, run: {by_hand}"))
}

/// The program with the rights of root: as it is for root, else through sudo, which may ask on a terminal.
fn as_root(program: &str, by_hand: &str) -> Result<Command> {
    let mut command = if shell::is_root() {
        Command::new("env")
    } else if shell::which("sudo").is_some() {
        let mut sudo = Command::new("sudo");
        if !std::io::stdin().is_terminal() {
            sudo.arg("-n");
        }
        sudo.arg("env");
        sudo
    } else {
        bail!("packages are missing and there is no sudo; as root, run: {by_hand}");
    };
    command.args(["DEBIAN_FRONTEND=noninteractive", program]);
    Ok(command)
}

/// Postfix asks what kind of mail server this machine is; it shall be none.
fn preseed_postfix(by_hand: &str) -> Result<()> {
    let mut child = as_root("debconf-set-selections", by_hand)?.stdin(Stdio::piped()).spawn()?;
    let mut answers = child.stdin.take().context("debconf-set-selections takes no answers")?;
    answers.write_all(b"postfix postfix/main_mailer_type select No configuration\n")?;
    drop(answers);
    if !child.wait()?.success() {
        bail!("cannot tell the postfix package to configure nothing");
    }
    Ok(())
}

/// While this lives, no package that is installed starts its service. The way Debian has for that is a program which
/// invoke-rc.d asks.
struct KeptFromStarting(Option<PathBuf>);

impl KeptFromStarting {
    fn for_packages(packages: &[&str]) -> Result<KeptFromStarting> {
        let policy = PathBuf::from("/usr/sbin/policy-rc.d");
        let services = packages.iter().any(|package| ["postfix", "opendkim"].contains(package));
        if !services || policy.exists() {
            return Ok(KeptFromStarting(None));
        }
        if !shell::is_root() {
            eprintln!("These packages start services that nobody needs here: systemctl disable --now postfix opendkim");
            return Ok(KeptFromStarting(None));
        }
        fs::write(&policy, "#!/bin/sh\nexit 101\n").context("cannot keep the services from starting")?;
        fs::set_permissions(&policy, fs::Permissions::from_mode(0o755))?;
        Ok(KeptFromStarting(Some(policy)))
    }
}

impl Drop for KeptFromStarting {
    fn drop(&mut self) {
        if let Some(policy) = &self.0 {
            // Nothing can be done about it here, and the next installation would say so.
            let _ = fs::remove_file(policy);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_purpose_brings_what_it_needs() {
        let packages = |purpose| {
            let needs = NEEDS.iter().filter(|need| need.serves(purpose));
            needs.map(|need| need.package).collect::<Vec<_>>()
        };
        assert_eq!(packages(Purpose::Demo), ["gcc", "libc6-dev"]);
        assert!(packages(Purpose::Bench).contains(&"opendkim") && !packages(Purpose::Bench).contains(&"chromium"));
        assert!(packages(Purpose::Test).contains(&"debootstrap") && !packages(Purpose::Test).contains(&"opendkim"));
        assert_eq!(packages(Purpose::All).len(), NEEDS.len());
    }
}
