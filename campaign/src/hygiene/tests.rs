use super::*;
use std::pin::Pin;
use std::sync::atomic::{AtomicI64, Ordering};
use storage::contact::{Draft, Origin, Query};
use storage::event::{Event, Kind};
use storage::{OpenOptions, outbox};

const W: WorkspaceId = WorkspaceId::MAIN;
const DAY: i64 = 86_400_000;
/// 2026-06-15T12:00:00Z
const NOW_MS: i64 = 1_781_524_800_000;

struct Hand(AtomicI64);

impl Clock for Hand {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }

    fn sleep(&self, _: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        Box::pin(std::future::ready(()))
    }
}

struct Town {
    storage: Storage,
    clock: Arc<dyn Clock>,
    _dir: tempfile::TempDir,
}

impl Town {
    /// Contacts that were mailed since so many days, and last engaged so many days ago.
    async fn new(people: Vec<(i64, Option<i64>)>) -> Town {
        let dir = tempfile::tempdir().unwrap();
        let storage = Storage::open(&OpenOptions { dir: dir.path().to_owned(), readers: 2 }).unwrap();
        let mut mailed: Vec<(i64, i64)> = Vec::new();
        for (n, (days, _)) in (1..).zip(&people) {
            mailed.extend([(*days, n), (1, n)]);
        }
        mailed.sort_unstable_by_key(|(days, _)| -days);
        let add = move |tx: &Transaction<'_>| {
            for (n, (_, engaged)) in people.iter().enumerate() {
                let draft = Draft {
                    email: mail::Address::parse(&format!("c{n}@gull.example")).unwrap(),
                    first_name: String::new(),
                    last_name: String::new(),
                    attributes: contact::Attributes::new(),
                };
                let origin = Origin { consent_source: "", import: None };
                let id = contact::insert(tx, W, &draft, origin, NOW_MS - 900 * DAY)?.unwrap();
                if let Some(days) = engaged {
                    contact::engaged(tx, W, id, NOW_MS - days * DAY)?;
                }
            }
            Ok(())
        };
        storage.main().write(add).await.unwrap();
        let tell = move |tx: &Transaction<'_>| {
            for (days, n) in mailed {
                let contact_id = Some(ContactId(n));
                outbox::put(tx, &Event { contact_id, ..Event::new(NOW_MS - days * DAY, W, Kind::Delivered) })?;
            }
            Ok(())
        };
        storage.queue().write(tell).await.unwrap();
        while outbox::drain(&storage, 1000).await.unwrap() > 0 {}
        Town { storage, clock: Arc::new(Hand(AtomicI64::new(NOW_MS))), _dir: dir }
    }

    async fn set(&self, settings: HygieneSettings) -> Result<HygieneSettings, Refused> {
        set(&self.storage, W, settings, ("ana".to_owned(), NOW_MS)).await
    }

    async fn run(&self) -> (u64, u64) {
        let rules = (vec![Rule::Reengage, Rule::Sunset], "ana".to_owned());
        let ran = run(&self.storage, &self.clock, W, rules).await.unwrap();
        (ran.reengage, ran.sunset)
    }

    fn shown(&self) -> api_types::Hygiene {
        let show = |c: &storage::Connection| Ok(show(c, W, hygiene::get(c, W)?, NOW_MS));
        self.storage.read_blocking(show).unwrap().unwrap()
    }

    fn tagged(&self) -> usize {
        let query = Query { tag: Some("re-engage".to_owned()), limit: 200, ..Query::default() };
        self.storage.read_blocking(|c| contact::page(c, W, &query, NOW_MS)).unwrap().len()
    }
}

fn both() -> HygieneSettings {
    HygieneSettings { sunset: true, reengage: true, ..HygieneSettings::default() }
}

#[tokio::test]
async fn rules_reach_whom_they_said_and_nobody_twice() {
    // Two batches of silence: some for a year, some for half of one; and two who are not silent.
    let people = (0..400).map(|_| (500, None)).chain((0..200).map(|_| (200, None))).chain([(500, Some(3)), (10, None)]);
    let town = Town::new(people.collect()).await;
    assert_eq!(town.run().await, (0, 0), "every rule is off");
    let would = town.shown();
    assert_eq!((would.reengage_would, would.sunset_would, would.engagement_known), (600, 400, true));
    town.set(both()).await.unwrap();
    assert_eq!(town.run().await, (600, 400));
    assert_eq!(town.run().await, (0, 0));
    let now = town.shown();
    assert_eq!((now.reengage_would, now.sunset_would, now.sunset_now), (0, 0, 400));
    let runs: Vec<_> = now.runs.iter().map(|run| (run.rule.as_str(), run.changed, run.finished_at.is_some())).collect();
    let expected = [("sunset", 0, true), ("reengage", 0, true), ("sunset", 400, true), ("reengage", 600, true)];
    assert_eq!(runs, expected);
    assert_eq!(town.tagged(), 200, "a page of them");
}

#[tokio::test]
async fn a_sign_of_life_undoes_both() {
    let town = Town::new(vec![(500, None), (500, Some(3))]).await;
    town.set(both()).await.unwrap();
    assert_eq!((town.run().await, town.tagged()), ((1, 1), 1));
    let later_ms = NOW_MS + DAY;
    let engaged = move |tx: &Transaction<'_>| contact::engaged(tx, W, ContactId(1), later_ms);
    town.storage.main().write(engaged).await.unwrap();
    assert_eq!((town.run().await, town.tagged(), town.shown().sunset_now), ((0, 0), 0, 0));
}

#[tokio::test]
async fn where_nothing_measures_engagement_silence_says_nothing() {
    let town = Town::new(vec![(500, None), (500, Some(450))]).await;
    assert!(!town.shown().engagement_known);
    let refused = town.set(both()).await.unwrap_err();
    assert!(matches!(&refused, Refused::Invalid { field, .. } if field == "sunset"), "{refused:?}");
    // It was on already: then nobody is touched.
    let put = move |tx: &Transaction<'_>| hygiene::put(tx, W, &both(), "ana", NOW_MS);
    town.storage.main().write(put).await.unwrap();
    assert_eq!(town.run().await, (2, 0));
}
