//! What a provider says: every decision about a client's words, without any stream.

mod judge;

use super::command::Command;
use crate::host::{Host, Network};
use crate::ledger::Attempt;
use crate::mailbox::Mailbox;
use crate::manners::{BlockStage, Manners, Step, Tls};
use std::net::IpAddr;
use std::sync::Arc;

/// How many senseless commands a client may send.
const ERRORS_MAX: u32 = 20;
/// Where a cut within the content comes.
const CUT_AFTER_BYTES: usize = 256;

/// What is said, and what happens then.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Turn {
    /// Whole lines with their ends; empty when nothing is said.
    pub reply: String,
    pub next: Next,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// The next command is read.
    Command,
    /// Content is read; the connection ends after so many bytes of it, if any number is given.
    Content { cut_after: Option<usize> },
    /// A chunk of this size is read, likewise.
    Chunk { size: usize, last: bool, cut_after: Option<usize> },
    /// TLS begins.
    StartTls,
    /// The connection ends.
    Close,
}

struct Envelope {
    reverse_path: String,
    eight_bit: bool,
    recipients: Vec<(String, Mailbox)>,
    /// What the client wishes to be told, of MAIL and of each accepted RCPT.
    wishes: Vec<String>,
    /// What has come in chunks.
    chunks: Option<Vec<u8>>,
    /// The connection ends amid the content.
    cut: bool,
}

/// One connection's dialogue.
pub(super) struct Dialogue {
    network: Arc<Network>,
    host: Arc<Host>,
    server: IpAddr,
    source: IpAddr,
    tls: bool,
    ehlo: Option<String>,
    envelope: Option<Envelope>,
    /// What the last MAIL was answered, when it was not taken.
    mail_refusal: Option<String>,
    messages: u32,
    errors: u32,
}

impl Dialogue {
    pub fn new(network: Arc<Network>, host: Arc<Host>, server: IpAddr, source: IpAddr) -> Dialogue {
        Dialogue {
            network,
            host,
            server,
            source,
            tls: false,
            ehlo: None,
            envelope: None,
            mail_refusal: None,
            messages: 0,
            errors: 0,
        }
    }

    pub fn manners(&self) -> &Manners {
        &self.host.provider.manners
    }

    /// The first words; `open` is how many connections the source has.
    pub fn greeting(&mut self, open: u32) -> Turn {
        if self.host.cuts_at(Step::Greeting) {
            return self.cut("greeting");
        }
        if self.blocks_at(BlockStage::Connect) {
            let text = self.blocked_text();
            return self.last_word(554, "5.7.1", &text);
        }
        if let Some(turn) = self.mood(BlockStage::Connect, b"") {
            return Turn { next: Next::Close, ..turn };
        }
        if self.manners().connections_max.is_some_and(|max| open > max) {
            let text = format!("Too many connections from {}, try again later", self.source);
            return self.last_word(421, "4.7.0", &text);
        }
        say(220, "", &format!("{} ESMTP", self.server_name()))
    }

    /// Answers one command line, its end taken off.
    pub fn line(&mut self, line: &[u8]) -> Turn {
        let Ok(line) = std::str::from_utf8(line) else { return self.senseless(500, "5.5.2", "Syntax error") };
        match Command::parse(line) {
            Command::Ehlo(name) => self.ehlo(name, true),
            Command::Helo(name) => self.ehlo(name, false),
            Command::StartTls => self.start_tls(),
            Command::Mail { wishes, .. } | Command::Rcpt { wishes, .. }
                if !wishes.is_empty() && !self.manners().dsn =>
            {
                self.senseless(555, "5.5.4", "Unsupported option")
            }
            Command::Mail { path, size, eight_bit, wishes } => {
                let turn = self.mail(path, size, eight_bit);
                if let Some(envelope) = &mut self.envelope {
                    envelope.wishes = vec![wishes.join(" ")];
                }
                self.mail_refusal = (self.envelope.is_none()).then(|| answer_of(&turn));
                turn
            }
            Command::Rcpt { path, wishes } => {
                let turn = self.rcpt(path);
                if let Some(envelope) = &mut self.envelope
                    && turn.reply.starts_with("250")
                {
                    envelope.wishes.push(wishes.join(" "));
                }
                // What becomes of an accepted recipient is known after the content.
                if !turn.reply.starts_with("250") {
                    self.attempted(path, self.mail_refusal.clone().unwrap_or_else(|| answer_of(&turn)));
                }
                turn
            }
            Command::Data => self.data(),
            Command::Bdat { size, last } => self.bdat(size, last),
            Command::Rset => {
                self.envelope = None;
                say(250, "2.0.0", "Ok")
            }
            Command::Noop => say(250, "2.0.0", "Ok"),
            Command::Vrfy => say(252, "2.5.2", "Send some mail, I'll try my best"),
            Command::Quit => Turn { next: Next::Close, ..say(221, "2.0.0", "Bye") },
            Command::BadArgument => self.senseless(501, "5.5.4", "Syntax error in parameters"),
            Command::Unknown => self.senseless(500, "5.5.1", "Command not recognized"),
        }
    }

    /// A line that is too long or does not end with CR LF.
    pub fn broken_line(&mut self, what: &'static str) -> Turn {
        self.breach(what);
        self.last_word(500, "5.5.2", what)
    }

    /// The client was silent for too long.
    pub fn timed_out(&mut self) -> Turn {
        self.last_word(421, "4.4.2", "Timeout, closing")
    }

    /// TLS has begun: everything said before is forgotten (RFC 3207 §4.2).
    pub fn secured(&mut self) {
        self.tls = true;
        self.ehlo = None;
        self.envelope = None;
    }

    /// The client sent more after STARTTLS without waiting (RFC 3207 §4.2): the rest is thrown away.
    pub fn words_before_tls(&mut self) {
        self.breach("words between STARTTLS and TLS");
    }

    fn attempted(&self, recipient: &str, answer: String) {
        let (at_ms, source) = (self.network.clock.now_ms(), self.source);
        self.network.ledger.attempted(Attempt { at_ms, source, recipient: recipient.to_owned(), answer });
    }

    fn ehlo(&mut self, name: &str, extended: bool) -> Turn {
        if self.host.cuts_at(Step::Ehlo) {
            return self.cut("EHLO");
        }
        self.ehlo = Some(name.to_owned());
        self.envelope = None;
        let server = self.server_name();
        if !extended {
            return say(250, "", server);
        }
        let manners = self.manners();
        let mut lines = vec![format!("{server} greets {name}")];
        if manners.pipelining {
            lines.push("PIPELINING".to_owned());
        }
        if manners.eight_bit {
            lines.push("8BITMIME".to_owned());
        }
        lines.push(format!("SIZE {}", manners.size_max));
        lines.push("ENHANCEDSTATUSCODES".to_owned());
        if manners.chunking {
            lines.push("CHUNKING".to_owned());
        }
        if manners.dsn {
            lines.push("DSN".to_owned());
        }
        if manners.tls != Tls::None && !self.tls {
            lines.push("STARTTLS".to_owned());
        }
        let last = lines.len() - 1;
        let dash = |n| if n == last { ' ' } else { '-' };
        let reply = lines.iter().enumerate().map(|(n, line)| format!("250{}{line}\r\n", dash(n))).collect();
        Turn { reply, next: Next::Command }
    }

    fn start_tls(&mut self) -> Turn {
        if self.host.cuts_at(Step::StartTls) {
            return self.cut("STARTTLS");
        }
        if self.tls || (self.host.tls.is_none() && self.manners().tls != Tls::Broken) {
            return self.senseless(502, "5.5.1", "STARTTLS is not available");
        }
        Turn { next: Next::StartTls, ..say(220, "2.0.0", "Ready to start TLS") }
    }

    fn mail(&mut self, path: &str, size: Option<usize>, eight_bit: bool) -> Turn {
        if self.host.cuts_at(Step::Mail) {
            return self.cut("MAIL");
        }
        if self.ehlo.is_none() || self.envelope.is_some() {
            return self.senseless(503, "5.5.1", "Bad sequence of commands");
        }
        let manners = self.manners();
        if manners.tls == Tls::Required && !self.tls {
            return self.refuse(530, "5.7.0", "Must issue a STARTTLS command first");
        }
        if manners.messages_max.is_some_and(|max| self.messages >= max) {
            return self.last_word(421, "4.7.0", "Too many messages in this connection");
        }
        if size.is_some_and(|size| size > manners.size_max) {
            return self.refuse(552, "5.3.4", "Message too big");
        }
        if self.host.in_storm(self.network.clock.now_ms()) {
            return self.refuse(451, "4.3.2", "System not accepting messages right now");
        }
        if self.blocks_at(BlockStage::Mail) {
            let text = self.blocked_text();
            return self.refuse(554, "5.7.1", &text);
        }
        if let Some(turn) = self.mood(BlockStage::Mail, b"") {
            return turn;
        }
        self.envelope = Some(Envelope {
            reverse_path: path.to_owned(),
            eight_bit,
            recipients: Vec::new(),
            wishes: Vec::new(),
            chunks: None,
            cut: false,
        });
        say(250, "2.1.0", "Ok")
    }

    fn rcpt(&mut self, path: &str) -> Turn {
        if self.host.cuts_at(Step::Rcpt) {
            return self.cut("RCPT");
        }
        let Some(envelope) = self.envelope.as_ref().filter(|envelope| envelope.chunks.is_none()) else {
            // A pipelining client whose MAIL was refused comes here (RFC 2920 §3.1): no breach, and no news.
            return say(503, "5.5.1", "Need MAIL first");
        };
        let (local, domain) = path.rsplit_once('@').unwrap_or((path, ""));
        if !self.host.provider.serves(domain) {
            return self.refuse(550, "5.7.1", "Relaying denied");
        }
        if self.blocks_at(BlockStage::Rcpt) {
            let text = self.blocked_text();
            return self.refuse(554, "5.7.1", &text);
        }
        if let Some(turn) = self.mood(BlockStage::Rcpt, b"") {
            return turn;
        }
        if envelope.recipients.len() >= self.manners().rcpt_max {
            return self.refuse(452, "4.5.3", "Too many recipients");
        }
        let mailbox = self.host.provider.mailbox(local, domain);
        match mailbox {
            Mailbox::Unknown => return self.refuse(550, "5.1.1", "User unknown"),
            Mailbox::OverQuota => return self.refuse(552, "5.2.2", "Mailbox is over its quota"),
            Mailbox::FullForNow if self.host.earlier_attempts(path) < self.manners().full_attempts => {
                return self.refuse(452, "4.2.2", "Mailbox is full");
            }
            _ => {}
        }
        if self.greylists(path) {
            return self.refuse(451, "4.7.1", "Greylisted, please try again later");
        }
        let cut = mailbox == Mailbox::CutInContent && self.host.earlier_attempts(path) == 0;
        if let Some(envelope) = &mut self.envelope {
            envelope.cut |= cut;
            // The same address twice is one mailbox, which gets one copy.
            if !envelope.recipients.iter().any(|(known, _)| known.eq_ignore_ascii_case(path)) {
                envelope.recipients.push((path.to_owned(), mailbox));
            }
        }
        say(250, "2.1.5", "Ok")
    }

    fn data(&mut self) -> Turn {
        if self.host.cuts_at(Step::Data) {
            return self.cut("DATA");
        }
        match &self.envelope {
            None => say(503, "5.5.1", "Need MAIL and RCPT first"),
            // Here, when all recipients were refused. The transaction stays open until RSET, as it does at Postfix.
            Some(envelope) if envelope.recipients.is_empty() => say(554, "5.5.1", "No valid recipients"),
            Some(envelope) => {
                let cut = envelope.cut || self.host.cuts_at(Step::Content);
                let next = Next::Content { cut_after: cut.then_some(CUT_AFTER_BYTES) };
                Turn { next, ..say(354, "", "End data with <CR><LF>.<CR><LF>") }
            }
        }
    }

    fn greylists(&self, path: &str) -> bool {
        let (Some(wait_ms), Some(envelope)) = (self.manners().greylist_ms, &self.envelope) else { return false };
        let now_ms = self.network.clock.now_ms();
        let since_ms = now_ms - self.host.greylisted_at(self.source, &envelope.reverse_path, path, now_ms);
        since_ms < i64::try_from(wait_ms).unwrap_or(i64::MAX)
    }

    fn blocks_at(&self, stage: BlockStage) -> bool {
        self.manners().blocks_sources == Some(stage) && self.network.blocked_sources.contains(&self.source)
    }

    /// The words of a mood that it is in at this step.
    fn mood(&self, at: BlockStage, content: &[u8]) -> Option<Turn> {
        let since_ms = u64::try_from(self.network.clock.now_ms() - self.host.started_ms).unwrap_or(0);
        let about = |text: &String| String::from_utf8_lossy(content).contains(text.as_str());
        let mood = self.manners().moods.iter().find(|mood| {
            mood.at == at && (mood.from_ms..mood.until_ms).contains(&since_ms) && mood.about.as_ref().is_none_or(about)
        })?;
        let mut words = mood.reply.splitn(3, ' ');
        let (code, status, text) = (words.next()?.parse().ok()?, words.next()?, words.next().unwrap_or(""));
        Some(if code == 421 { self.last_word(code, status, text) } else { self.refuse(code, status, text) })
    }

    fn blocked_text(&self) -> String {
        format!(
            "Service unavailable; client host [{}] blocked due to poor reputation; see https://postmaster.example/",
            self.source
        )
    }

    fn server_name(&self) -> &str {
        let servers = &self.host.provider.mx;
        servers.iter().find(|mx| mx.ip == self.server).map_or("localhost", |mx| &mx.host)
    }

    fn refuse(&self, code: u16, status: &str, text: &str) -> Turn {
        self.network.note(&self.host, |summary| {
            *summary.refusals.entry(format!("{code} {status}")).or_default() += 1;
        });
        say(code, status, text)
    }

    fn last_word(&self, code: u16, status: &str, text: &str) -> Turn {
        Turn { next: Next::Close, ..self.refuse(code, status, text) }
    }

    /// A command that makes no sense here; too many of them end the connection.
    fn senseless(&mut self, code: u16, status: &str, text: &str) -> Turn {
        self.breach("a command that makes no sense");
        self.errors += 1;
        if self.errors > ERRORS_MAX {
            return self.last_word(421, "4.7.0", "Too many errors");
        }
        self.refuse(code, status, text)
    }

    fn breach(&self, what: &str) {
        self.network.note(&self.host, |summary| *summary.breaches.entry(what.to_owned()).or_default() += 1);
    }

    fn cut(&self, step: &str) -> Turn {
        self.network.note(&self.host, |summary| *summary.cuts.entry(step.to_owned()).or_default() += 1);
        Turn { reply: String::new(), next: Next::Close }
    }
}

fn say(code: u16, status: &str, text: &str) -> Turn {
    let space = if status.is_empty() { "" } else { " " };
    Turn { reply: format!("{code} {status}{space}{text}\r\n"), next: Next::Command }
}

/// Code and enhanced status; "cut" when nothing is said.
fn answer_of(turn: &Turn) -> String {
    let words: Vec<&str> = turn.reply.split_ascii_whitespace().take(2).collect();
    if words.is_empty() { "cut".to_owned() } else { words.join(" ") }
}
