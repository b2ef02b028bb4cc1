//! Cells as typed values of fields.

use api_types::FieldKind;
use serde_json::Value;

/// Longest text kept in a field.
const TEXT_MAX: usize = 2000;

/// The kind that all of `values` fit; text when there is none. A number with a leading zero is a code, not a number.
pub(super) fn infer<'a>(values: impl Iterator<Item = &'a str> + Clone) -> FieldKind {
    let mut filled = values.filter(|value| !value.is_empty()).peekable();
    if filled.peek().is_none() {
        return FieldKind::Text;
    }
    let all: Vec<&str> = filled.collect();
    let is_code = |value: &&str| {
        let digits = value.trim_start_matches(['-', '+']);
        digits.len() > 1 && digits.starts_with('0') && !digits.starts_with("0.") || value.starts_with('+')
    };
    if all.iter().all(|value| boolean(value).is_some()) && !all.iter().all(|value| ["0", "1"].contains(value)) {
        return FieldKind::Boolean;
    }
    if all.iter().all(|value| number(value).is_some()) && !all.iter().any(is_code) {
        return FieldKind::Number;
    }
    if all.iter().all(|value| date(value).is_some()) {
        return FieldKind::Date;
    }
    FieldKind::Text
}

/// The cell as a value of that kind; `None` when it is empty.
///
/// # Errors
/// What the cell should have been.
pub(super) fn typed(kind: FieldKind, cell: &str) -> Result<Option<Value>, &'static str> {
    let cell = cell.trim();
    if cell.is_empty() {
        return Ok(None);
    }
    match kind {
        FieldKind::Text if cell.chars().count() > TEXT_MAX => Err("longer than 2,000 characters"),
        FieldKind::Text => Ok(Some(Value::from(cell))),
        FieldKind::Number => number(cell).map(Some).ok_or("not a number, and the field is one"),
        FieldKind::Boolean => {
            boolean(cell).map(|value| Some(Value::from(value))).ok_or("not yes or no, and the field is one of both")
        }
        FieldKind::Date => date(cell)
            .map(|value| Some(Value::from(value)))
            .ok_or("not a date such as 2026-11-21, and the field is one"),
    }
}

fn number(text: &str) -> Option<Value> {
    if let Ok(whole) = text.parse::<i64>() {
        return Some(Value::from(whole));
    }
    // "inf" and "nan" parse as numbers, but are none.
    let parsed = text.parse::<f64>().ok().filter(|n| n.is_finite())?;
    serde_json::Number::from_f64(parsed).map(Value::Number)
}

fn boolean(text: &str) -> Option<bool> {
    match text.to_lowercase().as_str() {
        "yes" | "true" | "y" | "sim" | "verdadeiro" | "1" => Some(true),
        "no" | "false" | "n" | "não" | "nao" | "falso" | "0" => Some(false),
        _ => None,
    }
}

/// ISO 8601 only: 03/04/2026 is two different days.
fn date(text: &str) -> Option<String> {
    text.parse::<jiff::civil::Date>().ok().filter(|_| text.len() == 10).map(|date| date.to_string())
}

/// The moment of a cell: `2026-11-21`, `2026-11-21 10:30:00`, or RFC 3339. Without an offset it is UTC: whole days are
/// what counts of an engagement. `None` when the cell is empty.
///
/// # Errors
/// What the cell should have been.
pub(super) fn moment(cell: &str, now_ms: i64) -> Result<Option<i64>, &'static str> {
    /// A former tool's clock may be ahead, or its times those of another zone.
    const AHEAD_MAX_MS: i64 = 86_400_000;
    if cell.is_empty() {
        return Ok(None);
    }
    let exact = cell.parse::<jiff::Timestamp>().ok();
    let plain = || {
        let civil = cell.parse::<jiff::civil::DateTime>().ok()?;
        civil.to_zoned(jiff::tz::TimeZone::UTC).ok().map(|zoned| zoned.timestamp())
    };
    let Some(moment) = exact.or_else(plain) else {
        return Err("not a moment such as 2026-11-21 or 2026-11-21 10:30:00");
    };
    let at_ms = moment.as_millisecond();
    if at_ms > now_ms + AHEAD_MAX_MS {
        return Err("it lies in the future");
    }
    Ok(Some(at_ms.min(now_ms)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds() {
        for (values, kind) in [
            (&["1", "2.5", ""][..], FieldKind::Number),
            (&["01234", "4000"], FieldKind::Text),
            (&["+351910000000"], FieldKind::Text),
            (&["0", "1"], FieldKind::Number),
            (&["yes", "No", "sim"], FieldKind::Boolean),
            (&["2026-01-02", ""], FieldKind::Date),
            (&["03/04/2026"], FieldKind::Text),
            (&["nan", "inf"], FieldKind::Text),
            (&["", ""], FieldKind::Text),
            (&["Lisboa", "1"], FieldKind::Text),
        ] {
            assert_eq!(infer(values.iter().copied()), kind, "{values:?}");
        }
    }

    #[test]
    fn moments() {
        let now_ms = "2026-11-21T12:00:00Z".parse::<jiff::Timestamp>().unwrap().as_millisecond();
        let hours_ago = |cell| moment(cell, now_ms).map(|at| at.map(|at_ms| (now_ms - at_ms) / 3_600_000));
        assert_eq!(hours_ago(""), Ok(None));
        assert_eq!(hours_ago("2026-11-21"), Ok(Some(12)));
        assert_eq!(hours_ago("2026-11-21 10:00:00"), Ok(Some(2)));
        assert_eq!(hours_ago("2026-11-20T12:00:00+02:00"), Ok(Some(26)));
        assert_eq!(hours_ago("2026-11-22 09:00:00"), Ok(Some(0)), "a clock of another zone");
        assert!(hours_ago("2027-01-01").is_err() && hours_ago("21/11/2026").is_err() && hours_ago("never").is_err());
    }

    #[test]
    fn cells() {
        assert_eq!(typed(FieldKind::Number, " 7 "), Ok(Some(Value::from(7))));
        assert_eq!(typed(FieldKind::Number, ""), Ok(None));
        assert!(typed(FieldKind::Number, "seven").is_err());
        assert_eq!(typed(FieldKind::Boolean, "Sim"), Ok(Some(Value::from(true))));
        assert!(typed(FieldKind::Date, "1.2.2026").is_err());
        assert!(typed(FieldKind::Text, &"x".repeat(2001)).is_err());
    }
}
