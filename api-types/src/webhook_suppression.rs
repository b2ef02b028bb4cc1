//! What a webhook is told when a person changes the suppression list.

use crate::{SuppressionCovers, SuppressionReason, Time};
use serde::{Deserialize, Serialize};

/// The data of `suppression.added` and `suppression.removed`. What does not apply is left out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WebhookSuppression {
    /// The address; absent where only its hash is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Which mail the entry keeps away.
    pub covers: SuppressionCovers,
    /// Why it is, or was, there.
    pub reason: SuppressionReason,
    /// The note beside it; of a removal, why.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub words: String,
    /// Who did it.
    pub by: String,
    /// Id of the contact with this address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact_id: Option<i64>,
    /// It is on the list of the whole installation, which holds for this workspace too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub global: bool,
    /// Until when the entry holds, if not for ever.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Time>,
}

/// The data of `suppression.imported`: that there is more on the list than before, not what. `GET
/// /api/v1/suppressions/export` has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookSuppressionsImported {
    /// Name of the file.
    pub file: String,
    /// Addresses that were put on the list.
    pub added: u64,
    /// Addresses that stood there already.
    pub known: u64,
    /// Rows that could not be used.
    pub failed: u64,
    /// Who did it.
    pub by: String,
    /// They are on the list of the whole installation, which holds for this workspace too.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub global: bool,
}
