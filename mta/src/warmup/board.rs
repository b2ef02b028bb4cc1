//! All tracks, and the permits that they give.

use super::track::{Look, Track};
use super::{Plan, Plans, day_of};
use crate::shared::lock;
use config::Source;
use mail::BounceClass;
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard};
use storage::warmup::{Axis, DomainWarmup, Fate, Key, Line, State};
use storage::{DomainId, WorkspaceId};

/// What earns its volume.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Subject {
    /// A source, by its place.
    Source(usize),
    /// A sending domain.
    Domain(DomainId),
}

type TrackKey = (Subject, Arc<str>);

/// All tracks.
pub(crate) struct Board {
    plans: Plans,
    sources: Vec<Source>,
    tracks: Mutex<Tracks>,
    /// No source and no domain warms up: nobody needs to ask.
    idle: AtomicBool,
    /// Held while a day is begun, or read anew.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Default)]
pub(crate) struct Tracks {
    /// Judged up to this day.
    day: i64,
    all: HashMap<TrackKey, (Track, Arc<Key>)>,
    domains: HashMap<DomainId, (DomainWarmup, Arc<Plan>)>,
}

/// What one message may use up; empty where nothing is limited.
pub(crate) type Permits = Vec<Permit>;

/// The right to let one message leave today. Redeemed when it has left; dropping it gives the place back.
pub(crate) struct Permit {
    board: Arc<Board>,
    subject: Subject,
    key: Arc<Key>,
    day: i64,
    left: bool,
}

impl Permit {
    /// Which line, and on which day, for the counters.
    pub fn place(&self) -> (Arc<Key>, i64) {
        (self.key.clone(), self.day)
    }

    /// The message has left.
    pub fn redeem(mut self) {
        self.left = true;
    }

    /// Valid on its own day only.
    pub fn is_valid(&self, now_ms: i64) -> bool {
        day_of(now_ms) == self.day
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut tracks = lock(&self.board.tracks);
        if let Some((track, _)) = tracks.all.get_mut(&(self.subject, self.key.provider.clone())) {
            track.put_back(self.day, self.left);
        }
    }
}

impl Board {
    pub fn new(plans: Plans, sources: &[Source]) -> Arc<Board> {
        let (tracks, idle, turn) = (Mutex::default(), AtomicBool::new(true), tokio::sync::Mutex::default());
        Arc::new(Board { plans, sources: sources.to_vec(), tracks, idle, turn })
    }

    /// Whether nothing warms up at all.
    pub fn is_idle(&self) -> bool {
        self.idle.load(Relaxed)
    }

    /// The right to begin a day, or to read everything anew.
    pub async fn turn(&self) -> tokio::sync::MutexGuard<'_, ()> {
        self.turn.lock().await
    }

    /// The day up to which everything is judged.
    pub fn day(&self) -> i64 {
        lock(&self.tracks).day
    }

    /// Whether a sending domain warms up.
    pub fn has_domains(&self) -> bool {
        !lock(&self.tracks).domains.is_empty()
    }

    /// The plan that a stored line follows, if it does.
    pub fn plan_of(&self, key: &Key, domains: &[DomainWarmup]) -> Option<Arc<Plan>> {
        match key.axis {
            Axis::Source => {
                let source = self.sources.iter().find(|source| source.name.as_str() == &*key.subject)?;
                self.plans.of_source(source, &key.provider).cloned()
            }
            Axis::Domain => {
                let domain = domains.iter().find(|domain| *domain.domain == *key.subject)?;
                self.plans.get(&domain.plan).cloned()
            }
        }
    }

    /// Begins `day` with what is stored, or goes on with what was changed by hand on the same day.
    pub fn load(&self, day: i64, lines: &[Line], domains: Vec<DomainWarmup>) {
        let mut tracks = lock(&self.tracks);
        let same_day = tracks.day == day;
        let mut all = HashMap::new();
        for line in lines {
            let Some(plan) = self.plan_of(&line.key, &domains) else { continue };
            let subject = match line.key.axis {
                Axis::Source => {
                    let place = self.sources.iter().position(|source| source.name.as_str() == &*line.key.subject);
                    place.map(Subject::Source)
                }
                Axis::Domain => domains
                    .iter()
                    .find(|domain| *domain.domain == *line.key.subject)
                    .map(|domain| Subject::Domain(domain.domain_id)),
            };
            let Some(subject) = subject else { continue };
            let sent = if line.day == day { line.figures.sent } else { 0 };
            let track = Track::new(&plan, (line.stage, line.state == State::Done), day, sent);
            all.insert((subject, line.key.provider.clone()), (track, Arc::new(line.key.clone())));
        }
        for (key, (before, stored)) in tracks.all.drain() {
            match all.get_mut(&key) {
                Some((track, _)) => track.inherit(&before),
                // Its first message is on its way, and not stored yet.
                None if before.is_busy() && same_day => {
                    all.insert(key, (before, stored));
                }
                None => {}
            }
        }
        let with_plan = |domain: DomainWarmup| {
            let plan = self.plans.get(&domain.plan)?.clone();
            Some((domain.domain_id, (domain, plan)))
        };
        *tracks = Tracks { day, all, domains: domains.into_iter().filter_map(with_plan).collect() };
        let warms = |source: &Source| {
            source.enabled && (source.warmup.is_some() || source.warmup_providers.iter().any(|at| at.plan.is_some()))
        };
        self.idle.store(tracks.domains.is_empty() && !self.sources.iter().any(warms), Relaxed);
    }

    /// Every line begins anew.
    pub fn begin_lines(&self) {
        lock(&self.tracks).all.values_mut().for_each(|(track, _)| track.begin_line());
    }

    /// All tracks, for one decision: nobody takes a place in between.
    pub fn tracks(&self) -> MutexGuard<'_, Tracks> {
        lock(&self.tracks)
    }

    /// The track of a subject at a provider; `None` where nothing is limited.
    fn track<'t>(
        &self,
        tracks: &'t mut Tracks,
        subject: Subject,
        provider: &Arc<str>,
    ) -> Option<&'t mut (Track, Arc<Key>)> {
        let (plan, axis, workspace_id, name) = match subject {
            Subject::Source(place) => {
                let source = self.sources.get(place)?;
                let plan = self.plans.of_source(source, provider)?;
                (plan.clone(), Axis::Source, WorkspaceId::NONE, Arc::from(source.name.as_str()))
            }
            Subject::Domain(id) => {
                let (domain, plan) = tracks.domains.get(&id)?;
                (plan.clone(), Axis::Domain, domain.workspace_id, Arc::from(domain.domain.as_str()))
            }
        };
        let day = tracks.day;
        let made = || {
            let key = Key { axis, workspace_id, subject: name, provider: provider.clone() };
            (Track::new(&plan, (0, false), day, 0), Arc::new(key))
        };
        Some(tracks.all.entry((subject, provider.clone())).or_insert_with(made))
    }

    /// How a subject stands at a provider for one more message.
    pub fn look(&self, tracks: &mut Tracks, subject: Subject, provider: &Arc<str>, now_ms: i64) -> Look {
        self.track(tracks, subject, provider).map_or(Look::Open, |(track, _)| track.look(now_ms))
    }

    /// A permit, where `look` said that one may leave now; nothing where nothing is limited.
    pub fn take(
        self: &Arc<Self>,
        tracks: &mut Tracks,
        subject: Subject,
        provider: &Arc<str>,
        now_ms: i64,
    ) -> Option<Permit> {
        let (track, key) = self.track(tracks, subject, provider)?;
        let day = day_of(now_ms);
        track.take(now_ms).then(|| Permit { board: self.clone(), subject, key: key.clone(), day, left: false })
    }

    /// A place in the line of those who wait: when it is to come.
    pub fn queue(&self, tracks: &mut Tracks, subject: Subject, provider: &Arc<str>, now_ms: i64) -> i64 {
        self.track(tracks, subject, provider).map_or(now_ms, |(track, _)| track.queue(now_ms))
    }

    /// Permits of an earlier day are taken anew; when one cannot be had, until when to wait.
    pub fn renew(self: &Arc<Self>, permits: &mut Permits, now_ms: i64) -> Option<i64> {
        if permits.iter().all(|permit| permit.is_valid(now_ms)) {
            return None;
        }
        let old: Vec<(Subject, Arc<str>)> =
            permits.iter().map(|permit| (permit.subject, permit.key.provider.clone())).collect();
        permits.clear();
        let mut tracks = self.tracks();
        for (subject, provider) in old {
            if self.look(&mut tracks, subject, &provider, now_ms) == Look::Open {
                continue;
            }
            match self.take(&mut tracks, subject, &provider, now_ms) {
                Some(permit) => permits.push(permit),
                None => return Some(self.queue(&mut tracks, subject, &provider, now_ms)),
            }
        }
        None
    }
}

/// What a "not now" means for the day's figures: it counts, unless it says nothing about our volume there.
pub(crate) fn fate(class: Option<BounceClass>, plain: Fate) -> Fate {
    use BounceClass as C;
    match class {
        // The first contact, or a connection that broke: nothing was refused for being too much.
        Some(C::Greylist | C::Connection | C::Dns | C::Tls) => Fate::Returned,
        _ => plain,
    }
}
