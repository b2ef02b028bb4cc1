//! Mail servers of other people, each in a folder of its own on loopback, ended with the value that started it.

pub mod postfix;

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Nothing here takes so long.
pub const PATIENCE: Duration = Duration::from_secs(60);
const LOOK: Duration = Duration::from_millis(20);
/// A server ends by itself after this, whatever became of the test.
const LIFE_MAX_SECONDS: &str = "280";
/// Debian's own: its packages of Python's modules are for no other.
const PYTHON: &str = "/usr/bin/python3";

/// A program that these tests need.
///
/// # Panics
/// When it is not there; says how to get it.
pub fn program(name: &str, package: &str) -> PathBuf {
    let folders = ["/usr/sbin", "/usr/bin", "/usr/local/bin"];
    let found = folders.iter().map(|folder| Path::new(folder).join(name)).find(|path| path.exists());
    found
        .unwrap_or_else(|| panic!("this test needs {name}: cargo xtask setup --for test, or apt-get install {package}"))
}

/// A process with a bounded life, asked to end when this is dropped.
pub struct Program(Child);

impl Program {
    /// Runs it in `folder`. `timeout` hands on what ends it.
    pub fn start(folder: &Path, words: &[&str]) -> Program {
        let log = fs::File::options().create(true).append(true).open(folder.join("output")).unwrap();
        let mut command = Command::new("timeout");
        command.args(["--kill-after=10", LIFE_MAX_SECONDS]).args(words).current_dir(folder).env("LC_ALL", "C.UTF-8");
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(log);
        Program(command.spawn().unwrap())
    }

    fn wait(&mut self) -> bool {
        let begun = Instant::now();
        while begun.elapsed() < Duration::from_secs(15) {
            if self.0.try_wait().is_ok_and(|ended| ended.is_some()) {
                return true;
            }
            std::thread::sleep(LOOK);
        }
        false
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Through the shell, which has `kill` built in.
        let _ = Command::new("sh").args(["-c", &format!("kill -TERM {}", self.0.id())]).status();
        if !self.wait() {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
}

/// A port that is free at this address now.
pub fn free_port(ip: &str) -> u16 {
    TcpListener::bind((ip, 0)).unwrap().local_addr().unwrap().port()
}

/// Until something listens there.
pub fn wait_until_open(address: SocketAddr, folder: &Path) {
    let begun = Instant::now();
    while TcpStream::connect(address).is_err() {
        let said = || ["output", "log"].map(|name| fs::read_to_string(folder.join(name)).unwrap_or_default());
        assert!(begun.elapsed() < PATIENCE, "nothing listens at {address}: {:?}", said());
        std::thread::sleep(LOOK);
    }
}

/// A folder that other users may enter: the servers give up the rights of root.
pub fn open_folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o777)).unwrap();
    folder
}

/// The files below `folder` whose names end so, with what they hold.
pub fn files(folder: &Path, ending: &str) -> Vec<Vec<u8>> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut paths: Vec<PathBuf> = entries.filter(|path| path.to_string_lossy().ends_with(ending)).collect();
    paths.sort();
    paths.into_iter().map(|path| fs::read(path).unwrap()).collect()
}

/// Postfix's own sink.
pub struct Sink {
    pub folder: tempfile::TempDir,
    _program: Program,
}

impl Sink {
    pub fn start(ip: &str, port: u16) -> Sink {
        let folder = open_folder();
        let (sink, address) = (program("smtp-sink", "postfix"), format!("{ip}:{port}"));
        let words = [sink.to_str().unwrap(), "-u", "nobody", "-d", "kept.", &address, "100"];
        let program = Program::start(folder.path(), &words);
        wait_until_open(address.parse().unwrap(), folder.path());
        Sink { folder, _program: program }
    }

    /// The messages that it kept; it writes a name before it writes the end.
    pub fn kept(&self) -> Vec<Vec<u8>> {
        files(self.folder.path(), "").into_iter().filter(|kept| kept.starts_with(b"X-Client-Addr")).collect()
    }
}

/// Python's server.
pub struct Aiosmtpd {
    pub folder: tempfile::TempDir,
    _program: Program,
}

impl Aiosmtpd {
    pub fn start(ip: &str, port: u16, size_max: usize, names: &str) -> Aiosmtpd {
        program("../lib/python3/dist-packages/aiosmtpd", "python3-aiosmtpd");
        let folder = open_folder();
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/peer/receiver.py");
        let (port, size_max) = (port.to_string(), size_max.to_string());
        let (place, script) = (folder.path().to_str().unwrap(), script.to_str().unwrap());
        let mut program = Program::start(folder.path(), &[PYTHON, script, place, ip, &port, &size_max, names]);
        let mut line = String::new();
        BufReader::new(program.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
        assert_eq!(line, "ready\n", "{}", fs::read_to_string(folder.path().join("output")).unwrap());
        Aiosmtpd { folder, _program: program }
    }
}
