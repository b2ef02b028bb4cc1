//! Who leaves the list of a campaign on its way.

use super::*;
use crate::list::{self, Mover};
use crate::{ListId, campaign_run};

const NEWS: ListId = ListId(7);

fn leave(bed: &Bed, workspace: WorkspaceId, n: i64, list: ListId) {
    let hash = address_hash(&Address::parse(&recipient(1, n).address).unwrap());
    bed.queue(move |tx| {
        let who =
            Mover { workspace, hash: &hash, contact: None, recipient: None, campaign: None, actor: None, now_ms: 900 };
        list::leave(tx, who, (list, "News"))
    });
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
    let text = |c: &Connection| {
        let mut told = c.prepare("SELECT text FROM outbox WHERE kind = 'suppressed' AND recipient_id IN (1, 4)")?;
        let rows = told.query_map([], |row| row.get::<_, String>(0))?;
        Ok(rows.collect::<Result<Vec<_>, _>>()?)
    };
    assert_eq!(bed.storage.read_blocking(text).unwrap(), ["left_list", "left_list"]);
    assert!(bed.ledger().holds());
}
