//! The audience as a breakdown: who matches, who is left out, who receives.

use api_types::AudienceCount;

use crate::number::{counted, grouped};

/// One line of the breakdown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// What is counted.
    pub label: &'static str,
    /// How many, with its sign.
    pub figure: String,
    /// Whether it is the result.
    pub total: bool,
}

/// matching − suppressed = receiving.
#[must_use]
pub fn breakdown(count: &AudienceCount) -> Vec<Line> {
    vec![
        Line { label: "match", figure: grouped(count.matching), total: false },
        Line { label: "suppressed", figure: format!("− {}", grouped(count.suppressed)), total: false },
        Line { label: "will receive", figure: grouped(count.receiving), total: true },
    ]
}

/// The breakdown as a sentence, for live regions.
#[must_use]
pub fn sentence(count: &AudienceCount) -> String {
    format!(
        "{} match, {} of them suppressed, {} will receive",
        counted(count.matching, "contact", "contacts"),
        grouped(count.suppressed),
        grouped(count.receiving)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_breakdown_reads_as_a_sum() {
        let count = AudienceCount {
            matching: 1200,
            suppressed: 34,
            receiving: 1166,
            sentence: String::new(),
            sample: Vec::new(),
        };
        let figures: Vec<String> = breakdown(&count).into_iter().map(|line| line.figure).collect();
        assert_eq!(figures, ["1,200", "− 34", "1,166"]);
        assert_eq!(sentence(&count), "1,200 contacts match, 34 of them suppressed, 1,166 will receive");
    }
}
