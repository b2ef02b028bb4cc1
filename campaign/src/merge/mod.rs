//! The merge language: Liquid's look, rendered by minijinja within a budget.
//!
//! One engine for preview, check and sending. Values are escaped where the target is HTML. What has no value renders
//! as nothing. Budget: [`FUEL`] steps and [`OUTPUT_MAX`] bytes for each rendering, so that no template can hold a
//! thread or fill the memory.

pub(crate) mod people;
pub(crate) mod tags;

use minijinja::value::ValueKind;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, Output, State, UndefinedBehavior, Value};
use std::fmt::Write as _;
use std::io;

/// Steps of the engine for one rendering: a template of a few hundred tags needs some thousand.
const FUEL: u64 = 200_000;
/// Bytes of one rendering. Gmail cuts at 102 kB, no mail should come near this.
const OUTPUT_MAX: usize = 1024 * 1024;

/// Why a text could not be merged.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// The engine stopped.
    #[error("{}{what}", line.map(|line| format!("line {line}: ")).unwrap_or_default())]
    Template {
        /// Line in the source, from 1.
        line: Option<u32>,
        /// What is wrong.
        what: String,
    },
    /// Too many steps.
    #[error("the template takes too many steps; look for a loop that does not end")]
    OutOfFuel,
    /// Too large.
    #[error("the message grows over 1 MiB")]
    TooLarge,
}

impl MergeError {
    /// What is wrong, without the line.
    #[must_use]
    pub fn what(&self) -> String {
        match self {
            MergeError::Template { what, .. } => what.clone(),
            other => other.to_string(),
        }
    }

    /// The line in the source, where it is known.
    #[must_use]
    pub fn line(&self) -> Option<u32> {
        match self {
            MergeError::Template { line, .. } => *line,
            MergeError::OutOfFuel | MergeError::TooLarge => None,
        }
    }
}

impl From<Error> for MergeError {
    fn from(error: Error) -> MergeError {
        if error.kind() == ErrorKind::OutOfFuel {
            return MergeError::OutOfFuel;
        }
        if error.kind() == ErrorKind::WriteFailure {
            return MergeError::TooLarge;
        }
        let mut what = error.kind().to_string();
        if let Some(detail) = error.detail() {
            let _ = write!(what, ": {detail}");
        }
        MergeError::Template { line: error.line().and_then(|line| u32::try_from(line).ok()), what }
    }
}

/// An engine without templates. Names that end with `html` escape, others do not.
pub(crate) fn engine() -> Environment<'static> {
    let mut engine = Environment::new();
    engine.set_undefined_behavior(UndefinedBehavior::Chainable);
    engine.set_fuel(Some(FUEL));
    engine.set_recursion_limit(50);
    engine.set_auto_escape_callback(|name| if name.ends_with("html") { AutoEscape::Html } else { AutoEscape::None });
    engine.set_formatter(print);
    engine.add_filter("default", default);
    engine.add_filter("d", default);
    engine.add_filter("upcase", |text: String| text.to_uppercase());
    engine.add_filter("downcase", |text: String| text.to_lowercase());
    engine.add_filter("strip", |text: String| text.trim().to_owned());
    engine.add_filter("truncate", truncate);
    engine.add_filter("date", date);
    engine
}

/// Renders a template of the engine.
pub(crate) fn render(engine: &Environment<'_>, name: &str, root: &Value, size: usize) -> Result<String, MergeError> {
    let template = engine.get_template(name)?;
    let mut out = Bounded { bytes: Vec::with_capacity(size) };
    template.render_captured_to(root.clone(), &mut out)?;
    // Only whole strings are written.
    Ok(String::from_utf8(out.bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned()))
}

/// Takes bytes up to the limit.
struct Bounded {
    bytes: Vec<u8>,
}

impl io::Write for &mut Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > OUTPUT_MAX {
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn print(out: &mut Output, state: &mut State, value: &Value) -> Result<(), Error> {
    let escape = matches!(state.auto_escape(), AutoEscape::Html) && !value.is_safe();
    match value.kind() {
        ValueKind::Undefined | ValueKind::None => {}
        ValueKind::String => {
            let text = value.as_str().unwrap_or_default();
            if escape { write_escaped(out, text)? } else { out.write_str(text)? }
        }
        ValueKind::Bool => out.write_str(if value.is_true() { "true" } else { "false" })?,
        ValueKind::Number => write!(out, "{value}")?,
        _ if escape => write_escaped(out, &value.to_string())?,
        _ => write!(out, "{value}")?,
    }
    Ok(())
}

/// What is special in text and in quoted attributes. (The engine's own way escapes the slash too, which would make
/// every address of a link unreadable in the source.)
fn write_escaped(out: &mut Output, text: &str) -> std::fmt::Result {
    let mut rest = text;
    while let Some(at) = rest.find(['<', '>', '&', '"', '\'']) {
        out.write_str(&rest[..at])?;
        out.write_str(match rest.as_bytes()[at] {
            b'<' => "&lt;",
            b'>' => "&gt;",
            b'&' => "&amp;",
            b'"' => "&quot;",
            _ => "&#39;",
        })?;
        rest = &rest[at + 1..];
    }
    out.write_str(rest)
}

/// Liquid's `default`: for what is absent, false or empty.
fn default(value: Value, other: Option<Value>) -> Value {
    let empty = value.is_undefined() || value.is_none() || value.as_str() == Some("") || {
        value.kind() == ValueKind::Bool && !value.is_true()
    };
    if empty { other.unwrap_or_else(|| Value::from("")) } else { value }
}

fn truncate(text: String, length: usize, end: Option<String>) -> String {
    if text.chars().count() <= length {
        return text;
    }
    let end = end.unwrap_or_else(|| "…".to_owned());
    let kept = length.saturating_sub(end.chars().count());
    text.chars().take(kept).chain(end.chars()).collect()
}

/// A date field in another form: `{{ contact.birthday | date: "%d/%m/%Y" }}`. What is no date stays as it is.
fn date(value: Value, form: String) -> Value {
    let Some(day) =
        value.as_str().and_then(|text| text.get(..10)).and_then(|text| text.parse::<jiff::civil::Date>().ok())
    else {
        return value;
    };
    match jiff::fmt::strtime::format(&form, day) {
        Ok(text) => Value::from(text),
        Err(_) => value,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use people::{ContactValues, Root, campaign_value, workspace_value};
    use storage::contact::Person;

    fn ana() -> Value {
        let person = Person {
            email: "ana@example.com".into(),
            first_name: "Ana <b>".into(),
            last_name: String::new(),
            attributes: r#"{"city": "Rio & Co", "age": 31, "vip": true, "born": "1995-02-28", "empty": ""}"#.into(),
        };
        let workspace = storage::workspace::Workspace {
            id: storage::WorkspaceId::MAIN,
            name: "Acme".into(),
            time_zone: "UTC".into(),
            postal_address: "1 Road".into(),
        };
        Value::from_object(Root {
            contact: ContactValues::value(person),
            campaign: campaign_value("Spring"),
            workspace: workspace_value(&workspace),
            unsubscribe_url: Value::from("https://x.example/u/1?a&b"),
            preferences_url: Value::from("https://x.example/p/1"),
        })
    }

    fn merge(name: &str, source: &str) -> Result<String, String> {
        let mut engine = engine();
        engine
            .add_template_owned(name.to_owned(), tags::translate(source))
            .map_err(|e| MergeError::from(e).to_string())?;
        render(&engine, name, &ana(), 0).map_err(|e| e.to_string())
    }

    #[test]
    fn merged() {
        let table = [
            ("html", "{{ contact.first_name }}", "Ana &lt;b&gt;"),
            ("txt", "{{ contact.first_name }}", "Ana <b>"),
            ("html", "{{ unsubscribe_url }}", "https://x.example/u/1?a&amp;b"),
            ("txt", "{{ preferences_url }}", "https://x.example/p/1"),
            ("txt", "{{ contact.last_name | default: \"friend\" }}", "friend"),
            ("txt", "{{ contact.empty | default: \"x\" }}{{ contact.nothing | default(\"y\") }}", "xy"),
            ("txt", "{{ contact.nothing }}{{ contact.nothing.deeper }}{{ nobody.at.all }}", ""),
            (
                "txt",
                "{{ contact.city }}/{{ contact.attributes.city }}/{{ contact.age + 1 }}/{{ contact.vip }}",
                "Rio & Co/Rio & Co/32/true",
            ),
            ("html", "{{ contact.city | upcase }} {{ contact.city | truncate: 4 }}", "RIO &amp; CO Rio…"),
            ("txt", "{{ contact.born | date: \"%d/%m/%Y\" }} {{ contact.city | date: \"%d\" }}", "28/02/1995 Rio & Co"),
            ("txt", "{% if contact.vip and contact.age > 30 %}A{% elsif contact.x %}B{% else %}C{% endif %}", "A"),
            ("txt", "{% unless contact.vip %}A{% else %}B{% endunless %}", "B"),
            (
                "txt",
                "{% assign who = contact.first_name %}{{ who }}{{ campaign.name }}{{ workspace.name }}",
                "Ana <b>SpringAcme",
            ),
            ("html", "{{ '<i>' | safe }}", "<i>"),
        ];
        for (name, source, expected) in table {
            assert_eq!(merge(name, source).as_deref(), Ok(expected), "{source}");
        }
    }

    #[test]
    fn stopped() {
        let table = [
            (
                "a\n{{ contact. }}",
                "line 2: syntax error: unexpected end of variable block, expected identifier or integer",
            ),
            (
                "{% for a in range(9000) %}{% for b in range(9000) %}{% endfor %}{% endfor %}",
                "the template takes too many steps; look for a loop that does not end",
            ),
            (
                "{% for a in range(9000) %}{{ 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' }}{% endfor %}",
                "the message grows over 1 MiB",
            ),
            ("{{ contact.city | nofilter }}", "line 1: unknown filter: filter nofilter is unknown"),
        ];
        for (source, expected) in table {
            assert_eq!(merge("txt", source).unwrap_err(), expected, "{source}");
        }
    }
}
