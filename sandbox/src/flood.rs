//! A flood of reports: every return path is told that its recipient does not exist, by some sessions at a time.

use crate::application::Session;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

/// Reports over one connection, as mail servers do it.
const PER_CONNECTION: usize = 100;

/// Whom reports go to, and how fast.
#[derive(Clone, Debug)]
pub struct Flood {
    /// Where they are taken.
    pub server: SocketAddr,
    /// Sessions at a time.
    pub sessions: usize,
    /// Reports a second at most; 0 for as many as are taken.
    pub per_second: u32,
    /// The return paths.
    pub return_paths: Vec<String>,
}

impl Flood {
    /// Sends a report to each return path; returns when the last one has been taken.
    ///
    /// # Errors
    /// When the server refuses anything, or goes away.
    pub async fn run(self) -> io::Result<()> {
        let (sessions, flood, next) = (self.sessions, Arc::new(self), Arc::new(AtomicUsize::new(0)));
        let begun = tokio::time::Instant::now();
        let run = |_| tokio::spawn(session(flood.clone(), next.clone(), begun));
        for session in (0..sessions).map(run).collect::<Vec<_>>() {
            session.await.map_err(io::Error::other)??;
        }
        Ok(())
    }
}

async fn session(flood: Arc<Flood>, next: Arc<AtomicUsize>, begun: tokio::time::Instant) -> io::Result<()> {
    loop {
        let mut session = Session::open(flood.server, None).await?;
        for _ in 0..PER_CONNECTION {
            let n = next.fetch_add(1, Relaxed);
            let Some(return_path) = flood.return_paths.get(n) else { return session.end().await };
            if flood.per_second > 0 {
                tokio::time::sleep_until(begun + Duration::from_secs_f64(n as f64 / f64::from(flood.per_second))).await;
            }
            session.send("", return_path, &report(n, return_path)).await?;
        }
        session.end().await?;
    }
}

/// What a server says of an address that it does not know, with the header of the message that it returns.
fn report(n: usize, return_path: &str) -> Vec<u8> {
    let boundary = format!("=_{n:08x}");
    format!(
        "From: MAILER-DAEMON@mx.gull.example (Mail Delivery System)\r\nTo: {return_path}\r\n\
         Subject: Undelivered Mail Returned to Sender\r\nDate: Fri, 27 Nov 2026 12:00:00 +0000\r\n\
         Message-ID: <{n}@mx.gull.example>\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=delivery-status; boundary=\"{boundary}\"\r\n\r\n\
         --{boundary}\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n\
         This is the mail system at host mx.gull.example.\r\n\r\n\
         I'm sorry to have to inform you that your message could not be delivered.\r\n\r\n\
         <r{n}@gull.example>: host mailbox.gull.example said: 550 5.1.1 User unknown (in reply to RCPT TO command)\r\n\r\n\
         --{boundary}\r\nContent-Type: message/delivery-status\r\n\r\n\
         Reporting-MTA: dns; mx.gull.example\r\nArrival-Date: Fri, 27 Nov 2026 11:59:58 +0000\r\n\r\n\
         Final-Recipient: rfc822; r{n}@gull.example\r\nAction: failed\r\nStatus: 5.1.1\r\n\
         Remote-MTA: dns; mailbox.gull.example\r\nDiagnostic-Code: smtp; 550 5.1.1 User unknown\r\n\r\n\
         --{boundary}\r\nContent-Type: text/rfc822-headers\r\n\r\n\
         From: News <news@bench.example>\r\nTo: r{n}@gull.example\r\nSubject: What is new\r\n\
         Message-ID: <{n}.1@bench.example>\r\nList-Id: <w1.bench.example>\r\n\r\n--{boundary}--\r\n.\r\n"
    )
    .into_bytes()
}
