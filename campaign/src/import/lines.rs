//! One kind of line end. The CSV reader numbers the rows of a file with CR LF one too low (it sees the LF when it has
//! answered the row already), and does not count the lines of one with bare CR at all; where an interrupted import
//! goes on, and what its report says, both hang on these numbers.

use std::io::{self, Read};

/// Turns CR LF and CR into LF.
pub(super) struct LineEnds<R> {
    inner: R,
    after_cr: bool,
}

impl<R> LineEnds<R> {
    pub(super) fn new(inner: R) -> LineEnds<R> {
        LineEnds { inner, after_cr: false }
    }
}

impl<R: Read> Read for LineEnds<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let filled = self.inner.read(buffer)?;
            let kept = self.tidy(&mut buffer[..filled]);
            // A block of nothing but the LF behind a CR is no end of the file.
            if kept > 0 || filled == 0 {
                return Ok(kept);
            }
        }
    }
}

impl<R> LineEnds<R> {
    /// Tidies a block in its place; how much of it is left.
    fn tidy(&mut self, block: &mut [u8]) -> usize {
        if !self.after_cr && !block.contains(&b'\r') {
            return block.len();
        }
        let mut kept = 0;
        for at in 0..block.len() {
            let byte = block[at];
            if byte != b'\n' || !self.after_cr {
                block[kept] = if byte == b'\r' { b'\n' } else { byte };
                kept += 1;
            }
            self.after_cr = byte == b'\r';
        }
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Hands out single bytes, so that every line end is cut.
    struct Bytes<'a>(&'a [u8]);

    impl Read for Bytes<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let n = buffer.len().min(1);
            self.0.read(&mut buffer[..n])
        }
    }

    #[test]
    fn every_line_end_becomes_one_lf() {
        for (text, expected) in [
            ("a\r\nb\r\n", "a\nb\n"),
            ("a\rb\r", "a\nb\n"),
            ("a\nb\n\n", "a\nb\n\n"),
            ("\r\n\r\n\r", "\n\n\n"),
            ("", ""),
        ] {
            let mut whole = String::new();
            LineEnds::new(text.as_bytes()).read_to_string(&mut whole).unwrap();
            let mut cut = String::new();
            LineEnds::new(Bytes(text.as_bytes())).read_to_string(&mut cut).unwrap();
            assert_eq!((whole.as_str(), cut.as_str()), (expected, expected), "{text:?}");
        }
    }
}
