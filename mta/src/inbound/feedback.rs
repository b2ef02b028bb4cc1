//! Feedback: somebody reported our mail as spam (ARF, RFC 5965; CFBL, RFC 9477), or answered it.
//!
//! Whom a report is about is told by marks that we signed: our own in the returned message, its return path, or the
//! return path that the report came to; else by the Message-ID, all of whose parts must be true. Mailbox providers black
//! out addresses, so the address alone never names anybody.

use super::report::{Incoming, Settled, VERP_AGE_MAX};
use super::{Happened, Heard, Inbound, auth_failure};
use bounce::{Feedback, Report, verp};
use mail::Address;
use std::sync::Arc;
use storage::complaint::{self, Complaint, Way};
use storage::event::{Event, Kind};
use storage::queue::Origin;
use storage::{
    AddressHash, CampaignId, Connection, RecipientId, StorageError, address_hash, contact, domain, outbox, unsubscribe,
    warmup,
};

/// What a report wants of us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    /// It was reported as spam.
    Complaint,
    /// No more of it, in good order.
    Unsubscribe,
    /// Nothing against the recipient: authentication failed.
    AuthFailure,
    /// Nothing: it is no spam after all.
    Nothing,
}

fn wish(feedback: &Feedback) -> Wish {
    match feedback.feedback_type.as_str() {
        // Of our mail, never of its recipient.
        _ if feedback.is_auth_failure() => Wish::AuthFailure,
        "opt-out" | "opt-out-list" => Wish::Unsubscribe,
        "not-spam" => Wish::Nothing,
        // "abuse", "fraud", "virus", "other", and what somebody thought of since.
        _ => Wish::Complaint,
    }
}

/// Acts on a feedback report. `named` is the recipient of the return path that it came to, if it came to one.
pub(super) async fn settle(
    inbound: &Inbound,
    named: Option<RecipientId>,
    (report, feedback): (&Report, &Feedback),
    incoming: &Incoming,
) -> Result<Settled, StorageError> {
    let wish = wish(feedback);
    match wish {
        Wish::Nothing => return Ok(Settled::No("the feedback is no complaint")),
        Wish::AuthFailure => return auth_failure::settle(inbound, named, (report, feedback), incoming).await,
        Wish::Complaint | Wish::Unsubscribe => {}
    }
    let found = match named {
        Some(id) => Some(id),
        None => recipient(inbound, report, Some(feedback)).await?,
    };
    let Some(id) = found else {
        return Ok(Settled::No("the feedback names no recipient of ours"));
    };
    let now_ms = inbound.clock.now_ms();
    if wish == Wish::Unsubscribe {
        let found = inbound.storage.queue().write(move |tx| unsubscribe::apply(tx, id, now_ms)).await?;
        return Ok(match found {
            Some(_) => Settled::Did { recipient: Some(id), what: "unsubscribed" },
            None => Settled::No(GONE),
        });
    }
    let Some((way, sender)) = inbound.storage.read(move |c| found_way(c, id)).await? else {
        return Ok(Settled::No(GONE));
    };
    let text = told(feedback, report);
    let complaint = Complaint { id, at_ms: now_ms, domain: sender.clone(), text };
    if inbound.storage.queue().write(move |tx| complaint::settle(tx, &complaint)).await? {
        hear(inbound, Happened::Complained, &way, sender);
        return Ok(Settled::Did { recipient: Some(id), what: "complained" });
    }
    Ok(Settled::Did { recipient: Some(id), what: "known already" })
}

pub(super) const GONE: &str = "there is no such recipient any more";

/// Tells the engine what happened to a recipient's mail.
pub(super) fn hear(inbound: &Inbound, happened: Happened, way: &Way, sender: Option<String>) {
    let Some(source) = &way.source else { return };
    (inbound.heard)(&Heard {
        happened,
        workspace: way.workspace_id,
        source: Arc::from(source.as_str()),
        site: Arc::from(way.site.as_deref().unwrap_or("")),
        provider: Arc::from(way.provider.as_str()),
        domain: sender.map(Arc::from),
    });
}

/// Over which way the recipient's mail went, and the domain that it was sent from.
pub(super) fn found_way(c: &Connection, id: RecipientId) -> Result<Option<(Way, Option<String>)>, StorageError> {
    let Some(way) = complaint::way(c, id)? else { return Ok(None) };
    let sender = warmup::senders(c, [way.origin])?.remove(&way.origin);
    let found = sender.map(|id| domain::find(c, way.workspace_id, id)).transpose()?.flatten();
    Ok(Some((way, found.map(|row| row.domain))))
}

/// The recipient that the returned message is about: a mark of ours in it says so, or its Message-ID.
pub(super) async fn recipient(
    inbound: &Inbound,
    report: &Report,
    feedback: Option<&Feedback>,
) -> Result<Option<RecipientId>, StorageError> {
    match marked(inbound, report, feedback) {
        Some(id) => Ok(Some(id)),
        None => by_message_id(inbound, report, feedback).await,
    }
}

/// The recipient that a mark of ours in the report names.
fn marked(inbound: &Inbound, report: &Report, feedback: Option<&Feedback>) -> Option<RecipientId> {
    let marks = [
        report.original_header(mail::FEEDBACK_MARK),
        feedback.and_then(|feedback| feedback.feedback_id.as_deref()),
        feedback.and_then(|feedback| feedback.original_mail_from.as_deref()),
        report.original_header("Return-Path"),
    ];
    let now_ms = inbound.clock.now_ms();
    marks.into_iter().flatten().find_map(|text| {
        let local = text.trim().trim_start_matches('<').split(['@', '>', ' ', ';']).next()?;
        verp::decode(&inbound.verp, local, now_ms, VERP_AGE_MAX).ok().map(RecipientId)
    })
}

/// The recipient that the Message-ID names.
async fn by_message_id(
    inbound: &Inbound,
    report: &Report,
    feedback: Option<&Feedback>,
) -> Result<Option<RecipientId>, StorageError> {
    let Some(header_id) = report.original_message_id.clone() else { return Ok(None) };
    let groups = report.recipients.iter().flat_map(|group| [&group.original_recipient, &group.final_recipient]);
    let named = feedback.map(|feedback| &feedback.recipients).into_iter().flatten().chain(groups.flatten());
    let hash = named.filter_map(|text| Address::parse(text).ok()).next().map(|address| address_hash(&address));
    inbound.storage.read(move |c| of_header_id(c, &header_id, hash.as_ref())).await
}

/// The recipient that a Message-ID names: a campaign's has three numbers before the `@`, all of which must be true; of a
/// submitted message it is the one with this address, or the only one.
pub(super) fn of_header_id(
    c: &Connection,
    header_id: &str,
    hash: Option<&AddressHash>,
) -> Result<Option<RecipientId>, StorageError> {
    let of_campaign = match numbers(header_id) {
        Some((id, campaign, accepted_ms)) => complaint::of_campaign(c, id, campaign, accepted_ms)?,
        None => None,
    };
    match of_campaign {
        Some(id) => Ok(Some(id)),
        None => complaint::of_message(c, header_id, hash),
    }
}

fn numbers(header_id: &str) -> Option<(RecipientId, CampaignId, i64)> {
    let mut parts = header_id.split('@').next()?.split('.').map(|part| i64::from_str_radix(part, 16).ok());
    let (id, campaign, accepted_ms) = (parts.next()??, parts.next()??, parts.next()??);
    parts.next().is_none().then_some((RecipientId(id), CampaignId(campaign), accepted_ms))
}

/// What stands beside the suppression, for people.
fn told(feedback: &Feedback, report: &Report) -> String {
    let by = feedback.user_agent.as_deref().or(report.reporting_mta.as_deref());
    let what = if feedback.feedback_type.is_empty() { "abuse" } else { &feedback.feedback_type };
    match by {
        Some(by) => format!("reported as {what}, says {by}"),
        None => format!("reported as {what}"),
    }
}

/// Somebody answered to the return path, from the address that the mail went to.
pub(super) async fn answered(inbound: &Inbound, id: RecipientId, from: Option<&Address>) -> Result<(), StorageError> {
    let now_ms = inbound.clock.now_ms();
    let Some(way) = inbound.storage.read(move |c| complaint::way(c, id)).await? else { return Ok(()) };
    if engaged(inbound, &way, from).await? {
        let told = move |tx: &storage::Transaction<'_>| {
            let event = Event {
                recipient_id: Some(id),
                campaign_id: way.origin.campaign(),
                contact_id: way.origin.contact(),
                ..Event::new(now_ms, way.workspace_id, Kind::Replied)
            };
            outbox::put(tx, &event)
        };
        inbound.storage.queue().write(told).await?;
    }
    Ok(())
}

/// Nobody is more engaged than a contact that answers, from the address that the mail went to. `false` when that is not
/// so, or nothing new.
pub(super) async fn engaged(inbound: &Inbound, way: &Way, from: Option<&Address>) -> Result<bool, StorageError> {
    let Origin::Campaign { contact, .. } = way.origin else { return Ok(false) };
    let sent_to = Address::parse(&way.address).ok();
    if from.map(address_hash) != sent_to.as_ref().map(address_hash) {
        return Ok(false);
    }
    let (workspace, now_ms) = (way.workspace_id, inbound.clock.now_ms());
    inbound.storage.main().write(move |tx| contact::engaged(tx, workspace, contact, now_ms)).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes() {
        for (word, expected) in [
            ("abuse", Wish::Complaint),
            ("fraud", Wish::Complaint),
            ("", Wish::Complaint),
            ("opt-out", Wish::Unsubscribe),
            ("not-spam", Wish::Nothing),
            ("auth-failure", Wish::AuthFailure),
        ] {
            let feedback = Feedback { feedback_type: word.to_owned(), ..Feedback::default() };
            assert_eq!(wish(&feedback), expected, "{word}");
        }
    }

    #[test]
    fn message_ids_of_campaigns() {
        let found = Some((RecipientId(31), CampaignId(2), 255));
        assert_eq!(numbers("1f.2.ff@news.example"), found);
        for other in ["1f.2@news.example", "1f.2.ff.3@x.example", "xyz.2.3@x.example", "", "@"] {
            assert_eq!(numbers(other), None, "{other}");
        }
    }
}
