//! The peer: Postfix with OpenDKIM as Debian ships them, with a configuration of its own in a temporary folder. All
//! mail goes to the sink over connections that are kept, which is the best case for a relay.

use std::fs;
use std::net::TcpStream;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::process::{Program, bound};
use super::sink;
use crate::shell;

/// Postfix's own default, said here because ours is set to the same.
pub const CONNECTIONS: usize = 20;
const START_WAIT: Duration = Duration::from_secs(20);
/// Postfix's master leaves our session and OpenDKIM changes its rights, so that neither Ctrl-C nor our end reaches
/// them; these shells stay and pass it on.
const KEEP_POSTFIX: &str =
    "trap 'kill $(cat queue/pid/master.pid)' TERM INT; postfix -c \"$PWD/conf\" start-fg & { wait; wait; } 2>/dev/null";
const KEEP_OPENDKIM: &str = "opendkim -f -x opendkim.conf & trap \"kill $!\" TERM INT; { wait; wait; } 2>/dev/null";

/// What becomes of accepted mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// It goes to the sink.
    AtOnce,
    /// It stays in the queue.
    Deferred,
}

/// Both daemons, at work.
pub struct Relay {
    folder: PathBuf,
    pids: Vec<u32>,
    // Dropped in this order: the relay ends before its signer.
    _keeper: Program,
    _signer: Program,
    port: u16,
    key_record: (String, String),
}

impl Relay {
    /// Starts both, below `folder`, with the sink at this port as their only destination.
    pub fn start(folder: &Path, sink_port: u16, delivery: Delivery) -> Result<Relay> {
        ensure!(shell::is_root(), "Postfix starts as root only; run the benchmark as root");
        fs::create_dir_all(folder)?;
        let (port, milter_port) = (sink::free_port()?, sink::free_port()?);
        let key_record = make_key(folder)?;
        let signer = start_signer(folder, milter_port)?;
        configure(folder, (port, milter_port), sink_port, delivery)?;
        let keeper = keep(folder, "postfix", KEEP_POSTFIX)?;
        for port in [port, milter_port] {
            wait_until_open(port)?;
        }
        let pids = vec![keeper.pid(), signer.pid()];
        Ok(Relay { folder: folder.to_owned(), pids, _keeper: keeper, _signer: signer, port, key_record })
    }

    /// Where it takes mail.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The processes that its cost is counted of, with everything they start.
    pub fn pids(&self) -> Vec<u32> {
        self.pids.clone()
    }

    /// Name and value of the record that its signatures are verified with.
    pub fn key_record(&self) -> &(String, String) {
        &self.key_record
    }

    /// Messages in its queues.
    pub fn queued(&self) -> Result<usize> {
        let mut count = 0;
        for queue in ["maildrop", "incoming", "active", "deferred", "hold", "corrupt"] {
            count += files_below(&self.folder.join("queue").join(queue))?;
        }
        Ok(count)
    }
}

fn files_below(folder: &Path) -> Result<usize> {
    let mut count = 0;
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let entry = entry?;
        count += if entry.file_type()?.is_dir() { files_below(&entry.path())? } else { 1 };
    }
    Ok(count)
}

/// An RSA key of 2048 bits, by OpenDKIM's own tool; returns the record to publish.
fn make_key(folder: &Path) -> Result<(String, String)> {
    let mut genkey = Command::new("opendkim-genkey");
    genkey.args(["-b", "2048", "-d", "bench.example", "-s", "relay", "-D"]).arg(folder);
    shell::output(&mut genkey)?;
    let zone_line = fs::read_to_string(folder.join("relay.txt"))?;
    // `relay._domainkey IN TXT ( "v=DKIM1; h=sha256; k=rsa; " "p=..." "..." ) ; comment`
    let value: String = zone_line.split('"').skip(1).step_by(2).collect();
    ensure!(value.contains("p="), "opendkim-genkey made no record: {zone_line}");
    Ok(("relay._domainkey.bench.example".to_owned(), value))
}

fn start_signer(folder: &Path, port: u16) -> Result<Program> {
    let configuration = folder.join("opendkim.conf");
    let key = folder.join("relay.private");
    let text = format!(
        "Background no\nSyslog no\nMode s\nDomain bench.example\nSelector relay\nKeyFile {}\n\
         Canonicalization relaxed/relaxed\nSignatureAlgorithm rsa-sha256\nOversignHeaders From\n\
         Socket inet:{port}@127.0.0.1\nInternalHosts 127.0.0.1\nRequireSafeKeys no\nPidFile {}\n",
        key.display(),
        folder.join("opendkim.pid").display(),
    );
    fs::write(&configuration, text)?;
    keep(folder, "opendkim", KEEP_OPENDKIM)
}

fn keep(folder: &Path, name: &str, script: &str) -> Result<Program> {
    let mut shell = bound("sh", None);
    shell.args(["-c", script]).current_dir(folder).stdin(Stdio::null());
    Program::start(name, &mut shell)
}

fn configure(folder: &Path, (port, milter_port): (u16, u16), sink_port: u16, delivery: Delivery) -> Result<()> {
    let deferred = if delivery == Delivery::Deferred { "smtp" } else { "" };
    let (conf, queue, data) = (folder.join("conf"), folder.join("queue"), folder.join("data"));
    for part in [&conf, &queue, &data] {
        fs::create_dir_all(part)?;
        fs::set_permissions(part, fs::Permissions::from_mode(0o755))?;
    }
    let (owner, group) = (id("-u")?, id("-g")?);
    chown(&data, Some(owner), Some(group))?;
    let sink = format!("[{}]:{sink_port}", sink::COUNTING);
    let keeping = format!("smtp:[{}]:{sink_port}", sink::KEEPING);
    let sampled: String = (0..sink::DOMAINS)
        .filter(|n| sink::is_sampled(*n))
        .map(|n| format!("{} {keeping}\n", sink::domain(n)))
        .collect();
    fs::write(conf.join("transport"), sampled)?;
    let main = format!(
        "compatibility_level = 3.6\nqueue_directory = {queue}\ndata_directory = {data}\n\
         command_directory = /usr/sbin\ndaemon_directory = /usr/lib/postfix/sbin\nmail_owner = postfix\n\
         setgid_group = postdrop\nmyhostname = relay.bench.example\nmydestination =\nmynetworks = 127.0.0.0/8\n\
         inet_interfaces = 127.0.0.1\ninet_protocols = ipv4\nlocal_recipient_maps =\nalias_maps =\nalias_database =\n\
         smtpd_relay_restrictions = permit_mynetworks, reject\nsmtpd_peername_lookup = no\n\
         smtpd_client_connection_count_limit = 0\ndisable_dns_lookups = yes\nrelayhost = {sink}\n\
         transport_maps = texthash:{conf}/transport\nsmtp_connection_cache_destinations = {c}, [{c}], {sink}\n\
         default_destination_concurrency_limit = {CONNECTIONS}\nsmtp_tls_security_level = none\n\
         smtpd_tls_security_level = none\nsmtpd_milters = inet:127.0.0.1:{milter_port}\n\
         milter_default_action = tempfail\ndefer_transports = {deferred}\n",
        queue = queue.display(),
        data = data.display(),
        conf = conf.display(),
        c = sink::COUNTING,
    );
    fs::write(conf.join("main.cf"), main)?;
    let master = format!("127.0.0.1:{port} inet n - n - - smtpd\n{}", include_str!("postfix-master.cf"));
    fs::write(conf.join("master.cf"), master)?;
    Ok(())
}

fn id(what: &str) -> Result<u32> {
    let number = shell::output(Command::new("id").args([what, "postfix"]))?;
    number.trim().parse().context("id does not answer with a number")
}

fn wait_until_open(port: u16) -> Result<()> {
    let begun = Instant::now();
    while begun.elapsed() < START_WAIT {
        if TcpStream::connect((sink::COUNTING, port)).is_ok() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    bail!("nothing listens at port {port} after {START_WAIT:?}")
}
