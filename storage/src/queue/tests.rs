//! The state machine: stories of single transitions, the invariant under random steps and crashes, golden plans.

mod control;
mod lists;
mod suppressed;
mod trace;

use super::*;
use crate::event::Kind;
use crate::message::{self, NewMessage, NewMessageRecipient, Notices, Submission};
use crate::tally::Measure;
use crate::{
    CampaignId, ContactId, DomainId, OpenOptions, Storage, StorageError, address_hash, event, outbox, suppression,
    tally,
};
use expect_test::expect;
use mail::{Address, RecipientState};
use proptest::prelude::*;
use rusqlite::{Connection, Transaction};

const WS: WorkspaceId = WorkspaceId::MAIN;

pub(crate) struct Bed {
    pub storage: Storage,
    _dir: tempfile::TempDir,
}

impl Bed {
    fn new() -> Bed {
        let dir = tempfile::tempdir().unwrap();
        let storage = Storage::open(&OpenOptions { dir: dir.path().to_owned(), readers: 2 }).unwrap();
        Bed { storage, _dir: dir }
    }

    fn queue<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, StorageError> + Send + 'static,
    ) -> T {
        self.storage.queue().write_blocking(work).unwrap()
    }

    fn run(&self, campaign: i64, state: &'static str) {
        self.queue(move |tx| {
            tx.execute(
                "INSERT INTO campaign_run (campaign_id, workspace_id, state, reason, pool, audience_complete, started_ms, \
                 changed_ms) VALUES (?1, 1, ?2, '', 'default', 1, 0, 0)
                 ON CONFLICT DO UPDATE SET state = ?2",
                (campaign, state),
            )?;
            Ok(())
        });
    }

    fn ledger(&self) -> Ledger {
        self.storage.read_blocking(|c| ledger(c, WS, None)).unwrap()
    }

    fn find(&self, id: i64) -> Recipient {
        self.storage.read_blocking(|c| find(c, WS, RecipientId(id))).unwrap().unwrap()
    }

    fn tally(&self, campaign: i64, measure: Measure) -> i64 {
        let tallies = self.storage.read_blocking(|c| tally::of_campaign(c, WS, CampaignId(campaign))).unwrap();
        tallies.iter().filter(|t| t.measure == measure).map(|t| t.n).sum()
    }

    fn claim(&self, limit: usize, now_ms: i64) -> Taken {
        self.queue(move |tx| take_due(tx, due(limit, now_ms, Turn::default())))
    }
}

fn due(limit: usize, now_ms: i64, turn: Turn) -> Due {
    Due { now_ms, bulk: limit, transactional: limit, turn }
}

fn recipient(campaign: i64, contact: i64) -> NewRecipient {
    let address = Address::parse(&format!("c{contact}@d{}.example", contact % 3)).unwrap();
    NewRecipient {
        workspace_id: WS,
        origin: Origin::Campaign { campaign: CampaignId(campaign), contact: ContactId(contact) },
        address_hash: address_hash(&address),
        domain: address.domain().to_string(),
        address: address.to_string(),
        stream: "bulk".to_owned(),
        kind: mail::StreamKind::Bulk,
        pool: "default".to_owned(),
        due_ms: 1000,
        accepted_ms: 1000,
        expires_ms: 100_000,
        dsn_notify: None,
        dsn_orcpt: None,
    }
}

fn attempt() -> Attempt {
    Attempt {
        source: "mx1".into(),
        site: "mx.d.example".into(),
        provider: "d.example".into(),
        mx: "mx.d.example".into(),
        tls: Some("TLSv1.3"),
        reports: false,
        took_ms: 12,
    }
}

fn marks(ids: &[RecipientId]) -> Vec<MarkRequest> {
    ids.iter().map(|id| MarkRequest { id: *id, source: "mx1".into(), provider: "d.example".into() }).collect()
}

fn ended(id: RecipientId, ending: Ending, class: Option<BounceClass>) -> Settlement {
    let reply = Reply::new(if class.is_some() { 550 } else { 250 }, ["words of the server"]);
    Settlement { id, at_ms: 2000, ending, attempt: Some(attempt()), answer: Some(Answer::of_reply(&reply, class)) }
}

fn deferred(id: RecipientId, kind: DeferralKind, due_ms: i64) -> Deferral {
    let wait = Wait { reason: WaitReason::Deferred, due_ms };
    let answer = Answer::of_reply(&Reply::new(451, ["4.7.1 later"]), Some(BounceClass::Greylist));
    Deferral { id, at_ms: 2000, kind, wait, attempt: Some(attempt()), answer }
}

#[test]
fn the_life_of_a_delivered_recipient() {
    let bed = Bed::new();
    bed.run(7, "running");
    assert_eq!(bed.queue(|tx| enqueue(tx, &[recipient(7, 1), recipient(7, 1)])), 1, "once per contact");
    assert!(bed.claim(10, 999).claimed.is_empty(), "not due yet");
    let taken = bed.claim(10, 1000);
    let id = taken.claimed[0].id;
    assert_eq!(taken.running, [CampaignId(7)]);
    assert_eq!(bed.find(id.0).state, RecipientState::Claimed);
    assert_eq!(bed.queue(move |tx| mark_sending(tx, &marks(&[id]), 1000)), [Marked::Go]);
    assert_eq!(bed.find(id.0).state, RecipientState::Sending);
    bed.queue(move |tx| defer(tx, &[deferred(id, DeferralKind::Attempted, 5000)]));
    let waiting = bed.find(id.0);
    assert_eq!((waiting.attempts, waiting.due_ms, waiting.reply.as_deref()), (1, Some(5000), Some("later")));
    assert!(bed.claim(10, 4999).claimed.is_empty());
    let again = bed.claim(10, 5000).claimed;
    assert_eq!(again[0].source.as_deref(), Some("mx1"));
    bed.queue(move |tx| settle(tx, &[ended(id, Ending::Delivered, None)]));
    let done = bed.find(id.0);
    assert_eq!((done.state, done.attempts, done.class), (RecipientState::Delivered, 2, None));
    assert_eq!(bed.queue(move |tx| settle(tx, &[ended(id, Ending::Unknown, None)])), 0, "only once");
    assert_eq!((bed.tally(7, Measure::Deferral), bed.tally(7, Measure::Retried)), (1, 1));
    assert!(bed.ledger().holds() && bed.ledger().delivered == 1);
    let state: String = bed
        .storage
        .read_blocking(|c| Ok(c.query_row("SELECT state FROM campaign_run", [], |row| row.get(0))?))
        .unwrap();
    assert_eq!(state, "finished");
}

#[test]
fn campaigns_take_turns() {
    let bed = Bed::new();
    for campaign in 1..=4 {
        bed.run(campaign, if campaign == 4 { "paused" } else { "running" });
        let many: Vec<_> = (1..=if campaign == 2 { 2 } else { 50 }).map(|n| recipient(campaign, n)).collect();
        bed.queue(move |tx| enqueue(tx, &many));
    }
    let taken = bed.claim(30, 1000);
    let of = |campaign| taken.claimed.iter().filter(|c| c.origin.campaign() == Some(CampaignId(campaign))).count();
    assert_eq!((of(1), of(2), of(3), of(4)), (14, 2, 14, 0));
    assert!(taken.more);
    let turn = taken.turn;
    let next = bed.queue(move |tx| take_due(tx, due(1, 1000, turn)));
    let after = bed.queue(move |tx| take_due(tx, due(1, 1000, next.turn)));
    let campaigns = [&next.claimed[0], &after.claimed[0]].map(|c| c.origin.campaign().unwrap().0);
    assert_ne!(campaigns[0], campaigns[1], "the one after the last served begins");
}

/// A message of workspace `workspace` to `n` recipients.
fn submitted(workspace: i64, kind: mail::StreamKind, n: usize) -> NewMessage {
    let to = |n| {
        let address = Address::parse(&format!("r{n}@d.example")).unwrap();
        NewMessageRecipient { address_hash: address_hash(&address), address, dsn_notify: None, dsn_orcpt: None }
    };
    NewMessage {
        workspace_id: WorkspaceId(workspace),
        domain_id: DomainId(1),
        submission: Submission::Smtp,
        submitter: "shop".to_owned(),
        stream: kind.as_str().to_owned(),
        kind,
        pool: "default".to_owned(),
        header_id: "1@example.com".to_owned(),
        from_address: "shop@example.com".to_owned(),
        subject: "Your order".to_owned(),
        tags: vec!["order".to_owned()],
        dsn_envid: None,
        dsn_ret: None,
        notices: Notices::Nobody,
        eight_bit: false,
        smtputf8: false,
        content: b"Subject: Your order\r\n\r\nThank you.\r\n".to_vec(),
        accepted_ms: 1000,
        send_at_ms: 1000,
        expires_ms: 100_000,
        recipients: (1..=n).map(to).collect(),
    }
}

#[test]
fn transactional_mail_comes_first_and_workspaces_take_turns() {
    let bed = Bed::new();
    bed.run(1, "running");
    let many: Vec<_> = (1..=50).map(|n| recipient(1, n)).collect();
    bed.queue(move |tx| enqueue(tx, &many));
    for (workspace, kind, n) in [
        (1, mail::StreamKind::Transactional, 3),
        (2, mail::StreamKind::Transactional, 1),
        (1, mail::StreamKind::Bulk, 40),
        (2, mail::StreamKind::Bulk, 40),
    ] {
        bed.queue(move |tx| message::accept(tx, &submitted(workspace, kind, n)));
    }
    let taken = bed.queue(move |tx| take_due(tx, Due { transactional: 2, ..due(40, 1000, Turn::default()) }));
    let first: Vec<_> = taken.claimed.iter().take(2).map(|c| (c.workspace_id.0, c.kind.as_str())).collect();
    assert_eq!(first, [(1, "transactional"), (2, "transactional")]);
    let bulk = |workspace, campaign: Option<i64>| {
        let of = |c: &&Claimed| (c.workspace_id.0, c.origin.campaign().map(|c| c.0)) == (workspace, campaign);
        taken.claimed.iter().filter(|c| c.kind == mail::StreamKind::Bulk).filter(of).count()
    };
    assert_eq!((bulk(1, Some(1)), bulk(1, None), bulk(2, None)), (10, 10, 20));
    let rest = bed.queue(move |tx| take_due(tx, due(1000, 1000, Turn::default())));
    assert_eq!((rest.claimed.len(), rest.more, rest.next_due_ms), (92, false, None));
}

#[test]
fn content_is_freed_with_the_last_recipient() {
    let bed = Bed::new();
    let id = bed.queue(|tx| message::accept(tx, &submitted(1, mail::StreamKind::Transactional, 2)));
    let content = || bed.storage.read_blocking(|c| message::content(c, id)).unwrap();
    let taken = bed.claim(10, 1000).claimed;
    assert_eq!(taken.iter().map(|c| c.origin).collect::<Vec<_>>(), [Origin::Message(id); 2]);
    bed.queue(|tx| mark_sending(tx, &marks(&[RecipientId(1)]), 1000));
    bed.queue(|tx| settle(tx, &[ended(RecipientId(1), Ending::Delivered, None)]));
    assert!(content().is_some());
    // A crash while the second is under way: transactional mail goes again.
    bed.queue(|tx| mark_sending(tx, &marks(&[RecipientId(2)]), 1000));
    assert_eq!(bed.queue(|tx| recover(tx, 2000)).requeued, 1);
    bed.queue(|tx| {
        settle(tx, &[ended(RecipientId(2), Ending::Bounced { suppress: true }, Some(BounceClass::BadMailbox))])
    });
    assert_eq!(content(), None);
    let kept = bed.storage.read_blocking(|c| message::recipients(c, (WS, id), RecipientId(0), 10)).unwrap();
    assert_eq!(kept.iter().map(|r| r.state.as_str()).collect::<Vec<_>>(), ["delivered", "bounced"]);
    assert_eq!(bed.storage.read_blocking(|c| message::find(c, WS, id)).unwrap().map(|m| m.live), Some(0));
    assert!(bed.ledger().holds());
    assert_eq!(bed.queue(|tx| message::forget(tx, 5000, 10)), 1);
}

#[test]
fn the_mark_is_the_last_moment() {
    let bed = Bed::new();
    bed.run(1, "running");
    bed.run(2, "running");
    let many: Vec<_> = (1..=4).map(|n| recipient(1, n)).chain([recipient(2, 1)]).collect();
    bed.queue(move |tx| enqueue(tx, &many));
    let suppress = |n: i64| {
        bed.queue(move |tx| {
            let address = Address::parse(&recipient(1, n).address).unwrap();
            suppression::add(
                tx,
                &suppression::NewSuppression {
                    workspace_id: WS,
                    address: &address,
                    covers: suppression::SuppressionCovers::All,
                    reason: suppression::SuppressionReason::Unsubscribe,
                    origin: "",
                    recipient_id: None,
                    campaign_id: None,
                    contact_id: None,
                    created_by: None,
                    now_ms: 1000,
                    expires_ms: None,
                },
            )
        })
    };
    suppress(1);
    let taken = bed.claim(10, 1000);
    // Contact 1 is on the list in both campaigns.
    assert_eq!((taken.claimed.len(), taken.settled), (3, 2));
    suppress(2);
    bed.queue(|tx| cancel(tx, WS, CampaignId(1), 1500, 0));
    bed.queue(|tx| settle(tx, &[ended(RecipientId(3), Ending::Cancelled, None)]));
    let marked = |ids: &[i64]| {
        let ids: Vec<_> = ids.iter().map(|id| RecipientId(*id)).collect();
        bed.queue(move |tx| mark_sending(tx, &marks(&ids), 1500))
    };
    assert_eq!(marked(&[2, 3]), [Marked::Suppressed, Marked::Gone]);
    bed.run(1, "paused");
    assert_eq!(marked(&[4]), [Marked::Paused]);
    assert_eq!(bed.find(4).wait_reason, Some(WaitReason::Paused));
    assert_eq!(bed.find(2).state, RecipientState::Suppressed);
    assert_eq!(bed.queue(|tx| cancel(tx, WS, CampaignId(1), 1500, 100)), 1);
    assert!(bed.ledger().holds());
}

#[test]
fn hard_bounces_and_late_reports_suppress() {
    let bed = Bed::new();
    bed.run(1, "running");
    bed.queue(|tx| enqueue(tx, &[recipient(1, 1), recipient(1, 2), recipient(1, 3)]));
    bed.claim(10, 1000);
    bed.queue(|tx| {
        let hard = ended(RecipientId(1), Ending::Bounced { suppress: true }, Some(BounceClass::BadMailbox));
        settle(tx, &[hard, ended(RecipientId(2), Ending::Delivered, None)])
    });
    bed.queue(|tx| mark_sending(tx, &marks(&[RecipientId(3)]), 1000));
    let report = |id: i64, kind| {
        let answer = Answer::of_reply(&Reply::new(550, ["5.1.1 no such user"]), Some(BounceClass::BadMailbox));
        bed.queue(move |tx| settle_report(tx, &Report { id: RecipientId(id), at_ms: 3000, kind, answer }))
    };
    assert_eq!(report(2, ReportKind::Delayed), ReportMatch::Applied);
    assert_eq!(bed.find(2).state, RecipientState::Delivered);
    assert_eq!(report(2, ReportKind::Failed { suppress: true }), ReportMatch::Applied);
    assert_eq!(report(2, ReportKind::Failed { suppress: true }), ReportMatch::Known);
    assert_eq!(report(3, ReportKind::Failed { suppress: true }), ReportMatch::Busy);
    assert_eq!(report(9, ReportKind::Delayed), ReportMatch::NoRecipient);
    let ledger = bed.ledger();
    assert!(ledger.holds() && ledger.bounced == 2 && ledger.delivered == 0, "{ledger:?}");
    assert_eq!(bed.tally(1, Measure::Class(BounceClass::BadMailbox)), 2);
    let listed = bed.storage.read_blocking(|c| suppression::count(c, WS, &suppression::Filter::default())).unwrap();
    assert_eq!(listed, 2);
}

/// Everything that a late report changes is one commit: with it comes all, without it nothing.
#[test]
fn a_late_report_is_one_commit() {
    let bed = Bed::new();
    bed.run(1, "running");
    bed.queue(|tx| enqueue(tx, &[recipient(1, 1)]));
    let id = bed.claim(10, 1000).claimed[0].id;
    bed.queue(move |tx| settle(tx, &[ended(id, Ending::Delivered, None)]));
    let report = || {
        let answer = Answer::of_reply(&Reply::new(550, ["5.1.1 no such user"]), Some(BounceClass::BadMailbox));
        Report { id, at_ms: 3000, kind: ReportKind::Failed { suppress: true }, answer }
    };
    let count = |table: &str| -> i64 {
        let sql = format!("SELECT count(*) FROM {table}");
        bed.storage.read_blocking(|c| Ok(c.query_row(&sql, [], |row| row.get(0))?)).unwrap()
    };
    let state = || {
        let figures = [Measure::Final(RecipientState::Delivered), Measure::Final(RecipientState::Bounced)];
        let rows = ["suppression", "suppression_change", "outbox"].map(count);
        (bed.find(id.0).state, figures.map(|figure| bed.tally(1, figure)), rows)
    };
    let before = (RecipientState::Delivered, [1, 0], [0, 0, 1]);
    assert_eq!(state(), before);
    let broken = report();
    let lost: Result<(), StorageError> = bed.storage.queue().write_blocking(move |tx| {
        assert_eq!(settle_report(tx, &broken)?, ReportMatch::Applied);
        Err(StorageError::Exists)
    });
    assert!(lost.is_err());
    assert_eq!(state(), before);
    let whole = report();
    bed.queue(move |tx| settle_report(tx, &whole));
    // The events: delivered, bounced, suppressed.
    assert_eq!(state(), (RecipientState::Bounced, [0, 1], [1, 1, 3]));
}

#[tokio::test]
async fn events_are_moved_once() {
    let bed = Bed::new();
    let storage = bed.storage.clone();
    tokio::task::spawn_blocking(move || {
        bed.run(1, "running");
        bed.queue(|tx| enqueue(tx, &(1..=10).map(|n| recipient(1, n)).collect::<Vec<_>>()));
        let taken = bed.claim(10, 1000);
        bed.queue(move |tx| {
            settle(tx, &taken.claimed.iter().map(|c| ended(c.id, Ending::Delivered, None)).collect::<Vec<_>>())
        });
        bed
    })
    .await
    .unwrap();
    assert_eq!(outbox::drain(&storage, 4).await.unwrap(), 4);
    // A crash between the two files: the events are there, and still in the outbox.
    storage
        .queue()
        .write(|tx| {
            tx.execute(
                "INSERT INTO outbox (id, at_ms, workspace_id, kind) SELECT id, 2000, 1, 'delivered' FROM \
                 (SELECT 1 AS id UNION SELECT 2 UNION SELECT 3 UNION SELECT 4)",
                [],
            )?;
            Ok(())
        })
        .await
        .unwrap();
    assert_eq!(outbox::drain(&storage, 100).await.unwrap(), 6);
    assert_eq!(outbox::drain(&storage, 100).await.unwrap(), 0);
    let sums = storage.read(|c| event::by_provider(c, WS, 0)).await.unwrap();
    assert_eq!(sums, [event::Sum { name: "d.example".to_owned(), kind: Kind::Delivered, n: 10 }]);
    assert_eq!(storage.read(outbox::waiting).await.unwrap(), 0);
    assert_eq!(storage.read(|c| event::of_contact(c, WS, ContactId(3), i64::MAX, 10)).await.unwrap().len(), 1);
    assert_eq!(event::forget(&storage, 10_000, 100).await.unwrap(), 9, "the newest stays: it is the drain's mark");
    assert_eq!(storage.read(|c| event::by_provider(c, WS, 0)).await.unwrap()[0].n, 10, "roll-ups stay");
}

#[tokio::test]
async fn expiry_reaches_paused_campaigns() {
    let bed = Bed::new();
    let storage = bed.storage.clone();
    tokio::task::spawn_blocking({
        let storage = storage.clone();
        move || storage.queue().write_blocking(|tx| enqueue(tx, &(1..=5).map(|n| recipient(1, n)).collect::<Vec<_>>()))
    })
    .await
    .unwrap()
    .unwrap();
    let walk = async |after, through, now_ms| {
        super::overdue(&storage, (RecipientId(after), RecipientId(through)), 3, now_ms).await.unwrap()
    };
    let ids = |ids: &[i64]| ids.iter().copied().map(RecipientId).collect::<Vec<_>>();
    let early = super::Walked { over: Vec::new(), earliest_ms: Some(100_000), full: Some(RecipientId(3)) };
    assert_eq!(walk(0, i64::MAX, 99_999).await, early);
    assert_eq!(walk(0, i64::MAX, 100_000).await.over, ids(&[1, 2, 3]));
    assert_eq!(walk(1, 2, 100_000).await, super::Walked { over: ids(&[2]), earliest_ms: None, full: None });
    assert_eq!(super::expire(&storage, ids(&[1, 2, 3]), 99_999).await.unwrap(), 0, "looked at again");
    assert_eq!(super::expire(&storage, ids(&[1, 2, 3]), 100_000).await.unwrap(), 3);
    let rest = walk(3, i64::MAX, 100_000).await;
    assert_eq!((&rest.over, rest.full), (&ids(&[4, 5]), None));
    assert_eq!(super::expire(&storage, rest.over, 100_000).await.unwrap(), 2);
    let ledger = storage.read(|c| ledger(c, WS, Some(CampaignId(1)))).await.unwrap();
    assert!(ledger.holds() && ledger.expired == 5, "{ledger:?}");
    assert_eq!(forget(&storage, 100_001, 3).await.unwrap(), 3);
    assert!(storage.read(|c| super::ledger(c, WS, None)).await.unwrap().holds(), "the sum outlives the rows");
}

#[test]
fn the_log_joins_live_and_finished() {
    let bed = Bed::new();
    bed.run(1, "running");
    bed.queue(|tx| enqueue(tx, &(1..=9).map(|n| recipient(1, n)).collect::<Vec<_>>()));
    let taken = bed.claim(4, 1000).claimed;
    bed.queue(move |tx| settle(tx, &taken.iter().map(|c| ended(c.id, Ending::Delivered, None)).collect::<Vec<_>>()));
    let page = |filter: LogFilter, after| {
        let rows =
            bed.storage.read_blocking(|c| campaign_log(c, (WS, CampaignId(1)), &filter, ContactId(after), 3)).unwrap();
        rows.iter().map(|r| (r.origin.contact().unwrap().0, r.state.as_str())).collect::<Vec<_>>()
    };
    assert_eq!(page(LogFilter::default(), 2), [(3, "delivered"), (4, "delivered"), (5, "queued")]);
    let queued = LogFilter { state: Some(RecipientState::Queued), q: "C7@".to_owned(), ..LogFilter::default() };
    assert_eq!(page(queued, 0), [(7, "queued")]);
    let filter = LiveFilter { domain: Some("d0.example".to_owned()), ..LiveFilter::default() };
    let live = bed.storage.read_blocking(|c| live_page(c, WS, &filter, RecipientId(6), 10)).unwrap();
    assert_eq!(live.len(), 1);
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Enqueue(u8),
    Claim(u8),
    Mark(u8),
    Settle(u8, u8),
    Defer(u8, u8),
    GiveBack(u8),
    Report(u8),
    Hold(u8),
    Release,
    Pause(bool),
    Cancel(u8),
    Crash,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        2 => (1..20u8).prop_map(Step::Enqueue),
        4 => (1..10u8).prop_map(Step::Claim),
        4 => any::<u8>().prop_map(Step::Mark),
        4 => (any::<u8>(), 0..6u8).prop_map(|(n, how)| Step::Settle(n, how)),
        2 => (any::<u8>(), 0..3u8).prop_map(|(n, how)| Step::Defer(n, how)),
        1 => any::<u8>().prop_map(Step::GiveBack),
        1 => any::<u8>().prop_map(Step::Report),
        2 => any::<u8>().prop_map(Step::Hold),
        2 => Just(Step::Release),
        1 => any::<bool>().prop_map(Step::Pause),
        1 => (1..4u8).prop_map(Step::Cancel),
        1 => Just(Step::Crash),
    ];
    prop::collection::vec(step, 1..60)
}

/// What the engine knows in memory, lost by a crash.
#[derive(Default)]
struct Engine {
    claimed: Vec<RecipientId>,
    sending: Vec<RecipientId>,
}

fn take_step(bed: &Bed, engine: &mut Engine, contacts: &mut i64, step: Step) {
    let pick =
        |list: &mut Vec<RecipientId>, n: u8| (!list.is_empty()).then(|| list.swap_remove(usize::from(n) % list.len()));
    match step {
        Step::Enqueue(n) => {
            let first = *contacts + 1;
            *contacts += i64::from(n);
            let new: Vec<_> = (first..=*contacts).map(|c| recipient(1, c)).collect();
            bed.queue(move |tx| enqueue(tx, &new));
        }
        Step::Claim(n) => engine.claimed.extend(bed.claim(usize::from(n), 2000).claimed.iter().map(|c| c.id)),
        Step::Mark(n) => {
            let Some(id) = pick(&mut engine.claimed, n) else { return };
            if bed.queue(move |tx| mark_sending(tx, &marks(&[id]), 2000)) == [Marked::Go] {
                engine.sending.push(id);
            }
        }
        Step::Settle(n, how) => {
            let Some(id) = pick(&mut engine.sending, n) else { return };
            let ending = match how {
                0..=2 => Ending::Delivered,
                3 => Ending::Bounced { suppress: true },
                4 => Ending::Unknown,
                _ => Ending::Expired,
            };
            bed.queue(move |tx| settle(tx, &[ended(id, ending, Some(BounceClass::BadMailbox))]));
        }
        Step::Defer(n, how) => {
            let Some(id) = pick(&mut engine.sending, n) else { return };
            let kind = [DeferralKind::Attempted, DeferralKind::NotReached, DeferralKind::Blocked][usize::from(how)];
            bed.queue(move |tx| defer(tx, &[deferred(id, kind, 1500)]));
        }
        Step::GiveBack(n) => {
            let Some(id) = pick(&mut engine.claimed, n).or_else(|| pick(&mut engine.sending, n)) else { return };
            let wait = Wait { reason: WaitReason::LaneFull, due_ms: 1500 };
            bed.queue(move |tx| give_back(tx, &[GiveBack { id, wait }], 1500));
        }
        Step::Report(n) => {
            let report = Report {
                id: RecipientId(i64::from(n) % (*contacts + 1)),
                at_ms: 2000,
                kind: ReportKind::Failed { suppress: n % 2 == 0 },
                answer: Answer::of_trouble(BounceClass::BadMailbox, "gone"),
            };
            bed.queue(move |tx| settle_report(tx, &report));
        }
        Step::Hold(n) => {
            let filter = LiveFilter { domain: Some(format!("d{}.example", n % 3)), ..LiveFilter::default() };
            control::all_at_once(bed, Action::Hold, filter);
        }
        Step::Release => _ = control::all_at_once(bed, Action::Release, LiveFilter::default()),
        Step::Pause(pause) => bed.run(1, if pause { "paused" } else { "running" }),
        Step::Cancel(n) => {
            bed.queue(move |tx| cancel(tx, WS, CampaignId(1), 2000, u32::from(n)));
        }
        Step::Crash => {
            *engine = Engine::default();
            bed.queue(|tx| recover(tx, 2000));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn nobody_is_lost_or_doubled_whatever_happens(steps in steps()) {
        let bed = Bed::new();
        bed.run(1, "running");
        let (mut engine, mut contacts) = (Engine::default(), 0);
        for step in steps {
            take_step(&bed, &mut engine, &mut contacts, step);
            let on_the_wire: std::collections::HashSet<_> = engine.sending.iter().collect();
            prop_assert_eq!(on_the_wire.len(), engine.sending.len(), "somebody is sent twice at once");
            let ledger = bed.ledger();
            prop_assert!(ledger.holds(), "{step:?}: {ledger:?}");
            prop_assert_eq!(ledger.accepted, u64::try_from(contacts).unwrap());
            let both: i64 = bed.storage.read_blocking(|c| Ok(c.query_row(
                "SELECT count(*) FROM recipient JOIN recipient_done USING (id)", [], |row| row.get(0))?)).unwrap();
            prop_assert_eq!(both, 0, "a recipient is live and finished");
            let rows: i64 = bed.storage.read_blocking(|c| Ok(c.query_row(
                "SELECT count(*) FROM recipient_done", [], |row| row.get(0))?)).unwrap();
            prop_assert_eq!(ledger.finished(), u64::try_from(rows).unwrap(), "tallies and rows");
        }
        bed.queue(|tx| recover(tx, 2000));
        let open: i64 = bed.storage.read_blocking(|c| Ok(c.query_row(
            "SELECT count(*) FROM recipient WHERE state IN ('claimed', 'sending')", [], |row| row.get(0))?)).unwrap();
        prop_assert_eq!(open, 0);
    }
}

fn plan(connection: &Connection, sql: &str) -> String {
    let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
    let parameters = statement.parameter_count();
    let nulls = vec![rusqlite::types::Null; parameters];
    let rows = statement.query_map(rusqlite::params_from_iter(nulls), |row| row.get::<_, String>(3)).unwrap();
    rows.map(|row| row.unwrap()).collect::<Vec<_>>().join(" | ")
}

#[test]
fn hot_statements_walk_indexes() {
    let bed = Bed::new();
    let plans = bed
        .storage
        .read_blocking(|c| {
            let mut out = String::new();
            for (name, sql) in [
                ("submitters", super::claim::STATEMENTS[1]),
                ("claim", super::claim::STATEMENTS[2]),
                ("claim submitted", super::claim::STATEMENTS[3]),
                ("next due", super::claim::STATEMENTS[4]),
                ("next submitted", super::claim::STATEMENTS[5]),
                ("mark look", super::mark::STATEMENTS[0]),
                ("put down", super::mark::STATEMENTS[3]),
                ("mark", super::mark::STATEMENTS[2]),
                ("finish", super::settle::STATEMENTS[0]),
                ("defer", super::settle::STATEMENTS[3]),
                ("give back", super::settle::STATEMENTS[4]),
                (
                    "campaign done",
                    crate::campaign_run::STATEMENTS.iter().find(|sql| sql.contains("NOT EXISTS")).unwrap(),
                ),
                ("suppression", suppression::statements()[0]),
                ("requeue", super::finish::STATEMENTS[0]),
                ("in doubt", super::finish::STATEMENTS[2]),
                ("expiry walk", super::finish::STATEMENTS[3]),
                ("held in hand", super::finish::STATEMENTS[7]),
                ("chunk of an action", super::act::STATEMENTS[0]),
                ("count", super::read::STATEMENTS[2]),
                ("end of a pause", crate::pause::STATEMENTS[6]),
                ("recipient's conversations", crate::conversation::STATEMENTS[2]),
                ("running jobs", crate::job::STATEMENTS[7]),
                ("move events", outbox::STATEMENTS[1]),
                ("roll up", outbox::STATEMENTS[2]),
                ("newest event", outbox::STATEMENTS[3]),
                ("contact's events", event::STATEMENTS[0]),
            ] {
                out.push_str(&format!("{name}: {}\n", plan(c, sql)));
            }
            Ok(out)
        })
        .unwrap();
    expect![[r#"
        submitters: SEARCH recipient USING INDEX recipient_submitted (kind=? AND workspace_id>?)
        claim: SEARCH recipient USING INTEGER PRIMARY KEY (rowid=?) | LIST SUBQUERY 1 | SEARCH recipient USING COVERING INDEX recipient_due (campaign_id=? AND due_ms<?)
        claim submitted: SEARCH recipient USING INTEGER PRIMARY KEY (rowid=?) | LIST SUBQUERY 1 | SEARCH recipient USING INDEX recipient_submitted (kind=? AND workspace_id=? AND due_ms<?)
        next due: SEARCH recipient USING COVERING INDEX recipient_due (campaign_id=?)
        next submitted: SEARCH recipient USING INDEX recipient_submitted (kind=? AND workspace_id=?)
        mark look: SEARCH recipient USING INTEGER PRIMARY KEY (rowid=?)
        put down: SEARCH recipient USING INTEGER PRIMARY KEY (rowid=?)
        mark: SEARCH recipient USING INTEGER PRIMARY KEY (rowid=?)
        finish: SEARCH recipient USING INTEGER PRIMARY KEY (rowid=?)
        defer: SEARCH recipient USING INTEGER PRIMARY KEY (rowid=?)
        give back: SEARCH recipient USING INTEGER PRIMARY KEY (rowid=?)
        campaign done: SEARCH campaign_run USING INTEGER PRIMARY KEY (rowid=?) | CORRELATED SCALAR SUBQUERY 1 | SEARCH recipient USING COVERING INDEX sqlite_autoindex_recipient_1 (campaign_id=?)
        suppression: SEARCH suppression USING INDEX sqlite_autoindex_suppression_1 (workspace_id=? AND address_hash=?)
        requeue: SEARCH recipient USING INDEX recipient_open (state=?)
        in doubt: SEARCH recipient USING INDEX recipient_open (state=?)
        expiry walk: SEARCH recipient USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)
        held in hand: SCAN recipient USING INDEX recipient_in_hand
        chunk of an action: CO-ROUTINE (subquery-1) | SEARCH recipient USING INTEGER PRIMARY KEY (rowid>? AND rowid<?) | SEARCH (subquery-1)
        count: CO-ROUTINE (subquery-1) | SEARCH recipient USING INTEGER PRIMARY KEY (rowid>?) | SEARCH (subquery-1)
        end of a pause: SEARCH recipient USING INTEGER PRIMARY KEY (rowid=?) | LIST SUBQUERY 1 | SEARCH recipient USING INDEX recipient_paused (id>?)
        recipient's conversations: SEARCH conversation USING INDEX conversation_recipient (recipient_id=?)
        running jobs: SCAN queue_job USING COVERING INDEX queue_job_running
        move events: SEARCH outbox USING INTEGER PRIMARY KEY (rowid>?)
        roll up: SEARCH event USING INTEGER PRIMARY KEY (rowid>?) | USE TEMP B-TREE FOR GROUP BY
        newest event: SEARCH event
        contact's events: SEARCH event USING INDEX event_contact (contact_id=? AND rowid<?)
    "#]].assert_eq(&plans);
}
