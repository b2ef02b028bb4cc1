//! One check of a domain: records looked up, keys stepped on, what disappeared told, the next check planned.

use super::keys::{apply, states};
use super::look_up::{Found, look_up};
use super::wanted::{Names, stored, wanted};
use super::{detail, millis, rows};
use crate::app::App;
use crate::http::error::ApiError;
use api_types::{DomainDetail, DomainEventKind, DomainRecord, KeyStep, RecordNeed, RecordStatus};
use dkim::rotation::{self, Policy, Sight};
use storage::domain::{self, DkimKey, DomainEvent};
use storage::{Connection, DomainId, StorageError, WorkspaceId};

const DAY_MS: i64 = 86_400_000;
/// A key that may be removed is, after this time, if nobody did so before.
const REMOVABLE_KEPT_MS: i64 = 90 * DAY_MS;

/// Asks the DNS for every record, keeps what was found, and lets the keys take the steps that are due.
///
/// # Errors
/// `not_found` when there is no such domain.
pub async fn verify(app: &App, workspace: WorkspaceId, id: DomainId) -> Result<DomainDetail, ApiError> {
    let before = rows(app, workspace, id).await?;
    let wanted = wanted(app, &before.row, &before.keys)?;
    let found = look_up(app, &Names::of(&before.row)?, &wanted).await;
    let checked = serde_json::to_string(&found.records).map_err(ApiError::internal)?;
    let (policy, now_ms) = (policy(app), app.now_ms());
    let keep = move |tx: &storage::Transaction<'_>| keep(tx, (workspace, id), &policy, &found, &checked, now_ms);
    let lost = app.storage.main().write(keep).await?;
    for record in lost {
        tracing::warn!(domain = %before.row.domain, %record, "a DNS record of a sending domain has disappeared");
    }
    plan(app, workspace, id).await?;
    detail(app, workspace, id).await
}

/// How long the steps of keys last.
pub(super) fn policy(app: &App) -> Policy {
    let domains = &app.config.domains;
    Policy {
        settle_ms: millis(domains.dkim_settle),
        patience_ms: millis(domains.dkim_patience),
        overlap_ms: millis(domains.dkim_overlap),
        revoked_ms: millis(domains.dkim_revoked),
    }
}

/// All that a check changes, in one commit; answers which records have disappeared.
fn keep(
    tx: &Connection,
    (workspace, id): (WorkspaceId, DomainId),
    policy: &Policy,
    found: &Found,
    checked: &str,
    now_ms: i64,
) -> Result<Vec<String>, StorageError> {
    // It may have been removed meanwhile.
    let Some(row) = domain::find(tx, workspace, id)? else { return Ok(Vec::new()) };
    let mut keys = domain::keys(tx, workspace, id)?;
    let sights: Vec<Sight> = keys.iter().map(|key| sight_of(found, key)).collect();
    let mut states = states(&keys);
    let moves = rotation::advance(policy, &mut states, &sights, now_ms);
    let (changed, mut events) = apply(&mut keys, &states, &moves, now_ms);
    for n in changed {
        domain::set_step(tx, workspace, &keys[n])?;
    }
    let old = |key: &&DkimKey| key.step == KeyStep::Removable && now_ms - key.step_ms >= REMOVABLE_KEPT_MS;
    for key in keys.iter().filter(old) {
        domain::delete_key(tx, workspace, key.id)?;
        let text = format!("The key {} was removed, since nobody needs it any more.", key.selector);
        events.push(DomainEvent { at_ms: now_ms, kind: DomainEventKind::Removed, text, actor: None });
    }
    let known = stored(row.checked.as_deref());
    let lost = changes(&known, &found.records, now_ms, &mut events);
    for event in &events {
        domain::note(tx, workspace, id, event)?;
    }
    domain::set_checked(tx, workspace, id, checked, now_ms)?;
    Ok(lost)
}

fn sight_of(found: &Found, key: &DkimKey) -> Sight {
    found.sights.iter().find(|(id, _)| *id == key.id).map_or(Sight::Unknown, |(_, sight)| *sight)
}

/// Required and recommended records that were good and are not, and the other way round.
fn changes(known: &[DomainRecord], found: &[DomainRecord], now_ms: i64, events: &mut Vec<DomainEvent>) -> Vec<String> {
    let mut lost = Vec::new();
    for record in found.iter().filter(|record| record.need != RecordNeed::Optional) {
        let same =
            |old: &&DomainRecord| (&old.name, &old.kind, &old.wanted) == (&record.name, &record.kind, &record.wanted);
        let Some(old) = known.iter().find(same) else { continue };
        let (kind, text) = match (old.status, record.status) {
            (RecordStatus::Found, RecordStatus::Missing) => {
                (DomainEventKind::Lost, format!("{} {} has disappeared.", record.kind, record.name))
            }
            (RecordStatus::Found, RecordStatus::Differs) => {
                (DomainEventKind::Lost, format!("{} {} has changed: {}.", record.kind, record.name, record.message))
            }
            (RecordStatus::Missing | RecordStatus::Differs, RecordStatus::Found) => {
                (DomainEventKind::Back, format!("{} {} is as wanted.", record.kind, record.name))
            }
            _ => continue,
        };
        if kind == DomainEventKind::Lost {
            lost.push(format!("{} {}", record.kind, record.name));
        }
        events.push(DomainEvent { at_ms: now_ms, kind, text, actor: None });
    }
    lost
}

/// Plans the next check: soon while something is missing, when a key's step ends, else in the usual time.
pub(super) async fn plan(app: &App, workspace: WorkspaceId, id: DomainId) -> Result<(), ApiError> {
    let found = rows(app, workspace, id).await?;
    let (policy, now_ms) = (policy(app), app.now_ms());
    let states = states(&found.keys);
    let settings = &app.config.domains;
    let uneasy = uneasy(&stored(found.row.checked.as_deref())) || rotation::is_pending(&states);
    let span_ms = millis(if uneasy { settings.check_missing_every } else { settings.check_every });
    // So that domains added together are not looked up together for ever.
    let jitter_ms = app.random.below(u64::try_from(span_ms / 10).unwrap_or(0));
    let usual_ms = now_ms + span_ms + i64::try_from(jitter_ms).unwrap_or(0);
    let steps = states.iter().filter_map(|state| rotation::ends_at(&policy, state)).filter(|at| *at > now_ms);
    let rotation_ms = rotation_at(&found.row, &found.keys);
    let next_ms = steps.chain(rotation_ms).chain([usual_ms]).min().unwrap_or(usual_ms);
    app.storage.main().write(move |tx| domain::set_next_check(tx, workspace, id, next_ms)).await?;
    Ok(())
}

/// When new keys are due by the domain's schedule.
pub(super) fn rotation_at(row: &domain::SendingDomain, keys: &[DkimKey]) -> Option<i64> {
    rotation::rotation_due(&states(keys), i64::from(row.rotate_days?) * DAY_MS)
}

fn uneasy(records: &[DomainRecord]) -> bool {
    records.iter().any(|record| record.need == RecordNeed::Required && record.status != RecordStatus::Found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_disappears_is_told_once() {
        let record = |name: &str, need, status| DomainRecord {
            purpose: "DMARC policy".to_owned(),
            need,
            kind: "TXT".to_owned(),
            name: name.to_owned(),
            wanted: "x".to_owned(),
            zone_value: "\"x\"".to_owned(),
            found: Vec::new(),
            status,
            message: "it is another key".to_owned(),
        };
        use RecordNeed::{Optional, Required};
        use RecordStatus::{Differs, Failed, Found, Missing, Unchecked};
        for (need, before, after, told) in [
            (Required, Found, Missing, "TXT a has disappeared."),
            (Required, Found, Differs, "TXT a has changed: it is another key."),
            (Required, Missing, Found, "TXT a is as wanted."),
            (Required, Missing, Missing, ""),
            (Required, Found, Failed, ""),
            (Required, Failed, Missing, ""),
            (Required, Unchecked, Missing, ""),
            (Optional, Found, Missing, ""),
        ] {
            let mut events = Vec::new();
            let lost = changes(&[record("a", need, before)], &[record("a", need, after)], 7, &mut events);
            let text: String = events.iter().map(|event| event.text.as_str()).collect();
            assert_eq!(text, told, "{before:?} {after:?}");
            assert_eq!(lost.len(), usize::from(events.iter().any(|event| event.kind == DomainEventKind::Lost)));
        }
    }
}
