//! How a campaign's mail may leave: the streams and pools of the configuration.

use config::{Stream, Streams};
use mail::StreamKind;
use std::time::Duration;
use storage::campaign::Draft;

/// What the configuration offers a campaign.
#[derive(Clone, Debug)]
pub struct Egress {
    /// All streams.
    pub streams: Streams,
    /// The pools that have a source in use.
    pub pools: Vec<String>,
}

impl Egress {
    /// The stream of a draft, where a campaign can take it: it exists, and is of the kind that goes at most once.
    pub(super) fn stream(&self, draft: &Draft) -> Option<&Stream> {
        self.streams.find(&draft.stream).filter(|stream| stream.kind == StreamKind::Bulk)
    }

    /// Names of the streams that a campaign can take.
    pub(super) fn stream_names(&self) -> Vec<&str> {
        self.streams
            .iter()
            .filter(|stream| stream.kind == StreamKind::Bulk)
            .map(|stream| stream.name.as_str())
            .collect()
    }
}

/// The pool that a draft leaves from: its own, or that of its stream.
pub(crate) fn pool_of(streams: &Streams, draft: &Draft) -> String {
    if draft.pool.is_empty() { bulk_stream(streams, &draft.stream).pool.to_string() } else { draft.pool.clone() }
}

/// The age at which a campaign's mail is given up.
pub(crate) fn expiry_of(streams: &Streams, stream: &str) -> Duration {
    bulk_stream(streams, stream).expiry
}

/// The stream of this name; one that is not configured any more is replaced by the one for all campaigns.
fn bulk_stream<'s>(streams: &'s Streams, name: &str) -> &'s Stream {
    streams.find(name).unwrap_or_else(|| streams.default_of(StreamKind::Bulk))
}
