//! One transaction: envelope, content, answers.
//!
//! With PIPELINING (RFC 2920) a message costs one write and usually one read: its content and the next message's MAIL
//! and RCPT go out together, which RFC 2920 §3.1 allows expressly. Where CHUNKING is offered (RFC 3030) the content is
//! sent by BDAT: no dots to double, one command less, and what is big in bounded chunks, so that it can be refused
//! before it has gone whole. Else DATA ends each group.
//!
//! Small urgent messages go *at once*: MAIL, RCPT and the content in one write, without waiting for an answer. What is
//! lost then may have arrived, so this is only for mail that may be sent again.

use super::envelope::Envelope;
use super::record::Part;
use super::session::{Session, SessionError};
use super::wire;
use bounce::Stage;
use mail::{Reply, Severity};

/// Bytes of one chunk at most. RFC 3030 §2: refusals come after a chunk, so it is not too large.
const CHUNK_MAX: usize = 1024 * 1024;
/// A message over this size is not sent before its recipients are accepted.
const AT_ONCE_MAX: usize = 64 * 1024;

/// What the answers to an envelope come to.
#[derive(Debug, Default)]
pub(crate) struct Begun {
    /// Recipients that were refused, by their place in the envelope, ascending, each with why.
    pub refused: Vec<(usize, Reply)>,
    /// What ended it for all others before the content was wanted.
    pub stop: Option<Stop>,
}

/// Why a transaction goes no further.
#[derive(Debug)]
pub(crate) enum Stop {
    /// The server said so.
    Refused(Stage, Reply),
    /// There was no answer.
    Broken(SessionError),
}

impl Begun {
    /// Whether nobody is left to send to.
    fn is_over(&self, recipients: usize) -> bool {
        self.stop.is_some() || self.refused.len() == recipients
    }
}

/// What becomes of a content.
#[derive(Debug)]
pub(crate) enum Answered {
    /// The server took it, or did not.
    Reply(Reply),
    /// It does not know BDAT, though it offered it: nothing was taken.
    NoChunks(Reply),
}

/// How far a transaction has come.
#[derive(Debug, Default)]
pub(super) struct Course {
    /// Content goes by BDAT.
    chunks: bool,
    /// Where the message's last byte is in what is to be written; 0 where it is not.
    end: usize,
    /// It was handed to the network.
    end_gone: bool,
    /// The next envelope went out with the content.
    announced: bool,
    /// A chunk was refused, and the next envelope had gone out already: the server may not have taken it as a new one.
    doubtful: bool,
    /// A transaction is open that goes nowhere: RSET comes before the next MAIL.
    reset_needed: bool,
    /// RSET was written and its reply not read.
    reset_pending: bool,
    /// The answer to the content came before the whole of it had gone.
    early: Option<Reply>,
}

impl Course {
    /// So many bytes went out.
    pub fn wrote(&mut self, bytes: usize) {
        if self.end > 0 && bytes >= self.end {
            self.end_gone = true;
        }
        self.end = 0;
    }
}

impl Session {
    /// Has content sent by BDAT where the server offers it.
    pub fn use_chunks(&mut self, wanted: bool) {
        self.course.chunks = wanted && self.capabilities.chunking;
    }

    /// Whether a message of this size may go in one write with its envelope.
    pub fn can_go_at_once(&self, size: usize) -> bool {
        self.course.chunks && self.capabilities.pipelining && size <= AT_ONCE_MAX
    }

    /// Whether the last byte of the content was handed to the network: then the message may have arrived.
    pub fn is_end_written(&self) -> bool {
        self.course.end_gone
    }

    fn push_envelope(&mut self, envelope: &Envelope) {
        if std::mem::take(&mut self.course.reset_needed) {
            self.out.extend_from_slice(b"RSET\r\n");
            self.course.reset_pending = true;
            self.recorder.said("RSET");
        }
        let from = self.out.len();
        envelope.push_mail(&mut self.out, &self.capabilities);
        for rcpt in &envelope.recipients {
            envelope.push_rcpt(rcpt, &mut self.out, &self.capabilities);
        }
        if !self.course.chunks {
            self.out.extend_from_slice(b"DATA\r\n");
        }
        self.recorder.said_lines(&self.out[from..]);
    }

    /// Begins a transaction: says the envelope, unless that went out with the content before, and reads the answers.
    /// With `at_once` the content goes with it, and `answer` comes next.
    pub async fn begin(&mut self, envelope: &Envelope, announced: bool, at_once: Option<&[u8]>) -> Begun {
        self.recorder.begin(announced);
        self.course.end_gone = false;
        self.course.announced = false;
        if !self.capabilities.pipelining {
            return self.begin_stepwise(envelope).await;
        }
        let doubtful = std::mem::take(&mut self.course.doubtful);
        if !announced && let Err(error) = self.say_envelope(envelope, at_once).await {
            return Begun { stop: Some(Stop::Broken(error)), ..Begun::default() };
        }
        let mut begun = self.envelope_answers(envelope).await;
        let nested = |stop: &Stop| matches!(stop, Stop::Refused(Stage::Mail, reply) if reply.code == 503);
        if doubtful && begun.stop.as_ref().is_some_and(nested) && !self.closing {
            // RFC 3030 §2: after a refused chunk some servers keep the transaction open until RSET.
            self.course.reset_needed = true;
            if let Err(error) = self.say_envelope(envelope, None).await {
                return Begun { stop: Some(Stop::Broken(error)), ..Begun::default() };
            }
            begun = self.envelope_answers(envelope).await;
        }
        if at_once.is_some() && begun.is_over(envelope.recipients.len()) && !self.closing {
            self.discard_chunk(&begun).await;
        }
        begun
    }

    async fn say_envelope(&mut self, envelope: &Envelope, at_once: Option<&[u8]>) -> Result<(), SessionError> {
        self.push_envelope(envelope);
        if let Some(message) = at_once {
            self.push_last_chunk(message);
        }
        self.send("MAIL").await
    }

    /// The answer to a chunk that went out for nobody: 503 or 554, which says nothing new.
    async fn discard_chunk(&mut self, begun: &Begun) {
        if matches!(begun.stop, Some(Stop::Broken(_))) {
            return;
        }
        self.course.reset_needed = true;
        match self.reply("BDAT", self.timeouts.final_dot).await {
            // Who does not know BDAT takes the content for commands: nothing more can be told apart.
            Ok(reply) => self.closing |= matches!(reply.code, 500 | 502),
            Err(_) => self.closing = true,
        }
    }

    async fn envelope_answers(&mut self, envelope: &Envelope) -> Begun {
        let mut begun = Begun::default();
        if let Err(error) = self.read_envelope_answers(envelope, &mut begun).await {
            if begun.is_over(envelope.recipients.len()) {
                // The refusal is known; that the server then went away says nothing more about anybody.
                self.closing = true;
            } else {
                begun.stop = Some(Stop::Broken(error));
            }
        }
        begun
    }

    async fn read_envelope_answers(&mut self, envelope: &Envelope, begun: &mut Begun) -> Result<(), SessionError> {
        let recipients = envelope.recipients.len();
        if std::mem::take(&mut self.course.reset_pending) {
            let reply = self.reply("RSET", self.timeouts.command).await?;
            if self.closing {
                begun.stop = Some(Stop::Refused(Stage::Mail, reply));
                return Ok(());
            }
        }
        let reply = self.reply("MAIL", self.timeouts.command).await?;
        if reply.severity() != Severity::Positive {
            begun.stop = Some(Stop::Refused(Stage::Mail, reply));
        }
        for place in 0..recipients {
            if self.closing {
                return Ok(());
            }
            let reply = self.reply("RCPT", self.timeouts.command).await?;
            self.rcpt_answered(begun, place, recipients, reply);
        }
        if !self.closing && !self.course.chunks {
            self.data_answer(recipients, begun).await?;
        }
        // After a refused MAIL there is nothing to reset.
        let refused_mail = matches!(begun.stop, Some(Stop::Refused(Stage::Mail, _)));
        self.course.reset_needed = begun.is_over(recipients) && !refused_mail;
        Ok(())
    }

    /// Notes a refusal of one recipient; one that ends the connection is an answer to those behind it too.
    fn rcpt_answered(&self, begun: &mut Begun, place: usize, recipients: usize, reply: Reply) {
        if begun.stop.is_some() || reply.severity() == Severity::Positive {
            return;
        }
        if self.closing && place + 1 < recipients {
            begun.stop = Some(Stop::Refused(Stage::Rcpt, reply.clone()));
        }
        begun.refused.push((place, reply));
    }

    async fn data_answer(&mut self, recipients: usize, begun: &mut Begun) -> Result<(), SessionError> {
        let reply = self.reply("DATA", self.timeouts.data).await?;
        let over = begun.is_over(recipients);
        if reply.code == 354 && over {
            // RFC 2920 §3.1: the server takes content for nobody. A dot alone ends that.
            self.out.extend_from_slice(b".\r\n");
            self.recorder.said(".");
            self.send("the final dot").await?;
            self.reply("the final dot", self.timeouts.final_dot).await?;
        } else if reply.code != 354 && !over {
            begun.stop = Some(Stop::Refused(Stage::Data, reply));
        }
        Ok(())
    }

    async fn begin_stepwise(&mut self, envelope: &Envelope) -> Begun {
        let mut begun = Begun::default();
        if let Err(error) = self.step_through(envelope, &mut begun).await
            && !begun.is_over(envelope.recipients.len())
        {
            begun.stop = Some(Stop::Broken(error));
        }
        begun
    }

    async fn step_through(&mut self, envelope: &Envelope, begun: &mut Begun) -> Result<(), SessionError> {
        let recipients = envelope.recipients.len();
        if std::mem::take(&mut self.course.reset_needed) {
            self.command("RSET", "RSET").await?;
        }
        let from = self.out.len();
        envelope.push_mail(&mut self.out, &self.capabilities);
        let reply = self.step(from, "MAIL").await?;
        if reply.severity() != Severity::Positive {
            begun.stop = Some(Stop::Refused(Stage::Mail, reply));
            return Ok(());
        }
        for (place, rcpt) in envelope.recipients.iter().enumerate() {
            let from = self.out.len();
            envelope.push_rcpt(rcpt, &mut self.out, &self.capabilities);
            let reply = self.step(from, "RCPT").await?;
            self.rcpt_answered(begun, place, recipients, reply);
            if begun.stop.is_some() {
                break;
            }
        }
        if begun.is_over(recipients) {
            self.course.reset_needed = true;
        } else if !self.course.chunks {
            let from = self.out.len();
            self.out.extend_from_slice(b"DATA\r\n");
            self.recorder.said_lines(&self.out[from..]);
            self.send("DATA").await?;
            self.data_answer(recipients, begun).await?;
            self.course.reset_needed = begun.stop.is_some();
        }
        Ok(())
    }

    async fn step(&mut self, from: usize, at: &'static str) -> Result<Reply, SessionError> {
        self.recorder.said_lines(&self.out[from..]);
        self.send(at).await?;
        self.reply(at, self.timeouts.command).await
    }

    /// Sends the content, and with its end the next message's envelope; says whether that went out. On an error,
    /// [`Session::is_end_written`] says whether the message may have arrived.
    pub async fn content(&mut self, message: &[u8], next: Option<&Envelope>) -> Result<bool, SessionError> {
        if self.course.chunks {
            let Some(last) = self.first_chunks(message).await? else { return Ok(false) };
            self.push_last_chunk(last);
        } else {
            self.course.end = wire::push_content(&mut self.out, message);
            self.recorder.did(format_args!("the message, {} bytes, and its final dot", message.len()));
        }
        self.course.announced = next.is_some();
        if let Some(next) = next {
            self.recorder.part(Part::Ahead);
            self.push_envelope(next);
            self.recorder.part(Part::Now);
        }
        self.send("the content").await?;
        Ok(next.is_some())
    }

    /// Sends all chunks but the last, which is returned; `None` where one of them was refused.
    async fn first_chunks<'m>(&mut self, message: &'m [u8]) -> Result<Option<&'m [u8]>, SessionError> {
        let mut rest = message;
        while rest.len() > CHUNK_MAX {
            let (chunk, left) = rest.split_at(CHUNK_MAX);
            wire::push_chunk(&mut self.out, chunk, wire::Place::Within);
            self.recorder.said(&format!("BDAT {}", chunk.len()));
            self.send("the content").await?;
            let reply = self.reply("BDAT", self.timeouts.final_dot).await?;
            if reply.severity() != Severity::Positive {
                // RFC 3030 §2: no further chunk follows a refused one.
                self.course.early = Some(reply);
                return Ok(None);
            }
            rest = left;
        }
        Ok(Some(rest))
    }

    fn push_last_chunk(&mut self, chunk: &[u8]) {
        self.course.end = wire::push_chunk(&mut self.out, chunk, wire::Place::Last);
        self.recorder.did(format_args!("BDAT with the message's last chunk, {} bytes", chunk.len()));
    }

    /// The answer to the content.
    pub async fn answer(&mut self) -> Result<Answered, SessionError> {
        let reply = match self.course.early.take() {
            Some(reply) => reply,
            None => {
                let at = if self.course.chunks { "the last chunk" } else { "the final dot" };
                self.reply(at, self.timeouts.final_dot).await?
            }
        };
        if !self.course.chunks || reply.severity() == Severity::Positive {
            return Ok(Answered::Reply(reply));
        }
        if self.course.announced {
            self.course.doubtful = true;
        } else {
            self.course.reset_needed = true;
        }
        // RFC 5321 §4.2.4: about the command, not about the message.
        let unknown = matches!(reply.code, 500..=504);
        Ok(if unknown { Answered::NoChunks(reply) } else { Answered::Reply(reply) })
    }
}
