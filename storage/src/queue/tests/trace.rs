//! What the trace of a recipient is read from: waits, what came back, and who did it.

use super::*;
use crate::list::{self, Mover};
use crate::response::{self, Response};
use crate::{ListId, unsubscribe};
use mail::WaitReason as R;
use mail::dsn::Action;

fn waited(bed: &Bed, id: i64) -> Vec<(R, i64)> {
    let waits = bed.storage.read_blocking(|c| waits(c, WS, RecipientId(id))).unwrap();
    waits.into_iter().map(|wait| (wait.reason, wait.since_ms)).collect()
}

fn put_back(bed: &Bed, reason: R, now_ms: i64) {
    let wait = Wait { reason, due_ms: now_ms };
    bed.claim(1, now_ms);
    bed.queue(move |tx| give_back(tx, &[GiveBack { id: RecipientId(1), wait }], now_ms));
}

fn bed() -> Bed {
    let bed = Bed::new();
    bed.run(1, "running");
    bed.queue(|tx| enqueue(tx, &[recipient(1, 1), recipient(1, 2)]));
    bed
}

#[test]
fn each_wait_is_kept_once_also_when_all_is_over() {
    let bed = bed();
    assert_eq!(waited(&bed, 1), []);
    put_back(&bed, R::Rate, 1500);
    put_back(&bed, R::Rate, 1600);
    put_back(&bed, R::Turn, 1700);
    put_back(&bed, R::WarmUp, 1800);
    assert_eq!(waited(&bed, 1), [(R::WarmUp, 1800), (R::Rate, 1500)]);
    for due_ms in [2500, 2600] {
        bed.claim(1, due_ms);
        bed.queue(move |tx| defer(tx, &[deferred(RecipientId(1), DeferralKind::Attempted, due_ms)]));
    }
    put_back(&bed, R::WarmUp, 2700);
    let all = [(R::WarmUp, 2700), (R::WarmUp, 1800), (R::Rate, 1500)];
    assert_eq!(waited(&bed, 1), all, "after an attempt it is another wait");
    bed.queue(|tx| settle(tx, &[ended(RecipientId(1), Ending::Delivered, None)]));
    assert_eq!(waited(&bed, 1), all);
    assert!(bed.storage.read_blocking(|c| waits(c, WorkspaceId(2), RecipientId(1))).unwrap().is_empty());
}

#[test]
fn of_very_many_waits_the_newest_are_kept() {
    let bed = bed();
    for n in 0..60 {
        put_back(&bed, if n % 2 == 0 { R::Rate } else { R::LaneFull }, 1500 + n);
    }
    let kept = waited(&bed, 1);
    assert_eq!((kept[0], kept.len() > 20 && kept.len() < 60), ((R::LaneFull, 1559), true), "{kept:?}");
}

/// Recipient 1 leaves lists by its mail, or joins them again.
fn moves(bed: &Bed, lists: &'static [i64], leaves: bool) {
    let hash = address_hash(&Address::parse("c1@d1.example").unwrap());
    bed.queue(move |tx| {
        let (recipient, campaign) = (Some(RecipientId(1)), Some(CampaignId(1)));
        let who = Mover { workspace: WS, hash: &hash, contact: None, recipient, campaign, actor: None, now_ms: 5000 };
        for id in lists {
            let list = (ListId(*id), "News");
            if leaves { list::leave(tx, who, list).map(drop)? } else { list::rejoin(tx, who, list)? }
        }
        Ok(())
    });
}

#[test]
fn what_comes_back_is_counted_once_and_taken_back() {
    let bed = bed();
    bed.queue(|tx| settle(tx, &[1, 2].map(|id| ended(RecipientId(id), Ending::Delivered, None))));
    let figures = || [Measure::Unsubscribed, Measure::Left, Measure::Replied].map(|what| bed.tally(1, what));
    bed.queue(|tx| [1, 2, 2].iter().try_for_each(|id| unsubscribe::apply(tx, RecipientId(*id), 5000).map(drop)));
    moves(&bed, &[1, 2], true);
    bed.queue(|tx| response::note(tx, RecipientId(1), Response::Replied, 5000));
    assert_eq!(figures(), [2, 1, 1], "one recipient left two lists");
    let log = |what| {
        let filter = LogFilter { response: Some(what), ..LogFilter::default() };
        let page = |c: &Connection| campaign_log(c, (WS, CampaignId(1)), &filter, ContactId(0), 10);
        bed.storage.read_blocking(page).unwrap().iter().map(|row| row.id.0).collect::<Vec<_>>()
    };
    let found = [Response::Unsubscribed, Response::Left, Response::Complained].map(log);
    assert_eq!(found, [vec![1, 2], vec![1], vec![]]);
    bed.queue(|tx| unsubscribe::undo(tx, RecipientId(1), 6000));
    moves(&bed, &[1], false);
    assert_eq!(figures(), [1, 1, 1], "one of the two lists is still left");
    moves(&bed, &[2], false);
    assert_eq!(figures(), [1, 0, 1]);
    assert_eq!([Response::Unsubscribed, Response::Left].map(log), [vec![2], vec![]]);
    // The figures stay when the recipients are forgotten; their rows do not.
    let rows = |c: &Connection| Ok(c.query_row("SELECT count(*) FROM response", [], |row| row.get::<_, i64>(0))?);
    assert_eq!(bed.storage.read_blocking(rows).unwrap(), 2);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert_eq!(runtime.block_on(forget(&bed.storage, 9000, 10)).unwrap(), 2);
    assert_eq!((bed.storage.read_blocking(rows).unwrap(), figures()), (0, [1, 0, 1]));
}

#[test]
fn the_log_of_those_who_did_something_walks_only_them() {
    let bed = bed();
    let filter = LogFilter { response: Some(Response::Left), ..LogFilter::default() };
    let (sql, _) = super::super::read::log_statement((WS, CampaignId(1)), &filter, ContactId(0), 10);
    let plan = bed.storage.read_blocking(|c| Ok(plan(c, &sql))).unwrap();
    assert!(plan.contains("SEARCH response USING PRIMARY KEY (campaign_id=? AND kind=?)"), "{plan}");
    assert!(plan.contains("SEARCH recipient_done USING INTEGER PRIMARY KEY (rowid=?)"), "{plan}");
    assert!(!plan.contains("SCAN recipient"), "{plan}");
}

#[test]
fn the_trace_is_read_and_forgotten_by_index() {
    let bed = bed();
    let plans = bed.storage.read_blocking(|c| {
        let forgetting = super::super::finish::STATEMENTS.iter().find(|sql| sql.contains("DELETE FROM response"));
        Ok([super::super::waits::STATEMENTS[0], forgetting.unwrap()].map(|sql| plan(c, sql)))
    });
    let [waits, forgetting] = plans.unwrap();
    for table in ["recipient", "recipient_done"] {
        assert!(waits.contains(&format!("SEARCH {table} USING INTEGER PRIMARY KEY (rowid=?)")), "{waits}");
    }
    assert!(forgetting.contains("SEARCH response USING INDEX response_recipient (recipient_id=?)"), "{forgetting}");
    assert!(forgetting.contains("SEARCH recipient_done USING INTEGER PRIMARY KEY (rowid=?)"), "{forgetting}");
}

#[test]
fn an_arrival_is_told_once_and_changes_no_outcome() {
    let bed = bed();
    bed.queue(|tx| settle(tx, &[ended(RecipientId(1), Ending::Delivered, None)]));
    for action in [Action::Relayed, Action::Relayed, Action::Delivered, Action::Expanded] {
        let kind = ReportKind::Arrived(action);
        let answer = Answer { class: None, code: None, enhanced: None, text: "went on".to_owned() };
        let report = Report { id: RecipientId(1), at_ms: 3000, kind, answer };
        assert_eq!(bed.queue(move |tx| settle_report(tx, &report)), ReportMatch::Known);
    }
    let kinds = |c: &Connection| {
        let mut told = c.prepare("SELECT kind FROM outbox WHERE recipient_id = 1 ORDER BY id")?;
        Ok(told.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?)
    };
    assert_eq!(bed.storage.read_blocking(kinds).unwrap(), ["delivered", "relayed", "arrived", "expanded"]);
    assert_eq!(bed.find(1).state, RecipientState::Delivered);
}
