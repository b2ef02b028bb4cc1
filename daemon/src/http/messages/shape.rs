//! Messages on the wire.

use crate::text::time;
use api_types::{AcceptedMessage, Count, Message};
use storage::MessageId;
use storage::message::{self, Standing};

/// The answer to a message that was taken in.
pub(super) fn accepted(id: MessageId, header_id: &str, recipients: usize, send_at_ms: i64) -> AcceptedMessage {
    AcceptedMessage {
        id: id.0,
        header_id: header_id.to_owned(),
        recipients: u32::try_from(recipients).unwrap_or(u32::MAX),
        send_at: time(send_at_ms),
    }
}

/// A message as listed.
pub(super) fn message(row: message::Message, standing: Standing) -> Message {
    let count = |(state, count): (mail::RecipientState, u64)| Count { name: state.as_str().to_owned(), count };
    Message {
        id: row.id.0,
        header_id: row.header_id,
        from: row.from_address,
        subject: row.subject,
        first_recipient: standing.first.unwrap_or_default(),
        recipients: row.recipients,
        states: standing.states.into_iter().map(count).collect(),
        stream: row.stream,
        tags: serde_json::from_str(&row.tags).unwrap_or_default(),
        origin: row.submission.as_str().to_owned(),
        submitter: row.submitter,
        size_bytes: row.size_bytes,
        accepted_at: time(row.accepted_ms),
        send_at: time(row.send_at_ms),
        live: row.live > 0,
    }
}
