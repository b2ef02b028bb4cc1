//! The package for Debian and Ubuntu.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use super::stage::Stage;
use super::{VERSION, date};
use crate::shell;

/// What Debian calls the processor that we build for.
pub fn architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// Makes the package.
pub fn build(root: &Path, daemon: &Path, to: &Path) -> Result<()> {
    let recipe = root.join("packaging/deb");
    let stage = Stage::new(root.join("target/packages/deb"))?;
    stage.put_common(root, daemon)?;
    stage.copy(&root.join("packaging/packetboat.service"), "lib/systemd/system/packetboat.service", 0o644)?;
    stage.copy(&recipe.join("copyright"), "usr/share/doc/packetboat/copyright", 0o644)?;
    stage.write("usr/share/doc/packetboat/changelog.gz", &changelog(root)?, 0o644)?;
    stage.copy(&recipe.join("lintian-overrides"), "usr/share/lintian/overrides/packetboat", 0o644)?;
    let binary = fs::read(daemon)?;
    let control = fs::read_to_string(recipe.join("control")).context("cannot read packaging/deb/control")?;
    let control = control
        .replace("@VERSION@", VERSION)
        .replace("@ARCHITECTURE@", architecture())
        .replace("@INSTALLED_SIZE@", &stage.size()?.div_ceil(1024).to_string())
        .replace("@DEPENDS@", &depends(&binary));
    let sums = checksums(&stage)?;
    stage.write("DEBIAN/control", control.as_bytes(), 0o644)?;
    stage.write("DEBIAN/md5sums", sums.as_bytes(), 0o644)?;
    stage.copy(&recipe.join("conffiles"), "DEBIAN/conffiles", 0o644)?;
    for script in ["postinst", "prerm", "postrm"] {
        stage.copy(&recipe.join(script), &format!("DEBIAN/{script}"), 0o755)?;
    }
    let mut dpkg = shell::command(root, "dpkg-deb");
    dpkg.args(["--build", "--root-owner-group"]).arg(stage.folder()).arg(to);
    shell::output(&mut dpkg)?;
    let mut lintian = shell::command(root, "lintian");
    lintian.args(["--allow-root", "--fail-on", "error"]).arg(to);
    shell::run(&mut lintian).context("lintian found mistakes in the package")
}

/// The C library in the version that the program asks for, and what the maintainer scripts use.
fn depends(binary: &[u8]) -> String {
    let mut packages = vec!["adduser".to_owned(), format!("libc6 (>= {})", glibc_version(binary))];
    if has(binary, b"libgcc_s.so.1") {
        packages.push("libgcc-s1 (>= 4.2)".to_owned());
    }
    packages.join(", ")
}

fn has(binary: &[u8], word: &[u8]) -> bool {
    binary.windows(word.len()).any(|window| window == word)
}

/// The highest version of the C library among the symbols that the program uses.
fn glibc_version(binary: &[u8]) -> String {
    const MARK: &[u8] = b"GLIBC_2.";
    let mut highest = 17;
    for (at, window) in binary.windows(MARK.len()).enumerate() {
        if window == MARK {
            let digits = binary[at + MARK.len()..].iter().take_while(|byte| byte.is_ascii_digit());
            let minor = digits.fold(0u32, |number, digit| number.saturating_mul(10) + u32::from(digit - b'0'));
            highest = highest.max(minor);
        }
    }
    format!("2.{highest}")
}

/// Debian's form of our changelog: the entries of the newest version.
fn changelog(root: &Path) -> Result<Vec<u8>> {
    let ours = fs::read_to_string(root.join("CHANGELOG.md")).context("cannot read CHANGELOG.md")?;
    let mut text = format!("packetboat ({VERSION}) unstable; urgency=medium\n\n");
    for entry in newest_entries(&ours) {
        text.push_str(&format!("  * {entry}\n"));
    }
    let when = date(root, "%a, %d %b %Y %H:%M:%S +0000")?;
    text.push_str(&format!("\n -- Packetboat developers <packetboat@localhost>  {when}\n"));
    let plain = root.join("target/packages/changelog");
    fs::write(&plain, text)?;
    let output = Command::new("gzip").args(["-9", "-n", "-c"]).arg(&plain).output().context("cannot run gzip")?;
    Ok(output.stdout)
}

/// The list items below the first heading of a version, in lines as short as Debian wants them.
fn newest_entries(changelog: &str) -> Vec<String> {
    let mut entries: Vec<String> = Vec::new();
    for line in changelog.lines().skip_while(|line| !line.starts_with("## ")).skip(1) {
        if line.starts_with("## ") {
            break;
        }
        if let Some(entry) = line.strip_prefix("- ") {
            entries.push(entry.to_owned());
        } else if let (Some(last), true) = (entries.last_mut(), line.starts_with("  ")) {
            last.push(' ');
            last.push_str(line.trim());
        }
    }
    entries.iter().map(|entry| wrapped(entry)).collect()
}

fn wrapped(entry: &str) -> String {
    const WIDTH: usize = 72;
    let mut lines = vec![String::new()];
    for word in entry.split_whitespace() {
        let line = lines.last_mut().filter(|line| line.is_empty() || line.len() + word.len() < WIDTH);
        match line {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) => line.extend([" ", word]),
            None => lines.push(word.to_owned()),
        }
    }
    lines.join("\n    ")
}

fn checksums(stage: &Stage) -> Result<String> {
    let mut list = Command::new("sh");
    list.current_dir(stage.folder());
    list.args(["-c", "find . -type f ! -path './etc/*' -printf '%P\\0' | LC_ALL=C sort -z | xargs -0 md5sum"]);
    shell::output(&mut list)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asks_for_the_newest_c_library_that_is_used() {
        assert_eq!(depends(b"..GLIBC_2.17\0GLIBC_2.34\0GLIBC_2.3.4"), "adduser, libc6 (>= 2.34)");
        assert!(depends(b"libgcc_s.so.1").ends_with("libgcc-s1 (>= 4.2)"));
    }

    #[test]
    fn takes_the_newest_version_of_the_changelog() {
        let text = "# Changelog\n\n## 0.2.0\n\n- One\n  more.\n- Two.\n\n## 0.1.0\n- Old.\n";
        assert_eq!(newest_entries(text), ["One more.", "Two."]);
        assert_eq!(wrapped(&"word ".repeat(20)).lines().count(), 2);
    }
}
