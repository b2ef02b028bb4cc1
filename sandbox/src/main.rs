//! The simulated internet as a program: for benchmarks, and for trying a daemon by hand.

use sandbox::{Application, DkimCheck, Flood, Internet, LedgerOptions, Options, Providers, dkim_verify};
use std::collections::HashMap;
use std::error::Error;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;

/// The simulated internet on loopback.
#[derive(Parser)]
#[command(name = "packetboat-sandbox")]
enum Command {
    /// Serves DNS and providers until it is ended; prints a line when everything is open
    Serve {
        /// Who is in it; without it the built-in providers
        #[arg(long, value_name = "FILE")]
        providers: Option<PathBuf>,
        /// The port of every mail server; 0 lets the system choose
        #[arg(long, default_value_t = 0)]
        smtp_port: u16,
        /// Where the DNS is; port 0 lets the system choose
        #[arg(long, default_value = "127.0.0.1:0")]
        dns: SocketAddr,
    },
    /// Submits copies of a message to 1,000 domains, each with its own To and Message-ID
    Submit {
        /// The server that takes mail
        #[arg(long)]
        server: SocketAddr,
        /// Messages in all
        #[arg(long)]
        messages: usize,
        /// Sessions at a time
        #[arg(long, default_value_t = 20)]
        sessions: usize,
        /// User name; then the session has TLS from the beginning, and the secret is read from standard input
        #[arg(long)]
        login: Option<String>,
        /// The message
        template: PathBuf,
    },
    /// Tells every return path of a list that its recipient does not exist
    Flood {
        /// The server that takes reports
        #[arg(long)]
        server: SocketAddr,
        /// Sessions at a time
        #[arg(long, default_value_t = 20)]
        sessions: usize,
        /// Reports a second at most; 0 for as many as are taken
        #[arg(long, default_value_t = 0)]
        per_second: u32,
        /// The return paths, one a line
        return_paths: PathBuf,
    },
    /// Makes a certificate that nobody vouches for, and its key, both in PEM form
    Certificate {
        /// The host's name
        host: String,
        /// Where the certificate goes
        certificate: PathBuf,
        /// Where the key goes
        key: PathBuf,
    },
    /// Verifies the DKIM signatures of messages; each must have at least one, and all must hold
    Verify {
        /// A published key: name=record
        #[arg(long = "key", value_name = "NAME=RECORD")]
        keys: Vec<String>,
        /// The messages
        files: Vec<PathBuf>,
    },
}

fn main() -> ExitCode {
    let result = match Command::parse() {
        Command::Serve { providers, smtp_port, dns } => serve(providers, smtp_port, dns),
        Command::Submit { server, messages, sessions, login, template } => {
            submit(server, messages, sessions, login, &template)
        }
        Command::Flood { server, sessions, per_second, return_paths } => {
            flood(server, sessions, per_second, &return_paths)
        }
        Command::Certificate { host, certificate, key } => make_certificate(host, &certificate, &key),
        Command::Verify { keys, files } => verify(&keys, &files),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn serve(providers: Option<PathBuf>, smtp_port: u16, dns: SocketAddr) -> Result<(), Box<dyn Error>> {
    let providers = match providers {
        Some(file) => Providers::parse(&std::fs::read_to_string(file)?)?,
        None => Providers::builtin(),
    };
    let ledger = LedgerOptions { dkim: DkimCheck::Off, ..LedgerOptions::default() };
    let options = Options { providers, smtp_port, dns, ledger, ..Options::default() };
    let running = Internet::start(options).await?;
    println!("dns {} smtp_port {}", running.dns(), running.smtp_port());
    tokio::signal::ctrl_c().await?;
    running.shutdown().await;
    Ok(())
}

#[tokio::main(flavor = "current_thread")]
async fn submit(
    server: SocketAddr,
    messages: usize,
    sessions: usize,
    login: Option<String>,
    template: &Path,
) -> Result<(), Box<dyn Error>> {
    let login = match login {
        Some(user) => Some((user, std::io::read_to_string(std::io::stdin())?.trim().to_owned())),
        None => None,
    };
    let template = std::fs::read(template)?;
    Ok(Application { server, messages, sessions, template, login }.run().await?)
}

#[tokio::main(flavor = "current_thread")]
async fn flood(
    server: SocketAddr,
    sessions: usize,
    per_second: u32,
    return_paths: &Path,
) -> Result<(), Box<dyn Error>> {
    let return_paths = std::fs::read_to_string(return_paths)?.lines().map(str::to_owned).collect();
    Ok(Flood { server, sessions, per_second, return_paths }.run().await?)
}

fn make_certificate(host: String, certificate: &Path, key: &Path) -> Result<(), Box<dyn Error>> {
    let made = rcgen::generate_simple_self_signed([host])?;
    std::fs::write(certificate, made.cert.pem())?;
    std::fs::write(key, made.signing_key.serialize_pem())?;
    Ok(())
}

fn verify(keys: &[String], files: &[PathBuf]) -> Result<(), Box<dyn Error>> {
    let keys: HashMap<&str, &str> = keys.iter().filter_map(|key| key.split_once('=')).collect();
    let txt = |name: &str| keys.get(name).map(|record| (*record).to_owned()).into_iter().collect();
    let mut signatures = 0;
    for file in files {
        let checked = dkim_verify::verify(&std::fs::read(file)?, None, txt);
        if checked.is_empty() {
            return Err(format!("{} is not signed", file.display()).into());
        }
        if let Some(bad) = checked.iter().find(|checked| checked.result.is_err()) {
            return Err(format!("{}: {bad}", file.display()).into());
        }
        signatures += checked.len();
    }
    println!("{} messages, {signatures} signatures, all hold", files.len());
    Ok(())
}
