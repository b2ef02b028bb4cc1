//! A journey's steps as an outline, and the changes that people make to it.

use std::cmp::Reverse;
use std::collections::HashSet;

use api_types::{Filter, Journey, JourneyAction, JourneyFigures, JourneyGraph, JourneyMail, JourneyState, JourneyStep};

use crate::tone::{Status, Tone};

/// A journey's state.
#[must_use]
pub fn state(state: JourneyState) -> Status {
    match state {
        JourneyState::Draft => (Tone::Neutral, "Draft"),
        JourneyState::Live => (Tone::Active, "Live"),
        JourneyState::Paused => (Tone::Warning, "Paused"),
        JourneyState::Ended => (Tone::Neutral, "Ended"),
    }
}

/// A journey's state as the API's filters spell it.
#[must_use]
pub fn state_word(state: JourneyState) -> &'static str {
    match state {
        JourneyState::Draft => "draft",
        JourneyState::Live => "live",
        JourneyState::Paused => "paused",
        JourneyState::Ended => "ended",
    }
}

/// Why a run ended, with a tone.
#[must_use]
pub fn end_reason(word: &str) -> Status {
    match word {
        "finished" => (Tone::Success, "Finished"),
        "goal" => (Tone::Success, "Goal reached"),
        "unsubscribed" => (Tone::Warning, "Unsubscribed"),
        "bounced" => (Tone::Danger, "Bounced"),
        "complained" => (Tone::Danger, "Complained"),
        "suppressed" => (Tone::Warning, "Suppressed"),
        "left_list" => (Tone::Warning, "Left the list"),
        "contact_deleted" => (Tone::Neutral, "Contact deleted"),
        "by_hand" => (Tone::Neutral, "Taken out"),
        "journey_ended" => (Tone::Neutral, "Journey ended"),
        "not_entered" => (Tone::Neutral, "Not let in"),
        _ => (Tone::Neutral, "Ended"),
    }
}

/// Where something can be put: the beginning, or behind a port of a step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// The first step.
    Start,
    /// Behind this port of this step.
    Port(String, String),
}

/// A line of the outline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// How far it is moved in.
    pub depth: usize,
    /// Where it stands; `None` for what no way leads to.
    pub place: Option<Place>,
    /// The branch that begins here, as people read it.
    pub branch: Option<String>,
    /// What is there.
    pub what: What,
}

/// What stands on a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A step, by its key.
    Step(String),
    /// The way goes on with a step that stands elsewhere.
    GoesTo(String),
    /// The way leads nowhere.
    Open,
}

/// The steps in the order in which a contact comes to them, branches moved in; what is not connected comes last.
#[must_use]
pub fn outline(graph: &JourneyGraph) -> Vec<Line> {
    let mut drawn = Drawn { graph, lines: Vec::new(), seen: HashSet::new() };
    drawn.follow(Place::Start, &graph.start, 0, None);
    for step in &graph.steps {
        if !drawn.seen.contains(&step.key) {
            drawn.draw(step, 0, None, None);
        }
    }
    drawn.lines
}

struct Drawn<'a> {
    graph: &'a JourneyGraph,
    lines: Vec<Line>,
    seen: HashSet<String>,
}

impl Drawn<'_> {
    fn follow(&mut self, place: Place, to: &str, depth: usize, branch: Option<String>) {
        let line = |what| Line { depth, place: Some(place.clone()), branch: branch.clone(), what };
        match self.graph.step(to) {
            None => self.lines.push(line(What::Open)),
            Some(step) if self.seen.contains(&step.key) => self.lines.push(line(What::GoesTo(step.key.clone()))),
            Some(step) => self.draw(step, depth, Some(place), branch),
        }
    }

    fn draw(&mut self, step: &JourneyStep, depth: usize, place: Option<Place>, branch: Option<String>) {
        self.seen.insert(step.key.clone());
        self.lines.push(Line { depth, place, branch, what: What::Step(step.key.clone()) });
        let ports = step.action.ports();
        let branches = ports.len() > 1;
        for port in &ports {
            let to = step.to.get(port).map(String::as_str).unwrap_or_default();
            let name = branches.then(|| port_name(port, &step.action));
            let place = Place::Port(step.key.clone(), port.clone());
            self.follow(place, to, depth + usize::from(branches), name);
        }
    }
}

fn port_name(port: &str, action: &JourneyAction) -> String {
    match (port, action) {
        ("yes", _) => "If so".to_owned(),
        ("no", _) => "If not".to_owned(),
        (port, JourneyAction::Random { percents }) => {
            let n: usize = port.trim_start_matches("path_").parse().unwrap_or(1);
            let percent = percents.get(n.saturating_sub(1)).copied().unwrap_or(0);
            format!("Path {n}, {percent} %")
        }
        (port, _) => port.to_owned(),
    }
}

/// The kinds of steps that can be added: word and label.
pub const KINDS: [(&str, &str); 10] = [
    ("send", "Send a mail"),
    ("wait", "Wait for a time"),
    ("wait_until", "Wait until a day or hour"),
    ("split", "Split by a rule"),
    ("random", "Split by chance"),
    ("add_tag", "Add a tag"),
    ("remove_tag", "Remove a tag"),
    ("join_list", "Put on a list"),
    ("leave_list", "Take off a list"),
    ("exit", "Exit"),
];

/// The word of a step's kind.
#[must_use]
pub fn kind(action: &JourneyAction) -> &'static str {
    match action {
        JourneyAction::Send(_) => "send",
        JourneyAction::Wait { .. } => "wait",
        JourneyAction::WaitUntil { .. } => "wait_until",
        JourneyAction::Split { .. } => "split",
        JourneyAction::Random { .. } => "random",
        JourneyAction::AddTag { .. } => "add_tag",
        JourneyAction::RemoveTag { .. } => "remove_tag",
        JourneyAction::JoinList { .. } => "join_list",
        JourneyAction::LeaveList { .. } => "leave_list",
        JourneyAction::Exit => "exit",
    }
}

/// A new step of a kind, with what is most often meant. A mail has the sender of the one before it.
#[must_use]
pub fn beginning(kind: &str, graph: &JourneyGraph) -> JourneyAction {
    match kind {
        "send" => {
            let before = graph.steps.iter().rev().find_map(|step| match &step.action {
                JourneyAction::Send(mail) => Some(JourneyMail { template_id: None, ..mail.clone() }),
                _ => None,
            });
            JourneyAction::Send(before.unwrap_or_default())
        }
        "wait" => JourneyAction::Wait { minutes: 1_440 },
        "wait_until" => JourneyAction::WaitUntil { weekdays: Vec::new(), time: "09:00".to_owned() },
        "split" => JourneyAction::Split { filter: Filter::everyone() },
        "random" => JourneyAction::Random { percents: vec![50, 50] },
        "add_tag" => JourneyAction::AddTag { tag: String::new() },
        "remove_tag" => JourneyAction::RemoveTag { tag: String::new() },
        "join_list" => JourneyAction::JoinList { list_id: 0 },
        "leave_list" => JourneyAction::LeaveList { list_id: 0 },
        _ => JourneyAction::Exit,
    }
}

/// What a step is called where it has no name of its own.
#[must_use]
pub fn label(action: &JourneyAction) -> &'static str {
    let word = kind(action);
    KINDS.iter().find(|(kind, _)| *kind == word).map_or("Step", |(_, label)| label)
}

/// A step's name, or what it does.
#[must_use]
pub fn title(graph: &JourneyGraph, key: &str) -> String {
    match graph.step(key) {
        Some(step) if !step.name.is_empty() => step.name.clone(),
        Some(step) => label(&step.action).to_owned(),
        None => key.to_owned(),
    }
}

/// What a step of a published version is called: the name it was given, which is its key where it was given none.
#[must_use]
pub fn called(graph: &JourneyGraph, key: &str, name: &str) -> String {
    if name == key { title(graph, key) } else { name.to_owned() }
}

/// Figures as contacts come to their steps, the newest version first; steps that the draft has no more come last.
#[must_use]
pub fn in_order(found: &Journey) -> Vec<JourneyFigures> {
    let lines = outline(&found.graph);
    let place = |key: &str| lines.iter().position(|line| line.what == What::Step(key.to_owned())).unwrap_or(usize::MAX);
    let mut figures = found.figures.clone();
    figures.sort_by_key(|step| (Reverse(step.version), place(&step.step)));
    figures
}

/// What a step does, in a few words; `name` finds the names of templates (`template`) and lists (`list`).
#[must_use]
pub fn summary(action: &JourneyAction, name: impl Fn(&str, i64) -> Option<String>) -> String {
    let named = |what, id| name(what, id).unwrap_or_else(|| "not chosen yet".to_owned());
    match action {
        JourneyAction::Send(mail) => match mail.template_id {
            Some(id) => format!("“{}” from {}", named("template", id), mail.from_email),
            None => "no template chosen yet".to_owned(),
        },
        JourneyAction::Wait { minutes } => span(*minutes),
        JourneyAction::WaitUntil { weekdays, time } if weekdays.is_empty() => format!("until {time}"),
        JourneyAction::WaitUntil { weekdays, time } => {
            let days: Vec<String> = weekdays.iter().map(|day| format!("{day:?}")).collect();
            format!("until {time} on {}", days.join(", "))
        }
        JourneyAction::Split { .. } => "asks a condition".to_owned(),
        JourneyAction::Random { percents } => {
            percents.iter().map(|percent| format!("{percent} %")).collect::<Vec<_>>().join(" / ")
        }
        JourneyAction::AddTag { tag } | JourneyAction::RemoveTag { tag } if tag.is_empty() => "no tag yet".to_owned(),
        JourneyAction::AddTag { tag } | JourneyAction::RemoveTag { tag } => format!("“{tag}”"),
        JourneyAction::JoinList { list_id } | JourneyAction::LeaveList { list_id } => {
            format!("“{}”", named("list", *list_id))
        }
        JourneyAction::Exit => "the journey ends here".to_owned(),
    }
}

/// Minutes in the unit that fits.
#[must_use]
pub fn span(minutes: u32) -> String {
    let (n, unit) = amount(minutes);
    let word = match unit {
        1_440 => "day",
        60 => "hour",
        _ => "minute",
    };
    if n == 1 { format!("1 {word}") } else { format!("{n} {word}s") }
}

/// Minutes as a number and the minutes of its unit: days, hours or minutes.
#[must_use]
pub fn amount(minutes: u32) -> (u32, u32) {
    let unit = [1_440, 60].into_iter().find(|unit| minutes > 0 && minutes.is_multiple_of(*unit)).unwrap_or(1);
    (minutes / unit, unit)
}

/// Puts a new step at a place: what was there comes behind it. Its key.
pub fn insert(graph: &mut JourneyGraph, place: &Place, action: JourneyAction) -> String {
    let key = free_key(graph, kind(&action));
    let behind = target(graph, place);
    let mut step = JourneyStep { key: key.clone(), name: String::new(), action, to: Default::default() };
    if let (Some(port), Some(behind)) = (step.action.ports().first(), behind) {
        step.to.insert(port.clone(), behind);
    }
    graph.steps.push(step);
    connect(graph, place, &key);
    key
}

fn free_key(graph: &JourneyGraph, word: &str) -> String {
    let stem = word.replace('_', "-");
    (1..).map(|n| format!("{stem}-{n}")).find(|key| graph.step(key).is_none()).unwrap_or(stem)
}

fn target(graph: &JourneyGraph, place: &Place) -> Option<String> {
    let to = match place {
        Place::Start => graph.start.clone(),
        Place::Port(key, port) => graph.step(key)?.to.get(port)?.clone(),
    };
    graph.step(&to).map(|step| step.key.clone())
}

/// What adding at a place does, for who hears it alone.
#[must_use]
pub fn place_name(graph: &JourneyGraph, place: &Place) -> String {
    match place {
        Place::Start => "Add a step at the beginning".to_owned(),
        Place::Port(key, port) => {
            let port = match graph.step(key) {
                Some(step) if step.action.ports().len() > 1 => format!(", {}", port_name(port, &step.action)),
                _ => String::new(),
            };
            format!("Add a step behind {}{port}", title(graph, key))
        }
    }
}

/// Lets a place lead to a step; nowhere when `to` is empty.
pub fn connect(graph: &mut JourneyGraph, place: &Place, to: &str) {
    match place {
        Place::Start => to.clone_into(&mut graph.start),
        Place::Port(key, port) => {
            let Some(step) = graph.steps.iter_mut().find(|step| step.key == *key) else { return };
            if to.is_empty() {
                step.to.remove(port);
            } else {
                step.to.insert(port.clone(), to.to_owned());
            }
        }
    }
}

/// Removes a step: what led to it leads to the step behind its first port.
pub fn remove(graph: &mut JourneyGraph, key: &str) {
    let Some(step) = graph.step(key) else { return };
    let ports = step.action.ports();
    let behind = ports.first().and_then(|port| step.to.get(port)).filter(|to| *to != key).cloned();
    graph.steps.retain(|step| step.key != key);
    if graph.start == key {
        graph.start = behind.clone().unwrap_or_default();
    }
    for step in &mut graph.steps {
        step.to.retain(|_, to| to != key || behind.is_some());
        for to in step.to.values_mut().filter(|to| *to == key) {
            *to = behind.clone().unwrap_or_default();
        }
    }
}

/// Changes what a step does and its name; ports that it has no more are let go.
pub fn change(graph: &mut JourneyGraph, key: &str, name: String, action: JourneyAction) {
    let Some(step) = graph.steps.iter_mut().find(|step| step.key == key) else { return };
    let ports = action.ports();
    step.to.retain(|port, _| ports.contains(port));
    step.name = name;
    step.action = action;
}

/// What a new journey begins with: an exit.
#[must_use]
pub fn empty() -> JourneyGraph {
    let mut graph = JourneyGraph::default();
    insert(&mut graph, &Place::Start, JourneyAction::Exit);
    graph
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(graph: &JourneyGraph) -> String {
        let line = |line: &Line| {
            let branch = line.branch.as_ref().map(|branch| format!("{branch}: ")).unwrap_or_default();
            let what = match &line.what {
                What::Step(key) if line.place.is_none() => format!("({key})"),
                What::Step(key) => key.clone(),
                What::GoesTo(key) => format!("-> {key}"),
                What::Open => "?".to_owned(),
            };
            format!("{}{branch}{what}", "  ".repeat(line.depth))
        };
        outline(graph).iter().map(line).collect::<Vec<_>>().join("\n")
    }

    fn behind(key: &str, port: &str) -> Place {
        Place::Port(key.to_owned(), port.to_owned())
    }

    /// A mail, a day, then a split.
    fn built() -> JourneyGraph {
        let mut graph = empty();
        let mail = insert(&mut graph, &Place::Start, beginning("send", &JourneyGraph::default()));
        let wait = insert(&mut graph, &behind(&mail, "next"), JourneyAction::Wait { minutes: 1_440 });
        insert(&mut graph, &behind(&wait, "next"), JourneyAction::Split { filter: Filter::everyone() });
        graph
    }

    #[test]
    fn an_outline_grows_where_one_adds() {
        let mut graph = built();
        assert_eq!(drawn(&graph), "send-1\nwait-1\nsplit-1\n  If so: exit-1\n  If not: ?");
        insert(&mut graph, &behind("split-1", "no"), beginning("add_tag", &built()));
        assert_eq!(drawn(&graph), "send-1\nwait-1\nsplit-1\n  If so: exit-1\n  If not: add-tag-1\n  ?");
        connect(&mut graph, &behind("add-tag-1", "next"), "wait-1");
        assert_eq!(drawn(&graph), "send-1\nwait-1\nsplit-1\n  If so: exit-1\n  If not: add-tag-1\n  -> wait-1");
        connect(&mut graph, &behind("split-1", "no"), "");
        assert_eq!(drawn(&graph), "send-1\nwait-1\nsplit-1\n  If so: exit-1\n  If not: ?\n(add-tag-1)\n-> wait-1");
    }

    #[test]
    fn what_is_removed_leaves_no_gap() {
        let mut graph = built();
        remove(&mut graph, "wait-1");
        assert_eq!(drawn(&graph), "send-1\nsplit-1\n  If so: exit-1\n  If not: ?");
        remove(&mut graph, "send-1");
        remove(&mut graph, "split-1");
        assert_eq!((drawn(&graph).as_str(), graph.start.as_str()), ("exit-1", "exit-1"));
        remove(&mut graph, "exit-1");
        assert_eq!((drawn(&graph).as_str(), graph.start.as_str()), ("?", ""));
    }

    #[test]
    fn a_change_lets_ports_go() {
        let mut graph = built();
        connect(&mut graph, &behind("split-1", "no"), "exit-1");
        change(&mut graph, "split-1", "Chance".into(), JourneyAction::Random { percents: vec![30, 70] });
        assert_eq!(drawn(&graph), "send-1\nwait-1\nsplit-1\n  Path 1, 30 %: ?\n  Path 2, 70 %: ?\n(exit-1)");
        assert_eq!(
            (title(&graph, "split-1").as_str(), title(&graph, "wait-1").as_str()),
            ("Chance", "Wait for a time")
        );
    }

    #[test]
    fn figures_stand_as_contacts_come_to_them() {
        let figures = |version, step: &str| JourneyFigures {
            version,
            step: step.to_owned(),
            ..serde_json::from_value(serde_json::json!({
                "version": 1, "step": "", "name": "", "waiting": 0, "sent": 0, "delivered": 0, "bounced": 0,
                "suppressed": 0, "unsubscribed": 0, "complained": 0, "campaign_ids": []
            }))
            .unwrap()
        };
        let found = Journey {
            graph: built(),
            figures: vec![figures(2, "exit-1"), figures(2, "gone-1"), figures(2, "send-1"), figures(1, "wait-1")],
            ..serde_json::from_value(serde_json::json!({
                "id": 1, "name": "", "state": "live", "state_reason": "", "version": 2, "entered": 0, "waiting": 0,
                "ended": {}, "created_at": "", "updated_at": "", "published_at": null, "changed": false,
                "figures": [], "graph": JourneyGraph::default()
            }))
            .unwrap()
        };
        let order: Vec<String> =
            in_order(&found).iter().map(|step| format!("{} {}", step.version, step.step)).collect();
        assert_eq!(order, ["2 send-1", "2 exit-1", "2 gone-1", "1 wait-1"]);
        let called = |key, name| called(&found.graph, key, name);
        assert_eq!([called("send-1", "send-1"), called("send-1", "Hello")], ["Send a mail", "Hello"]);
    }

    #[test]
    fn places_have_names() {
        let graph = built();
        for (place, name) in [
            (Place::Start, "Add a step at the beginning"),
            (behind("send-1", "next"), "Add a step behind Send a mail"),
            (behind("split-1", "no"), "Add a step behind Split by a rule, If not"),
        ] {
            assert_eq!(place_name(&graph, &place), name);
        }
    }

    #[test]
    fn steps_in_words() {
        for (minutes, words) in
            [(1, "1 minute"), (90, "90 minutes"), (60, "1 hour"), (2_880, "2 days"), (0, "0 minutes")]
        {
            assert_eq!(span(minutes), words);
        }
        let name = |what: &str, id: i64| (id == 1).then(|| format!("{what} one"));
        let mail =
            |template_id| JourneyMail { template_id, from_email: "a@b.example".into(), ..JourneyMail::default() };
        let days = vec![api_types::JourneyWeekday::Monday, api_types::JourneyWeekday::Friday];
        for (action, words) in [
            (JourneyAction::Send(mail(Some(1))), "“template one” from a@b.example"),
            (JourneyAction::Send(mail(None)), "no template chosen yet"),
            (JourneyAction::WaitUntil { weekdays: days, time: "09:00".into() }, "until 09:00 on Monday, Friday"),
            (JourneyAction::WaitUntil { weekdays: vec![], time: "09:00".into() }, "until 09:00"),
            (JourneyAction::Random { percents: vec![30, 70] }, "30 % / 70 %"),
            (JourneyAction::AddTag { tag: "new".into() }, "“new”"),
            (JourneyAction::JoinList { list_id: 1 }, "“list one”"),
            (JourneyAction::LeaveList { list_id: 2 }, "“not chosen yet”"),
        ] {
            assert_eq!(summary(&action, name), words);
        }
        for (word, _) in KINDS {
            assert_eq!(kind(&beginning(word, &JourneyGraph::default())), word);
        }
    }
}
