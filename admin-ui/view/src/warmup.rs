//! Warm-ups in words.

use api_types::{WarmupForecast, WarmupLine, WarmupPlan, WarmupProvider, WarmupState};

use crate::number::{counted, grouped};
use crate::tone::{Status, Tone};

/// How a warm-up stands.
#[must_use]
pub fn state(state: WarmupState) -> Status {
    match state {
        WarmupState::Running => (Tone::Active, "Warming up"),
        WarmupState::Paused => (Tone::Warning, "Paused"),
        WarmupState::Done => (Tone::Success, "Warm"),
    }
}

/// `3 of 29, standard`.
#[must_use]
pub fn stage(line: &WarmupLine) -> String {
    match (&line.plan, line.state) {
        (None, _) => "follows no plan any more".to_owned(),
        (Some(plan), WarmupState::Done) => format!("behind the last, {plan}"),
        (Some(plan), _) => format!("{} of {}, {plan}", line.stage, line.stages),
    }
}

/// `1,204 of 5,000`.
#[must_use]
pub fn today(line: &WarmupLine) -> String {
    match line.allowed {
        Some(allowed) => format!("{} of {}", grouped(line.sent), grouped(allowed)),
        None => grouped(line.sent),
    }
}

/// What to say after a change.
#[must_use]
pub fn changed(line: &WarmupLine) -> String {
    let whose = format!("{} at {}", line.subject, line.provider);
    match line.state {
        WarmupState::Done => format!("{whose} is warm: nothing is limited any more"),
        WarmupState::Paused => format!("{whose} stays at stage {}", line.stage),
        WarmupState::Running => format!("{whose} goes on at stage {}", line.stage),
    }
}

/// The stages to choose from, the last one for warm.
#[must_use]
pub fn stage_choices(stages: &[u64]) -> Vec<(String, String)> {
    let choice = |(place, target): (usize, &u64)| {
        let stage = (place + 1).to_string();
        (stage.clone(), format!("{stage}: {} a day", grouped(*target)))
    };
    let warm = ((stages.len() + 1).to_string(), "Warm: no limit".to_owned());
    stages.iter().enumerate().map(choice).chain(std::iter::once(warm)).collect()
}

/// A plan to choose.
#[must_use]
pub fn plan_choice(plan: &WarmupPlan) -> (String, String) {
    let ends = plan.stages.first().zip(plan.stages.last());
    let (first, last) = ends.map_or((0, 0), |(first, last)| (*first, *last));
    let days = counted(plan.stages.len() as u64, "day", "days");
    (plan.name.clone(), format!("{}: {} to {} a day in {days}", plan.name, grouped(first), grouped(last)))
}

/// The providers at which a warm-up limits something.
#[must_use]
pub fn limited(forecast: &WarmupForecast) -> Vec<WarmupProvider> {
    let is = |at: &&WarmupProvider| at.allowed_today.is_some();
    forecast.providers.iter().filter(is).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use api_types::WarmupAxis;

    fn line(state: WarmupState, allowed: Option<u64>) -> WarmupLine {
        WarmupLine {
            id: 1,
            axis: WarmupAxis::Source,
            subject: "mx1".to_owned(),
            provider: "Gull".to_owned(),
            plan: Some("standard".to_owned()),
            state,
            stage: 5,
            stages: 29,
            allowed,
            sent: 1204,
            delivered: 1200,
            deferred: 4,
            blocked: 0,
            bounced: 0,
            complained: 0,
            note: String::new(),
            noted_at: String::new(),
        }
    }

    #[test]
    fn lines_in_words() {
        let running = line(WarmupState::Running, Some(5000));
        let done = line(WarmupState::Done, None);
        assert_eq!((stage(&running), today(&running)), ("5 of 29, standard".to_owned(), "1,204 of 5,000".to_owned()));
        assert_eq!((stage(&done), today(&done)), ("behind the last, standard".to_owned(), "1,204".to_owned()));
        assert_eq!(changed(&running), "mx1 at Gull goes on at stage 5");
        assert_eq!(changed(&done), "mx1 at Gull is warm: nothing is limited any more");
        let gone = WarmupLine { plan: None, ..running };
        assert_eq!(stage(&gone), "follows no plan any more");
    }

    #[test]
    fn choices_in_words() {
        let told: Vec<String> =
            stage_choices(&[200, 5000]).into_iter().map(|(word, label)| format!("{word} {label}")).collect();
        assert_eq!(told, ["1 1: 200 a day", "2 2: 5,000 a day", "3 Warm: no limit"]);
        let plan = WarmupPlan { name: "own".to_owned(), stages: vec![50, 1000] };
        assert_eq!(plan_choice(&plan).1, "own: 50 to 1,000 a day in 2 days");
    }
}
