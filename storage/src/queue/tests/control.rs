//! Control by hand: pauses, actions, jobs, counts.

use super::*;
use crate::job::{self, JobState};
use crate::pause::{self, NewPause, Scope};
use crate::{JobId, PauseId};

fn pause(bed: &Bed, scope: Scope, subject: &'static str) -> PauseId {
    bed.queue(move |tx| {
        let new = NewPause {
            workspace_id: WS,
            scope,
            subject: subject.to_owned(),
            created_by: "ana".to_owned(),
            reason: "complaints".to_owned(),
            now_ms: 900,
        };
        pause::insert(tx, &new)
    })
    .unwrap()
}

fn resume(bed: &Bed, id: PauseId) {
    assert!(bed.queue(move |tx| pause::delete(tx, WS, id)).is_some());
}

/// A running campaign with `n` recipients, ids 1 to `n`, at d0 to d2.example.
fn bed_of(n: i64) -> Bed {
    let bed = Bed::new();
    bed.run(1, "running");
    bed.queue(move |tx| enqueue(tx, &(1..=n).map(|n| recipient(1, n)).collect::<Vec<_>>()));
    bed
}

fn order(action: Action, filter: LiveFilter) -> Order {
    Order {
        workspace_id: WS,
        action,
        filter,
        pool: (action == Action::Reroute).then(|| "spare".to_owned()),
        created_by: "ana".to_owned(),
        reason: "on request".to_owned(),
    }
}

pub(super) fn all_at_once(bed: &Bed, action: Action, filter: LiveFilter) -> (u64, u64) {
    let acted =
        bed.queue(move |tx| act(tx, &order(action, filter), (RecipientId(0), RecipientId(i64::MAX)), 1000, 5000));
    (acted.matched, acted.changed)
}

fn ids(ids: &[i64]) -> LiveFilter {
    LiveFilter { ids: ids.iter().map(|id| RecipientId(*id)).collect(), ..LiveFilter::default() }
}

#[test]
fn what_is_paused_is_not_marked() {
    for (scope, subject, marked, due_ms) in [
        (Scope::Everything, "", Marked::Paused, 1000),
        (Scope::Workspace, "", Marked::Paused, 1000),
        (Scope::Domain, "d1.example", Marked::Paused, 2000 + pause::LOOK_AGAIN_MS),
        (Scope::Domain, "d2.example", Marked::Go, 1000),
        (Scope::Provider, "d.example", Marked::Paused, 2000 + pause::LOOK_AGAIN_MS),
        (Scope::Source, "mx1", Marked::Paused, 2000),
        (Scope::Source, "mx2", Marked::Go, 1000),
    ] {
        let bed = bed_of(1);
        bed.claim(10, 1000);
        let id = pause(&bed, scope, subject);
        assert_eq!(bed.queue(|tx| mark_sending(tx, &marks(&[RecipientId(1)]), 2000)), [marked], "{scope:?} {subject}");
        let row = bed.find(1);
        assert_eq!(row.due_ms, Some(due_ms), "{scope:?} {subject}");
        resume(&bed, id);
        if marked == Marked::Paused {
            assert_eq!(row.wait_reason, Some(WaitReason::Paused));
            let waits = due_ms > 3000;
            assert_eq!(bed.queue(|tx| pause::resume(tx, 0, 3000, 10)), waits.then_some(1), "{scope:?} {subject}");
            assert_eq!(bed.queue(|tx| pause::resume(tx, 1, 3000, 10)), None);
            assert_eq!(bed.claim(10, 3000).claimed.len(), 1, "{scope:?} {subject}");
        }
    }
}

#[test]
fn nothing_is_taken_of_a_paused_workspace() {
    let bed = bed_of(3);
    bed.queue(|tx| message::accept(tx, &submitted(1, mail::StreamKind::Transactional, 2)));
    for scope in [Scope::Everything, Scope::Workspace] {
        let id = pause(&bed, scope, "");
        let taken = bed.claim(10, 2000);
        assert_eq!((taken.claimed.len(), taken.next_due_ms, taken.more), (0, None, false), "{scope:?}");
        resume(&bed, id);
    }
    let others = bed.queue(|tx| {
        let new = NewPause {
            workspace_id: WorkspaceId(2),
            scope: Scope::Workspace,
            subject: String::new(),
            created_by: "bob".to_owned(),
            reason: String::new(),
            now_ms: 1,
        };
        pause::insert(tx, &new)
    });
    assert!(bed.queue(move |tx| pause::delete(tx, WS, others.unwrap())).is_none(), "not theirs to end");
    assert_eq!(bed.claim(10, 2000).claimed.len(), 5);
    assert!(bed.storage.read_blocking(|c| pause::list(c, WS)).unwrap().is_empty());
    assert_eq!(bed.storage.read_blocking(|c| pause::list(c, WorkspaceId(2))).unwrap().len(), 1);
}

#[test]
fn holding_what_is_in_memory_waits_for_whoever_has_it() {
    let bed = bed_of(2);
    bed.claim(10, 1000);
    assert_eq!(all_at_once(&bed, Action::Hold, LiveFilter::default()), (2, 2));
    // Released before it was put down: it goes on from where it is, and is not taken a second time.
    assert_eq!(all_at_once(&bed, Action::Release, ids(&[1])), (1, 1));
    assert_eq!(bed.find(1).state, RecipientState::Claimed);
    let both = || marks(&[RecipientId(1), RecipientId(2)]);
    assert_eq!(bed.queue(move |tx| mark_sending(tx, &both(), 2000)), [Marked::Go, Marked::Gone]);
    // Put down by the mark: from now on it can be released into the queue.
    assert_eq!(all_at_once(&bed, Action::Release, ids(&[2])), (1, 1));
    assert_eq!((bed.find(2).state, bed.find(2).wait_reason), (RecipientState::Queued, Some(WaitReason::Turn)));
    bed.claim(10, 2000);
    assert_eq!(all_at_once(&bed, Action::Hold, LiveFilter::default()), (2, 1), "what is being sent stays");
    let wait = Wait { reason: WaitReason::LaneFull, due_ms: 9000 };
    bed.queue(move |tx| give_back(tx, &[GiveBack { id: RecipientId(2), wait }], 1500));
    let held = bed.find(2);
    assert_eq!((held.state, held.wait_reason), (RecipientState::Held, Some(WaitReason::Held)));
    assert_eq!(all_at_once(&bed, Action::Release, ids(&[2])), (1, 1));
    assert_eq!((bed.find(2).state, bed.find(2).wait_reason), (RecipientState::Queued, Some(WaitReason::Turn)));
    bed.claim(10, 9000);
    all_at_once(&bed, Action::Hold, ids(&[2]));
    bed.queue(|tx| defer(tx, &[deferred(RecipientId(2), DeferralKind::NotReached, 9900)]));
    assert_eq!(bed.find(2).state, RecipientState::Held);
    bed.queue(|tx| recover(tx, 10_000));
    assert!(bed.ledger().holds());
}

#[test]
fn each_action_changes_what_it_concerns() {
    let bed = bed_of(6);
    bed.claim(6, 1000);
    bed.queue(|tx| mark_sending(tx, &marks(&[RecipientId(1), RecipientId(2), RecipientId(3)]), 1500));
    bed.queue(|tx| defer(tx, &[deferred(RecipientId(2), DeferralKind::Attempted, 90_000)]));
    bed.queue(|tx| defer(tx, &[deferred(RecipientId(3), DeferralKind::Attempted, 90_000)]));
    // Now 1 is being sent, 2 and 3 are deferred, 4 to 6 claimed.
    assert_eq!(all_at_once(&bed, Action::Retry, LiveFilter::default()), (6, 2));
    assert_eq!(bed.find(2).due_ms, Some(5000));
    assert_eq!(all_at_once(&bed, Action::Reroute, ids(&[1, 2, 4])), (3, 2));
    assert_eq!((bed.find(2).pool.as_deref(), bed.find(2).source), (Some("spare"), None));
    assert_eq!(all_at_once(&bed, Action::Bounce, ids(&[1, 3, 5])), (3, 2));
    let given_up = bed.find(5);
    assert_eq!(
        (given_up.state, given_up.reply.as_deref()),
        (RecipientState::Bounced, Some("given up by ana: on request"))
    );
    let domain = LiveFilter { domain: Some("D0.example".to_owned()), ..LiveFilter::default() };
    assert_eq!(all_at_once(&bed, Action::Hold, domain), (1, 1), "3 is given up, 6 is left");
    assert_eq!(bed.queue(|tx| mark_sending(tx, &marks(&[RecipientId(5)]), 6000)), [Marked::Gone]);
    assert!(bed.ledger().holds() && bed.ledger().bounced == 2);
    let told: i64 = bed
        .storage
        .read_blocking(|c| {
            let kinds = "SELECT count(*) FROM outbox WHERE kind IN ('held', 'hurried', 'rerouted') AND actor = 'ana'";
            Ok(c.query_row(kinds, [], |row| row.get(0))?)
        })
        .unwrap();
    assert_eq!(told, 5);
}

/// Nobody waits for what is over, or for what another pool does not know of; what a server asked for is kept.
#[test]
fn what_was_looked_up_is_looked_up_anew() {
    for (reason, is_looked_up) in WaitReason::ALL.iter().map(|reason| match reason {
        WaitReason::Turn | WaitReason::Held => (*reason, None),
        WaitReason::Scheduled | WaitReason::Deferred | WaitReason::Greylisted => (*reason, Some(false)),
        WaitReason::Dns | WaitReason::Connect | WaitReason::Tls => (*reason, Some(false)),
        WaitReason::SourceBlocked | WaitReason::LaneFull | WaitReason::Paused | WaitReason::Local => {
            (*reason, Some(true))
        }
        WaitReason::Rate | WaitReason::WarmUp | WaitReason::Reputation => (*reason, Some(true)),
        WaitReason::ProviderHold | WaitReason::DomainHold => (*reason, Some(true)),
    }) {
        let Some(is_looked_up) = is_looked_up else { continue };
        for actions in [&[Action::Hold, Action::Release][..], &[Action::Reroute]] {
            let bed = bed_of(1);
            bed.queue(move |tx| {
                let sql = "UPDATE recipient SET due_ms = 90000, wait_reason = ?1";
                Ok(tx.execute(sql, [reason.as_str()])?)
            });
            for action in actions {
                assert_eq!(all_at_once(&bed, *action, LiveFilter::default()), (1, 1));
            }
            let row = bed.find(1);
            let due = (row.due_ms, row.wait_reason == Some(WaitReason::Turn));
            let expected = if is_looked_up { (Some(5000), true) } else { (Some(90_000), false) };
            assert_eq!(due, expected, "{reason} {actions:?}");
            assert_eq!(bed.claim(1, 5000).claimed.len(), usize::from(is_looked_up), "{reason} {actions:?}");
        }
    }
}

#[test]
fn a_job_goes_on_where_it_was() {
    let bed = bed_of(25);
    let filter = LiveFilter { domain: Some("d1.example".to_owned()), ..LiveFilter::default() };
    let wanted = bed.storage.read_blocking(|c| count_live(c, WS, &filter, || true)).unwrap();
    assert_eq!(wanted, Matching { count: 9, exact: true });
    let id = bed.queue(move |tx| job::create(tx, &order(Action::Hold, filter), Some(9), 1000)).unwrap();
    // Who comes later is not meant.
    bed.queue(|tx| enqueue(tx, &(26..=40).map(|n| recipient(1, n)).collect::<Vec<_>>()));
    let find = |id: JobId| bed.storage.read_blocking(|c| job::find(c, WS, id)).unwrap().unwrap();
    assert!(bed.queue(move |tx| job::step(tx, id, 10, 2000)));
    let begun = find(id);
    assert_eq!((begun.state, begun.done_up_to.0, begun.matched, begun.changed), (JobState::Running, 10, 4, 4));
    assert_eq!(bed.storage.read_blocking(job::running).unwrap(), [id], "what a restart goes on with");
    while bed.queue(move |tx| job::step(tx, id, 10, 3000)) {}
    let done = find(id);
    assert_eq!((done.state, done.matched, done.changed, done.finished_ms), (JobState::Finished, 9, 9, Some(3000)));
    assert!(!bed.queue(move |tx| job::step(tx, id, 10, 3000)), "only once");

    let stopped = bed.queue(|tx| job::create(tx, &order(Action::Release, LiveFilter::default()), None, 4000)).unwrap();
    assert!(bed.queue(move |tx| job::step(tx, stopped, 10, 4000)));
    assert!(bed.queue(move |tx| job::cancel(tx, WS, stopped, 4500)));
    assert!(!bed.queue(move |tx| job::step(tx, stopped, 10, 5000)));
    let stopped = find(stopped);
    assert_eq!((stopped.state, stopped.matched, stopped.changed), (JobState::Cancelled, 10, 4));
    assert_eq!(bed.storage.read_blocking(|c| job::page(c, WS, i64::MAX, 10)).unwrap().len(), 2);
    assert!(bed.storage.read_blocking(|c| job::find(c, WorkspaceId(2), id)).unwrap().is_none());
    assert_eq!(bed.queue(|tx| job::forget(tx, 4000, 10)), 1);
}

#[test]
fn a_count_may_be_cut_short() {
    let bed = bed_of(10);
    let all = bed.storage.read_blocking(|c| count_live(c, WS, &LiveFilter::default(), || false)).unwrap();
    assert_eq!(all, Matching { count: 10, exact: false });
}

#[test]
fn the_census_counts_everything_once() {
    let bed = bed_of(9);
    bed.queue(|tx| message::accept(tx, &submitted(1, mail::StreamKind::Transactional, 2)));
    bed.queue(|tx| message::accept(tx, &submitted(2, mail::StreamKind::Transactional, 2)));
    bed.claim(2, 1000);
    bed.queue(|tx| defer(tx, &[deferred(RecipientId(1), DeferralKind::Attempted, 9000)]));
    all_at_once(&bed, Action::Hold, ids(&[8]));
    let census = bed.storage.read_blocking(|c| census(c, WS, 1000 + 3_600_000)).unwrap();
    assert_eq!((census.all.count, census.all.ages), (11, [0, 0, 0, 11, 0, 0, 0]));
    assert_eq!(census.states.values().sum::<u64>(), 11);
    assert_eq!(census.states[&RecipientState::Held], 1);
    assert_eq!(census.campaigns[&Some(CampaignId(1))] + census.campaigns[&None], 11);
    let domains: u64 = census.domains.values().map(|domain| domain.figures.count).sum();
    assert_eq!((domains, census.domains["d.example"].figures.count), (11, 2));
    assert!(census.ledger.holds() && census.ledger.queued == 11);
    assert_eq!(census.ledger, bed.ledger());
}

#[test]
fn what_stands_in_memory_expires_too() {
    let bed = bed_of(3);
    bed.claim(3, 1000);
    bed.queue(|tx| mark_sending(tx, &marks(&[RecipientId(1)]), 1000));
    all_at_once(&bed, Action::Hold, ids(&[2]));
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(expire(&bed.storage, RecipientId(0), 10, 100_000)).unwrap();
    let states = [1, 2, 3].map(|id| bed.find(id).state.as_str());
    assert_eq!(states, ["sending", "expired", "expired"]);
    let bed = bed_of(1);
    bed.claim(1, 1000);
    assert_eq!(bed.queue(|tx| mark_sending(tx, &marks(&[RecipientId(1)]), 100_000)), [Marked::Gone]);
    assert_eq!(bed.find(1).state, RecipientState::Expired);
}

/// Prints how long a hundred thousand recipients take; the bound is generous, so that only a walk gone wrong meets it.
#[test]
fn a_hundred_thousand_are_held_within_seconds() {
    let bed = Bed::new();
    bed.run(1, "running");
    for first in (0..100_000).step_by(5_000) {
        bed.queue(move |tx| enqueue(tx, &(first + 1..=first + 5_000).map(|n| recipient(1, n)).collect::<Vec<_>>()));
    }
    let began = std::time::Instant::now();
    let id = bed.queue(|tx| job::create(tx, &order(Action::Hold, LiveFilter::default()), None, 1000)).unwrap();
    while bed.queue(move |tx| job::step(tx, id, 2_500, 2000)) {}
    let held = began.elapsed();
    let census = bed.storage.read_blocking(|c| census(c, WS, 2000)).unwrap();
    let counted = began.elapsed() - held;
    assert_eq!(census.states[&RecipientState::Held], 100_000);
    println!("100,000 recipients held in {held:?}, counted in {counted:?}");
    assert!(held.as_secs() < 60, "{held:?}");
}
