//! One command for every chore.

mod bench;
mod browser;
mod build;
mod checks;
mod demo;
mod http;
mod links;
mod package;
mod score;
mod setup;
mod shell;
mod ui;

use std::path::Path;
use std::process::ExitCode;

use clap::Parser;

/// One command for every chore.
#[derive(Parser)]
#[command(name = "cargo xtask")]
enum Chore {
    /// Installs what this machine lacks, after saying what and why
    Setup {
        /// What is to be done with the machine
        #[arg(long = "for", value_enum, default_value = "demo")]
        purpose: setup::Purpose,
    },
    /// Builds everything and sends a real campaign over a simulated internet on this machine
    Demo(demo::Options),
    /// Runs every test and check, as `.ci/run` does
    Test,
    /// Builds the console into admin-ui/dist
    Ui {
        /// Installs the WASM target (rustup, else apt) when it is missing
        #[arg(long)]
        install_target: bool,
    },
    /// Runs the browser tests over the demo's console
    Browser,
    /// Makes the pictures of README and documents, from the demo's console
    Screenshots,
    /// Makes the deb and the rpm package in target/packages
    Package {
        /// Installs them in a clean Debian system and starts the daemon there; needs root
        #[arg(long)]
        test: bool,
        /// Takes the release build as it is
        #[arg(long)]
        no_build: bool,
    },
    /// Measures the release build, beside Postfix with OpenDKIM; needs root
    Bench(bench::Options),
    /// Scores the reading of bounces against a folder of mail with expected answers; writes docs/bounces.md
    Score(score::Options),
}

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the root's folder");
    match run(root) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(root: &Path) -> anyhow::Result<()> {
    match Chore::parse() {
        Chore::Setup { purpose } => setup::setup(purpose),
        Chore::Demo(options) => demo::demo(root, &options),
        Chore::Test => checks::run(root),
        Chore::Ui { install_target } => ui::build(root, &ui::Options { install_target }),
        Chore::Browser => browser::browser(root),
        Chore::Screenshots => browser::screenshots(root),
        Chore::Package { test, no_build } => package::package(root, test, !no_build),
        Chore::Bench(options) => bench::bench(root, &options),
        Chore::Score(options) => score::score(root, &options),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Chore::command().debug_assert();
    }
}
