//! Events as people read them.

use crate::text::time;
use api_types::TimelineEntry;
use mail::BounceClass;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use storage::contact::Contact;
use storage::event::{EventRow, Kind};
use storage::queue::{LEFT_LIST, LEFT_STREAM};
use storage::{CampaignId, Connection, StorageError, WorkspaceId, campaign};

/// Names of campaigns by id.
pub(crate) type CampaignNames = BTreeMap<CampaignId, String>;

/// The names of the campaigns that a page mentions: a handful, however long the page.
pub(crate) fn campaign_names(
    connection: &Connection,
    workspace: WorkspaceId,
    ids: impl Iterator<Item = CampaignId>,
) -> Result<CampaignNames, StorageError> {
    let mut names = CampaignNames::new();
    for id in ids {
        if let Entry::Vacant(place) = names.entry(id) {
            let found = campaign::find(connection, workspace, id)?;
            place.insert(found.map(|campaign| campaign.draft.name).unwrap_or_default());
        }
    }
    Ok(names)
}

/// An event on the wire.
pub(crate) fn shape(event: EventRow, names: &CampaignNames) -> TimelineEntry {
    let summary = summary(&event);
    let reply = match (event.reply_code, &event.enhanced, &event.text) {
        // Our own reason; it stands in the summary.
        _ if says_itself(event.kind) => None,
        (Some(code), Some(enhanced), Some(text)) => Some(format!("{code} {enhanced} {text}")),
        (Some(code), None, Some(text)) => Some(format!("{code} {text}")),
        (Some(code), _, None) => Some(code.to_string()),
        (None, _, text) => text.clone(),
    };
    TimelineEntry {
        at: time(event.at_ms),
        kind: event.kind.as_str().to_owned(),
        summary,
        reply,
        class: event.class.map(|class| class.as_str().to_owned()),
        campaign_id: event.campaign_id.map(|id| id.0),
        campaign: event.campaign_id.and_then(|id| names.get(&id).cloned()),
        recipient_id: event.recipient_id.map(|id| id.0),
        provider: event.provider,
        source: event.source,
        mx: event.mx,
        attempt: event.attempt,
        took_ms: event.took_ms.map(u64::from),
        tls: event.tls,
        conversation: None,
        leads_to: None,
    }
}

/// An entry of which no more is known than a sentence.
pub(crate) fn entry(at_ms: i64, kind: &str, summary: String) -> TimelineEntry {
    TimelineEntry {
        at: time(at_ms),
        kind: kind.to_owned(),
        summary,
        reply: None,
        class: None,
        campaign_id: None,
        campaign: None,
        recipient_id: None,
        provider: None,
        source: None,
        mx: None,
        attempt: None,
        took_ms: None,
        tls: None,
        conversation: None,
        leads_to: None,
    }
}

/// Whether the text of such events stands in their summary.
fn says_itself(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::SuppressionAdded
            | Kind::SuppressionRemoved
            | Kind::Suppressed
            | Kind::ListJoined
            | Kind::ListLeft
            | Kind::StreamJoined
            | Kind::StreamLeft
            | Kind::JourneyEntered
            | Kind::JourneyEnded
            | Kind::Held
            | Kind::Released
            | Kind::Hurried
            | Kind::Rerouted
            | Kind::Paused
            | Kind::Resumed
            | Kind::SenderTold
    )
}

fn summary(event: &EventRow) -> String {
    let at = event.provider.as_deref().or(event.mx.as_deref()).unwrap_or("the receiving server");
    let by = event.actor.as_deref().map(|actor| format!(" by {actor}")).unwrap_or_default();
    let why = event.text.as_deref().filter(|text| !text.is_empty()).map(|text| format!(": {text}")).unwrap_or_default();
    match event.kind {
        Kind::Delivered => format!("Accepted by {at}."),
        Kind::Deferred => format!("{at} asked to come back later."),
        Kind::Blocked => format!("{at} refused our address or name."),
        // Nobody was asked, and it is no mistake of the address: a person gave it up.
        Kind::Bounced if event.class == Some(BounceClass::Unclassified) && event.reply_code.is_none() => {
            "Not sent any more: given up by hand.".to_owned()
        }
        // What is told by a report has a source, of the attempt that it is about, and is no attempt itself.
        Kind::Bounced if event.attempt.is_none() && event.source.is_some() => {
            format!("A report came back: {at} could not deliver it after all.")
        }
        Kind::Bounced => format!("Refused for good by {at}."),
        Kind::Expired => "Given up: it was deferred until its time was over.".to_owned(),
        Kind::Suppressed if event.text.as_deref() == Some(LEFT_LIST) => {
            "Not sent: the address has left the list that the mail belongs to.".to_owned()
        }
        Kind::Suppressed if event.text.as_deref() == Some(LEFT_STREAM) => {
            "Not sent: the address wants no mail of the stream that the mail belongs to.".to_owned()
        }
        Kind::Suppressed => {
            let why =
                event.text.as_deref().map(|reason| format!(" ({})", reason.replace('_', " "))).unwrap_or_default();
            format!("Not sent: the address is on the suppression list{why}.")
        }
        Kind::Cancelled => "Not sent: cancelled.".to_owned(),
        Kind::Unknown => format!("The answer of {at} to the message never came; it is not sent again."),
        Kind::Delayed => format!("{at} reports that it is still trying."),
        Kind::Arrived => format!("{at} reports that it has arrived."),
        Kind::Relayed => format!("{at} reports that it went on to a system that reports nothing."),
        Kind::Expanded => format!("{at} reports that it went on to several addresses."),
        Kind::SenderTold => {
            let what = event.text.as_deref().and_then(|text| text.split_once(' ')).map_or("", |(what, _)| what);
            format!("Whoever handed it in was told by mail: {what}.")
        }
        Kind::SuppressionAdded => {
            let text = event.text.as_deref().unwrap_or_default();
            let (reason, origin) = text.split_once(": ").unwrap_or((text, ""));
            let origin = if origin.is_empty() { String::new() } else { format!(": {origin}") };
            format!("Put on the suppression list{by}, {}{origin}.", reason.replace('_', " "))
        }
        Kind::SuppressionRemoved => format!("Taken off the suppression list{by}{why}."),
        Kind::Unsubscribed => "Unsubscribed.".to_owned(),
        Kind::Resubscribed => "Subscribed again.".to_owned(),
        Kind::MailPaused => "Wants no marketing mail for 30 days.".to_owned(),
        Kind::ListJoined => format!("Joined a list{by}{why}."),
        Kind::ListLeft => format!("Left a list{by}{why}."),
        Kind::StreamJoined => format!("Wants the mail of a stream again{by}{why}."),
        Kind::StreamLeft => format!("Wants no mail of a stream any more{by}{why}."),
        Kind::JourneyEntered => format!("Entered a journey{why}."),
        Kind::JourneyEnded => format!("A journey ended{why}."),
        Kind::Complained => format!("Reported as spam to {at}."),
        Kind::Replied if event.class == Some(mail::BounceClass::Vacation) => {
            "A machine answered for them: the mail has arrived.".to_owned()
        }
        Kind::Replied => "Answered the mail.".to_owned(),
        // Of no contact, and so in nobody's timeline.
        Kind::SourceOut
        | Kind::SourceBack
        | Kind::SourceCheck
        | Kind::AlarmBegan
        | Kind::AlarmEnded
        | Kind::Listed
        | Kind::Delisted => event.text.clone().unwrap_or_default(),
        Kind::AutomationBegan => format!("Mail to {at} is held or slowed down."),
        Kind::AutomationEnded => format!("Mail to {at} goes as before{by}."),
        Kind::Held => format!("Held{by}{why}."),
        Kind::Released => format!("Released{by}{why}."),
        Kind::Hurried => format!("To be tried at once, asked for{by}{why}."),
        Kind::Rerouted => format!("Sent over another pool{by}{why}."),
        Kind::Paused => format!("Paused{by}{why}."),
        Kind::Resumed => format!("Resumed{by}{why}."),
        Kind::LaneStalled => "A lane made no progress.".to_owned(),
    }
}

/// The beginning of every contact's timeline.
pub(crate) fn created(contact: &Contact) -> TimelineEntry {
    let summary = match contact.consent_source.as_str() {
        "" => "Added.".to_owned(),
        source => format!("Added: {source}."),
    };
    entry(contact.created_ms, "created", summary)
}
