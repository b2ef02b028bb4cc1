//! Values of the workspace's own fields, checked against the fields' kinds.

use crate::http::error::ApiError;
use api_types::FieldKind;
use serde_json::Value;
use std::collections::BTreeMap;
use storage::contact::Attributes;
use storage::field::Fields;

/// Fields that are not there yet, with the kind that their first value suggests.
pub(crate) type NewFields = Vec<(String, FieldKind)>;

/// Values to set; `None` removes one.
pub(crate) type Changes = Vec<(String, Option<Value>)>;

/// Attributes of a new contact: empty values are left out.
pub(crate) fn check(fields: &Fields, given: BTreeMap<String, Value>) -> Result<(Attributes, NewFields), ApiError> {
    let (checked, new) = check_patch(fields, given)?;
    Ok((checked.into_iter().filter_map(|(name, value)| Some((name, value?))).collect(), new))
}

/// Attributes to set, and `None` for those to remove.
pub(crate) fn check_patch(fields: &Fields, given: BTreeMap<String, Value>) -> Result<(Changes, NewFields), ApiError> {
    let mut checked = Changes::new();
    let mut new = NewFields::new();
    for (name, value) in given {
        let empty = value.is_null() || value.as_str() == Some("");
        let kind = match fields.get(&name) {
            Some(kind) => *kind,
            None if empty => continue,
            None => {
                check_name(&name)?;
                let kind = kind_of(&value);
                new.push((name.clone(), kind));
                kind
            }
        };
        let value = if empty { None } else { Some(fit(&name, kind, value)?) };
        checked.push((name, value));
    }
    Ok((checked, new))
}

/// Names stand in filters and merge tags.
fn check_name(name: &str) -> Result<(), ApiError> {
    if storage::field::is_name(name) {
        return Ok(());
    }
    let message = "A field's name has 1 to 60 lower-case letters, digits and underscores, and begins with no digit.";
    Err(ApiError::invalid(&format!("attributes.{name}"), message))
}

fn kind_of(value: &Value) -> FieldKind {
    match value {
        Value::Number(_) => FieldKind::Number,
        Value::Bool(_) => FieldKind::Boolean,
        _ => FieldKind::Text,
    }
}

fn fit(name: &str, kind: FieldKind, value: Value) -> Result<Value, ApiError> {
    let wanted = match (kind, &value) {
        (FieldKind::Text, Value::String(text)) if text.chars().count() <= 2000 => return Ok(value),
        (FieldKind::Number, Value::Number(_)) | (FieldKind::Boolean, Value::Bool(_)) => return Ok(value),
        (FieldKind::Date, Value::String(text)) if text.parse::<jiff::civil::Date>().is_ok() => return Ok(value),
        (FieldKind::Text, _) => "a text of at most 2,000 characters",
        (FieldKind::Number, _) => "a number",
        (FieldKind::Boolean, _) => "true or false",
        (FieldKind::Date, _) => "a date such as \"2026-01-31\"",
    };
    Err(ApiError::invalid(&format!("attributes.{name}"), format!("{name} must be {wanted}.")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_fit_their_fields() {
        let fields = Fields::from_iter([
            ("city".to_owned(), FieldKind::Text),
            ("age".to_owned(), FieldKind::Number),
            ("born".to_owned(), FieldKind::Date),
        ]);
        for (name, value, good) in [
            ("city", json!("Lisboa"), true),
            ("city", json!(7), false),
            ("age", json!(7), true),
            ("age", json!("7"), false),
            ("age", json!(null), true),
            ("born", json!("2000-02-29"), true),
            ("born", json!("2001-02-29"), false),
            ("new_one", json!(true), true),
            ("New one", json!(true), false),
            ("list", json!([1]), false),
        ] {
            let found = check(&fields, BTreeMap::from([(name.to_owned(), value.clone())]));
            assert_eq!(found.is_ok(), good, "{name} = {value}");
        }
    }
}
