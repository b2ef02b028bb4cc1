//! The applications that hand mail to the relay: some sessions at a time, one message after the other in each, as
//! Postfix's `smtp-source` does, but to as many destination domains as the campaign has.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::sink;

const REPLY_WAIT: Duration = Duration::from_secs(120);

/// What is handed over, and how.
pub struct Load {
    /// Messages.
    pub messages: usize,
    /// Sessions at a time.
    pub sessions: usize,
    /// The relay's port.
    pub port: u16,
    /// A message, with CR LF, that every recipient gets with another To and Message-ID.
    pub template: Vec<u8>,
}

impl Load {
    /// Hands everything over; returns when the last message has been accepted.
    pub fn run(&self) -> Result<()> {
        let next = AtomicUsize::new(0);
        let parts = parts(&self.template);
        std::thread::scope(|scope| {
            let sessions: Vec<_> = (0..self.sessions).map(|_| scope.spawn(|| self.session(&next, &parts))).collect();
            for session in sessions {
                session.join().map_err(|_| anyhow::anyhow!("a session of the load panicked"))??;
            }
            Ok(())
        })
    }

    fn session(&self, next: &AtomicUsize, parts: &[Part]) -> Result<()> {
        let mut session = Session::open(self.port)?;
        loop {
            let n = next.fetch_add(1, Ordering::Relaxed);
            if n >= self.messages {
                return session.command("QUIT\r\n", "221");
            }
            let recipient = format!("r{n}@{}", sink::domain(n));
            session.send(&recipient, &personal(parts, &recipient, n)).context("the relay refuses a message")?;
        }
    }
}

struct Session {
    stream: TcpStream,
    replies: BufReader<TcpStream>,
}

impl Session {
    fn open(port: u16) -> Result<Session> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).context("the relay does not answer")?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(REPLY_WAIT))?;
        let mut session = Session { replies: BufReader::new(stream.try_clone()?), stream };
        session.reply("220")?;
        session.command("HELO app.bench.example\r\n", "250")?;
        Ok(session)
    }

    fn send(&mut self, recipient: &str, message: &[u8]) -> Result<()> {
        self.command("MAIL FROM:<news@bench.example>\r\n", "250")?;
        self.command(&format!("RCPT TO:<{recipient}>\r\n"), "250")?;
        self.command("DATA\r\n", "354")?;
        self.stream.write_all(message)?;
        self.reply("250")
    }

    fn command(&mut self, line: &str, expected: &str) -> Result<()> {
        self.stream.write_all(line.as_bytes())?;
        self.reply(expected)
    }

    fn reply(&mut self, expected: &str) -> Result<()> {
        let mut line = String::new();
        loop {
            line.clear();
            self.replies.read_line(&mut line)?;
            if line.as_bytes().get(3) != Some(&b'-') {
                break;
            }
        }
        if !line.starts_with(expected) {
            bail!("{expected} was expected, and came {:?}", line.trim_end());
        }
        Ok(())
    }
}

/// A piece of a message. What is the same for everybody is prepared once, so that the load costs the relay little.
enum Part {
    Fixed(Vec<u8>),
    To,
    MessageId,
}

/// The template with dots doubled and the final dot at its end.
fn parts(template: &[u8]) -> Vec<Part> {
    let (mut parts, mut fixed, mut in_header) = (Vec::new(), Vec::new(), true);
    for line in template.split_inclusive(|byte| *byte == b'\n') {
        in_header &= line != b"\r\n";
        let own = match line {
            _ if !in_header => None,
            _ if line.starts_with(b"To:") => Some(Part::To),
            _ if line.starts_with(b"Message-ID:") => Some(Part::MessageId),
            _ => None,
        };
        if let Some(part) = own {
            parts.push(Part::Fixed(std::mem::take(&mut fixed)));
            parts.push(part);
            continue;
        }
        if line.starts_with(b".") {
            fixed.push(b'.');
        }
        fixed.extend_from_slice(line);
    }
    fixed.extend_from_slice(b".\r\n");
    parts.push(Part::Fixed(fixed));
    parts
}

/// A message with its own recipient and identifier.
fn personal(parts: &[Part], recipient: &str, n: usize) -> Vec<u8> {
    let mut message = Vec::new();
    for part in parts {
        match part {
            Part::Fixed(bytes) => message.extend_from_slice(bytes),
            Part::To => message.extend_from_slice(format!("To: <{recipient}>\r\n").as_bytes()),
            Part::MessageId => {
                message.extend_from_slice(format!("Message-ID: <{n}.bench@bench.example>\r\n").as_bytes());
            }
        }
    }
    message
}

/// Without what a signer added: what an application would have handed over.
pub fn unsigned(message: &[u8]) -> Vec<u8> {
    let mut plain = Vec::with_capacity(message.len());
    let (mut in_header, mut dropping) = (true, false);
    for line in message.split_inclusive(|byte| *byte == b'\n') {
        in_header &= line != b"\r\n";
        if in_header && !line.starts_with(b" ") && !line.starts_with(b"\t") {
            dropping = line.to_ascii_lowercase().starts_with(b"dkim-signature:");
        }
        if !(in_header && dropping) {
            plain.extend(line);
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_is_its_recipients_own() {
        let template = b"To: x\r\nMessage-ID: y\r\n\r\nTo: z\r\n.dot\r\n";
        let expected = b"To: <r7@d7.example>\r\nMessage-ID: <7.bench@bench.example>\r\n\r\nTo: z\r\n..dot\r\n.\r\n";
        assert_eq!(personal(&parts(template), "r7@d7.example", 7), expected);
    }

    #[test]
    fn signatures_go_with_their_folded_lines() {
        let signed = b"A: 1\r\nDKIM-Signature: v=1;\r\n\tb=x\r\nB: 2\r\n\r\nDKIM-Signature: body\r\n";
        assert_eq!(unsigned(signed), b"A: 1\r\nB: 2\r\n\r\nDKIM-Signature: body\r\n");
    }
}
