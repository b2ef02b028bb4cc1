//! The automations in force, in memory: what holds and slows down whom, until when.

use super::react::{Target, target_of, wait_reason};
use super::recovery::{self, Step};
use crate::shared::lock;
use config::Rate;
use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;
use storage::AutomationId;
use storage::automation::Automation;
use storage::queue::Wait;

/// A refusal within this time of the last one says nothing new: it was under way.
const ECHO_MS: i64 = 60_000;
/// Automations in force at most. What would exceed it is not begun: then something is wrong that they cannot mend.
const OPEN_MAX: usize = 10_000;

/// An automation in force.
struct InForce {
    row: Automation,
    rate: Option<Rate>,
    /// When it was begun or extended.
    changed_ms: i64,
    /// Of a recovery: when the last connection was added.
    stepped_ms: i64,
}

#[derive(Default)]
struct Open {
    by_target: HashMap<Target, Vec<InForce>>,
    newest: i64,
}

/// All automations in force.
#[derive(Default)]
pub(crate) struct Register {
    open: Mutex<Open>,
    /// How many: nobody looks closer while there are none.
    count: AtomicUsize,
}

/// A change to be written.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    /// Begun, extended, or one step further; the text is told as an event.
    Put(Box<Automation>, Option<(i64, String)>),
    /// Its time was over, or it had done what it was for.
    Ended(AutomationId, i64, Option<&'static str>),
}

/// What came of a refusal.
#[derive(Clone, Debug)]
pub(crate) struct Begun {
    /// The end of the hold that is in force now.
    pub hold_until_ms: Option<i64>,
    /// What is to be written, if anything changed.
    pub row: Option<Automation>,
}

/// What holds and slows a lane down.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Restraint {
    /// Nothing goes until then.
    pub hold: Option<Wait>,
    /// Connections at most, of the source to this site, and to all sites of the provider.
    pub connections: [Option<u32>; 2],
    /// Messages at most, each with the automation that says so.
    pub rates: Vec<(AutomationId, Rate)>,
}

impl Restraint {
    /// Connections of the lane at most.
    pub fn lane_connections(&self) -> u32 {
        self.connections.iter().flatten().copied().min().unwrap_or(u32::MAX)
    }
}

impl Register {
    /// Takes up what was in force when the last run ended.
    pub fn restore(rows: Vec<Automation>, newest: AutomationId) -> Register {
        let register = Register::default();
        {
            let mut open = lock(&register.open);
            open.newest = newest.0;
            for row in rows {
                let Some(target) = target_of(&row) else { continue };
                register.count.fetch_add(1, SeqCst);
                open.by_target.entry(target).or_default().push(InForce::new(row));
            }
        }
        register
    }

    pub fn is_empty(&self) -> bool {
        self.count.load(SeqCst) == 0
    }

    /// Begins an automation, or extends the one that is in force for the same reason.
    pub fn begin(&self, mut row: Automation, hold: Option<Duration>, now_ms: i64) -> Option<Begun> {
        let target = target_of(&row)?;
        let mut open = lock(&self.open);
        let known = open
            .by_target
            .get_mut(&target)
            .and_then(|all| all.iter_mut().find(|one| one.row.rule == row.rule && now_ms < one.row.until_ms));
        if let Some(known) = known {
            let changed = match hold.filter(|_| row.recovers) {
                Some(hold) => recovery::refused(&mut known.row, hold, now_ms),
                None => known.extend(&row, now_ms),
            };
            if changed {
                known.row.reply = row.reply;
            }
            return Some(Begun { hold_until_ms: known.row.hold_until_ms, row: changed.then(|| known.row.clone()) });
        }
        if self.count.load(SeqCst) >= OPEN_MAX {
            return None;
        }
        open.newest += 1;
        row.id = AutomationId(open.newest);
        open.by_target.entry(target).or_default().push(InForce::new(row.clone()));
        self.count.fetch_add(1, SeqCst);
        Some(Begun { hold_until_ms: row.hold_until_ms, row: Some(row) })
    }

    /// What holds and slows down a source at a site and at a provider.
    pub fn restraint(&self, at_site: &Target, at_provider: &Target, now_ms: i64) -> Restraint {
        let mut restraint = Restraint::default();
        if self.is_empty() {
            return restraint;
        }
        let open = lock(&self.open);
        for (place, target) in [at_site, at_provider].into_iter().enumerate() {
            for one in open.by_target.get(target).into_iter().flatten().filter(|one| now_ms < one.row.until_ms) {
                let hold = one.row.hold_until_ms.filter(|until_ms| now_ms < *until_ms);
                if let Some(due_ms) = hold.filter(|due_ms| restraint.hold.is_none_or(|held| held.due_ms < *due_ms)) {
                    restraint.hold = Some(Wait { reason: wait_reason(one.row.scope, one.row.recovers), due_ms });
                }
                let limit = &mut restraint.connections[place];
                *limit = [*limit, one.row.connections].into_iter().flatten().min();
                restraint.rates.extend(one.rate.map(|rate| (one.row.id, rate)));
            }
        }
        restraint
    }

    /// Why and until when nothing goes that is of this domain or workspace.
    pub fn bars(&self, target: &Target, now_ms: i64) -> Option<Wait> {
        let open = lock(&self.open);
        let holds = open.by_target.get(target)?.iter().filter_map(|one| {
            let due_ms = one.row.hold_until_ms.filter(|until_ms| now_ms < *until_ms)?;
            Some(Wait { reason: wait_reason(one.row.scope, one.row.recovers), due_ms })
        });
        holds.max_by_key(|wait| wait.due_ms)
    }

    /// What slows down who is one of these: each automation with its rate, and its end.
    pub fn slows(&self, targets: &[Target], now_ms: i64) -> Vec<(AutomationId, Rate, i64)> {
        let open = lock(&self.open);
        let all = targets.iter().filter_map(|target| open.by_target.get(target)).flatten();
        let slow = |one: &InForce| Some((one.row.id, one.rate?, one.row.until_ms));
        all.filter(|one| now_ms < one.row.until_ms).filter_map(slow).collect()
    }

    /// What is in force for exactly this.
    pub fn first(&self, target: &Target) -> Option<Automation> {
        lock(&self.open).by_target.get(target)?.first().map(|one| one.row.clone())
    }

    /// What is in force about bulk mail wherever it goes.
    pub fn everywhere(&self) -> Vec<Automation> {
        if self.is_empty() {
            return Vec::new();
        }
        let open = lock(&self.open);
        let all = open.by_target.values().flatten().filter(|one| one.row.scope.is_everywhere());
        all.map(|one| one.row.clone()).collect()
    }

    /// Something was taken: recoveries of the source at the provider go a step further, or are over.
    pub fn taken(&self, at_provider: &Target, full: u32, now_ms: i64) -> Vec<Change> {
        if self.is_empty() {
            return Vec::new();
        }
        let mut open = lock(&self.open);
        let Some(all) = open.by_target.get_mut(at_provider) else { return Vec::new() };
        let mut changes = Vec::new();
        all.retain_mut(|one| {
            if !one.row.recovers {
                return true;
            }
            match recovery::taken(&mut one.row, &mut one.stepped_ms, full, now_ms) {
                Step::None => true,
                Step::More => {
                    changes.push(Change::Put(Box::new(one.row.clone()), None));
                    true
                }
                Step::Over => {
                    changes.push(Change::Ended(one.row.id, now_ms, Some("recovered")));
                    self.count.fetch_sub(1, SeqCst);
                    false
                }
            }
        });
        open.by_target.retain(|_, all| !all.is_empty());
        changes
    }

    /// Takes out whose time is over.
    pub fn expire(&self, now_ms: i64) -> Vec<Change> {
        if self.is_empty() {
            return Vec::new();
        }
        let over = |one: &InForce| one.row.until_ms <= now_ms;
        self.take_out(over).into_iter().map(|row| Change::Ended(row.id, now_ms, None)).collect()
    }

    /// Takes one out that a person lifted.
    pub fn lift(&self, id: AutomationId) -> Option<Automation> {
        self.take_out(|one| one.row.id == id).pop()
    }

    fn take_out(&self, out: impl Fn(&InForce) -> bool) -> Vec<Automation> {
        let mut taken = Vec::new();
        let mut open = lock(&self.open);
        open.by_target.retain(|_, all| {
            taken.extend(all.extract_if(.., |one| out(one)).map(|one| one.row));
            !all.is_empty()
        });
        self.count.fetch_sub(taken.len(), SeqCst);
        taken
    }
}

impl InForce {
    fn new(row: Automation) -> InForce {
        let rate = row.rate.as_deref().and_then(Rate::parse);
        InForce { rate, changed_ms: row.since_ms, stepped_ms: row.since_ms, row }
    }

    /// The same reason again: its time begins anew, unless this is an echo of what was under way.
    fn extend(&mut self, again: &Automation, now_ms: i64) -> bool {
        if now_ms - self.changed_ms < ECHO_MS {
            return false;
        }
        self.changed_ms = now_ms;
        self.row.until_ms = self.row.until_ms.max(again.until_ms);
        self.row.hold_until_ms = self.row.hold_until_ms.max(again.hold_until_ms);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shaping::react::{Context, begin};
    use crate::shaping::rules::{Rules, class_of, parse_reply};
    use expect_test::expect;
    use mail::WaitReason;
    use storage::WorkspaceId;

    const MINUTE: i64 = 60_000;

    fn context() -> Context {
        Context {
            workspace: WorkspaceId::MAIN,
            source: "mx1".into(),
            site: "mx.example".into(),
            provider: "Google".into(),
            domain: Some("news.example".into()),
            block_hold: Duration::from_mins(10),
        }
    }

    fn refuse(register: &Register, text: &str, now_ms: i64) -> Begun {
        let (reply, stage) = parse_reply(text).unwrap();
        let rules = Rules::builtin();
        let rule = rules.find(&reply, class_of(&reply, stage), "Google").unwrap();
        let row = begin(&rule.name, &rule.action, &context(), text, now_ms).unwrap();
        let hold = crate::shaping::react::hold_span(&rule.action, &context());
        register.begin(row, hold, now_ms).unwrap()
    }

    fn lane(register: &Register, now_ms: i64) -> Restraint {
        let at_site = Target::SourceSite("mx1".into(), "mx.example".into());
        register.restraint(&at_site, &at_provider(), now_ms)
    }

    fn at_provider() -> Target {
        Target::SourceProvider("mx1".into(), "Google".into())
    }

    /// Refused at once, again at the first try after the hold; then it goes well.
    #[test]
    fn the_way_back_is_one_connection_at_a_time() {
        let register = Register::default();
        let mut story = String::new();
        let minute = |n: i64, refused: bool, story: &mut String| {
            let now_ms = n * MINUTE;
            let restraint = lane(&register, now_ms);
            let what = match (restraint.hold, refused) {
                (Some(hold), _) => format!("held until {} min", hold.due_ms / MINUTE),
                (None, true) => {
                    let begun = refuse(&register, "421 4.7.28 unusual rate", now_ms);
                    format!("refused: {:?} min", begun.hold_until_ms.map(|at| at / MINUTE))
                }
                (None, false) => {
                    let changes = register.taken(&at_provider(), 4, now_ms);
                    let now = lane(&register, now_ms).connections[1];
                    format!("taken: {now:?}{}", if changes.is_empty() { "" } else { ", written" })
                }
            };
            story.push_str(&format!("{n}: {what}\n"));
        };
        for n in [0, 1, 9, 10, 11, 19, 20, 21, 22, 23, 24, 25] {
            minute(n, n <= 10, &mut story);
        }
        expect![[r#"
            0: refused: Some(10) min
            1: held until 10 min
            9: held until 10 min
            10: refused: Some(20) min
            11: held until 20 min
            19: held until 20 min
            20: taken: Some(1)
            21: taken: Some(2), written
            22: taken: Some(3), written
            23: taken: Some(4), written
            24: taken: None, written
            25: taken: None
        "#]]
        .assert_eq(&story);
        assert!(register.is_empty());
    }

    #[test]
    fn an_echo_does_not_extend_but_a_new_refusal_does() {
        let register = Register::default();
        let text = "[mail] 554 5.7.1 blocked using zen.spamhaus.org";
        assert_eq!(refuse(&register, text, 0).hold_until_ms, Some(10 * MINUTE));
        assert!(refuse(&register, text, 30_000).row.is_none());
        assert_eq!(refuse(&register, text, 2 * MINUTE).hold_until_ms, Some(12 * MINUTE));
        let hold = lane(&register, 3 * MINUTE).hold.unwrap();
        assert_eq!((hold.reason, hold.due_ms), (WaitReason::SourceBlocked, 12 * MINUTE));
        assert_eq!(lane(&register, 12 * MINUTE).hold, None);
        assert_eq!(register.expire(12 * MINUTE).len(), 1);
        assert!(register.is_empty());
    }

    #[test]
    fn domains_are_barred_and_lifted() {
        let register = Register::default();
        let begun = refuse(&register, "550 5.7.26 unauthenticated", 0);
        let domain = |name: &str| Target::DomainProvider(name.into(), "Google".into());
        let barred = register.bars(&domain("news.example"), MINUTE).unwrap();
        assert_eq!(barred.reason, WaitReason::DomainHold);
        assert_eq!(register.bars(&domain("other.example"), MINUTE), None);
        assert_eq!(lane(&register, MINUTE), Restraint::default(), "the lane goes on");
        let id = begun.row.unwrap().id;
        assert!(register.lift(id).is_some() && register.lift(id).is_none());
        assert_eq!(register.bars(&domain("news.example"), MINUTE), None);
    }

    #[test]
    fn a_restart_changes_nothing() {
        let register = Register::default();
        let row = refuse(&register, "421 4.7.28 unusual rate", 0).row.unwrap();
        let again = Register::restore(vec![row.clone()], row.id);
        assert_eq!(lane(&again, MINUTE), lane(&register, MINUTE));
        let next = refuse(&again, "550 5.7.26 unauthenticated", MINUTE).row.unwrap();
        assert!(next.id > row.id, "an id is never used twice");
    }
}
