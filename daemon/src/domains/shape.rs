//! Domains as the API shows them.

use super::Rows;
use super::check::{policy, rotation_at};
use super::health::{facts, health};
use super::keys::states;
use super::wanted::{as_checked, has_rival, wanted};
use crate::app::App;
use crate::http::error::ApiError;
use crate::text::time;
use api_types::{
    DomainDetail, DomainEvent, DomainKey, DomainRecord, KeyStep, ProviderRequirements, RecordNeed, RecordStatus,
    Requirement, RequirementMet, SendingDomain,
};
use dkim::requirements::{self, Judged, Met};
use dkim::rotation;
use storage::domain::{self, DkimKey};

pub(super) fn detail(app: &App, found: Rows) -> Result<DomainDetail, ApiError> {
    let wanted = wanted(app, &found.row, &found.keys)?;
    let records = as_checked(&wanted, found.row.checked.as_deref());
    let facts = facts(app, &found, &wanted, &records)?;
    let domain = summary(app, &found.row, &found.keys, &records);
    let keys = keys(app, &found.row, &found.keys);
    let event = |event: domain::DomainEvent| DomainEvent {
        at: time(event.at_ms),
        kind: event.kind,
        text: event.text,
        actor: event.actor,
    };
    Ok(DomainDetail {
        domain,
        records,
        keys,
        requirements: requirements::judge(&facts).into_iter().map(provider).collect(),
        events: found.events.into_iter().map(event).collect(),
    })
}

pub(super) fn summary(
    app: &App,
    row: &domain::SendingDomain,
    keys: &[DkimKey],
    records: &[DomainRecord],
) -> SendingDomain {
    let counted = || records.iter().filter(|record| record.need != RecordNeed::Optional);
    let good = counted().filter(|record| record.status == RecordStatus::Found).count();
    let (health, health_reason) = health(row, keys, records);
    SendingDomain {
        id: row.id.0,
        domain: row.domain.clone(),
        return_path_domain: row.return_path_domain.clone(),
        created_at: time(row.created_ms),
        checked_at: row.checked_ms.map(time),
        next_check_at: time(row.next_check_ms.max(app.now_ms())),
        records_ok: u32::try_from(good).unwrap_or(u32::MAX),
        records_total: u32::try_from(counted().count()).unwrap_or(u32::MAX),
        health,
        health_reason,
        rotate_every_days: row.rotate_days,
    }
}

fn keys(app: &App, row: &domain::SendingDomain, keys: &[DkimKey]) -> Vec<DomainKey> {
    let policy = policy(app);
    let states = states(keys);
    let rotation_ms = rotation_at(row, keys);
    let shape = |(key, state): (&DkimKey, &rotation::KeyState)| {
        let by_schedule = if key.step == KeyStep::Active { rotation_ms } else { None };
        DomainKey {
            id: key.id.0,
            selector: key.selector.clone(),
            algorithm: key.algorithm.clone(),
            created_at: time(key.created_ms),
            step: key.step,
            step_at: time(key.step_ms),
            seen_at: key.dates.seen_ms.map(time),
            active_at: key.dates.active_ms.map(time),
            replaced_at: key.dates.replaced_ms.map(time),
            retired_at: key.dates.retired_ms.map(time),
            revoked_at: key.dates.revoked_ms.map(time),
            removable_at: key.dates.removable_ms.map(time),
            missing_since: key.missing_ms.map(time),
            forced_by: key.forced_by.clone(),
            forced_at: key.forced_ms.map(time),
            next: next(key, has_rival(key, keys), by_schedule.is_some()).to_owned(),
            next_at: rotation::ends_at(&policy, state).or(by_schedule).map(time),
        }
    };
    keys.iter().zip(&states).map(shape).collect()
}

/// What comes next, or what to do. `rival` is whether another key of its algorithm signs.
fn next(key: &DkimKey, rival: bool, scheduled: bool) -> &'static str {
    match key.step {
        KeyStep::Waiting if key.dates.active_ms.is_some() => {
            "Its record is gone, so it signs no more. Publish it again, or rotate to new keys."
        }
        KeyStep::Waiting if rival => "Publish its record. It takes over some time after that is seen.",
        KeyStep::Waiting => "Publish its record. It signs as soon as that is seen.",
        KeyStep::Seen => "Takes over when answers from before its record are forgotten.",
        KeyStep::Active if key.excused => "Signs although its record was never seen. Publish it.",
        KeyStep::Active if key.missing_ms.is_some() => {
            "Its record is missing; it stops signing unless that comes back."
        }
        KeyStep::Active if scheduled => "Signs until new keys are made by the schedule.",
        KeyStep::Active => "Signs.",
        KeyStep::Replaced => "Leave its record in the DNS for the mail that is under way.",
        KeyStep::Retired => "Empty its record: nobody shall trust this key any more.",
        KeyStep::Revoked => "Leave the empty record for a while.",
        KeyStep::Removable => "Its record can be deleted, and the key removed here.",
    }
}

fn provider(judged: Judged) -> ProviderRequirements {
    let requirement = |demand: requirements::Demand| Requirement {
        wants: demand.wants,
        met: match demand.result {
            Met::Yes => RequirementMet::Met,
            Met::No => RequirementMet::NotMet,
            Met::NotCheckable => RequirementMet::NotCheckable,
        },
        why: demand.why,
    };
    ProviderRequirements {
        provider: judged.provider,
        page: judged.page,
        requirements: judged.demands.into_iter().map(requirement).collect(),
    }
}
