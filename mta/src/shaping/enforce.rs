//! What replies and ratios lead to, carried out in the running engine: holds, rates and connections come into force, are
//! written down, and end.

use super::bucket::Meter;
use super::ratio::{Ratios, Tell};
use super::react::{self, Context, Target};
use super::register::{Change, Register};
use super::rules::Action;
use super::snapshot::{Place, Snapshot};
use crate::inbound::{Happened, Heard};
use crate::lane::Lane;
use crate::outcome::{Case, RetryPolicy, Verdict};
use crate::shared::{Shared, lock};
use crate::site::Site;
use crate::unknown_text::Said;
use bounce::Stage;
use config::Rate;
use mail::{Reply, StreamKind, WaitReason};
use moka::sync::Cache;
use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use storage::automation::{Automation, Scope};
use storage::queue::{Claimed, Origin, Wait};
use storage::{AutomationId, WorkspaceId};

/// Campaigns and submitted messages whose signing domain is remembered.
const SIGNING_MAX: u64 = 20_000;

/// What a rate counts.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Counted {
    /// One source to one site.
    Lane(usize, Arc<str>),
    /// All sources to one site.
    Site(Arc<str>),
    /// One source to all sites of a provider.
    Provider(usize, Arc<str>),
    /// Whatever an automation slows down.
    Automation(AutomationId),
}

/// Where a recipient's content comes from, as far as it decides who signs it.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Signed {
    Campaign(i64),
    Message(i64),
}

impl Signed {
    fn of(origin: Origin) -> Signed {
        match origin {
            Origin::Campaign { campaign, .. } => Signed::Campaign(campaign.0),
            Origin::Message(message) => Signed::Message(message.0),
        }
    }
}

/// Everything that shaping keeps while the engine runs.
pub(crate) struct Shaping {
    pub snapshot: Arc<Snapshot>,
    pub register: Register,
    pub messages: Mutex<Meter<Counted>>,
    pub connections: Mutex<Meter<Counted>>,
    ratios: Mutex<Ratios<Target>>,
    /// Until when the line of those is that wait because of an automation's rate wherever they go, in microseconds.
    lines: Mutex<HashMap<AutomationId, i64>>,
    /// Learned when the first message is made: what is barred is not made in vain then.
    signing: Cache<Signed, Arc<str>>,
}

impl Shaping {
    pub fn new(snapshot: Arc<Snapshot>, open: Vec<Automation>, newest: AutomationId) -> Shaping {
        Shaping {
            snapshot,
            register: Register::restore(open, newest),
            messages: Mutex::new(Meter::new()),
            connections: Mutex::new(Meter::new()),
            ratios: Mutex::new(Ratios::new()),
            lines: Mutex::new(HashMap::new()),
            signing: Cache::new(SIGNING_MAX),
        }
    }

    /// The rates of a lane that limit anything, with what each counts.
    pub fn counted(source: usize, site: &Site, rates: [Rate; 3]) -> Vec<(Counted, Rate)> {
        let [lane, whole_site, provider] = rates;
        let all = [
            (Counted::Lane(source, site.name.clone()), lane),
            (Counted::Site(site.name.clone()), whole_site),
            (Counted::Provider(source, site.provider.name.clone()), provider),
        ];
        all.into_iter().filter(|(_, rate)| *rate != Rate::Unlimited).collect()
    }

    /// Remembers who signs what comes from there.
    pub fn learn(&self, origin: Origin, domain: Option<&Arc<str>>) {
        let key = Signed::of(origin);
        if let Some(domain) = domain.filter(|domain| self.signing.get(&key).as_ref() != Some(*domain)) {
            self.signing.insert(key, domain.clone());
        }
    }

    /// Why and until when this recipient's mail may not go to the provider from any source.
    pub fn barred(&self, claimed: &Claimed, provider: &Arc<str>, now_ms: i64) -> Option<Wait> {
        if self.register.is_empty() {
            return None;
        }
        let everywhere = self.everywhere(claimed);
        if let Some(wait) = everywhere.iter().find_map(|target| self.register.bars(target, now_ms)) {
            return Some(wait);
        }
        let of_workspace = Target::WorkspaceProvider(claimed.workspace_id, provider.clone());
        self.register.bars(&of_workspace, now_ms).or_else(|| {
            let domain = self.signing.get(&Signed::of(claimed.origin))?;
            self.register.bars(&Target::DomainProvider(domain, provider.clone()), now_ms)
        })
    }

    /// What reputation may hold or slow down of this recipient's mail wherever it goes: nothing of transactional mail.
    fn everywhere(&self, claimed: &Claimed) -> Vec<Target> {
        if claimed.kind == StreamKind::Transactional {
            return Vec::new();
        }
        let mut targets = vec![Target::Workspace(claimed.workspace_id)];
        targets.extend(claimed.origin.campaign().map(Target::Campaign));
        let domain = self.signing.get(&Signed::of(claimed.origin));
        targets.extend(domain.map(|domain| Target::Domain(claimed.workspace_id, domain)));
        targets
    }

    /// Until when this recipient waits where reputation slows its mail down; else it counts for the rate. Who waits comes
    /// again one after the other, not all at once.
    pub fn slowed(&self, claimed: &Claimed, now_ms: i64) -> Option<Wait> {
        if self.register.is_empty() {
            return None;
        }
        let slows = self.register.slows(&self.everywhere(claimed), now_ms);
        let rates: Vec<_> = slows.iter().map(|(id, rate, _)| (Counted::Automation(*id), *rate)).collect();
        if rates.is_empty() || lock(&self.messages).take(&rates, now_ms).is_ok() {
            return None;
        }
        let mut lines = lock(&self.lines);
        let place = |(id, rate, until_ms): &(AutomationId, Rate, i64)| {
            let interval = rate.interval()?.as_micros();
            let line = lines.entry(*id).or_default();
            *line = (*line).max(now_ms.saturating_mul(1000)) + i64::try_from(interval).unwrap_or(i64::MAX / 4);
            Some(((*line + 999) / 1000).min(*until_ms))
        };
        let due_ms = slows.iter().filter_map(place).max()?;
        Some(Wait { reason: WaitReason::Rate, due_ms })
    }

    /// Forgets what time has made meaningless; called now and then.
    pub fn forget(&self, now_ms: i64) {
        lock(&self.messages).forget(now_ms);
        lock(&self.connections).forget(now_ms);
        lock(&self.ratios).forget(now_ms);
        lock(&self.lines).retain(|_, line_us| *line_us > now_ms.saturating_mul(1000));
    }
}

impl Shared {
    /// The limits of a source at a site.
    pub fn limits(&self, source: usize, site: &Site) -> super::Limits {
        let hosts: Vec<&str> = site.hosts.iter().map(|mx| mx.host.as_str()).collect();
        self.shaping.snapshot.limits(&Place {
            provider: &site.provider.name,
            hosts: &hosts,
            domain: site.domain.as_deref(),
            source: Some(&self.source_names[source]),
        })
    }

    /// What replies mean that come over the lane.
    pub fn rules_at<'a>(&'a self, lane: &'a Lane) -> bounce::RulesAt<'a> {
        self.shaping.snapshot.meaning().at(&lane.site.provider.name)
    }

    /// Where a reply to this workspace's mail came over the lane.
    pub fn context(&self, lane: &Lane, workspace: WorkspaceId, domain: Option<&Arc<str>>) -> Context {
        Context {
            workspace,
            source: self.source_names[lane.source].clone(),
            site: lane.site.name.clone(),
            provider: lane.site.provider.name.clone(),
            domain: domain.cloned(),
            block_hold: lane.limits.block_hold,
        }
    }

    /// A reply that was no yes, over the lane, about a recipient where one was named: what the rules make of it comes into
    /// force. Says until when it holds, where a rule matched. What no rule knows is noted.
    pub fn answered(
        self: &Arc<Self>,
        (reply, stage): (&Reply, Stage),
        context: &Context,
        recipient: Option<&mail::Address>,
    ) -> Option<Answered> {
        let snapshot = &self.shaping.snapshot;
        let provider = &context.provider;
        let found = snapshot.meaning().at(provider).classify(reply, stage);
        let local = recipient.map(|address| address.local().as_str());
        let said = Said { workspace: context.workspace, provider, reply, stage, local };
        self.unknown_texts.note(&said, &found, self.clock.now_ms());
        let rule = snapshot.rules().find(reply, found.class, provider)?;
        let (name, action) = (rule.name.clone(), rule.action.clone());
        let hold_until_ms = self.begin(&name, &action, context, &reply.to_string())?;
        Some(Answered { action, hold_until_ms })
    }

    /// What becomes of a recipient after such a reply.
    pub fn verdict(answered: Option<&Answered>, by_class: Verdict, policy: &RetryPolicy, case: &Case<'_>) -> Verdict {
        match answered {
            Some(Answered { action, hold_until_ms }) => {
                react::recipient(action, by_class, policy, case, *hold_until_ms)
            }
            None => react::unanswered(by_class, policy, case),
        }
    }

    /// Counts an outcome for the ratios; something that was taken leads recoveries a step further. The limits are those
    /// of the lane.
    pub fn outcome(self: &Arc<Self>, context: &Context, bounced: bool, limits: &super::Limits) {
        let now_ms = self.clock.now_ms();
        let full = limits.provider_connections.unwrap_or(limits.connections);
        if !bounced {
            let at_provider = Target::SourceProvider(context.source.clone(), context.provider.clone());
            let changes = self.shaping.register.taken(&at_provider, full, now_ms);
            changes.into_iter().for_each(|change| self.book.automation(change));
        }
        self.tell(context, if bounced { Tell::Bounced } else { Tell::Taken }, limits);
    }

    /// What is heard later of mail that had left counts for the ratios too.
    pub fn heard(self: &Arc<Self>, heard: &Heard) {
        let limits = self.shaping.snapshot.limits(&Place {
            provider: &heard.provider,
            hosts: &[],
            domain: None,
            source: Some(&heard.source),
        });
        let context = Context {
            workspace: heard.workspace,
            source: heard.source.clone(),
            site: heard.site.clone(),
            provider: heard.provider.clone(),
            domain: heard.domain.clone(),
            block_hold: limits.block_hold,
        };
        let tell = match heard.happened {
            Happened::Bounced => Tell::BouncedLater,
            Happened::Complained => Tell::Complained,
        };
        self.tell(&context, tell, &limits);
    }

    /// Counts for the ratios, and brings into force what a share leads to.
    fn tell(self: &Arc<Self>, context: &Context, tell: Tell, limits: &super::Limits) {
        let now_ms = self.clock.now_ms();
        let of_complaints = tell == Tell::Complained;
        // The workspace first: its mail has the nearer reason to wait.
        for scope in [Scope::WorkspaceProvider, Scope::SourceProvider] {
            let Some(target) = context.target(scope) else { continue };
            let rules = self.shaping.snapshot.rules().ratios();
            let mut ratios = lock(&self.shaping.ratios);
            let hour = ratios.count(target.clone(), tell, now_ms);
            let n = if of_complaints { hour.complained } else { hour.bounced };
            let reached = |rule: &&super::RatioRule| {
                let permille = rule.limit.permille(limits);
                tell != Tell::Taken
                    && rule.limit.of_complaints() == of_complaints
                    && rule.action.scope == scope
                    && permille.is_some_and(|permille| hour.reaches(n, permille, rule.minimum))
            };
            let Some(rule) = rules.iter().find(reached) else { continue };
            // What is held begins anew afterwards; what is only slowed down may still come to be held.
            if rule.action.hold.is_some() {
                ratios.reset(&target);
            }
            drop(ratios);
            let what = if of_complaints { "were reported as spam" } else { "bounced" };
            let told = format!("{n} of {} in the last hour {what}", hour.all);
            let (name, action) = (rule.name.clone(), rule.action.clone());
            self.begin(&name, &action, context, &told);
        }
    }

    /// Brings an action into force; the outer `None` when nothing is known of its target.
    fn begin(self: &Arc<Self>, rule: &str, action: &Action, context: &Context, reply: &str) -> Option<Option<i64>> {
        let now_ms = self.clock.now_ms();
        let row = react::begin(rule, action, context, reply, now_ms)?;
        let hold = react::hold_span(action, context);
        let begun = self.shaping.register.begin(row, hold, now_ms)?;
        if let Some(row) = begun.row {
            let told = format!("{rule}: {} {}", react::sentence(action, context.block_hold), row.reply);
            tracing::info!(
                rule, source = %context.source, provider = %context.provider,
                "an answer led to: {}", react::sentence(action, context.block_hold)
            );
            self.book.automation(Change::Put(Box::new(row), Some((now_ms, told))));
            if begun.hold_until_ms.is_some() {
                self.clear_way(context, action.scope, now_ms);
            }
        }
        Some(begun.hold_until_ms)
    }

    /// What waits in lanes that are held now looks for another way, or goes back with the reason.
    fn clear_way(self: &Arc<Self>, context: &Context, scope: Scope, now_ms: i64) {
        let concerned = |lane: &Arc<Lane>| match scope {
            Scope::SourceSite => self.source_names[lane.source] == context.source && lane.site.name == context.site,
            Scope::SourceProvider => {
                self.source_names[lane.source] == context.source && lane.site.provider.name == context.provider
            }
            Scope::DomainProvider | Scope::WorkspaceProvider => lane.site.provider.name == context.provider,
            // No reply leads to these.
            Scope::Workspace | Scope::Domain | Scope::Campaign => false,
        };
        for lane in self.lanes().into_iter().filter(concerned) {
            match scope {
                Scope::SourceSite | Scope::SourceProvider => lane.make_way(self),
                _ => self.clear_barred(&lane, now_ms),
            }
        }
    }

    /// What reputation holds now goes back with the reason, from all lanes.
    pub fn clear_bulk(self: &Arc<Self>, now_ms: i64) {
        self.lanes().iter().for_each(|lane| self.clear_barred(lane, now_ms));
    }

    fn clear_barred(&self, lane: &Arc<Lane>, now_ms: i64) {
        let provider = &lane.site.provider.name;
        for hand in lane.take_unless(|c| self.shaping.barred(c, provider, now_ms).is_none()) {
            match self.shaping.barred(&hand.claimed, provider, now_ms) {
                Some(wait) => hand.give_back(wait),
                None => lane.add(hand),
            }
        }
    }

    /// Ends what is over, and writes it down.
    pub fn end_automations(&self, now_ms: i64) {
        for change in self.shaping.register.expire(now_ms) {
            self.book.automation(change);
        }
    }
}

/// What a rule made of a reply.
#[derive(Clone, Debug)]
pub(crate) struct Answered {
    action: Action,
    hold_until_ms: Option<i64>,
}

impl Answered {
    /// Whether the lane that the reply came over is held now.
    pub fn holds_lane(&self) -> bool {
        self.hold_until_ms.is_some() && matches!(self.action.scope, Scope::SourceSite | Scope::SourceProvider)
    }
}
