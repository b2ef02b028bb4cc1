//! Journeys, their figures and runs as the API shows them.

use crate::Refused;
use crate::time::rfc3339;
use api_types::{JourneyFigures, JourneyLogEntry, JourneyRun, JourneyState, JourneySummary};
use mail::RecipientState;
use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};
use storage::journey::{self, Journey, Version};
use storage::journey_run::{self, LiveState, Query, Run, RunState};
use storage::tally::{self, Measure};
use storage::{Connection, JourneyId, RunId, StorageError, WorkspaceId};

/// Versions whose figures are shown.
const VERSIONS_SHOWN: u32 = 5;
/// Steps of a run's log that are shown: the newest.
const LOG_SHOWN: u32 = 500;

/// A journey as lists show it. For readers.
///
/// # Errors
/// The database's.
pub fn summary(c: &Connection, found: &Journey) -> Result<JourneySummary, StorageError> {
    let live = journey_run::find_live(c, found.workspace_id, found.id)?;
    let whose = (found.workspace_id, found.id);
    let mut entered = 0;
    let mut ended = BTreeMap::new();
    for (measure, n) in journey_run::tallies(c, whose)? {
        match measure.strip_prefix("ended:") {
            Some(reason) => _ = ended.insert(reason.to_owned(), n),
            None => entered += n,
        }
    }
    let over: u64 = ended.iter().filter(|(reason, _)| *reason != "not_entered").map(|(_, n)| n).sum();
    let state = match live.as_ref().map(|live| live.state) {
        None if found.version == 0 => JourneyState::Draft,
        None | Some(LiveState::Live) => JourneyState::Live,
        Some(LiveState::Paused) => JourneyState::Paused,
        Some(LiveState::Ended) => JourneyState::Ended,
    };
    Ok(JourneySummary {
        id: found.id.0,
        name: found.name.clone(),
        state,
        state_reason: live.map(|live| live.reason).unwrap_or_default(),
        version: found.version,
        entered,
        waiting: entered.saturating_sub(over),
        ended,
        created_at: rfc3339(found.created_ms),
        updated_at: rfc3339(found.updated_ms),
    })
}

/// A journey with its figures by step. For readers.
///
/// # Errors
/// The database's.
pub fn whole(c: &Connection, found: Journey) -> Result<api_types::Journey, StorageError> {
    let versions = journey::versions(c, (found.workspace_id, found.id), VERSIONS_SHOWN)?;
    let newest = versions.first();
    Ok(api_types::Journey {
        summary: summary(c, &found)?,
        published_at: newest.map(|version| rfc3339(version.published_ms)),
        changed: newest.is_none_or(|version| version.graph != found.draft),
        figures: figures(c, &found, &versions)?,
        graph: found.draft,
    })
}

fn figures(c: &Connection, found: &Journey, versions: &[Version]) -> Result<Vec<JourneyFigures>, StorageError> {
    let whose = (found.workspace_id, found.id);
    let waiting: HashMap<(u32, String), u64> =
        journey_run::waiting(c, whose)?.into_iter().map(|(version, step, n)| ((version, step), n)).collect();
    let mut all = Vec::new();
    for version in versions {
        let mailings = journey::mailings(c, whose, version.number)?;
        for step in &version.graph.steps {
            let mut figures = JourneyFigures {
                version: version.number,
                step: step.key.clone(),
                name: step.title().to_owned(),
                waiting: waiting.get(&(version.number, step.key.clone())).copied().unwrap_or(0),
                sent: 0,
                delivered: 0,
                bounced: 0,
                suppressed: 0,
                unsubscribed: 0,
                complained: 0,
                campaign_ids: Vec::new(),
            };
            for (campaign, _) in mailings.iter().filter(|(_, key)| *key == step.key) {
                figures.campaign_ids.push(campaign.0);
                for tally in tally::of_campaign(c, found.workspace_id, *campaign)? {
                    add(&mut figures, tally.measure, u64::try_from(tally.n).unwrap_or(0));
                }
            }
            all.push(figures);
        }
    }
    Ok(all)
}

fn add(figures: &mut JourneyFigures, measure: Measure, n: u64) {
    match measure {
        Measure::Accepted => figures.sent += n,
        Measure::Final(RecipientState::Delivered) => figures.delivered += n,
        Measure::Final(RecipientState::Bounced) => figures.bounced += n,
        Measure::Final(RecipientState::Suppressed) => figures.suppressed += n,
        Measure::Unsubscribed => figures.unsubscribed += n,
        Measure::Complained => figures.complained += n,
        _ => {}
    }
}

/// Names of steps, by version.
struct Names<'a> {
    c: &'a Connection,
    whose: (WorkspaceId, JourneyId),
    known: HashMap<u32, HashMap<String, String>>,
}

impl Names<'_> {
    fn of(&mut self, version: u32, step: &str) -> Result<String, StorageError> {
        if let Entry::Vacant(place) = self.known.entry(version) {
            let found = journey::version(self.c, self.whose, version)?;
            let steps = found.map(|found| found.graph.steps).unwrap_or_default();
            place.insert(steps.iter().map(|step| (step.key.clone(), step.title().to_owned())).collect());
        }
        Ok(self.known.get(&version).and_then(|names| names.get(step)).cloned().unwrap_or_else(|| step.to_owned()))
    }
}

/// Runs of a journey, newest first. For readers.
///
/// # Errors
/// No such journey.
pub fn runs(c: &Connection, whose: (WorkspaceId, JourneyId), query: &Query) -> Result<Vec<JourneyRun>, Refused> {
    super::find(c, whose.0, whose.1)?;
    let mut names = Names { c, whose, known: HashMap::new() };
    let mut all = Vec::new();
    for (run, email) in journey_run::page(c, whose, query)? {
        all.push(shape(run, email, &mut names)?);
    }
    Ok(all)
}

fn shape(run: Run, email: Option<String>, names: &mut Names<'_>) -> Result<JourneyRun, StorageError> {
    let waits = run.state == RunState::Waiting;
    Ok(JourneyRun {
        id: run.id.0,
        contact_id: run.contact_id.0,
        email,
        version: run.version,
        step_name: names.of(run.version, &run.step)?,
        step: run.step,
        state: run.state.as_str().to_owned(),
        source: run.source,
        entered_at: rfc3339(run.entered_ms),
        due_at: waits.then(|| rfc3339(run.due_ms)),
        ended_at: run.end.map(|(at_ms, _)| rfc3339(at_ms)),
        end_reason: run.end.map(|(_, reason)| reason.as_str().to_owned()),
        end_words: run.end_words,
    })
}

/// What a run has done, oldest first. For readers.
///
/// # Errors
/// No such run in this journey.
pub fn log(
    c: &Connection,
    (workspace, journey): (WorkspaceId, JourneyId),
    id: RunId,
) -> Result<Vec<JourneyLogEntry>, Refused> {
    let found = journey_run::find(c, workspace, id)?.filter(|run| run.journey_id == journey);
    let run = found.ok_or(Refused::NotFound("run"))?;
    let mut names = Names { c, whose: (workspace, journey), known: HashMap::new() };
    let mut all = Vec::new();
    for entry in journey_run::log(c, workspace, id, LOG_SHOWN)? {
        all.push(JourneyLogEntry {
            name: names.of(run.version, &entry.step)?,
            step: entry.step,
            entered_at: rfc3339(entry.entered_ms),
            at: rfc3339(entry.at_ms),
            seconds: u64::try_from((entry.at_ms - entry.entered_ms) / 1000).unwrap_or(0),
            result: entry.result,
            reason: entry.reason,
        });
    }
    Ok(all)
}
