//! `packetboat journey`.

use super::client::Client;
use super::shaping::encoded;
use api_types::{
    CheckLevel, Done, Journey, JourneyCheck, JourneyEntry, JourneyEntryInput, JourneyLogEntry, JourneyRun,
    JourneyState, JourneySummary, Page,
};
use clap::Subcommand;

#[derive(Subcommand)]
pub(crate) enum JourneyCommand {
    /// Lists the journeys.
    List,
    /// Shows one journey with its figures by step, and what keeps its draft from being published.
    Show {
        /// Number of the journey.
        id: i64,
    },
    /// Publishes the draft: contacts enter by it from now on.
    Publish {
        /// Number of the journey.
        id: i64,
    },
    /// Stops a journey where it is, its mail in the queue included.
    Pause {
        /// Number of the journey.
        id: i64,
    },
    /// Goes on.
    Resume {
        /// Number of the journey.
        id: i64,
    },
    /// Ends a journey for good: everybody is led out.
    End {
        /// Number of the journey.
        id: i64,
    },
    /// Deletes a journey that was never published.
    Delete {
        /// Number of the journey.
        id: i64,
    },
    /// Lets a contact in.
    Enter {
        /// Number of the journey.
        id: i64,
        /// The contact's address.
        address: String,
    },
    /// Lists who is under way, or was.
    Runs(RunsArgs),
    /// Prints what one run has done, step by step.
    Log {
        /// Number of the journey.
        id: i64,
        /// Number of the run, as `runs` prints it.
        run: i64,
    },
    /// Takes a contact out. Mail of it that is in the queue already is sent.
    TakeOut {
        /// Number of the journey.
        id: i64,
        /// Number of the run, as `runs` prints it.
        run: i64,
    },
}

/// Which runs.
#[derive(clap::Args)]
pub(crate) struct RunsArgs {
    /// Number of the journey.
    id: i64,
    /// `waiting` or `ended`.
    #[arg(long)]
    state: Option<String>,
    /// Key of a step: only those who are there, or were there last.
    #[arg(long)]
    step: Option<String>,
    /// Only those that go by this version.
    #[arg(long)]
    version: Option<u32>,
    /// Only those that ended so: `finished`, `goal`, `unsubscribed`, `bounced` and the others.
    #[arg(long)]
    reason: Option<String>,
}

impl RunsArgs {
    fn path(&self) -> String {
        let version = self.version.map(|version| version.to_string());
        let narrowed = [("state", &self.state), ("step", &self.step), ("version", &version), ("reason", &self.reason)];
        let query: Vec<String> = narrowed
            .into_iter()
            .filter_map(|(name, value)| Some(format!("{name}={}", encoded(value.as_ref()?))))
            .collect();
        let join = if query.is_empty() { "" } else { "?" };
        format!("/journeys/{}/runs{join}{}", self.id, query.join("&"))
    }
}

pub(crate) async fn run(client: &Client, command: JourneyCommand) -> anyhow::Result<()> {
    match command {
        JourneyCommand::List => {
            for journey in client.list::<JourneySummary>("/journeys").await? {
                let (state, name) = (state_word(journey.state), &journey.name);
                println!(
                    "{:>4}  {state:<6} {name}: {} under way, {} entered",
                    journey.id, journey.waiting, journey.entered
                );
            }
        }
        JourneyCommand::Show { id } => show(client, id).await?,
        JourneyCommand::Publish { id } => {
            act(client, id, "publish").await?;
            if !client.daemon_runs() {
                println!("No daemon is running: it begins when it starts.");
            }
        }
        JourneyCommand::Pause { id } => act(client, id, "pause").await?,
        JourneyCommand::Resume { id } => act(client, id, "resume").await?,
        JourneyCommand::End { id } => act(client, id, "end").await?,
        JourneyCommand::Delete { id } => {
            let done: Done = client.delete(&format!("/journeys/{id}")).await?;
            println!("{}", done.message);
        }
        JourneyCommand::Enter { id, address } => {
            let input = JourneyEntryInput { contact_id: None, email: address };
            let entry: JourneyEntry = client.post(&format!("/journeys/{id}/entries"), &input).await?;
            println!("{}", entry.message);
        }
        JourneyCommand::Runs(args) => {
            for run in client.list::<JourneyRun>(&args.path()).await? {
                println!("{}", line(&run));
            }
        }
        JourneyCommand::Log { id, run } => {
            let log: Page<JourneyLogEntry> = client.get(&format!("/journeys/{id}/runs/{run}/log")).await?;
            for entry in log.items {
                println!("{}  {}: {} ({})", entry.at, entry.name, entry.reason, entry.result);
            }
        }
        JourneyCommand::TakeOut { id, run } => {
            let done: Done = client.delete(&format!("/journeys/{id}/runs/{run}")).await?;
            println!("{}", done.message);
        }
    }
    Ok(())
}

async fn act(client: &Client, id: i64, action: &str) -> anyhow::Result<()> {
    let journey: Journey = client.post(&format!("/journeys/{id}/{action}"), &()).await?;
    println!("{} is {}.", journey.summary.name, state_word(journey.summary.state));
    Ok(())
}

async fn show(client: &Client, id: i64) -> anyhow::Result<()> {
    let journey: Journey = client.get(&format!("/journeys/{id}")).await?;
    let found = &journey.summary;
    println!("{} ({}, version {})", found.name, state_word(found.state), found.version);
    if !found.state_reason.is_empty() {
        println!("  {}", found.state_reason);
    }
    println!("  {} entered, {} under way", found.entered, found.waiting);
    for (reason, n) in &found.ended {
        println!("  {n} {}", reason.replace('_', " "));
    }
    for step in &journey.figures {
        let place = format!("version {}, {}", step.version, step.name);
        print!("  {place}: {} waiting", step.waiting);
        if step.campaign_ids.is_empty() {
            println!();
        } else {
            let (sent, delivered, bounced) = (step.sent, step.delivered, step.bounced);
            println!(", {sent} sent, {delivered} delivered, {bounced} bounced, {} unsubscribed", step.unsubscribed);
        }
    }
    if journey.changed && found.state != JourneyState::Ended {
        let check: JourneyCheck = client.get(&format!("/journeys/{id}/check")).await?;
        let verdict = if check.ready { "can be published" } else { "cannot be published yet" };
        println!("  the draft {verdict}");
        for point in check.points.iter().filter(|point| point.level != CheckLevel::Ok) {
            let mark = if point.level == CheckLevel::Fatal { "must be mended" } else { "doubtful" };
            let place = point.step.as_deref().map(|step| format!("{step}: ")).unwrap_or_default();
            println!("  {mark}: {place}{}", point.message);
        }
    }
    Ok(())
}

fn line(run: &JourneyRun) -> String {
    let who = run.email.as_deref().unwrap_or("(deleted)");
    let place = match (&run.end_reason, &run.due_at) {
        (Some(reason), _) => format!("{} at {}: {}", reason.replace('_', " "), run.step_name, run.end_words),
        (None, Some(due_at)) => format!("at {} until {due_at}", run.step_name),
        (None, None) => format!("at {}", run.step_name),
    };
    format!("{:>6}  {who}, version {}, {place}", run.id, run.version)
}

fn state_word(state: JourneyState) -> &'static str {
    match state {
        JourneyState::Draft => "draft",
        JourneyState::Live => "live",
        JourneyState::Paused => "paused",
        JourneyState::Ended => "ended",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_are_narrowed() {
        let all = RunsArgs { id: 3, state: None, step: None, version: None, reason: None };
        assert_eq!(all.path(), "/journeys/3/runs");
        let some = RunsArgs { step: Some("a&b".to_owned()), version: Some(2), ..all };
        assert_eq!(some.path(), format!("/journeys/3/runs?step={}&version={}", encoded("a&b"), encoded("2")));
    }
}
