//! What a program and all its children cost, from `/proc`.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::fs;
use std::process::{Child, ChildStdout, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::shell;

/// Between two looks at the memory. Each look costs the kernel a walk over the pages.
const MEMORY_LOOK: Duration = Duration::from_millis(500);

/// Sums over a program and its descendants, those that have ended included.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// User and system time.
    pub cpu_s: f64,
    /// Bytes that went to the disk.
    pub written_bytes: u64,
}

impl Usage {
    /// Of all these programs by now.
    pub fn of(roots: &[u32]) -> Result<Usage> {
        let ticks_per_s = ticks_per_s()?;
        let mut usage = Usage::default();
        for pid in descendants(roots) {
            // A process may end between the look at the list and this one; its parent then has its sums.
            let Some(stat) = Stat::read(pid) else { continue };
            usage.cpu_s += stat.ticks as f64 / ticks_per_s;
            usage.written_bytes += written_bytes(pid).unwrap_or(0);
        }
        Ok(usage)
    }

    /// What was used since `earlier`.
    pub fn since(self, earlier: Usage) -> Usage {
        Usage {
            cpu_s: self.cpu_s - earlier.cpu_s,
            written_bytes: self.written_bytes.saturating_sub(earlier.written_bytes),
        }
    }
}

fn ticks_per_s() -> Result<f64> {
    let output = Command::new("getconf").arg("CLK_TCK").output().context("cannot run getconf")?;
    String::from_utf8_lossy(&output.stdout).trim().parse().context("getconf does not tell the clock's ticks")
}

struct Stat {
    parent: u32,
    /// Own time and that of the children that were waited for.
    ticks: u64,
}

impl Stat {
    fn read(pid: u32) -> Option<Stat> {
        let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name may hold blanks and parentheses; what follows the last one is numbers.
        let fields: Vec<&str> = text[text.rfind(')')? + 1..].split_whitespace().collect();
        let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
        let ticks = number(11)? + number(12)? + number(13)? + number(14)?;
        Some(Stat { parent: u32::try_from(number(1)?).ok()?, ticks })
    }
}

/// The programs and everything that they started.
fn descendants(roots: &[u32]) -> Vec<u32> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for pid in pids() {
        if let Some(stat) = Stat::read(pid) {
            children.entry(stat.parent).or_default().push(pid);
        }
    }
    let mut found = roots.to_vec();
    let mut next = 0;
    while next < found.len() {
        let own = children.get(&found[next]).cloned().unwrap_or_default();
        found.extend(own);
        next += 1;
    }
    found
}

fn pids() -> Vec<u32> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).collect()
}

fn written_bytes(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/io")).ok()?;
    text.lines().find_map(|line| line.strip_prefix("write_bytes: ")?.trim().parse().ok())
}

fn pss_kib(pid: u32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).ok()?;
    text.lines().find_map(|line| line.strip_prefix("Pss:")?.trim().strip_suffix(" kB")?.trim().parse().ok())
}

/// Looks at the memory of programs until it is dropped.
pub struct MemoryWatch {
    peak_kib: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl MemoryWatch {
    /// Begins to look.
    pub fn start(roots: Vec<u32>) -> MemoryWatch {
        let peak_kib = Arc::new(AtomicU64::new(0));
        let over = Arc::new(AtomicBool::new(false));
        let (peak, stop) = (peak_kib.clone(), over.clone());
        let thread = std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                let sum = descendants(&roots).into_iter().filter_map(pss_kib).sum();
                peak.fetch_max(sum, Ordering::Relaxed);
                std::thread::sleep(MEMORY_LOOK);
            }
        });
        MemoryWatch { peak_kib, over, thread: Some(thread) }
    }

    /// The most memory at one look: proportional set size, so that shared pages count once.
    pub fn peak_mib(&self) -> f64 {
        self.peak_kib.load(Ordering::Relaxed) as f64 / 1024.0
    }
}

impl Drop for MemoryWatch {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // It only sleeps and adds; a panic in it costs a figure, which then is seen to be 0.
            let _ = thread.join();
        }
    }
}

/// A program that ends with the run that started it.
pub struct Program {
    child: Child,
    name: String,
}

/// A command that the system ends when we end, however that comes about. `user` is another one to run as.
pub fn bound(program: impl AsRef<OsStr>, user: Option<&str>) -> Command {
    // setpriv is util-linux's: it becomes the program, so the process keeps its number.
    let mut command = Command::new("setpriv");
    if let Some(user) = user {
        command.args(["--reuid", user, "--clear-groups"]);
    }
    command.args(["--pdeathsig", "TERM"]).arg(program);
    command
}

impl Program {
    /// Starts it.
    pub fn start(name: &str, command: &mut Command) -> Result<Program> {
        let child = command.spawn().with_context(|| format!("cannot start {name}"))?;
        Ok(Program { child, name: name.to_owned() })
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it prints, where that was asked for.
    pub fn stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// Fails when it has ended.
    pub fn must_run(&mut self) -> Result<()> {
        if let Some(status) = self.child.try_wait()? {
            anyhow::bail!("{} ended early ({status})", self.name);
        }
        Ok(())
    }

    /// Asks it to end, and waits until it has.
    pub fn stop(&mut self) {
        // It may have ended already.
        let _ = shell::terminate(self.pid());
        for _ in 0..300 {
            match self.child.try_wait() {
                Ok(None) => std::thread::sleep(Duration::from_millis(50)),
                _ => return,
            }
        }
        eprintln!("{} does not end; it is killed", self.name);
        // It may have ended just now.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.stop();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_children_that_have_ended() {
        let own = std::process::id();
        let before = Usage::of(&[own]).unwrap();
        let busy = Command::new("sh").args(["-c", "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done"]).status();
        assert!(busy.unwrap().success());
        let used = Usage::of(&[own]).unwrap().since(before);
        assert!(used.cpu_s > 0.0, "{used:?}");
        assert!(pss_kib(own).unwrap() > 0);
    }
}
