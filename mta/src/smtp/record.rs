//! What is said over a connection, written down: its opening, and the transaction of now. Never the content of a message,
//! never a password.
//!
//! With pipelining the next envelope goes out with the content before it, so it waits in a place of its own until its
//! transaction begins. The texts are reused from one message to the next.

use mail::Reply;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Longest opening, and longest transaction, in bytes.
const OPENING_MAX: usize = 2 * 1024;
const TRANSACTION_MAX: usize = 6 * 1024;
const CUT: &str = "-- more was said, and is not kept\n";

/// A transaction that somebody looks at while it goes on.
pub(crate) type Live = Arc<Mutex<String>>;

/// Where a line belongs.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// The connection's opening.
    Opening,
    /// The transaction of now.
    Now,
    /// The envelope that goes out ahead.
    Ahead,
}

/// Writes down.
pub(super) struct Recorder {
    on: bool,
    part: Part,
    opening: String,
    now: String,
    ahead: String,
    live: Option<Live>,
}

impl Recorder {
    /// Begins with the opening of a connection, which is always written down: it is a few lines.
    pub fn new() -> Recorder {
        let (opening, now, ahead) = (String::new(), String::new(), String::new());
        Recorder { on: true, part: Part::Opening, opening, now, ahead, live: None }
    }

    /// Whether transactions are written down.
    pub fn turn(&mut self, on: bool) {
        self.on = on;
    }

    /// Shows the next transaction to somebody.
    pub fn watch(&mut self, live: Option<Live>) {
        self.on |= live.is_some();
        self.live = live;
    }

    /// A transaction begins; with `announced` its envelope went out already.
    pub fn begin(&mut self, announced: bool) {
        self.part = Part::Now;
        self.now.clear();
        if announced {
            std::mem::swap(&mut self.now, &mut self.ahead);
        }
        if let Some(live) = &self.live {
            let mut live = live.lock().unwrap_or_else(PoisonError::into_inner);
            live.clear();
            live.push_str(&self.opening);
            live.push_str(&self.now);
        }
    }

    /// From here on what is said belongs there.
    pub fn part(&mut self, part: Part) {
        if part == Part::Ahead {
            self.ahead.clear();
        }
        self.part = part;
    }

    /// A command of ours, without its line end.
    pub fn said(&mut self, command: &str) {
        if self.on {
            // What follows AUTH and its mechanism is a secret.
            let secret = command.get(..5).is_some_and(|word| word.eq_ignore_ascii_case("AUTH "));
            let shown =
                if secret { command.split(' ').take(2).collect::<Vec<_>>().join(" ") } else { command.to_owned() };
            self.push(format_args!("C: {shown}\n"));
        }
    }

    /// Commands of ours as they were written, line ends and all.
    pub fn said_lines(&mut self, lines: &[u8]) {
        if self.on {
            for line in String::from_utf8_lossy(lines).lines() {
                self.push(format_args!("C: {line}\n"));
            }
        }
    }

    /// Something of ours that is not shown.
    pub fn did(&mut self, what: std::fmt::Arguments<'_>) {
        if self.on {
            self.push(format_args!("-- {what}\n"));
        }
    }

    /// An answer that was waited for from `began` on.
    pub fn heard(&mut self, reply: &Reply, began: Instant) {
        if self.on {
            self.answer(reply, began.elapsed());
        }
    }

    fn answer(&mut self, reply: &Reply, waited: Duration) {
        let status = reply.enhanced.map(|status| format!("{status} ")).unwrap_or_default();
        let last = reply.text.lines().count().saturating_sub(1);
        if reply.text.is_empty() {
            self.push(format_args!("S: {} {status}({} ms)\n", reply.code, waited.as_millis()));
        }
        for (n, line) in reply.text.lines().enumerate() {
            if n < last {
                self.push(format_args!("S: {}-{status}{line}\n", reply.code));
            } else {
                self.push(format_args!("S: {} {status}{line} ({} ms)\n", reply.code, waited.as_millis()));
            }
        }
    }

    /// Opening and transaction, as far as they went.
    pub fn text(&self) -> String {
        format!("{}{}", self.opening, self.now)
    }

    fn push(&mut self, line: std::fmt::Arguments<'_>) {
        let (text, most) = match self.part {
            Part::Opening => (&mut self.opening, OPENING_MAX),
            Part::Now => (&mut self.now, TRANSACTION_MAX),
            Part::Ahead => (&mut self.ahead, TRANSACTION_MAX),
        };
        let before = text.len();
        if text.ends_with(CUT) {
            return;
        }
        // Writing to a String cannot fail.
        let _ = text.write_fmt(line);
        if text.len() > most - CUT.len() {
            text.truncate(before);
            text.push_str(CUT);
        }
        if let (Part::Now, Some(live)) = (self.part, &self.live) {
            live.lock().unwrap_or_else(PoisonError::into_inner).push_str(&text[before..]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    #[test]
    fn two_transactions_of_one_connection() {
        let mut record = Recorder::new();
        let wait = Duration::from_millis(7);
        record.answer(&Reply::new(220, ["mx.example ESMTP"]), wait);
        record.said("EHLO mx1.example.com");
        record.answer(&Reply::new(250, ["mx.example", "PIPELINING", "SIZE 1000"]), wait);
        record.said("AUTH PLAIN AGFuYQBzZWNyZXQ=");
        record.begin(false);
        record.said("MAIL FROM:<a@example.com>");
        record.answer(&Reply::new(250, ["2.1.0 Ok"]), wait);
        record.part(Part::Ahead);
        record.said("MAIL FROM:<b@example.com>");
        record.part(Part::Now);
        record.answer(&Reply::new(451, [""]), wait);
        let first = record.text();
        let live = Live::default();
        record.watch(Some(live.clone()));
        record.begin(true);
        record.answer(&Reply::new(550, ["5.1.1 no", "5.1.1 really"]), wait);
        expect![[r#"
            S: 220 mx.example ESMTP (7 ms)
            C: EHLO mx1.example.com
            S: 250-mx.example
            S: 250-PIPELINING
            S: 250 SIZE 1000 (7 ms)
            C: AUTH PLAIN
            C: MAIL FROM:<a@example.com>
            S: 250 2.1.0 Ok (7 ms)
            S: 451 (7 ms)
            ====
            S: 220 mx.example ESMTP (7 ms)
            C: EHLO mx1.example.com
            S: 250-mx.example
            S: 250-PIPELINING
            S: 250 SIZE 1000 (7 ms)
            C: AUTH PLAIN
            C: MAIL FROM:<b@example.com>
            S: 550-5.1.1 no
            S: 550 5.1.1 really (7 ms)
        "#]]
        .assert_eq(&format!("{first}====\n{}", record.text()));
        assert_eq!(*live.lock().unwrap(), record.text());
    }

    #[test]
    fn it_is_bounded_and_costs_nothing_when_off() {
        let mut record = Recorder::new();
        record.begin(false);
        for _ in 0..1000 {
            record.answer(&Reply::new(250, ["x".repeat(100).as_str()]), Duration::ZERO);
        }
        assert!(record.text().len() <= TRANSACTION_MAX && record.text().ends_with(CUT));
        record.turn(false);
        record.begin(false);
        record.said("MAIL FROM:<>");
        assert_eq!(record.text(), "");
    }
}
