//! The header of a mail that comes in, as far as it can be read: real ones are broken, and nothing here may fail.

/// Fields that are looked at, and bytes of the header.
const FIELDS_MAX: usize = 1_000;
const BYTES_MAX: usize = 256 * 1024;

/// One field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Field<'a> {
    /// As written.
    pub name: &'a [u8],
    /// Behind the colon, folds and all, without the last line end.
    pub value: &'a [u8],
    /// All of it, the last line end included.
    pub whole: &'a [u8],
}

impl Field<'_> {
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }

    /// The value on one line.
    pub fn text(&self) -> String {
        let text = String::from_utf8_lossy(self.value);
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

/// The fields, and where the body begins.
#[derive(Debug)]
pub(super) struct Head<'a> {
    pub fields: Vec<Field<'a>>,
    pub body: &'a [u8],
}

impl<'a> Head<'a> {
    /// Reads up to the first empty line, or the first line that is no field.
    pub fn read(raw: &'a [u8]) -> Head<'a> {
        let mut fields: Vec<Field<'a>> = Vec::new();
        let mut at = 0;
        // An mbox line before the header is no field (RFC 4155).
        if raw.starts_with(b"From ") {
            at = line_end(raw, 0);
        }
        while at < raw.len() && at < BYTES_MAX && fields.len() < FIELDS_MAX {
            let mut end = line_end(raw, at);
            if without_end(&raw[at..end]).is_empty() {
                return Head { fields, body: &raw[end..] };
            }
            while matches!(raw.get(end), Some(b' ' | b'\t')) {
                end = line_end(raw, end);
            }
            let whole = &raw[at..end];
            match whole.iter().position(|byte| *byte == b':') {
                Some(colon) if colon > 0 && whole[..colon].trim_ascii_end().iter().all(u8::is_ascii_graphic) => {
                    let (name, value) = (whole[..colon].trim_ascii_end(), without_end(&whole[colon + 1..]));
                    fields.push(Field { name, value, whole });
                }
                _ => break,
            }
            at = end;
        }
        Head { fields, body: &raw[at.min(raw.len())..] }
    }

    /// The first field of this name, on one line.
    pub fn text(&self, name: &str) -> Option<String> {
        self.all(name).next().map(Field::text)
    }

    /// All fields of this name.
    pub fn all(&self, name: &str) -> impl Iterator<Item = &Field<'a>> {
        self.fields.iter().filter(move |field| field.is(name))
    }
}

/// Behind the line that begins at `at`.
fn line_end(raw: &[u8], at: usize) -> usize {
    memchr::memchr(b'\n', &raw[at..]).map_or(raw.len(), |found| at + found + 1)
}

fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn fields_are_read_as_they_come() {
        for (raw, fields, body) in [
            ("From: a\r\nSubject: b\r\n c\r\n\r\nbody", "From=a|Subject=b c", "body"),
            ("From: a\nTo: b\n\nbody\n", "From=a|To=b", "body\n"),
            ("From x Mon\nTo: b\n\nbody", "To=b", "body"),
            ("To : b\r\nno field\r\n\r\nbody", "To=b", "no field\r\n\r\nbody"),
            ("To: b", "To=b", ""),
            ("", "", ""),
        ] {
            let head = Head::read(raw.as_bytes());
            let name = |field: &Field<'_>| String::from_utf8_lossy(field.name).into_owned();
            let found: Vec<_> = head.fields.iter().map(|field| format!("{}={}", name(field), field.text())).collect();
            assert_eq!((found.join("|").as_str(), head.body), (fields, body.as_bytes()), "{raw:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_fails(raw in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b':'), Just(b' '), any::<u8>()], 0..200)) {
            Head::read(&raw);
        }
    }
}
