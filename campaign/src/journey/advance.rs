//! One step of one run: what it does, by which port it leaves, and when the next step is done. A plain function; the
//! facts come from outside.

use api_types::{JourneyAction, JourneyGraph, JourneyStep, JourneyWeekday};
use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{Span, Timestamp};
use storage::ListId;
use storage::journey_run::{EndReason, Next};

/// What has to be known of the contact.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Whether it has just entered: a wait that it stands at has not begun.
    pub entering: bool,
    /// Whether it meets the journey's goal.
    pub goal: bool,
    /// Whether it meets the condition of the step, where the step has one.
    pub split: bool,
    /// A steady draw for this run and step: 0 to 99.
    pub draw: u8,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Deed {
    /// Nothing: it only leads on.
    Nothing,
    /// Sends its mail.
    Send,
    /// Puts a tag on the contact.
    AddTag(String),
    /// Takes it off.
    RemoveTag(String),
    /// Puts the contact on a list.
    Join(ListId),
    /// Takes it off.
    Leave(ListId),
}

/// How a run goes on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advance {
    /// What is done.
    pub deed: Deed,
    /// The port it leaves by.
    pub port: String,
    /// What was done, in words.
    pub words: String,
    /// Where it goes.
    pub next: Next,
}

/// How a run goes on that stands at `step`, whose time has come. `None` when the version has no such step, or the step
/// leads nowhere: neither is published.
#[must_use]
pub fn advance(graph: &JourneyGraph, step: &str, facts: Facts, zone: &TimeZone, now_ms: i64) -> Option<Advance> {
    let step = graph.step(step)?;
    let over = |reason, words: &str| {
        let (port, words) = ("ended".to_owned(), words.to_owned());
        Some(Advance { deed: Deed::Nothing, port, words, next: Next::End(reason) })
    };
    if facts.goal {
        return over(EndReason::Goal, "the goal is reached");
    }
    if facts.entering && matches!(step.action, JourneyAction::Wait { .. } | JourneyAction::WaitUntil { .. }) {
        let (port, words) = ("entered".to_owned(), "the wait begins".to_owned());
        let next = Next::Step { key: step.key.clone(), due_ms: due(step, zone, now_ms) };
        return Some(Advance { deed: Deed::Nothing, port, words, next });
    }
    let (deed, port, words) = match &step.action {
        JourneyAction::Exit => return over(EndReason::Finished, "came to the end"),
        JourneyAction::Send(_) => (Deed::Send, "next".to_owned(), "the mail was put into the queue".to_owned()),
        JourneyAction::Wait { .. } | JourneyAction::WaitUntil { .. } => {
            (Deed::Nothing, "next".to_owned(), "the wait is over".to_owned())
        }
        JourneyAction::Split { .. } => {
            let (port, words) =
                if facts.split { ("yes", "the condition is met") } else { ("no", "the condition is not met") };
            (Deed::Nothing, port.to_owned(), words.to_owned())
        }
        JourneyAction::Random { percents } => {
            let n = path_of(percents, facts.draw);
            (Deed::Nothing, format!("path_{n}"), format!("drawn: path {n}"))
        }
        JourneyAction::AddTag { tag } => {
            (Deed::AddTag(tag.clone()), "next".to_owned(), format!("has the tag “{tag}” now"))
        }
        JourneyAction::RemoveTag { tag } => {
            (Deed::RemoveTag(tag.clone()), "next".to_owned(), format!("has the tag “{tag}” no more"))
        }
        JourneyAction::JoinList { list_id } => {
            let words = "put on the list, unless the contact has left it before".to_owned();
            (Deed::Join(ListId(*list_id)), "next".to_owned(), words)
        }
        JourneyAction::LeaveList { list_id } => {
            (Deed::Leave(ListId(*list_id)), "next".to_owned(), "taken off the list".to_owned())
        }
    };
    let next = graph.step(step.to.get(&port)?)?;
    let next = Next::Step { key: next.key.clone(), due_ms: due(next, zone, now_ms) };
    Some(Advance { deed, port, words, next })
}

/// The path of a draw, from 1.
fn path_of(percents: &[u8], draw: u8) -> usize {
    let mut sum = 0_u32;
    for (at, percent) in percents.iter().enumerate() {
        sum += u32::from(*percent);
        if u32::from(draw) < sum {
            return at + 1;
        }
    }
    percents.len()
}

/// When a step is done that a run comes to now.
#[must_use]
pub fn due(step: &JourneyStep, zone: &TimeZone, now_ms: i64) -> i64 {
    match &step.action {
        JourneyAction::Wait { minutes } => now_ms.saturating_add(i64::from(*minutes) * 60_000),
        JourneyAction::WaitUntil { weekdays, time } => {
            time_of(time).and_then(|time| next_moment(weekdays, time, zone, now_ms)).unwrap_or(now_ms)
        }
        _ => now_ms,
    }
}

/// A time of day as written: `09:30`.
#[must_use]
pub fn time_of(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    let digits = |part: &str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
    if !digits(hour) || !digits(minute) {
        return None;
    }
    Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()
}

/// The next such moment after now. One that the clocks skip in spring is an hour later.
fn next_moment(weekdays: &[JourneyWeekday], time: Time, zone: &TimeZone, now_ms: i64) -> Option<i64> {
    let today = Timestamp::from_millisecond(now_ms).ok()?.to_zoned(zone.clone()).date();
    for days in 0..=8 {
        let day = today.checked_add(Span::new().days(days)).ok()?;
        if !weekdays.is_empty() && !weekdays.iter().any(|wanted| weekday(*wanted) == day.weekday()) {
            continue;
        }
        let at = day.to_datetime(time).to_zoned(zone.clone()).ok()?.timestamp().as_millisecond();
        if at > now_ms {
            return Some(at);
        }
    }
    None
}

fn weekday(day: JourneyWeekday) -> Weekday {
    match day {
        JourneyWeekday::Monday => Weekday::Monday,
        JourneyWeekday::Tuesday => Weekday::Tuesday,
        JourneyWeekday::Wednesday => Weekday::Wednesday,
        JourneyWeekday::Thursday => Weekday::Thursday,
        JourneyWeekday::Friday => Weekday::Friday,
        JourneyWeekday::Saturday => Weekday::Saturday,
        JourneyWeekday::Sunday => Weekday::Sunday,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::journey::graph::tests::{exit, graph, step};
    use api_types::{Filter, JourneyMail};

    const NOW: i64 = 1_772_442_000_000; // Monday, 2026-03-02T09:00Z

    /// What a run does that stands at `a`, of which every port leads to a step named like it; `after` is what the step
    /// behind `next` does.
    fn check(action: JourneyAction, after: JourneyAction, facts: Facts, expected: &str) {
        let ports = action.ports();
        let mut a = step("a", action, "");
        a.to = ports.iter().map(|port| (port.clone(), port.clone())).collect();
        let mut steps = vec![a];
        for port in &ports {
            let action = if port == "next" { after.clone() } else { JourneyAction::Exit };
            steps.push(step(port, action, "end"));
        }
        steps.push(exit("end"));
        let went = advance(&graph("a", steps), "a", facts, &TimeZone::UTC, NOW).unwrap();
        let to = match went.next {
            Next::Step { key, due_ms } => format!("{key} in {} min", (due_ms - NOW) / 60_000),
            Next::End(reason) => reason.as_str().to_owned(),
        };
        assert_eq!(format!("{:?}, {}: {to}", went.deed, went.port), expected);
    }

    #[test]
    fn what_each_step_does() {
        use JourneyAction as A;
        let no = Facts::default();
        let yes = Facts { split: true, ..no };
        let met = Facts { goal: true, ..no };
        let drawn = |draw| Facts { draw, ..no };
        let filter = Filter::everyone();
        let thirds = || A::Random { percents: vec![30, 30, 40] };
        let until = |weekdays: &[JourneyWeekday], time: &str| A::WaitUntil {
            weekdays: weekdays.to_vec(),
            time: time.to_owned(),
        };
        let send = || A::Send(JourneyMail::default());
        check(send(), A::Exit, no, "Send, next: next in 0 min");
        check(send(), A::Wait { minutes: 1440 }, no, "Send, next: next in 1440 min");
        // At nine sharp it is too late for nine.
        check(send(), until(&[], "09:00"), no, "Send, next: next in 1440 min");
        check(send(), until(&[], "09:01"), no, "Send, next: next in 1 min");
        check(
            send(),
            until(&[JourneyWeekday::Sunday, JourneyWeekday::Wednesday], "08:00"),
            no,
            "Send, next: next in 2820 min",
        );
        check(send(), until(&[JourneyWeekday::Monday], "09:00"), no, "Send, next: next in 10080 min");
        check(A::Wait { minutes: 5 }, A::Exit, no, "Nothing, next: next in 0 min");
        // Who enters at a wait begins to wait; who enters at another step does it.
        let entering = Facts { entering: true, ..no };
        check(A::Wait { minutes: 5 }, A::Exit, entering, "Nothing, entered: a in 5 min");
        check(until(&[], "10:00"), A::Exit, entering, "Nothing, entered: a in 60 min");
        check(send(), A::Exit, entering, "Send, next: next in 0 min");
        check(A::Split { filter: filter.clone() }, A::Exit, yes, "Nothing, yes: yes in 0 min");
        check(A::Split { filter }, A::Exit, no, "Nothing, no: no in 0 min");
        check(thirds(), A::Exit, drawn(0), "Nothing, path_1: path_1 in 0 min");
        check(thirds(), A::Exit, drawn(29), "Nothing, path_1: path_1 in 0 min");
        check(thirds(), A::Exit, drawn(30), "Nothing, path_2: path_2 in 0 min");
        check(thirds(), A::Exit, drawn(99), "Nothing, path_3: path_3 in 0 min");
        check(A::AddTag { tag: "new".into() }, A::Exit, no, "AddTag(\"new\"), next: next in 0 min");
        check(A::RemoveTag { tag: "new".into() }, A::Exit, no, "RemoveTag(\"new\"), next: next in 0 min");
        check(A::JoinList { list_id: 3 }, A::Exit, no, "Join(ListId(3)), next: next in 0 min");
        check(A::LeaveList { list_id: 3 }, A::Exit, no, "Leave(ListId(3)), next: next in 0 min");
        check(A::Exit, A::Exit, no, "Nothing, ended: finished");
        check(send(), A::Exit, met, "Nothing, ended: goal");
        check(A::Exit, A::Exit, met, "Nothing, ended: goal");
    }

    #[test]
    fn waiting_follows_the_clocks_of_the_place() {
        let lisbon = TimeZone::get("Europe/Lisbon").unwrap();
        let nine = step("a", JourneyAction::WaitUntil { weekdays: vec![], time: "09:00".into() }, "");
        // 2026-03-28T10:00 local; the clocks go forward in the night.
        let now_ms = 1_774_692_000_000;
        assert_eq!((due(&nine, &lisbon, now_ms) - now_ms) / 3_600_000, 22);
    }

    #[test]
    fn times_of_day() {
        for (text, good) in [
            ("09:30", true),
            ("00:00", true),
            ("23:59", true),
            ("24:00", false),
            ("9:30", false),
            ("", false),
            ("0930", false),
        ] {
            assert_eq!(time_of(text).is_some(), good, "{text}");
        }
    }

    #[test]
    fn what_leads_nowhere_does_not_go_on() {
        let broken = graph("a", vec![step("a", JourneyAction::Wait { minutes: 1 }, "gone")]);
        for at in ["a", "gone"] {
            assert_eq!(advance(&broken, at, Facts::default(), &TimeZone::UTC, NOW), None);
        }
    }
}
