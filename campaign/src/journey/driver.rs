//! What brings runs on: one task for all journeys.
//!
//! Each round lets in who joined a list, and moves a bounded batch of each journey's due runs one step on. What a step does
//! in main.db (tags, lists) comes first and may be done twice; what it does in queue.db is one commit with the move, which
//! asks again whether the run stands where it was read. So a stop at any moment, and doing a round again, change nothing.

use super::advance::{Advance, Deed, Facts, advance};
use super::publish;
use crate::mailing::expiry_of;
use crate::segment;
use api_types::{JourneyAction, JourneyGraph, JourneyStep};
use config::Streams;
use jiff::tz::TimeZone;
use std::collections::hash_map::Entry;
use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;
use storage::filter::CompiledFilter;
use storage::journey::{self, Joined};
use storage::journey_run::{self, Change, Effect, Entrant, Live, LiveState, Move, Moved, Run};
use storage::{
    Connection, ContactId, ListId, Storage, StorageError, WorkspaceId, contact, list, request_hash, tag, workspace,
};
use tokio::sync::Notify;
use world::Clock;

/// Runs of one journey, and entries, in one commit: some 10 ms of the queue's writer, which deliveries wait for.
const CHUNK: u32 = 200;
/// Between rounds when there is nothing to do and nobody wakes us: how late a step is at most.
const IDLE_WAIT: Duration = Duration::from_secs(5);
/// After a failure of the database.
const FAILURE_WAIT: Duration = Duration::from_secs(2);

/// Tells the driver that there is something to do.
#[derive(Clone, Debug, Default)]
pub struct Waker(Arc<Notify>);

impl Waker {
    /// There is something to do.
    pub fn wake(&self) {
        self.0.notify_one();
    }
}

/// Brings runs on.
pub struct Driver {
    storage: Storage,
    clock: Arc<dyn Clock>,
    streams: Streams,
    waker: Waker,
    /// Told when mail came into the queue.
    on_release: Box<dyn Fn() + Send + Sync>,
}

/// What a batch of runs does.
#[derive(Default)]
struct Batch {
    moves: Vec<Move>,
    /// In main.db, before the moves.
    deeds: Vec<(ContactId, Deed)>,
    /// Contacts that are not there any more.
    gone: Vec<ContactId>,
}

impl Driver {
    /// `streams` say at which age mail is given up; `hook` is called whenever mail came into the queue.
    #[must_use]
    pub fn new(
        storage: Storage,
        clock: Arc<dyn Clock>,
        streams: Streams,
        hook: impl Fn() + Send + Sync + 'static,
    ) -> Driver {
        Driver { storage, clock, streams, waker: Waker::default(), on_release: Box::new(hook) }
    }

    /// Wakes the driver.
    #[must_use]
    pub fn waker(&self) -> Waker {
        self.waker.clone()
    }

    /// Runs until it is dropped, which is safe at every moment.
    pub async fn run(self) {
        loop {
            match self.round().await {
                Ok(true) => {}
                Ok(false) => {
                    tokio::select! {
                        () = self.waker.0.notified() => {}
                        () = self.clock.sleep(IDLE_WAIT) => {}
                    }
                }
                Err(e) => {
                    tracing::error!(error = %e, "journeys do not go on for now");
                    self.clock.sleep(FAILURE_WAIT).await;
                }
            }
        }
    }

    /// A batch of everything; whether there was something to do.
    ///
    /// # Errors
    /// The database's; the next round tries again.
    pub async fn round(&self) -> Result<bool, StorageError> {
        let mut busy = self.let_in().await?;
        let mut failed = None;
        for live in self.storage.read(journey_run::all).await? {
            let done = match live.state {
                LiveState::Live => self.bring_on(&live).await,
                LiveState::Paused => Ok(false),
                LiveState::Ended => self.wind_up(live).await,
            };
            // One that cannot go on keeps no other from it.
            match done {
                Ok(was_busy) => busy |= was_busy,
                Err(e) => failed = Some(e),
            }
        }
        failed.map_or(Ok(busy), Err)
    }

    /// Who joined a list that leads into a journey.
    async fn let_in(&self) -> Result<bool, StorageError> {
        let read = |c: &Connection| {
            let (joined, rejoined) = (journey::to_enter(c, CHUNK)?, journey_run::rejoined_to_enter(c, CHUNK)?);
            let entrants = |all: &[Joined]| all.iter().map(|one| entrant(c, one)).collect::<Result<Vec<_>, _>>();
            let ends = (joined.last().map(|one| one.id), rejoined.last().map(|one| one.id));
            Ok((ends, entrants(&joined)?, entrants(&rejoined)?))
        };
        let ((joined, rejoined), first, second) = self.storage.read(read).await?;
        if joined.is_none() && rejoined.is_none() {
            return Ok(false);
        }
        let now_ms = self.clock.now_ms();
        self.storage
            .queue()
            .write(move |tx| {
                for who in first.into_iter().chain(second).flatten() {
                    journey_run::enter(tx, &Entrant { now_ms, ..who })?;
                }
                if let Some(up_to) = rejoined {
                    journey_run::rejoined_taken(tx, up_to)?;
                }
                Ok(())
            })
            .await?;
        // A crash here lets them in again, which is as once.
        if let Some(up_to) = joined {
            self.storage.main().write(move |tx| journey::taken(tx, up_to)).await?;
        }
        Ok(true)
    }

    /// Ends what is under way in a journey that has ended.
    async fn wind_up(&self, live: Live) -> Result<bool, StorageError> {
        let (id, now_ms) = (live.journey_id, self.clock.now_ms());
        // Those that have ended long since stay: the writer is left alone for them.
        if self.storage.read(move |c| journey_run::due(c, id, i64::MAX, 1)).await?.is_empty() {
            return Ok(false);
        }
        Ok(self.storage.queue().write(move |tx| journey_run::end_some(tx, &live, CHUNK, now_ms)).await? > 0)
    }

    /// Moves a journey's due runs one step on.
    async fn bring_on(&self, live: &Live) -> Result<bool, StorageError> {
        let (id, workspace, now_ms) = (live.journey_id, live.workspace_id, self.clock.now_ms());
        let streams = self.streams.clone();
        let read = move |c: &Connection| {
            let runs = journey_run::due(c, id, now_ms, CHUNK)?;
            if runs.is_empty() { Ok(None) } else { plan(c, (workspace, runs), &streams, now_ms).map(Some) }
        };
        let Some(planned) = self.storage.read(read).await? else { return self.tidy(live).await };
        let batch = match planned {
            Ok(batch) => batch,
            // What was checked when it was published holds, unless a field or list went since.
            Err(why) => {
                let reason = format!("paused: {why}");
                tracing::error!(journey.id = %id, "{reason}");
                let pause = move |tx: &storage::Transaction<'_>| {
                    journey_run::change(tx, (workspace, id), Change::Pause, &reason, now_ms)
                };
                return self.storage.queue().write(pause).await;
            }
        };
        let (deeds, name) = (batch.deeds, live.entry.name.clone());
        if !deeds.is_empty() {
            self.storage.main().write(move |tx| do_in_main(tx, (workspace, &name), &deeds, now_ms)).await?;
        }
        let wanted = self
            .storage
            .queue()
            .write(move |tx| {
                for contact in batch.gone {
                    journey_run::end_of_contact(tx, workspace, contact, now_ms)?;
                }
                let mut wanted = BTreeSet::new();
                for going in batch.moves {
                    if journey_run::go_on(tx, &going)? == Moved::NoMailing {
                        wanted.insert((going.run.version, going.run.step));
                    }
                }
                Ok(wanted)
            })
            .await?;
        for step in wanted {
            publish::another_mailing(&self.storage, &self.streams, (workspace, id), step, now_ms).await?;
        }
        (self.on_release)();
        Ok(true)
    }

    /// With nothing due: mailings of versions that nobody goes by any more are finished.
    async fn tidy(&self, live: &Live) -> Result<bool, StorageError> {
        if live.entry.version == 1 {
            return Ok(false);
        }
        let (live, now_ms) = (live.clone(), self.clock.now_ms());
        let asked = live.clone();
        if self.storage.read(move |c| journey_run::any_old_through(c, &asked)).await? {
            self.storage.queue().write(move |tx| journey_run::complete_old(tx, &live, now_ms)).await?;
        }
        Ok(false)
    }
}

/// `None` where the contact is gone since.
fn entrant(c: &Connection, joined: &Joined) -> Result<Option<Entrant>, StorageError> {
    let Some(member) = contact::member(c, joined.workspace_id, joined.contact_id)? else { return Ok(None) };
    let name = list::find(c, joined.workspace_id, joined.list_id)?.map(|list| list.draft.name).unwrap_or_default();
    Ok(Some(Entrant {
        workspace_id: joined.workspace_id,
        journey_id: joined.journey_id,
        contact_id: joined.contact_id,
        address_hash: member.address_hash,
        by_list: Some(joined.list_id),
        source: format!("joined the list “{name}”"),
        now_ms: 0,
    }))
}

/// A version with its conditions ready to be asked.
struct Ready {
    graph: JourneyGraph,
    goal: Option<CompiledFilter>,
    splits: HashMap<String, CompiledFilter>,
}

impl Ready {
    /// The inner error is what keeps it from being used.
    fn read(c: &Connection, run: &Run, now_ms: i64) -> Result<Result<Ready, String>, StorageError> {
        let workspace = run.workspace_id;
        let Some(version) = journey::version(c, (workspace, run.journey_id), run.version)? else {
            return Ok(Err(format!("its version {} is gone", run.version)));
        };
        let graph = version.graph;
        let mut ready = Ready { goal: None, splits: HashMap::new(), graph };
        for step in &ready.graph.steps {
            let JourneyAction::Split { filter } = &step.action else { continue };
            match segment::compile(c, workspace, filter, now_ms) {
                Ok(compiled) => ready.splits.insert(step.key.clone(), compiled),
                Err(crate::Refused::Storage(e)) => return Err(e),
                Err(why) => return Ok(Err(format!("the condition of “{}” cannot be used: {why}", step.title()))),
            };
        }
        if let Some(goal) = &ready.graph.goal {
            match segment::compile(c, workspace, goal, now_ms) {
                Ok(compiled) => ready.goal = Some(compiled),
                Err(crate::Refused::Storage(e)) => return Err(e),
                Err(why) => return Ok(Err(format!("the goal cannot be used: {why}"))),
            }
        }
        Ok(Ok(ready))
    }

    fn facts(&self, c: &Connection, run: &Run) -> Result<Facts, StorageError> {
        let meets = |filter: Option<&CompiledFilter>| match filter {
            Some(filter) => contact::matches(c, run.workspace_id, run.contact_id, filter),
            None => Ok(false),
        };
        Ok(Facts {
            entering: run.moves == 0,
            goal: meets(self.goal.as_ref())?,
            split: meets(self.splits.get(&run.step))?,
            draw: draw(run),
        })
    }
}

/// The same for a run and a step, however often it is asked.
fn draw(run: &Run) -> u8 {
    let hash = request_hash(&[
        b"journey",
        &run.journey_id.0.to_be_bytes(),
        run.step.as_bytes(),
        &run.contact_id.0.to_be_bytes(),
        &run.id.0.to_be_bytes(),
    ]);
    let number = u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]);
    (number % 100) as u8
}

/// What each of the runs does. The inner error is what keeps the journey from going on.
fn plan(
    c: &Connection,
    (workspace, runs): (WorkspaceId, Vec<Run>),
    streams: &Streams,
    now_ms: i64,
) -> Result<Result<Batch, String>, StorageError> {
    let owner = workspace::find(c, workspace)?;
    let zone = owner.and_then(|owner| TimeZone::get(&owner.time_zone).ok()).unwrap_or(TimeZone::UTC);
    let mut versions: HashMap<u32, Ready> = HashMap::new();
    let mut batch = Batch::default();
    for run in runs {
        let ready = match versions.entry(run.version) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => match Ready::read(c, &run, now_ms)? {
                Ok(ready) => place.insert(ready),
                Err(why) => return Ok(Err(why)),
            },
        };
        let Some(member) = contact::member(c, workspace, run.contact_id)? else {
            batch.gone.push(run.contact_id);
            continue;
        };
        let facts = ready.facts(c, &run)?;
        let Some(going) = advance(&ready.graph, &run.step, facts, &zone, now_ms) else {
            return Ok(Err(format!("version {} leads nowhere from “{}”", run.version, run.step)));
        };
        let effect = match &going.deed {
            Deed::Send => Effect::Send { expires_ms: expires_ms(ready.graph.step(&run.step), streams, now_ms) },
            Deed::Leave(id) => {
                let Some(list) = list::find(c, workspace, *id)? else {
                    return Ok(Err(format!("the list of “{}” is gone", run.step)));
                };
                Effect::Leave(*id, list.draft.name)
            }
            _ => Effect::Nothing,
        };
        let Advance { deed, port: result, words: reason, next } = going;
        batch.moves.push(Move { run: run.clone(), member, effect, result, reason, next, now_ms });
        if matches!(deed, Deed::AddTag(_) | Deed::RemoveTag(_) | Deed::Join(_)) {
            batch.deeds.push((run.contact_id, deed));
        }
    }
    Ok(Ok(batch))
}

fn expires_ms(step: Option<&JourneyStep>, streams: &Streams, now_ms: i64) -> i64 {
    let stream = match step.map(|step| &step.action) {
        Some(JourneyAction::Send(mail)) => mail.stream.trim(),
        _ => "",
    };
    let expiry = expiry_of(streams, stream);
    now_ms.saturating_add(i64::try_from(expiry.as_millis()).unwrap_or(i64::MAX))
}

/// Tags and lists: each may be done again.
fn do_in_main(
    tx: &Connection,
    (workspace, journey): (WorkspaceId, &str),
    deeds: &[(ContactId, Deed)],
    now_ms: i64,
) -> Result<(), StorageError> {
    for (contact, deed) in deeds {
        match deed {
            Deed::AddTag(name) => {
                let tag = tag::ensure(tx, workspace, name.trim())?;
                // The contact may be deleted since.
                if contact::member(tx, workspace, *contact)?.is_some() {
                    tag::add(tx, tag, *contact)?;
                }
            }
            Deed::RemoveTag(name) => {
                if let Some(tag) = tag::find(tx, workspace, name.trim())? {
                    tag::remove(tx, tag, *contact)?;
                }
            }
            Deed::Join(list) => {
                let whose: (WorkspaceId, ListId, ContactId) = (workspace, *list, *contact);
                list::add(tx, whose, &format!("journey “{journey}”"), now_ms)?;
            }
            Deed::Nothing | Deed::Send | Deed::Leave(_) => {}
        }
    }
    Ok(())
}
