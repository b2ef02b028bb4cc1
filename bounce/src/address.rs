//! Addresses in words: `<ana@example.com>:`, `"ana b"@example.com`, `SMTP:ana@example.com`, also without a domain where
//! angle brackets show that it is one.

/// An address in a text and where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Hit {
    pub address: String,
    /// Where it begins, brackets and quotes included.
    pub start: usize,
    /// Behind it, brackets and quotes included.
    pub end: usize,
}

fn is_local(c: char) -> bool {
    c.is_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c)
}

fn is_domain(c: char) -> bool {
    c.is_alphanumeric() || "-._".contains(c)
}

/// Every address of a text with both its parts, in order; at most a hundred.
pub(crate) fn all(text: &str) -> Vec<Hit> {
    let mut hits = Vec::new();
    let mut from = 0;
    while let Some(found) = text[from..].find('@') {
        let at = from + found;
        from = at + 1;
        let begin = local_start(text, hits.last().map_or(0, |hit: &Hit| hit.end), at);
        let domain: &str = &text[at + 1..];
        let mut end = at + 1 + domain.find(|c| !is_domain(c)).unwrap_or(domain.len());
        end -= text[at + 1..end].len() - text[at + 1..end].trim_end_matches(['.', '-', '_']).len();
        // "user@[192.0.2.1]" (RFC 5321 §4.1.3).
        if domain.starts_with('[')
            && let Some(close) = domain.find(']')
        {
            end = at + 2 + close;
        }
        if begin == at || end <= at + 1 {
            continue;
        }
        let address = text[begin..end].to_owned();
        let (start, end) = with_brackets(text, begin, end);
        hits.push(Hit { address, start, end });
        from = end.max(from);
        if hits.len() == 100 {
            break;
        }
    }
    hits
}

/// Where the local part before the `@` begins; a quoted one (RFC 5321 §4.1.2) at its opening quote.
fn local_start(text: &str, floor: usize, at: usize) -> usize {
    let before = &text[floor..at];
    if let Some(inner) = before.strip_suffix('"')
        && let Some(open) = inner.rfind('"')
    {
        return floor + open;
    }
    let mut begin = before.char_indices().rev().find(|(_, c)| !is_local(*c)).map_or(0, |(i, c)| i + c.len_utf8());
    // "'ana@…'" and "=ana@…": what stands before belongs to the sentence.
    while let Some(first) = before[begin..].chars().next().filter(|c| "'=`|/*.{-".contains(*c)) {
        begin += first.len_utf8();
    }
    // "SMTP=ana@…" of X.400 gateways, "recipient=ana@…" of logs.
    if let Some(equals) = before[begin..].rfind('=')
        && before[begin..begin + equals].chars().all(|c| c.is_ascii_alphabetic())
    {
        begin += equals + 1;
    }
    floor + begin
}

fn with_brackets(text: &str, begin: usize, end: usize) -> (usize, usize) {
    let (mut start, mut end) = (begin, end);
    for (open, close) in [('<', '>'), ('"', '"'), ('\'', '\''), ('(', ')'), ('[', ']')] {
        if text[..start].ends_with(open) && text[end..].starts_with(close) {
            start -= 1;
            end += 1;
            break;
        }
    }
    (start, end)
}

/// The address that a text is, brackets, quotes and `mailto:` taken off; `None` where it is more or less than one. A
/// bare local part is one where brackets show it.
pub(crate) fn only(text: &str) -> Option<String> {
    let text = text.trim();
    let bare = text.trim_matches(['<', '>', '\'', ';', ',']).trim_start_matches("mailto:");
    if let [hit] = all(bare).as_slice()
        && hit.address.len() == bare.len()
    {
        return Some(hit.address.clone());
    }
    let bracketed = text.starts_with('<') && text.ends_with('>');
    (bracketed && !bare.is_empty() && bare.len() < 250 && bare.chars().all(is_local)).then(|| bare.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_in_words() {
        for (text, expected) in [
            ("<ana@example.com>: no", "ana@example.com"),
            ("to ana@example.com. It", "ana@example.com"),
            ("\"ana b\"@example.com, bo@x.example", "\"ana b\"@example.com bo@x.example"),
            ("'ana@example.com'", "ana@example.com"),
            ("dda:SMTP=ana@example.com; on", "ana@example.com"),
            ("o'neil@example.com", "o'neil@example.com"),
            ("a+b=c@example.com", "a+b=c@example.com"),
            ("ana@[192.0.2.1]", "ana@[192.0.2.1]"),
            ("@ a@ @b", ""),
            ("für jörg@example.com", "jörg@example.com"),
        ] {
            let found: Vec<String> = all(text).into_iter().map(|hit| hit.address).collect();
            assert_eq!(found.join(" "), expected, "{text}");
        }
    }

    #[test]
    fn a_text_that_is_an_address() {
        for (text, expected) in [
            ("<ana@example.com>", Some("ana@example.com")),
            (" ana@example.com ", Some("ana@example.com")),
            ("<ana>", Some("ana")),
            ("ana", None),
            ("ana@example.com bo@example.com", None),
            ("see ana@example.com", None),
        ] {
            assert_eq!(only(text).as_deref(), expected, "{text}");
        }
    }
}
