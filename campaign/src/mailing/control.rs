//! Launch, pause, resume, cancel.
//!
//! A launch concerns two files: the campaign is frozen in main.db, then its run is made in queue.db. A crash between the
//! two is repaired by [`recover`] at the next start; both steps are idempotent.

use super::check::check;
use super::egress::{Egress, pool_of};
use crate::Refused;
use crate::segment;
use config::Streams;
use std::sync::Arc;
use storage::campaign::{self, Campaign, Launch};
use storage::campaign_run::{self, Change, RunState};
use storage::journey_run::{self, LiveState};
use storage::{
    CampaignId, DomainId, JourneyId, Storage, StorageError, WorkspaceId, contact, domain, journey, queue, template,
};
use tokio::sync::Notify;

/// Tells the releaser that there is something to do, so that a launch begins at once.
#[derive(Clone, Debug, Default)]
pub struct Waker(pub(super) Arc<Notify>);

impl Waker {
    /// There is something to do.
    pub fn wake(&self) {
        self.0.notify_one();
    }
}

/// Launches a draft: pins template version, audience and domain, and makes the run.
///
/// # Errors
/// No such campaign; launched already; a fatal point of the checklist.
pub async fn launch(
    storage: &Storage,
    (workspace, id): (WorkspaceId, CampaignId),
    by: String,
    egress: Egress,
    now_ms: i64,
) -> Result<(), Refused> {
    let streams = egress.streams.clone();
    let checked = storage.read(move |tx| {
        let Some(campaign) = campaign::find(tx, workspace, id)? else { return Ok(Err(Refused::NotFound("campaign"))) };
        if campaign.launch.is_some() {
            return Ok(Err(Refused::wrong_state("the campaign is launched already")));
        }
        Ok(check(tx, &campaign, &egress, now_ms))
    });
    let checklist = checked.await??;
    if let Some(point) = checklist.points.iter().find(|point| point.level == api_types::CheckLevel::Fatal) {
        return Err(Refused::WrongState(format!("The campaign cannot be launched: {}", point.message)));
    }
    let frozen = storage.main().write(move |tx| freeze(tx, workspace, id, by, now_ms)).await??;
    start(storage, &streams, &frozen).await?;
    Ok(())
}

/// In one transaction: what is pinned is what there is now.
fn freeze(
    tx: &storage::Connection,
    workspace: WorkspaceId,
    id: CampaignId,
    by: String,
    now_ms: i64,
) -> Result<Result<Campaign, Refused>, StorageError> {
    let changed = || Ok(Err(Refused::wrong_state("the campaign was changed meanwhile; look at the checklist again")));
    let Some(found) = campaign::find(tx, workspace, id)? else { return Ok(Err(Refused::NotFound("campaign"))) };
    let template = found.draft.template_id.map(|id| template::find(tx, workspace, id)).transpose()?.flatten();
    let (Some(template), Some(domain_id)) = (template, domain_of(tx, workspace, &found)?) else { return changed() };
    let filter = match segment::audience_of(tx, workspace, &found.draft) {
        Ok(filter) => filter,
        Err(refused) => return Ok(Err(refused)),
    };
    let launch = Launch {
        launched_ms: now_ms,
        launched_by: by,
        template_version_id: template.version.id,
        template_version: template.version.number,
        filter,
        domain_id,
        audience_limit: contact::last_id(tx)?,
    };
    if !campaign::freeze(tx, workspace, id, &launch)? {
        return Ok(Err(Refused::wrong_state("the campaign is launched already")));
    }
    Ok(campaign::find(tx, workspace, id)?.ok_or(Refused::NotFound("campaign")))
}

fn domain_of(
    tx: &storage::Connection,
    workspace: WorkspaceId,
    campaign: &Campaign,
) -> Result<Option<DomainId>, StorageError> {
    let Ok(from) = mail::Address::parse(&campaign.draft.from_email) else { return Ok(None) };
    Ok(domain::find_by_name(tx, workspace, from.domain().as_str())?.map(|domain| domain.id))
}

async fn start(storage: &Storage, streams: &Streams, campaign: &Campaign) -> Result<bool, StorageError> {
    let Some(launch) = &campaign.launch else { return Ok(false) };
    let whose = (campaign.workspace_id, campaign.id);
    let (stream, pool) = (campaign.draft.stream.clone(), pool_of(streams, &campaign.draft));
    let (reason, started_ms) = (format!("launched by {}", launch.launched_by), launch.launched_ms);
    let list = campaign.draft.list_id;
    let make = move |tx: &storage::Transaction<'_>| {
        let made = campaign_run::start(tx, whose, (&stream, &pool), &reason, started_ms)?;
        if let Some(list) = list {
            campaign_run::belongs_to(tx, whose, list)?;
        }
        Ok(made)
    };
    storage.queue().write(make).await
}

/// Makes the runs that a crash kept from being made; says how many. At start, before the releaser runs.
///
/// # Errors
/// The database's.
pub async fn recover(storage: &Storage, streams: &Streams) -> Result<usize, StorageError> {
    let mut made = 0;
    for campaign in storage.read(campaign::without_run).await? {
        made += usize::from(start(storage, streams, &campaign).await?);
    }
    Ok(made)
}

/// Pauses: nothing more is taken up from now on; what is being sent right now is finished.
///
/// # Errors
/// No such campaign; not running.
pub async fn pause(storage: &Storage, whose: (WorkspaceId, CampaignId), by: &str, now_ms: i64) -> Result<(), Refused> {
    change(storage, whose, Change::Pause, format!("paused by {by}"), now_ms).await
}

/// Goes on.
///
/// # Errors
/// No such campaign; not paused.
pub async fn resume(storage: &Storage, whose: (WorkspaceId, CampaignId), by: &str, now_ms: i64) -> Result<(), Refused> {
    change(storage, whose, Change::Resume, format!("resumed by {by}"), now_ms).await
}

/// What a cancelling could not stop.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cancelled {
    /// Have their final state already.
    pub finished: u64,
    /// Are being sent right now: their message may have gone out.
    pub sending: u64,
    /// Will not be sent.
    pub stopped: u64,
}

/// Stops for good. Those who wait are settled as cancelled by the releaser, in chunks.
///
/// # Errors
/// No such campaign; finished or cancelled already.
pub async fn cancel(
    storage: &Storage,
    whose: (WorkspaceId, CampaignId),
    by: &str,
    now_ms: i64,
) -> Result<Cancelled, Refused> {
    change(storage, whose, Change::Cancel, format!("cancelled by {by}"), now_ms).await?;
    let (workspace, id) = whose;
    let (ledger, live) =
        storage.read(move |tx| Ok((queue::ledger(tx, workspace, Some(id))?, campaign_run::live(tx, id)?))).await?;
    let cancelled = ledger.cancelled;
    Ok(Cancelled {
        finished: ledger.finished() - cancelled,
        sending: live.sending,
        stopped: cancelled + ledger.queued.saturating_sub(live.sending),
    })
}

/// What may be done with the mail of one step alone: stop it, and let it go on while its journey does.
async fn of_journey(
    storage: &Storage,
    (workspace, (journey, name)): (WorkspaceId, (JourneyId, String)),
    change: Change,
) -> Result<(), Refused> {
    let live = storage.read(move |c| journey_run::find_live(c, workspace, journey)).await?;
    let goes = live.is_some_and(|live| live.state == LiveState::Live);
    match change {
        Change::Cancel => Err(Refused::wrong_state(format!("this is mail of the journey “{name}”; end the journey"))),
        Change::Resume if !goes => Err(Refused::wrong_state(format!("the journey “{name}” does not go on; resume it"))),
        Change::Pause | Change::Resume => Ok(()),
    }
}

async fn change(
    storage: &Storage,
    whose: (WorkspaceId, CampaignId),
    change: Change,
    reason: String,
    now_ms: i64,
) -> Result<(), Refused> {
    let (workspace, id) = whose;
    if let Some(journey) = storage.read(move |c| journey::of_campaign(c, workspace, id)).await? {
        of_journey(storage, (workspace, journey), change).await?;
    }
    let changed = storage.queue().write(move |tx| campaign_run::change(tx, whose, change, &reason, now_ms)).await?;
    if changed {
        return Ok(());
    }
    let (campaign, run) = storage
        .read(move |tx| Ok((campaign::find(tx, workspace, id)?, campaign_run::find(tx, workspace, id)?)))
        .await?;
    if campaign.is_none() {
        return Err(Refused::NotFound("campaign"));
    }
    Err(Refused::wrong_state(match run.map(|run| run.state) {
        None => "the campaign is not launched yet",
        Some(RunState::Running) => "the campaign is running; it is not paused",
        Some(RunState::Paused) => "the campaign is paused already",
        Some(RunState::Cancelled) => "the campaign is cancelled for good",
        Some(RunState::Finished) => "the campaign is finished",
    }))
}
