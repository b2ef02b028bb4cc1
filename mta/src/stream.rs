//! What streams mean for delivery: when to try again, and the pool for recipients whose own is not configured any more.
//!
//! A stream that a recipient names may be gone from the configuration: its mail is then treated as its kind's, and the
//! operator is told once.

use crate::outcome::RetryPolicy;
use crate::shared::lock;
use config::Streams;
use mail::StreamKind;
use std::collections::{HashMap, HashSet};
use std::sync::Mutex;
use storage::queue::Claimed;

/// Unknown names that are remembered, so that each is told once.
const UNKNOWN_MAX: usize = 100;

/// The streams as delivery sees them.
pub(crate) struct StreamRules {
    by_name: HashMap<String, StreamRule>,
    unknown: Mutex<HashSet<String>>,
}

/// One stream.
pub(crate) struct StreamRule {
    pub name: String,
    pub retry: RetryPolicy,
    pub pool: String,
}

impl StreamRules {
    pub fn new(streams: &Streams, jitter_percent: u32) -> StreamRules {
        let rule = |stream: &config::Stream| {
            let retry = RetryPolicy { waits: stream.retry.clone(), jitter_percent };
            let rule = StreamRule { name: stream.name.to_string(), retry, pool: stream.pool.to_string() };
            (rule.name.clone(), rule)
        };
        StreamRules { by_name: streams.iter().map(rule).collect(), unknown: Mutex::default() }
    }

    /// The rule of a recipient's stream, or of its kind.
    pub fn of(&self, claimed: &Claimed) -> &StreamRule {
        self.by_name.get(&claimed.stream).unwrap_or_else(|| {
            self.tell_unknown(&claimed.stream, claimed.kind);
            self.of_kind(claimed.kind)
        })
    }

    /// The rule of the stream that is named like the kind, which always exists.
    pub fn of_kind(&self, kind: StreamKind) -> &StreamRule {
        &self.by_name[kind.as_str()]
    }

    fn tell_unknown(&self, stream: &str, kind: StreamKind) {
        let mut unknown = lock(&self.unknown);
        if unknown.len() < UNKNOWN_MAX && unknown.insert(stream.to_owned()) {
            tracing::warn!(stream, "recipients name a stream that is not configured; they are treated as \"{kind}\"");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;
    use storage::queue::Origin;
    use storage::{MessageId, RecipientId, WorkspaceId};

    #[test]
    fn a_stream_that_is_gone_is_its_kinds() {
        let text = "[[stream]]\nname = \"alerts\"\nkind = \"transactional\"\nretry = [\"7s\"]";
        let rules = StreamRules::new(&config::parse("x", text).unwrap().streams, 0);
        let address = mail::Address::parse("a@b.example").unwrap();
        let claimed = |stream: &str, kind| Claimed {
            id: RecipientId(1),
            workspace_id: WorkspaceId::MAIN,
            origin: Origin::Message(MessageId(1)),
            address_hash: storage::address_hash(&address),
            address: address.clone(),
            stream: stream.to_owned(),
            kind,
            pool: "default".to_owned(),
            attempts: 0,
            accepted_ms: 0,
            expires_ms: 0,
            source: None,
            dsn_notify: None,
            dsn_orcpt: None,
        };
        for (stream, kind, name, first_wait_s) in [
            ("alerts", StreamKind::Transactional, "alerts", 7),
            ("bulk", StreamKind::Bulk, "bulk", 300),
            ("gone", StreamKind::Bulk, "bulk", 300),
            ("gone", StreamKind::Transactional, "transactional", 60),
        ] {
            let claimed = claimed(stream, kind);
            let rule = rules.of(&claimed);
            assert_eq!(rule.name, name, "{stream}");
            assert_eq!(rule.retry.wait(1, 0), Duration::from_secs(first_wait_s), "{stream}");
        }
        assert_eq!(lock(&rules.unknown).len(), 1, "each is told once");
    }
}
