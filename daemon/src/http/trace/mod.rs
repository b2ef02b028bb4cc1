//! The trace: everything about one recipient in the order of time, and everything that was sent to one address.

pub(crate) mod address;
mod notes;

use crate::app::Shared;
use crate::http::access::Actor;
use crate::http::error::ApiError;
use crate::http::extract::{Json, Path};
use crate::http::queue::shape;
use crate::http::timeline::{self, CampaignNames, campaign_names, entry};
use api_types::{RecipientDetail, TimelineEntry, TraceLink, TraceTarget, WebhookDeliveryState};
use axum::extract::State;
use mail::WaitReason;
use notes::notes;
use storage::auth_failure::{self, AuthFailure};
use storage::conversation::{self, Conversation};
use storage::event::{self, EventRow, Kind};
use storage::message::{self, Message, Submission};
use storage::queue::{self, Recipient, Waited};
use storage::reply::{self, Reply};
use storage::webhook::about::{self, Told};
use storage::{Connection, RecipientId, StorageError, WorkspaceId, webhook};

/// Events of one recipient at most: attempts over some days are some tens.
const EVENTS_MAX: u32 = 200;
/// Conversations of one recipient at most.
const CONVERSATIONS_MAX: u32 = 50;
/// Deliveries to webhooks that concern one recipient, at most.
const TOLD_MAX: u32 = 200;
/// Reports of failed authentication about one mail, at most.
const FAILURES_MAX: u32 = 20;
/// Answers to one mail, at most.
const REPLIES_MAX: u32 = 50;

/// One recipient, live or finished, with everything that happened to it: where it came from, each wait and attempt with
/// what was said over the wire, what came back later, what that led to, and which webhooks were told.
#[utoipa::path(get, path = "/api/v1/recipients/{id}", tag = "queue", params(("id" = i64, Path)),
    responses((status = 200, body = RecipientDetail)))]
pub(crate) async fn recipient(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
) -> Result<Json<RecipientDetail>, ApiError> {
    detail(&app, actor.workspace, RecipientId(id)).await.map(Json)
}

/// A recipient with everything that happened to it.
pub(crate) async fn detail(app: &Shared, workspace: WorkspaceId, id: RecipientId) -> Result<RecipientDetail, ApiError> {
    let found = app.storage.read(move |c| Found::read(c, workspace, id)).await?;
    let found = found.ok_or_else(|| ApiError::not_found("recipient"))?;
    let notes = notes(&app.config, &found, app.now_ms());
    let timeline = found.timeline();
    Ok(RecipientDetail { recipient: shape(found.row, &found.names), timeline, notes })
}

/// What is kept of a recipient, in all files.
struct Found {
    row: Recipient,
    names: CampaignNames,
    message: Option<Message>,
    events: Vec<EventRow>,
    waits: Vec<Waited>,
    conversations: Vec<Conversation>,
    replies: Vec<Reply>,
    told: Vec<Told>,
    failures: Vec<AuthFailure>,
    has_webhooks: bool,
}

impl Found {
    fn read(c: &Connection, workspace: WorkspaceId, id: RecipientId) -> Result<Option<Found>, StorageError> {
        let Some(row) = queue::find(c, workspace, id)? else { return Ok(None) };
        let events = event::of_recipient(c, workspace, (id, row.origin.contact()), EVENTS_MAX)?;
        let ids: Vec<i64> = events.iter().map(|event| event.id).collect();
        let message = row.origin.message().map(|message| message::find(c, workspace, message)).transpose()?.flatten();
        Ok(Some(Found {
            names: campaign_names(c, workspace, row.origin.campaign().into_iter())?,
            waits: queue::waits(c, workspace, id)?,
            conversations: conversation::of_recipient(c, workspace, id, CONVERSATIONS_MAX)?,
            replies: reply::of_recipient(c, workspace, id, REPLIES_MAX)?,
            failures: auth_failure::of_recipient(c, workspace, id, FAILURES_MAX)?,
            told: about::of_recipient(c, workspace, (id, &ids), TOLD_MAX)?,
            has_webhooks: !webhook::list(c, workspace, i64::MAX, 1)?.is_empty(),
            row,
            message,
            events,
        }))
    }

    /// Everything, the newest first. What happened in one moment stands as it was written.
    fn timeline(&self) -> Vec<TimelineEntry> {
        let mut all: Vec<(i64, TimelineEntry)> = Vec::new();
        let told = self.told.iter().map(|told| (told.attempt_ms.unwrap_or(told.created_ms), webhook_told(told)));
        all.extend(told);
        all.extend(self.events.iter().map(|event| (event.at_ms, self.event(event))));
        all.extend(self.failures.iter().map(|failure| (failure.received_ms, failed(failure))));
        let waits = self.waits.iter().map(|wait| {
            (wait.since_ms, entry(wait.since_ms, "waiting", format!("Waits: {}.", waits_for(wait.reason))))
        });
        all.extend(waits);
        all.push((self.row.accepted_ms, self.accepted()));
        all.sort_by_key(|(at_ms, _)| std::cmp::Reverse(*at_ms));
        all.into_iter().map(|(_, entry)| entry).collect()
    }

    fn event(&self, event: &EventRow) -> TimelineEntry {
        let shaped = timeline::shape(event.clone(), &self.names);
        TimelineEntry { conversation: self.conversation(event), leads_to: self.leads_to(event), ..shaped }
    }

    /// What was said in the attempt that an event tells of: both were written with the same moment.
    fn conversation(&self, event: &EventRow) -> Option<String> {
        event.attempt?;
        let (source, mx) = (event.source.as_deref()?, event.mx.as_deref()?);
        let same = |talk: &&Conversation| talk.at_ms == event.at_ms && talk.source == source && talk.mx == mx;
        self.conversations.iter().find(same).map(|talk| talk.text.clone())
    }

    fn leads_to(&self, event: &EventRow) -> Option<TraceLink> {
        match event.kind {
            Kind::SuppressionAdded | Kind::SuppressionRemoved => Some(self.suppressions()),
            Kind::Suppressed if !event.text.as_deref().is_some_and(is_left) => Some(self.suppressions()),
            Kind::Replied => {
                let reply = self.replies.iter().find(|reply| reply.received_ms == event.at_ms)?;
                let name = reply.subject.clone();
                Some(TraceLink { to: TraceTarget::Reply, id: Some(reply.id.0), name })
            }
            Kind::SenderTold => {
                let id = event.text.as_deref()?.rsplit_once(' ')?.1.parse().ok()?;
                Some(TraceLink { to: TraceTarget::Message, id: Some(id), name: format!("message {id}") })
            }
            _ => None,
        }
    }

    fn suppressions(&self) -> TraceLink {
        TraceLink { to: TraceTarget::Suppressions, id: None, name: self.row.address.clone() }
    }

    /// Where it came from.
    fn accepted(&self) -> TimelineEntry {
        let at_ms = self.row.accepted_ms;
        let Some(message) = &self.message else {
            let id = self.row.origin.campaign();
            let name = id.and_then(|id| self.names.get(&id)).filter(|name| !name.is_empty()).cloned();
            let summary = match (&name, id) {
                (Some(name), _) => format!("Queued by the campaign {name}."),
                (None, Some(id)) => format!("Queued by the campaign {id}."),
                (None, None) => "Queued; its message is not kept any more.".to_owned(),
            };
            return TimelineEntry {
                campaign_id: id.map(|id| id.0),
                campaign: name,
                ..entry(at_ms, "accepted", summary)
            };
        };
        let by = &message.submitter;
        let came = match message.submission {
            Submission::Smtp => format!("Handed in over SMTP with the credential {by}."),
            Submission::Http => format!("Handed in through the API by {by}."),
            Submission::System => format!("Made by Packetboat itself: {by}."),
        };
        let later = match message.send_at_ms > message.accepted_ms {
            true => format!(" To be sent from {} on.", crate::text::time(message.send_at_ms)),
            false => String::new(),
        };
        let leads_to = TraceLink { to: TraceTarget::Message, id: Some(message.id.0), name: message.subject.clone() };
        TimelineEntry { leads_to: Some(leads_to), ..entry(at_ms, "accepted", came + &later) }
    }

    /// Attempts that events tell of, each with whether its conversation is kept.
    fn attempts(&self) -> impl Iterator<Item = (&EventRow, bool)> {
        let attempts = self.events.iter().filter(|event| event.attempt.is_some() && event.mx.is_some());
        attempts.map(|event| (event, self.conversation(event).is_some()))
    }
}

/// A receiver reported that the mail failed authentication.
fn failed(failure: &AuthFailure) -> TimelineEntry {
    let what = if failure.failure.is_empty() { String::new() } else { format!(" ({})", failure.failure) };
    let from =
        if failure.source_ip.is_empty() { String::new() } else { format!(", coming from {}", failure.source_ip) };
    let summary = format!("{} reported that it failed authentication{what}{from}.", failure.organization);
    entry(failure.received_ms, "auth_failure", summary)
}

/// Whether such an event's text says that the recipient left something, and not why it is suppressed.
fn is_left(text: &str) -> bool {
    [queue::LEFT_LIST, queue::LEFT_STREAM].contains(&text)
}

fn webhook_told(told: &Told) -> TimelineEntry {
    let name = if told.webhook.is_empty() { format!("{} (deleted)", told.webhook_id) } else { told.webhook.clone() };
    let how = match told.state {
        WebhookDeliveryState::Delivered => "was told",
        WebhookDeliveryState::Waiting => "is going to be told",
        WebhookDeliveryState::Retrying => "could not be told yet",
        WebhookDeliveryState::Failed => "could not be told",
    };
    let answer = match (told.status, &told.answer) {
        (Some(status), Some(answer)) if !answer.is_empty() => Some(format!("HTTP {status} {answer}")),
        (Some(status), _) => Some(format!("HTTP {status}")),
        (None, answer) => answer.clone(),
    };
    let leads_to = TraceLink { to: TraceTarget::Webhook, id: Some(told.webhook_id.0), name: name.clone() };
    TimelineEntry {
        reply: answer.filter(|_| told.attempts > 0),
        attempt: (told.attempts > 0).then_some(told.attempts),
        took_ms: told.took_ms.map(u64::from),
        leads_to: Some(leads_to),
        ..entry(
            told.attempt_ms.unwrap_or(told.created_ms),
            "webhook",
            format!("The webhook {name} {how}: {}.", told.kind.as_str()),
        )
    }
}

/// A reason to wait, as the rest of a sentence.
fn waits_for(reason: WaitReason) -> &'static str {
    match reason {
        WaitReason::Turn => "for its turn",
        WaitReason::Scheduled => "it is scheduled for later",
        WaitReason::Deferred => "the receiving server said not now",
        WaitReason::Greylisted => "the receiving server asked to come back later",
        WaitReason::SourceBlocked => "every source of its pool is blocked there",
        WaitReason::LaneFull => "all connections to the receiving servers are in use",
        WaitReason::Dns => "the receiving servers could not be found in DNS",
        WaitReason::Connect => "no receiving server could be reached",
        WaitReason::Tls => "TLS is required there and could not be had",
        WaitReason::Paused => "its campaign, or something else of it, is paused",
        WaitReason::Local => "something of this host was missing: its content, its key, or the address of every source",
        WaitReason::Rate => "a rate was used up",
        WaitReason::WarmUp => "the warm-up's allowance of the day was used up",
        WaitReason::ProviderHold => "the provider's answers made all mail to it wait",
        WaitReason::DomainHold => "the provider refuses the sending domain until something of it is mended",
        WaitReason::Reputation => "too much mail of this sender bounced or was reported as spam",
        WaitReason::Held => "it is held by hand",
    }
}
