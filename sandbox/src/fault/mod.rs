//! A bad line between a client and a server. It follows the dialogue, and at a named moment it cuts, delays or
//! corrupts what passes, in one direction.
//!
//! Behind STARTTLS it sees sealed records alone, and tells the handshake and the second EHLO by counting them.

mod proxy;

pub use proxy::interpose;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// A moment of the dialogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The server's first words.
    Greeting,
    /// EHLO.
    Hello,
    /// STARTTLS.
    StartTls,
    /// The handshake's records.
    Handshake,
    /// EHLO again, over TLS.
    SecondHello,
    /// MAIL.
    Mail,
    /// RCPT.
    Rcpt,
    /// DATA and its 354; or BDAT (RFC 3030), where there is no way back: its chunk is answered.
    Data,
    /// The middle of the content or of its last chunk; there is no way back.
    Content,
    /// The final dot or the end of the last chunk, and the reply to it.
    Dot,
    /// QUIT.
    Quit,
}

/// Which way something goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the client; harmed before the server has it.
    Out,
    /// From the server, which has done its part.
    Back,
}

/// What happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Harm {
    /// The connection is reset (RST).
    Reset,
    /// The connection is closed (FIN).
    Close,
    /// Half of it passes, then the connection is closed.
    Half,
    /// It passes after this time.
    Late(Duration),
    /// Other bytes pass instead.
    Garbage,
    /// A reply has another code: 354 where a positive one stood, and 250 where 354 stood.
    WrongCode,
    /// It passes twice.
    Doubled,
    /// Its lines end with LF alone.
    BareLf,
    /// Its first line becomes longer than anybody reads.
    Enormous,
}

/// One thing that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// When.
    pub moment: Moment,
    /// Which way.
    pub way: Way,
    /// What.
    pub harm: Harm,
    /// In which transaction of a connection, counted from 1, where the moment is part of one.
    pub message: u32,
    /// On how many occasions; afterwards the line is good.
    pub times: u32,
}

/// A line with a fault, shared by all connections that go over it.
#[derive(Debug)]
pub struct BadLine {
    fault: Fault,
    left: AtomicU32,
}

impl BadLine {
    /// A line on which this will go wrong.
    #[must_use]
    pub fn new(fault: Fault) -> BadLine {
        BadLine { fault, left: AtomicU32::new(fault.times) }
    }

    /// How often it is still to go wrong.
    #[must_use]
    pub fn left(&self) -> u32 {
        self.left.load(Ordering::Relaxed)
    }

    /// The harm, if it is due now; that it comes counts.
    fn due(&self, moment: Moment, way: Way, message: u32) -> Option<Harm> {
        let Fault { moment: at, way: to, .. } = self.fault;
        let elsewhere = moment.is_in_transaction() && message != self.fault.message;
        if (at, to) != (moment, way) || elsewhere {
            return None;
        }
        let less = |left: u32| left.checked_sub(1);
        let taken = self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less);
        taken.is_ok().then_some(self.fault.harm)
    }
}

impl Moment {
    fn is_in_transaction(self) -> bool {
        matches!(self, Moment::Mail | Moment::Rcpt | Moment::Data | Moment::Content | Moment::Dot)
    }
}
