//! A condition as a sentence for people.

use super::names::Names;
use api_types::{Filter, FilterOp, ListStatus, SuppressionReason};
use serde_json::Value;
use storage::suppression::reason_word;

/// The condition in words, with the names of what it mentions.
#[must_use]
pub fn sentence(filter: &Filter, names: &Names) -> String {
    match filter {
        Filter::And { filters } if filters.is_empty() => "Everyone.".to_owned(),
        _ => crate::error::sentence(&words(filter, names, false)),
    }
}

/// `inside` another condition what has several parts stands in brackets.
fn words(filter: &Filter, names: &Names, inside: bool) -> String {
    match filter {
        Filter::And { filters } => joined(filters, names, (" and ", "everyone"), inside),
        Filter::Or { filters } => joined(filters, names, (" or ", "no one"), inside),
        Filter::Not { filter } => match &**filter {
            Filter::Tag { name } => format!("has not the tag “{name}”"),
            Filter::Suppressed => "is not suppressed".to_owned(),
            Filter::SuppressedFor { reason } => format!("is not suppressed ({})", suppressed_for(*reason)),
            Filter::List { id, status: ListStatus::Subscribed } => format!("is not on {}", names.list(*id)),
            Filter::List { id, status: ListStatus::Left } => format!("has not left {}", names.list(*id)),
            Filter::LeftStream { stream } => format!("has not left the stream “{stream}”"),
            Filter::Message { action, campaign_id, days } => {
                format!("was not {}", message(action, campaign_id.map(|id| names.campaign(id)), *days))
            }
            other => format!("not ({})", words(other, names, false)),
        },
        Filter::Attribute { path, op, value } => format!("{} {}", subject(path), comparison(*op, value)),
        Filter::Tag { name } => format!("has the tag “{name}”"),
        Filter::Suppressed => "is suppressed".to_owned(),
        Filter::SuppressedFor { reason } => format!("is suppressed ({})", suppressed_for(*reason)),
        Filter::SoftBounced { times: 1, days } => format!("refused mail for now within {days} days"),
        Filter::SoftBounced { times, days } => format!("refused mail for now {times} times within {days} days"),
        Filter::List { id, status: ListStatus::Subscribed } => format!("is on {}", names.list(*id)),
        Filter::List { id, status: ListStatus::Left } => format!("has left {}", names.list(*id)),
        Filter::LeftStream { stream } => format!("has left the stream “{stream}”"),
        Filter::Unengaged { months: 1 } => "was mailed for a month without a sign of engagement".to_owned(),
        Filter::Unengaged { months } => format!("was mailed for {months} months without a sign of engagement"),
        Filter::Message { action, campaign_id, days } => {
            format!("was {}", message(action, campaign_id.map(|id| names.campaign(id)), *days))
        }
        Filter::Random { percent, .. } => format!("is in a random {percent} %"),
    }
}

fn suppressed_for(reason: SuppressionReason) -> String {
    reason_word(reason).replace('_', " ")
}

fn joined(filters: &[Filter], names: &Names, (word, none): (&str, &str), inside: bool) -> String {
    match filters {
        [] => none.to_owned(),
        [one] => words(one, names, inside),
        many => {
            let parts: Vec<String> = many.iter().map(|filter| words(filter, names, true)).collect();
            let text = parts.join(word);
            if inside { format!("({text})") } else { text }
        }
    }
}

fn subject(path: &str) -> &str {
    match path {
        "email" => "address",
        "domain" => "domain",
        "first_name" => "first name",
        "last_name" => "last name",
        "created_at" => "date added",
        "engaged_at" => "last engaged",
        "consent_source" => "source of consent",
        other => other.strip_prefix("attribute:").unwrap_or(other),
    }
}

fn message(action: &str, campaign: Option<String>, days: Option<u32>) -> String {
    let of = campaign.map(|name| format!(" {name}")).unwrap_or_default();
    let what = match action {
        "delivered" => format!("sent{}", if of.is_empty() { " a campaign" } else { &of }),
        "bounced" | "deferred" => format!("{action}{}", if of.is_empty() { String::new() } else { format!(" in{of}") }),
        "unsubscribed" => format!("unsubscribed{}", if of.is_empty() { String::new() } else { format!(" by{of}") }),
        other => other.to_owned(),
    };
    match days {
        None => what,
        Some(1) => format!("{what} in the last day"),
        Some(days) => format!("{what} in the last {days} days"),
    }
}

fn comparison(op: FilterOp, value: &Value) -> String {
    let v = || quoted(value);
    match op {
        FilterOp::Equals => format!("is {}", v()),
        FilterOp::NotEquals => format!("is not {}", v()),
        FilterOp::Contains => format!("contains {}", v()),
        FilterOp::NotContains => format!("does not contain {}", v()),
        FilterOp::StartsWith => format!("begins with {}", v()),
        FilterOp::EndsWith => format!("ends with {}", v()),
        FilterOp::In => format!("is one of {}", v()),
        FilterOp::IsSet => "has a value".to_owned(),
        FilterOp::IsNotSet => "has no value".to_owned(),
        FilterOp::Less => format!("is below {}", v()),
        FilterOp::LessOrEqual => format!("is at most {}", v()),
        FilterOp::Greater => format!("is above {}", v()),
        FilterOp::GreaterOrEqual => format!("is at least {}", v()),
        FilterOp::Between => match value.as_array().map(Vec::as_slice) {
            Some([low, high]) => format!("is between {} and {}", quoted(low), quoted(high)),
            _ => format!("is between {}", v()),
        },
        FilterOp::Before => format!("is before {}", v()),
        FilterOp::After => format!("is after {}", v()),
        FilterOp::InTheLastDays => format!("is in the last {} days", bare(value)),
        FilterOp::InTheNextDays => format!("is in the next {} days", bare(value)),
        FilterOp::Anniversary => "has its anniversary today".to_owned(),
    }
}

fn quoted(value: &Value) -> String {
    match value {
        Value::String(text) => format!("“{text}”"),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Array(list) => list.iter().map(quoted).collect::<Vec<_>>().join(", "),
        Value::Null => "nothing".to_owned(),
        other => other.to_string(),
    }
}

fn bare(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn in_words() {
        let table = [
            (json!({"type": "and", "filters": []}), "Everyone."),
            (json!({"type": "or", "filters": []}), "No one."),
            (
                json!({"type": "attribute", "path": "attribute:city", "op": "equals", "value": "Porto"}),
                "City is “Porto”.",
            ),
            (
                json!({"type": "and", "filters": [
                {"type": "tag", "name": "vip"},
                {"type": "or", "filters": [
                    {"type": "attribute", "path": "attribute:age", "op": "between", "value": [18, 30]},
                    {"type": "attribute", "path": "attribute:newsletter", "op": "equals", "value": true}]},
                {"type": "not", "filter": {"type": "suppressed"}}]}),
                "Has the tag “vip” and (age is between 18 and 30 or newsletter is yes) and is not suppressed.",
            ),
            (json!({"type": "message", "action": "delivered", "days": 30}), "Was sent a campaign in the last 30 days."),
            (
                json!({"type": "not", "filter": {"type": "message", "action": "delivered", "campaign_id": 4}}),
                "Was not sent the campaign “Spring”.",
            ),
            (
                json!({"type": "attribute", "path": "created_at", "op": "in_the_last_days", "value": 7}),
                "Date added is in the last 7 days.",
            ),
            (
                json!({"type": "attribute", "path": "email", "op": "in", "value": ["a@b.c", "d@e.f"]}),
                "Address is one of “a@b.c”, “d@e.f”.",
            ),
            (
                json!({"type": "not", "filter": {"type": "attribute", "path": "first_name", "op": "is_set"}}),
                "Not (first name has a value).",
            ),
            (json!({"type": "list", "id": 3, "status": "subscribed"}), "Is on the list “News”."),
            (
                json!({"type": "not", "filter": {"type": "list", "id": 3, "status": "left"}}),
                "Has not left the list “News”.",
            ),
            (json!({"type": "list", "id": 9, "status": "left"}), "Has left list 9, which is deleted."),
            (json!({"type": "unengaged", "months": 6}), "Was mailed for 6 months without a sign of engagement."),
            (json!({"type": "random", "percent": 10, "seed": 1}), "Is in a random 10 %."),
        ];
        for (filter, expected) in table {
            let parsed: Filter = serde_json::from_value(filter.clone()).unwrap();
            assert_eq!(sentence(&parsed, &Names::for_test()), expected, "{filter}");
        }
    }
}
