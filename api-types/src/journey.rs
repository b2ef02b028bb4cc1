//! Journeys: what happens to a contact, step by step, from the day on which it enters.

use crate::{CheckLevel, Filter, Time};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Where a journey is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum JourneyState {
    /// Not published yet.
    Draft,
    /// Contacts enter and go on.
    Live,
    /// Contacts enter and stay where they are.
    Paused,
    /// Over, for good.
    Ended,
}

/// A journey as people write it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JourneyGraph {
    /// Who joins this list enters, and who leaves it is led out. Absent: contacts enter by hand and over the API alone.
    #[serde(default)]
    pub list_id: Option<i64>,
    /// Who has been in it may enter again so many days after the last entry, 1 to 3,650; absent: never.
    #[serde(default)]
    pub reentry_days: Option<u32>,
    /// Who meets this condition before a step has reached the goal and leaves.
    #[serde(default)]
    pub goal: Option<Filter>,
    /// The key of the first step.
    #[serde(default)]
    pub start: String,
    /// The steps; at most 100.
    #[serde(default)]
    pub steps: Vec<JourneyStep>,
}

/// A step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JourneyStep {
    /// What other steps call it: 1 to 40 letters, digits, `-` and `_`.
    pub key: String,
    /// What people call it.
    #[serde(default)]
    pub name: String,
    /// What it does.
    pub action: JourneyAction,
    /// Where each of its ports leads: the key of a step. `next` for most; `yes` and `no` of a split; `path_1`, `path_2`, ... of
    /// a random one; an exit has none.
    #[serde(default)]
    pub to: BTreeMap<String, String>,
}

/// What a step does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum JourneyAction {
    /// Sends a mail.
    Send(JourneyMail),
    /// Waits.
    Wait {
        /// So long: 1 to 525,600 minutes.
        minutes: u32,
    },
    /// Waits until the next moment that is so, in the workspace's time zone.
    WaitUntil {
        /// On one of these days; on any when empty.
        #[serde(default)]
        weekdays: Vec<JourneyWeekday>,
        /// `09:30`.
        time: String,
    },
    /// Goes on by `yes` or `no`.
    Split {
        /// Who meets this goes by `yes`.
        filter: Filter,
    },
    /// Goes on by chance; the same contact in the same run always the same way.
    Random {
        /// Share of each path, in percent: 2 to 10 of them, 100 in all.
        percents: Vec<u8>,
    },
    /// Puts a tag on the contact.
    AddTag {
        /// Its name.
        tag: String,
    },
    /// Takes a tag off the contact.
    RemoveTag {
        /// Its name.
        tag: String,
    },
    /// Puts the contact on a list. Who has left it stays out.
    JoinList {
        /// The list.
        list_id: i64,
    },
    /// Takes the contact off a list.
    LeaveList {
        /// The list.
        list_id: i64,
    },
    /// Ends the run.
    Exit,
}

/// A day of the week.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[allow(missing_docs)]
pub enum JourneyWeekday {
    Monday,
    Tuesday,
    Wednesday,
    Thursday,
    Friday,
    Saturday,
    Sunday,
}

/// The mail of a step, as a campaign has it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JourneyMail {
    /// The template; the version that is newest when the journey is published is sent.
    #[serde(default)]
    pub template_id: Option<i64>,
    /// From address.
    #[serde(default)]
    pub from_email: String,
    /// From name.
    #[serde(default)]
    pub from_name: String,
    /// Where answers go; the From address when empty.
    #[serde(default)]
    pub reply_to: String,
    /// The stream; `bulk` when empty.
    #[serde(default)]
    pub stream: String,
    /// The pool of egress sources; that of the stream when empty.
    #[serde(default)]
    pub pool: String,
}

impl JourneyAction {
    /// The ports that lead on.
    #[must_use]
    pub fn ports(&self) -> Vec<String> {
        match self {
            JourneyAction::Exit => Vec::new(),
            JourneyAction::Split { .. } => vec!["yes".to_owned(), "no".to_owned()],
            JourneyAction::Random { percents } => (1..=percents.len()).map(|n| format!("path_{n}")).collect(),
            _ => vec!["next".to_owned()],
        }
    }
}

impl JourneyGraph {
    /// The step with this key.
    #[must_use]
    pub fn step(&self, key: &str) -> Option<&JourneyStep> {
        self.steps.iter().find(|step| step.key == key)
    }
}

impl JourneyStep {
    /// What people call it; its key where they call it nothing.
    #[must_use]
    pub fn title(&self) -> &str {
        if self.name.is_empty() { &self.key } else { &self.name }
    }
}

/// A journey to save. It may be incomplete: the checks tell what is missing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JourneyInput {
    /// Name, unique in the workspace.
    pub name: String,
    /// Its steps.
    #[serde(default)]
    pub graph: JourneyGraph,
}

/// A journey, as lists show it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JourneySummary {
    /// Id.
    pub id: i64,
    /// Name.
    pub name: String,
    /// Where it is.
    pub state: JourneyState,
    /// Who or what brought it there; empty for a draft.
    pub state_reason: String,
    /// The newest published version; 0 before the first.
    pub version: u32,
    /// Contacts that have entered, ever.
    pub entered: u64,
    /// Contacts under way.
    pub waiting: u64,
    /// How the others ended: how many for each reason.
    pub ended: BTreeMap<String, u64>,
    /// When made.
    pub created_at: Time,
    /// When the draft was last saved.
    pub updated_at: Time,
}

/// A journey.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Journey {
    /// What lists show.
    #[serde(flatten)]
    pub summary: JourneySummary,
    /// The draft.
    pub graph: JourneyGraph,
    /// When the newest version was published.
    pub published_at: Option<Time>,
    /// Whether the draft is other than that version.
    pub changed: bool,
    /// Figures of the published steps, those of the newest version first.
    pub figures: Vec<JourneyFigures>,
}

/// The figures of one step of one version.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JourneyFigures {
    /// The version.
    pub version: u32,
    /// The step's key.
    pub step: String,
    /// The step's name in that version.
    pub name: String,
    /// Contacts that stand at it now.
    pub waiting: u64,
    /// Mails taken into the queue.
    pub sent: u64,
    /// Of those, delivered.
    pub delivered: u64,
    /// Refused for good.
    pub bounced: u64,
    /// Not sent: suppressed in the meantime.
    pub suppressed: u64,
    /// Unsubscribed by this mail.
    pub unsubscribed: u64,
    /// Reported it as spam.
    pub complained: u64,
    /// The mailings that carry it: their recipients are listed as those of campaigns.
    pub campaign_ids: Vec<i64>,
}

/// A point of the checks before publishing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JourneyCheckPoint {
    /// The key of the step that it is about; absent for the whole.
    pub step: Option<String>,
    /// How bad it is: a fatal one keeps the journey from being published.
    pub level: CheckLevel,
    /// What is so, or what to do.
    pub message: String,
}

/// The checks before publishing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JourneyCheck {
    /// Whether it can be published.
    pub ready: bool,
    /// The points, in the order of the steps.
    pub points: Vec<JourneyCheckPoint>,
}

/// Whom to let in: one of the two.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JourneyEntryInput {
    /// The contact.
    #[serde(default)]
    pub contact_id: Option<i64>,
    /// The contact's address.
    #[serde(default)]
    pub email: String,
}

/// What became of an entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JourneyEntry {
    /// Whether the contact entered now.
    pub entered: bool,
    /// The new run, or the one that says why there is none.
    pub run_id: Option<i64>,
    /// What became of it, as a sentence.
    pub message: String,
}

/// A contact's way through a journey.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JourneyRun {
    /// Id.
    pub id: i64,
    /// The contact.
    pub contact_id: i64,
    /// Its address; absent when the contact is deleted.
    pub email: Option<String>,
    /// The version that it goes by.
    pub version: u32,
    /// The key of the step at which it stands, or stood last.
    pub step: String,
    /// That step's name.
    pub step_name: String,
    /// `waiting` or `ended`.
    pub state: String,
    /// How it came in.
    pub source: String,
    /// When it entered.
    pub entered_at: Time,
    /// When it goes on, while it waits.
    pub due_at: Option<Time>,
    /// When it ended.
    pub ended_at: Option<Time>,
    /// Why: `finished`, `goal`, `unsubscribed`, `bounced`, `complained`, `suppressed`, `left_list`, `contact_deleted`, `by_hand`,
    /// `journey_ended`; `not_entered` of who was not let in.
    pub end_reason: Option<String>,
    /// What led to it, in words.
    pub end_words: String,
}

/// A step that a run has done.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct JourneyLogEntry {
    /// The step's key.
    pub step: String,
    /// Its name.
    pub name: String,
    /// When the run came to it.
    pub entered_at: Time,
    /// When it was done.
    pub at: Time,
    /// Seconds between the two.
    pub seconds: u64,
    /// The port by which it went on, `entered` where its first step is a wait, or `ended`.
    pub result: String,
    /// What was done, or what ended it.
    pub reason: String,
}
