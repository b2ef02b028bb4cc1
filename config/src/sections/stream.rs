//! The declaration of `[[stream]]`.

use crate::declare::section;
use crate::values::Name;
use mail::StreamKind;
use std::time::Duration;

section! {
    /// A kind of mail with a name: which pool it leaves from, and how long it is tried. Repeat the section for each.
    /// Messages and campaigns name their stream. Two streams exist always, "transactional" for single mail and "bulk"
    /// for campaigns, with the waits and ages of [smtp]; a section of one of these names changes what it says.
    /// A workspace's preference centre can let its recipients choose among streams of the kind "bulk". Who left one is
    /// remembered by its name: a stream with another name is another one.
    pub(crate) struct StreamEntry in "stream" {
        /// Name of the stream.
        name: Name = required example "newsletter";
        /// "transactional": goes first, and again where nobody knows whether it arrived. "bulk": goes after that, and
        /// never twice.
        kind: StreamKind = required example "bulk";
        /// The pool that its mail leaves from. Unset: the pool "default", or the first one where none has that name.
        pool: Option<Name> = none example "default";
        /// Waits before each new attempt; the last one repeats. Unset: those of its kind in [smtp].
        retry: Option<Vec<Duration>> = none in "1s"..="24h" example ["5m", "30m", "2h"];
        /// Age at which its mail is given up. Unset: that of its kind in [smtp].
        expiry: Option<Duration> = none in "1m"..="14d" example "48h";
    }
}
