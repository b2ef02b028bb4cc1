//! Line ends, lengths, and NUL, in one pass over the whole message.

use super::NotAMessage;

/// Bytes of a line at most, its CR LF not counted (RFC 5322 §2.1.1).
const LINE_BYTES_MAX: usize = 998;

/// Refuses bare CR, bare LF, NUL, and lines that are too long. A message that hides a line end which another server
/// takes for one can smuggle a second message behind it.
pub(super) fn check(raw: &[u8]) -> Result<(), NotAMessage> {
    let (mut line, mut start) = (1, 0);
    for at in memchr::memchr3_iter(b'\r', b'\n', 0, raw) {
        match raw[at] {
            b'\r' if raw.get(at + 1) == Some(&b'\n') => {
                if at - start > LINE_BYTES_MAX {
                    return Err(NotAMessage::LongLine { line });
                }
            }
            b'\n' if at > start && raw[at - 1] == b'\r' => {
                line += 1;
                start = at + 1;
            }
            0 => return Err(NotAMessage::Nul { line }),
            _ => return Err(NotAMessage::LineEnd { line }),
        }
    }
    if start == raw.len() {
        return Ok(());
    }
    // The last line has no end at all.
    Err(NotAMessage::LineEnd { line })
}
