//! `cargo xtask test`: everything that must hold before a change goes in, in an order that compiles nothing twice.
//! `.ci/run` runs this and nothing else.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::package;
use crate::setup::{Purpose, setup};
use crate::{browser, build, demo, fuzz, links, shell, ui};

/// For each target of the fuzzer: enough for the seeds and what lies near them.
const FUZZ_SECONDS: u32 = 5;

/// What became of a step.
enum Outcome {
    Passed,
    Failed(String),
    Skipped(String),
}

/// The steps that have been done.
#[derive(Default)]
struct Run {
    steps: Vec<(&'static str, Outcome, Duration)>,
}

impl Run {
    fn step(&mut self, name: &'static str, action: impl FnOnce() -> Result<()>) -> bool {
        eprintln!("\n=== {name}");
        let begun = Instant::now();
        let outcome = match action() {
            Ok(()) => Outcome::Passed,
            Err(error) => {
                eprintln!("{name} failed: {error:#}");
                Outcome::Failed(format!("{error:#}").lines().next().unwrap_or_default().to_owned())
            }
        };
        let passed = matches!(outcome, Outcome::Passed);
        self.steps.push((name, outcome, begun.elapsed()));
        passed
    }

    fn skip(&mut self, name: &'static str, why: &str) {
        self.steps.push((name, Outcome::Skipped(why.to_owned()), Duration::ZERO));
    }

    /// The summary, and its last line in the form that every test runner ends with.
    fn finish(self) -> Result<()> {
        println!("\n{:28} {:>7}", "step", "seconds");
        let (mut passed, mut failed, mut skipped) = (0, 0, 0);
        for (name, outcome, time) in &self.steps {
            let word = match outcome {
                Outcome::Passed => {
                    passed += 1;
                    "passed".to_owned()
                }
                Outcome::Failed(why) => {
                    failed += 1;
                    format!("FAILED: {why}")
                }
                Outcome::Skipped(why) => {
                    skipped += 1;
                    format!("skipped: {why}")
                }
            };
            println!("{name:28} {:>7.1}  {word}", time.as_secs_f64());
        }
        let total: Duration = self.steps.iter().map(|(.., time)| *time).sum();
        println!("{:28} {:>7.1}", "all", total.as_secs_f64());
        println!("\n{passed} passed, {failed} failed, {skipped} skipped");
        if failed > 0 {
            bail!("{failed} of {} steps failed", self.steps.len());
        }
        Ok(())
    }
}

/// Runs all steps, those after a failure too, so that one run tells everything.
pub fn run(root: &Path) -> Result<()> {
    let mut run = Run::default();
    run.step("setup", || setup(Purpose::Test));
    run.step("format", || shell::run(cargo(root).args(["fmt", "--all", "--check"])));
    run.step("links in documents", || links::check(root));
    let clippy = ["clippy", "--workspace", "--all-targets", "--locked", "--quiet", "--", "-D", "warnings"];
    run.step("clippy", || shell::run(cargo(root).args(clippy)));
    run.step("tests", || shell::run(cargo(root).args(["test", "--workspace", "--locked", "--no-fail-fast"])));
    run.step("fuzz: format", || shell::run(cargo(&root.join("fuzz")).args(["fmt", "--check"])));
    run.step("fuzz", || fuzz::all(root, FUZZ_SECONDS));
    console(&mut run, root);
    let console_built = run.step("console", || ui::build(root, &ui::Options { install_target: false }));
    let built = console_built && run.step("release build", || build::daemon(root).map(drop));
    let daemon = build::release_folder(root).join("packetboat");
    if built {
        run.step("demo", || demo::run_once(root, &daemon));
        run.step("browser", || browser::tests(root, &daemon));
        run.step("packages", || package::build_packages(root, &daemon).map(drop));
        if shell::is_root() {
            run.step("packages install", || package::test_packages(root, &daemon));
        } else {
            run.skip("packages install", "needs root (chroot)");
        }
    } else {
        for name in ["demo", "browser", "packages", "packages install"] {
            run.skip(name, "nothing was built");
        }
    }
    run.finish()
}

fn cargo(root: &Path) -> Command {
    shell::command(root, std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

/// The console is a workspace of its own. Its plain functions are tested here, on the host.
fn console(run: &mut Run, root: &Path) {
    let folder = root.join("admin-ui");
    run.step("console: format", || shell::run(cargo(&folder).args(["fmt", "--all", "--check"])));
    let clippy = ["clippy", "--workspace", "--all-targets", "--locked", "--quiet", "--", "-D", "warnings"];
    run.step("console: clippy", || shell::run(cargo(&folder).args(clippy)));
    // Only this crate has tests: building the pages for the host would cost minutes and test nothing.
    run.step("console: tests", || shell::run(cargo(&folder).args(["test", "--package", "view", "--locked"])));
}
