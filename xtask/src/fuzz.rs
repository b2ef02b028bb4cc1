//! `cargo xtask fuzz`: libFuzzer over everything that reads what strangers send. The targets are in `fuzz`.
//!
//! It works with the stable toolchain: the counters that guide libFuzzer are a pass of the compiler's own LLVM. What
//! looks for wrong memory accesses is left out; no room that reads what strangers send has unsafe code.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};

use crate::setup::{Purpose, setup};
use crate::shell;

/// Counters of what was run, and comparisons to guess constants from.
const COUNTED: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1";

/// Options of the command line.
#[derive(clap::Args)]
pub struct Options {
    /// For each target
    #[arg(long, default_value_t = 60)]
    seconds: u32,
    /// One of the folders in fuzz/seeds; without it, all of them in turn
    target: Option<String>,
}

/// Builds the fuzzer and runs one target or all.
pub fn fuzz(root: &Path, options: &Options) -> Result<()> {
    setup(Purpose::Test)?;
    let all = targets(root)?;
    let chosen = match &options.target {
        None => all,
        Some(name) if all.contains(name) => vec![name.clone()],
        Some(name) => bail!("there is no target {name:?}; there are {}", all.join(", ")),
    };
    run(root, &chosen, options.seconds)
}

/// Every target, for so long each.
pub fn all(root: &Path, seconds: u32) -> Result<()> {
    run(root, &targets(root)?, seconds)
}

fn targets(root: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(root.join("fuzz/seeds")).context("fuzz/seeds has a folder for each target")? {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    ensure!(!names.is_empty(), "fuzz/seeds has no folder");
    Ok(names)
}

fn run(root: &Path, targets: &[String], seconds: u32) -> Result<()> {
    let program = build(root)?;
    for target in targets {
        let work = folder(root).join(target);
        fs::create_dir_all(work.join("corpus"))?;
        let log = work.join("log");
        let mut command = shell::command(root, &program);
        command.env("FUZZ_TARGET", target).arg(work.join("corpus")).arg(root.join("fuzz/seeds").join(target)).args([
            &format!("-max_total_time={seconds}"),
            &format!("-artifact_prefix={}/", work.display()),
            "-max_len=8192",
            "-timeout=10",
            "-rss_limit_mb=1024",
        ]);
        let ran = shell::run(command.stderr(fs::File::create(&log)?));
        ran.with_context(|| format!("{target} found something; see {}, and what it was fed beside it", log.display()))?;
        eprintln!("{target:10} {}", summary(&fs::read_to_string(&log)?)?);
    }
    Ok(())
}

/// The last line of a run, `#4096 DONE cov: 321 ft: 777 ...`; without counters it would have guessed blindly.
fn summary(log: &str) -> Result<String> {
    let done = log.lines().rfind(|line| line.contains("DONE")).context("libFuzzer did not come to its end")?;
    let mut words = done.split_whitespace();
    let inputs = words.next().unwrap_or_default().trim_start_matches('#').to_owned();
    let places: u64 = words.skip_while(|word| *word != "cov:").nth(1).and_then(|n| n.parse().ok()).unwrap_or(0);
    ensure!(places > 0, "the compiler counted nothing: {done}");
    Ok(format!("{inputs} inputs reached {places} places"))
}

fn folder(root: &Path) -> PathBuf {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |dir| root.join(dir));
    target.join("fuzz")
}

fn build(root: &Path) -> Result<PathBuf> {
    let host = host()?;
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = shell::command(&root.join("fuzz"), cargo);
    // With a target named, the flags are not for build scripts and macros, which run without libFuzzer.
    command.args(["build", "--release", "--locked", "--quiet", "--target", &host, "--target-dir"]).arg(folder(root));
    shell::run(command.env("RUSTFLAGS", COUNTED))?;
    Ok(folder(root).join(host).join("release/fuzz"))
}

fn host() -> Result<String> {
    let said = shell::output(Command::new("rustc").arg("-vV"))?;
    let host = said.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).context("rustc does not say what it runs on")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_is_summed_up_and_a_blind_one_fails() {
        let log = "INFO: Seed: 1\n#8\tINITED cov: 3 ft: 4\n#4096\tDONE   cov: 321 ft: 777 corp: 12/99b\nDone\n";
        assert_eq!(summary(log).unwrap(), "4096 inputs reached 321 places");
        assert!(summary("#4096\tDONE   corp: 1/1b").is_err() && summary("==1== ERROR: libFuzzer: timeout").is_err());
    }
}
