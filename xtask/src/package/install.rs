//! The test of the packages: the deb is installed in a clean Debian system, the daemon runs there as its own user,
//! and everything goes when it is purged. The rpm is unpacked and compared.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::{Packages, VERSION};
use crate::http::{Answer, Place};
use crate::shell;

const RELEASE: &str = "bookworm";
const MIRROR: &str = "http://deb.debian.org/debian";
const START_WAIT: Duration = Duration::from_secs(30);
const STOP_WAIT: Duration = Duration::from_secs(30);

/// Tests both packages. Needs root for the clean system.
pub fn test_packages(root: &Path, daemon: &Path) -> Result<()> {
    ensure!(shell::is_root(), "the install test needs root (chroot); repeat it with sudo");
    let packages = Packages::of(root);
    check_unit(root)?;
    check_rpm(root, &packages.rpm, daemon)?;
    let clean = CleanSystem::make(root)?;
    check_deb(&clean, &packages.deb)
}

/// systemd reads the unit, where systemd is here to ask.
fn check_unit(root: &Path) -> Result<()> {
    if shell::which("systemd-analyze").is_none() {
        eprintln!("systemd-analyze is not here: the unit is not checked");
        return Ok(());
    }
    let mut analyze = shell::command(root, "systemd-analyze");
    analyze.args(["verify", "--man=no", "packaging/packetboat.service"]);
    let output = analyze.output().context("cannot run systemd-analyze")?;
    // The program is not installed here, and systemd finds faults with other units of this machine too.
    let faults = String::from_utf8_lossy(&output.stderr).into_owned();
    let about_us = |line: &&str| line.contains("packetboat.service") && !line.contains("is not executable");
    let ours: Vec<&str> = faults.lines().filter(about_us).collect();
    ensure!(ours.is_empty(), "systemd finds faults with the unit:\n{}", ours.join("\n"));
    Ok(())
}

/// A Debian system with nothing in it but what every one has. What debootstrap fetched is kept for the next time.
struct CleanSystem {
    folder: PathBuf,
}

impl CleanSystem {
    fn make(root: &Path) -> Result<CleanSystem> {
        let place = root.join("target/install-test");
        let image = place.join(format!("{RELEASE}.tar"));
        let folder = place.join("root");
        fs::create_dir_all(&place)?;
        remove(&folder)?;
        if !image.exists() {
            eprintln!("Making a clean Debian {RELEASE} with debootstrap (once).");
            let mut debootstrap = shell::command(root, "debootstrap");
            debootstrap.args(["--variant=minbase", "--include=adduser", RELEASE]).arg(&folder).arg(MIRROR);
            shell::output(&mut debootstrap)?;
            // Renamed when whole: a tarball that was cut short would spoil every later test.
            let half = place.join("half.tar");
            shell::run(shell::command(&folder, "tar").arg("--create").arg("--file").arg(&half).arg("."))?;
            fs::rename(half, &image)?;
        } else {
            fs::create_dir_all(&folder)?;
            shell::run(shell::command(&folder, "tar").arg("--extract").arg("--file").arg(&image))?;
        }
        Ok(CleanSystem { folder })
    }

    fn path(&self, absolute: &str) -> PathBuf {
        self.folder.join(absolute.trim_start_matches('/'))
    }

    /// A command inside.
    fn command(&self, words: &[&str]) -> Command {
        let mut chroot = Command::new("chroot");
        chroot.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin").env("DEBIAN_FRONTEND", "noninteractive");
        chroot.arg(&self.folder).args(words);
        chroot
    }

    /// Owner's name, group's name and mode of a file inside, as `ls` shows them.
    fn describe(&self, absolute: &str) -> Result<String> {
        let description = shell::output(&mut self.command(&["stat", "--format=%U %G %a", absolute]))?;
        Ok(description.trim().to_owned())
    }
}

impl Drop for CleanSystem {
    fn drop(&mut self) {
        // 200 MB that the tarball has too; what cannot be removed is removed by the next test.
        let _ = remove(&self.folder);
    }
}

fn remove(folder: &Path) -> Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot remove {}", folder.display()))?;
    }
    Ok(())
}

fn check_deb(clean: &CleanSystem, deb: &Path) -> Result<()> {
    let configuration = "/etc/packetboat/packetboat.toml";
    fs::copy(deb, clean.path("/packetboat.deb"))?;
    install(clean)?;
    for (path, expected) in [
        ("/usr/bin/packetboat", "root root 755"),
        (configuration, "root root 644"),
        ("/var/lib/packetboat", "packetboat packetboat 750"),
        ("/lib/systemd/system/packetboat.service", "root root 644"),
    ] {
        let found = clean.describe(path)?;
        ensure!(found == expected, "{path} is {found:?}, not {expected:?}");
    }
    let enabled = clean.path("/etc/systemd/system/multi-user.target.wants/packetboat.service");
    ensure!(enabled.is_symlink(), "the service is not enabled");
    let version = shell::output(&mut clean.command(&["packetboat", "version"]))?;
    ensure!(version.contains(VERSION), "`packetboat version` says {version:?}, not {VERSION}");
    shell::output(&mut clean.command(&["packetboat", "check", configuration]))?;

    let port = free_port()?;
    let edited = with_listener(&fs::read_to_string(clean.path(configuration))?, port)?;
    fs::write(clean.path(configuration), &edited)?;
    runs_as_its_user(clean, port)?;

    install(clean)?;
    ensure!(fs::read_to_string(clean.path(configuration))? == edited, "an upgrade overwrote the edited configuration");
    runs_as_its_user(clean, port)?;

    shell::output(&mut clean.command(&["dpkg", "--remove", "packetboat"]))?;
    ensure!(!clean.path("/usr/bin/packetboat").exists(), "removing leaves the program");
    ensure!(clean.path(configuration).exists(), "removing takes the edited configuration along");
    ensure!(clean.path("/var/lib/packetboat/main.db").exists(), "removing takes the database along");
    shell::output(&mut clean.command(&["dpkg", "--purge", "packetboat"]))?;
    for path in [configuration, "/etc/packetboat", "/var/lib/packetboat"] {
        ensure!(!clean.path(path).exists(), "purging leaves {path}");
    }
    let users = fs::read_to_string(clean.path("/etc/passwd"))?;
    ensure!(!users.contains("packetboat:"), "purging leaves the user packetboat");
    eprintln!("deb: installed, started, upgraded, removed and purged in a clean Debian {RELEASE}.");
    Ok(())
}

fn install(clean: &CleanSystem) -> Result<()> {
    shell::output(&mut clean.command(&["dpkg", "--force-confold", "--install", "/packetboat.deb"]))?;
    Ok(())
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// The configuration with one line changed as an administrator would, so that nothing else on this machine is in the
/// way.
fn with_listener(configuration: &str, port: u16) -> Result<String> {
    let shipped = "#listen = \"127.0.0.1:8080\"";
    ensure!(configuration.contains(shipped), "the shipped configuration has no line {shipped}");
    Ok(configuration.replace(shipped, &format!("listen = \"127.0.0.1:{port}\"")))
}

/// Starts the daemon as the unit does, asks whether it is well, and stops it.
fn runs_as_its_user(clean: &CleanSystem, port: u16) -> Result<()> {
    let log = clean.path("/tmp/packetboat.log");
    let mut command = clean.command(&["packetboat", "serve", "--config", "/etc/packetboat/packetboat.toml"]);
    // chroot's own option must stand before the folder, so the words are put together anew.
    let words: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
    command = Command::new("chroot");
    command.env_clear().env("PATH", "/usr/sbin:/usr/bin:/sbin:/bin");
    command.arg("--userspec=packetboat:packetboat").args(words);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(fs::File::create(&log)?);
    let mut daemon = Running(command.spawn().context("cannot start the daemon in the clean system")?);
    let answered = answers(&mut daemon.0, port).with_context(|| tail(&log))?;
    ensure!(answered.status == 200, "/healthz answers {}: {}", answered.status, answered.body);
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.0.id()))?;
    ensure!(!status.contains("Uid:\t0\t"), "the daemon runs as root");
    let key = fs::metadata(clean.path("/var/lib/packetboat/master.key")).context("no master key was made")?;
    ensure!(key.permissions().mode() & 0o777 == 0o600 && key.uid() != 0, "the master key is not the daemon's alone");
    let console = Place::Port(port).get("/")?;
    ensure!(console.status == 200 && console.body.contains("<html"), "the console is not served: {}", console.status);
    shell::terminate(daemon.0.id())?;
    let stopped = wait(&mut daemon.0, STOP_WAIT)?;
    ensure!(stopped, "the daemon does not stop within {STOP_WAIT:?}: {}", tail(&log));
    Ok(())
}

/// A child that does not outlive the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended, which is what we want.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn answers(daemon: &mut Child, port: u16) -> Result<Answer> {
    let begun = Instant::now();
    while begun.elapsed() < START_WAIT {
        if let Ok(answer) = Place::Port(port).get("/healthz") {
            return Ok(answer);
        }
        if let Some(status) = daemon.try_wait()? {
            bail!("the daemon ended at once ({status})");
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    bail!("/healthz does not answer within {START_WAIT:?}")
}

fn wait(child: &mut Child, time: Duration) -> Result<bool> {
    let begun = Instant::now();
    while begun.elapsed() < time {
        if let Some(status) = child.try_wait()? {
            ensure!(status.success(), "the daemon ended with {status}");
            return Ok(true);
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    Ok(false)
}

fn tail(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    format!("the daemon said:\n{}", lines[lines.len().saturating_sub(20)..].join("\n"))
}

/// The rpm holds what it should, with the rights that it should, and the program that was built.
fn check_rpm(root: &Path, rpm: &Path, daemon: &Path) -> Result<()> {
    let query = |words: &[&str]| shell::output(shell::command(root, "rpm").args(words).arg(rpm));
    let listed = query(&["-qp", "--queryformat", "[%{FILEMODES:perms} %{FILEUSERNAME} %{FILENAMES}\n]"])?;
    let expected = "\
drwxr-xr-x root /etc/packetboat
-rw-r--r-- root /etc/packetboat/packetboat.toml
-rwxr-xr-x root /usr/bin/packetboat
-rw-r--r-- root /usr/lib/systemd/system/packetboat.service
-rw-r--r-- root /usr/share/doc/packetboat/CHANGELOG.md
-rw-r--r-- root /usr/share/doc/packetboat/configuration.md
-rw-r--r-- root /usr/share/licenses/packetboat/LICENSE-APACHE
-rw-r--r-- root /usr/share/licenses/packetboat/LICENSE-MIT
drwxr-x--- packetboat /var/lib/packetboat
";
    ensure!(listed == expected, "the rpm holds\n{listed}and not\n{expected}");
    let kept = query(&["-qp", "--configfiles"])?;
    ensure!(kept.trim() == "/etc/packetboat/packetboat.toml", "the rpm's configuration files are {kept:?}");
    let scripts = query(&["-qp", "--scripts"])?;
    for line in
        ["useradd --system", "systemctl preset packetboat.service", "systemctl disable --now packetboat.service"]
    {
        ensure!(scripts.contains(line), "the rpm's scripts lack `{line}`");
    }
    let folder = root.join("target/install-test/rpm");
    remove(&folder)?;
    fs::create_dir_all(&folder)?;
    let unpack = format!("rpm2cpio '{}' | cpio --quiet -idm", rpm.display());
    shell::run(shell::command(&folder, "sh").args(["-c", &unpack]))?;
    ensure!(fs::read(folder.join("usr/bin/packetboat"))? == fs::read(daemon)?, "the rpm holds another program");
    let program = folder.join("usr/bin/packetboat");
    shell::output(Command::new(program).arg("check").arg(folder.join("etc/packetboat/packetboat.toml")))?;
    remove(&folder)?;
    eprintln!("rpm: unpacked and compared.");
    Ok(())
}
