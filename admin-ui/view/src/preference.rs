//! Words about the preference centre.

/// What people may call a stream, made of its name: a first word for somebody who will write a better one.
#[must_use]
pub fn title_of(stream: &str) -> String {
    let words = stream.replace(['-', '_', '.'], " ");
    let mut letters = words.trim().chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// How many want no mail of a stream.
#[must_use]
pub fn left(n: u64) -> String {
    match n {
        1 => "1 address wants no mail of it".to_owned(),
        n => format!("{n} addresses want no mail of it"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles() {
        for (stream, title) in [("product-news", "Product news"), ("bulk", "Bulk"), ("a_b.c", "A b c"), ("-", "")] {
            assert_eq!(title_of(stream), title);
        }
        assert_eq!(
            (left(1), left(12)),
            ("1 address wants no mail of it".into(), "12 addresses want no mail of it".into())
        );
    }
}
