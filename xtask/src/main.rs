//! One command for every chore.

mod ui;

use std::path::Path;

use clap::Parser;

/// One command for every chore.
#[derive(Parser)]
#[command(name = "cargo xtask")]
enum Chore {
    /// Builds the console into admin-ui/dist.
    Ui {
        /// Installs the WASM target (rustup, else apt) when it is missing.
        #[arg(long)]
        install_target: bool,
    },
}

fn main() -> anyhow::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the root's folder");
    match Chore::parse() {
        Chore::Ui { install_target } => ui::build(root, &ui::Options { install_target }),
    }
}
