//! A message's content, whole or in chunks, and what becomes of it.

use super::{CUT_AFTER_BYTES, Dialogue, Envelope, Next, Turn, answer_of, say};
use crate::ledger::Received;
use crate::mailbox::Mailbox;
use crate::manners::{BlockStage, Step};
use crate::report::Report;
use crate::session::content::{Breach, inspect};

impl Dialogue {
    /// RFC 3030 §2: the chunk is read, whatever is answered then.
    pub(super) fn bdat(&mut self, size: usize, last: bool) -> Turn {
        if !self.manners().chunking {
            return self.senseless(500, "5.5.1", "Command not recognized");
        }
        let cut = self.envelope.as_ref().is_some_and(|envelope| envelope.cut && !envelope.recipients.is_empty());
        let cut = cut || (self.envelope.is_some() && self.host.cuts_at(Step::Content));
        let next = Next::Chunk { size, last, cut_after: cut.then_some(CUT_AFTER_BYTES.min(size)) };
        Turn { reply: String::new(), next }
    }

    /// A chunk has come whole; `None` where it is too large to be kept.
    pub fn chunk(&mut self, chunk: Option<Vec<u8>>, last: bool) -> Turn {
        let size_max = self.manners().size_max;
        let Some(envelope) = &mut self.envelope else { return say(503, "5.5.1", "Need MAIL first") };
        if envelope.recipients.is_empty() {
            return say(554, "5.5.1", "No valid recipients");
        }
        let Some(chunk) = chunk else { return self.content_too_long() };
        let size = chunk.len();
        let content = envelope.chunks.get_or_insert_default();
        content.extend_from_slice(&chunk);
        if content.len() > size_max {
            return self.content_too_long();
        }
        if !last {
            return say(250, "2.0.0", &format!("{size} bytes"));
        }
        let content = envelope.chunks.take().unwrap_or_default();
        self.network.note(&self.host, |summary| summary.chunked += 1);
        let breach = inspect(&content);
        self.content(content, breach)
    }

    /// The content has come whole.
    pub fn content(&mut self, content: Vec<u8>, breach: Option<Breach>) -> Turn {
        let Some(envelope) = self.envelope.take() else {
            return self.refuse(503, "5.5.1", "No transaction");
        };
        let recipients: Vec<String> = envelope.recipients.iter().map(|(recipient, _)| recipient.clone()).collect();
        let turn = self.judge(envelope, content, breach);
        for recipient in recipients {
            self.attempted(&recipient, answer_of(&turn));
        }
        turn
    }

    fn judge(&mut self, envelope: Envelope, content: Vec<u8>, breach: Option<Breach>) -> Turn {
        if let Some(breach) = breach {
            self.breach(breach.name());
            return self.refuse(550, "5.5.2", breach.name());
        }
        if !envelope.eight_bit && !content.is_ascii() {
            self.breach("8-bit content without BODY=8BITMIME");
        }
        if self.blocks_at(BlockStage::Message) {
            let text = self.blocked_text();
            return self.refuse(554, "5.7.1", &text);
        }
        if let Some(turn) = self.mood(BlockStage::Message, &content) {
            return turn;
        }
        self.messages += 1;
        if self.host.cuts_at(Step::Dot) {
            return self.cut("final dot");
        }
        let has = |wanted| envelope.recipients.iter().any(|(_, mailbox)| *mailbox == wanted);
        let (lost, kept) = (has(Mailbox::LimboLost), has(Mailbox::LimboKept));
        if !lost {
            self.keep(envelope, content);
        }
        if lost || kept {
            return self.cut("final dot");
        }
        say(250, "2.0.0", &format!("Ok: queued as {:06}", self.host.next_number()))
    }

    /// The content is longer than allowed; it was read to its end and thrown away.
    pub fn content_too_long(&mut self) -> Turn {
        let turn = self.refuse(552, "5.3.4", "Message too big");
        self.abandon(turn)
    }

    /// The connection ended within the content.
    pub fn cut_in_content(&mut self) {
        let turn = self.cut("content");
        self.abandon(turn);
    }

    /// Ends the transaction for every recipient with the same words.
    fn abandon(&mut self, turn: Turn) -> Turn {
        for (recipient, _) in self.envelope.take().map(|envelope| envelope.recipients).unwrap_or_default() {
            self.attempted(&recipient, answer_of(&turn));
        }
        turn
    }

    /// Enters an accepted message into the ledger; orders the reports about it.
    fn keep(&self, envelope: Envelope, content: Vec<u8>) {
        for (recipient, mailbox) in &envelope.recipients {
            if *mailbox == Mailbox::ReportedLater && !envelope.reverse_path.is_empty() {
                let report = Report::new(&self.host, self.server, &envelope.reverse_path, recipient, &content);
                self.network.reporter.order(&self.network, report);
            }
        }
        let message = Received {
            provider: self.host.provider.name.clone(),
            server: self.server,
            source: self.source,
            ehlo: self.ehlo.clone().unwrap_or_default(),
            tls: self.tls,
            reverse_path: envelope.reverse_path,
            recipients: envelope.recipients.into_iter().map(|(recipient, _)| recipient).collect(),
            wishes: envelope.wishes,
            content,
            dkim: Vec::new(),
        };
        self.network.ledger.accepted(message, self.network.clock.now_ms());
    }
}
