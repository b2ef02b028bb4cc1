//! Values of contacts' own fields, as typed and as sent.

use api_types::FieldKind;
use serde_json::{Value, json};

/// A value as it stands in an input.
#[must_use]
pub fn as_text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// What is typed as the value of its kind. Empty removes it; what is no value of the kind goes as text, so that the daemon
/// can say what is wrong with it.
#[must_use]
pub fn as_value(text: &str, kind: FieldKind) -> Value {
    let text = text.trim();
    if text.is_empty() {
        return Value::Null;
    }
    match kind {
        FieldKind::Boolean => match text {
            "true" => json!(true),
            "false" => json!(false),
            other => json!(other),
        },
        FieldKind::Number => match (text.parse::<i64>(), text.parse::<f64>()) {
            (Ok(whole), _) => json!(whole),
            (_, Ok(number)) if number.is_finite() => json!(number),
            _ => json!(text),
        },
        FieldKind::Text | FieldKind::Date => json!(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typed_values_become_values_of_their_kind() {
        let cases = [
            ("", FieldKind::Number, Value::Null),
            ("12", FieldKind::Number, json!(12)),
            ("1.5", FieldKind::Number, json!(1.5)),
            ("many", FieldKind::Number, json!("many")),
            ("true", FieldKind::Boolean, json!(true)),
            (" Lisbon ", FieldKind::Text, json!("Lisbon")),
            ("2026-11-21", FieldKind::Date, json!("2026-11-21")),
        ];
        for (text, kind, value) in cases {
            assert_eq!(as_value(text, kind), value);
        }
        assert_eq!(as_text(&json!(12)), "12");
        assert_eq!(as_text(&json!("a")), "a");
    }
}
