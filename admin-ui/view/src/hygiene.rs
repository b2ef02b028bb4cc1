//! List hygiene in words.

use api_types::HygieneRan;

/// Months as typed, where the API would take them; else nothing, so that it says what is set.
#[must_use]
pub fn months(text: &str) -> String {
    match text.trim().parse::<u32>() {
        Ok(months) if (1..=120).contains(&months) => months.to_string(),
        _ => String::new(),
    }
}

/// A rule's name.
#[must_use]
pub fn rule(word: &str) -> String {
    match word {
        "sunset" => "Stop mail that nobody reads".to_owned(),
        "reengage" => "Ask whether they still want mail".to_owned(),
        other => other.to_owned(),
    }
}

/// What applying the rules did.
#[must_use]
pub fn ran(ran: &HygieneRan) -> String {
    let contacts = |n: u64| if n == 1 { "1 contact".to_owned() } else { format!("{n} contacts") };
    format!("{} tagged, {} without campaigns from now on", contacts(ran.reengage), contacts(ran.sunset))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_good_months_are_asked_for() {
        for (typed, asked) in [(" 12 ", "12"), ("1", "1"), ("120", "120"), ("0", ""), ("121", ""), ("x", ""), ("", "")]
        {
            assert_eq!(months(typed), asked, "{typed}");
        }
    }

    #[test]
    fn in_words() {
        let told = ran(&HygieneRan { sunset: 1, reengage: 20 });
        assert_eq!(told, "20 contacts tagged, 1 contact without campaigns from now on");
    }
}
