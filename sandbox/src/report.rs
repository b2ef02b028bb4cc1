//! Reports of failed delivery (DSN, RFC 3464) that a provider sends after it had accepted: written here, sent over
//! real SMTP to the MX of the reverse-path's domain.

use crate::dkim_verify::header;
use crate::hash::hash;
use crate::host::{Host, Network};
use crate::zone::{Answer, Kind, Record, Zone};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, OnceLock, Weak};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use world::{Clock, Dial, Stream};

/// Reports waiting or under way; beyond that they are counted as failed.
const PENDING_MAX: usize = 20_000;
/// Connections at a time.
const CONNECTIONS_MAX: usize = 8;
/// Attempts, the first after a second, each next one after twice the time.
const ATTEMPTS_MAX: u32 = 6;
/// For every step of the dialogue.
const STEP_WAIT: Duration = Duration::from_secs(30);
/// How much of the original's header is returned.
const HEADER_MAX: usize = 16 * 1024;

/// A report to be sent.
pub(crate) struct Report {
    provider: String,
    server: IpAddr,
    server_name: String,
    reverse_path: String,
    recipient: String,
    original_header: Vec<u8>,
    wait: Duration,
}

impl Report {
    pub fn new(host: &Host, server: IpAddr, reverse_path: &str, recipient: &str, content: &[u8]) -> Report {
        let head = content.windows(4).position(|four| four == b"\r\n\r\n").map_or(content.len(), |at| at + 2);
        let name = host.provider.mx.iter().find(|mx| mx.ip == server).map(|mx| mx.host.clone());
        Report {
            provider: host.provider.name.clone(),
            server,
            server_name: name.unwrap_or_default(),
            reverse_path: reverse_path.to_owned(),
            recipient: recipient.to_owned(),
            original_header: content[..head.min(HEADER_MAX)].to_vec(),
            wait: Duration::from_millis(host.provider.manners.report_ms),
        }
    }

    /// The whole message: multipart/report with text, delivery-status, and the original's header.
    fn write(&self, now_ms: i64) -> Vec<u8> {
        let id = hash(5, format!("{} {now_ms}", self.recipient).as_bytes());
        let date = jiff::Timestamp::from_millisecond(now_ms).unwrap_or_default();
        let date = jiff::fmt::rfc2822::to_string(&date.to_zoned(jiff::tz::TimeZone::UTC)).unwrap_or_default();
        let boundary = format!("=_report_{id:016x}");
        let Report { server_name, reverse_path, recipient, .. } = self;
        let original = header(&self.original_header, "Message-ID").unwrap_or_default();
        let head = format!(
            "From: Mail Delivery System <MAILER-DAEMON@{server_name}>\r\n\
             To: {reverse_path}\r\n\
             Subject: Undelivered Mail Returned to Sender\r\n\
             Date: {date}\r\n\
             Message-ID: <{id:016x}@{server_name}>\r\n\
             In-Reply-To:{original}\r\n\
             Auto-Submitted: auto-replied\r\n\
             MIME-Version: 1.0\r\n\
             Content-Type: multipart/report; report-type=delivery-status;\r\n boundary=\"{boundary}\"\r\n\r\n"
        );
        let text = format!(
            "--{boundary}\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n\
             Your message could not be delivered to {recipient}:\r\nthe mailbox does not exist.\r\n\r\n"
        );
        let status = format!(
            "--{boundary}\r\nContent-Type: message/delivery-status\r\n\r\n\
             Reporting-MTA: dns; {server_name}\r\nArrival-Date: {date}\r\n\r\n\
             Final-Recipient: rfc822; {recipient}\r\nOriginal-Recipient: rfc822; {recipient}\r\n\
             Action: failed\r\nStatus: 5.1.1\r\n\
             Diagnostic-Code: smtp; 550 5.1.1 User unknown\r\nLast-Attempt-Date: {date}\r\n\r\n"
        );
        let mut out = (head + &text + &status).into_bytes();
        out.extend_from_slice(format!("--{boundary}\r\nContent-Type: text/rfc822-headers\r\n\r\n").as_bytes());
        out.extend_from_slice(&self.original_header);
        out.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
        out
    }
}

/// Sends reports, each from a task of its own, few at a time.
pub(crate) struct Reporter {
    /// Weak: in memory the dialer leads back to the network that owns this.
    dial: OnceLock<Weak<dyn Dial>>,
    port: u16,
    tasks: TaskTracker,
    stop: CancellationToken,
    connections: Arc<Semaphore>,
}

impl Reporter {
    pub fn new(port: u16, tasks: TaskTracker, stop: CancellationToken) -> Reporter {
        Reporter { dial: OnceLock::new(), port, tasks, stop, connections: Arc::new(Semaphore::new(CONNECTIONS_MAX)) }
    }

    /// Says how connections are opened; once.
    pub fn dial_with(&self, dial: Weak<dyn Dial>) {
        // A second call would be a mistake of this room; the first way stays.
        let _ = self.dial.set(dial);
    }

    /// Takes a report to be sent when its time has come.
    pub fn order(&self, network: &Arc<Network>, report: Report) {
        let dial = self.dial.get().and_then(Weak::upgrade);
        let Some(dial) = dial.filter(|_| self.tasks.len() < PENDING_MAX) else {
            return network.ledger.note(&report.provider, |summary| summary.reports_failed += 1);
        };
        let (zone, ledger, clock) = (network.zone.clone(), network.ledger.clone(), network.clock.clone());
        let (connections, stop, port) = (self.connections.clone(), self.stop.clone(), self.port);
        self.tasks.spawn(async move {
            let way = Way { zone, clock, dial, connections, port };
            let sent = stop.run_until_cancelled(way.send(&report)).await.unwrap_or(false);
            ledger.note(&report.provider, |summary| match sent {
                true => summary.reports_sent += 1,
                false => summary.reports_failed += 1,
            });
        });
    }
}

struct Way {
    zone: Zone,
    clock: Arc<dyn Clock>,
    dial: Arc<dyn Dial>,
    connections: Arc<Semaphore>,
    port: u16,
}

impl Way {
    /// True when it was taken.
    async fn send(&self, report: &Report) -> bool {
        self.clock.sleep(report.wait).await;
        let message = report.write(self.clock.now_ms());
        for attempt in 0..ATTEMPTS_MAX {
            if attempt > 0 {
                self.clock.sleep(Duration::from_secs(1 << (attempt - 1))).await;
            }
            match self.attempt(report, &message).await {
                Ok(200..=299) => return true,
                Ok(500..=599) => return false,
                Ok(_) => {}
                Err(error) => tracing::trace!("report not sent: {error}"),
            }
        }
        false
    }

    /// One attempt; the code of the reply that ended it.
    async fn attempt(&self, report: &Report, message: &[u8]) -> io::Result<u16> {
        let _place = self.connections.acquire().await.map_err(io::Error::other)?;
        let domain = report.reverse_path.rsplit_once('@').map_or("", |(_, domain)| domain);
        let ip = exchanger(&self.zone, domain).ok_or(io::ErrorKind::NotFound)?;
        let connect = self.dial.connect(Some(report.server), SocketAddr::new(ip, self.port));
        let stream = tokio::time::timeout(STEP_WAIT, connect).await??;
        let mut client = Client { io: BufReader::new(stream) };
        let mail = format!("MAIL FROM:<>\r\nRCPT TO:<{}>\r\nDATA\r\n", report.reverse_path);
        client.expect(2).await?;
        client.say(format!("EHLO {}\r\n", report.server_name).as_bytes()).await?;
        client.expect(2).await?;
        for (command, class) in mail.split_inclusive("\r\n").zip([2, 2, 3]) {
            client.say(command.as_bytes()).await?;
            let code = client.reply().await?;
            if code / 100 != class {
                return Ok(code);
            }
        }
        client.say(&stuffed(message)).await?;
        let code = client.reply().await?;
        // What becomes of the farewell changes nothing.
        if client.say(b"QUIT\r\n").await.is_ok() {
            let _ = client.reply().await;
        }
        Ok(code)
    }
}

/// The address of the best exchanger of a domain.
fn exchanger(zone: &Zone, domain: &str) -> Option<IpAddr> {
    let Answer::Records(records) = zone.ask(domain, Kind::Mx) else { return None };
    let mut hosts: Vec<(u16, String)> = records
        .into_iter()
        .filter_map(|(_, record)| match record {
            Record::Mx { preference, host } => Some((preference, host)),
            _ => None,
        })
        .collect();
    if hosts.is_empty() {
        hosts.push((0, domain.to_owned()));
    }
    hosts.sort();
    let address = |host: &String| match zone.ask(host, Kind::A) {
        Answer::Records(records) => records.into_iter().find_map(|(_, record)| match record {
            Record::Address(ip) => Some(ip),
            _ => None,
        }),
        _ => None,
    };
    hosts.iter().find_map(|(_, host)| address(host))
}

fn stuffed(message: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(message.len() + 16);
    for line in message.split_inclusive(|b| *b == b'\n') {
        if line.starts_with(b".") {
            out.push(b'.');
        }
        out.extend_from_slice(line);
    }
    out.extend_from_slice(b".\r\n");
    out
}

struct Client {
    io: BufReader<Box<dyn Stream>>,
}

impl Client {
    async fn say(&mut self, text: &[u8]) -> io::Result<()> {
        tokio::time::timeout(STEP_WAIT, self.io.write_all(text)).await??;
        self.io.flush().await
    }

    /// The code of a whole reply.
    async fn reply(&mut self) -> io::Result<u16> {
        for _ in 0..100 {
            let mut line = String::new();
            if tokio::time::timeout(STEP_WAIT, self.io.read_line(&mut line)).await?? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if line.as_bytes().get(3) != Some(&b'-') {
                return line.get(..3).and_then(|code| code.parse().ok()).ok_or(io::ErrorKind::InvalidData.into());
            }
        }
        Err(io::ErrorKind::InvalidData.into())
    }

    async fn expect(&mut self, class: u16) -> io::Result<()> {
        let code = self.reply().await?;
        if code / 100 == class { Ok(()) } else { Err(io::Error::other(format!("the server said {code}"))) }
    }
}
