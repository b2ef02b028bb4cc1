//! The bytes of one session: lines and content in, replies out, each with a bound.

use super::budget::Reservation;
use memchr::{memchr, memmem};
use std::io;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Longest command line with its CRLF. RFC 5321 §4.5.3.1.4 wants 512, DSN and SMTPUTF8 add to it (RFC 3461 §5.2.1 and
/// RFC 6531 §3.4), and base64 of a login stays far below.
pub(super) const COMMAND_MAX: usize = 4096;
/// Read at once: what a TLS record holds.
const CHUNK: usize = 16 * 1024;
/// Reserved for a message before its first byte, whatever SIZE promises.
const AHEAD_MAX: usize = 256 * 1024;

/// What came instead of a command.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// A line without its CRLF.
    Command(&'a [u8]),
    /// A line that is no command, and why.
    Bad(&'static str),
    /// The client has gone.
    Closed,
}

/// Where the content of a message is gathered.
pub(super) struct Gathering {
    pub content: Vec<u8>,
    pub reservation: Reservation,
    pub size_max: usize,
    /// Why the rest is only read to be thrown away.
    pub trouble: Option<Trouble>,
}

/// Why a message was not kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// Over the size that is allowed.
    TooLarge,
    /// No memory for it now.
    NoMemory,
}

impl Gathering {
    pub fn new(reservation: Reservation, size_max: usize) -> Gathering {
        Gathering { content: Vec::new(), reservation, size_max, trouble: None }
    }

    /// Makes room for a message of which SIZE promised this many bytes.
    pub fn expect(&mut self, size: usize) {
        let ahead = size.min(self.size_max).min(AHEAD_MAX);
        if ahead > self.content.capacity() && self.reservation.grow_to(ahead) {
            self.content.reserve_exact(ahead);
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        if self.trouble.is_some() {
            return;
        }
        let size = self.content.len() + bytes.len();
        if size > self.size_max {
            self.drop_it(Trouble::TooLarge);
        } else if self.grow(size) {
            self.content.extend_from_slice(bytes);
        } else {
            self.drop_it(Trouble::NoMemory);
        }
    }

    /// The vector grows by doubling, and what it may grow to is reserved first.
    fn grow(&mut self, size: usize) -> bool {
        if size <= self.content.capacity() {
            return true;
        }
        let capacity = size.max(self.content.capacity() * 2).min(self.size_max);
        let reserved = self.reservation.grow_to(capacity);
        if reserved {
            self.content.reserve_exact(capacity - self.content.len());
        }
        reserved
    }

    fn drop_it(&mut self, trouble: Trouble) {
        self.content = Vec::new();
        self.trouble = Some(trouble);
    }
}

/// Buffers both directions of a connection.
pub(super) struct Wire<S> {
    stream: S,
    buffer: Vec<u8>,
    /// Up to where the buffer is used up.
    used: usize,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub fn new(stream: S) -> Wire<S> {
        Wire { stream, buffer: Vec::new(), used: 0 }
    }

    /// Whether the client has sent more than what was read.
    pub fn has_more(&self) -> bool {
        !self.waiting().is_empty()
    }

    /// The stream, for TLS. What waits unread is lost.
    pub fn into_stream(self) -> S {
        self.stream
    }

    fn waiting(&self) -> &[u8] {
        &self.buffer[self.used..]
    }

    /// Whether the client has sent another whole line (RFC 2920): replies can wait to be sent together.
    pub fn has_line(&self) -> bool {
        memchr(b'\n', self.waiting()).is_some()
    }

    /// Sends replies and empties them.
    pub async fn send(&mut self, replies: &mut Vec<u8>) -> io::Result<()> {
        if !replies.is_empty() {
            self.stream.write_all(replies).await?;
            self.stream.flush().await?;
            replies.clear();
        }
        Ok(())
    }

    /// Sends what is left and closes.
    pub async fn close(&mut self, replies: &mut Vec<u8>) -> io::Result<()> {
        self.send(replies).await?;
        self.stream.shutdown().await
    }

    async fn fill(&mut self) -> io::Result<bool> {
        self.buffer.drain(..self.used);
        self.used = 0;
        self.buffer.reserve(CHUNK);
        Ok(self.stream.read_buf(&mut self.buffer).await? > 0)
    }

    /// The next line. One that is too long is read to its end and thrown away.
    pub async fn line(&mut self) -> io::Result<Line<'_>> {
        let mut seen = 0;
        let mut too_long = false;
        loop {
            if let Some(at) = memchr(b'\n', &self.waiting()[seen..]) {
                let (from, end) = (self.used, self.used + seen + at + 1);
                self.used = end;
                return Ok(judge(&self.buffer[from..end], too_long));
            }
            seen = self.waiting().len();
            if seen > COMMAND_MAX {
                self.used = self.buffer.len();
                (seen, too_long) = (0, true);
            }
            if !self.fill().await? {
                return Ok(Line::Closed);
            }
        }
    }

    /// Reads a message up to CRLF.CRLF with its dots unstuffed (RFC 5321 §4.5.2). Nothing else ends it, so that none can
    /// be smuggled in behind a bare LF. `false` when the client has gone.
    pub async fn dotted(&mut self, into: &mut Gathering) -> io::Result<bool> {
        let mut line_start = true;
        loop {
            if self.undot(&mut line_start, into) {
                return Ok(true);
            }
            if !self.fill().await? {
                return Ok(false);
            }
        }
    }

    /// Takes what the buffer has of the message; whether its end was there. What could be the beginning of the end stays
    /// in the buffer: three bytes at most.
    fn undot(&mut self, line_start: &mut bool, into: &mut Gathering) -> bool {
        loop {
            let rest = &self.buffer[self.used..];
            if *line_start {
                if rest.starts_with(b".\r\n") {
                    self.used += 3;
                    return true;
                }
                if b".\r\n".starts_with(rest) {
                    return false;
                }
                self.used += usize::from(rest[0] == b'.');
                *line_start = false;
                continue;
            }
            let (take, found) = match memmem::find(rest, b"\r\n.") {
                Some(at) => (at + 2, true),
                None if rest.ends_with(b"\r\n") => (rest.len(), true),
                None => (rest.len() - usize::from(rest.ends_with(b"\r")), false),
            };
            into.take(&rest[..take]);
            self.used += take;
            *line_start = found;
            if !found {
                return false;
            }
        }
    }

    /// Reads exactly `size` bytes (RFC 3030 §2). `false` when the client has gone.
    pub async fn counted(&mut self, mut size: u64, into: &mut Gathering) -> io::Result<bool> {
        while size > 0 {
            if self.waiting().is_empty() && !self.fill().await? {
                return Ok(false);
            }
            let take = self.waiting().len().min(usize::try_from(size).unwrap_or(usize::MAX));
            into.take(&self.buffer[self.used..self.used + take]);
            self.used += take;
            size -= take as u64;
        }
        Ok(true)
    }

    #[cfg(test)]
    fn memory(&self) -> usize {
        self.buffer.capacity()
    }
}

fn judge(line: &[u8], too_long: bool) -> Line<'_> {
    if too_long || line.len() > COMMAND_MAX {
        return Line::Bad("line too long");
    }
    // RFC 5321 §2.3.8: nothing but CR LF ends a line, and neither stands alone.
    match line.strip_suffix(b"\r\n") {
        Some(line) if memchr(b'\r', line).is_none() => Line::Command(line),
        _ => Line::Bad("lines end with CR LF, and CR stands nowhere else"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::budget::Budget;
    use super::*;
    use proptest::prelude::*;
    use tokio::io::DuplexStream;

    /// A connection over which `bytes` come in pieces of at most `piece`.
    fn fed(bytes: &[u8], piece: usize) -> Wire<DuplexStream> {
        let (mut far, near) = tokio::io::duplex(piece);
        let bytes = bytes.to_vec();
        tokio::spawn(async move {
            // The reader may stop early.
            let _ = far.write_all(&bytes).await;
        });
        Wire::new(near)
    }

    fn gathering(size_max: usize) -> Gathering {
        Gathering::new(Budget::new(1024 * 1024).reserve(), size_max)
    }

    /// The message, and what stands behind its end.
    async fn dotted(sent: &[u8], piece: usize) -> Option<(Vec<u8>, Vec<u8>)> {
        let mut wire = fed(sent, piece);
        let mut into = gathering(100_000);
        if !wire.dotted(&mut into).await.unwrap() {
            return None;
        }
        while wire.fill().await.unwrap() {}
        Some((into.content, wire.waiting().to_vec()))
    }

    #[tokio::test]
    async fn only_crlf_dot_crlf_ends_a_message() {
        for (sent, expected) in [
            ("a\r\n.\r\nQUIT\r\n", Some(("a\r\n", "QUIT\r\n"))),
            ("a\n.\nMAIL FROM:<x@y.example>\r\n.\r\n", Some(("a\n.\nMAIL FROM:<x@y.example>\r\n", ""))),
            ("a\n.\r\nb\r\n.\r\n", Some(("a\n.\r\nb\r\n", ""))),
            ("a\r\n.\nb\r\n.\r\n", Some(("a\r\n\nb\r\n", ""))),
            ("a\r\n.\rb\r\n.\r\n", Some(("a\r\n\rb\r\n", ""))),
            ("a\r.\rb\r\n.\r\n", Some(("a\r.\rb\r\n", ""))),
            ("..a\r\n...\r\n.\r\n", Some((".a\r\n..\r\n", ""))),
            (".\r\n", Some(("", ""))),
            ("\r\n.\r\n", Some(("\r\n", ""))),
            ("a\r\n", None),
            ("a\r\n.", None),
        ] {
            let expected = expected.map(|(content, rest)| (content.into(), rest.into()));
            for piece in [1, 2, 3, 5, 64] {
                assert_eq!(dotted(sent.as_bytes(), piece).await, expected, "{sent:?} in pieces of {piece}");
            }
        }
    }

    #[tokio::test]
    async fn what_is_not_kept_is_read_to_its_end() {
        let long = format!("{}\r\n.\r\nQUIT\r\n", "x".repeat(50_000));
        for (budget, size_max, trouble) in
            [(100_000, 1000, Trouble::TooLarge), (0, 100_000, Trouble::NoMemory), (65_536, 200_000, Trouble::NoMemory)]
        {
            let mut into = Gathering::new(Budget::new(budget).reserve(), size_max);
            let long = if budget == 65_536 { format!("{}{long}", "y".repeat(50_000)) } else { long.clone() };
            let mut wire = fed(long.as_bytes(), 4096);
            assert!(wire.dotted(&mut into).await.unwrap());
            assert_eq!((into.trouble, into.content.capacity()), (Some(trouble), 0));
            assert_eq!(wire.line().await.unwrap(), Line::Command(b"QUIT"));
            assert!(wire.memory() <= 2 * CHUNK, "{}", wire.memory());
        }
    }

    #[tokio::test]
    async fn lines() {
        let sent = format!("EHLO x\r\nNOOP\nNO\rOP\r\n{}\r\nQUIT\r\n", "y".repeat(100_000));
        let mut wire = fed(sent.as_bytes(), 64 * 1024);
        let bad = Line::Bad("lines end with CR LF, and CR stands nowhere else");
        assert_eq!(wire.line().await.unwrap(), Line::Command(b"EHLO x"));
        assert_eq!(wire.line().await.unwrap(), bad);
        assert_eq!(wire.line().await.unwrap(), bad);
        assert_eq!(wire.line().await.unwrap(), Line::Bad("line too long"));
        assert!(wire.memory() <= 2 * (COMMAND_MAX + CHUNK), "{}", wire.memory());
        assert_eq!(wire.line().await.unwrap(), Line::Command(b"QUIT"));
        assert_eq!(wire.line().await.unwrap(), Line::Closed);
    }

    #[tokio::test]
    async fn counted_bytes() {
        let mut wire = fed(b"hello\r\n.\r\nQUIT\r\n", 3);
        let mut into = gathering(100);
        assert!(wire.counted(10, &mut into).await.unwrap());
        assert_eq!(into.content, b"hello\r\n.\r\n");
        assert_eq!(wire.line().await.unwrap(), Line::Command(b"QUIT"));
        assert!(!wire.counted(1, &mut into).await.unwrap());
    }

    proptest! {
        #[test]
        fn a_stuffed_message_comes_out_as_it_went_in(
            lines in proptest::collection::vec("[.a\t]{0,8}", 0..20),
            piece in 1usize..40,
        ) {
            let message: Vec<u8> = lines.iter().flat_map(|line| [line.as_bytes(), b"\r\n"].concat()).collect();
            let mut sent = Vec::new();
            crate::smtp::push_content(&mut sent, &message);
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let found = runtime.block_on(dotted(&sent, piece)).map(|(content, _)| content);
            prop_assert_eq!(found, Some(message));
        }

        #[test]
        fn the_pieces_make_no_difference(bytes in "[.\r\nab]{0,60}", piece in 1usize..20) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let whole = runtime.block_on(dotted(bytes.as_bytes(), 1000));
            prop_assert_eq!(runtime.block_on(dotted(bytes.as_bytes(), piece)), whole);
        }
    }
}
