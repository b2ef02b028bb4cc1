//! `packetboat demo`: a real campaign over a simulated internet, on loopback and in a temporary folder.
//!
//! The daemon that runs here is the one that `serve` starts; its configuration names the simulated DNS, a port other
//! than 25 and retries of seconds. Everything that a developer would do is done through the HTTP API with an API key.
//! The simulated internet is the witness: what it received is compared with what the daemon says.

mod api;
mod people;
mod proof;
mod show;
mod stage;
mod story;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use std::net::SocketAddr;
use tokio::signal::unix::{SignalKind, signal};

use api::Api;
use stage::Stage;

/// How the demo runs.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Recipients of the campaign.
    #[arg(long, value_name = "N", default_value_t = 5_000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    recipients: u32,
    /// Ends after the campaign, with status 0 when everything is as it should be, else 1.
    #[arg(long)]
    once: bool,
    /// Keeps the data in this folder, which must be empty or not exist.
    #[arg(long, value_name = "DIR")]
    keep: Option<PathBuf>,
    /// Address and port of the console; without it 127.0.0.1:8080, or the next free port.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
}

/// Runs the demo to its end.
///
/// # Errors
/// When something could not be set up or done. That the result is not as it should be is no error but a status.
pub async fn run(options: Options) -> anyhow::Result<ExitCode> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let stage = Stage::set(&options).await?;
    let outcome = tokio::select! {
        outcome = play(&stage, &options) => outcome,
        _ = interrupt.recv() => Ok(false),
        _ = terminate.recv() => Ok(false),
    };
    if let (Ok(_), false) = (&outcome, options.once) {
        println!("Ctrl-C ends the demo.");
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }
    println!("Stopping.");
    stage.strike().await?;
    Ok(if outcome? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// The whole story; true when everything is proven.
async fn play(stage: &Stage, options: &Options) -> anyhow::Result<bool> {
    let api = Api::new(stage.base_url(), &stage.api_key().await?)?;
    println!("Console: {}", stage.base_url());
    let campaign = story::prepare(stage, &api, options.recipients as usize).await?;
    story::send(&api, &campaign).await?;
    story::hear_reports(stage, &campaign).await;
    let good = proof::prove(stage, &api, &campaign).await?;
    if !options.once {
        // Made last: it works for a quarter of an hour.
        let link = stage.sign_in_link().await?;
        println!("\nThe console is at {}; this link signs you in, once:\n  {link}", stage.base_url());
        if let Some(page) = show::unsubscribe_page(&stage.internet().ledger().last_messages()) {
            println!("Where a recipient unsubscribes, from the last mail:\n  {page}");
        }
    }
    if let Some(folder) = &options.keep {
        println!("The data is kept in {}.", folder.display());
    }
    Ok(good)
}
