//! Whether the steps of a journey hold together: pure, so that the tests are tables.

use super::advance::time_of;
use api_types::{JourneyAction, JourneyGraph, JourneyStep};
use std::collections::{HashMap, HashSet};

/// Steps at most: what a person can still read.
pub const STEPS_MAX: usize = 100;
/// A year of minutes.
const WAIT_MAX: u32 = 525_600;
/// A loop waits so long at least: nobody gets a mail of one journey more often than once a day.
const LOOP_WAIT_MIN: u32 = 1_440;
/// Ten years.
const REENTRY_MAX: u32 = 3_650;

/// What keeps a journey from being published.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// The key of the step; `None` for the whole.
    pub step: Option<String>,
    /// What is wrong and what to do.
    pub message: String,
}

/// Everything that is wrong with the steps and how they hang together.
#[must_use]
pub fn problems(graph: &JourneyGraph) -> Vec<Problem> {
    let mut found = Vec::new();
    by_itself(graph, &mut |step, message| found.push(Problem { step: step.map(str::to_owned), message }));
    // How it hangs together can be said once everything is connected.
    if found.is_empty() {
        together(graph, &mut |step, message| found.push(Problem { step: Some(step.to_owned()), message }));
    }
    found
}

/// What is wrong with the whole, and with each step alone.
fn by_itself(graph: &JourneyGraph, say: &mut impl FnMut(Option<&str>, String)) {
    if graph.reentry_days.is_some_and(|days| days == 0 || days > REENTRY_MAX) {
        say(None, format!("who has been in it may enter again after 1 to {REENTRY_MAX} days"));
    }
    if graph.steps.is_empty() {
        say(None, "there is no step; add one".to_owned());
        return;
    }
    if graph.step(&graph.start).is_none() {
        say(None, "it begins with no step; say which is the first".to_owned());
    }
    for step in &graph.steps {
        if let Some(message) = own(&step.action) {
            say(Some(&step.key), message);
        }
        for port in step.action.ports() {
            match step.to.get(&port).map(String::as_str) {
                None | Some("") => say(Some(&step.key), format!("“{port}” leads nowhere; choose the step behind it")),
                Some(to) if graph.step(to).is_none() => {
                    say(Some(&step.key), format!("“{port}” leads to the step {to}, which is not there"));
                }
                Some(_) => {}
            }
        }
    }
}

/// What is wrong with a step itself.
fn own(action: &JourneyAction) -> Option<String> {
    match action {
        JourneyAction::Wait { minutes } if *minutes == 0 || *minutes > WAIT_MAX => {
            Some("it waits from one minute to a year (525,600 minutes)".to_owned())
        }
        JourneyAction::WaitUntil { time, .. } if time_of(time).is_none() => {
            Some("write the time of day as 09:30".to_owned())
        }
        JourneyAction::Random { percents } if !(2..=10).contains(&percents.len()) => {
            Some("it has 2 to 10 paths".to_owned())
        }
        JourneyAction::Random { percents } if percents.iter().map(|p| u32::from(*p)).sum::<u32>() != 100 => {
            let sum = percents.iter().map(|p| u32::from(*p)).sum::<u32>();
            Some(format!("its shares are {sum} percent in all; make them 100"))
        }
        JourneyAction::AddTag { tag } | JourneyAction::RemoveTag { tag } if tag.trim().is_empty() => {
            Some("write the tag".to_owned())
        }
        JourneyAction::AddTag { tag } | JourneyAction::RemoveTag { tag }
            if tag.chars().count() > 100 || tag.chars().any(char::is_control) =>
        {
            Some("a tag has at most 100 characters and no line ends".to_owned())
        }
        _ => None,
    }
}

/// Where every port leads somewhere: what is never reached, what never ends, what goes round without waiting.
fn together(graph: &JourneyGraph, say: &mut impl FnMut(&str, String)) {
    let reached = reach(&[graph.start.as_str()], |key| graph.step(key).map(after).unwrap_or_default());
    let mut before: HashMap<&str, Vec<&str>> = HashMap::new();
    for step in &graph.steps {
        for to in after(step) {
            before.entry(to).or_default().push(&step.key);
        }
    }
    let exits: Vec<&str> = graph
        .steps
        .iter()
        .filter(|step| matches!(step.action, JourneyAction::Exit))
        .map(|step| step.key.as_str())
        .collect();
    let ends = reach(&exits, |key| before.get(key).cloned().unwrap_or_default());
    for step in &graph.steps {
        let key = step.key.as_str();
        if !reached.contains(key) {
            say(key, "no way leads to it; connect it or remove it".to_owned());
        } else if !ends.contains(key) {
            say(key, "no way leads from it to an exit".to_owned());
        } else if hurries(step) && goes_round(graph, key) {
            say(key, "it goes round in a loop; put a wait of at least a day into the loop".to_owned());
        }
    }
}

/// Whether a loop through the step is not slowed down by it.
fn hurries(step: &JourneyStep) -> bool {
    match &step.action {
        JourneyAction::Wait { minutes } => *minutes < LOOP_WAIT_MIN,
        // Such a moment comes once a day at most.
        JourneyAction::WaitUntil { .. } => false,
        _ => true,
    }
}

/// Whether one comes back to the step without passing one that slows down.
fn goes_round(graph: &JourneyGraph, key: &str) -> bool {
    let fast = |key: &str| match graph.step(key) {
        Some(step) if hurries(step) => after(step),
        _ => Vec::new(),
    };
    let first = fast(key);
    reach(&first, fast).contains(key)
}

fn after(step: &JourneyStep) -> Vec<&str> {
    step.action.ports().iter().filter_map(|port| step.to.get(port)).map(String::as_str).collect()
}

/// All that is reached from these, themselves included.
fn reach<'a>(from: &[&'a str], next: impl Fn(&'a str) -> Vec<&'a str>) -> HashSet<&'a str> {
    let mut seen: HashSet<&str> = from.iter().copied().collect();
    let mut open: Vec<&str> = from.to_vec();
    while let Some(key) = open.pop() {
        for to in next(key) {
            if seen.insert(to) {
                open.push(to);
            }
        }
    }
    seen
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use api_types::{Filter, JourneyMail};

    pub(in crate::journey) fn graph(start: &str, steps: Vec<JourneyStep>) -> JourneyGraph {
        JourneyGraph { start: start.to_owned(), steps, ..JourneyGraph::default() }
    }

    /// A step all of whose ports lead to one other.
    pub(in crate::journey) fn step(key: &str, action: JourneyAction, to: &str) -> JourneyStep {
        let to = action.ports().into_iter().map(|port| (port, to.to_owned())).collect();
        JourneyStep { key: key.to_owned(), name: String::new(), action, to }
    }

    pub(in crate::journey) fn exit(key: &str) -> JourneyStep {
        step(key, JourneyAction::Exit, "")
    }

    fn send(key: &str, to: &str) -> JourneyStep {
        step(key, JourneyAction::Send(JourneyMail::default()), to)
    }

    fn wait(key: &str, minutes: u32, to: &str) -> JourneyStep {
        step(key, JourneyAction::Wait { minutes }, to)
    }

    fn split(key: &str, yes: &str, no: &str) -> JourneyStep {
        let mut made = step(key, JourneyAction::Split { filter: Filter::everyone() }, yes);
        made.to.insert("no".to_owned(), no.to_owned());
        made
    }

    fn check(graph: &JourneyGraph, expected: &[&str]) {
        let found: Vec<String> = problems(graph)
            .into_iter()
            .map(|problem| format!("{}: {}", problem.step.unwrap_or_else(|| "-".to_owned()), problem.message))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn what_does_not_hold_together() {
        let day = LOOP_WAIT_MIN;
        check(&graph("a", vec![send("a", "w"), wait("w", 60, "z"), exit("z")]), &[]);
        check(&graph("a", vec![]), &["-: there is no step; add one"]);
        check(&graph("b", vec![exit("a")]), &["-: it begins with no step; say which is the first"]);
        check(&graph("a", vec![send("a", ""), exit("z")]), &["a: “next” leads nowhere; choose the step behind it"]);
        check(
            &graph("a", vec![split("a", "z", "gone"), exit("z")]),
            &["a: “no” leads to the step gone, which is not there"],
        );
        check(&graph("a", vec![exit("a"), exit("b")]), &["b: no way leads to it; connect it or remove it"]);
        check(
            &graph("a", vec![split("a", "z", "w"), wait("w", day, "w"), exit("z")]),
            &["w: no way leads from it to an exit"],
        );
        // Round and out again, with and without a wait.
        check(&graph("a", vec![send("a", "w"), wait("w", day, "s"), split("s", "z", "a"), exit("z")]), &[]);
        let round = "it goes round in a loop; put a wait of at least a day into the loop";
        let told = |key: &str| format!("{key}: {round}");
        check(
            &graph("a", vec![send("a", "w"), wait("w", day - 1, "s"), split("s", "z", "a"), exit("z")]),
            &[&told("a"), &told("w"), &told("s")],
        );
        check(&graph("s", vec![split("s", "z", "s"), exit("z")]), &[&told("s")]);
    }

    #[test]
    fn what_is_wrong_with_a_step() {
        let of = |action: JourneyAction| graph("a", vec![step("a", action, "z"), exit("z")]);
        let waits = "a: it waits from one minute to a year (525,600 minutes)";
        check(&of(JourneyAction::Wait { minutes: 0 }), &[waits]);
        check(&of(JourneyAction::Wait { minutes: WAIT_MAX + 1 }), &[waits]);
        check(&of(JourneyAction::Wait { minutes: WAIT_MAX }), &[]);
        let until = |time: &str| JourneyAction::WaitUntil { weekdays: vec![], time: time.to_owned() };
        check(&of(until("9")), &["a: write the time of day as 09:30"]);
        check(&of(JourneyAction::Random { percents: vec![100] }), &["a: it has 2 to 10 paths"]);
        check(
            &of(JourneyAction::Random { percents: vec![50, 40] }),
            &["a: its shares are 90 percent in all; make them 100"],
        );
        check(&of(JourneyAction::Random { percents: vec![50, 50] }), &[]);
        check(&of(JourneyAction::AddTag { tag: " ".into() }), &["a: write the tag"]);
        let again = JourneyGraph { reentry_days: Some(0), ..of(JourneyAction::Wait { minutes: 1 }) };
        check(&again, &["-: who has been in it may enter again after 1 to 3650 days"]);
    }
}
