//! Who leaves the list or the stream of a campaign on its way.

use super::*;
use crate::list::{self, Mover};
use crate::stream_leave;
use crate::{ListId, campaign_run};
use std::collections::HashMap;

const NEWS: ListId = ListId(7);

fn leave(bed: &Bed, workspace: WorkspaceId, n: i64, list: ListId) {
    let hash = address_hash(&Address::parse(&recipient(1, n).address).unwrap());
    bed.queue(move |tx| list::leave(tx, mover(workspace, &hash), (list, "News")));
}

#[test]
fn who_leaves_the_list_is_not_sent_to_even_at_the_last_moment() {
    let bed = Bed::new();
    bed.run(1, "running");
    bed.run(2, "running");
    bed.queue(|tx| campaign_run::belongs_to(tx, (WS, CampaignId(1)), NEWS));
    let many: Vec<_> = (1..=5).map(|n| recipient(1, n)).chain([recipient(2, 1)]).collect();
    bed.queue(move |tx| enqueue(tx, &many));
    // The first has left it, the second another one, the third that of another workspace.
    leave(&bed, WS, 1, NEWS);
    leave(&bed, WS, 2, ListId(8));
    leave(&bed, WorkspaceId(2), 3, NEWS);
    let taken = bed.claim(10, 1000);
    let ids: Vec<i64> = taken.claimed.iter().map(|c| c.id.0).collect();
    assert_eq!((ids, taken.settled), (vec![2, 3, 4, 5, 6], 1), "the other campaign belongs to no list");
    leave(&bed, WS, 4, NEWS);
    let marked = bed.queue(|tx| mark_sending(tx, &marks(&[RecipientId(4), RecipientId(5), RecipientId(6)]), 1500));
    assert_eq!(marked, [Marked::Suppressed, Marked::Go, Marked::Go]);
    assert_eq!(bed.find(4).state, RecipientState::Suppressed);
    assert_eq!(suppressed(&bed), ["1 left_list", "4 left_list"]);
    assert!(bed.ledger().holds());
}

/// Who was not sent to, and why.
fn suppressed(bed: &Bed) -> Vec<String> {
    let text = |c: &Connection| {
        let mut told = c.prepare("SELECT recipient_id, text FROM outbox WHERE kind = 'suppressed' ORDER BY id")?;
        let rows = told.query_map([], |row| Ok(format!("{} {}", row.get::<_, i64>(0)?, row.get::<_, String>(1)?)))?;
        Ok(rows.collect::<Result<Vec<_>, _>>()?)
    };
    bed.storage.read_blocking(text).unwrap()
}

fn mover(workspace: WorkspaceId, hash: &AddressHash) -> Mover<'_> {
    Mover { workspace, hash, contact: None, recipient: None, campaign: None, actor: None, now_ms: 900 }
}

fn leave_stream(bed: &Bed, workspace: WorkspaceId, n: i64, stream: &'static str) {
    let hash = address_hash(&Address::parse(&recipient(1, n).address).unwrap());
    bed.queue(move |tx| stream_leave::leave(tx, mover(workspace, &hash), (stream, "Title")));
}

#[test]
fn who_leaves_a_stream_gets_no_bulk_mail_of_it() {
    let bed = Bed::new();
    bed.run(1, "running");
    let of = |n: i64, stream: &str, kind: StreamKind| NewRecipient { stream: stream.into(), kind, ..recipient(1, n) };
    let many = [
        of(1, "hints", StreamKind::Bulk),
        of(2, "hints", StreamKind::Bulk),
        of(3, "hints", StreamKind::Bulk),
        of(4, "hints", StreamKind::Bulk),
        of(5, "offers", StreamKind::Bulk),
        // Single mail has nothing to be chosen: nobody can have left its stream but by a change of its kind.
        NewRecipient { origin: Origin::Message(crate::MessageId(1)), ..of(6, "hints", StreamKind::Transactional) },
    ];
    bed.queue(move |tx| enqueue(tx, &many));
    leave_stream(&bed, WS, 1, "hints");
    leave_stream(&bed, WS, 2, "offers");
    leave_stream(&bed, WorkspaceId(2), 3, "hints");
    leave_stream(&bed, WS, 6, "hints");
    let taken = bed.claim(10, 1000);
    let mut ids: Vec<i64> = taken.claimed.iter().map(|c| c.id.0).collect();
    ids.sort_unstable();
    assert_eq!((ids, taken.settled), (vec![2, 3, 4, 5, 6], 1));
    leave_stream(&bed, WS, 4, "hints");
    let marked = bed.queue(|tx| mark_sending(tx, &marks(&[RecipientId(4), RecipientId(5), RecipientId(6)]), 1500));
    assert_eq!(marked, [Marked::Suppressed, Marked::Go, Marked::Go]);
    assert_eq!(suppressed(&bed), ["1 left_stream", "4 left_stream"]);
    assert!(bed.ledger().holds());
    // Again changes nothing; coming back is possible, and then it has not left.
    let hash = address_hash(&Address::parse(&recipient(1, 1).address).unwrap());
    let again = bed.queue(move |tx| {
        let who = mover(WS, &hash);
        let hints = ("hints", "Title");
        let left = stream_leave::leave(tx, who, hints)?;
        let (back, twice) = (stream_leave::rejoin(tx, who, hints)?, stream_leave::rejoin(tx, who, hints)?);
        Ok((left, back, twice, stream_leave::of_address(tx, WS, &hash)?, stream_leave::count(tx, WS, "hints")?))
    });
    assert_eq!(again, (false, true, false, HashMap::new(), 2));
}
