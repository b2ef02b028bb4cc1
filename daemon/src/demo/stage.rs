//! What must be there before the story begins: a folder, the simulated internet, the daemon.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use anyhow::{Context, anyhow, bail, ensure};
use api_types::{KeyScope, NewApiKey, Role};
use config::Config;
use sandbox::{Internet, LedgerOptions, Providers};
use storage::WorkspaceId;

use super::Options;
use crate::ops;
use crate::serve::{self, Overrides};
use crate::text::token;

/// The host that everything is sent from.
pub const HOST: &str = "mail.packetboat-demo.example";
/// Who signs in to the console.
const USER: &str = "demo@packetboat-demo.example";
/// Name, address and EHLO name of each source.
pub const SOURCES: [(&str, [u8; 4], &str); 4] = [
    ("berth-1", [127, 30, 0, 1], "mx1.packetboat-demo.example"),
    ("berth-2", [127, 30, 0, 2], "mx2.packetboat-demo.example"),
    ("berth-3", [127, 30, 0, 3], "mx3.packetboat-demo.example"),
    ("berth-4", [127, 30, 0, 4], "mx4.packetboat-demo.example"),
];
/// The one whose address some providers block.
const BLOCKED: usize = 3;
const DEFAULT_LISTEN: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 8080);
const PORTS_TRIED: u16 = 50;

/// Everything that runs.
pub struct Stage {
    folder: Folder,
    internet: sandbox::Running,
    daemon: serve::Running,
}

impl Stage {
    /// Sets it up.
    pub async fn set(options: &Options) -> anyhow::Result<Stage> {
        let folder = Folder::make(options.keep.as_deref())?;
        log_to(&folder.path.join("demo.log"))?;
        let listen = choose_listener(options.listen)?;
        let inbound = free_port()?;
        let internet = start_internet(inbound).await?;
        let file = folder.path.join("packetboat.toml");
        std::fs::write(&file, configuration(&folder.path, listen, inbound, &internet))
            .with_context(|| format!("cannot write {}", file.display()))?;
        let config: Config = config::load(&file)?;
        let daemon = serve::start(config, Overrides::default()).await?;
        Ok(Stage { folder, internet, daemon })
    }

    /// What the providers received.
    pub fn internet(&self) -> &sandbox::Running {
        &self.internet
    }

    /// Where the daemon serves HTTP.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.daemon.http_addr)
    }

    /// A key for the API, as `packetboat api-key create` makes one.
    pub async fn api_key(&self) -> anyhow::Result<String> {
        let key = NewApiKey { name: "demo".to_owned(), scopes: vec![KeyScope::Admin], rate_per_minute: None };
        let made = ops::create_api_key(self.daemon.app(), WorkspaceId::MAIN, key, "demo").await;
        Ok(made.map_err(|e| anyhow!("cannot make an API key: {e:?}"))?.1)
    }

    /// A link for the console, as `packetboat user add` and `packetboat user link` make one.
    pub async fn sign_in_link(&self) -> anyhow::Result<String> {
        let (app, workspace) = (self.daemon.app(), WorkspaceId::MAIN);
        let user = ops::NewUser {
            workspace,
            email: USER.to_owned(),
            name: "Demo".to_owned(),
            role: Role::Owner,
            // Nobody needs it: the link signs in.
            password: token(&*app.random),
        };
        let made = ops::create_user(app, user).await.map_err(|e| anyhow!("cannot add a user: {e:?}"))?;
        let link = ops::sign_in_link(app, workspace, made).await;
        Ok(link.map_err(|e| anyhow!("cannot make a sign-in link: {e:?}"))?.0)
    }

    /// Stops the daemon, then the internet, and removes the folder where it is not to be kept.
    pub async fn strike(self) -> anyhow::Result<()> {
        let stopped = self.daemon.stop().await;
        self.internet.shutdown().await;
        drop(self.folder);
        stopped
    }
}

/// A folder that goes with the demo, unless it is to be kept.
struct Folder {
    path: PathBuf,
    keep: bool,
}

impl Folder {
    fn make(keep: Option<&Path>) -> anyhow::Result<Folder> {
        let path = match keep {
            Some(path) => std::path::absolute(path)?,
            None => std::env::temp_dir().join(format!("packetboat-demo-{}", std::process::id())),
        };
        std::fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
        let mut entries = std::fs::read_dir(&path).with_context(|| format!("cannot read {}", path.display()))?;
        ensure!(entries.next().is_none(), "{} is not empty; give --keep another folder", path.display());
        Ok(Folder { path, keep: keep.is_some() })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        if !self.keep
            && let Err(e) = std::fs::remove_dir_all(&self.path)
        {
            eprintln!("{} could not be removed: {e}", self.path.display());
        }
    }
}

/// The terminal is for the story; what goes wrong is in the folder.
fn log_to(file: &Path) -> anyhow::Result<()> {
    let file = std::fs::File::create(file).with_context(|| format!("cannot write {}", file.display()))?;
    let builder = tracing_subscriber::fmt().with_max_level(tracing::Level::WARN).with_ansi(false);
    builder.with_writer(Mutex::new(file)).try_init().map_err(|e| anyhow!("cannot log to a file: {e}"))
}

/// The wished address; else the usual one, or the next free port, which is said.
fn choose_listener(wished: Option<SocketAddr>) -> anyhow::Result<SocketAddr> {
    if let Some(wished) = wished {
        return Ok(wished);
    }
    for port in DEFAULT_LISTEN.port()..DEFAULT_LISTEN.port() + PORTS_TRIED {
        let listen = SocketAddr::new(DEFAULT_LISTEN.ip(), port);
        if TcpListener::bind(listen).is_ok() {
            if listen != DEFAULT_LISTEN {
                println!("{DEFAULT_LISTEN} is in use; the console is at port {port} instead.");
            }
            return Ok(listen);
        }
    }
    bail!("no port from {} on is free; choose an address with --listen", DEFAULT_LISTEN.port())
}

fn free_port() -> anyhow::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

async fn start_internet(report_port: u16) -> anyhow::Result<sandbox::Running> {
    let options = sandbox::Options {
        providers: Providers::builtin(),
        report_port,
        blocked_sources: vec![IpAddr::from(SOURCES[BLOCKED].1)],
        ledger: LedgerOptions::default(),
        ..sandbox::Options::default()
    };
    let internet = Internet::start(options).await.context("cannot start the simulated internet")?;
    // This host's own names; those of the sending domain come from the daemon, as an administrator would copy them.
    internet.zone().publish_address(HOST, IpAddr::V4(Ipv4Addr::LOCALHOST));
    Ok(internet)
}

/// A configuration as one would write it; only the last two sections are for a simulated internet.
fn configuration(folder: &Path, listen: SocketAddr, inbound: u16, internet: &sandbox::Running) -> String {
    let mut text = format!(
        "[server]\nhostname = \"{HOST}\"\n\n[storage]\ndir = \"{}\"\nmin_free_mb = 50\n\n[http]\nlisten = \"{listen}\"\n",
        folder.join("data").display(),
    );
    for (name, ip, ehlo) in SOURCES {
        text.push_str(&format!("\n[[source]]\nname = \"{name}\"\nip = \"{}\"\nehlo = \"{ehlo}\"\n", IpAddr::from(ip)));
    }
    let members = SOURCES.map(|(name, ..)| format!("{{ source = \"{name}\", weight = 1 }}"));
    text.push_str(&format!("\n[[pool]]\nname = \"default\"\nsources = [{}]\n", members.join(", ")));
    text.push_str(&format!(
        "\n# The simulated internet: another port than 25, and retries within a demo's time.\n[smtp]\n\
         remote_port = {}\ninbound_listen = \"127.0.0.1:{inbound}\"\nbulk_retry = [\"2s\", \"3s\", \"5s\"]\n\
         bulk_expiry = \"2m\"\nconnect_timeout = \"5s\"\ncommand_timeout = \"20s\"\nfinal_dot_timeout = \"20s\"\n\n\
         # Nobody there minds how fast mail comes, nor that a provider has many unknown people.\n[[shaping]]\n\
         message_rate = \"none\"\nconnection_rate = \"none\"\nbounce_slow_percent = 0\nbounce_hold_percent = 0\n\n[dns]\nservers = [\"{}\"]\n",
        internet.smtp_port(),
        internet.dns(),
    ));
    text
}
