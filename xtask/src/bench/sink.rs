//! Where every message of the benchmark ends: two of Postfix's `smtp-sink`. One counts, the other keeps what it gets,
//! so that signatures can be verified. A few destination domains lead to the second.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::process::{Program, bound};

/// Destination domains of the benchmark.
pub const DOMAINS: usize = 1_000;
/// Those of them whose mail is kept.
pub const SAMPLED_DOMAINS: usize = 10;
/// Where the counting sink is.
pub const COUNTING: &str = "127.0.0.1";
/// Where the keeping sink is; the port is the same.
pub const KEEPING: &str = "127.0.0.2";
/// Where the recording sink is, at the same port.
pub const RECORDING: &str = "127.0.0.3";
/// Between two looks at the count; the time of a run is this exact.
const LOOK: Duration = Duration::from_millis(5);

/// The destination domain of the n-th message.
pub fn domain(n: usize) -> String {
    format!("d{}.example", n % DOMAINS)
}

/// Whether the sink at [`KEEPING`] serves the domain with this number.
pub fn is_sampled(number: usize) -> bool {
    number < SAMPLED_DOMAINS
}

/// How many of the first messages are kept.
fn sampled(messages: usize) -> usize {
    messages / DOMAINS * SAMPLED_DOMAINS + (messages % DOMAINS).min(SAMPLED_DOMAINS)
}

/// Both sinks, at work.
pub struct Sink {
    port: u16,
    counter: PathBuf,
    kept: PathBuf,
    programs: Vec<Program>,
}

impl Sink {
    /// Starts both, below `folder`.
    pub fn start(folder: &Path) -> Result<Sink> {
        Sink::start_at(folder, COUNTING)
    }

    /// The same, where the counting one is at every other address of this host too.
    pub fn start_everywhere(folder: &Path) -> Result<Sink> {
        Sink::start_at(folder, "")
    }

    fn start_at(folder: &Path, counting_at: &str) -> Result<Sink> {
        let port = free_port()?;
        let kept = folder.join("kept");
        fs::create_dir_all(&kept)?;
        // Started as root, smtp-sink becomes another user, who must be able to write there.
        fs::set_permissions(&kept, fs::Permissions::from_mode(0o777))?;
        let counter = folder.join("sink.count");
        let program = crate::shell::which("smtp-sink").context("smtp-sink is missing (Debian's package postfix)")?;
        let user = crate::shell::is_root().then_some("nobody");
        let mut counting = bound(&program, user);
        counting.args(["-c", &format!("{counting_at}:{port}"), "1000"]);
        counting.stdin(Stdio::null()).stdout(File::create(&counter)?).stderr(Stdio::inherit());
        let mut keeping = bound(&program, user);
        keeping.args(["-d", "m.", &format!("{KEEPING}:{port}"), "1000"]);
        keeping.current_dir(&kept).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit());
        let programs = vec![Program::start("smtp-sink", &mut counting)?, Program::start("smtp-sink", &mut keeping)?];
        for address in [COUNTING, KEEPING] {
            wait_until_open(address, port)?;
        }
        Ok(Sink { port, counter, kept, programs })
    }

    /// The port of both.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Messages that both hold.
    pub fn count(&self) -> Result<usize> {
        Ok(self.counted()? + fs::read_dir(&self.kept)?.count())
    }

    /// Waits until that many messages are there; `check` may give up in between.
    pub fn wait_for(&mut self, messages: usize, time: Duration, mut check: impl FnMut() -> Result<()>) -> Result<()> {
        let begun = Instant::now();
        let mut looks = 0u32;
        loop {
            // The folder is read only when the cheap count says that the end is near.
            if self.counted()? + sampled(messages) >= messages && self.count()? >= messages {
                return Ok(());
            }
            if begun.elapsed() > time {
                bail!("{} of {messages} messages arrived within {time:?}", self.count()?);
            }
            looks += 1;
            if looks.is_multiple_of(100) {
                for program in &mut self.programs {
                    program.must_run()?;
                }
                check()?;
            }
            std::thread::sleep(LOOK);
        }
    }

    /// The same where every message goes to the counting sink, whatever its domain.
    pub fn wait_for_all_at_counting(&mut self, messages: usize, time: Duration) -> Result<()> {
        let begun = Instant::now();
        while self.counted()? < messages {
            if begun.elapsed() > time {
                bail!("{} of {messages} messages arrived within {time:?}", self.counted()?);
            }
            std::thread::sleep(LOOK);
        }
        Ok(())
    }

    /// The messages that were kept, as they came.
    pub fn kept(&self) -> Result<Vec<Vec<u8>>> {
        let mut messages = Vec::new();
        for entry in fs::read_dir(&self.kept)? {
            messages.push(as_received(&fs::read(entry?.path())?));
        }
        Ok(messages)
    }

    /// The number in the last line that smtp-sink wrote: `sess=2 quit=1 mesg=17`, over and over.
    fn counted(&self) -> Result<usize> {
        let mut file = File::open(&self.counter)?;
        let length = file.metadata()?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(100)))?;
        let mut tail = String::new();
        file.read_to_string(&mut tail)?;
        Ok(last_count(&tail))
    }
}

/// A sink that keeps everything of a session in one file: for the return paths of very many messages.
pub struct Recorder {
    folder: PathBuf,
    _program: Program,
}

impl Recorder {
    /// Starts it beside the others.
    pub fn start(folder: &Path, port: u16) -> Result<Recorder> {
        let folder = folder.join("recorded");
        fs::create_dir_all(&folder)?;
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o777))?;
        let program = crate::shell::which("smtp-sink").context("smtp-sink is missing (Debian's package postfix)")?;
        let mut recording = bound(&program, crate::shell::is_root().then_some("nobody"));
        recording.args(["-D", "s.", &format!("{RECORDING}:{port}"), "1000"]);
        recording.current_dir(&folder).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit());
        let program = Program::start("smtp-sink", &mut recording)?;
        wait_until_open(RECORDING, port)?;
        Ok(Recorder { folder, _program: program })
    }

    /// The return path of every message that came.
    pub fn return_paths(&self) -> Result<Vec<String>> {
        let mut paths = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let session = fs::read(entry?.path())?;
            let lines = session.split(|byte| *byte == b'\n').filter_map(|line| line.strip_prefix(b"X-Mail-Args: <"));
            let path = |line: &[u8]| String::from_utf8_lossy(line.split(|b| *b == b'>').next().unwrap_or(line)).into();
            paths.extend(lines.map(path));
        }
        Ok(paths)
    }
}

fn wait_until_open(address: &str, port: u16) -> Result<()> {
    for _ in 0..200 {
        if TcpStream::connect((address, port)).is_ok() {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    bail!("smtp-sink does not open {address}:{port}")
}

fn last_count(tail: &str) -> usize {
    let complete = tail.rfind('\r').map_or("", |end| &tail[..end]);
    complete.rsplit("mesg=").next().and_then(|number| number.trim().parse().ok()).unwrap_or(0)
}

/// smtp-sink puts header lines of its own before the message and ends lines as Unix does; both are undone.
fn as_received(kept: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(kept);
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.peek() {
        let own = line.starts_with("X-Client-") || line.starts_with("X-Helo-") || line.starts_with("X-Mail-");
        // The relays' own trace goes too; it is not signed.
        let trace = line.starts_with("X-Rcpt-") || line.starts_with("Received:") || line.starts_with('\t');
        if !own && !trace {
            break;
        }
        lines.next();
    }
    let mut message = Vec::with_capacity(kept.len() + 300);
    for line in lines {
        message.extend(line.as_bytes());
        message.extend(b"\r\n");
    }
    message
}

/// A port that is free at all addresses.
pub fn free_port() -> Result<u16> {
    for _ in 0..50 {
        let listener = TcpListener::bind((COUNTING, 0))?;
        let port = listener.local_addr()?.port();
        if [KEEPING, RECORDING].iter().all(|address| TcpListener::bind((*address, port)).is_ok()) {
            return Ok(port);
        }
    }
    bail!("no port is free at {COUNTING}, {KEEPING} and {RECORDING}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_how_many_are_kept() {
        for messages in [0, 5, 500, 1_000, 2_003, 50_000] {
            assert_eq!(sampled(messages), (0..messages).filter(|n| is_sampled(n % DOMAINS)).count(), "{messages}");
        }
    }

    #[test]
    fn reads_the_last_complete_count() {
        assert_eq!(last_count("sess=1 quit=0 mesg=1\rsess=1 quit=0 mesg=25\rsess=1 quit=0 me"), 25);
        assert_eq!(last_count(""), 0);
    }
}
