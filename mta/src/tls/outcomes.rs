//! Sessions with domains that have a policy, counted until they are written down: what TLS reports are made of
//! (RFC 8460). Bounded; what does not fit is not counted.

use crate::hold::off_clock;
use crate::shared::lock;
use std::collections::HashMap;
use std::sync::Mutex;
use storage::Storage;
use storage::tls::{self, ResultKey, SessionCount};

/// Kinds of sessions counted between two writes.
const KINDS_MAX: usize = 20_000;
const DAY_MS: i64 = 86_400_000;

/// The begin of the day (UTC) of a date.
pub(crate) fn day_of(now_ms: i64) -> i64 {
    now_ms - now_ms.rem_euclid(DAY_MS)
}

/// The counts since the last write.
#[derive(Default)]
pub(crate) struct Outcomes {
    counts: Mutex<HashMap<ResultKey, SessionCount>>,
}

impl Outcomes {
    /// Counts a session.
    pub fn add(&self, session: SessionCount) {
        let mut counts = lock(&self.counts);
        if let Some(known) = counts.get_mut(&session.key) {
            known.n += session.n;
            return;
        }
        if counts.len() < KINDS_MAX {
            counts.insert(session.key.clone(), session);
        }
    }

    /// Writes what was counted; what cannot be written is kept for the next time.
    pub async fn write(&self, storage: &Storage) {
        let taken: Vec<SessionCount> = std::mem::take(&mut *lock(&self.counts)).into_values().collect();
        if taken.is_empty() {
            return;
        }
        let (storage, counts) = (storage.clone(), taken.clone());
        let written = off_clock(async move { storage.queue().write(move |tx| tls::count(tx, &counts)).await }).await;
        if let Some(Err(error)) = written {
            tracing::warn!(%error, "TLS results cannot be written; trying again later");
            taken.into_iter().for_each(|session| self.add(session));
        }
    }
}
