use super::*;
use crate::{OpenOptions, Storage};
use expect_test::expect;

const OTHER: WorkspaceId = WorkspaceId(2);

/// Who gets what, with one entry on the lists.
#[test]
fn an_entry_keeps_away_what_it_covers_from_whom_it_binds() {
    use SuppressionCovers::{All, Marketing};
    let (bulk, single) = (StreamKind::Bulk, StreamKind::Transactional);
    let main = WorkspaceId::MAIN;
    for (owner, covers, away) in [
        (main, Marketing, &[(main, bulk)][..]),
        (main, All, &[(main, bulk), (main, single)]),
        (OTHER, All, &[(OTHER, bulk), (OTHER, single)]),
        (WorkspaceId::NONE, Marketing, &[(main, bulk), (OTHER, bulk)]),
        (WorkspaceId::NONE, All, &[(main, bulk), (main, single), (OTHER, bulk), (OTHER, single)]),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let storage = Storage::open(&OpenOptions { dir: dir.path().to_owned(), readers: 1 }).unwrap();
        let address = Address::parse("Ana@gull.example").unwrap();
        let hash = address_hash(&address);
        let add_it = move |tx: &crate::Transaction<'_>| {
            let new = NewSuppression {
                workspace_id: owner,
                address: &address,
                covers,
                reason: SuppressionReason::Manual,
                origin: "asked by telephone",
                recipient_id: None,
                campaign_id: None,
                contact_id: None,
                created_by: Some("ana"),
                now_ms: 10,
                expires_ms: Some(20),
            };
            Ok([add(tx, &new)?, add(tx, &new)?])
        };
        assert_eq!(storage.queue().write_blocking(add_it).unwrap(), [true, false], "it stands there once");
        let ask = |workspace, kind, now_ms| {
            storage.read_blocking(|c| check(c, workspace, (&hash, kind), now_ms)).unwrap().is_some()
        };
        for workspace in [main, OTHER] {
            for kind in [bulk, single] {
                let expected = away.contains(&(workspace, kind));
                assert_eq!(ask(workspace, kind, 19), expected, "{owner} {covers:?}: {workspace} {kind}");
                assert!(!ask(workspace, kind, 20), "it has ended");
            }
        }
    }
}

struct Bed {
    storage: Storage,
    _dir: tempfile::TempDir,
}

impl Bed {
    fn new() -> Bed {
        let dir = tempfile::tempdir().unwrap();
        let storage = Storage::open(&OpenOptions { dir: dir.path().to_owned(), readers: 1 }).unwrap();
        Bed { storage, _dir: dir }
    }

    /// Puts an address on a list; `what` is covers, reason, origin, until when.
    fn add(
        &self,
        owner: WorkspaceId,
        address: &'static str,
        what: (SuppressionCovers, SuppressionReason, &'static str, Option<i64>),
        now_ms: i64,
    ) -> bool {
        let (covers, reason, origin, expires_ms) = what;
        let add_it = move |tx: &crate::Transaction<'_>| {
            let new = NewSuppression {
                workspace_id: owner,
                address: &Address::parse(address).unwrap(),
                covers,
                reason,
                origin,
                recipient_id: None,
                campaign_id: None,
                contact_id: None,
                created_by: (reason == SuppressionReason::Manual).then_some("ana"),
                now_ms,
                expires_ms,
            };
            add(tx, &new)
        };
        self.storage.queue().write_blocking(add_it).unwrap()
    }

    fn entries(&self, address: &str) -> Vec<Suppression> {
        let hash = address_hash(&Address::parse(address).unwrap());
        self.storage.read_blocking(|c| of_hash(c, WorkspaceId::MAIN, &hash)).unwrap()
    }

    fn remove(&self, workspace: WorkspaceId, id: SuppressionId, why: &'static str, now_ms: i64) -> bool {
        let removal = Removal { why, actor: Some("bo"), recipient_id: None, campaign_id: None, now_ms };
        self.storage.queue().write_blocking(move |tx| remove(tx, workspace, (id, None), removal)).unwrap().is_some()
    }

    /// The history as a workspace sees it, newest first.
    fn told(&self, workspace: WorkspaceId, whose: Whose) -> String {
        let changes = self.storage.read_blocking(|c| changes(c, workspace, whose, i64::MAX, 100)).unwrap();
        let line = |c: &Change| {
            let whose = if c.workspace_id == WorkspaceId::NONE { " for everybody" } else { "" };
            let (address, covers, reason) = (c.address.as_deref(), covers_word(c.covers), reason_word(c.reason));
            let by = c.actor.as_deref().unwrap_or("nobody");
            let (at, masked, action, words) = (c.at_ms, &c.masked, c.action, &c.words);
            format!("{at} {} {masked} {action:?}{whose} {covers} {reason} by {by}: {words}\n", address.unwrap_or("?"))
        };
        changes.iter().map(line).collect()
    }

    fn listed(&self, filter: Filter) -> Vec<String> {
        let rows = self.storage.read_blocking(|c| page(c, WorkspaceId::MAIN, &filter, i64::MAX, 100)).unwrap();
        let n = self.storage.read_blocking(|c| count(c, WorkspaceId::MAIN, &filter)).unwrap();
        assert_eq!(n, rows.len() as u64);
        rows.into_iter().map(|row| row.address.unwrap_or(row.origin)).collect()
    }
}

const MAIN: WorkspaceId = WorkspaceId::MAIN;

#[test]
fn whatever_comes_and_goes_stands_in_the_history() {
    use SuppressionCovers::{All, Marketing};
    let bed = Bed::new();
    let words = "550 <Ana@Gull.example>: no such user, ana@gull.example";
    bed.add(MAIN, "ana@gull.example", (All, SuppressionReason::HardBounce, words, None), 10);
    assert!(!bed.add(MAIN, "ana@gull.example", (All, SuppressionReason::Manual, "again", None), 11));
    let id = bed.entries("ana@gull.example")[0].id;
    assert!(!bed.remove(OTHER, id, "not theirs", 12) && !bed.remove(WorkspaceId::NONE, id, "not global", 12));
    assert!(bed.remove(MAIN, id, "ANA@gull.example exists now", 12));
    assert!(!bed.remove(MAIN, id, "twice", 13));
    bed.add(MAIN, "ana@gull.example", (Marketing, SuppressionReason::Manual, "asked by letter", Some(50)), 14);
    bed.add(OTHER, "ana@gull.example", (All, SuppressionReason::Manual, "theirs", None), 15);
    bed.add(WorkspaceId::NONE, "trap@gull.example", (All, SuppressionReason::Manual, "a trap", None), 16);
    let ana = Whose::Address(address_hash(&Address::parse("ana@gull.example").unwrap()));
    expect![[r#"
        14 ana@gull.example a***@gull.example Added marketing manual by ana: asked by letter
        12 ana@gull.example a***@gull.example Removed all hard_bounce by bo: a***@gull.example exists now
        10 ana@gull.example a***@gull.example Added all hard_bounce by nobody: 550 <a***@gull.example>: no such user, a***@gull.example
    "#]]
    .assert_eq(&bed.told(MAIN, ana));
    expect![[r#"
        16 trap@gull.example t***@gull.example Added for everybody all manual by ana: a trap
        15 ana@gull.example a***@gull.example Added all manual by ana: theirs
    "#]]
    .assert_eq(&bed.told(OTHER, Whose::All));
    assert_eq!(bed.told(MAIN, Whose::All).lines().count(), 4);
}

/// What has ended keeps nothing away, and is forgotten some time after; what holds for ever stays, however old.
#[test]
fn history_and_ended_entries_are_forgotten() {
    let bed = Bed::new();
    for (address, until) in [("a@gull.example", Some(20)), ("b@gull.example", Some(90)), ("c@gull.example", None)] {
        bed.add(MAIN, address, (SuppressionCovers::All, SuppressionReason::Manual, "", until), 10);
    }
    bed.add(MAIN, "d@gull.example", (SuppressionCovers::All, SuppressionReason::Manual, "", None), 60);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let gone = runtime.block_on(async {
        let all = (forget_ended(&bed.storage, 50, 10).await.unwrap(), forget(&bed.storage, 50, 2).await.unwrap());
        (all, forget(&bed.storage, 50, 2).await.unwrap(), forget(&bed.storage, 50, 2).await.unwrap())
    });
    assert_eq!(gone, ((1, 2), 1, 0));
    assert_eq!(bed.listed(Filter::default()), ["d@gull.example", "c@gull.example", "b@gull.example"]);
    assert_eq!(bed.told(MAIN, Whose::All).lines().count(), 1);
}

/// After its contact is deleted nobody can read whose an entry is; it goes on keeping mail away, and who asks about the
/// address finds it.
#[test]
fn of_a_deleted_contact_the_hash_is_left() {
    let bed = Bed::new();
    let what =
        (SuppressionCovers::All, SuppressionReason::HardBounce, "550 no mailbox for Ana@gull.example here", None);
    bed.add(MAIN, "ana@gull.example", what, 10);
    let global = (SuppressionCovers::All, SuppressionReason::Manual, "a trap", None);
    bed.add(WorkspaceId::NONE, "ana@gull.example", global, 11);
    let hash = address_hash(&Address::parse("ana@gull.example").unwrap());
    bed.storage.queue().write_blocking(move |tx| keep_hash_only(tx, MAIN, &hash)).unwrap();
    let entries = bed.entries("Ana@Gull.example");
    let kept: Vec<_> = entries.iter().map(|entry| (entry.address.as_deref(), entry.origin.as_str())).collect();
    let own = (None, "550 no mailbox for a***@gull.example here");
    assert_eq!(kept, [own, (Some("ana@gull.example"), "a trap")], "what the administrators wrote is theirs");
    bed.remove(WorkspaceId::NONE, entries[1].id, "it was none", 12);
    let away = |now_ms| bed.storage.read_blocking(|c| check(c, MAIN, (&hash, StreamKind::Bulk), now_ms)).unwrap();
    assert_eq!(away(99), Some(SuppressionReason::HardBounce));
    let asked = |q: &str| bed.listed(Filter { q: q.to_owned(), ..Filter::default() });
    assert_eq!(asked("ANA@gull.example"), ["550 no mailbox for a***@gull.example here"]);
    assert_eq!(asked("ana@gull"), Vec::<String>::new());
    bed.remove(MAIN, entries[0].id, "exists now", 13);
    expect![[r#"
        13 ? a***@gull.example Removed all hard_bounce by bo: exists now
        12 ? a***@gull.example Removed for everybody all manual by bo: it was none
        11 ? a***@gull.example Added for everybody all manual by ana: a trap
        10 ? a***@gull.example Added all hard_bounce by nobody: 550 no mailbox for a***@gull.example here
    "#]]
    .assert_eq(&bed.told(MAIN, Whose::Address(hash)));
}

#[test]
fn lists_are_narrowed() {
    use SuppressionCovers::{All, Marketing};
    use SuppressionReason::{Complaint, HardBounce, Manual};
    let bed = Bed::new();
    bed.add(MAIN, "bounced@gull.example", (All, HardBounce, "", None), 10);
    bed.add(MAIN, "complained@gull.example", (Marketing, Complaint, "", None), 10);
    bed.add(MAIN, "ended@gull.example", (All, Manual, "", Some(50)), 10);
    bed.add(WorkspaceId::NONE, "trap@tern.example", (All, Manual, "", Some(51)), 10);
    bed.add(OTHER, "theirs@gull.example", (All, Manual, "", None), 10);
    let any = Filter::default;
    for (filter, expected) in [
        (any(), "trap ended complained bounced"),
        (Filter { q: "GULL.ex".to_owned(), ..any() }, "ended complained bounced"),
        (Filter { reason: Some(Manual), ..any() }, "trap ended"),
        (Filter { covers: Some(Marketing), ..any() }, "complained"),
        (Filter { covers: Some(All), ..any() }, "trap ended bounced"),
        (Filter { global: Some(true), ..any() }, "trap"),
        (Filter { global: Some(false), ..any() }, "ended complained bounced"),
        (Filter { ended: Some((true, 50)), ..any() }, "ended"),
        (Filter { ended: Some((false, 50)), ..any() }, "trap complained bounced"),
        (Filter { ended: Some((false, 51)), covers: Some(All), ..any() }, "bounced"),
    ] {
        let found = bed.listed(filter.clone());
        let names: Vec<&str> = found.iter().filter_map(|address| address.split('@').next()).collect();
        assert_eq!(names.join(" "), expected, "{filter:?}");
    }
}

/// Which writings are one address: those that differ in case, or in how the domain is written. What a provider may do with
/// dots and tags before the @ is its own affair, and is not guessed.
#[test]
fn writings_of_one_address() {
    let bed = Bed::new();
    bed.add(MAIN, "josé.b+tag@bücher.example", (SuppressionCovers::All, SuppressionReason::Manual, "", None), 10);
    for (writing, same) in [
        ("josé.b+tag@bücher.example", true),
        ("JOSÉ.B+Tag@BÜCHER.example", true),
        ("josé.b+tag@xn--bcher-kva.example", true),
        ("josé.b+tag@XN--BCHER-KVA.EXAMPLE.", true),
        ("joséb+tag@bücher.example", false),
        ("josé.b@bücher.example", false),
        ("jose.b+tag@bücher.example", false),
        ("josé.b+tag@bucher.example", false),
        ("josé.b+tag@sub.bücher.example", false),
    ] {
        let hash = address_hash(&Address::parse(writing).unwrap());
        let found = bed.storage.read_blocking(|c| check(c, MAIN, (&hash, StreamKind::Bulk), 20)).unwrap();
        assert_eq!(found.is_some(), same, "{writing}");
    }
}

/// Of a list that somebody else gives away only hashes are known: they keep mail away like any other.
#[test]
fn what_is_known_by_its_hash_keeps_mail_away() {
    let bed = Bed::new();
    let hash = address_hash(&Address::parse("ana@gull.example").unwrap());
    let put = |now_ms, expires_ms, origin: &'static str| {
        let add_it = move |tx: &crate::Transaction<'_>| {
            let new = NewHashed {
                workspace_id: MAIN,
                hash: &hash,
                covers: SuppressionCovers::All,
                reason: SuppressionReason::Import,
                origin,
                created_by: "ana",
                now_ms,
                expires_ms,
            };
            add_hashed(tx, &new)
        };
        bed.storage.queue().write_blocking(add_it).unwrap()
    };
    assert!(put(10, Some(20), "import of a.csv") && !put(11, None, "import of b.csv"));
    let away = |workspace, now_ms| {
        bed.storage.read_blocking(|c| check(c, workspace, (&hash, StreamKind::Bulk), now_ms)).unwrap().is_some()
    };
    assert_eq!((away(MAIN, 19), away(MAIN, 20), away(OTHER, 19)), (true, false, false));
    assert!(put(30, None, "import of c.csv"), "it had ended");
    assert_eq!(bed.entries("ana@gull.example")[0].address, None);
    expect![[r#"
        30 ? *** Added all import by ana: import of c.csv
        10 ? *** Added all import by ana: import of a.csv
    "#]]
    .assert_eq(&bed.told(MAIN, Whose::Address(hash)));
    // One whose address was known goes on saying it.
    let what = (SuppressionCovers::Marketing, SuppressionReason::Manual, "", Some(40));
    bed.add(MAIN, "bo@gull.example", what, 30);
    let bo = address_hash(&Address::parse("bo@gull.example").unwrap());
    let again = move |tx: &crate::Transaction<'_>| {
        let new = NewHashed {
            workspace_id: MAIN,
            hash: &bo,
            covers: SuppressionCovers::Marketing,
            reason: SuppressionReason::Import,
            origin: "",
            created_by: "ana",
            now_ms: 50,
            expires_ms: None,
        };
        add_hashed(tx, &new)
    };
    assert!(bed.storage.queue().write_blocking(again).unwrap());
    assert_eq!(bed.entries("bo@gull.example")[0].address.as_deref(), Some("bo@gull.example"));
}
