//! How contacts stand with us: which mail they can get, and what speaks against it.

use crate::app::App;
use crate::http::contacts;
use crate::http::suppressions::shapes;
use api_types::{Contact, ContactStanding, Mailable, SuppressionCovers};
use storage::contact;
use storage::suppression::{self, Suppression};
use storage::{AddressHash, Connection, StorageError, WorkspaceId, soft_bounce};

const DAY_MS: i64 = 86_400_000;

/// What soft bounces lead to, as configured.
#[derive(Clone, Copy)]
pub(crate) struct SoftBounces {
    /// So many suppress; 0: none do.
    max: u32,
    /// Within so many days.
    days: u32,
}

impl SoftBounces {
    pub(crate) fn of(app: &App) -> SoftBounces {
        let section = &app.config.suppression;
        SoftBounces { max: section.soft_bounces, days: section.soft_bounce_days }
    }

    /// Since when they count.
    pub(crate) fn since_ms(self, now_ms: i64) -> i64 {
        now_ms.saturating_sub(i64::from(self.days) * DAY_MS)
    }
}

/// Contacts on the wire. For readers.
pub(crate) fn contacts(
    connection: &Connection,
    workspace: WorkspaceId,
    rows: Vec<contact::Contact>,
    soft: SoftBounces,
    now_ms: i64,
) -> Result<Vec<Contact>, StorageError> {
    let mut shaped = Vec::with_capacity(rows.len());
    for row in rows {
        let standing = of(connection, (workspace, &row.address_hash), soft, now_ms)?;
        shaped.push(contacts::shape(row, standing));
    }
    Ok(shaped)
}

fn of(
    connection: &Connection,
    (workspace, hash): (WorkspaceId, &AddressHash),
    soft: SoftBounces,
    now_ms: i64,
) -> Result<ContactStanding, StorageError> {
    let mut entries = suppression::of_hash(connection, workspace, hash)?;
    entries.retain(|entry| entry.expires_ms.is_none_or(|end| end > now_ms));
    let soft_bounces = soft_bounce::since(connection, (workspace, hash), soft.since_ms(now_ms))?;
    Ok(ContactStanding {
        gets: gets(&entries),
        entries: shapes(connection, workspace, entries, now_ms)?,
        soft_bounces,
        soft_bounces_max: soft.max,
        soft_bounce_days: soft.days,
    })
}

fn gets(in_force: &[Suppression]) -> Mailable {
    match in_force {
        [] => Mailable::All,
        entries if entries.iter().any(|entry| entry.covers == SuppressionCovers::All) => Mailable::Nothing,
        _ => Mailable::SingleMail,
    }
}
