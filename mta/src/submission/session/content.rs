//! The content of a message within a session: DATA and BDAT, and what becomes of it.

use super::{Next, Session};
use crate::metric;
use crate::submission::take;
use crate::submission::wire::{Gathering, Trouble, Wire};
use std::io;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

/// How the reading of content ended.
enum Came {
    Whole,
    Gone,
    TooLate,
    Stopping,
}

async fn came(
    work: impl Future<Output = io::Result<bool>>,
    until: Instant,
    stop: &CancellationToken,
) -> io::Result<Came> {
    tokio::select! {
        () = stop.cancelled() => Ok(Came::Stopping),
        ended = timeout_at(until, work) => match ended {
            Err(_) => Ok(Came::TooLate),
            Ok(whole) => Ok(if whole? { Came::Whole } else { Came::Gone }),
        },
    }
}

impl Session<'_> {
    pub(super) async fn data<S>(&mut self, wire: &mut Wire<S>, stop: &CancellationToken) -> io::Result<Next>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        self.replies.extend_from_slice(b"354 end with CR LF . CR LF\r\n");
        let mut gathering = self.gathering();
        let work = async {
            wire.send(&mut self.replies).await?;
            wire.dotted(&mut gathering).await
        };
        let came = came(work, Instant::now() + self.house.section.content_timeout, stop).await?;
        match self.unless_whole(came) {
            Some(next) => Ok(next),
            None => Ok(self.finish(gathering).await),
        }
    }

    fn unless_whole(&mut self, came: Came) -> Option<Next> {
        match came {
            Came::Whole => None,
            // Without its end a message is none (RFC 5321 §4.1.1.4).
            Came::Gone => Some(Next::HangUp),
            Came::TooLate => Some(self.farewell("4.4.2", "the message took too long")),
            Came::Stopping => Some(self.farewell("4.3.2", "the server is stopping")),
        }
    }

    fn gathering(&self) -> Gathering {
        let size_max = usize::try_from(self.house.message_max()).unwrap_or(usize::MAX);
        let mut gathering = Gathering::new(self.house.budget.reserve(), size_max);
        let promised = self.transaction.as_ref().and_then(|transaction| transaction.envelope.mail.size);
        gathering.expect(promised.and_then(|size| usize::try_from(size).ok()).unwrap_or(0));
        gathering
    }

    /// RFC 3030 §2: the bytes follow the command, whatever is answered.
    pub(super) async fn chunk<S>(
        &mut self,
        wire: &mut Wire<S>,
        (size, last): (u64, bool),
        stop: &CancellationToken,
    ) -> io::Result<Next>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let wanted = self.transaction.as_ref().is_some_and(|transaction| !transaction.envelope.recipients.is_empty());
        let mut gathering = match self.transaction.as_mut().and_then(|transaction| transaction.chunks.take()) {
            Some(gathering) => gathering,
            None if wanted => self.gathering(),
            None => Gathering::new(self.house.budget.reserve(), 0),
        };
        let until = Instant::now() + self.house.section.content_timeout;
        let until = if self.account.is_some() { until } else { until.min(self.login_until) };
        let came = came(wire.counted(size, &mut gathering), until, stop).await?;
        if let Some(next) = self.unless_whole(came) {
            return Ok(next);
        }
        if !wanted {
            return Ok(self.refuse((503, "5.5.1", "RCPT first")));
        }
        if last || gathering.trouble.is_some() {
            return Ok(self.finish(gathering).await);
        }
        if let Some(transaction) = &mut self.transaction {
            transaction.chunks = Some(gathering);
        }
        Ok(self.reply(250, "2.0.0", format_args!("{size} bytes")))
    }

    /// The whole message is here.
    async fn finish(&mut self, gathering: Gathering) -> Next {
        let (Some(transaction), Some(account)) = (self.transaction.take(), self.account.clone()) else {
            return self.refuse((503, "5.5.1", "MAIL first"));
        };
        let outcome = match gathering.trouble {
            Some(Trouble::TooLarge) => take::refused(552, "5.3.4", "message too large"),
            Some(Trouble::NoMemory) => take::refused(452, "4.3.1", "short of memory; try again later"),
            None => take::take(self.house, &account, transaction.envelope, gathering.content).await,
        };
        // Until here: what is being written is in memory.
        drop(gathering.reservation);
        self.settle(outcome)
    }

    fn settle(&mut self, outcome: take::Outcome) -> Next {
        metrics::counter!(metric::SUBMISSIONS, "outcome" => outcome.word()).increment(1);
        match outcome {
            take::Outcome::Accepted(id) => {
                (self.errors, self.idle) = (0, 0);
                self.reply(250, "2.0.0", format_args!("accepted as {id}"))
            }
            take::Outcome::Refused { code, status, text } => {
                self.reply(code, status, text);
                self.count_error()
            }
        }
    }
}
