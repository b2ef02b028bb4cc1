//! From a mail that came in to what it changes: the recipient named by the address, and what the report says of it.

use super::purpose::{Named, Purpose};
use super::{Happened, Inbound, Told, feedback, reply};
use crate::metric;
use crate::unknown_text::Said;
use bounce::verp::VerpError;
use bounce::{Action, Kind, RecipientReport, Report, RulesAt, Sort, Stage};
use mail::{Address, BounceClass};
use std::sync::Arc;
use std::time::Duration;
use storage::complaint::Way;
use storage::queue::{self, Answer, ReportKind, ReportMatch};
use storage::{MessageId, RecipientId, StorageError, address_hash, message};

/// Return paths are good for so long after sending. The slowest systems give up after a week; some hold mail for a month.
pub(super) const VERP_AGE_MAX: Duration = Duration::from_secs(45 * 86_400);
/// A report can overtake the commit of the outcome that it is about: asked again this often.
const BUSY_RETRIES: u32 = 20;
/// Between two of those.
const BUSY_WAIT: Duration = Duration::from_millis(50);

/// A mail that came in.
pub(super) struct Incoming {
    /// The address that brought it, or where else it comes from.
    pub(super) peer: String,
    /// The reverse path, where there is one.
    pub(super) from: Option<Address>,
    /// It is known that the reverse path is empty.
    pub(super) null_path: bool,
    /// Each address with what it is for.
    pub(super) rcpts: Vec<(Address, Purpose)>,
    pub(super) message: Vec<u8>,
}

impl Incoming {
    /// The reverse path, empty for reports; `None` where nobody knows it.
    pub(super) fn reverse_path(&self) -> Option<String> {
        match &self.from {
            Some(from) => Some(from.to_string()),
            None => self.null_path.then(String::new),
        }
    }
}

/// Reads a mail by the rules in force.
pub(super) fn read(inbound: &Inbound, message: &[u8]) -> Report {
    let mut report = bounce::parse_with(message, inbound.shaping.meaning());
    inbound.shaping.name_providers(&mut report);
    report
}

/// Settles a mail for each address that it was sent to. Returns when all of it is on disk; `None` when it is to come
/// again.
pub(super) async fn settle(inbound: &Inbound, incoming: &Incoming) -> Result<Option<Vec<Told>>, StorageError> {
    let report = read(inbound, &incoming.message);
    let mut told = Vec::with_capacity(incoming.rcpts.len());
    for (rcpt, purpose) in &incoming.rcpts {
        if let Some(trouble) = purpose.trouble() {
            let why = if trouble == VerpError::Expired { "expired" } else { "forged" };
            metrics::counter!(metric::FALSE_PATHS, "why" => why).increment(1);
        }
        let settled = settle_for(inbound, purpose, &report, incoming).await?;
        let Some(one) = note(inbound, incoming, &report, (Some(rcpt), purpose.as_str()), settled).await? else {
            return Ok(None);
        };
        told.push(one);
    }
    Ok(Some(told))
}

/// Counts what became of a mail, and keeps it where nothing could follow from it. `None` when it is to come again.
pub(super) async fn note(
    inbound: &Inbound,
    incoming: &Incoming,
    report: &Report,
    (rcpt, purpose): (Option<&Address>, &'static str),
    settled: Settled,
) -> Result<Option<Told>, StorageError> {
    let (recipient, matched, what) = match settled {
        Settled::Did { recipient, what } => (recipient, true, what),
        Settled::No(why) => (None, false, why),
        Settled::Busy => return Ok(None),
    };
    let word = if matched { "yes" } else { "no" };
    metrics::counter!(metric::REPORTS, "purpose" => purpose, "matched" => word).increment(1);
    let rcpt = rcpt.map(Address::to_string).unwrap_or_default();
    if !matched {
        let from = (inbound.clock.now_ms(), incoming.peer.clone());
        storage::unmatched_report::keep(&inbound.storage, from, rcpt.clone(), what, incoming.message.clone()).await?;
    }
    let class = worst(&report.recipients).and_then(|said| {
        let provider = said.provider.as_deref().unwrap_or("");
        meaning(said, inbound.shaping.meaning().at(provider)).1.class
    });
    let class = class.or(report.class());
    Ok(Some(Told { rcpt, purpose, sort: report.sort, recipient, class, matched, what }))
}

/// What follows from a mail to an address of this purpose.
async fn settle_for(
    inbound: &Inbound,
    purpose: &Purpose,
    report: &Report,
    incoming: &Incoming,
) -> Result<Settled, StorageError> {
    Ok(match purpose {
        Purpose::ReturnPath(Err(VerpError::Expired)) | Purpose::Unsubscribe(Err(VerpError::Expired)) => {
            Settled::No("the return path has expired")
        }
        Purpose::ReturnPath(Err(_)) | Purpose::Unsubscribe(Err(_)) => Settled::No("the return path is forged"),
        Purpose::ReturnPath(Ok(Named::Recipient(id))) => settle_named(inbound, *id, report, incoming).await?,
        Purpose::ReturnPath(Ok(Named::Message(id))) => match &report.feedback {
            Some(found) => feedback::settle(inbound, None, report, found).await?,
            None => settle_several(inbound, *id, report).await?,
        },
        Purpose::Feedback => match &report.feedback {
            Some(found) => feedback::settle(inbound, None, report, found).await?,
            None => Settled::No("it is no feedback report"),
        },
        Purpose::Unsubscribe(Ok(id)) => unsubscribe(inbound, *id, report, incoming).await?,
        Purpose::Reply(row) => reply::settle(inbound, incoming, row, report).await?,
    })
}

/// What came to the return path of a recipient.
async fn settle_named(
    inbound: &Inbound,
    id: RecipientId,
    report: &Report,
    incoming: &Incoming,
) -> Result<Settled, StorageError> {
    if let Some(found) = &report.feedback {
        return feedback::settle(inbound, Some(id), report, found).await;
    }
    if report.sort == Sort::Unsubscribe {
        return unsubscribe(inbound, id, report, incoming).await;
    }
    if report.sort == Sort::Ordinary && report.recipients.is_empty() {
        feedback::answered(inbound, id, incoming.from.as_ref()).await?;
    }
    if let Some(class) = report.class() {
        return apply(inbound, id, ReportKind::Answered, Answer::of_trouble(class, "an automatic answer")).await;
    }
    settle_one(inbound, id, worst(&report.recipients)).await
}

/// A mail whose address is none of ours, or says nothing of whom: marks in what it returns name the recipient.
pub(super) async fn settle_by_marks(
    inbound: &Inbound,
    report: &Report,
    incoming: &Incoming,
) -> Result<Settled, StorageError> {
    if let Some(found) = &report.feedback {
        return feedback::settle(inbound, None, report, found).await;
    }
    if report.recipients.is_empty() {
        return Ok(Settled::No("it is not a report about a delivery"));
    }
    match feedback::recipient(inbound, report, None).await? {
        Some(id) => settle_named(inbound, id, report, incoming).await,
        None => Ok(Settled::No("it names no recipient of ours")),
    }
}

/// Somebody wants no more of it. What a program answers is no wish of anybody.
async fn unsubscribe(
    inbound: &Inbound,
    id: RecipientId,
    report: &Report,
    incoming: &Incoming,
) -> Result<Settled, StorageError> {
    if let Some(found) = &report.feedback {
        return feedback::settle(inbound, Some(id), report, found).await;
    }
    if !matches!(report.sort, Sort::Ordinary | Sort::Unsubscribe) || incoming.null_path {
        return Ok(Settled::No("a program wrote it: that unsubscribes nobody"));
    }
    let now_ms = inbound.clock.now_ms();
    let apply = move |tx: &storage::Transaction<'_>| {
        storage::unsubscribe::apply_because(tx, id, "unsubscribed by a mail", now_ms)
    };
    let found = inbound.storage.queue().write(apply).await?;
    Ok(match found {
        Some(_) => Settled::Did { recipient: Some(id), what: "unsubscribed" },
        None => Settled::No(feedback::GONE),
    })
}

/// What became of a mail.
pub(super) enum Settled {
    /// Something follows from it, or did already.
    Did {
        recipient: Option<RecipientId>,
        /// What was done, for people.
        what: &'static str,
    },
    /// Nothing follows from it.
    No(&'static str),
    /// Its recipient is still being sent.
    Busy,
}

/// Applies to each recipient of a message what the report says of it.
async fn settle_several(inbound: &Inbound, message: MessageId, report: &Report) -> Result<Settled, StorageError> {
    let mut settled = Settled::No("it names no recipient of its message");
    for group in &report.recipients {
        // RFC 3464 §2.3.1: the original recipient is the one that we named, whatever became of it on the way.
        let named = [&group.original_recipient, &group.final_recipient];
        let hashes: Vec<_> = named.into_iter().flatten().filter_map(|text| Address::parse(text).ok()).collect();
        let hashes: Vec<_> = hashes.iter().map(address_hash).collect();
        let found = inbound.storage.read(move |c| message::recipient_among(c, message, &hashes)).await?;
        let Some(id) = found else { continue };
        match settle_one(inbound, id, Some(group)).await? {
            Settled::Busy => return Ok(Settled::Busy),
            did @ Settled::Did { .. } => settled = did,
            Settled::No(_) => {}
        }
    }
    Ok(settled)
}

/// Applies to a recipient what the report says of it.
async fn settle_one(
    inbound: &Inbound,
    id: RecipientId,
    said: Option<&RecipientReport>,
) -> Result<Settled, StorageError> {
    let Some(said) = said else {
        return Ok(Settled::No("it is not a report about a delivery"));
    };
    // Where the report names no server, it is that of the provider that took the message.
    let way = inbound.storage.read(move |c| feedback::found_way(c, id)).await?.map(|(way, _)| way);
    let provider = said.provider.as_deref().or(way.as_ref().map(|way| way.provider.as_str())).unwrap_or("");
    let (kind, answer) = meaning(said, inbound.shaping.meaning().at(provider));
    if let Some(way) = &way {
        note_unknown(inbound, said, way, provider);
    }
    apply(inbound, id, kind, answer).await
}

/// Writes down what came back about a recipient.
async fn apply(inbound: &Inbound, id: RecipientId, kind: ReportKind, answer: Answer) -> Result<Settled, StorageError> {
    for _ in 0..BUSY_RETRIES {
        let report = queue::Report { id, at_ms: inbound.clock.now_ms(), kind, answer: answer.clone() };
        match inbound.storage.queue().write(move |tx| queue::settle_report(tx, &report)).await? {
            ReportMatch::Applied if matches!(kind, ReportKind::Failed { .. }) => {
                if let Some((way, sender)) = inbound.storage.read(move |c| feedback::found_way(c, id)).await? {
                    feedback::hear(inbound, Happened::Bounced, &way, sender);
                }
                return Ok(Settled::Did { recipient: Some(id), what: "bounced" });
            }
            ReportMatch::Applied => {
                let what = match kind {
                    ReportKind::Delayed => "delayed",
                    ReportKind::Answered => "answered by a machine",
                    _ => "arrived",
                };
                return Ok(Settled::Did { recipient: Some(id), what });
            }
            ReportMatch::Known => return Ok(Settled::Did { recipient: Some(id), what: "known already" }),
            ReportMatch::NoRecipient => return Ok(Settled::No(feedback::GONE)),
            ReportMatch::Busy => inbound.clock.sleep(BUSY_WAIT).await,
        }
    }
    Ok(Settled::Busy)
}

/// What a report says about the one recipient that its return path stands for. Such a return path is used for one
/// recipient only, so that forwarding under another address does not matter; of several groups the worst counts.
fn worst(groups: &[RecipientReport]) -> Option<&RecipientReport> {
    groups.iter().min_by_key(|group| match group.action {
        Action::Failed => 0,
        Action::Delayed => 1,
        Action::Delivered | Action::Relayed | Action::Expanded => 2,
    })
}

/// A text that no rule knows is kept for people.
fn note_unknown(inbound: &Inbound, said: &RecipientReport, way: &Way, provider: &str) {
    let (Action::Failed | Action::Delayed, Some(reply)) = (said.action, said.reply()) else { return };
    let found = inbound.shaping.meaning().at(provider).classify(&reply, Stage::Report);
    let local = way.address.rsplit_once('@').map(|(local, _)| local);
    let provider = &Arc::from(provider);
    let said = Said { workspace: way.workspace_id, provider, reply: &reply, stage: Stage::Report, local };
    inbound.unknown_texts.note(&said, &found, inbound.clock.now_ms());
}

fn meaning(said: &RecipientReport, rules: RulesAt<'_>) -> (ReportKind, Answer) {
    let arrived = |action| {
        (
            ReportKind::Arrived(action),
            Answer {
                class: None,
                code: None,
                enhanced: said.status,
                text: said.diagnostic.clone().unwrap_or_default(),
            },
        )
    };
    match said.action {
        Action::Failed => {
            let (answer, kind) = answer(said, rules);
            (ReportKind::Failed { suppress: kind == Kind::Hard }, answer)
        }
        Action::Delayed => (ReportKind::Delayed, answer(said, rules).0),
        Action::Delivered => arrived(mail::dsn::Action::Delivered),
        Action::Relayed => arrived(mail::dsn::Action::Relayed),
        Action::Expanded => arrived(mail::dsn::Action::Expanded),
    }
}

fn answer(group: &RecipientReport, rules: RulesAt<'_>) -> (Answer, Kind) {
    match group.reply() {
        Some(reply) => {
            let classified = rules.classify(&reply, Stage::Report);
            (Answer::of_reply(&reply, Some(classified.class)), classified.kind)
        }
        // Given up without a reason: nothing says that the address is at fault.
        None => (Answer::of_trouble(BounceClass::Unclassified, "the report gives no reason"), Kind::Soft),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn group(action: Action, status: &str, diagnostic: &str) -> RecipientReport {
        RecipientReport {
            original_recipient: None,
            final_recipient: None,
            action,
            status: mail::EnhancedStatus::parse(status),
            diagnostic: (!diagnostic.is_empty()).then(|| diagnostic.to_owned()),
            remote_mta: None,
            last_attempt_ms: None,
            provider: None,
        }
    }

    fn check(groups: Vec<RecipientReport>, expected: Option<ReportKind>) {
        assert_eq!(worst(&groups).map(|said| meaning(said, bounce::Rules::builtin().at("")).0), expected, "{groups:?}");
    }

    #[test]
    fn meanings() {
        let failed = |suppress| Some(ReportKind::Failed { suppress });
        check(vec![group(Action::Failed, "5.1.1", "550 5.1.1 no such user")], failed(true));
        check(vec![group(Action::Failed, "5.1.1", "")], failed(true));
        check(vec![group(Action::Failed, "5.2.2", "552 5.2.2 mailbox full")], failed(false));
        // About our reputation: never a reason to suppress.
        check(
            vec![group(Action::Failed, "5.7.1", "554 5.7.1 blocked using a blocklist, your IP is listed")],
            failed(false),
        );
        check(vec![group(Action::Failed, "", "")], failed(false));
        check(vec![group(Action::Delayed, "4.4.1", "")], Some(ReportKind::Delayed));
        check(vec![group(Action::Delivered, "2.0.0", "")], Some(ReportKind::Arrived(mail::dsn::Action::Delivered)));
        check(vec![group(Action::Delayed, "4.4.1", ""), group(Action::Failed, "5.1.1", "")], failed(true));
        check(vec![], None);
    }
}
