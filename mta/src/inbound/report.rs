//! From a mail that came in to what it changes: the recipient named by the address, and what the report says of it.

use super::purpose::{Named, Purpose};
use super::{Happened, Inbound, Told, feedback, figures, reply};
use crate::metric;
use crate::unknown_text::Said;
use bounce::verp::VerpError;
use bounce::{Action, Classified, Kind, RecipientReport, Report, RulesAt, Sort, Stage};
use mail::{Address, BounceClass, Reply};
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
    /// It is only the beginning of the mail.
    pub(super) is_cut: bool,
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

/// Settles a mail that says `report` for each address that it was sent to. Returns when all of it is on disk; `None` when
/// it is to come again.
pub(super) async fn settle(
    inbound: &Inbound,
    incoming: &Incoming,
    report: &Report,
) -> Result<Option<Vec<Told>>, StorageError> {
    let mut told = Vec::with_capacity(incoming.rcpts.len());
    for (rcpt, purpose) in &incoming.rcpts {
        if let Some(trouble) = purpose.trouble() {
            let why = if trouble == VerpError::Expired { "expired" } else { "forged" };
            metrics::counter!(metric::FALSE_PATHS, "why" => why).increment(1);
        }
        let settled = settle_for(inbound, purpose, report, incoming).await?;
        let Some(one) = note(inbound, incoming, report, (Some(rcpt), purpose.as_str()), settled).await? else {
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
    Ok(Some(Told { rcpt, purpose, sort: report.sort, recipient, matched, what }))
}

/// What the mail says of a delivery: for people, what follows from it is decided for each recipient.
pub(super) fn class(inbound: &Inbound, report: &Report) -> Option<BounceClass> {
    let said = worst(&report.recipients).and_then(|said| {
        let judged = Judged::of(said, inbound.shaping.meaning().at(said.provider.as_deref().unwrap_or("")));
        meaning(said, judged.as_ref()).1.class
    });
    said.or(report.class())
}

/// What follows from a mail to an address of this purpose.
async fn settle_for(
    inbound: &Inbound,
    purpose: &Purpose,
    report: &Report,
    incoming: &Incoming,
) -> Result<Settled, StorageError> {
    // Whatever address of ours a record names; what comes to people is theirs.
    let is_figures = matches!(report.sort, Sort::DmarcReport | Sort::TlsReport);
    if is_figures && purpose.trouble().is_none() && !matches!(purpose, Purpose::Reply(_)) {
        return figures::settle(inbound, report, incoming).await;
    }
    Ok(match purpose {
        // Half of an answer goes to nobody, and half of a zipped report is none.
        Purpose::Reply(_) | Purpose::Figures if incoming.is_cut => {
            match settle_by_marks(inbound, report, incoming).await? {
                Settled::No(_) => Settled::No("it is too large to be kept whole"),
                settled => settled,
            }
        }
        // Receivers send these where the domain's record asks for them (`ruf=`), which may be the same address.
        Purpose::Figures => match report.feedback.as_ref().filter(|found| found.is_auth_failure()) {
            Some(found) => feedback::settle(inbound, None, (report, found), incoming).await?,
            None => Settled::No("it is no DMARC or TLS report"),
        },
        Purpose::ReturnPath(Err(VerpError::Expired)) | Purpose::Unsubscribe(Err(VerpError::Expired)) => {
            Settled::No("the return path has expired")
        }
        Purpose::ReturnPath(Err(_)) | Purpose::Unsubscribe(Err(_)) => Settled::No("the return path is forged"),
        Purpose::ReturnPath(Ok(Named::Recipient(id))) => settle_named(inbound, *id, report, incoming).await?,
        Purpose::ReturnPath(Ok(Named::Message(id))) => match &report.feedback {
            Some(found) => feedback::settle(inbound, None, (report, found), incoming).await?,
            None => settle_several(inbound, *id, report).await?,
        },
        Purpose::Feedback => match &report.feedback {
            Some(found) => feedback::settle(inbound, None, (report, found), incoming).await?,
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
        return feedback::settle(inbound, Some(id), (report, found), incoming).await;
    }
    if report.sort == Sort::Unsubscribe {
        return unsubscribe(inbound, id, report, incoming).await;
    }
    if report.sort == Sort::Ordinary && report.recipients.is_empty() {
        feedback::answered(inbound, id, incoming.from.as_ref()).await?;
    }
    if let Some(class) = report.class() {
        let kind = ReportKind::Answered;
        let matched = apply(inbound, id, kind, Answer::of_trouble(class, "an automatic answer")).await?;
        return Ok(settled(id, kind, matched));
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
        return feedback::settle(inbound, None, (report, found), incoming).await;
    }
    if matches!(report.sort, Sort::DmarcReport | Sort::TlsReport) {
        return figures::settle(inbound, report, incoming).await;
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
        return feedback::settle(inbound, Some(id), (report, found), incoming).await;
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
    let found = inbound.storage.read(move |c| feedback::found_way(c, id)).await?;
    // Where the report names no server, it is that of the provider that took the message.
    let took = found.as_ref().map(|(way, _)| way.provider.as_str());
    let provider = said.provider.as_deref().or(took).unwrap_or("");
    let judged = Judged::of(said, inbound.shaping.meaning().at(provider));
    let (kind, answer) = meaning(said, judged.as_ref());
    if let (Some((way, _)), Some(judged)) = (&found, &judged) {
        note_unknown(inbound, judged, way, provider);
    }
    let matched = apply(inbound, id, kind, answer).await?;
    if let (ReportMatch::Applied, ReportKind::Failed { .. }, Some((way, sender))) = (matched, kind, found) {
        feedback::hear(inbound, Happened::Bounced, &way, sender);
    }
    Ok(settled(id, kind, matched))
}

/// Writes down what came back about a recipient; waits a while where it is still being sent.
async fn apply(
    inbound: &Inbound,
    id: RecipientId,
    kind: ReportKind,
    answer: Answer,
) -> Result<ReportMatch, StorageError> {
    for _ in 0..BUSY_RETRIES {
        let report = queue::Report { id, at_ms: inbound.clock.now_ms(), kind, answer: answer.clone() };
        let settle = move |tx: &storage::Transaction<'_>| queue::settle_report(tx, &report);
        match inbound.storage.queue().write_with_others(settle).await? {
            ReportMatch::Busy => inbound.clock.sleep(BUSY_WAIT).await,
            matched => return Ok(matched),
        }
    }
    Ok(ReportMatch::Busy)
}

fn settled(id: RecipientId, kind: ReportKind, matched: ReportMatch) -> Settled {
    let what = match (matched, kind) {
        (ReportMatch::Busy, _) => return Settled::Busy,
        (ReportMatch::NoRecipient, _) => return Settled::No(feedback::GONE),
        (ReportMatch::Known, _) => "known already",
        (ReportMatch::Applied, ReportKind::Failed { .. }) => "bounced",
        (ReportMatch::Applied, ReportKind::Delayed) => "delayed",
        (ReportMatch::Applied, ReportKind::Answered) => "answered by a machine",
        (ReportMatch::Applied, ReportKind::Arrived(_)) => "arrived",
    };
    Settled::Did { recipient: Some(id), what }
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

/// The words of a refusal, and what the rules say of them.
struct Judged {
    reply: Reply,
    found: Classified,
}

impl Judged {
    /// `None` where nothing was refused, or without a word.
    fn of(said: &RecipientReport, rules: RulesAt<'_>) -> Option<Judged> {
        let (Action::Failed | Action::Delayed, Some(reply)) = (said.action, said.reply()) else { return None };
        let found = rules.classify(&reply, Stage::Report);
        Some(Judged { reply, found })
    }
}

/// A text that no rule knows is kept for people.
fn note_unknown(inbound: &Inbound, judged: &Judged, way: &Way, provider: &str) {
    let local = way.address.rsplit_once('@').map(|(local, _)| local);
    let (reply, provider) = (&judged.reply, &Arc::from(provider));
    let said = Said { workspace: way.workspace_id, provider, reply, stage: Stage::Report, local };
    inbound.unknown_texts.note(&said, &judged.found, inbound.clock.now_ms());
}

fn meaning(said: &RecipientReport, judged: Option<&Judged>) -> (ReportKind, Answer) {
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
            let (answer, kind) = answer(judged);
            (ReportKind::Failed { suppress: kind == Kind::Hard }, answer)
        }
        Action::Delayed => (ReportKind::Delayed, answer(judged).0),
        Action::Delivered => arrived(mail::dsn::Action::Delivered),
        Action::Relayed => arrived(mail::dsn::Action::Relayed),
        Action::Expanded => arrived(mail::dsn::Action::Expanded),
    }
}

fn answer(judged: Option<&Judged>) -> (Answer, Kind) {
    match judged {
        Some(Judged { reply, found }) => (Answer::of_reply(reply, Some(found.class)), found.kind),
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
            is_stated: true,
            status: mail::EnhancedStatus::parse(status),
            diagnostic: (!diagnostic.is_empty()).then(|| diagnostic.to_owned()),
            remote_mta: None,
            last_attempt_ms: None,
            provider: None,
            stage: None,
        }
    }

    fn check(groups: Vec<RecipientReport>, expected: Option<ReportKind>) {
        let meant = |said| meaning(said, Judged::of(said, bounce::Rules::builtin().at("")).as_ref()).0;
        assert_eq!(worst(&groups).map(meant), expected, "{groups:?}");
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

    /// The same for every class, where a report carries the words: reports come later, and are read by the same rules.
    #[test]
    fn only_what_tells_of_the_address_suppresses() {
        use BounceClass as C;
        let words = |class: BounceClass| format!("zork {} zork", class.as_str().replace('_', " "));
        let rule = |class: &BounceClass| bounce::WrittenRule {
            name: class.to_string(),
            class: class.to_string(),
            text: vec![words(*class)],
            samples: vec![format!("550 {}", words(*class))],
            ..bounce::WrittenRule::default()
        };
        let written: Vec<_> = BounceClass::ALL.iter().map(rule).collect();
        let rules = bounce::Rules::with_own(&written).unwrap();
        let suppresses = |class: &BounceClass, code: &str| {
            let said = group(Action::Failed, "", &format!("{code} {}", words(*class)));
            let (kind, answer) = meaning(&said, Judged::of(&said, rules.at("")).as_ref());
            assert_eq!(answer.class, Some(*class));
            kind == ReportKind::Failed { suppress: true }
        };
        let found: Vec<_> = BounceClass::ALL.iter().copied().filter(|class| suppresses(class, "550")).collect();
        assert_eq!(found, [C::BadMailbox, C::Moved, C::Inactive, C::BadDomain, C::TakesNoMail]);
        assert!(!BounceClass::ALL.iter().any(|class| suppresses(class, "450")), "given up is not gone");
    }
}
