//! `cargo xtask demo`: everything from a fresh clone to a campaign that has been sent. What the demo does is in
//! `daemon::demo`; here is only what must be there first.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::setup::{Purpose, setup};
use crate::{build, shell};

/// How the demo runs; handed to the daemon as it is.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Options {
    /// Recipients of the campaign
    #[arg(long, value_name = "N")]
    recipients: Option<u32>,
    /// End after the campaign, with status 0 if everything is as it should be
    #[arg(long)]
    once: bool,
    /// Keep the demo's data in this folder
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Address and port of the console
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
}

impl Options {
    /// A short run that ends by itself.
    pub fn short() -> Options {
        Options { recipients: Some(400), once: true, ..Options::default() }
    }

    fn arguments(&self) -> Result<Vec<String>> {
        let mut words = vec!["demo".to_owned()];
        if let Some(recipients) = self.recipients {
            words.extend(["--recipients".to_owned(), recipients.to_string()]);
        }
        if self.once {
            words.push("--once".to_owned());
        }
        if let Some(folder) = &self.keep {
            // Relative to where the user stands, and the daemon may stand elsewhere.
            let folder = std::path::absolute(folder).context("cannot tell where --keep is")?;
            words.extend(["--keep".to_owned(), folder.display().to_string()]);
        }
        if let Some(listen) = &self.listen {
            words.extend(["--listen".to_owned(), listen.clone()]);
        }
        Ok(words)
    }
}

/// Installs and builds what is missing, then becomes the demo, so that Ctrl-C reaches it alone.
pub fn demo(root: &Path, options: &Options) -> Result<()> {
    setup(Purpose::Demo)?;
    let daemon = build::daemon_with_console(root)?;
    let failure = shell::command(root, &daemon).args(options.arguments()?).exec();
    Err(failure).with_context(|| format!("cannot run {}", daemon.display()))
}

/// Runs the demo with a daemon that is built already, and waits for its end.
pub fn run_once(root: &Path, daemon: &Path) -> Result<()> {
    shell::run(shell::command(root, daemon).args(Options::short().arguments()?))
}
