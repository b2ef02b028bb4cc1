//! A run ends in the commit of what ends it; entering and going on are made once.

use super::*;
use crate::contact::{self, Draft, Origin as ContactOrigin};
use crate::queue::{Answer, Due, Ending, MarkRequest, Settlement, Turn};
use crate::suppression::{NewSuppression, SuppressionReason as Reason, usual_covers};
use crate::{CampaignId, OpenOptions, RecipientId, Transaction, address_hash, campaign_run};
use mail::{Address, BounceClass};

const WS: WorkspaceId = WorkspaceId::MAIN;
const JOURNEY: JourneyId = JourneyId(1);
const LIST: ListId = ListId(7);
const ANA: ContactId = ContactId(1);
const DAY_MS: i64 = 86_400_000;
const MAILINGS: [CampaignId; 2] = [CampaignId(11), CampaignId(12)];

struct Bed {
    storage: Storage,
    _dir: tempfile::TempDir,
}

impl Bed {
    /// A journey that has one step with a mail, with Ana in it.
    async fn new() -> Bed {
        let bed = Bed::without_ana(None).await;
        assert!(matches!(bed.enter(ANA, "ana@gull.example", 0).await, Entered::In(_)));
        bed
    }

    async fn without_ana(reentry_ms: Option<i64>) -> Bed {
        let dir = tempfile::tempdir().unwrap();
        let storage = Storage::open(&OpenOptions { dir: dir.path().to_owned(), readers: 1 }).unwrap();
        let bed = Bed { storage, _dir: dir };
        let entrance = Entrance {
            version: 1,
            name: "Welcome".to_owned(),
            start: "hello".to_owned(),
            list_id: Some(LIST),
            reentry_ms,
        };
        bed.write(move |tx| {
            publish(tx, (WS, JOURNEY), &entrance, "published by ana", 0)?;
            mailing(tx, MAILINGS[0])
        })
        .await;
        bed
    }

    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, StorageError> + Send + 'static,
    ) -> T {
        self.storage.queue().write(work).await.unwrap()
    }

    fn look<T>(&self, work: impl FnOnce(&Connection) -> Result<T, StorageError>) -> T {
        self.storage.read_blocking(work).unwrap()
    }

    async fn enter(&self, contact: ContactId, address: &str, now_ms: i64) -> Entered {
        let who = Entrant {
            workspace_id: WS,
            journey_id: JOURNEY,
            contact_id: contact,
            address_hash: hash(address),
            by_list: None,
            source: "by hand".to_owned(),
            now_ms,
        };
        self.write(move |tx| enter(tx, &who)).await
    }

    fn runs(&self) -> Vec<Run> {
        let query = Query { limit: 100, ..Query::default() };
        self.look(|c| page(c, (WS, JOURNEY), &query)).into_iter().map(|(run, _)| run).rev().collect()
    }

    /// How the newest run stands.
    fn ends(&self) -> String {
        let runs = self.runs();
        let run = runs.last().unwrap();
        run.end.map_or_else(
            || format!("at {}", run.step),
            |(at_ms, reason)| format!("{} at {at_ms}: {}", reason.as_str(), run.end_words),
        )
    }

    fn going(&self, effect: Effect, next: Next, now_ms: i64) -> Move {
        let member = Member {
            id: ANA,
            email: "ana@gull.example".to_owned(),
            address_hash: hash("ana@gull.example"),
            domain: "gull.example".to_owned(),
        };
        let (result, reason) = ("next".to_owned(), "done".to_owned());
        Move { run: self.runs().pop().unwrap(), member, effect, result, reason, next, now_ms }
    }

    /// Sends the mail of the step, and goes on to a wait; the recipient of it.
    async fn sent(&self) -> RecipientId {
        let next = Next::Step { key: "wait".to_owned(), due_ms: DAY_MS };
        let going = self.going(Effect::Send { expires_ms: DAY_MS }, next, 1);
        assert_eq!(self.write(move |tx| go_on(tx, &going)).await, Moved::On);
        self.look(|c| Ok(c.query_row("SELECT max(id) FROM recipient", [], |row| row.get(0))?))
    }

    fn recipients(&self) -> i64 {
        let count = "SELECT (SELECT count(*) FROM recipient) + (SELECT count(*) FROM recipient_done)";
        self.look(|c| Ok(c.query_row(count, [], |row| row.get(0))?))
    }
}

fn hash(address: &str) -> AddressHash {
    address_hash(&Address::parse(address).unwrap())
}

fn mailing(tx: &Transaction<'_>, id: CampaignId) -> Result<(), StorageError> {
    campaign_run::start(tx, (WS, id), ("bulk", "main"), "published by ana", 0)?;
    open_mailing(tx, WS, id, (JOURNEY, 1, "hello"))
}

/// What suppresses or leaves, in one operation of the writer, after which the run has to be ended. The operation is told the
/// recipient of the mail that was sent before it.
async fn check(
    what: impl FnOnce(&Transaction<'_>, RecipientId) -> Result<(), StorageError> + Send + 'static,
    expected: &str,
) {
    let bed = Bed::new().await;
    let recipient = bed.sent().await;
    assert_eq!(bed.ends(), "at wait");
    // Whether the same transaction sees it ended: not a later one.
    let in_commit = bed
        .write(move |tx| {
            what(tx, recipient)?;
            Ok(tx.query_row("SELECT state FROM journey_run", [], |row| row.get::<_, String>(0))?)
        })
        .await;
    assert_eq!((in_commit.as_str(), bed.ends().as_str()), ("ended", expected));
    let log = bed.look(|c| log(c, WS, RunId(1), 10));
    assert_eq!(log.last().map(|last| last.result.as_str()), Some("ended"));
    let told: i64 = bed.look(|c| {
        Ok(c.query_row("SELECT count(*) FROM outbox WHERE kind = 'journey_ended' AND contact_id = 1", [], |row| {
            row.get(0)
        })?)
    });
    assert_eq!(told, 1);
}

fn suppress(tx: &Transaction<'_>, workspace: WorkspaceId, reason: Reason) -> Result<(), StorageError> {
    let address = Address::parse("ana@gull.example").unwrap();
    let new = NewSuppression {
        workspace_id: workspace,
        address: &address,
        covers: usual_covers(reason),
        reason,
        origin: "a note",
        recipient_id: None,
        campaign_id: None,
        contact_id: None,
        created_by: None,
        now_ms: 5,
        expires_ms: None,
    };
    suppression::add(tx, &new).map(|_| ())
}

#[tokio::test]
async fn a_hard_bounce_in_session_ends_it() {
    let bounce = |tx: &Transaction<'_>, id: RecipientId| {
        let due = Due { now_ms: 2, bulk: 9, transactional: 0, turn: Turn::default() };
        let taken = queue::take_due(tx, due)?;
        assert_eq!(taken.claimed.len(), 1);
        let answer = Answer::of_trouble(BounceClass::BadMailbox, "5.1.1 no such user");
        let ending = Ending::Bounced { suppress: true };
        queue::settle(tx, &[Settlement { id, at_ms: 5, ending, attempt: None, answer: Some(answer) }]).map(|_| ())
    };
    check(bounce, "bounced at 5: hard bounce: 5.1.1 no such user").await;
}

#[tokio::test]
async fn what_comes_back_later_ends_it() {
    let delivered = |tx: &Transaction<'_>, id: RecipientId| {
        let due = Due { now_ms: 2, bulk: 9, transactional: 0, turn: Turn::default() };
        queue::take_due(tx, due)?;
        let request = MarkRequest { id, source: "s".into(), provider: "p".into() };
        queue::mark_sending(tx, &[request], 3)?;
        queue::settle(tx, &[Settlement { id, at_ms: 3, ending: Ending::Delivered, attempt: None, answer: None }])
    };
    let report = move |tx: &Transaction<'_>, id: RecipientId| {
        delivered(tx, id)?;
        let report = queue::Report {
            id,
            at_ms: 5,
            kind: queue::ReportKind::Failed { suppress: true },
            answer: Answer::of_trouble(BounceClass::BadMailbox, "550 gone"),
        };
        queue::settle_report(tx, &report).map(|_| ())
    };
    check(report, "bounced at 5: hard bounce: 550 gone").await;
    let unsubscribe = move |tx: &Transaction<'_>, id: RecipientId| {
        delivered(tx, id)?;
        crate::unsubscribe::apply(tx, id, 5).map(|_| ())
    };
    check(unsubscribe, "unsubscribed at 5: unsubscribe: unsubscribed by the link in a mail").await;
    let by_mail = move |tx: &Transaction<'_>, id: RecipientId| {
        delivered(tx, id)?;
        crate::unsubscribe::apply_because(tx, id, "unsubscribed by mail", 5).map(|_| ())
    };
    check(by_mail, "unsubscribed at 5: unsubscribe: unsubscribed by mail").await;
}

#[tokio::test]
async fn every_suppression_ends_it() {
    for (reason, expected) in [
        (Reason::HardBounce, "bounced at 5: hard bounce: a note"),
        (Reason::SoftBounces, "bounced at 5: soft bounces: a note"),
        (Reason::Complaint, "complained at 5: complaint: a note"),
        (Reason::Unsubscribe, "unsubscribed at 5: unsubscribe: a note"),
        (Reason::Paused, "suppressed at 5: paused: a note"),
        (Reason::Sunset, "suppressed at 5: sunset: a note"),
        (Reason::Manual, "suppressed at 5: manual: a note"),
        (Reason::Import, "suppressed at 5: import: a note"),
    ] {
        check(move |tx, _| suppress(tx, WS, reason), expected).await;
    }
    // Known by its hash alone.
    let hashed = |tx: &Transaction<'_>, _| {
        let new = suppression::NewHashed {
            workspace_id: WS,
            hash: &hash("ana@gull.example"),
            covers: usual_covers(Reason::Import),
            reason: Reason::Import,
            origin: "a list of hashes",
            created_by: "bob",
            now_ms: 5,
            expires_ms: None,
        };
        suppression::add_hashed(tx, &new).map(|_| ())
    };
    check(hashed, "suppressed at 5: import: a list of hashes").await;
    // Of the whole installation.
    check(|tx, _| suppress(tx, WorkspaceId::NONE, Reason::Manual), "suppressed at 5: manual: a note").await;
}

#[tokio::test]
async fn leaving_the_list_and_being_deleted_end_it() {
    let leave = |tx: &Transaction<'_>, _| {
        let who = Mover {
            workspace: WS,
            hash: &hash("ana@gull.example"),
            contact: Some(ANA),
            recipient: None,
            campaign: None,
            actor: None,
            now_ms: 5,
        };
        // Another list is none of its business.
        assert!(list::leave(tx, who, (ListId(8), "Other"))?);
        assert_eq!(find(tx, WS, RunId(1))?.unwrap().state, RunState::Waiting);
        list::leave(tx, who, (LIST, "News")).map(|_| ())
    };
    check(leave, "left_list at 5: left the list “News”").await;
    check(|tx, _| end_of_contact(tx, WS, ANA, 5).map(|_| ()), "contact_deleted at 5: the contact was deleted").await;
    check(|tx, _| end_one(tx, (WS, RunId(1)), "bob", 5).map(|_| ()), "by_hand at 5: taken out by bob").await;
    let whole = |tx: &Transaction<'_>, _| {
        assert!(change(tx, (WS, JOURNEY), Change::End, "ended by bob", 5)?);
        let live = find_live(tx, WS, JOURNEY)?.unwrap();
        assert_eq!(end_some(tx, &live, 10, 5)?, 1);
        end_some(tx, &live, 10, 6).map(|n| assert_eq!(n, 0))
    };
    check(whole, "journey_ended at 5: ended by bob").await;
}

#[tokio::test]
async fn another_address_and_another_workspace_go_on() {
    let bed = Bed::new().await;
    bed.write(|tx| {
        let other = Address::parse("bob@gull.example").unwrap();
        let reason = Reason::HardBounce;
        for (workspace, address) in [(WS, other), (WorkspaceId(2), Address::parse("ana@gull.example").unwrap())] {
            let new = NewSuppression {
                workspace_id: workspace,
                address: &address,
                covers: usual_covers(reason),
                reason,
                origin: "",
                recipient_id: None,
                campaign_id: None,
                contact_id: None,
                created_by: None,
                now_ms: 5,
                expires_ms: None,
            };
            suppression::add(tx, &new)?;
        }
        Ok(())
    })
    .await;
    assert_eq!(bed.ends(), "at hello");
}

#[tokio::test]
async fn a_move_is_made_once() {
    let bed = Bed::new().await;
    let next = Next::Step { key: "wait".to_owned(), due_ms: DAY_MS };
    let going = bed.going(Effect::Send { expires_ms: DAY_MS }, next, 1);
    let again = going.clone();
    assert_eq!(bed.write(move |tx| go_on(tx, &going)).await, Moved::On);
    // As after a crash between the commit and its answer.
    assert_eq!(bed.write(move |tx| go_on(tx, &again)).await, Moved::Elsewhere);
    assert_eq!(bed.recipients(), 1);
    assert_eq!(bed.look(|c| log(c, WS, RunId(1), 10)).len(), 1);
}

#[tokio::test]
async fn a_paused_journey_stands_still_with_its_mail() {
    let bed = Bed::new().await;
    let going = bed.going(Effect::Nothing, Next::End(EndReason::Finished), 1);
    bed.write(|tx| change(tx, (WS, JOURNEY), Change::Pause, "paused by bob", 1)).await;
    let still = going.clone();
    assert_eq!(bed.write(move |tx| go_on(tx, &still)).await, Moved::Elsewhere);
    let state = |bed: &Bed| bed.look(|c| campaign_run::find(c, WS, MAILINGS[0])).unwrap().state;
    assert_eq!(state(&bed), campaign_run::RunState::Paused);
    // A mailing that is made meanwhile stands still too.
    bed.write(|tx| mailing(tx, MAILINGS[1])).await;
    let made = bed.look(|c| campaign_run::find(c, WS, MAILINGS[1])).unwrap();
    assert_eq!(made.state, campaign_run::RunState::Paused);
    bed.write(|tx| change(tx, (WS, JOURNEY), Change::Resume, "resumed by bob", 2)).await;
    assert_eq!(state(&bed), campaign_run::RunState::Running);
    assert_eq!(bed.write(move |tx| go_on(tx, &going)).await, Moved::On);
    assert_eq!(bed.ends(), "finished at 1: done");
}

#[tokio::test]
async fn who_may_enter() {
    let bed = Bed::new().await;
    assert_eq!(bed.enter(ANA, "ana@gull.example", 1).await, Entered::UnderWay(RunId(1)));
    bed.write(|tx| end_one(tx, (WS, RunId(1)), "bob", 2)).await;
    assert_eq!(bed.enter(ANA, "ana@gull.example", 9 * DAY_MS).await, Entered::Been);
    bed.write(|tx| suppress(tx, WS, Reason::Unsubscribe)).await;
    // Another contact with an address that wants nothing.
    let refused = bed.enter(ContactId(2), "ana@gull.example", 9).await;
    assert!(matches!(refused, Entered::Unwanted(RunId(2), _)), "{refused:?}");
    assert_eq!(bed.ends(), "not_entered at 9: the address is suppressed: unsubscribe");
    bed.write(|tx| change(tx, (WS, JOURNEY), Change::End, "ended by bob", 5)).await;
    assert_eq!(bed.enter(ContactId(3), "eve@gull.example", 9).await, Entered::Closed);
    let tallies = bed.look(|c| tallies(c, (WS, JOURNEY)));
    let told: Vec<String> = tallies.iter().map(|(measure, n)| format!("{measure} {n}")).collect();
    assert_eq!(told, ["ended:by_hand 1", "ended:not_entered 1", "entered 1"]);
}

#[tokio::test]
async fn again_after_a_while_by_the_next_mailing() {
    let bed = Bed::without_ana(Some(2 * DAY_MS)).await;
    bed.enter(ANA, "ana@gull.example", 0).await;
    bed.sent().await;
    bed.write(|tx| end_one(tx, (WS, RunId(1)), "bob", 2)).await;
    assert_eq!(bed.enter(ANA, "ana@gull.example", DAY_MS).await, Entered::TooSoon(2 * DAY_MS));
    assert_eq!(bed.enter(ANA, "ana@gull.example", 2 * DAY_MS).await, Entered::In(RunId(2)));
    let send = || bed.going(Effect::Send { expires_ms: DAY_MS }, Next::End(EndReason::Finished), 3 * DAY_MS);
    let (first, second) = (send(), send());
    assert_eq!(bed.write(move |tx| go_on(tx, &first)).await, Moved::NoMailing);
    assert_eq!((bed.recipients(), bed.ends().as_str()), (1, "at hello"));
    bed.write(|tx| mailing(tx, MAILINGS[1])).await;
    assert_eq!(bed.write(move |tx| go_on(tx, &second)).await, Moved::On);
    assert_eq!(bed.recipients(), 2);
}

#[tokio::test]
async fn an_address_that_was_changed_is_asked_about_again() {
    let bed = Bed::new().await;
    let mut going = bed.going(Effect::Send { expires_ms: DAY_MS }, Next::End(EndReason::Finished), 6);
    going.member.email = "new@gull.example".to_owned();
    going.member.address_hash = hash("new@gull.example");
    bed.write(|tx| {
        let address = Address::parse("new@gull.example").unwrap();
        let reason = Reason::Manual;
        let new = NewSuppression {
            workspace_id: WS,
            address: &address,
            covers: usual_covers(reason),
            reason,
            origin: "",
            recipient_id: None,
            campaign_id: None,
            contact_id: None,
            created_by: None,
            now_ms: 5,
            expires_ms: None,
        };
        suppression::add(tx, &new)
    })
    .await;
    assert_eq!(bed.write(move |tx| go_on(tx, &going)).await, Moved::Unwanted);
    assert_eq!((bed.recipients(), bed.ends().as_str()), (0, "suppressed at 6: the address is suppressed: manual"));
}

#[tokio::test]
async fn joining_and_coming_back_are_noted_in_their_commits() {
    let bed = Bed::without_ana(None).await;
    let made = bed
        .storage
        .main()
        .write(|tx| {
            let draft = list_draft();
            let list = list::insert(tx, WS, &draft, 0)?;
            tx.execute(
                "INSERT INTO journey (workspace_id, name, draft, version, trigger_list_id, created_by, created_ms, updated_ms)
                 VALUES (1, 'Welcome', '{}', 1, ?1, '', 0, 0)",
                [list],
            )?;
            let email = Address::parse("ana@gull.example").unwrap();
            let draft = Draft { email, first_name: String::new(), last_name: String::new(), attributes: Default::default() };
            let origin = ContactOrigin { consent_source: "", import: None };
            let ana = contact::insert(tx, WS, &draft, origin, 0)?.unwrap();
            // Twice is once: who is on it does not join.
            list::add(tx, (WS, list, ana), "", 0)?;
            list::add(tx, (WS, list, ana), "", 0)?;
            crate::journey::to_enter(tx, 10)
        })
        .await
        .unwrap();
    assert_eq!(made.iter().map(|one| one.contact_id).collect::<Vec<_>>(), [ANA]);
    let back = bed
        .write(|tx| {
            let who = Mover {
                workspace: WS,
                hash: &hash("ana@gull.example"),
                contact: Some(ANA),
                recipient: None,
                campaign: None,
                actor: None,
                now_ms: 5,
            };
            list::rejoin(tx, who, (LIST, "News"))?;
            list::rejoin(tx, who, (ListId(9), "Other"))?;
            rejoined_to_enter(tx, 10)
        })
        .await;
    assert_eq!(back.iter().map(|one| (one.contact_id, one.list_id)).collect::<Vec<_>>(), [(ANA, LIST)]);
}

fn list_draft() -> list::Draft {
    list::Draft { name: "News".to_owned(), description: String::new(), is_public: true, is_default: false }
}

#[tokio::test]
async fn what_is_over_is_forgotten_and_once_stays_once() {
    let bed = Bed::new().await;
    bed.sent().await;
    bed.write(|tx| end_one(tx, (WS, RunId(1)), "bob", 5)).await;
    assert_eq!(forget(&bed.storage, 5, 100).await.unwrap(), 1, "the step that was logged before");
    assert_eq!(forget(&bed.storage, 6, 100).await.unwrap(), 2, "the run, and its end");
    assert_eq!(forget(&bed.storage, 6, 100).await.unwrap(), 0);
    assert_eq!(bed.enter(ANA, "ana@gull.example", 9).await, Entered::Been);
}

#[tokio::test]
async fn runs_are_found_by_version_and_by_how_they_ended() {
    let bed = Bed::new().await;
    assert!(matches!(bed.enter(ContactId(2), "ben@gull.example", 1).await, Entered::In(_)));
    bed.write(|tx| end_one(tx, (WS, RunId(2)), "bob", 5)).await;
    let found = |query: Query| -> Vec<i64> {
        let rows = bed.look(|c| page(c, (WS, JOURNEY), &Query { limit: 10, ..query }));
        rows.into_iter().map(|(run, _)| run.id.0).collect()
    };
    let (version, reason) = (
        |n| Query { version: Some(n), ..Query::default() },
        |reason| Query { reason: Some(reason), ..Query::default() },
    );
    assert_eq!([found(version(1)), found(version(2))], [vec![2, 1], vec![]]);
    assert_eq!([found(reason(EndReason::ByHand)), found(reason(EndReason::Goal))], [vec![2], vec![]]);
    let waiting = Query { state: Some(RunState::Waiting), ..version(1) };
    assert_eq!(found(waiting), [1]);
}

/// What is asked all the time walks along an index, however many runs there are.
#[tokio::test]
async fn hot_statements_use_their_indexes() {
    let bed = Bed::new().await;
    let of = super::end::STATEMENTS;
    for (sql, index) in [
        (super::read::STATEMENTS[0], "journey_run_due"),
        (of[1], "journey_run_address"),
        (of[2], "journey_run_contact"),
        (of[3], "journey_run_address"),
    ] {
        let plan: Vec<String> = bed.look(|c| {
            let mut statement = c.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
            let given = vec![0_i64; statement.parameter_count()];
            let rows = statement.query_map(rusqlite::params_from_iter(given), |row| row.get(3))?;
            Ok(rows.collect::<Result<_, _>>()?)
        });
        assert!(plan.iter().any(|line| line.contains(index)), "{sql}\n{plan:?}");
    }
}
