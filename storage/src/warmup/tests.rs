//! Days counted, judged, forgotten; golden plans.

use super::*;
use crate::complaint::{self, Complaint};
use crate::queue::{self, NewRecipient, Origin};
use crate::{CampaignId, ContactId, DomainId, OpenOptions, RecipientId, Storage, address_hash};
use mail::{Address, StreamKind};
use rusqlite::Transaction;

const WS: WorkspaceId = WorkspaceId::MAIN;
const DAY_MS: i64 = 86_400_000;

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

    fn queue<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, StorageError> + Send + 'static,
    ) -> T {
        self.storage.queue().write_blocking(work).unwrap()
    }

    fn count(&self, day: i64, fates: &[Fate]) {
        let mut counts = Counts::default();
        fates.iter().for_each(|fate| counts.add(&key("mx1", "Gull"), day, *fate));
        self.queue(move |tx| counts.write(tx));
    }

    fn told(&self) -> String {
        let lines = self.storage.read_blocking(all).unwrap();
        let line = |line: &Line| {
            let f = line.figures;
            format!(
                "{} {} {} stage {}, day {}: sent {}, delivered {}, deferred {}, blocked {}, bounced {}, complained {}",
                line.key.subject,
                line.key.provider,
                line.state.as_str(),
                line.stage,
                line.day,
                f.sent,
                f.delivered,
                f.deferred,
                f.blocked,
                f.bounced,
                f.complained
            )
        };
        lines.iter().map(line).collect::<Vec<_>>().join("\n")
    }
}

fn key(source: &str, provider: &str) -> Arc<Key> {
    let (subject, provider) = (source.into(), provider.into());
    Arc::new(Key { axis: Axis::Source, workspace_id: WorkspaceId::NONE, subject, provider })
}

#[test]
fn a_day_is_counted_and_the_next_one_begins() {
    use Fate as F;
    let bed = Bed::new();
    // An outcome without a line of its day makes none.
    bed.count(10, &[F::Delivered]);
    assert_eq!(bed.told(), "");
    bed.count(10, &[F::Sent, F::Sent, F::Sent, F::Delivered]);
    bed.count(10, &[F::Returned, F::Deferred, F::Blocked, F::Bounced]);
    let counted = "sent 2, delivered 1, deferred 1, blocked 1, bounced 1, complained 0";
    assert_eq!(bed.told(), format!("mx1 Gull running stage 0, day 10: {counted}"));
    let mut line = bed.queue(|tx| over(tx, 11)).remove(0);
    assert_eq!(bed.queue(|tx| over(tx, 10)), []);
    (line.stage, line.day, line.note) = (1, 11, "climbed".to_owned());
    bed.queue(move |tx| begin_day(tx, &line));
    let fresh = "mx1 Gull running stage 1, day 11: sent 0, delivered 0, deferred 0, blocked 0, bounced 0, complained 0";
    assert_eq!(bed.told(), fresh);
    // What comes late is of a day that is judged.
    bed.count(10, &[F::Delivered, F::Returned]);
    assert_eq!(bed.told(), fresh);
    // A day without mail is no day to judge; the next one with mail begins by itself.
    assert_eq!(bed.queue(|tx| over(tx, 15)), []);
    bed.count(15, &[F::Sent]);
    assert!(bed.told().contains("stage 1, day 15: sent 1,"), "{}", bed.told());
}

#[test]
fn a_line_at_rest_is_forgotten() {
    let bed = Bed::new();
    bed.count(10, &[Fate::Sent, Fate::Returned, Fate::Sent]);
    assert_eq!(bed.queue(|tx| forget(tx, 100, 100 * DAY_MS)), 0, "it has a day to be judged");
    let mut line = bed.queue(|tx| over(tx, 11)).remove(0);
    line.day = 11;
    bed.queue(move |tx| begin_day(tx, &line));
    assert_eq!(bed.queue(|tx| forget(tx, 11, 100 * DAY_MS)), 0);
    assert_eq!(bed.queue(|tx| forget(tx, 100, 10 * DAY_MS)), 0, "somebody touched it since");
    assert_eq!(bed.queue(|tx| forget(tx, 100, 100 * DAY_MS)), 1);
}

fn enqueue(bed: &Bed, n: i64) {
    let recipient = move |id: i64| {
        let address = Address::parse(&format!("p{id}@gull.example")).unwrap();
        NewRecipient {
            workspace_id: WS,
            origin: Origin::Campaign { campaign: CampaignId(1), contact: ContactId(id) },
            address: address.to_string(),
            address_hash: address_hash(&address),
            domain: address.domain().to_string(),
            stream: "bulk".to_owned(),
            kind: StreamKind::Bulk,
            pool: "default".to_owned(),
            due_ms: 0,
            accepted_ms: 0,
            expires_ms: DAY_MS,
            dsn_notify: None,
            dsn_orcpt: None,
        }
    };
    let all: Vec<_> = (1..=n).map(recipient).collect();
    bed.queue(move |tx| queue::enqueue(tx, &all));
}

#[test]
fn a_complaint_counts_where_the_mail_went() {
    let bed = Bed::new();
    enqueue(&bed, 1);
    bed.count(10, &[Fate::Sent, Fate::Delivered]);
    bed.queue(|tx| {
        let attempt = queue::Attempt {
            source: "mx1".into(),
            site: "mx.gull.example".into(),
            provider: "Gull".into(),
            mx: "mx.gull.example".into(),
            tls: None,
            reports: false,
            took_ms: 1,
        };
        let (id, ending, attempt) = (RecipientId(1), queue::Ending::Delivered, Some(attempt));
        queue::settle(tx, &[queue::Settlement { id, at_ms: 1, ending, attempt, answer: None }])?;
        let text = "feedback report".to_owned();
        complaint::settle(tx, &Complaint { id, at_ms: 2, domain: None, text })
    });
    assert!(
        bed.told().ends_with("sent 1, delivered 1, deferred 0, blocked 0, bounced 0, complained 1"),
        "{}",
        bed.told()
    );
}

#[test]
fn who_waits_for_a_warm_up_is_made_due() {
    let bed = Bed::new();
    enqueue(&bed, 3);
    bed.queue(|tx| {
        let sql = "UPDATE recipient SET due_ms = 9000, wait_reason = iif(id = 2, 'lane_full', 'warm_up')";
        Ok(tx.execute(sql, [])?)
    });
    let all = Waiting { pool: "default".to_owned(), domain: "gull.example".to_owned(), count: 3 };
    assert_eq!(bed.storage.read_blocking(|c| waiting_by_domain(c, WS, None, 5)).unwrap(), [all]);
    let other = |c: &Connection| waiting_by_domain(c, WS, Some(CampaignId(2)), 5);
    assert_eq!(bed.storage.read_blocking(other).unwrap(), []);
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    assert_eq!(runtime.block_on(hasten(&bed.storage, 5)).unwrap(), 2);
    let due = bed.queue(|tx| {
        let mut rows = tx.prepare("SELECT due_ms FROM recipient ORDER BY id")?;
        Ok(rows.query_map([], |row| row.get::<_, i64>(0))?.collect::<Result<Vec<_>, _>>()?)
    });
    assert_eq!(due, [5, 9000, 5]);
}

#[test]
fn domains_begin_and_end() {
    let bed = Bed::new();
    let new = DomainWarmup {
        domain_id: DomainId(4),
        workspace_id: WS,
        domain: "new.example".to_owned(),
        plan: "standard".to_owned(),
        created_by: "ana".to_owned(),
        created_ms: 1,
    };
    let (first, again) = (new.clone(), DomainWarmup { plan: "gradual".to_owned(), ..new.clone() });
    bed.queue(move |tx| add_domain(tx, &first));
    bed.queue(move |tx| add_domain(tx, &again));
    let found = bed.storage.read_blocking(|c| domains(c, Some(WS))).unwrap();
    assert_eq!(found, [DomainWarmup { plan: "gradual".to_owned(), ..new }]);
    assert_eq!(bed.storage.read_blocking(|c| domains(c, Some(WorkspaceId(2)))).unwrap(), []);
    assert!(!bed.queue(|tx| remove_domain(tx, WorkspaceId(2), DomainId(4))));
    assert!(bed.queue(|tx| remove_domain(tx, WS, DomainId(4))));
    assert_eq!(bed.storage.read_blocking(|c| domains(c, None)).unwrap(), []);
}

#[test]
fn hot_statements_use_their_indexes() {
    let bed = Bed::new();
    bed.storage
        .read_blocking(|c| {
            for sql in statements().into_iter().filter(|sql| sql.contains("axis = ?") || sql.contains("day < ?1")) {
                let mut plan = c.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
                let count = plan.parameter_count();
                let rows = plan.query_map(rusqlite::params_from_iter(vec![1; count]), |row| row.get::<_, String>(3))?;
                let rows: Vec<String> = rows.collect::<Result<_, _>>()?;
                assert!(rows.iter().all(|row| !row.starts_with("SCAN")), "{sql}\n{rows:?}");
            }
            Ok(())
        })
        .unwrap();
}
