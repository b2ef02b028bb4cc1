use super::*;
use crate::queue::{NewRecipient, Origin, enqueue};
use crate::suppression::SuppressionCovers;
use crate::{CampaignId, ContactId, OpenOptions, Storage, Transaction};
use expect_test::{Expect, expect};
use mail::StreamKind;

const W: WorkspaceId = WorkspaceId::MAIN;
const DAY: i64 = 86_400_000;

/// What one address chooses, day by day.
struct Desk {
    storage: Storage,
    _dir: tempfile::TempDir,
}

impl Desk {
    fn new() -> Desk {
        let dir = tempfile::tempdir().unwrap();
        let storage = Storage::open(&OpenOptions { dir: dir.path().to_owned(), readers: 1 }).unwrap();
        let desk = Desk { storage, _dir: dir };
        desk.write(|tx| {
            let recipient = NewRecipient {
                workspace_id: W,
                origin: Origin::Campaign { campaign: CampaignId(3), contact: ContactId(5) },
                address: "ana@gull.example".into(),
                address_hash: hash(),
                domain: "gull.example".into(),
                stream: "bulk".into(),
                kind: StreamKind::Bulk,
                pool: "default".into(),
                due_ms: 0,
                accepted_ms: 0,
                expires_ms: 99 * DAY,
                dsn_notify: None,
                dsn_orcpt: None,
            };
            enqueue(tx, &[recipient])
        });
        desk
    }

    fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, StorageError> + Send + 'static,
    ) -> T {
        self.storage.queue().write_blocking(work).unwrap()
    }

    fn suppress(&self, reason: SuppressionReason, covers: SuppressionCovers, day: i64, expires_ms: Option<i64>) {
        self.write(move |tx| {
            let new = NewSuppression {
                workspace_id: W,
                address: &address(),
                covers,
                reason,
                origin: "",
                recipient_id: None,
                campaign_id: None,
                contact_id: None,
                created_by: None,
                now_ms: day * DAY,
                expires_ms,
            };
            suppression::add(tx, &new)
        });
    }

    /// What is there then, and whether the next campaign would reach it.
    fn state(&self, day: i64) -> String {
        let now_ms = day * DAY;
        let (standing, away) = self
            .storage
            .read_blocking(|c| {
                let away = suppression::check(c, W, (&hash(), StreamKind::Bulk), now_ms)?;
                Ok((standing(c, W, &hash(), now_ms)?, away))
            })
            .unwrap();
        let marketing = match standing.marketing {
            Marketing::PausedUntil(until_ms) => format!("paused until day {}", until_ms / DAY),
            other => format!("{other:?}").to_lowercase(),
        };
        format!("day {day}: {marketing}, otherwise {:?}, away {away:?}", standing.otherwise)
    }
}

fn address() -> Address {
    Address::parse("ana@gull.example").unwrap()
}

fn hash() -> AddressHash {
    address_hash(&address())
}

fn check(before: &[(SuppressionReason, SuppressionCovers, Option<i64>)], choices: &[(i64, Marketing)], story: &Expect) {
    let desk = Desk::new();
    for (reason, covers, expires_ms) in before {
        desk.suppress(*reason, *covers, 0, *expires_ms);
    }
    let mut told = String::new();
    for (day, marketing) in choices {
        let (day, wanted) = (*day, Choice::of(*marketing));
        let applied = desk.write(move |tx| apply(tx, RecipientId(1), &wanted, day * DAY)).unwrap();
        told += &format!("{}{}\n", desk.state(day), if applied.changed { "" } else { " (unchanged)" });
    }
    told += &format!("{}\n", desk.state(60));
    story.assert_eq(&told);
}

#[test]
fn what_people_choose() {
    use Marketing::{PausedUntil, Unwanted, Wanted};
    use SuppressionReason as Why;
    let until = PausedUntil(31 * DAY);
    check(
        &[],
        &[(1, until), (2, PausedUntil(32 * DAY)), (3, Wanted)],
        &expect![[r#"
        day 1: paused until day 31, otherwise None, away Some(Paused)
        day 2: paused until day 31, otherwise None, away Some(Paused) (unchanged)
        day 3: wanted, otherwise None, away None
        day 60: wanted, otherwise None, away None
    "#]],
    );
    check(
        &[],
        &[(1, until), (2, Unwanted), (3, Unwanted)],
        &expect![[r#"
        day 1: paused until day 31, otherwise None, away Some(Paused)
        day 2: unwanted, otherwise None, away Some(Unsubscribe)
        day 3: unwanted, otherwise None, away Some(Unsubscribe) (unchanged)
        day 60: unwanted, otherwise None, away Some(Unsubscribe)
    "#]],
    );
    check(
        &[],
        &[(1, Unwanted), (2, until)],
        &expect![[r#"
        day 1: unwanted, otherwise None, away Some(Unsubscribe)
        day 2: paused until day 31, otherwise None, away Some(Paused)
        day 60: wanted, otherwise None, away None
    "#]],
    );
    check(
        &[(Why::Sunset, SuppressionCovers::Marketing, None)],
        &[(1, Unwanted), (2, Wanted)],
        &expect![[r#"
        day 1: unwanted, otherwise None, away Some(Unsubscribe)
        day 2: wanted, otherwise None, away None
        day 60: wanted, otherwise None, away None
    "#]],
    );
    check(
        &[(Why::Complaint, SuppressionCovers::Marketing, None)],
        &[(1, Wanted), (2, until)],
        &expect![[r#"
        day 1: wanted, otherwise Some(Complaint), away Some(Complaint) (unchanged)
        day 2: wanted, otherwise Some(Complaint), away Some(Complaint)
        day 60: wanted, otherwise Some(Complaint), away Some(Complaint)
    "#]],
    );
    check(
        &[(Why::HardBounce, SuppressionCovers::All, None)],
        &[(1, Unwanted), (2, Wanted)],
        &expect![[r#"
        day 1: unwanted, otherwise Some(HardBounce), away Some(HardBounce)
        day 2: wanted, otherwise Some(HardBounce), away Some(HardBounce)
        day 60: wanted, otherwise Some(HardBounce), away Some(HardBounce)
    "#]],
    );
}

/// An entry that ends by itself never shortens one that does not.
#[test]
fn what_lasts_longer_counts() {
    use SuppressionReason::{Complaint, Manual, Paused, Sunset, Unsubscribe};
    for (first, first_ends, second, kept) in [
        (Paused, Some(9), Unsubscribe, Unsubscribe),
        (Paused, Some(9), Complaint, Complaint),
        (Paused, Some(9), Sunset, Paused),
        (Sunset, None, Unsubscribe, Unsubscribe),
        (Sunset, None, Manual, Manual),
        (Manual, Some(9), Unsubscribe, Unsubscribe),
        (Manual, None, Unsubscribe, Manual),
        (Unsubscribe, None, Complaint, Unsubscribe),
        (Unsubscribe, None, Sunset, Unsubscribe),
        (Complaint, None, Sunset, Complaint),
    ] {
        let desk = Desk::new();
        desk.suppress(first, SuppressionCovers::Marketing, 1, first_ends.map(|day| day * DAY));
        desk.suppress(second, SuppressionCovers::Marketing, 2, None);
        let entries = desk.storage.read_blocking(|c| suppression::of_hash(c, W, &hash())).unwrap();
        let reasons: Vec<_> = entries.iter().map(|entry| entry.reason).collect();
        assert_eq!(reasons, [kept], "{first:?}, then {second:?}");
    }
}

#[test]
fn one_commit_with_its_events() {
    let desk = Desk::new();
    let wanted = Choice {
        marketing: Marketing::Unwanted,
        joins: vec![(ListId(2), "Offers".into())],
        leaves: vec![(ListId(1), "News".into())],
        joins_streams: vec![("hints".into(), "Hints".into())],
        leaves_streams: vec![("products".into(), "Product news".into())],
    };
    desk.write(move |tx| apply(tx, RecipientId(1), &wanted, DAY));
    let events = desk.storage.read_blocking(|c| {
        let mut statement = c.prepare("SELECT kind, text, campaign_id, contact_id FROM outbox ORDER BY id")?;
        let rows = statement.query_map([], |row| {
            let (kind, text): (String, String) = (row.get(0)?, row.get(1)?);
            Ok(format!("{kind} {text} {} {}", row.get::<_, i64>(2)?, row.get::<_, i64>(3)?))
        })?;
        Ok(rows.collect::<Result<Vec<_>, _>>()?.join("\n"))
    });
    expect![[r#"
        list_left News 3 5
        list_joined Offers 3 5
        stream_left Product news 3 5
        suppression_added unsubscribe: on the page for preferences 3 5
        unsubscribed on the page for preferences 3 5"#]]
    .assert_eq(&events.unwrap());
}

#[test]
fn told_once_a_day() {
    let desk = Desk::new();
    for (at_ms, may) in [(0, true), (DAY - 1, false), (DAY, true), (DAY + 1, false), (3 * DAY, true)] {
        assert_eq!(desk.write(move |tx| may_tell(tx, W, &hash(), at_ms)), may, "{at_ms}");
    }
}
