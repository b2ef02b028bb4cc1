//! Templates: versions that never change, checked and previewed by the renderer that sends them.

pub(crate) mod compile;
pub(crate) mod lint;
mod message;
pub(crate) mod plain;
#[cfg(test)]
mod tests;

use crate::error::{self, Refused};
use crate::time::rfc3339;
use api_types::{Preview, PreviewRequest, TemplateInput, TemplateProblem};
use compile::fatal;
pub use lint::HTML_MAX;
use lint::Place;
pub use message::{Merged, Merger, plain_text};
use storage::contact::{self, Person};
use storage::template::{self, Content, Template, Version};
use storage::{Connection, ContactId, Storage, StorageError, TemplateId, WorkspaceId, field, workspace};

/// Bytes of a source at most.
const SOURCE_MAX: usize = 1024 * 1024;

/// A template as the API shows it.
#[must_use]
pub fn view(template: Template) -> api_types::Template {
    api_types::Template {
        id: template.id.0,
        name: template.name,
        version: template.version.number,
        kind: template.version.content.kind,
        subject: template.version.content.subject,
        preheader: template.version.content.preheader,
        source: template.version.content.source,
        updated_at: rfc3339(template.updated_ms),
    }
}

/// A version as the API shows it.
#[must_use]
pub fn view_version(version: Version) -> api_types::TemplateVersion {
    api_types::TemplateVersion {
        number: version.number,
        subject: version.content.subject,
        created_by: version.created_by,
        created_at: rfc3339(version.created_ms),
    }
}

/// Saves a new template. It may have mistakes: they are told by preview and keep a campaign from being launched.
///
/// # Errors
/// No name, a name that is taken, a source that is too long.
pub async fn create(
    storage: &Storage,
    workspace: WorkspaceId,
    input: TemplateInput,
    by: String,
    now_ms: i64,
) -> Result<Template, Refused> {
    let (name, content) = checked(input)?;
    let saved = name.clone();
    storage
        .main()
        .write(move |tx| {
            let id = template::insert(tx, workspace, &name, &content, (&by, now_ms))?;
            template::find(tx, workspace, id)
        })
        .await
        .map_err(|e| taken(e, &saved))?
        .ok_or(Refused::NotFound("template"))
}

/// Saves a new version.
///
/// # Errors
/// As [`create`], or no such template.
pub async fn update(
    storage: &Storage,
    workspace: WorkspaceId,
    id: TemplateId,
    input: TemplateInput,
    by: String,
    now_ms: i64,
) -> Result<Template, Refused> {
    let (name, content) = checked(input)?;
    let saved = name.clone();
    storage
        .main()
        .write(move |tx| {
            template::add_version(tx, workspace, id, &name, &content, (&by, now_ms))?;
            template::find(tx, workspace, id)
        })
        .await
        .map_err(|e| taken(e, &saved))?
        .ok_or(Refused::NotFound("template"))
}

/// Makes an old version the newest again, as a new version.
///
/// # Errors
/// No such template or version.
pub async fn restore(
    storage: &Storage,
    workspace: WorkspaceId,
    id: TemplateId,
    number: u32,
    by: String,
    now_ms: i64,
) -> Result<Template, Refused> {
    storage
        .main()
        .write(move |tx| {
            let Some(there) = template::find(tx, workspace, id)? else { return Ok(None) };
            let Some(old) = template::version_number(tx, workspace, id, number)? else { return Ok(None) };
            template::add_version(tx, workspace, id, &there.name, &old.content, (&by, now_ms))?;
            template::find(tx, workspace, id)
        })
        .await?
        .ok_or(Refused::NotFound("template version"))
}

fn checked(input: TemplateInput) -> Result<(String, Content), Refused> {
    let name = error::name("name", &input.name)?;
    if input.source.len() > SOURCE_MAX {
        return Err(Refused::invalid("source", "a template has at most 1 MiB"));
    }
    if input.subject.contains(['\r', '\n']) || input.preheader.contains(['\r', '\n']) {
        return Err(Refused::invalid("subject", "subject and preheader are one line each"));
    }
    let content =
        Content { kind: input.kind, subject: input.subject, preheader: input.preheader, source: input.source };
    Ok((name, content))
}

fn taken(error: StorageError, name: &str) -> Refused {
    Refused::taken(error, "name", format!("there is a template called “{name}” already; choose another name"))
}

/// Renders a template as it stands in the editor, for a contact or an invented one, with what is wrong with it.
///
/// # Errors
/// No such contact, or the database's.
pub fn preview(tx: &Connection, workspace: WorkspaceId, request: PreviewRequest) -> Result<Preview, Refused> {
    let template = request.template;
    let content = Content {
        kind: template.kind,
        subject: template.subject,
        preheader: template.preheader,
        source: template.source,
    };
    let fields = field::list(tx, workspace)?;
    let owner = workspace::find(tx, workspace)?.ok_or(Refused::NotFound("workspace"))?;
    let place = Place { fields: &fields, workspace: &owner };
    let person = match request.contact_id {
        None => place.sample(),
        Some(id) => contact::person(tx, workspace, ContactId(id))?.ok_or(Refused::NotFound("contact"))?,
    };
    Ok(preview_for(&content, &place, person))
}

fn preview_for(content: &Content, place: &Place<'_>, person: Person) -> Preview {
    let (compiled, mut problems) = lint::lint(content, place);
    let mut preview = Preview {
        subject: content.subject.clone(),
        preheader: content.preheader.clone(),
        html: String::new(),
        text: String::new(),
        problems: Vec::new(),
        html_bytes: 0,
    };
    if let Some(compiled) = compiled {
        let root = place.root(person);
        match compiled.render(&root) {
            Ok(parts) => {
                preview.html_bytes = parts.html.len() as u64;
                preview.subject = parts.subject;
                preview.preheader = compiled.preheader(&root).unwrap_or_default();
                preview.html = parts.html;
                preview.text = parts.text;
            }
            Err(e) => problems.push(fatal("source", e.line(), e.what())),
        }
    }
    preview.problems = problems;
    preview
}

/// What the checklist wants to know of a template.
#[derive(Clone, Debug)]
pub struct Report {
    /// What is wrong or doubtful.
    pub problems: Vec<TemplateProblem>,
    /// Whether it has an unsubscribe link of its own.
    pub has_unsubscribe_link: bool,
    /// Names that no value stands for.
    pub unknown: Vec<String>,
    /// Bytes of the HTML for an invented contact.
    pub html_bytes: usize,
}

/// Looks at a template's content.
///
/// # Errors
/// The database's.
pub fn report(tx: &Connection, workspace: WorkspaceId, content: &Content) -> Result<Report, Refused> {
    let fields = field::list(tx, workspace)?;
    let owner = workspace::find(tx, workspace)?.ok_or(Refused::NotFound("workspace"))?;
    let place = Place { fields: &fields, workspace: &owner };
    let (compiled, problems) = lint::lint(content, &place);
    let mut report = Report { problems, has_unsubscribe_link: false, unknown: Vec::new(), html_bytes: 0 };
    if let Some(compiled) = compiled {
        for (part, name) in compiled.variables() {
            report.has_unsubscribe_link |= part == "source" && name == "unsubscribe_url";
            if lint::unknown(&name, &fields).is_some() && !report.unknown.contains(&name) {
                report.unknown.push(name);
            }
        }
        let parts = compiled.render(&place.root(place.sample()));
        report.html_bytes = parts.map_or(0, |parts| parts.html.len());
    }
    Ok(report)
}
