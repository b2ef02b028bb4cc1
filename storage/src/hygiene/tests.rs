use super::*;
use crate::contact::{self, Draft, Left, Origin};
use crate::event::Event;
use crate::filter::{self, FilterContext};
use crate::outbox;
use crate::{OpenOptions, address_hash, field};
use api_types::Filter;
use jiff::tz::TimeZone;

const W: WorkspaceId = WorkspaceId::MAIN;
const DAY: i64 = 86_400_000;
/// 2026-06-15T12:00:00Z
const NOW_MS: i64 = 1_781_524_800_000;

struct House {
    storage: Storage,
    _dir: tempfile::TempDir,
}

/// Who, mailed so many days ago (several times), engaged so many days ago.
const PEOPLE: &[(&str, &[i64], Option<i64>)] = &[
    ("never-mailed", &[], None),
    ("new", &[10], None),
    ("silent-7-months", &[215, 100, 1], None),
    ("silent-13-months", &[400, 5], None),
    ("was-engaged", &[700, 3], Some(400)),
    ("answered", &[700, 3], Some(30)),
    ("engaged-and-not-mailed-since", &[700], Some(400)),
];

impl House {
    async fn new() -> House {
        let dir = tempfile::tempdir().unwrap();
        let storage = Storage::open(&OpenOptions { dir: dir.path().to_owned(), readers: 1 }).unwrap();
        let house = House { storage, _dir: dir };
        let add = |tx: &crate::Transaction<'_>| {
            for (name, _, engaged) in PEOPLE {
                let draft = Draft {
                    email: Address::parse(&format!("{name}@gull.example")).unwrap(),
                    first_name: String::new(),
                    last_name: String::new(),
                    attributes: contact::Attributes::new(),
                };
                let origin = Origin { consent_source: "", import: None };
                let id = contact::insert(tx, W, &draft, origin, NOW_MS - 800 * DAY)?.unwrap();
                if let Some(days) = engaged {
                    contact::engaged(tx, W, id, NOW_MS - days * DAY)?;
                }
            }
            Ok(())
        };
        house.storage.main().write(add).await.unwrap();
        let mut mailed: Vec<(i64, usize)> = Vec::new();
        for (n, (_, days, _)) in PEOPLE.iter().enumerate() {
            mailed.extend(days.iter().map(|days| (*days, n + 1)));
        }
        mailed.sort_unstable_by_key(|(days, _)| -days);
        let tell = move |tx: &crate::Transaction<'_>| {
            for (days, contact) in mailed {
                let contact_id = Some(ContactId(i64::try_from(contact).unwrap()));
                for kind in [Kind::Deferred, Kind::Delivered] {
                    outbox::put(tx, &Event { contact_id, ..Event::new(NOW_MS - days * DAY, W, kind) })?;
                }
            }
            // Of a contact that is deleted since, and of none.
            for contact_id in [Some(ContactId(99)), None] {
                outbox::put(tx, &Event { contact_id, ..Event::new(NOW_MS - DAY, W, Kind::Delivered) })?;
            }
            Ok(())
        };
        house.storage.queue().write(tell).await.unwrap();
        outbox::drain(&house.storage, 1000).await.unwrap();
        house
    }

    fn silent(&self, months: u32) -> Vec<Member> {
        let members = self.storage.read_blocking(|c| {
            let context =
                FilterContext { workspace: W, fields: field::list(c, W)?, zone: TimeZone::UTC, now_ms: NOW_MS };
            let silent = Filter::Unengaged { months };
            let active = Filter::Not { filter: Box::new(Filter::Suppressed) };
            let filter = filter::compile(&Filter::And { filters: vec![silent, active] }, &context).unwrap();
            contact::audience(c, W, &filter, (ContactId(0), ContactId(i64::MAX)), Left::Nobody, 100)
        });
        members.unwrap()
    }

    fn names(&self, months: u32) -> Vec<String> {
        self.silent(months).into_iter().map(|m| m.email.split('@').next().unwrap().to_owned()).collect()
    }
}

#[tokio::test]
async fn silence_is_mail_without_an_answer() {
    let house = House::new().await;
    assert_eq!(house.names(6), [""; 0], "nobody was mailed, as far as is noted");
    while note_mailed(&house.storage).await.unwrap() {}
    assert!(!note_mailed(&house.storage).await.unwrap(), "again changes nothing");
    for (months, expected) in [
        (6, &["silent-7-months", "silent-13-months", "was-engaged"][..]),
        (12, &["silent-13-months", "was-engaged"]),
        (14, &[]),
    ] {
        assert_eq!(house.names(months), expected, "{months} months");
    }
}

#[tokio::test]
async fn sunset_ends_with_the_next_sign_of_life() {
    let house = House::new().await;
    while note_mailed(&house.storage).await.unwrap() {}
    let members = house.silent(12);
    let again = members.clone();
    let sunset = async |members: Vec<Member>| {
        house.storage.queue().write(move |tx| sunset(tx, W, (&members, 12), NOW_MS)).await.unwrap()
    };
    assert_eq!((sunset(members).await, sunset(again).await), (2, 0));
    assert_eq!(house.names(12), [""; 0], "those are dealt with");
    let now = || house.storage.read_blocking(|c| sunset_now(c, W)).unwrap();
    assert_eq!(now(), 2);
    let lifted = lift(&house.storage, SuppressionId(0), NOW_MS + 1).await.unwrap();
    assert_eq!(lifted, Some((SuppressionId(2), 0)), "nobody was engaged since");
    let engaged = |tx: &crate::Transaction<'_>| contact::engaged(tx, W, ContactId(4), NOW_MS + DAY);
    house.storage.main().write(engaged).await.unwrap();
    let lifted = lift(&house.storage, SuppressionId(0), NOW_MS + 2 * DAY).await.unwrap();
    assert_eq!((lifted, now()), (Some((SuppressionId(2), 1)), 1));
    assert_eq!(lift(&house.storage, SuppressionId(2), NOW_MS).await.unwrap(), None);
    let free = address_hash(&Address::parse("silent-13-months@gull.example").unwrap());
    let entries = house.storage.read_blocking(|c| suppression::of_hash(c, W, &free)).unwrap();
    assert!(entries.is_empty(), "{entries:?}");
}

#[tokio::test]
async fn runs_are_kept_with_their_figures() {
    let house = House::new().await;
    let id = house.storage.main().write(|tx| begin(tx, (W, Rule::Sunset), "ana", 5)).await.unwrap();
    let last = |rule| house.storage.read_blocking(|c| last_run(c, W, rule)).unwrap();
    assert_eq!(last(Rule::Sunset), None, "it has not ended");
    house.storage.main().write(move |tx| progress(tx, (W, id), 7, Some(9))).await.unwrap();
    assert_eq!((last(Rule::Sunset), last(Rule::Reengage)), (Some(5), None));
    let runs = house.storage.read_blocking(|c| runs(c, W, 10)).unwrap();
    let run = Run { rule: "sunset".into(), started_by: "ana".into(), started_ms: 5, finished_ms: Some(9), changed: 7 };
    assert_eq!(runs, [run]);
}
