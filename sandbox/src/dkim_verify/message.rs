//! A message as DKIM sees it: headers with their bytes untouched, and the body.

/// A header field: name, and everything after the colon up to the line end that is not folded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Header<'a> {
    pub name: &'a [u8],
    pub value: &'a [u8],
}

impl Header<'_> {
    /// Whether the field has this name; space before the colon does not count (RFC 6376 §3.4.2).
    pub fn is(&self, name: &str) -> bool {
        self.name.trim_ascii_end().eq_ignore_ascii_case(name.as_bytes())
    }
}

pub(super) struct Message<'a> {
    pub headers: Vec<Header<'a>>,
    pub body: &'a [u8],
}

impl<'a> Message<'a> {
    pub fn parse(raw: &'a [u8]) -> Message<'a> {
        let mut headers = Vec::new();
        let mut at = 0;
        while at < raw.len() {
            if raw[at..].starts_with(b"\r\n") {
                return Message { headers, body: &raw[at + 2..] };
            }
            let end = field_end(raw, at);
            let field = &raw[at..end];
            // A line that is no field at all ends the headers; what follows is body.
            let Some(colon) = field.iter().position(|b| *b == b':') else {
                return Message { headers, body: &raw[at..] };
            };
            let value = field[colon + 1..].strip_suffix(b"\r\n").unwrap_or(&field[colon + 1..]);
            headers.push(Header { name: &field[..colon], value });
            at = end;
        }
        Message { headers, body: &[] }
    }
}

/// The end of the field that begins at `at`: after the first line end that no space or tab follows.
fn field_end(raw: &[u8], mut at: usize) -> usize {
    while let Some(length) = raw[at..].windows(2).position(|pair| pair == b"\r\n") {
        at += length + 2;
        if !matches!(raw.get(at), Some(b' ' | b'\t')) {
            return at;
        }
    }
    raw.len()
}

/// The value of the first header of that name, unfolded only by its reader.
#[must_use]
pub fn header(raw: &[u8], name: &str) -> Option<String> {
    let message = Message::parse(raw);
    let found = message.headers.iter().find(|header| header.is(name))?;
    Some(String::from_utf8_lossy(found.value).into_owned())
}
