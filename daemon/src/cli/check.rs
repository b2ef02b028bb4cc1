//! `packetboat check` and `packetboat doctor`.

use super::client::Client;
use crate::serve::socket_path;
use api_types::{CheckLevel, CheckPoint};
use config::{Config, Problem, Problems, SubmissionSection};
use mta::submission::Certificate;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use world::{Dial, TcpDial};

/// Where the packages put the file.
const DEFAULT_FILE: &str = "/etc/packetboat/packetboat.toml";

/// The configuration that a command works with.
pub(crate) fn load(file: Option<&Path>) -> Result<Config, Problems> {
    match chosen(file) {
        Some(file) => config::load(&file),
        None => Ok(Config::default()),
    }
}

fn chosen(file: Option<&Path>) -> Option<PathBuf> {
    let default = || Path::new(DEFAULT_FILE).exists().then(|| PathBuf::from(DEFAULT_FILE));
    file.map(Path::to_owned).or_else(default)
}

/// Prints every mistake of the file, or what this host is missing for it.
pub(crate) async fn check(file: Option<&Path>) -> ExitCode {
    let name = chosen(file).map_or_else(|| "the defaults".to_owned(), |file| file.display().to_string());
    match load(file) {
        Err(Problems(problems)) => {
            for problem in &problems {
                print_problem(problem);
            }
            let count = problems.len();
            println!("{count} {} in {name}", if count == 1 { "mistake" } else { "mistakes" });
            ExitCode::FAILURE
        }
        Ok(config) => {
            for warning in crate::serve::provider_warnings(&config) {
                println!("warning: {warning}");
            }
            let warnings = host_warnings(&config).await;
            for warning in &warnings {
                println!("warning: {warning}");
            }
            println!("{name}: good{}", if warnings.is_empty() { "" } else { ", with warnings about this host" });
            ExitCode::SUCCESS
        }
    }
}

fn print_problem(problem: &Problem) {
    println!("{problem}");
}

/// What of the configuration this host cannot do right now.
async fn host_warnings(config: &Config) -> Vec<String> {
    let mut warnings = Vec::new();
    let dir = &config.storage.dir;
    if let Some(warning) = folder_warning(dir) {
        warnings.push(warning);
    }
    // A running daemon has the ports by right.
    let daemon_runs = tokio::net::UnixStream::connect(socket_path(dir)).await.is_ok();
    if !daemon_runs {
        let inbound = config.smtp.inbound_listen.map(|listen| ("smtp.inbound_listen", listen));
        let section = &config.submission;
        let submission = section.listen.iter().map(|listen| ("submission.listen", *listen));
        let submission_tls = section.listen_tls.iter().map(|listen| ("submission.listen_tls", *listen));
        let all =
            [("http.listen", config.http.listen)].into_iter().chain(inbound).chain(submission).chain(submission_tls);
        for (key, listen) in all {
            warnings.extend(port_warning(key, listen));
        }
    }
    warnings.extend(certificate_warning(&config.submission));
    warnings.extend(crate::serve::tls_warnings(config).await);
    for source in config.sources.iter().filter(|source| source.enabled) {
        if let Some(ip) = source.ip
            && !TcpDial.has_source(ip)
        {
            warnings.push(format!(
                "source {}: this host does not have {ip}; nothing can be sent from it until the address is added",
                source.name
            ));
        }
    }
    if let Err(e) = crate::incoming::setups(config) {
        warnings.push(format!("{e:#}; the daemon does not start without it"));
    }
    if let Err(e) = crate::routes::routes(config) {
        warnings.push(format!("{e:#}; the daemon does not start without it"));
    }
    warnings
}

fn folder_warning(dir: &Path) -> Option<String> {
    if !dir.exists() {
        return Some(format!("storage.dir {} does not exist yet; the daemon makes it if it may", dir.display()));
    }
    let probe = dir.join(".packetboat-check");
    match std::fs::write(&probe, b"").and_then(|()| std::fs::remove_file(&probe)) {
        Ok(()) => None,
        Err(e) => Some(format!("storage.dir {} cannot be written by this user: {e}", dir.display())),
    }
}

/// The daemon does not start without it where it is to listen.
fn certificate_warning(section: &SubmissionSection) -> Option<String> {
    let (certificate, key) = (section.certificate_file.as_deref()?, section.key_file.as_deref()?);
    let error = Certificate::load(certificate, key).err()?;
    let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}")).unwrap_or_default();
    Some(format!("submission.certificate_file: {error}{cause}"))
}

fn port_warning(key: &str, listen: SocketAddr) -> Option<String> {
    match TcpListener::bind(listen) {
        Ok(_) => None,
        Err(e) if e.kind() == ErrorKind::AddrInUse => Some(format!("{key}: another program uses {listen}")),
        Err(e) => Some(format!("{key}: {listen} cannot be used: {e}")),
    }
}

/// Prints what the daemon finds in its own data.
pub(crate) async fn doctor(client: &Client) -> anyhow::Result<ExitCode> {
    let points: Vec<CheckPoint> = client.get("/doctor").await?;
    for point in &points {
        let mark = match point.level {
            CheckLevel::Ok => "ok     ",
            CheckLevel::Warning => "warning",
            CheckLevel::Fatal => "WRONG  ",
        };
        println!("{mark}  {:<10} {}", point.name, point.message);
    }
    let wrong = points.iter().any(|point| point.level == CheckLevel::Fatal);
    Ok(if wrong { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
