//! The limit that the engine is measured against: a client that only signs and sends. No queue, no database, no DNS, no
//! outcome: each connection signs a message and writes it, its final dot and the next envelope in one piece, and reads
//! the replies in bulk, which is the least that SMTP with PIPELINING (RFC 2920) costs.
//!
//! `bare_client PORT MESSAGES CONNECTIONS FILE`: FILE is a message with CR LF lines, unsigned. Prints one line:
//! `MESSAGES in SECONDS s, CPU s`.

use mail::Domain;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Instant;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use world::{Clock, SystemClock};

type Failure = Box<dyn std::error::Error + Send + Sync>;

struct Work {
    signer: dkim::Signer,
    message: Vec<u8>,
    next: AtomicUsize,
    messages: usize,
}

impl Work {
    /// The next message's number, while there is one.
    fn take(&self) -> Option<usize> {
        let n = self.next.fetch_add(1, Relaxed);
        (n < self.messages).then_some(n)
    }

    fn envelope(out: &mut Vec<u8>, n: usize) {
        let lines =
            format!("MAIL FROM:<b-{n}@bounce.bench.example>\r\nRCPT TO:<r{n}@d{}.example>\r\nDATA\r\n", n % 1000);
        out.extend_from_slice(lines.as_bytes());
    }

    /// Signature and content. The message of the benchmark has no line that begins with a dot.
    fn content(&self, out: &mut Vec<u8>) -> Result<(), Failure> {
        out.extend_from_slice(&self.signer.sign(&self.message, SystemClock.now_ms())?);
        out.extend_from_slice(&self.message);
        out.extend_from_slice(b".\r\n");
        Ok(())
    }
}

/// Reads until so many replies have come; every one must be a yes.
async fn replies(stream: &mut TcpStream, buffer: &mut Vec<u8>, mut wanted: usize) -> Result<(), Failure> {
    loop {
        while let Some(end) = buffer.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = buffer.drain(..=end).collect();
            if !matches!(line.first(), Some(b'2' | b'3')) {
                return Err(format!("the sink says {}", String::from_utf8_lossy(&line)).into());
            }
            if line.get(3) != Some(&b'-') {
                wanted -= 1;
            }
            if wanted == 0 {
                return Ok(());
            }
        }
        if stream.read_buf(buffer).await? == 0 {
            return Err("the sink closed the connection".into());
        }
    }
}

async fn connection(work: Arc<Work>, port: u16) -> Result<(), Failure> {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
    stream.set_nodelay(true)?;
    let (mut out, mut buffer) = (Vec::new(), Vec::new());
    replies(&mut stream, &mut buffer, 1).await?;
    stream.write_all(b"EHLO bare.bench.example\r\n").await?;
    replies(&mut stream, &mut buffer, 1).await?;
    let Some(first) = work.take() else { return Ok(()) };
    Work::envelope(&mut out, first);
    stream.write_all(&out).await?;
    loop {
        out.clear();
        work.content(&mut out)?;
        replies(&mut stream, &mut buffer, 3).await?;
        let next = work.take();
        match next {
            Some(n) => Work::envelope(&mut out, n),
            None => out.extend_from_slice(b"QUIT\r\n"),
        }
        stream.write_all(&out).await?;
        replies(&mut stream, &mut buffer, 1).await?;
        if next.is_none() {
            return Ok(());
        }
    }
}

/// User and system seconds of this process, from /proc.
fn cpu_seconds() -> Result<f64, Failure> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let after = stat.rsplit(')').next().unwrap_or("");
    let ticks: f64 = after.split_whitespace().skip(11).take(2).filter_map(|t| t.parse::<f64>().ok()).sum();
    Ok(ticks / 100.0)
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let mut argument = || arguments.next().ok_or("bare_client PORT MESSAGES CONNECTIONS FILE");
    let (port, messages, connections) = (argument()?.parse()?, argument()?.parse()?, argument()?.parse::<usize>()?);
    let message = std::fs::read(argument()?)?;
    let key = dkim::SigningKey { selector: "r1".to_owned(), key: Arc::new(dkim::Key::generate_rsa()?) };
    let signer = dkim::Signer::new(&Domain::parse("bench.example")?, [key])?;
    let work = Arc::new(Work { signer, message, next: AtomicUsize::new(0), messages });
    let (cpu, begun) = (cpu_seconds()?, Instant::now());
    let tasks: Vec<_> = (0..connections).map(|_| tokio::spawn(connection(work.clone(), port))).collect();
    for task in tasks {
        task.await??;
    }
    println!("{messages} in {:.3} s, {:.2} s", begun.elapsed().as_secs_f64(), cpu_seconds()? - cpu);
    Ok(())
}
