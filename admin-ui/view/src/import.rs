//! The mapping of an import: which targets a column may have, and what keeps it from starting.

use api_types::{Import, ImportStart};

/// The fixed targets with their words; the workspace's own fields follow as `attribute:NAME`.
pub const TARGETS: [(&str, &str); 6] = [
    ("", "Leave out"),
    ("email", "Email address"),
    ("first_name", "First name"),
    ("last_name", "Last name"),
    ("tags", "Tags"),
    ("engaged_at", "Last opened or clicked"),
];

/// Every target a column may have: fixed ones, known fields, and the one proposed for this column.
#[must_use]
pub fn targets(fields: &[String], proposed: &str) -> Vec<(String, String)> {
    let mut options: Vec<(String, String)> =
        TARGETS.iter().map(|(value, label)| ((*value).to_owned(), (*label).to_owned())).collect();
    for field in fields {
        options.push((format!("attribute:{field}"), format!("Field {field}")));
    }
    if let Some(name) = proposed.strip_prefix("attribute:")
        && !options.iter().any(|(value, _)| value == proposed)
    {
        options.push((proposed.to_owned(), format!("New field {name}")));
    }
    options
}

/// The name of the field that a column without a target would become.
#[must_use]
pub fn field_name(column: &str) -> String {
    let mut name = String::new();
    for letter in column.trim().chars() {
        if letter.is_alphanumeric() {
            name.extend(letter.to_lowercase());
        } else if !name.ends_with('_') && !name.is_empty() {
            name.push('_');
        }
    }
    name.trim_end_matches('_').to_owned()
}

/// Why the import cannot start as it is mapped.
#[must_use]
pub fn problem(targets: &[String]) -> Option<String> {
    match targets.iter().filter(|target| *target == "email").count() {
        0 => return Some("Choose the column with the email address.".to_owned()),
        1 => {}
        _ => return Some("Only one column can be the email address.".to_owned()),
    }
    let mut seen: Vec<&String> = targets
        .iter()
        .filter(|target| !target.is_empty() && !["tags", "engaged_at"].contains(&target.as_str()))
        .collect();
    seen.sort();
    let twice = seen.windows(2).find(|pair| pair[0] == pair[1])?;
    Some(format!("Two columns go to {}.", twice[0].trim_start_matches("attribute:")))
}

/// How far an import is, 0 to 100.
#[must_use]
pub fn percent(import: &Import) -> f64 {
    if import.bytes_total == 0 {
        return 0.0;
    }
    (import.bytes_done as f64 / import.bytes_total as f64 * 100.0).min(100.0)
}

/// Tags as typed: separated by commas, without doubles.
#[must_use]
pub fn tags(text: &str) -> Vec<String> {
    let mut tags: Vec<String> = Vec::new();
    for tag in text.split(',').map(str::trim).filter(|tag| !tag.is_empty()) {
        if !tags.iter().any(|known| known == tag) {
            tags.push(tag.to_owned());
        }
    }
    tags
}

/// Whether a start would lose columns that hold something, said before it happens.
#[must_use]
pub fn left_out(import: &Import, start: &ImportStart) -> Vec<String> {
    let pairs = import.columns.iter().zip(&start.targets);
    pairs.filter(|(_, target)| target.is_empty()).map(|(column, _)| column.name.clone()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem_of(targets: &[&str]) -> Option<String> {
        problem(&targets.iter().map(|target| (*target).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn exactly_one_address_and_no_target_twice() {
        assert!(problem_of(&["first_name", ""]).unwrap().contains("email"));
        assert!(problem_of(&["email", "email"]).unwrap().contains("one column"));
        assert_eq!(problem_of(&["email", "attribute:city", "attribute:city"]).unwrap(), "Two columns go to city.");
        assert_eq!(problem_of(&["email", "", "", "tags", "tags"]), None);
    }

    #[test]
    fn columns_become_field_names() {
        assert_eq!(field_name(" Postal  Code "), "postal_code");
        assert_eq!(field_name("E-Mail?"), "e_mail");
        assert_eq!(field_name("***"), "");
    }

    #[test]
    fn a_proposed_field_can_be_chosen() {
        let options = targets(&["city".to_owned()], "attribute:plan");
        assert!(options.contains(&("attribute:plan".to_owned(), "New field plan".to_owned())));
        assert_eq!(targets(&["city".to_owned()], "attribute:city").len(), 7);
    }

    #[test]
    fn tags_as_typed() {
        assert_eq!(tags(" a, b ,,a"), ["a", "b"]);
    }
}
