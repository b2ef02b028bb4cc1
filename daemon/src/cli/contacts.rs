//! `packetboat contacts`.

use super::client::Client;
use anyhow::{bail, ensure};
use api_types::{Done, Import, ImportColumn, ImportError, ImportExisting, ImportStart, ImportState, Page};
use clap::{Subcommand, ValueEnum};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Refused rows that are printed; the console and the API have them all.
const ERRORS_SHOWN: u32 = 20;
const POLL_EVERY: Duration = Duration::from_millis(200);

#[derive(Subcommand)]
pub(crate) enum ContactsCommand {
    /// Imports a CSV file and waits until it is read.
    Import {
        /// The file.
        file: PathBuf,
        /// Where a column goes: email, first_name, last_name, tags, attribute:NAME, or nothing to ignore it.
        /// Columns that are not named go where their heading suggests.
        #[arg(long = "map", value_name = "COLUMN=TARGET")]
        maps: Vec<String>,
        /// What happens to contacts that are there already.
        #[arg(long, value_enum, default_value = "update")]
        existing: ExistingWord,
        /// A tag for every contact of the file; may be repeated.
        #[arg(long = "tag", value_name = "TAG")]
        tags: Vec<String>,
        /// A list to put every contact of the file on, by its id; may be repeated. Who left it stays out.
        #[arg(long = "list", value_name = "ID")]
        lists: Vec<i64>,
        /// Where the consent came from; the file's name when left out.
        #[arg(long, default_value = "")]
        consent: String,
    },
    /// Says which mail a contact can get, and what speaks against it.
    Show {
        /// Its address.
        address: String,
    },
    /// Shows which streams a contact gets mail of, or changes it.
    Streams {
        /// Its address.
        address: String,
        /// A stream to get no mail of; may be repeated.
        #[arg(long, value_name = "STREAM")]
        leave: Vec<String>,
        /// A stream to get mail of again, because the person asked for it; may be repeated.
        #[arg(long, value_name = "STREAM")]
        rejoin: Vec<String>,
    },
}

#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum ExistingWord {
    /// Leave them alone.
    Skip,
    /// Set what the file has a value for.
    Update,
    /// Replace names and attributes by what the file has.
    Overwrite,
}

impl From<ExistingWord> for ImportExisting {
    fn from(word: ExistingWord) -> ImportExisting {
        match word {
            ExistingWord::Skip => ImportExisting::Skip,
            ExistingWord::Update => ImportExisting::Update,
            ExistingWord::Overwrite => ImportExisting::Overwrite,
        }
    }
}

pub(crate) async fn run(client: &Client, command: ContactsCommand) -> anyhow::Result<()> {
    let (file, maps, existing, tags, lists, consent) = match command {
        ContactsCommand::Show { address } => return super::standing::show(client, &address).await,
        ContactsCommand::Streams { address, leave, rejoin } => {
            return super::standing::streams(client, &address, leave, &rejoin).await;
        }
        ContactsCommand::Import { file, maps, existing, tags, lists, consent } => {
            (file, maps, existing, tags, lists, consent)
        }
    };
    let import = upload(client, &file).await?;
    let targets = targets(&import.columns, &maps)?;
    let start = ImportStart { targets, existing: existing.into(), tags, lists, consent_source: consent };
    let _: Import = client.post(&format!("/imports/{}/start", import.id), &start).await?;
    let ended = wait(client, import.id).await?;
    println!(
        "{} rows: {} new, {} changed, {} left alone, {} refused",
        ended.rows, ended.created, ended.updated, ended.skipped, ended.failed
    );
    if ended.failed > 0 {
        show_errors(client, &ended).await?;
    }
    ensure!(ended.state != ImportState::Cancelled, "the import was cancelled; what was read stays");
    if ended.state == ImportState::Failed {
        bail!("the import stopped: {}", ended.message.as_deref().unwrap_or("for an unknown reason"));
    }
    Ok(())
}

async fn upload(client: &Client, file: &Path) -> anyhow::Result<Import> {
    client.upload("/imports", file).await
}

/// The proposed targets, with what the user said instead.
fn targets(columns: &[ImportColumn], maps: &[String]) -> anyhow::Result<Vec<String>> {
    let mut targets: Vec<String> = columns.iter().map(|column| column.target.clone()).collect();
    for map in maps {
        let Some((name, target)) = map.split_once('=') else { bail!("--map {map}: write it as COLUMN=TARGET") };
        let Some(at) = columns.iter().position(|column| column.name.eq_ignore_ascii_case(name.trim())) else {
            let known: Vec<&str> = columns.iter().map(|column| column.name.as_str()).collect();
            bail!("--map {map}: the file has no column {name}; its columns are {}", known.join(", "));
        };
        target.trim().clone_into(&mut targets[at]);
    }
    Ok(targets)
}

async fn wait(client: &Client, id: i64) -> anyhow::Result<Import> {
    loop {
        let import: Import = client.get(&format!("/imports/{id}")).await?;
        if import.state != ImportState::Running {
            return Ok(import);
        }
        tokio::select! {
            () = tokio::time::sleep(POLL_EVERY) => {}
            interrupted = tokio::signal::ctrl_c() => {
                interrupted?;
                if client.daemon_runs() {
                    bail!("the import goes on in the daemon; the console shows it");
                }
                let _: Done = client.post(&format!("/imports/{id}/cancel"), &()).await?;
            }
        }
    }
}

async fn show_errors(client: &Client, import: &Import) -> anyhow::Result<()> {
    let page: Page<ImportError> = client.get(&format!("/imports/{}/errors?limit={ERRORS_SHOWN}", import.id)).await?;
    for error in &page.items {
        println!("  line {}, {}: {} ({:?})", error.line, error.column, error.reason, error.value);
    }
    let more = import.failed.saturating_sub(page.items.len() as u64);
    if more > 0 {
        println!("  and {more} more; all of them under /api/v1/imports/{}/errors.csv", import.id);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_mapped_replaces_what_was_proposed() {
        let column = |name: &str, target: &str| ImportColumn {
            name: name.to_owned(),
            samples: Vec::new(),
            target: target.to_owned(),
        };
        let columns = [column("E-Mail", "email"), column("Town", ""), column("Note", "attribute:note")];
        for (maps, expected) in [
            (&[][..], Ok("email||attribute:note")),
            (&["town=attribute:city", "Note="], Ok("email|attribute:city|")),
            (&["city=email"], Err("the file has no column city")),
            (&["city"], Err("write it as COLUMN=TARGET")),
        ] {
            let maps: Vec<String> = maps.iter().map(|map| (*map).to_owned()).collect();
            match (targets(&columns, &maps), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found.join("|"), expected),
                (Err(found), Err(expected)) => assert!(found.to_string().contains(expected), "{found}"),
                (found, expected) => panic!("{found:?} instead of {expected:?}"),
            }
        }
    }
}
