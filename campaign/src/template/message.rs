//! Templates for single messages: the values come with the request instead of from a contact.
//!
//! Names are what the request calls them; `workspace` is there besides. There is no contact, no campaign and no page to
//! unsubscribe on unless the request brings values of these names, and nothing is added at the foot: mail of a bulk
//! stream gets its unsubscribe link as a header when it is sent.

use super::compile::{Compiled, Parts};
use super::plain;
use crate::error::Refused;
use crate::merge::people::{from_json, workspace_value};
use minijinja::Value;
use moka::sync::Cache;
use std::collections::BTreeMap;
use std::sync::Arc;
use storage::template::{self, Version};
use storage::{Connection, TemplateId, TemplateVersionId, WorkspaceId, workspace};

/// Template versions kept ready.
const CACHED: u64 = 128;

/// A merged template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Merged {
    /// One line.
    pub subject: String,
    /// The HTML.
    pub html: String,
    /// The plain text.
    pub text: String,
}

/// Merges templates with values of requests. Keeps the compiled ones.
#[derive(Clone)]
pub struct Merger {
    compiled: Cache<TemplateVersionId, Arc<Compiled>>,
}

impl Default for Merger {
    fn default() -> Merger {
        Merger { compiled: Cache::builder().max_capacity(CACHED).build() }
    }
}

impl Merger {
    /// Merges the newest version of a template.
    ///
    /// # Errors
    /// No such template, one that does not compile, one that asks for an unsubscribe link that nobody brings, or values
    /// that it fails with. The fields are `template` and `variables`.
    pub fn merge(
        &self,
        connection: &Connection,
        (workspace, id): (WorkspaceId, TemplateId),
        variables: &BTreeMap<String, serde_json::Value>,
    ) -> Result<Merged, Refused> {
        let found = template::find(connection, workspace, id)?;
        let found = found.ok_or_else(|| Refused::invalid("template", "there is no such template"))?;
        let owner = workspace::find(connection, workspace)?.ok_or(Refused::NotFound("workspace"))?;
        let compiled = self.compiled(&found.version)?;
        let asked = |link: &str| compiled.variables().iter().any(|(_, name)| name == link);
        if let Some(link) = LINKS.into_iter().find(|link| !variables.contains_key(*link) && asked(link)) {
            let message = format!(
                "the template asks for {link}, which only campaigns have; bring it in variables, or take it out of the \
                 template"
            );
            return Err(Refused::invalid("variables", message));
        }
        let given = variables.iter().map(|(name, value)| (name.clone(), from_json(value.clone())));
        let ours = [("workspace".to_owned(), workspace_value(&owner))];
        // What comes later wins: the request's own word for a name.
        let root = Value::from_pairs(ours.into_iter().chain(given));
        match compiled.render(&root) {
            Ok(Parts { subject, html, text }) => Ok(Merged { subject, html, text }),
            Err(e) => Err(Refused::invalid("variables", format!("the template fails with these values: {e}"))),
        }
    }

    fn compiled(&self, version: &Version) -> Result<Arc<Compiled>, Refused> {
        if let Some(compiled) = self.compiled.get(&version.id) {
            return Ok(compiled);
        }
        let compiled = Compiled::without_footer(&version.content).map_err(|problems| {
            let problems: Vec<_> = problems.into_iter().map(|problem| problem.message).collect();
            Refused::invalid("template", format!("the template cannot be used: {}", problems.join("; ")))
        })?;
        let compiled = Arc::new(compiled);
        self.compiled.insert(version.id, Arc::clone(&compiled));
        Ok(compiled)
    }
}

/// What stands for a page of the recipient's own.
const LINKS: [&str; 2] = ["unsubscribe_url", "preferences_url"];

/// The plain text that goes beside an HTML part of which there is none.
#[must_use]
pub fn plain_text(html: &str) -> String {
    let mut hidden = crate::merge::tags::Hidden::default();
    plain::plain(html, &mut hidden).map(|text| hidden.reveal(&text)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use api_types::TemplateKind;
    use expect_test::{Expect, expect};
    use storage::template::Content;
    use storage::{OpenOptions, Storage};

    const W: WorkspaceId = WorkspaceId::MAIN;

    fn check(source: &str, variables: serde_json::Value, expected: Expect) {
        let dir = tempfile::tempdir().unwrap();
        let storage = Storage::open(&OpenOptions { dir: dir.path().to_owned(), readers: 1 }).unwrap();
        let content = Content {
            kind: TemplateKind::Html,
            subject: "Order {{ order.number }}".to_owned(),
            preheader: String::new(),
            source: source.to_owned(),
        };
        let id = storage.main().write_blocking(move |tx| template::insert(tx, W, "t", &content, ("ana", 1))).unwrap();
        let variables = serde_json::from_value(variables).unwrap();
        let merge = |c: &Connection| Ok(Merger::default().merge(c, (W, id), &variables));
        let found = match storage.read_blocking(merge).unwrap() {
            Ok(merged) => format!("{}\n{}\n{}", merged.subject, merged.html, merged.text),
            Err(Refused::Invalid { field, message }) => format!("{field}: {message}\n"),
            Err(other) => panic!("{other}"),
        };
        expected.assert_eq(&found);
    }

    #[test]
    fn values_of_the_request() {
        check(
            "<p>{{ contact.first_name }}, {{ order.items | length }} items of {{ workspace.name }} <b>{{ note }}</b></p>",
            serde_json::json!({ "order": { "number": 17, "items": [1, 2] }, "note": "<&", "contact": { "first_name": "Bo" } }),
            expect![[r#"
                Order 17
                <p>Bo, 2 items of Main <b>&lt;&amp;</b></p>
                Bo, 2 items of Main <&"#]],
        );
        check(
            "<p>Hi {{ nobody.there }}!</p>",
            serde_json::json!({}),
            expect![[r#"
                Order
                <p>Hi !</p>
                Hi !"#]],
        );
    }

    #[test]
    fn what_cannot_be_merged() {
        let none = || serde_json::json!({});
        check(
            "{% if %}",
            none(),
            expect![[r#"
            template: The template cannot be used: syntax error: unexpected end of block.
        "#]],
        );
        check(
            "<a href='{{ unsubscribe_url }}'>no more</a>",
            none(),
            expect![[r#"
            variables: The template asks for unsubscribe_url, which only campaigns have; bring it in variables, or take it out of the template.
        "#]],
        );
        check(
            "{% for a in range(9000) %}{% for b in range(9000) %}{% endfor %}{% endfor %}",
            none(),
            expect![[r#"
            variables: The template fails with these values: the template takes too many steps; look for a loop that does not end.
        "#]],
        );
    }
}
