//! What is done with signing keys: made, opened for signing, rotated, let sign, removed.

use super::wanted::{Names, step_of};
use super::{check, rows};
use crate::app::App;
use crate::http::error::ApiError;
use crate::serve::Keys;
use crate::text::time;
use anyhow::{Context, bail};
use api_types::{DomainEventKind, KeyStep};
use dkim::rotation::{self, KeyState};
use dkim::{Algorithm, Key, Signer, SigningKey};
use mail::Domain;
use std::sync::Arc;
use storage::domain::{self, DkimKey, DomainEvent, NewDkimKey};
use storage::{DkimKeyId, DomainId, StorageError, WorkspaceId};

/// Days of a schedule of rotation.
const DAYS: std::ops::RangeInclusive<u32> = 7..=3650;

/// New keys of both algorithms, sealed, under selectors that none of `present` has.
pub(super) async fn make(
    app: &App,
    domain: &Domain,
    present: &[DkimKey],
    now_ms: i64,
) -> Result<Vec<NewDkimKey>, ApiError> {
    let made = tokio::task::spawn_blocking(move || anyhow::Ok([Key::generate_rsa()?, Key::generate_ed25519()?]));
    let made = made.await.map_err(ApiError::internal)??;
    Ok(made.iter().map(|key| seal(&app.keys, domain, key, &selector(key.algorithm(), present, now_ms))).collect())
}

/// Year and month, so that people see a key's age; a number where one of the month is there already.
fn selector(algorithm: Algorithm, present: &[DkimKey], now_ms: i64) -> String {
    let month: String = time(now_ms).chars().take(7).filter(char::is_ascii_digit).collect();
    let letter = if algorithm == Algorithm::RsaSha256 { 'r' } else { 'e' };
    let first = format!("pb{month}{letter}");
    let free = |selector: &String| !present.iter().any(|key| key.selector == *selector);
    let numbered = (2..=present.len() + 2).map(|n| format!("{first}{n}"));
    // Among one more names than there are keys, one is free.
    std::iter::once(first.clone()).chain(numbered).find(free).unwrap_or(first)
}

fn seal(keys: &Keys, domain: &Domain, key: &Key, selector: &str) -> NewDkimKey {
    NewDkimKey {
        private_sealed: keys.master.seal(key.to_pkcs8(), &context(domain.as_str(), selector)),
        public_key: key.public_base64(),
        algorithm: key.algorithm().as_str(),
        selector: selector.to_owned(),
    }
}

/// Binds a sealed key to its row.
fn context(domain: &str, selector: &str) -> String {
    format!("dkim key of {domain}, selector {selector}")
}

/// What signs for a domain, its keys opened and parsed. Costs milliseconds: keep it.
///
/// # Errors
/// No such domain, no key that may sign, or keys sealed with another master key.
pub(crate) fn signer(
    connection: &storage::Connection,
    keys: &Keys,
    workspace: WorkspaceId,
    id: DomainId,
) -> anyhow::Result<Signer> {
    let row = domain::find(connection, workspace, id)?.with_context(|| format!("sending domain {id} is gone"))?;
    let name = Domain::parse(&row.domain)?;
    let stored = domain::keys(connection, workspace, id)?;
    if !rotation::can_sign(&states(&stored)) {
        bail!("no DKIM key of {name} may sign yet: publish its record and check it under Domains");
    }
    let mut signing = Vec::new();
    for key in stored.into_iter().filter(|key| key.step == KeyStep::Active) {
        let opened = keys.master.open(&key.private_sealed, &context(&row.domain, &key.selector));
        let opened = opened.with_context(|| format!("cannot open the key {} of {name}", key.selector))?;
        signing.push(SigningKey { selector: key.selector, key: Arc::new(Key::from_pkcs8(&opened)?) });
    }
    Ok(Signer::new(&name, signing)?)
}

/// The keys as rotation sees them. A key of an algorithm that nobody knows was written by another program; it is left
/// out of everything, so the states are as many as the keys only where all are known.
pub(super) fn states(keys: &[DkimKey]) -> Vec<KeyState> {
    let state = |key: &DkimKey| {
        Some(KeyState {
            algorithm: Algorithm::parse(&key.algorithm)?,
            step: step_of(key.step),
            since_ms: key.step_ms,
            missing_ms: key.missing_ms,
            excused: key.excused,
        })
    };
    keys.iter().filter_map(state).collect()
}

/// Takes over what rotation says about the keys; answers those that changed and an event for each step.
pub(super) fn apply(
    keys: &mut [DkimKey],
    states: &[KeyState],
    moves: &[rotation::Move],
    now_ms: i64,
) -> (Vec<usize>, Vec<DomainEvent>) {
    let before: Vec<KeyState> = self::states(keys);
    let mut events = Vec::new();
    for step in moves {
        let key = &mut keys[step.key];
        key.dates.note(word_of(step.to), now_ms);
        let text = format!("The key {} is {}: {}.", key.selector, said(step.to), step.why);
        events.push(DomainEvent { at_ms: now_ms, kind: DomainEventKind::Key, text, actor: None });
    }
    let mut changed = Vec::new();
    for (n, (key, state)) in keys.iter_mut().zip(states).enumerate() {
        key.step = word_of(state.step);
        (key.step_ms, key.missing_ms, key.excused) = (state.since_ms, state.missing_ms, state.excused);
        if before.get(n) != Some(state) || moves.iter().any(|step| step.key == n) {
            changed.push(n);
        }
    }
    (changed, events)
}

fn word_of(step: rotation::Step) -> KeyStep {
    match step {
        rotation::Step::Waiting => KeyStep::Waiting,
        rotation::Step::Seen => KeyStep::Seen,
        rotation::Step::Active => KeyStep::Active,
        rotation::Step::Replaced => KeyStep::Replaced,
        rotation::Step::Retired => KeyStep::Retired,
        rotation::Step::Revoked => KeyStep::Revoked,
        rotation::Step::Removable => KeyStep::Removable,
    }
}

fn said(step: rotation::Step) -> &'static str {
    match step {
        rotation::Step::Waiting => "waiting",
        rotation::Step::Seen => "in the DNS",
        rotation::Step::Active => "in use",
        rotation::Step::Replaced => "replaced",
        rotation::Step::Retired => "retired",
        rotation::Step::Revoked => "revoked",
        rotation::Step::Removable => "no longer needed",
    }
}

/// Whether a key waits for its record and never signed.
fn is_new(key: &DkimKey) -> bool {
    matches!(key.step, KeyStep::Waiting | KeyStep::Seen) && key.dates.active_ms.is_none()
}

/// Makes new keys, which take over when their records are visible.
///
/// # Errors
/// `not_found`; `wrong_state` while a new key waits already.
pub(crate) async fn rotate(app: &App, workspace: WorkspaceId, id: DomainId, by: Option<&str>) -> Result<(), ApiError> {
    let found = rows(app, workspace, id).await?;
    let rsa = Algorithm::RsaSha256.as_str();
    if let Some(key) = found.keys.iter().find(|key| key.algorithm == rsa && is_new(key)) {
        let message = format!(
            "The key {} waits to take over already. Publish its record; the change then goes on by itself.",
            key.selector
        );
        return Err(ApiError::wrong_state(message));
    }
    let names = Names::of(&found.row)?;
    let now_ms = app.now_ms();
    let made = make(app, &names.domain, &found.keys, now_ms).await?;
    let selectors: Vec<&str> = made.iter().map(|key| key.selector.as_str()).collect();
    let text = format!("New keys were made: {}. Publish their records.", selectors.join(", "));
    let event = DomainEvent { at_ms: now_ms, kind: DomainEventKind::Rotation, text, actor: by.map(str::to_owned) };
    let soon_ms = now_ms + super::millis(app.config.domains.check_missing_every);
    let write = move |tx: &storage::Transaction<'_>| {
        for key in domain::keys(tx, workspace, id)?.iter().filter(|key| is_new(key)) {
            // Its record was never published, and now another takes its place.
            domain::delete_key(tx, workspace, key.id)?;
        }
        for key in &made {
            domain::insert_key(tx, workspace, id, key, now_ms)?;
        }
        domain::set_next_check(tx, workspace, id, soon_ms)?;
        domain::note(tx, workspace, id, &event)
    };
    app.storage.main().write(write).await.map_err(|e| match e {
        StorageError::Exists => ApiError::wrong_state("Somebody else has just made new keys."),
        other => other.into(),
    })
}

/// Lets a key sign whose record is not visible.
///
/// # Errors
/// `not_found`; `wrong_state` when it signs already or will never sign again.
pub(crate) async fn sign_anyway(
    app: &App,
    workspace: WorkspaceId,
    (id, key): (DomainId, DkimKeyId),
    by: &str,
) -> Result<(), ApiError> {
    let now_ms = app.now_ms();
    let by = by.to_owned();
    let write = move |tx: &storage::Transaction<'_>| {
        let mut keys = domain::keys(tx, workspace, id)?;
        let Some(chosen) = keys.iter().position(|row| row.id == key) else {
            return Ok(Err(ApiError::not_found("key")));
        };
        let mut states = states(&keys);
        let Some(moves) = rotation::sign_anyway(&mut states, chosen, now_ms) else {
            let message = "Only a key that waits for its record can be let sign without it.";
            return Ok(Err(ApiError::wrong_state(message)));
        };
        let (changed, mut events) = apply(&mut keys, &states, &moves, now_ms);
        (keys[chosen].forced_by, keys[chosen].forced_ms) = (Some(by.clone()), Some(now_ms));
        let text = format!("The key {} signs although its record is not visible.", keys[chosen].selector);
        // The first step is the forced one; it is told with who did it.
        events[0] = DomainEvent { at_ms: now_ms, kind: DomainEventKind::Forced, text, actor: Some(by) };
        for n in changed {
            domain::set_step(tx, workspace, &keys[n])?;
        }
        for event in &events {
            domain::note(tx, workspace, id, event)?;
        }
        Ok(Ok(()))
    };
    app.storage.main().write(write).await?
}

/// Forgets a key that doesn't sign and whose record nobody needs.
///
/// # Errors
/// `not_found`; `wrong_state` when mail that it signed may still be verified.
pub(crate) async fn remove_key(
    app: &App,
    workspace: WorkspaceId,
    (id, key): (DomainId, DkimKeyId),
    by: &str,
) -> Result<(), ApiError> {
    let now_ms = app.now_ms();
    let by = by.to_owned();
    let write = move |tx: &storage::Transaction<'_>| {
        let keys = domain::keys(tx, workspace, id)?;
        let Some(row) = keys.iter().find(|row| row.id == key) else { return Ok(Err(ApiError::not_found("key"))) };
        let in_use = matches!(row.step, KeyStep::Active | KeyStep::Replaced | KeyStep::Retired);
        let was_in_use = row.step == KeyStep::Waiting && row.dates.active_ms.is_some();
        if in_use || was_in_use {
            let message = "Mail that this key signed may still be verified. Rotate to a new key; this one can be \
                           removed when it is revoked.";
            return Ok(Err(ApiError::wrong_state(message)));
        }
        domain::delete_key(tx, workspace, key)?;
        let text = format!("The key {} was removed.", row.selector);
        let event = DomainEvent { at_ms: now_ms, kind: DomainEventKind::Removed, text, actor: Some(by) };
        domain::note(tx, workspace, id, &event)?;
        Ok(Ok(()))
    };
    app.storage.main().write(write).await?
}

/// Says how often new keys are made by themselves.
///
/// # Errors
/// `not_found`; `invalid` for a span that makes no sense.
pub(crate) async fn schedule(
    app: &App,
    workspace: WorkspaceId,
    id: DomainId,
    days: Option<u32>,
    by: &str,
) -> Result<(), ApiError> {
    if days.is_some_and(|days| !DAYS.contains(&days)) {
        let message = format!("Choose {} to {} days, or none to rotate by hand.", DAYS.start(), DAYS.end());
        return Err(ApiError::invalid("every_days", message));
    }
    let text = match days {
        Some(days) => format!("New keys are made every {days} days."),
        None => "New keys are made by hand only.".to_owned(),
    };
    let now_ms = app.now_ms();
    let event = DomainEvent { at_ms: now_ms, kind: DomainEventKind::Schedule, text, actor: Some(by.to_owned()) };
    let write = move |tx: &storage::Transaction<'_>| {
        if !domain::set_rotate_days(tx, workspace, id, days)? {
            return Ok(false);
        }
        domain::note(tx, workspace, id, &event)?;
        Ok(true)
    };
    if !app.storage.main().write(write).await? {
        return Err(ApiError::not_found("domain"));
    }
    check::plan(app, workspace, id).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use storage::domain::StepDates;

    #[test]
    fn selectors_tell_the_month_and_never_repeat() {
        let key = |selector: &str| DkimKey {
            id: DkimKeyId(1),
            selector: selector.to_owned(),
            algorithm: "rsa-sha256".to_owned(),
            private_sealed: Vec::new(),
            public_key: String::new(),
            created_ms: 0,
            step: KeyStep::Active,
            step_ms: 0,
            dates: StepDates::default(),
            missing_ms: None,
            excused: false,
            forced_by: None,
            forced_ms: None,
        };
        let now_ms = 1_767_603_600_000;
        let name = |present: &[&str]| {
            let present: Vec<DkimKey> = present.iter().map(|selector| key(selector)).collect();
            selector(Algorithm::RsaSha256, &present, now_ms)
        };
        assert_eq!(name(&[]), "pb202601r");
        assert_eq!(name(&["pb202512r", "pb202601e"]), "pb202601r");
        assert_eq!(name(&["pb202601r"]), "pb202601r2");
        assert_eq!(name(&["pb202601r3", "pb202601r", "pb202601r2"]), "pb202601r4");
        assert_eq!(selector(Algorithm::Ed25519Sha256, &[], now_ms), "pb202601e");
    }
}
