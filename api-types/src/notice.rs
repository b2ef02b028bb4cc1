//! What a program wants to be told by mail of a message that it sends.

use serde::{Deserialize, Serialize};

/// Something to be told of (RFC 3461, NOTIFY).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Notify {
    /// That it could not be delivered.
    Failure,
    /// That it takes long.
    Delay,
    /// That it was delivered, or handed on to a server that reports nothing.
    Success,
}

impl Notify {
    /// All of them.
    pub const ALL: [Notify; 3] = [Notify::Failure, Notify::Delay, Notify::Success];

    /// The word in requests.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Notify::Failure => "failure",
            Notify::Delay => "delay",
            Notify::Success => "success",
        }
    }
}
