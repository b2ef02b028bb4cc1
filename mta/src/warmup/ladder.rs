//! From a day's figures to the next stage. A plain function.

use super::Plan;
use serde::Deserialize;
use storage::warmup::Figures;

/// The shares that decide, in percent: `data/warmup.toml`.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Gates {
    delivered_min: f64,
    answers_min: u64,
    deferred_back: f64,
    blocked_back: f64,
    complained_back: f64,
    complained_hold: f64,
}

impl Gates {
    pub fn builtin() -> Gates {
        // A test reads the file, so this holds for every build that passed the tests.
        toml::from_str(include_str!("../../data/warmup.toml")).expect("the built-in gates read")
    }
}

/// What follows from a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// To the next stage.
    Climb,
    /// The last stage is done.
    Done,
    /// Another day at this stage, and why.
    Hold(String),
    /// To the stage before, and why.
    Back(String),
}

/// What follows from a day's figures at a stage.
pub(crate) fn judge(plan: &Plan, gates: &Gates, stage: u32, day: &Figures) -> Step {
    let Some(target) = plan.target(stage) else { return Step::Done };
    let answered = day.answered();
    let share = |n: u64| 100.0 * n as f64 / answered.max(1) as f64;
    let told = |what: &str, n: u64, limit: f64| format!("{n} of {answered} {what}, {limit} % is too much");
    let reasons = [
        ("were refused because of our address or name", day.blocked, gates.blocked_back),
        ("were answered with “not now”", day.deferred, gates.deferred_back),
        ("were reported as spam", day.complained, gates.complained_back),
    ];
    let weighty = answered >= gates.answers_min;
    if let Some((what, n, limit)) = reasons.into_iter().find(|(_, n, limit)| weighty && share(*n) >= *limit) {
        let why = told(what, n, limit);
        return if stage == 0 { Step::Hold(why) } else { Step::Back(why) };
    }
    if weighty && share(day.complained) >= gates.complained_hold {
        return Step::Hold(told("were reported as spam", day.complained, gates.complained_hold));
    }
    if (day.delivered as f64) < target as f64 * gates.delivered_min / 100.0 {
        return Step::Hold(format!(
            "{} of {target} were delivered, {} % are needed",
            day.delivered, gates.delivered_min
        ));
    }
    if plan.target(stage + 1).is_none() { Step::Done } else { Step::Climb }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_what_follows() {
        let plan = Plan { name: "p".into(), stages: vec![200, 500, 1000] };
        let hold = |why: &str| Step::Hold(why.to_owned());
        let back = |why: &str| Step::Back(why.to_owned());
        let refused = "were refused because of our address or name";
        let spam = "were reported as spam";
        for (stage, [delivered, deferred, blocked, bounced, complained], expected) in [
            (0, [200, 0, 0, 0, 0], Step::Climb),
            (0, [180, 10, 0, 10, 0], Step::Climb),
            (0, [179, 0, 0, 21, 0], hold("179 of 200 were delivered, 90 % are needed")),
            (0, [0, 0, 0, 0, 0], hold("0 of 200 were delivered, 90 % are needed")),
            // Few answers say little.
            (1, [1, 9, 9, 0, 9], hold("1 of 500 were delivered, 90 % are needed")),
            (1, [400, 100, 0, 0, 0], back("100 of 500 were answered with “not now”, 20 % is too much")),
            (1, [475, 0, 25, 0, 0], back(&format!("25 of 500 {refused}, 5 % is too much"))),
            (0, [175, 0, 25, 0, 0], hold(&format!("25 of 200 {refused}, 5 % is too much"))),
            (2, [1000, 0, 0, 0, 1], hold(&format!("1 of 1000 {spam}, 0.1 % is too much"))),
            (2, [1000, 0, 0, 0, 3], back(&format!("3 of 1000 {spam}, 0.3 % is too much"))),
            (2, [900, 0, 0, 100, 0], Step::Done),
            (7, [0, 0, 0, 0, 0], Step::Done),
        ] {
            let sent = delivered + deferred + blocked + bounced;
            let day = Figures { sent, delivered, deferred, blocked, bounced, complained };
            assert_eq!(judge(&plan, &Gates::builtin(), stage, &day), expected, "stage {stage}, {day:?}");
        }
    }
}
