//! Signing keys, each with where it is in its life.

use crate::words::word;
use crate::{DkimKeyId, DomainId, StorageError, WorkspaceId};
use api_types::KeyStep;
use rusqlite::{Connection, Row, named_params};

/// A signing key.
#[derive(Clone, PartialEq, Eq)]
pub struct DkimKey {
    /// Id.
    pub id: DkimKeyId,
    /// Selector.
    pub selector: String,
    /// `rsa-sha256` or `ed25519-sha256`.
    pub algorithm: String,
    /// PKCS#8, sealed with the master key; empty once the key is retired.
    pub private_sealed: Vec<u8>,
    /// The p= value of the DNS record.
    pub public_key: String,
    /// When made.
    pub created_ms: i64,
    /// Where it is.
    pub step: KeyStep,
    /// Since when.
    pub step_ms: i64,
    /// When it came to each step, last of all times: seen, active, replaced, retired, revoked, removable.
    pub dates: StepDates,
    /// Since when its record has been missing, where it should be visible.
    pub missing_ms: Option<i64>,
    /// Whether it signs although its record was never seen.
    pub excused: bool,
    /// Who let it sign without its record.
    pub forced_by: Option<String>,
    /// When that was.
    pub forced_ms: Option<i64>,
}

/// When a key came to each step.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StepDates {
    /// Its record was seen.
    pub seen_ms: Option<i64>,
    /// It began to sign.
    pub active_ms: Option<i64>,
    /// A newer key signs.
    pub replaced_ms: Option<i64>,
    /// Its record is to be emptied.
    pub retired_ms: Option<i64>,
    /// The record was seen empty or gone.
    pub revoked_ms: Option<i64>,
    /// It may be removed.
    pub removable_ms: Option<i64>,
}

impl StepDates {
    /// Notes the moment of a step.
    pub fn note(&mut self, step: KeyStep, at_ms: i64) {
        let place = match step {
            KeyStep::Waiting => return,
            KeyStep::Seen => &mut self.seen_ms,
            KeyStep::Active => &mut self.active_ms,
            KeyStep::Replaced => &mut self.replaced_ms,
            KeyStep::Retired => &mut self.retired_ms,
            KeyStep::Revoked => &mut self.revoked_ms,
            KeyStep::Removable => &mut self.removable_ms,
        };
        *place = Some(at_ms);
    }
}

/// A signing key to store. It begins as waiting.
#[derive(Clone)]
pub struct NewDkimKey {
    /// Selector.
    pub selector: String,
    /// `rsa-sha256` or `ed25519-sha256`.
    pub algorithm: &'static str,
    /// PKCS#8, sealed with the master key.
    pub private_sealed: Vec<u8>,
    /// The p= value of the DNS record.
    pub public_key: String,
}

const INSERT: &str = "
    INSERT INTO dkim_key (domain_id, workspace_id, selector, algorithm, private_sealed, public_key, created_ms, step_ms)
    VALUES (:domain_id, :workspace_id, :selector, :algorithm, :private_sealed, :public_key, :now_ms, :now_ms)";

/// Adds a key to a domain.
///
/// # Errors
/// `Exists` when the domain has one with this selector.
pub fn insert_key(
    tx: &Connection,
    workspace: WorkspaceId,
    domain: DomainId,
    key: &NewDkimKey,
    now_ms: i64,
) -> Result<DkimKeyId, StorageError> {
    tx.prepare_cached(INSERT)?.execute(named_params! {
        ":domain_id": domain,
        ":workspace_id": workspace,
        ":selector": key.selector,
        ":algorithm": key.algorithm,
        ":private_sealed": key.private_sealed,
        ":public_key": key.public_key,
        ":now_ms": now_ms,
    })?;
    Ok(DkimKeyId(tx.last_insert_rowid()))
}

const KEYS: &str = "
    SELECT id, selector, algorithm, private_sealed, public_key, created_ms, step, step_ms, seen_ms, active_ms,
        replaced_ms, retired_ms, revoked_ms, removable_ms, missing_ms, excused, forced_by, forced_ms
    FROM dkim_key WHERE domain_id = :domain_id AND workspace_id = :workspace_id ORDER BY id";

/// The signing keys of a domain, in the order in which they were made and sign.
///
/// # Errors
/// The database's.
pub fn keys(tx: &Connection, workspace: WorkspaceId, domain: DomainId) -> Result<Vec<DkimKey>, StorageError> {
    let mut statement = tx.prepare_cached(KEYS)?;
    let rows = statement.query_map(named_params! { ":domain_id": domain, ":workspace_id": workspace }, read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

const STEP: &str = "
    UPDATE dkim_key SET step = :step, step_ms = :step_ms, seen_ms = :seen_ms, active_ms = :active_ms,
        replaced_ms = :replaced_ms, retired_ms = :retired_ms, revoked_ms = :revoked_ms, removable_ms = :removable_ms,
        missing_ms = :missing_ms, excused = :excused, forced_by = :forced_by, forced_ms = :forced_ms,
        private_sealed = :private_sealed
    WHERE id = :id AND workspace_id = :workspace_id";

/// Keeps where a key is. The private part of one that will never sign again is destroyed.
///
/// # Errors
/// The database's.
pub fn set_step(tx: &Connection, workspace: WorkspaceId, key: &DkimKey) -> Result<(), StorageError> {
    let over = matches!(key.step, KeyStep::Retired | KeyStep::Revoked | KeyStep::Removable);
    let private_sealed: &[u8] = if over { &[] } else { &key.private_sealed };
    tx.prepare_cached(STEP)?.execute(named_params! {
        ":id": key.id,
        ":workspace_id": workspace,
        ":step": step_word(key.step),
        ":step_ms": key.step_ms,
        ":seen_ms": key.dates.seen_ms,
        ":active_ms": key.dates.active_ms,
        ":replaced_ms": key.dates.replaced_ms,
        ":retired_ms": key.dates.retired_ms,
        ":revoked_ms": key.dates.revoked_ms,
        ":removable_ms": key.dates.removable_ms,
        ":missing_ms": key.missing_ms,
        ":excused": key.excused,
        ":forced_by": key.forced_by,
        ":forced_ms": key.forced_ms,
        ":private_sealed": private_sealed,
    })?;
    Ok(())
}

const DELETE: &str = "DELETE FROM dkim_key WHERE id = :id AND workspace_id = :workspace_id";

/// Forgets a key; `false` when there was none.
///
/// # Errors
/// The database's.
pub fn delete_key(tx: &Connection, workspace: WorkspaceId, id: DkimKeyId) -> Result<bool, StorageError> {
    Ok(tx.prepare_cached(DELETE)?.execute(named_params! { ":id": id, ":workspace_id": workspace })? > 0)
}

fn step_word(step: KeyStep) -> &'static str {
    match step {
        KeyStep::Waiting => "waiting",
        KeyStep::Seen => "seen",
        KeyStep::Active => "active",
        KeyStep::Replaced => "replaced",
        KeyStep::Retired => "retired",
        KeyStep::Revoked => "revoked",
        KeyStep::Removable => "removable",
    }
}

fn step_of(text: &str) -> Option<KeyStep> {
    KeyStep::ALL.into_iter().find(|step| step_word(*step) == text)
}

fn read(row: &Row<'_>) -> rusqlite::Result<DkimKey> {
    Ok(DkimKey {
        id: row.get(0)?,
        selector: row.get(1)?,
        algorithm: row.get(2)?,
        private_sealed: row.get(3)?,
        public_key: row.get(4)?,
        created_ms: row.get(5)?,
        step: word(row, 6, step_of)?,
        step_ms: row.get(7)?,
        dates: StepDates {
            seen_ms: row.get(8)?,
            active_ms: row.get(9)?,
            replaced_ms: row.get(10)?,
            retired_ms: row.get(11)?,
            revoked_ms: row.get(12)?,
            removable_ms: row.get(13)?,
        },
        missing_ms: row.get(14)?,
        excused: row.get(15)?,
        forced_by: row.get(16)?,
        forced_ms: row.get(17)?,
    })
}

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] = &[INSERT, KEYS, STEP, DELETE];
