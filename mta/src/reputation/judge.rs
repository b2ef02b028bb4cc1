//! From figures to what is done: a plain function.
//!
//! Strategy: the strictest step whose share is reached. A step is left for a milder one when the share has fallen clearly
//! below the one that led to it, so that figures at the limit do not make it come and go; and never because little was
//! sent, as while everything is held: then its time ends it.

use config::ReputationSection;

/// Share to which figures fall before a step is left, in percent of the share that leads to it.
const LEFT_AT_PERCENT: u64 = 80;

/// What is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Step {
    /// Somebody should look.
    Warn,
    /// Bulk mail goes slowly.
    Slow,
    /// No bulk mail goes; a campaign is paused.
    Hold,
    /// No bulk mail of a workspace goes, for long.
    Suspend,
}

/// What is too high.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Measure {
    Complaints,
    Bounces,
}

/// Over which time a step's figures go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Span {
    Day,
    Week,
}

/// Mail that was answered for good, and what came of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Figures {
    pub sent: u64,
    pub bounced: u64,
    pub complained: u64,
}

/// What follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Judgement {
    /// It stays as it is.
    Stay,
    /// This comes into force, instead of what was.
    Step(Step, Measure),
    /// What is in force is over.
    Over,
}

impl Step {
    const ALL: [Step; 4] = [Step::Suspend, Step::Hold, Step::Slow, Step::Warn];

    fn word(self) -> &'static str {
        match self {
            Step::Warn => "warn",
            Step::Slow => "slow",
            Step::Hold => "hold",
            Step::Suspend => "suspend",
        }
    }

    /// The name of the rule: `reputation-bounces-hold`.
    pub fn rule(self, measure: Measure) -> String {
        let measure = match measure {
            Measure::Complaints => "complaints",
            Measure::Bounces => "bounces",
        };
        format!("reputation-{measure}-{}", self.word())
    }

    /// The step of a rule.
    pub fn of_rule(rule: &str) -> Option<Step> {
        let word = rule.strip_prefix("reputation-")?.rsplit('-').next()?;
        Step::ALL.into_iter().find(|step| step.word() == word)
    }

    pub fn span(self) -> Span {
        if self == Step::Suspend { Span::Week } else { Span::Day }
    }

    fn minimum(self, limits: &ReputationSection) -> u64 {
        u64::from(if self == Step::Suspend { limits.suspend_minimum } else { limits.minimum })
    }

    /// The share that leads to it, per mille; `None` where it is switched off.
    fn permille(self, measure: Measure, limits: &ReputationSection) -> Option<u64> {
        let permille = match (self, measure) {
            (Step::Warn, Measure::Bounces) => limits.bounce_warn_percent * 10,
            (Step::Slow, Measure::Bounces) => limits.bounce_slow_percent * 10,
            (Step::Hold, Measure::Bounces) => limits.bounce_hold_percent * 10,
            (Step::Suspend, Measure::Bounces) => limits.suspend_bounce_percent * 10,
            (Step::Warn, Measure::Complaints) => limits.complaint_warn_permille,
            (Step::Slow, Measure::Complaints) => limits.complaint_slow_permille,
            (Step::Hold, Measure::Complaints) => limits.complaint_hold_permille,
            (Step::Suspend, Measure::Complaints) => limits.suspend_complaint_permille,
        };
        (permille > 0).then_some(u64::from(permille))
    }
}

impl Measure {
    const ALL: [Measure; 2] = [Measure::Complaints, Measure::Bounces];

    /// What a person should do.
    pub fn advice(self) -> &'static str {
        match self {
            Measure::Complaints => {
                "Recipients report it as spam: look at what is sent, how often, and whether they asked for it."
            }
            Measure::Bounces => {
                "Old or bought addresses bounce: send to those who were engaged lately, and clean the list."
            }
        }
    }
}

impl Figures {
    pub fn add(&mut self, other: Figures) {
        self.sent += other.sent;
        self.bounced += other.bounced;
        self.complained += other.complained;
    }

    fn count(&self, measure: Measure) -> u64 {
        match measure {
            Measure::Complaints => self.complained,
            Measure::Bounces => self.bounced,
        }
    }

    /// The figures as a sentence's part: `52 of 1000 bounced in the last 24 hours (5.2 %)`.
    pub fn told(&self, measure: Measure, span: Span) -> String {
        let n = self.count(measure);
        let what = match measure {
            Measure::Complaints => "were reported as spam",
            Measure::Bounces => "bounced",
        };
        let span = match span {
            Span::Day => "24 hours",
            Span::Week => "7 days",
        };
        let percent = n as f64 * 100.0 / self.sent.max(1) as f64;
        format!("{n} of {} {what} in the last {span} ({percent:.2} %)", self.sent)
    }
}

/// What follows from the figures of the day, and of the week where a suspension is possible.
pub(super) fn judge(
    limits: &ReputationSection,
    in_force: Option<Step>,
    day: &Figures,
    week: Option<&Figures>,
) -> Judgement {
    let of = |step: Step| if step.span() == Span::Week { week } else { Some(day) };
    let reaches = |step: Step, measure: Measure| {
        let percent = if in_force >= Some(step) { LEFT_AT_PERCENT } else { 100 };
        let (Some(figures), Some(permille)) = (of(step), step.permille(measure, limits)) else { return false };
        figures.sent >= step.minimum(limits) && figures.count(measure) * 1000 * 100 >= figures.sent * permille * percent
    };
    let wanted = Step::ALL
        .into_iter()
        .find_map(|step| Some((step, Measure::ALL.into_iter().find(|measure| reaches(step, *measure))?)));
    let Some(now) = in_force else {
        return wanted.map_or(Judgement::Stay, |(step, measure)| Judgement::Step(step, measure));
    };
    match wanted {
        Some((step, measure)) if step > now => Judgement::Step(step, measure),
        Some((step, _)) if step == now => Judgement::Stay,
        _ if of(now).is_none_or(|figures| figures.sent < now.minimum(limits)) => Judgement::Stay,
        Some((step, measure)) => Judgement::Step(step, measure),
        None => Judgement::Over,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Judgement::{Over, Stay};
    use Measure::{Bounces as B, Complaints as C};

    fn figures([sent, bounced, complained]: [u64; 3]) -> Figures {
        Figures { sent, bounced, complained }
    }

    #[test]
    fn from_figures_to_steps() {
        let limits = config::Config::default().reputation;
        let (warn, slow, hold) = (Some(Step::Warn), Some(Step::Slow), Some(Step::Hold));
        let step = Judgement::Step;
        for (in_force, day, expected) in [
            // What begins.
            (None, [999, 999, 99], Stay),
            (None, [1000, 49, 0], Stay),
            (None, [1000, 50, 0], step(Step::Slow, B)),
            (None, [1000, 100, 0], step(Step::Hold, B)),
            (None, [1000, 0, 1], step(Step::Warn, C)),
            (None, [1000, 0, 2], step(Step::Slow, C)),
            (None, [1000, 50, 3], step(Step::Hold, C)),
            (None, [10_000, 0, 9], Stay),
            // What becomes stricter.
            (warn, [1000, 50, 1], step(Step::Slow, B)),
            (slow, [1000, 100, 0], step(Step::Hold, B)),
            // What stays though it is below its limit, and what becomes milder.
            (warn, [10_000, 0, 8], Stay),
            (warn, [10_000, 0, 7], Over),
            (slow, [1000, 40, 0], Stay),
            (slow, [1000, 39, 0], Over),
            (slow, [10_000, 390, 10], step(Step::Warn, C)),
            (hold, [1000, 80, 0], Stay),
            (hold, [1000, 79, 0], step(Step::Slow, B)),
            (hold, [1000, 0, 0], Over),
            // Nothing goes: its time ends it.
            (hold, [900, 0, 0], Stay),
            (slow, [0, 0, 0], Stay),
        ] {
            assert_eq!(judge(&limits, in_force, &figures(day), None), expected, "{in_force:?} {day:?}");
        }
    }

    #[test]
    fn a_workspace_is_suspended_for_its_week() {
        let limits = config::Config::default().reputation;
        let (hold, suspend) = (Some(Step::Hold), Some(Step::Suspend));
        let step = Judgement::Step;
        for (in_force, day, week, expected) in [
            (None, [0, 0, 0], [4_999, 4_999, 0], Stay),
            (None, [0, 0, 0], [5_000, 249, 14], Stay),
            (None, [0, 0, 0], [5_000, 250, 0], step(Step::Suspend, B)),
            (None, [0, 0, 0], [5_000, 0, 15], step(Step::Suspend, C)),
            (hold, [0, 0, 0], [5_000, 250, 0], step(Step::Suspend, B)),
            (suspend, [0, 0, 0], [5_000, 200, 0], Stay),
            (suspend, [0, 0, 0], [5_000, 199, 0], Over),
            (suspend, [1_000, 60, 0], [6_000, 199, 0], step(Step::Slow, B)),
            (suspend, [0, 0, 0], [400, 0, 0], Stay),
        ] {
            let found = judge(&limits, in_force, &figures(day), Some(&figures(week)));
            assert_eq!(found, expected, "{in_force:?} {day:?} {week:?}");
        }
    }

    #[test]
    fn limits_are_switched_off_one_by_one() {
        let limits = config::ReputationSection {
            bounce_hold_percent: 0,
            complaint_warn_permille: 0,
            ..config::Config::default().reputation
        };
        let judged = |day| judge(&limits, None, &figures(day), None);
        assert_eq!(judged([1000, 1000, 0]), Judgement::Step(Step::Slow, B));
        assert_eq!(judged([1000, 0, 1]), Stay);
    }

    #[test]
    fn rules_read_back() {
        for step in Step::ALL {
            for measure in Measure::ALL {
                assert_eq!(Step::of_rule(&step.rule(measure)), Some(step));
            }
        }
        assert_eq!(Step::of_rule("complaints-hold"), None);
        let told = figures([1000, 52, 0]).told(B, Span::Day);
        assert_eq!(told, "52 of 1000 bounced in the last 24 hours (5.20 %)");
    }
}
