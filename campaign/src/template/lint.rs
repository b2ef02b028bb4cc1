//! What is wrong or doubtful in a template, with its place.
//!
//! Besides what compiling finds: unknown names, a rendering for an invented contact with all values and one with none,
//! a missing way to unsubscribe, the size.

use super::compile::{Compiled, fatal};
use crate::merge::people::{
    CAMPAIGN_NAMES, CONTACT_NAMES, ContactValues, NAMES, Root, WORKSPACE_NAMES, campaign_value, workspace_value,
};
use crate::merge::tags::{self, Kind};
use api_types::{FieldKind, TemplateProblem};
use minijinja::Value;
use storage::contact::Person;
use storage::field::Fields;
use storage::template::Content;
use storage::workspace::Workspace;

/// Bytes of an HTML part that Gmail shows; the rest is cut off.
pub const HTML_MAX: usize = 102 * 1024;
/// Functions of the engine: called, not looked up.
const FUNCTIONS: &[&str] = &["range", "dict", "namespace", "debug", "loop"];

/// What a template is checked against.
pub(crate) struct Place<'a> {
    pub(crate) fields: &'a Fields,
    pub(crate) workspace: &'a Workspace,
}

impl Place<'_> {
    /// The values of a rendering for this contact outside of any campaign.
    pub(crate) fn root(&self, person: Person) -> Value {
        Value::from_object(Root {
            contact: ContactValues::value(person),
            campaign: campaign_value("Preview"),
            workspace: workspace_value(self.workspace),
            unsubscribe_url: Value::from("https://mail.example/u/preview"),
            preferences_url: Value::from("https://mail.example/p/preview"),
        })
    }

    /// A contact that has a value for everything.
    pub(crate) fn sample(&self) -> Person {
        let attributes: storage::contact::Attributes = self
            .fields
            .iter()
            .map(|(name, kind)| {
                let value = match kind {
                    FieldKind::Text => serde_json::Value::from("Example"),
                    FieldKind::Number => serde_json::Value::from(42),
                    FieldKind::Boolean => serde_json::Value::from(true),
                    FieldKind::Date => serde_json::Value::from("2026-01-31"),
                };
                (name.clone(), value)
            })
            .collect();
        Person {
            email: "ana@example.com".to_owned(),
            first_name: "Ana".to_owned(),
            last_name: "Example".to_owned(),
            attributes: serde_json::to_string(&attributes).unwrap_or_default(),
        }
    }
}

/// Compiles a template and says everything that is wrong with it; nothing compiled where something is fatal.
pub(crate) fn lint(content: &Content, place: &Place<'_>) -> (Option<Compiled>, Vec<TemplateProblem>) {
    let mut problems = Vec::new();
    for (part, text, wanted) in [
        ("subject", &content.subject, "write a subject"),
        ("source", &content.source, "the template is empty; write its content"),
    ] {
        if text.trim().is_empty() {
            problems.push(fatal(part, None, wanted));
        }
    }
    if !problems.is_empty() {
        return (None, problems);
    }
    let compiled = match Compiled::new(content) {
        Ok(compiled) => compiled,
        Err(found) => {
            problems.extend(found);
            return (None, problems);
        }
    };
    problems.extend(trial(&compiled, place));
    let variables = compiled.variables();
    for (part, name) in &variables {
        if let Some(message) = unknown(name, place.fields) {
            let text = match *part {
                "subject" => &content.subject,
                "preheader" => &content.preheader,
                _ => &content.source,
            };
            problems.push(doubtful(part, line_of(text, name), message));
        }
    }
    if !variables.iter().any(|(part, name)| *part == "source" && name == "unsubscribe_url") {
        problems.push(doubtful(
            "source",
            None,
            "there is no unsubscribe link: one is added at the end; write {{ unsubscribe_url }} where you want it",
        ));
    }
    if compiled.converts_each() {
        problems.push(doubtful(
            "source",
            None,
            "merge tags change the structure here, so the mail is converted for each recipient, which makes sending slower",
        ));
    }
    let is_fatal = problems.iter().any(|problem| problem.fatal);
    ((!is_fatal).then_some(compiled), problems)
}

/// Renders for a contact with every value and for one with none: both have to work.
fn trial(compiled: &Compiled, place: &Place<'_>) -> Vec<TemplateProblem> {
    let nobody =
        Person { first_name: String::new(), last_name: String::new(), attributes: "{}".to_owned(), ..place.sample() };
    let mut problems: Vec<TemplateProblem> = Vec::new();
    for person in [place.sample(), nobody] {
        match compiled.render(&place.root(person)) {
            Ok(parts) if parts.html.len() > HTML_MAX => {
                let size = parts.html.len() / 1024;
                problems.push(doubtful(
                    "source",
                    None,
                    format!("the HTML has {size} kB; Gmail shows only the first 102 kB, and hides the unsubscribe link with the rest"),
                ));
            }
            Ok(_) => {}
            Err(e) => problems.push(fatal("source", e.line(), e.what())),
        }
        if !problems.is_empty() {
            break;
        }
    }
    problems
}

/// What is wrong with a name, if there is none like it.
pub(crate) fn unknown(name: &str, fields: &Fields) -> Option<String> {
    let mut path = name.split('.');
    let root = path.next().unwrap_or_default();
    if FUNCTIONS.contains(&root) {
        return None;
    }
    if !NAMES.contains(&root) {
        return Some(format!(
            "there is no value “{root}”, nothing will stand here; values are {} and their parts",
            NAMES.join(", ")
        ));
    }
    let part = path.next()?;
    let (known, part) = match root {
        "contact" if part == "attributes" => match path.next() {
            Some(part) => (fields.contains_key(part), part),
            None => (true, part),
        },
        "contact" => (CONTACT_NAMES.contains(&part) || fields.contains_key(part), part),
        "campaign" => (CAMPAIGN_NAMES.contains(&part), part),
        "workspace" => (WORKSPACE_NAMES.contains(&part), part),
        _ => (false, part),
    };
    if known {
        return None;
    }
    let hint = if root == "contact" { "; make a field of that name, or correct the spelling" } else { "" };
    Some(format!("{root} has no value “{part}”, nothing will stand here{hint}"))
}

/// The line of the first tag that says the name.
fn line_of(source: &str, name: &str) -> Option<u32> {
    let last = name.rsplit('.').next().unwrap_or(name);
    let mut line = 1;
    for piece in tags::pieces(source) {
        if !matches!(piece.kind, Kind::Text | Kind::Comment)
            && let Some(at) = piece.text.find(last)
        {
            line += piece.text[..at].matches('\n').count();
            return u32::try_from(line).ok();
        }
        line += piece.text.matches('\n').count();
    }
    None
}

fn doubtful(part: &str, line: Option<u32>, message: impl Into<String>) -> TemplateProblem {
    TemplateProblem { fatal: false, part: part.to_owned(), line, message: message.into() }
}
