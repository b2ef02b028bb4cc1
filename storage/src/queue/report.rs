//! What comes back later: a report corrects an outcome.

use super::{Answer, Origin};
use crate::event::{Event, Kind, bounded};
use crate::response::{self, Response};
use crate::soft_bounce::{self, SoftBounce};
use crate::suppression::{self, NewSuppression, usual_covers};
use crate::tally::{Changes, Measure};
use crate::words::word;
use crate::{RecipientId, StorageError, WorkspaceId, notice, outbox};
use api_types::SuppressionReason;
use mail::dsn::Action;
use mail::{Address, BounceClass, RecipientState};
use rusqlite::{Connection, OptionalExtension, params};

/// What a report says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportKind {
    /// Not delivered for good; with `suppress` the address itself is at fault.
    Failed {
        /// Whether the address goes on the suppression list.
        suppress: bool,
    },
    /// Still being tried by the receiving side.
    Delayed,
    /// Delivered, or handed on: told to who asked for it.
    Arrived(Action),
    /// A machine answered for the recipient.
    Answered,
}

/// A report about a recipient.
#[derive(Clone, Debug)]
pub struct Report {
    /// Whom it is about, from the VERP address.
    pub id: RecipientId,
    /// When it came.
    pub at_ms: i64,
    /// What it says.
    pub kind: ReportKind,
    /// The remote server's words and their class.
    pub answer: Answer,
}

/// What became of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportMatch {
    /// The outcome was corrected, or the delay noted.
    Applied,
    /// It said what is known already, or nothing that changes anything.
    Known,
    /// Its recipient is being sent right now: come again in a moment.
    Busy,
    /// No such recipient.
    NoRecipient,
}

const DONE: &str = "
    SELECT workspace_id, campaign_id, contact_id, message_id, state, coalesce(provider, ''), source, site, address,
        finished_ms
    FROM recipient_done WHERE id = ?1";
const LIVE: &str = "SELECT state = 'sending' FROM recipient WHERE id = ?1";
const CORRECT: &str = "
    UPDATE recipient_done SET state = 'bounced', class = ?2, reply_code = ?3, enhanced = ?4, reply = ?5 WHERE id = ?1";

struct Done {
    workspace: WorkspaceId,
    origin: Origin,
    state: RecipientState,
    provider: String,
    source: Option<String>,
    site: Option<String>,
    address: String,
    finished_ms: i64,
}

impl Done {
    fn way(&self) -> (Option<&str>, &str) {
        (self.source.as_deref(), &self.provider)
    }
}

/// Applies a report: a delivered or unknown recipient becomes bounced, with tallies, suppression and event in the
/// caller's transaction. Applying it again changes nothing.
///
/// # Errors
/// The database's.
pub fn settle_report(tx: &Connection, report: &Report) -> Result<ReportMatch, StorageError> {
    let done = tx
        .prepare_cached(DONE)?
        .query_row([report.id], |row| {
            Ok(Done {
                workspace: row.get(0)?,
                origin: Origin::read(row, 1)?,
                state: word(row, 4, RecipientState::parse)?,
                provider: row.get(5)?,
                source: row.get(6)?,
                site: row.get(7)?,
                address: row.get(8)?,
                finished_ms: row.get(9)?,
            })
        })
        .optional()?;
    let Some(done) = done else {
        let sending: Option<bool> = tx.prepare_cached(LIVE)?.query_row([report.id], |row| row.get(0)).optional()?;
        return Ok(match sending {
            Some(true) => ReportMatch::Busy,
            // It waits for its next attempt, whose answer will count.
            Some(false) => ReportMatch::Known,
            None => ReportMatch::NoRecipient,
        });
    };
    let open = matches!(done.state, RecipientState::Delivered | RecipientState::Unknown);
    match report.kind {
        _ if !open => Ok(ReportMatch::Known),
        ReportKind::Delayed => {
            tell(tx, report, &done, Kind::Delayed)?;
            notice::reported(tx, report, Action::Delayed)?;
            Ok(ReportMatch::Applied)
        }
        ReportKind::Arrived(action) => {
            arrived(tx, report, &done, action)?;
            notice::reported(tx, report, action)?;
            Ok(ReportMatch::Known)
        }
        ReportKind::Answered => {
            tell(tx, report, &done, Kind::Replied)?;
            Ok(ReportMatch::Applied)
        }
        ReportKind::Failed { suppress } => {
            correct(tx, report, &done)?;
            crate::warmup::bounced_later(tx, done.way(), done.finished_ms)?;
            notice::reported(tx, report, Action::Failed)?;
            if suppress {
                put_on_list(tx, report, &done)?;
            } else if report.answer.class.is_some_and(soft_bounce::tells) {
                let note = SoftBounce {
                    workspace_id: done.workspace,
                    address: &done.address,
                    recipient_id: report.id,
                    origin: done.origin,
                    at_ms: report.at_ms,
                    text: &report.answer.text,
                };
                soft_bounce::note(tx, &note)?;
            }
            Ok(ReportMatch::Applied)
        }
    }
}

/// Tells once what a report says of the arrival; it changes no outcome.
fn arrived(tx: &Connection, report: &Report, done: &Done, action: Action) -> Result<(), StorageError> {
    let (kind, what) = match action {
        Action::Delivered => (Kind::Arrived, Response::Delivered),
        Action::Relayed => (Kind::Relayed, Response::Relayed),
        Action::Expanded => (Kind::Expanded, Response::Expanded),
        Action::Failed | Action::Delayed => return Ok(()),
    };
    if response::note(tx, report.id, what, report.at_ms)? {
        tell(tx, report, done, kind)?;
    }
    Ok(())
}

fn correct(tx: &Connection, report: &Report, done: &Done) -> Result<(), StorageError> {
    let class = report.answer.class.unwrap_or(BounceClass::Unclassified);
    tx.prepare_cached(CORRECT)?.execute(params![
        report.id,
        class.as_str(),
        report.answer.code,
        report.answer.enhanced_text(),
        bounded(&report.answer.text),
    ])?;
    let whose = (done.workspace, done.origin.tally());
    let mut changes = Changes::default();
    changes.add(whose, &done.provider, Measure::Final(done.state), -1);
    changes.add(whose, &done.provider, Measure::Final(RecipientState::Bounced), 1);
    changes.add(whose, &done.provider, Measure::Class(class), 1);
    changes.write(tx)?;
    tell(tx, report, done, Kind::Bounced)
}

fn tell(tx: &Connection, report: &Report, done: &Done, kind: Kind) -> Result<(), StorageError> {
    let enhanced = report.answer.enhanced_text();
    outbox::put(
        tx,
        &Event {
            recipient_id: Some(report.id),
            campaign_id: done.origin.campaign(),
            contact_id: done.origin.contact(),
            source: done.source.as_deref(),
            site: done.site.as_deref(),
            provider: Some(&done.provider),
            class: report.answer.class,
            reply_code: report.answer.code,
            enhanced: enhanced.as_deref(),
            text: Some(&report.answer.text),
            ..Event::new(report.at_ms, done.workspace, kind)
        },
    )
}

fn put_on_list(tx: &Connection, report: &Report, done: &Done) -> Result<(), StorageError> {
    let Ok(address) = Address::parse(&done.address) else { return Ok(()) };
    suppression::add(
        tx,
        &NewSuppression {
            workspace_id: done.workspace,
            address: &address,
            covers: usual_covers(SuppressionReason::HardBounce),
            reason: SuppressionReason::HardBounce,
            origin: &report.answer.text,
            recipient_id: Some(report.id),
            campaign_id: done.origin.campaign(),
            contact_id: done.origin.contact(),
            created_by: None,
            now_ms: report.at_ms,
            expires_ms: None,
        },
    )?;
    Ok(())
}

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] = &[DONE, LIVE, CORRECT];
