//! Campaigns: draft, checklist, launch, pause, resume, cancel; the audience on its way into the queue; progress.

mod check;
mod control;
mod egress;
mod progress;
mod release;
#[cfg(test)]
mod tests;

use crate::error::{self, Refused};
use crate::time::rfc3339;
use api_types::{CampaignInput, CampaignState};
use mail::{Address, StreamKind};
use storage::campaign::{self, Campaign, Draft};
use storage::campaign_run::{Run, RunState};
use storage::{CampaignId, ListId, SegmentId, Storage, StorageError, TemplateId, WorkspaceId, list, segment, template};

pub use check::check;
pub(crate) use check::mail_points;
pub use control::{Waker, cancel, launch, pause, recover, resume};
pub use egress::Egress;
pub(crate) use egress::{expiry_of, pool_of};
pub use progress::{Rates, progress};
pub use release::Releaser;

/// A campaign as the API shows it.
#[must_use]
pub fn view(campaign: Campaign, run: Option<&Run>, progress: Option<api_types::Progress>) -> api_types::Campaign {
    let launch = campaign.launch.as_ref();
    api_types::Campaign {
        id: campaign.id.0,
        name: campaign.draft.name,
        state: state(launch.is_some(), run),
        state_reason: run.map(|run| run.reason.clone()).unwrap_or_default(),
        template_id: campaign.draft.template_id.map(|id| id.0),
        template: campaign.template,
        template_version: launch.map(|launch| launch.template_version),
        segment_id: campaign.draft.segment_id.map(|id| id.0),
        segment: campaign.segment,
        list_id: campaign.draft.list_id.map(|id| id.0),
        from_email: campaign.draft.from_email,
        from_name: campaign.draft.from_name,
        reply_to: campaign.draft.reply_to,
        stream: campaign.draft.stream,
        pool: campaign.draft.pool,
        created_at: rfc3339(campaign.created_ms),
        launched_at: launch.map(|launch| rfc3339(launch.launched_ms)),
        finished_at: run.and_then(|run| run.finished_ms).map(rfc3339),
        progress,
    }
}

/// Where a campaign is. Launched without a run is about to get one.
fn state(launched: bool, run: Option<&Run>) -> CampaignState {
    match run {
        None if launched => CampaignState::Running,
        None => CampaignState::Draft,
        Some(run) => run_state(run.state),
    }
}

fn run_state(state: RunState) -> CampaignState {
    match state {
        RunState::Running => CampaignState::Running,
        RunState::Paused => CampaignState::Paused,
        RunState::Cancelled => CampaignState::Cancelled,
        RunState::Finished => CampaignState::Finished,
    }
}

/// Saves a new draft. It may be incomplete: the checklist tells what is missing.
///
/// # Errors
/// A value that can never be right, or a name that is taken.
pub async fn create(
    storage: &Storage,
    workspace: WorkspaceId,
    input: CampaignInput,
    by: String,
    now_ms: i64,
) -> Result<Campaign, Refused> {
    let draft = checked(input)?;
    let name = draft.name.clone();
    let saved = storage
        .main()
        .write(move |tx| {
            if let Some(refused) = dangling(tx, workspace, &draft)? {
                return Ok(Err(refused));
            }
            let id = campaign::insert(tx, workspace, &draft, &by, now_ms)?;
            Ok(campaign::find(tx, workspace, id)?.ok_or(Refused::NotFound("campaign")))
        })
        .await;
    saved.map_err(|e| taken(e, &name))?
}

/// Replaces a draft.
///
/// # Errors
/// As [`create`]; no such campaign; launched already.
pub async fn update(
    storage: &Storage,
    workspace: WorkspaceId,
    id: CampaignId,
    input: CampaignInput,
    now_ms: i64,
) -> Result<Campaign, Refused> {
    let draft = checked(input)?;
    let name = draft.name.clone();
    let saved = storage
        .main()
        .write(move |tx| {
            if let Some(refused) = dangling(tx, workspace, &draft)? {
                return Ok(Err(refused));
            }
            let changed = campaign::update(tx, workspace, id, &draft, now_ms)?;
            Ok(match campaign::find(tx, workspace, id)? {
                None => Err(Refused::NotFound("campaign")),
                Some(_) if !changed => {
                    Err(Refused::wrong_state("the campaign is launched and cannot be changed any more"))
                }
                Some(campaign) => Ok(campaign),
            })
        })
        .await;
    saved.map_err(|e| taken(e, &name))?
}

/// Deletes a draft.
///
/// # Errors
/// No such campaign; launched already: what was sent stays on record.
pub async fn delete(storage: &Storage, workspace: WorkspaceId, id: CampaignId) -> Result<(), Refused> {
    storage
        .main()
        .write(move |tx| {
            if campaign::delete(tx, workspace, id)? {
                return Ok(Ok(()));
            }
            Ok(match campaign::find(tx, workspace, id)? {
                None => Err(Refused::NotFound("campaign")),
                Some(_) => Err(Refused::wrong_state("the campaign is launched; what was sent stays on record")),
            })
        })
        .await?
}

fn checked(input: CampaignInput) -> Result<Draft, Refused> {
    let name = error::name("name", &input.name)?;
    let address = |field: &str, text: &str| {
        let text = text.trim();
        match Address::parse(text) {
            Ok(_) => Ok(text.to_owned()),
            Err(_) if text.is_empty() => Ok(String::new()),
            Err(e) => Err(Refused::invalid(field, e.to_string())),
        }
    };
    let from_name = input.from_name.trim();
    if from_name.chars().count() > 200 || from_name.chars().any(char::is_control) {
        return Err(Refused::invalid("from_name", "a name has at most 200 characters and no line ends"));
    }
    let stream = input.stream.trim();
    Ok(Draft {
        name,
        template_id: input.template_id.map(TemplateId),
        segment_id: input.segment_id.map(SegmentId),
        list_id: input.list_id.map(ListId),
        from_email: address("from_email", &input.from_email)?,
        from_name: from_name.to_owned(),
        reply_to: address("reply_to", &input.reply_to)?,
        stream: if stream.is_empty() { StreamKind::Bulk.as_str().to_owned() } else { stream.to_owned() },
        pool: input.pool.trim().to_owned(),
    })
}

/// A template, segment or list that is not there, or of another workspace.
fn dangling(tx: &storage::Connection, workspace: WorkspaceId, draft: &Draft) -> Result<Option<Refused>, StorageError> {
    if let Some(id) = draft.template_id
        && template::find(tx, workspace, id)?.is_none()
    {
        return Ok(Some(Refused::invalid("template_id", "there is no such template")));
    }
    if let Some(id) = draft.segment_id
        && segment::find(tx, workspace, id)?.is_none()
    {
        return Ok(Some(Refused::invalid("segment_id", "there is no such segment")));
    }
    if let Some(id) = draft.list_id
        && list::find(tx, workspace, id)?.is_none()
    {
        return Ok(Some(Refused::invalid("list_id", "there is no such list")));
    }
    Ok(None)
}

fn taken(error: StorageError, name: &str) -> Refused {
    Refused::taken(error, "name", format!("there is a campaign called “{name}” already; choose another name"))
}
