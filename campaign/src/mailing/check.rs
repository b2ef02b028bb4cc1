//! The checklist before a launch: every point in its own words, the fatal ones keep the campaign from being launched.

use super::egress::{Egress, pool_of};
use crate::Refused;
use crate::error::sentence;
use crate::segment::{self, Audience};
use crate::template;
use api_types::{CheckLevel, CheckPoint, Checklist, DomainRecord, KeyStep, RecordNeed, RecordStatus};
use mail::Address;
use storage::campaign::{Campaign, Draft};
use storage::domain::DkimKey;
use storage::{Connection, WorkspaceId, domain, template as stored, workspace};

/// The algorithm that every receiver understands (RFC 8301 §3.1).
const RSA: &str = "rsa-sha256";

/// Looks at everything a launch needs.
///
/// # Errors
/// The database's; what is wrong with the campaign is in the list.
pub fn check(tx: &Connection, campaign: &Campaign, egress: &Egress, now_ms: i64) -> Result<Checklist, Refused> {
    let (workspace, draft) = (campaign.workspace_id, &campaign.draft);
    let mut list = List { points: Vec::new() };
    let audience = list.audience(tx, workspace, draft, now_ms)?;
    list.points.extend(mail_points(tx, workspace, draft, egress)?);
    Ok(Checklist {
        ready: list.points.iter().all(|point| point.level != CheckLevel::Fatal),
        points: list.points,
        receiving: audience.receiving,
        suppressed: audience.suppressed,
    })
}

/// What a mail needs apart from an audience: its sender, its template, its way out.
pub(crate) fn mail_points(
    tx: &Connection,
    workspace: WorkspaceId,
    draft: &Draft,
    egress: &Egress,
) -> Result<Vec<CheckPoint>, Refused> {
    let mut list = List { points: Vec::new() };
    list.sender(tx, workspace, draft)?;
    list.template(tx, workspace, draft)?;
    list.egress(draft, egress);
    Ok(list.points)
}

struct List {
    points: Vec<CheckPoint>,
}

impl List {
    fn add(&mut self, name: &str, level: CheckLevel, message: impl AsRef<str>) {
        self.points.push(CheckPoint { name: name.to_owned(), level, message: sentence(message.as_ref()) });
    }

    fn audience(
        &mut self,
        tx: &Connection,
        workspace: WorkspaceId,
        draft: &Draft,
        now_ms: i64,
    ) -> Result<Audience, Refused> {
        let filter = segment::audience_of(tx, workspace, draft)?;
        let audience = match segment::audience(tx, workspace, (&filter, Some(&draft.stream)), now_ms) {
            Ok(audience) => audience,
            Err(Refused::Invalid { message, .. }) => {
                self.add("audience", CheckLevel::Fatal, format!("the segment cannot be used: {message}"));
                return Ok(Audience::default());
            }
            Err(other) => return Err(other),
        };
        match (audience.receiving, audience.suppressed) {
            (0, 0) => self.add("audience", CheckLevel::Fatal, "no contact is in the audience; choose another segment"),
            (0, n) => {
                self.add("audience", CheckLevel::Fatal, format!("all {n} contacts of the audience are suppressed"))
            }
            (n, 0) => self.add("audience", CheckLevel::Ok, format!("{n} contacts will receive it")),
            (n, s) => self.add("audience", CheckLevel::Ok, format!("{n} contacts will receive it; {s} are suppressed")),
        }
        Ok(audience)
    }

    fn sender(&mut self, tx: &Connection, workspace: WorkspaceId, draft: &Draft) -> Result<(), Refused> {
        let Ok(from) = Address::parse(&draft.from_email) else {
            self.add("sender", CheckLevel::Fatal, "write the From address");
            return Ok(());
        };
        if draft.from_name.is_empty() {
            self.add("sender", CheckLevel::Warning, "there is no From name: recipients see only the address");
        } else {
            self.add("sender", CheckLevel::Ok, format!("From {} <{from}>", draft.from_name));
        }
        let name = from.domain().as_str();
        let Some(domain) = domain::find_by_name(tx, workspace, name)? else {
            self.add(
                "domain",
                CheckLevel::Fatal,
                format!("the domain {name} is not a sending domain; add it under Domains"),
            );
            return Ok(());
        };
        let (level, message) = records(name, domain.checked.as_deref());
        self.add("domain", level, message);
        let keys = domain::keys(tx, workspace, domain.id)?;
        let (level, message) = signing(name, &keys);
        self.add("dkim", level, message);
        Ok(())
    }

    fn template(&mut self, tx: &Connection, workspace: WorkspaceId, draft: &Draft) -> Result<(), Refused> {
        let found = draft.template_id.map(|id| stored::find(tx, workspace, id)).transpose()?.flatten();
        let Some(found) = found else {
            self.add("template", CheckLevel::Fatal, "choose a template");
            return Ok(());
        };
        let report = template::report(tx, workspace, &found.version.content)?;
        if let Some(problem) = report.problems.iter().find(|problem| problem.fatal) {
            let place = problem.line.map(|line| format!(", line {line}")).unwrap_or_default();
            let message = format!("“{}” has a mistake in {}{place}: {}", found.name, problem.part, problem.message);
            self.add("template", CheckLevel::Fatal, message);
            return Ok(());
        }
        self.add("template", CheckLevel::Ok, format!("“{}”, version {}", found.name, found.version.number));
        if report.has_unsubscribe_link {
            self.add("unsubscribe", CheckLevel::Ok, "the template has an unsubscribe link");
        } else {
            self.add("unsubscribe", CheckLevel::Ok, "the template has no unsubscribe link: one is added at the end");
        }
        let owner = workspace::find(tx, workspace)?.ok_or(Refused::NotFound("workspace"))?;
        if owner.postal_address.trim().is_empty() {
            self.add(
                "postal_address",
                CheckLevel::Warning,
                "the workspace has no postal address, which the law of many countries wants in every campaign",
            );
        }
        self.size(report.html_bytes);
        self.merge_tags(&report);
        Ok(())
    }

    fn size(&mut self, bytes: usize) {
        let kilobytes = bytes.div_ceil(1024);
        if bytes > template::HTML_MAX {
            let message = format!("the HTML has about {kilobytes} kB; Gmail shows only the first 102 kB");
            self.add("size", CheckLevel::Warning, message);
        } else {
            self.add("size", CheckLevel::Ok, format!("the HTML has about {kilobytes} kB"));
        }
    }

    fn merge_tags(&mut self, report: &template::Report) {
        if report.unknown.is_empty() {
            self.add("merge_tags", CheckLevel::Ok, "every merge tag has a value to stand for");
        } else {
            let names = report.unknown.join(", ");
            self.add(
                "merge_tags",
                CheckLevel::Warning,
                format!("nothing will stand for {names}; correct the template"),
            );
        }
    }

    fn egress(&mut self, draft: &Draft, egress: &Egress) {
        let stream = &draft.stream;
        if egress.stream(draft).is_none() {
            let known = egress.stream_names().join(", ");
            let message = format!("there is no stream “{stream}” for campaigns; streams are {known}");
            self.add("egress", CheckLevel::Fatal, message);
            return;
        }
        let pool = pool_of(&egress.streams, draft);
        if egress.pools.contains(&pool) {
            self.add("egress", CheckLevel::Ok, format!("leaves from the pool “{pool}” as “{stream}”"));
        } else {
            let known = if egress.pools.is_empty() { "none".to_owned() } else { egress.pools.join(", ") };
            let message = format!("there is no pool “{pool}” with a source in use; pools are {known}");
            self.add("egress", CheckLevel::Fatal, message);
        }
    }
}

/// Which keys sign. Every receiver understands RSA and few Ed25519, so one of RSA is needed.
fn signing(name: &str, keys: &[DkimKey]) -> (CheckLevel, String) {
    let signs = |key: &&DkimKey| key.step == KeyStep::Active;
    if keys.iter().filter(signs).any(|key| key.algorithm == RSA) {
        let algorithms: Vec<&str> = keys.iter().filter(signs).map(|key| key.algorithm.as_str()).collect();
        return (CheckLevel::Ok, format!("signed with {}", algorithms.join(" and ")));
    }
    let waiting = keys.iter().find(|key| key.algorithm == RSA && key.step <= KeyStep::Seen);
    let message = match waiting {
        Some(key) => format!(
            "no DKIM key of {name} may sign yet, so its mail would be refused; publish the record of {} and check it \
             under Domains, or let the key sign anyway there",
            key.selector
        ),
        None => format!("the domain {name} has no DKIM key to sign with; make new keys under Domains"),
    };
    (CheckLevel::Fatal, message)
}

/// How the domain's DNS records stood when they were last looked up.
fn records(name: &str, checked: Option<&str>) -> (CheckLevel, String) {
    let records: Option<Vec<DomainRecord>> = checked.and_then(|text| serde_json::from_str(text).ok());
    let Some(records) = records else {
        let message = format!("the DNS records of {name} were never looked up; verify them under Domains");
        return (CheckLevel::Warning, message);
    };
    let wrong: Vec<&str> = records
        .iter()
        .filter(|record| record.need == RecordNeed::Required && record.status != RecordStatus::Found)
        .map(|record| record.purpose.as_str())
        .collect();
    if wrong.is_empty() {
        return (CheckLevel::Ok, format!("the DNS records of {name} are as wanted"));
    }
    let message =
        format!("DNS records of {name} are not as wanted: {}; receivers will distrust the mail", wrong.join(", "));
    (CheckLevel::Warning, message)
}
