//! Query strings: filters, tab and page live in the URL.

/// Percent-encodes a value for a query or a path segment (RFC 3986 §2.3: everything but unreserved characters).
#[must_use]
pub fn encode(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for byte in value.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => text.push(char::from(byte)),
            _ => {
                const HEX: &[u8; 16] = b"0123456789ABCDEF";
                text.push('%');
                text.push(char::from(HEX[usize::from(byte >> 4)]));
                text.push(char::from(HEX[usize::from(byte & 15)]));
            }
        }
    }
    text
}

/// A path with the parameters that have a value.
#[must_use]
pub fn with(path: &str, parameters: &[(&str, &str)]) -> String {
    let mut text = path.to_owned();
    let mut mark = '?';
    for (name, value) in parameters.iter().filter(|(_, value)| !value.is_empty()) {
        text.push(mark);
        text.push_str(name);
        text.push('=');
        text.push_str(&encode(value));
        mark = '&';
    }
    text
}

/// Where to go after signing in: only pages of this console, never another site (no open redirect).
#[must_use]
pub fn safe_next(next: &str) -> String {
    let inside =
        next.starts_with('/') && !next.starts_with("//") && !next.contains('\\') && !next.starts_with("/sign-in");
    if inside { next.to_owned() } else { "/".to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_has_a_value() {
        assert_eq!(with("/contacts", &[("q", ""), ("tag", "")]), "/contacts");
        assert_eq!(with("/contacts", &[("q", "a b&c"), ("tag", "é")]), "/contacts?q=a%20b%26c&tag=%C3%A9");
    }

    #[test]
    fn never_to_another_site() {
        let cases = [
            ("/campaigns/3?tab=x", "/campaigns/3?tab=x"),
            ("//evil.example", "/"),
            ("https://evil.example", "/"),
            ("/\\evil.example", "/"),
            ("/sign-in", "/"),
            ("", "/"),
        ];
        for (next, path) in cases {
            assert_eq!(safe_next(next), path);
        }
    }
}
