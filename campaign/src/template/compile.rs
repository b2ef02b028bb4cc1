//! A version of a template, made ready to be merged for many recipients.
//!
//! Merge runs before MJML and before the plain text is made: that is the meaning. Both are the same for every recipient,
//! though, where the tags only stand for words: then they are run once, with the tags hidden, and the outcome is
//! merged (some 15 µs). Where tags shape the structure (a condition around a section, a value as a column's width, a
//! loop over table rows), the outcome would differ, which is noticed by where the tags are afterwards; such a
//! template is merged first and converted for each recipient (some 300 µs). See docs/decisions/0006-mjml-once.md.

use super::plain;
use crate::merge::tags::{self, Hidden};
use crate::merge::{self, MergeError};
use api_types::{TemplateKind, TemplateProblem};
use minijinja::{Environment, Value};
use mrml::prelude::parser::Error as MjmlError;
use mrml::prelude::render::RenderOptions;
use std::collections::{HashMap, HashSet};
use storage::template::Content;

/// A version ready to be merged.
#[derive(Debug)]
pub(crate) struct Compiled {
    engine: Environment<'static>,
    html: Way,
    text: Way,
    size: usize,
}

/// When a part is converted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Once, when it was compiled.
    Once,
    /// After each merge.
    Each,
}

/// A merged template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Parts {
    pub(crate) subject: String,
    pub(crate) html: String,
    pub(crate) text: String,
}

// Names of the engine's templates. Those that end with `html` escape.
const SUBJECT: &str = "subject";
const PREHEADER: &str = "preheader";
const PREHEADER_HTML: &str = "preheader.html";
const SOURCE: &str = "source.html";
const BODY: &str = "body.html";
const HTML: &str = "html";
const TEXT: &str = "text";
const FOOTER: &str = "footer.html";

impl Compiled {
    /// Makes a version ready.
    ///
    /// # Errors
    /// What keeps it from being sent, with its place.
    pub(crate) fn new(content: &Content) -> Result<Compiled, Vec<TemplateProblem>> {
        Compiled::with_footer(content, footer)
    }

    /// The same for mail that is not bulk: nothing is added to what the template says.
    ///
    /// # Errors
    /// As [`Compiled::new`].
    pub(crate) fn without_footer(content: &Content) -> Result<Compiled, Vec<TemplateProblem>> {
        Compiled::with_footer(content, |_| String::new())
    }

    fn with_footer(
        content: &Content,
        footer: impl Fn(&HashSet<String>) -> String,
    ) -> Result<Compiled, Vec<TemplateProblem>> {
        let mut engine = merge::engine();
        let mut problems = Vec::new();
        for (name, part, text) in [
            (SUBJECT, "subject", &content.subject),
            (PREHEADER, "preheader", &content.preheader),
            (PREHEADER_HTML, "preheader", &content.preheader),
            (SOURCE, "source", &content.source),
        ] {
            if let Err(e) = engine.add_template_owned(name, tags::translate(text)) {
                let e = MergeError::from(e);
                problems.push(fatal(part, e.line(), e.what()));
            }
        }
        problems.dedup();
        if !problems.is_empty() {
            return Err(problems);
        }
        let footer = footer(&variables(&engine, SOURCE));
        let mut compiled = Compiled { engine, html: Way::Once, text: Way::Once, size: content.source.len() * 5 / 4 };
        compiled.convert(content, &footer).map_err(|problem| vec![problem])?;
        Ok(compiled)
    }

    fn convert(&mut self, content: &Content, footer: &str) -> Result<(), TemplateProblem> {
        let mut hidden = Hidden::default();
        let source = hidden.hide(&content.source);
        let body = match content.kind {
            TemplateKind::Html => Some(source),
            TemplateKind::Mjml => mjml_once(&source, &hidden)?,
        };
        let Some(body) = body else {
            self.html = Way::Each;
            self.text = Way::Each;
            return self.add(FOOTER, footer.to_owned());
        };
        let body = before_body_end(&body, &hidden.hide(footer));
        let preheader = if content.preheader.trim().is_empty() {
            String::new()
        } else {
            hidden.hide(&hidden_line(&content.preheader))
        };
        let html = hidden.reveal(&after_body_start(&body, &preheader));
        self.size = html.len() + 512;
        self.add(HTML, html)?;
        match plain::plain(&body, &mut hidden).filter(|text| hidden.survived(&body, text, false)) {
            Some(text) => self.add(TEXT, hidden.reveal(&text)),
            None => {
                self.text = Way::Each;
                self.add(BODY, hidden.reveal(&body))
            }
        }
    }

    fn add(&mut self, name: &'static str, text: String) -> Result<(), TemplateProblem> {
        // The source compiled, so its parts do too, unless a tag was torn apart: then the line would mean nothing.
        self.engine
            .add_template_owned(name, text)
            .map_err(|e| fatal("source", None, format!("{}; a tag and MJML are mixed up", MergeError::from(e))))
    }

    /// Merges all parts.
    ///
    /// # Errors
    /// Over the budget, or what the engine or MJML stumbled over with these values.
    pub(crate) fn render(&self, root: &Value) -> Result<Parts, MergeError> {
        let subject = self.subject(root)?;
        let (html, body) = match self.html {
            Way::Once => (merge::render(&self.engine, HTML, root, self.size)?, None),
            Way::Each => {
                let merged = merge::render(&self.engine, SOURCE, root, self.size)?;
                let html = mjml(&merged).map_err(|(e, _)| MergeError::Template { line: None, what: e })?;
                let body = before_body_end(&html, &merge::render(&self.engine, FOOTER, root, 512)?);
                let preheader = merge::render(&self.engine, PREHEADER_HTML, root, 128)?;
                let line = if preheader.trim().is_empty() { String::new() } else { hidden_line(&preheader) };
                (after_body_start(&body, &line), Some(body))
            }
        };
        let text = match (self.text, body) {
            (Way::Once, _) => merge::render(&self.engine, TEXT, root, self.size / 4)?,
            (Way::Each, Some(body)) => plain_each(&body),
            (Way::Each, None) => plain_each(&merge::render(&self.engine, BODY, root, self.size)?),
        };
        // Where a condition did not hold, its empty lines are left.
        let is_tidy = memchr::memmem::find(text.as_bytes(), b"\n\n\n").is_none() && !text.starts_with('\n');
        let text = if is_tidy { text } else { plain::tidy(&text) };
        Ok(Parts { subject, html, text })
    }

    /// Merges the subject: one line.
    ///
    /// # Errors
    /// As [`Compiled::render`].
    pub(crate) fn subject(&self, root: &Value) -> Result<String, MergeError> {
        Ok(one_line(&merge::render(&self.engine, SUBJECT, root, 128)?))
    }

    /// Merges the preheader as text.
    ///
    /// # Errors
    /// As [`Compiled::render`].
    pub(crate) fn preheader(&self, root: &Value) -> Result<String, MergeError> {
        Ok(one_line(&merge::render(&self.engine, PREHEADER, root, 128)?))
    }

    /// What the parts ask for, each with its part: `contact.first_name`, `unsubscribe_url`, ...
    pub(crate) fn variables(&self) -> Vec<(&'static str, String)> {
        let mut found = Vec::new();
        for (name, part) in [(SUBJECT, "subject"), (PREHEADER, "preheader"), (SOURCE, "source")] {
            let mut names: Vec<String> = variables(&self.engine, name).into_iter().collect();
            names.sort_unstable();
            found.extend(names.into_iter().map(|name| (part, name)));
        }
        found
    }

    /// Whether MJML or the plain text has to be made anew for each recipient.
    pub(crate) fn converts_each(&self) -> bool {
        self.html == Way::Each || self.text == Way::Each
    }
}

fn variables(engine: &Environment<'_>, name: &str) -> HashSet<String> {
    engine.get_template(name).map(|template| template.undeclared_variables(true)).unwrap_or_default()
}

fn plain_each(html: &str) -> String {
    let mut hidden = Hidden::default();
    let text = plain::plain(html, &mut hidden).unwrap_or_default();
    hidden.reveal(&text)
}

/// MJML with the tags hidden; `None` where the tags shape the structure, so that it has to follow each merge.
fn mjml_once(source: &str, hidden: &Hidden) -> Result<Option<String>, TemplateProblem> {
    if let Some((name, at)) = unknown_element(source) {
        let line = Some(hidden.line(source, at));
        return Err(fatal("source", line, format!("MJML has no element {name}; look for a misspelling")));
    }
    if shapes_structure(source) {
        return Ok(None);
    }
    match mjml(source) {
        Ok(html) if hidden.survived(source, &html, true) => Ok(Some(html)),
        Ok(_) => Ok(None),
        Err((what, at)) if !source.contains(tags::OPEN) => {
            Err(fatal("source", at.map(|at| hidden.line(source, at)), what))
        }
        // With the tags merged it may well be right, unless the structure without any tag is wrong too.
        Err(_) => {
            let bare = hidden.bare(source);
            match mjml(&bare) {
                Ok(_) => Ok(None),
                Err((what, at)) => Err(fatal("source", at.map(|at| hidden.line(&bare, at)), what)),
            }
        }
    }
}

/// MJML to HTML; else what is wrong, and where.
pub(crate) fn mjml(source: &str) -> Result<String, (String, Option<usize>)> {
    // Web fonts would make every reader's program ask a third party.
    let options = RenderOptions { fonts: HashMap::new(), ..RenderOptions::default() };
    let parsed = mrml::parse(source).map_err(|e| mjml_error(&e))?;
    parsed.element.render(&options).map_err(|e| (format!("MJML cannot be converted: {e}"), None))
}

fn mjml_error(error: &MjmlError) -> (String, Option<usize>) {
    match error {
        MjmlError::UnexpectedElement { position, .. } => {
            ("this MJML element cannot stand here, or does not exist".to_owned(), Some(position.start))
        }
        MjmlError::UnexpectedToken { position, .. } => (
            "MJML expects something else here; look for an element that is not closed".to_owned(),
            Some(position.start),
        ),
        MjmlError::MissingAttribute { name, position, .. } => {
            (format!("this MJML element needs the attribute {name}"), Some(position.start))
        }
        MjmlError::InvalidAttribute { position, .. } | MjmlError::InvalidFormat { position, .. } => {
            ("MJML does not understand this value".to_owned(), Some(position.start))
        }
        MjmlError::EndOfStream { .. } => ("MJML ends too early; an element is not closed".to_owned(), None),
        MjmlError::NoRootNode => ("MJML begins with <mjml> and <mj-body>; this is something else".to_owned(), Some(0)),
        MjmlError::IncludeLoaderError { position, .. } => {
            ("mj-include is not supported; put the content itself here".to_owned(), Some(position.start))
        }
        other => (format!("this is not MJML: {other}"), None),
    }
}

/// The elements of MJML. The parser passes over others in silence, and with them what is in them.
const ELEMENTS: &[&str] = &[
    "mjml",
    "mj-accordion",
    "mj-accordion-element",
    "mj-accordion-text",
    "mj-accordion-title",
    "mj-all",
    "mj-attributes",
    "mj-body",
    "mj-breakpoint",
    "mj-button",
    "mj-carousel",
    "mj-carousel-image",
    "mj-class",
    "mj-column",
    "mj-divider",
    "mj-font",
    "mj-group",
    "mj-head",
    "mj-hero",
    "mj-image",
    "mj-include",
    "mj-navbar",
    "mj-navbar-link",
    "mj-preview",
    "mj-raw",
    "mj-section",
    "mj-social",
    "mj-social-element",
    "mj-spacer",
    "mj-style",
    "mj-table",
    "mj-text",
    "mj-title",
    "mj-wrapper",
];

fn unknown_element(source: &str) -> Option<(&str, usize)> {
    source.match_indices("<mj").find_map(|(at, _)| {
        let name = &source[at + 1..];
        let end = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '-').unwrap_or(name.len());
        (!ELEMENTS.contains(&&name[..end])).then_some((&name[..end], at))
    })
}

/// Attributes of MJML elements that are handed on as they are. All others may be computed with: widths, paddings.
const HANDED_ON: &[&str] = &[
    "href",
    "src",
    "srcset",
    "alt",
    "title",
    "name",
    "rel",
    "target",
    "color",
    "background-color",
    "background-url",
    "container-background-color",
    "css-class",
];

/// Whether a tag is the value of an MJML attribute that MJML may compute with.
fn shapes_structure(source: &str) -> bool {
    source.match_indices(tags::OPEN).any(|(at, _)| {
        let before = &source[..at];
        let Some(start) = before.rfind('<').filter(|start| before.rfind('>').is_none_or(|end| end < *start)) else {
            return false;
        };
        let element = &before[start + 1..];
        if !element.starts_with("mj") {
            return false;
        }
        // … name="value so far
        let attribute = element.rsplit_once('=').map_or("", |(names, _)| names);
        let attribute = attribute.trim_end().rsplit(|c: char| c.is_whitespace()).next().unwrap_or_default();
        !HANDED_ON.contains(&attribute)
    })
}

/// What inboxes show after the subject: at the top of the body, not displayed.
fn hidden_line(text: &str) -> String {
    format!(
        "<div style=\"display:none;font-size:1px;line-height:1px;max-height:0;max-width:0;opacity:0;overflow:hidden;\
         mso-hide:all\">{text}</div>"
    )
}

/// What a bulk mail must have and this one has not: the way to unsubscribe, the sender's postal address.
fn footer(variables: &HashSet<String>) -> String {
    let has_link = variables.contains("unsubscribe_url");
    let has_address = variables.contains("workspace.postal_address");
    if has_link && has_address {
        return String::new();
    }
    let address = if has_address { "" } else { "{{ workspace.name }}, {{ workspace.postal_address }}" };
    let link = if has_link { "" } else { "<a href=\"{{ unsubscribe_url }}\" style=\"color:#64748b\">Unsubscribe</a>" };
    let address = match (address.is_empty(), link.is_empty()) {
        (true, _) => String::new(),
        (false, true) => format!("{{% if workspace.postal_address %}}{address}{{% endif %}}"),
        (false, false) => format!("{{% if workspace.postal_address %}}{address}<br>{{% endif %}}"),
    };
    format!(
        "<div style=\"padding:24px 16px;text-align:center;font-family:Arial,sans-serif;font-size:12px;\
         line-height:18px;color:#64748b\">{address}{link}</div>"
    )
}

fn after_body_start(html: &str, insert: &str) -> String {
    let at = find_ignoring_case(html, "<body").and_then(|at| Some(at + html[at..].find('>')? + 1)).unwrap_or(0);
    [&html[..at], insert, &html[at..]].concat()
}

fn before_body_end(html: &str, insert: &str) -> String {
    let end = rfind_ignoring_case(html, "</body").or_else(|| rfind_ignoring_case(html, "</html"));
    let at = end.unwrap_or(html.len());
    [&html[..at], insert, &html[at..]].concat()
}

fn find_ignoring_case(text: &str, wanted: &str) -> Option<usize> {
    text.as_bytes().windows(wanted.len()).position(|window| window.eq_ignore_ascii_case(wanted.as_bytes()))
}

fn rfind_ignoring_case(text: &str, wanted: &str) -> Option<usize> {
    text.as_bytes().windows(wanted.len()).rposition(|window| window.eq_ignore_ascii_case(wanted.as_bytes()))
}

/// One line without control characters: what may stand in a header.
pub(crate) fn one_line(text: &str) -> String {
    if !text.chars().any(char::is_control) {
        return text.trim().to_owned();
    }
    text.split(|c: char| c.is_control()).map(str::trim).filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

pub(crate) fn fatal(part: &str, line: Option<u32>, message: impl Into<String>) -> TemplateProblem {
    TemplateProblem { fatal: true, part: part.to_owned(), line, message: message.into() }
}
