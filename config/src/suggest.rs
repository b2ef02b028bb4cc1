//! "Did you mean": the known word that is nearest to a mistyped one.

/// The nearest of `known`, when it is near enough to be meant.
pub(crate) fn nearest<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let (distance, best) = known.iter().map(|&candidate| (distance(word, candidate), candidate)).min()?;
    (distance <= word.len().max(best.len()) / 3).then_some(best)
}

/// Levenshtein distance in bytes; keys are ASCII.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, y) in b.bytes().enumerate() {
            let replaced = diagonal + usize::from(x != y);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    #[test]
    fn near_and_far() {
        let known = ["listen", "public_url", "session_days"];
        for (word, expected) in [
            ("lisen", Some("listen")),
            ("public-url", Some("public_url")),
            ("sesion_day", Some("session_days")),
            ("colour", None),
            ("x", None),
        ] {
            assert_eq!(super::nearest(word, &known), expected, "{word}");
        }
    }
}
