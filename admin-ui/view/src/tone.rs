//! States as words and tones. Colour never carries meaning alone: a tone always comes with its word.

use api_types::{
    CampaignState, CheckLevel, ImportState, RecordStatus, ReputationLevel, Role, SuppressionReason, TemplateKind,
};

/// How something stands, as the styles know it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tone {
    /// Neither good nor bad.
    Neutral,
    /// Going on.
    Active,
    /// Going on later, by itself.
    Later,
    /// Good.
    Success,
    /// Needs a look.
    Warning,
    /// Bad.
    Danger,
}

impl Tone {
    /// The value of `data-tone`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Tone::Neutral => "neutral",
            Tone::Active => "active",
            Tone::Later => "later",
            Tone::Success => "success",
            Tone::Warning => "warning",
            Tone::Danger => "danger",
        }
    }
}

/// A word with its tone.
pub type Status = (Tone, &'static str);

/// A campaign's state.
#[must_use]
pub fn campaign(state: CampaignState) -> Status {
    match state {
        CampaignState::Draft => (Tone::Neutral, "Draft"),
        CampaignState::Running => (Tone::Active, "Sending"),
        CampaignState::Paused => (Tone::Warning, "Paused"),
        CampaignState::Cancelled => (Tone::Danger, "Cancelled"),
        CampaignState::Finished => (Tone::Success, "Finished"),
    }
}

/// A campaign's state as the API's filters spell it.
#[must_use]
pub fn campaign_word(state: CampaignState) -> &'static str {
    match state {
        CampaignState::Draft => "draft",
        CampaignState::Running => "running",
        CampaignState::Paused => "paused",
        CampaignState::Cancelled => "cancelled",
        CampaignState::Finished => "finished",
    }
}

/// An import's state.
#[must_use]
pub fn import(state: ImportState) -> Status {
    match state {
        ImportState::Draft => (Tone::Neutral, "Waiting for the mapping"),
        ImportState::Running => (Tone::Active, "Reading"),
        ImportState::Finished => (Tone::Success, "Finished"),
        ImportState::Cancelled => (Tone::Warning, "Cancelled"),
        ImportState::Failed => (Tone::Danger, "Failed"),
    }
}

/// A DNS record's state.
#[must_use]
pub fn record(status: RecordStatus, required: bool) -> Status {
    match status {
        RecordStatus::Unchecked => (Tone::Neutral, "Not checked yet"),
        RecordStatus::Found => (Tone::Success, "Found"),
        RecordStatus::Missing if required => (Tone::Danger, "Missing"),
        RecordStatus::Missing => (Tone::Warning, "Missing"),
        RecordStatus::Differs if required => (Tone::Danger, "Different"),
        RecordStatus::Differs => (Tone::Warning, "Different"),
        RecordStatus::Failed => (Tone::Warning, "Look-up failed"),
    }
}

/// A point of the checklist.
#[must_use]
pub fn check(level: CheckLevel) -> Status {
    match level {
        CheckLevel::Ok => (Tone::Success, "Good"),
        CheckLevel::Warning => (Tone::Warning, "Doubtful"),
        CheckLevel::Fatal => (Tone::Danger, "Must be fixed"),
    }
}

/// The tone of a notice.
#[must_use]
pub fn notice(tone: &str) -> Status {
    match tone {
        "danger" => (Tone::Danger, "Problem"),
        "warning" => (Tone::Warning, "Attention"),
        _ => (Tone::Active, "Note"),
    }
}

/// The states of a recipient, in the order of its life.
pub const RECIPIENT_STATES: [&str; 10] =
    ["queued", "claimed", "sending", "held", "delivered", "bounced", "expired", "suppressed", "cancelled", "unknown"];

/// A recipient's state.
#[must_use]
pub fn recipient(state: &str) -> (Tone, String) {
    let (tone, word) = match state {
        "queued" => (Tone::Neutral, "Waiting"),
        "deferred" => (Tone::Later, "Waiting for a retry"),
        "claimed" => (Tone::Active, "About to be sent"),
        "sending" => (Tone::Active, "Being sent"),
        "held" => (Tone::Warning, "Held"),
        "delivered" => (Tone::Success, "Accepted"),
        "bounced" => (Tone::Danger, "Bounced"),
        "expired" => (Tone::Danger, "Expired"),
        "suppressed" => (Tone::Warning, "Suppressed"),
        "cancelled" => (Tone::Neutral, "Cancelled"),
        "unknown" => (Tone::Warning, "Unknown"),
        other => return (Tone::Neutral, words(other)),
    };
    (tone, word.to_owned())
}

/// An event of a timeline.
#[must_use]
pub fn event(kind: &str) -> Tone {
    match kind {
        "delivered" | "created" | "resubscribed" | "arrived" => Tone::Success,
        "waiting" => Tone::Later,
        "deferred" | "suppressed" | "suppression_added" | "unsubscribed" | "unknown" | "held" => Tone::Warning,
        "released" | "hurried" | "rerouted" => Tone::Active,
        "bounced" | "expired" | "complained" | "blocked" => Tone::Danger,
        "sending" | "queued" | "accepted" => Tone::Active,
        _ => Tone::Neutral,
    }
}

/// How a sender stands.
#[must_use]
pub fn reputation(level: ReputationLevel) -> Status {
    match level {
        ReputationLevel::Unsure => (Tone::Neutral, "Too little to say"),
        ReputationLevel::Good => (Tone::Success, "Good"),
        ReputationLevel::Warning => (Tone::Warning, "In danger"),
        ReputationLevel::Bad => (Tone::Danger, "Bad"),
    }
}

/// Why an address is suppressed.
#[must_use]
pub fn suppression(reason: SuppressionReason) -> Status {
    match reason {
        SuppressionReason::HardBounce => (Tone::Danger, "Address does not work"),
        SuppressionReason::SoftBounces => (Tone::Warning, "Refused again and again"),
        SuppressionReason::Complaint => (Tone::Danger, "Reported as spam"),
        SuppressionReason::Unsubscribe => (Tone::Warning, "Unsubscribed"),
        SuppressionReason::Paused => (Tone::Neutral, "Wants a pause"),
        SuppressionReason::Sunset => (Tone::Neutral, "Stayed silent"),
        SuppressionReason::Manual => (Tone::Neutral, "By hand"),
        SuppressionReason::Import => (Tone::Neutral, "Came with an import"),
    }
}

/// Every reason with the API's word for it.
pub const SUPPRESSION_REASONS: [(&str, SuppressionReason); 8] = [
    ("hard_bounce", SuppressionReason::HardBounce),
    ("soft_bounces", SuppressionReason::SoftBounces),
    ("complaint", SuppressionReason::Complaint),
    ("unsubscribe", SuppressionReason::Unsubscribe),
    ("paused", SuppressionReason::Paused),
    ("sunset", SuppressionReason::Sunset),
    ("manual", SuppressionReason::Manual),
    ("import", SuppressionReason::Import),
];

/// A role as shown.
#[must_use]
pub fn role(role: Role) -> &'static str {
    match role {
        Role::Owner => "Owner",
        Role::Admin => "Admin",
        Role::Marketer => "Marketer",
        Role::Viewer => "Viewer",
    }
}

/// A template's language.
#[must_use]
pub fn kind(kind: TemplateKind) -> &'static str {
    match kind {
        TemplateKind::Mjml => "MJML",
        TemplateKind::Html => "HTML",
    }
}

/// `bad_mailbox` as `Bad mailbox`: class and reason words of the API, for people.
#[must_use]
pub fn words(name: &str) -> String {
    if name == "dkim" {
        return "DKIM".to_owned();
    }
    let text = name.replace(['_', '-'], " ");
    let mut letters = text.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_for_people() {
        assert_eq!(words("bad_mailbox"), "Bad mailbox");
        assert_eq!(words("next-retry"), "Next retry");
        assert_eq!(words("dkim"), "DKIM");
        assert_eq!(words(""), "");
    }

    #[test]
    fn every_recipient_state_has_a_word_of_its_own() {
        let mut seen: Vec<String> = RECIPIENT_STATES.iter().map(|state| recipient(state).1).collect();
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), RECIPIENT_STATES.len());
    }

    #[test]
    fn an_optional_record_is_never_a_danger() {
        assert_eq!(record(RecordStatus::Missing, true).0, Tone::Danger);
        assert_eq!(record(RecordStatus::Missing, false).0, Tone::Warning);
        assert_eq!(record(RecordStatus::Differs, false).0, Tone::Warning);
    }
}
