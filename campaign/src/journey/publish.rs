//! Publishing: the checks, told by step, and the version that is made of the draft.
//!
//! Publishing concerns two files: the version and the mailings of its steps are made in main.db, then the mailings' runs and
//! the entrance in queue.db. A crash between the two is repaired by [`recover`] at the next start; both steps are
//! idempotent.

use super::graph;
use crate::Refused;
use crate::error::sentence;
use crate::mailing::{Egress, mail_points, pool_of};
use crate::segment;
use api_types::{
    CheckLevel, Filter, JourneyAction, JourneyCheck, JourneyCheckPoint, JourneyGraph, JourneyMail, JourneyStep,
};
use config::Streams;
use mail::{Address, StreamKind};
use storage::campaign::{self, Launch};
use storage::journey::{self, Journey, Version};
use storage::journey_run::{self, Entrance};
use storage::{
    CampaignId, Connection, ContactId, JourneyId, ListId, Storage, StorageError, TemplateId, WorkspaceId, campaign_run,
    domain, list, template,
};

const DAY_MS: i64 = 86_400_000;
/// A name is tried with so many endings.
const NAMES_MAX: u32 = 100;

/// Looks at everything that publishing needs. For readers.
///
/// # Errors
/// The database's; what is wrong with the journey is in the list.
pub fn check(tx: &Connection, found: &Journey, egress: &Egress, now_ms: i64) -> Result<JourneyCheck, Refused> {
    let (workspace, graph) = (found.workspace_id, &found.draft);
    let mut points = Vec::new();
    for problem in graph::problems(graph) {
        points.push(point(problem.step, CheckLevel::Fatal, &problem.message));
    }
    if let Some(id) = graph.list_id
        && list::find(tx, workspace, ListId(id))?.is_none()
    {
        points.push(point(None, CheckLevel::Fatal, "the list that leads into it is not there; choose another"));
    }
    if let Some(goal) = &graph.goal
        && let Some(why) = broken(tx, workspace, goal, now_ms)?
    {
        points.push(point(None, CheckLevel::Fatal, &format!("the goal cannot be used: {why}")));
    }
    for step in &graph.steps {
        of_step(tx, workspace, step, egress, now_ms, &mut points)?;
    }
    let place = |step: &Option<String>| {
        step.as_ref().map_or(0, |key| 1 + graph.steps.iter().position(|step| step.key == *key).unwrap_or(0))
    };
    points.sort_by_key(|point| place(&point.step));
    Ok(JourneyCheck { ready: points.iter().all(|point| point.level != CheckLevel::Fatal), points })
}

fn point(step: Option<String>, level: CheckLevel, message: &str) -> JourneyCheckPoint {
    JourneyCheckPoint { step, level, message: sentence(message) }
}

fn of_step(
    tx: &Connection,
    workspace: WorkspaceId,
    step: &JourneyStep,
    egress: &Egress,
    now_ms: i64,
    points: &mut Vec<JourneyCheckPoint>,
) -> Result<(), Refused> {
    let mut say = |level, message: &str| points.push(point(Some(step.key.clone()), level, message));
    match &step.action {
        JourneyAction::Send(mail) => {
            for found in mail_points(tx, workspace, &draft(String::new(), mail, None), egress)? {
                say(found.level, &found.message);
            }
            if !mail.reply_to.trim().is_empty() && Address::parse(mail.reply_to.trim()).is_err() {
                say(CheckLevel::Fatal, "the address for answers is none");
            }
        }
        JourneyAction::Split { filter } => {
            if let Some(why) = broken(tx, workspace, filter, now_ms)? {
                say(CheckLevel::Fatal, &format!("the condition cannot be used: {why}"));
            }
        }
        JourneyAction::JoinList { list_id } | JourneyAction::LeaveList { list_id }
            if list::find(tx, workspace, ListId(*list_id))?.is_none() =>
        {
            say(CheckLevel::Fatal, "there is no such list; choose another");
        }
        _ => {}
    }
    Ok(())
}

/// Why a condition cannot be used, if so.
fn broken(tx: &Connection, workspace: WorkspaceId, filter: &Filter, now_ms: i64) -> Result<Option<String>, Refused> {
    match segment::compile(tx, workspace, filter, now_ms) {
        Ok(_) => Ok(None),
        Err(Refused::Storage(e)) => Err(Refused::Storage(e)),
        Err(refused) => Ok(Some(refused.to_string())),
    }
}

/// The mail of a step as campaigns have it.
fn draft(name: String, mail: &JourneyMail, list_id: Option<i64>) -> campaign::Draft {
    let stream = mail.stream.trim();
    campaign::Draft {
        name,
        template_id: mail.template_id.map(TemplateId),
        segment_id: None,
        list_id: list_id.map(ListId),
        from_email: mail.from_email.trim().to_owned(),
        from_name: mail.from_name.trim().to_owned(),
        reply_to: mail.reply_to.trim().to_owned(),
        stream: if stream.is_empty() { StreamKind::Bulk.as_str().to_owned() } else { stream.to_owned() },
        pool: mail.pool.trim().to_owned(),
    }
}

/// Publishes the draft: a new version by which contacts enter from now on. Those under way stay on theirs.
///
/// # Errors
/// No such journey; it has ended; a fatal point of the checks, with its step.
pub async fn publish(
    storage: &Storage,
    (workspace, id): (WorkspaceId, JourneyId),
    by: String,
    egress: Egress,
    now_ms: i64,
) -> Result<(), Refused> {
    let streams = egress.streams.clone();
    let checked = storage.read(move |c| {
        let Some(found) = journey::find(c, workspace, id)? else { return Ok(Err(Refused::NotFound("journey"))) };
        let live = journey_run::find_live(c, workspace, id)?;
        if live.is_some_and(|live| live.state == journey_run::LiveState::Ended) {
            return Ok(Err(Refused::wrong_state("the journey has ended for good; make another one of its steps")));
        }
        Ok(check(c, &found, &egress, now_ms).map(|list| (list, found)))
    });
    let (list, found) = checked.await??;
    if let Some(point) = list.points.iter().find(|point| point.level == CheckLevel::Fatal) {
        let step = point.step.as_deref().and_then(|key| found.draft.step(key));
        let place = step.map(|step| format!("the step “{}”: ", step.title())).unwrap_or_default();
        return Err(Refused::WrongState(format!("The journey cannot be published: {place}{}", point.message)));
    }
    let draft = found.draft.clone();
    storage.main().write(move |tx| freeze(tx, (workspace, id), &draft, by, now_ms)).await??;
    open(storage, &streams, (workspace, id), now_ms).await
}

/// In one transaction: what is published is what was checked.
fn freeze(
    tx: &Connection,
    (workspace, id): (WorkspaceId, JourneyId),
    checked: &JourneyGraph,
    by: String,
    now_ms: i64,
) -> Result<Result<(), Refused>, StorageError> {
    let changed = || Ok(Err(Refused::wrong_state("the journey was changed meanwhile; look at its checks again")));
    let Some(found) = journey::find(tx, workspace, id)?.filter(|found| found.draft == *checked) else {
        return changed();
    };
    let number = found.version + 1;
    let version = Version { number, graph: found.draft.clone(), published_by: by.clone(), published_ms: now_ms };
    journey::publish(tx, (workspace, id), &version)?;
    for step in &found.draft.steps {
        let JourneyAction::Send(mail) = &step.action else { continue };
        let name = format!("{}, version {number}: {}", found.name, step.title());
        let draft = draft(name, mail, found.draft.list_id);
        let template = draft.template_id.map(|id| template::find(tx, workspace, id)).transpose()?.flatten();
        let from = Address::parse(&draft.from_email).ok();
        let domain =
            from.map(|from| domain::find_by_name(tx, workspace, from.domain().as_str())).transpose()?.flatten();
        let (Some(template), Some(domain)) = (template, domain) else {
            // An error takes the whole transaction of this publishing back.
            return Err(StorageError::Damaged { what: "mail of a journey", value: step.key.clone() });
        };
        let campaign = insert(tx, workspace, draft, &by, now_ms)?;
        let launch = Launch {
            launched_ms: now_ms,
            launched_by: by.clone(),
            template_version_id: template.version.id,
            template_version: template.version.number,
            filter: Filter::everyone(),
            domain_id: domain.id,
            audience_limit: ContactId(0),
        };
        campaign::freeze(tx, workspace, campaign, &launch)?;
        journey::mark_mailing(tx, workspace, campaign, (id, number, &step.key))?;
    }
    Ok(Ok(()))
}

/// Under a name that is free.
fn insert(
    tx: &Connection,
    workspace: WorkspaceId,
    mut draft: campaign::Draft,
    by: &str,
    now_ms: i64,
) -> Result<CampaignId, StorageError> {
    let name = draft.name.clone();
    for n in 2..NAMES_MAX {
        match campaign::insert(tx, workspace, &draft, by, now_ms) {
            Err(StorageError::Exists) => draft.name = format!("{name} ({n})"),
            made => return made,
        }
    }
    Err(StorageError::Exists)
}

/// The second half of publishing: queue.db's. Again changes nothing.
async fn open(
    storage: &Storage,
    streams: &Streams,
    (workspace, id): (WorkspaceId, JourneyId),
    now_ms: i64,
) -> Result<(), Refused> {
    let read = move |c: &Connection| {
        let Some(found) = journey::find(c, workspace, id)? else { return Ok(None) };
        let Some(version) = journey::version(c, (workspace, id), found.version)? else { return Ok(None) };
        let mut mailings = Vec::new();
        for (campaign, step) in journey::mailings(c, (workspace, id), found.version)? {
            if let Some(campaign) = campaign::find(c, workspace, campaign)? {
                mailings.push((campaign, step));
            }
        }
        Ok(Some((found.name, version, mailings)))
    };
    let (name, version, mailings) = storage.read(read).await?.ok_or(Refused::NotFound("journey"))?;
    let ways: Vec<_> = mailings
        .into_iter()
        .map(|(mailing, step)| {
            let pool = pool_of(streams, &mailing.draft);
            (mailing, step, pool)
        })
        .collect();
    let entrance = Entrance {
        version: version.number,
        name,
        start: version.graph.start.clone(),
        list_id: version.graph.list_id.map(ListId),
        reentry_ms: version.graph.reentry_days.map(|days| i64::from(days) * DAY_MS),
    };
    let reason = format!("published by {}", version.published_by);
    storage
        .queue()
        .write(move |tx| {
            journey_run::publish(tx, (workspace, id), &entrance, &reason, now_ms)?;
            for (mailing, step, pool) in &ways {
                start(tx, mailing, (id, entrance.version, step), (pool, &reason), now_ms)?;
            }
            Ok(())
        })
        .await?;
    Ok(())
}

/// Makes the run of a mailing.
fn start(
    tx: &storage::Transaction<'_>,
    mailing: &campaign::Campaign,
    of: (JourneyId, u32, &str),
    (pool, reason): (&str, &str),
    now_ms: i64,
) -> Result<(), StorageError> {
    let whose = (mailing.workspace_id, mailing.id);
    if campaign_run::start(tx, whose, (&mailing.draft.stream, pool), reason, now_ms)? {
        if let Some(list) = mailing.draft.list_id {
            campaign_run::belongs_to(tx, whose, list)?;
        }
        journey_run::open_mailing(tx, whose.0, whose.1, of)?;
    }
    Ok(())
}

/// Makes another mailing of a step, for contacts that come to it again: as the first one, whatever its template has become
/// since. One that a crash left without its run is taken instead.
///
/// # Errors
/// The database's.
pub(super) async fn another_mailing(
    storage: &Storage,
    streams: &Streams,
    (workspace, id): (WorkspaceId, JourneyId),
    (version, step): (u32, String),
    now_ms: i64,
) -> Result<(), StorageError> {
    let of_step = step.clone();
    let left = storage.read(move |c| journey::without_run(c, (workspace, id), (version, &of_step))).await?;
    let campaign = match left {
        Some(campaign) => Some(campaign),
        None => {
            let step = step.clone();
            storage.main().write(move |tx| journey::copy_mailing(tx, (workspace, id), (version, &step), now_ms)).await?
        }
    };
    let found = storage.read(move |c| campaign.map(|id| campaign::find(c, workspace, id)).transpose()).await?;
    let Some(mailing) = found.flatten() else {
        return Err(StorageError::Damaged { what: "mailing of a journey's step", value: step });
    };
    let pool = pool_of(streams, &mailing.draft);
    let make = move |tx: &storage::Transaction<'_>| {
        start(tx, &mailing, (id, version, &step), (&pool, "for contacts that come again"), now_ms)
    };
    storage.queue().write(make).await
}

/// Opens the versions that a crash kept from being opened, and closes what a crash kept from being closed. At start,
/// before the driver runs.
///
/// # Errors
/// The database's.
pub async fn recover(storage: &Storage, streams: &Streams, now_ms: i64) -> Result<(), Refused> {
    for found in storage.read(journey::behind).await? {
        open(storage, streams, (found.workspace_id, found.id), now_ms).await?;
    }
    Ok(())
}
