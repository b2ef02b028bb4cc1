//! The one filter tree: segments and campaign audiences.
//!
//! The same type is compiled to SQL by the daemon and edited by the console.

use serde::{Deserialize, Serialize};

use crate::{ListStatus, SuppressionReason};

/// A condition on contacts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Filter {
    /// All of them hold; every contact when empty.
    And {
        /// The conditions.
        #[cfg_attr(feature = "openapi", schema(no_recursion))]
        filters: Vec<Filter>,
    },
    /// One of them holds; no contact when empty.
    Or {
        /// The conditions.
        #[cfg_attr(feature = "openapi", schema(no_recursion))]
        filters: Vec<Filter>,
    },
    /// It does not hold.
    Not {
        /// The condition.
        #[cfg_attr(feature = "openapi", schema(no_recursion))]
        filter: Box<Filter>,
    },
    /// A value of the contact: `email`, `domain`, `first_name`, `last_name`, `created_at`, `consent_source`, or `attribute:NAME`.
    Attribute {
        /// Which value.
        path: String,
        /// How it is compared.
        op: FilterOp,
        /// With what; a list for `in`, two values for `between`, absent for `is_set` and `is_not_set`,
        /// a number of days for `in_the_last_days` and `in_the_next_days`.
        #[serde(default)]
        value: serde_json::Value,
    },
    /// Has the tag.
    Tag {
        /// The tag's name.
        name: String,
    },
    /// Is on the suppression list.
    Suppressed,
    /// Is on the suppression list for this reason.
    SuppressedFor {
        /// The reason.
        reason: SuppressionReason,
    },
    /// Refused mail for now so often within the last days, and is not suppressed for it yet.
    SoftBounced {
        /// So often at least: 1 to 100.
        times: u32,
        /// Within so many days: 1 to 365.
        days: u32,
    },
    /// Is on a list, or has left it.
    List {
        /// The list.
        id: i64,
        /// Which of the two.
        status: ListStatus,
    },
    /// Wants no mail of a stream.
    LeftStream {
        /// The stream's name.
        stream: String,
    },
    /// Was sent mail for so many months, and the last sign of engagement is older than that.
    Unengaged {
        /// 1 to 120.
        months: u32,
    },
    /// Was sent something, or did something with it.
    Message {
        /// What happened: `delivered`, `bounced`, `deferred`, `unsubscribed`.
        action: String,
        /// Of this campaign; of any when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        campaign_id: Option<i64>,
        /// Within the last so many days; ever when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        days: Option<u32>,
    },
    /// A steady random share of the contacts.
    Random {
        /// 0 to 100.
        percent: u8,
        /// Another seed draws other contacts.
        seed: u32,
    },
}

/// How a value is compared. Text compares without regard to case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum FilterOp {
    /// Is the same.
    Equals,
    /// Is not the same, or absent.
    NotEquals,
    /// Has it inside.
    Contains,
    /// Does not have it inside, or is absent.
    NotContains,
    /// Begins with it.
    StartsWith,
    /// Ends with it.
    EndsWith,
    /// Is one of a list.
    In,
    /// Has a value.
    IsSet,
    /// Has no value.
    IsNotSet,
    /// Number or date below.
    Less,
    /// Number or date below or equal.
    LessOrEqual,
    /// Number or date above.
    Greater,
    /// Number or date above or equal.
    GreaterOrEqual,
    /// Between two, both included.
    Between,
    /// Date before.
    Before,
    /// Date after.
    After,
    /// Date within the last so many days.
    InTheLastDays,
    /// Date within the next so many days.
    InTheNextDays,
    /// Date whose day and month are today's, in the workspace's time zone.
    Anniversary,
}

impl Filter {
    /// The filter that every contact passes.
    #[must_use]
    pub fn everyone() -> Filter {
        Filter::And { filters: Vec::new() }
    }
}
