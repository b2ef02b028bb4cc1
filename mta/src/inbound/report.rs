//! From a returned mail to what it changes: the recipient named by the return path, and what the report says of it.

use super::{Happened, Inbound, feedback, figures};
use crate::metric;
use bounce::verp::{self, VerpError};
use bounce::{Action, Kind, RecipientReport, Report, Sort, Stage};
use mail::{Address, BounceClass};
use std::net::IpAddr;
use std::time::Duration;
use storage::queue::{self, Answer, ReportKind, ReportMatch};
use storage::{MessageId, RecipientId, StorageError, address_hash, message};

/// Return paths are good for so long after sending. The slowest systems give up after a week; some hold mail for a month.
pub(super) const VERP_AGE_MAX: Duration = Duration::from_secs(45 * 86_400);
/// A report can overtake the commit of the outcome that it is about: asked again this often.
const BUSY_RETRIES: u32 = 20;
/// Between two of those.
const BUSY_WAIT: Duration = Duration::from_millis(50);

/// A mail that came back.
pub(super) struct Incoming {
    pub(super) peer: IpAddr,
    /// The reverse path, where there is one.
    pub(super) from: Option<Address>,
    pub(super) rcpts: Vec<Address>,
    pub(super) message: Vec<u8>,
}

/// Whether the local part has the form of a return path of ours, or is where feedback comes to. Forged and expired return
/// paths pass: they are counted and kept.
pub(super) fn is_ours(inbound: &Inbound, address: &Address) -> bool {
    is_feedback_address(inbound, address)
        || is_figures_address(inbound, address)
        || decode(inbound, address) != Err(VerpError::NotVerp)
}

fn is_feedback_address(inbound: &Inbound, address: &Address) -> bool {
    address.local().as_str().eq_ignore_ascii_case(&inbound.feedback)
}

/// Whether DMARC and TLS reports come to this address.
pub(super) fn is_figures_address(inbound: &Inbound, address: &Address) -> bool {
    inbound.figures.is_address(address.local().as_str())
}

/// What a return path names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Named {
    Recipient(RecipientId),
    /// Of several recipients that shared a transaction: the report says which.
    Message(MessageId),
}

fn decode(inbound: &Inbound, address: &Address) -> Result<Named, VerpError> {
    let (key, local, now_ms) = (&inbound.verp, address.local().as_str(), inbound.clock.now_ms());
    match verp::decode(key, local, now_ms, VERP_AGE_MAX) {
        Err(VerpError::NotVerp) => {
            verp::decode_message(key, local, now_ms, VERP_AGE_MAX).map(|id| Named::Message(MessageId(id)))
        }
        decoded => decoded.map(|id| Named::Recipient(RecipientId(id))),
    }
}

/// Settles a returned mail for each return path that it was sent to. Returns when all of it is on disk; `false` when it
/// is to come again.
pub(super) async fn settle(inbound: &Inbound, incoming: Incoming) -> Result<bool, StorageError> {
    let report = bounce::parse(&incoming.message);
    for rcpt in &incoming.rcpts {
        let settled = match decode(inbound, rcpt) {
            _ if matches!(report.sort, Sort::DmarcReport | Sort::TlsReport) || is_figures_address(inbound, rcpt) => {
                figures::settle(inbound, &report, &incoming).await?
            }
            _ if is_feedback_address(inbound, rcpt) => match &report.feedback {
                Some(found) => feedback::settle(inbound, None, &report, found).await?,
                None => Settled::No("it is no feedback report"),
            },
            Err(VerpError::Expired) => Settled::No("the return path has expired"),
            Err(_) => Settled::No("the return path is forged"),
            Ok(Named::Recipient(id)) => settle_named(inbound, id, &report, incoming.from.as_ref()).await?,
            Ok(Named::Message(id)) => match &report.feedback {
                Some(found) => feedback::settle(inbound, None, &report, found).await?,
                None => settle_several(inbound, id, &report).await?,
            },
        };
        let why = match settled {
            Settled::Yes => None,
            Settled::No(why) => Some(why),
            Settled::Busy => return Ok(false),
        };
        metrics::counter!(metric::REPORTS, "matched" => if why.is_none() { "yes" } else { "no" }).increment(1);
        if let Some(why) = why {
            let from = (inbound.clock.now_ms(), incoming.peer.to_string());
            storage::unmatched_report::keep(&inbound.storage, from, rcpt.to_string(), why, incoming.message.clone())
                .await?;
        }
    }
    Ok(true)
}

/// What came to the return path of a recipient.
async fn settle_named(
    inbound: &Inbound,
    id: RecipientId,
    report: &Report,
    from: Option<&Address>,
) -> Result<Settled, StorageError> {
    if let Some(found) = &report.feedback {
        return feedback::settle(inbound, Some(id), report, found).await;
    }
    if report.sort == Sort::Ordinary && report.recipients.is_empty() {
        feedback::answered(inbound, id, from).await?;
    }
    settle_one(inbound, id, worst(&report.recipients)).await
}

/// What became of a report.
pub(super) enum Settled {
    Yes,
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
            Settled::Yes => settled = Settled::Yes,
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
    let Some((kind, answer)) = said.map(meaning) else {
        return Ok(Settled::No("it is not a report about a delivery"));
    };
    for _ in 0..BUSY_RETRIES {
        let report = queue::Report { id, at_ms: inbound.clock.now_ms(), kind, answer: answer.clone() };
        match inbound.storage.queue().write(move |tx| queue::settle_report(tx, &report)).await? {
            ReportMatch::Applied if matches!(kind, ReportKind::Failed { .. }) => {
                if let Some((way, sender)) = inbound.storage.read(move |c| feedback::found_way(c, id)).await? {
                    feedback::hear(inbound, Happened::Bounced, &way, sender);
                }
                return Ok(Settled::Yes);
            }
            ReportMatch::Applied | ReportMatch::Known => return Ok(Settled::Yes),
            ReportMatch::NoRecipient => return Ok(Settled::No("there is no such recipient any more")),
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

fn meaning(said: &RecipientReport) -> (ReportKind, Answer) {
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
            let (answer, kind) = answer(said);
            (ReportKind::Failed { suppress: kind == Kind::Hard }, answer)
        }
        Action::Delayed => (ReportKind::Delayed, answer(said).0),
        Action::Delivered => arrived(mail::dsn::Action::Delivered),
        Action::Relayed => arrived(mail::dsn::Action::Relayed),
        Action::Expanded => arrived(mail::dsn::Action::Expanded),
    }
}

fn answer(group: &RecipientReport) -> (Answer, Kind) {
    match group.reply() {
        Some(reply) => {
            let classified = bounce::classify(&reply, Stage::Report);
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
        }
    }

    fn check(groups: Vec<RecipientReport>, expected: Option<ReportKind>) {
        assert_eq!(worst(&groups).map(|said| meaning(said).0), expected, "{groups:?}");
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
