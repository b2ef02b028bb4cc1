//! The filter tree as it is edited: groups of rules with the texts of their inputs, and the way to and from the wire.
//! Strategies: a rule keeps what was typed, also while it is not yet a value; only a whole tree becomes a [`Filter`].

use crate::tone::SUPPRESSION_REASONS;
use api_types::{Field, FieldKind, Filter, FilterOp, ListStatus, SuppressionReason};
use serde_json::{Value, json};

/// A group: all, any or none of its items.
#[derive(Clone, Debug, PartialEq)]
pub struct Group {
    /// How the items are joined.
    pub join: Join,
    /// Rules and groups.
    pub items: Vec<Item>,
}

/// How a group's items are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Join {
    /// Every one holds.
    All,
    /// At least one holds.
    Any,
    /// None holds.
    None,
}

/// What stands in a group.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// A condition.
    Rule(Rule),
    /// A group in the group.
    Group(Group),
}

/// One condition, as typed.
#[derive(Clone, Debug, PartialEq)]
pub struct Rule {
    /// A path as in [`Filter::Attribute`], or `tag`, `list`, `suppressed`, `soft_bounced`, `message`, `unengaged`,
    /// `random`.
    pub subject: String,
    /// Turned round: does not have the tag, is not suppressed, was not sent.
    pub negated: bool,
    /// Comparison of an attribute; otherwise unused.
    pub op: FilterOp,
    /// The value, the tag's name, the list, the reason, how often, the action, the months or the percentage.
    pub value: String,
    /// The second value of `between`; how one stands to the `list`; the days of `message` and `soft_bounced`; the seed of
    /// `random`.
    pub second: String,
    /// The campaign of `message`, empty for any.
    pub campaign: String,
}

/// What a value is typed into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Input {
    /// Nothing to type.
    Nothing,
    /// Text.
    Text,
    /// A number.
    Number,
    /// A date.
    Date,
    /// A number of days.
    Days,
    /// Two numbers.
    TwoNumbers,
    /// Two dates.
    TwoDates,
    /// Values separated by commas.
    List,
    /// Yes or no.
    YesNo,
}

/// The fixed values of contacts that can be compared, with their words.
pub const FIXED: [(&str, &str, FieldKind); 7] = [
    ("email", "Email address", FieldKind::Text),
    ("domain", "Domain of the address", FieldKind::Text),
    ("first_name", "First name", FieldKind::Text),
    ("last_name", "Last name", FieldKind::Text),
    ("created_at", "Added", FieldKind::Date),
    ("engaged_at", "Last engaged", FieldKind::Date),
    ("consent_source", "Source of the consent", FieldKind::Text),
];

/// What campaigns' recipients do, with words.
pub const ACTIONS: [(&str, &str); 4] = [
    ("delivered", "got"),
    ("bounced", "bounced on"),
    ("deferred", "was deferred on"),
    ("unsubscribed", "unsubscribed from"),
];

/// Every subject a rule may have, with words.
#[must_use]
pub fn subjects(fields: &[Field]) -> Vec<(String, String)> {
    let mut subjects: Vec<(String, String)> =
        FIXED.iter().map(|(subject, label, _)| ((*subject).to_owned(), (*label).to_owned())).collect();
    for field in fields {
        subjects.push((format!("attribute:{}", field.name), field.name.clone()));
    }
    for (subject, label) in [
        ("tag", "Tag"),
        ("list", "List"),
        ("stream", "Stream"),
        ("message", "Campaigns"),
        ("unengaged", "Silence"),
        ("suppressed", "Suppression"),
        ("soft_bounced", "Refusals for now"),
        ("random", "Random share"),
    ] {
        subjects.push((subject.to_owned(), label.to_owned()));
    }
    subjects
}

/// The kind of a subject's values; text for fields that are not known.
#[must_use]
pub fn kind(subject: &str, fields: &[Field]) -> FieldKind {
    if let Some((_, _, kind)) = FIXED.iter().find(|(fixed, _, _)| *fixed == subject) {
        return *kind;
    }
    let name = subject.trim_start_matches("attribute:");
    fields.iter().find(|field| field.name == name).map_or(FieldKind::Text, |field| field.kind)
}

/// The comparisons that make sense for a kind, with words.
#[must_use]
pub fn operators(kind: FieldKind) -> Vec<(FilterOp, &'static str)> {
    use FilterOp::*;
    let set = [(IsSet, "has a value"), (IsNotSet, "has no value")];
    let own: &[(FilterOp, &str)] = match kind {
        FieldKind::Text => &[
            (Equals, "is"),
            (NotEquals, "is not"),
            (Contains, "contains"),
            (NotContains, "does not contain"),
            (StartsWith, "begins with"),
            (EndsWith, "ends with"),
            (In, "is one of"),
        ],
        FieldKind::Number => &[
            (Equals, "is"),
            (NotEquals, "is not"),
            (Less, "is below"),
            (LessOrEqual, "is at most"),
            (Greater, "is above"),
            (GreaterOrEqual, "is at least"),
            (Between, "is between"),
        ],
        FieldKind::Boolean => &[(Equals, "is")],
        FieldKind::Date => &[
            (Before, "is before"),
            (After, "is after"),
            (Between, "is between"),
            (InTheLastDays, "is within the last"),
            (InTheNextDays, "is within the next"),
            (Anniversary, "has its day and month today"),
        ],
    };
    own.iter().copied().chain(set).collect()
}

/// The word of the wire for a comparison, as option values need it.
#[must_use]
pub fn op_word(op: FilterOp) -> String {
    serde_json::to_value(op).ok().and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

/// The comparison of a word.
#[must_use]
pub fn op_of(word: &str) -> FilterOp {
    serde_json::from_value(Value::String(word.to_owned())).unwrap_or(FilterOp::Equals)
}

/// What a comparison's value is typed into.
#[must_use]
pub fn input(kind: FieldKind, op: FilterOp) -> Input {
    match (op, kind) {
        (FilterOp::IsSet | FilterOp::IsNotSet | FilterOp::Anniversary, _) => Input::Nothing,
        (FilterOp::In, _) => Input::List,
        (FilterOp::InTheLastDays | FilterOp::InTheNextDays, _) => Input::Days,
        (FilterOp::Between, FieldKind::Date) => Input::TwoDates,
        (FilterOp::Between, _) => Input::TwoNumbers,
        (_, FieldKind::Boolean) => Input::YesNo,
        (_, FieldKind::Number) => Input::Number,
        (_, FieldKind::Date) => Input::Date,
        (_, FieldKind::Text) => Input::Text,
    }
}

impl Rule {
    /// A rule about `subject` with its first comparison and no value.
    #[must_use]
    pub fn about(subject: &str, fields: &[Field]) -> Rule {
        let op = operators(kind(subject, fields)).first().map_or(FilterOp::Equals, |(op, _)| *op);
        let (value, second) = match subject {
            "message" => ("delivered", ""),
            "random" => ("10", "1"),
            "list" => ("", "subscribed"),
            "unengaged" => ("6", ""),
            "soft_bounced" => ("1", "30"),
            _ if kind(subject, fields) == FieldKind::Boolean => ("true", ""),
            _ => ("", ""),
        };
        Rule {
            subject: subject.to_owned(),
            negated: false,
            op,
            value: value.to_owned(),
            second: second.to_owned(),
            campaign: String::new(),
        }
    }
}

/// The tree of a filter that came over the wire; the root is always a group.
#[must_use]
pub fn read(filter: &Filter) -> Group {
    match item(filter, false) {
        Item::Group(group) => group,
        rule @ Item::Rule(_) => Group { join: Join::All, items: vec![rule] },
    }
}

fn item(filter: &Filter, negated: bool) -> Item {
    let rule = |subject: &str, op, value: String, second: String| {
        Item::Rule(Rule { subject: subject.to_owned(), negated, op, value, second, campaign: String::new() })
    };
    match filter {
        Filter::And { filters } if negated => group(Join::None, &[Filter::And { filters: filters.clone() }]),
        Filter::And { filters } => group(Join::All, filters),
        Filter::Or { filters } => group(if negated { Join::None } else { Join::Any }, filters),
        Filter::Not { filter } if negated => item(filter, false),
        Filter::Not { filter } => item(filter, true),
        // A comparison has its own way of being turned round, except where it does not.
        Filter::Attribute { .. } if negated => group(Join::None, std::slice::from_ref(filter)),
        Filter::Attribute { path, op, value } => {
            let (value, second) = typed(*op, value);
            rule(path, *op, value, second)
        }
        Filter::Tag { name } => rule("tag", FilterOp::Equals, name.clone(), String::new()),
        Filter::Suppressed => rule("suppressed", FilterOp::Equals, String::new(), String::new()),
        Filter::SuppressedFor { reason } => {
            rule("suppressed", FilterOp::Equals, suppression_word(*reason).to_owned(), String::new())
        }
        Filter::SoftBounced { times, days } => {
            rule("soft_bounced", FilterOp::Equals, times.to_string(), days.to_string())
        }
        Filter::List { id, status } => {
            let word = if *status == ListStatus::Left { "left" } else { "subscribed" };
            rule("list", FilterOp::Equals, id.to_string(), word.to_owned())
        }
        Filter::LeftStream { stream } => rule("stream", FilterOp::Equals, stream.clone(), String::new()),
        Filter::Unengaged { months } => rule("unengaged", FilterOp::Equals, months.to_string(), String::new()),
        Filter::Message { action, campaign_id, days } => Item::Rule(Rule {
            subject: "message".to_owned(),
            negated,
            op: FilterOp::Equals,
            value: action.clone(),
            second: days.map(|days| days.to_string()).unwrap_or_default(),
            campaign: campaign_id.map(|id| id.to_string()).unwrap_or_default(),
        }),
        Filter::Random { percent, seed } => rule("random", FilterOp::Equals, percent.to_string(), seed.to_string()),
    }
}

fn suppression_word(reason: SuppressionReason) -> &'static str {
    SUPPRESSION_REASONS.iter().find(|(_, known)| *known == reason).map_or("", |(word, _)| word)
}

fn group(join: Join, filters: &[Filter]) -> Item {
    Item::Group(Group { join, items: filters.iter().map(|filter| item(filter, false)).collect() })
}

/// A value as it is typed.
fn typed(op: FilterOp, value: &Value) -> (String, String) {
    let text = |value: &Value| match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    match (op, value) {
        (FilterOp::Between, Value::Array(pair)) => {
            (pair.first().map(text).unwrap_or_default(), pair.get(1).map(text).unwrap_or_default())
        }
        (_, Value::Array(list)) => (list.iter().map(text).collect::<Vec<_>>().join(", "), String::new()),
        (_, value) => (text(value), String::new()),
    }
}

/// The filter of a tree, or what is missing in it, as a sentence.
pub fn write(root: &Group, fields: &[Field]) -> Result<Filter, String> {
    let mut filters = Vec::with_capacity(root.items.len());
    for item in &root.items {
        filters.push(match item {
            Item::Rule(rule) => write_rule(rule, fields)?,
            Item::Group(inner) if inner.items.is_empty() => {
                return Err("A group has no condition yet: add one or remove the group.".to_owned());
            }
            Item::Group(inner) => write(inner, fields)?,
        });
    }
    Ok(match root.join {
        Join::All => Filter::And { filters },
        Join::Any if filters.is_empty() => Filter::everyone(),
        Join::Any => Filter::Or { filters },
        Join::None if filters.is_empty() => Filter::everyone(),
        Join::None => Filter::Not { filter: Box::new(Filter::Or { filters }) },
    })
}

fn write_rule(rule: &Rule, fields: &[Field]) -> Result<Filter, String> {
    let filter = match rule.subject.as_str() {
        "tag" if rule.value.is_empty() => return Err("Choose a tag.".to_owned()),
        "tag" => Filter::Tag { name: rule.value.clone() },
        "suppressed" => match SUPPRESSION_REASONS.iter().find(|(word, _)| *word == rule.value) {
            Some((_, reason)) => Filter::SuppressedFor { reason: *reason },
            None => Filter::Suppressed,
        },
        "soft_bounced" => match (rule.value.trim().parse(), rule.second.trim().parse()) {
            (Ok(times), Ok(days)) if (1..=100).contains(&times) && (1..=365).contains(&days) => {
                Filter::SoftBounced { times, days }
            }
            _ => return Err("Refusals are counted from 1 to 100, within 1 to 365 days.".to_owned()),
        },
        "list" => Filter::List {
            id: rule.value.parse().map_err(|_| "Choose a list.".to_owned())?,
            status: if rule.second == "left" { ListStatus::Left } else { ListStatus::Subscribed },
        },
        "stream" if rule.value.is_empty() => return Err("Choose a stream.".to_owned()),
        "stream" => Filter::LeftStream { stream: rule.value.clone() },
        "unengaged" => Filter::Unengaged {
            months: match rule.value.trim().parse() {
                Ok(months) if (1..=120).contains(&months) => months,
                _ => return Err("Silence is counted in whole months, from 1 to 120.".to_owned()),
            },
        },
        "message" => Filter::Message {
            action: rule.value.clone(),
            campaign_id: rule.campaign.parse().ok(),
            days: match rule.second.trim() {
                "" => None,
                days => Some(days.parse().map_err(|_| format!("\"{days}\" is not a number of days."))?),
            },
        },
        "random" => Filter::Random {
            percent: match rule.value.trim().parse() {
                Ok(percent) if percent <= 100 => percent,
                _ => return Err("A random share is a whole number from 0 to 100.".to_owned()),
            },
            seed: rule.second.trim().parse().unwrap_or(1),
        },
        path => return attribute(path, rule, kind(path, fields)),
    };
    Ok(if rule.negated { Filter::Not { filter: Box::new(filter) } } else { filter })
}

fn attribute(path: &str, rule: &Rule, kind: FieldKind) -> Result<Filter, String> {
    let label = path.trim_start_matches("attribute:");
    let wanted = |text: &str| match text.trim() {
        "" => Err(format!("{label}: a value is missing.")),
        text => Ok(text.to_owned()),
    };
    let number = |text: &str| {
        let text = wanted(text)?;
        let number: f64 = text.parse().map_err(|_| format!("{label}: \"{text}\" is not a number."))?;
        Ok::<Value, String>(if number.fract() == 0.0 && number.abs() < 9e15 {
            json!(number as i64)
        } else {
            json!(number)
        })
    };
    let value = match input(kind, rule.op) {
        Input::Nothing => Value::Null,
        Input::Text | Input::Date => json!(wanted(&rule.value)?),
        Input::Number => number(&rule.value)?,
        Input::Days => {
            let text = wanted(&rule.value)?;
            json!(text.parse::<u32>().map_err(|_| format!("{label}: \"{text}\" is not a number of days."))?)
        }
        Input::TwoNumbers => json!([number(&rule.value)?, number(&rule.second)?]),
        Input::TwoDates => json!([wanted(&rule.value)?, wanted(&rule.second)?]),
        Input::YesNo => json!(rule.value == "true"),
        Input::List => {
            let values: Vec<&str> = rule.value.split(',').map(str::trim).filter(|value| !value.is_empty()).collect();
            if values.is_empty() {
                return Err(format!("{label}: a value is missing."));
            }
            json!(values)
        }
    };
    Ok(Filter::Attribute { path: path.to_owned(), op: rule.op, value })
}

#[cfg(test)]
mod tests;
