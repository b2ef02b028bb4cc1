use super::*;
use crate::message::{NewMessageRecipient, Notices, Submission};
use crate::queue::{self, ReportKind};
use crate::{DomainId, OpenOptions, Storage, WorkspaceId, address_hash};
use mail::{BounceClass, Reply, StreamKind};

const WS: WorkspaceId = WorkspaceId::MAIN;

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
        work: impl FnOnce(&rusqlite::Transaction<'_>) -> Result<T, StorageError> + Send + 'static,
    ) -> T {
        self.storage.queue().write_blocking(work).unwrap()
    }

    /// One message to recipients with these NOTIFYs; their ids.
    fn submit(&self, notices: Notices, notify: &[Option<&str>], ret: Option<&'static str>) -> Vec<RecipientId> {
        let recipients = notify.iter().enumerate().map(|(n, notify)| {
            let address = Address::parse(&format!("to{n}@d.example")).unwrap();
            NewMessageRecipient {
                address_hash: address_hash(&address),
                address,
                dsn_notify: notify.map(str::to_owned),
                dsn_orcpt: Some("rfc822;old@d.example".to_owned()),
            }
        });
        let new = NewMessage {
            workspace_id: WS,
            domain_id: DomainId(1),
            submission: Submission::Smtp,
            submitter: "shop".to_owned(),
            stream: "transactional".to_owned(),
            kind: StreamKind::Transactional,
            pool: "default".to_owned(),
            header_id: "1@shop.example".to_owned(),
            from_address: "shop@shop.example".to_owned(),
            subject: "Order".to_owned(),
            tags: Vec::new(),
            dsn_envid: None,
            dsn_ret: ret,
            notices,
            eight_bit: false,
            smtputf8: false,
            content: b"Subject: Order\r\n\r\nThank you.\r\n".to_vec(),
            accepted_ms: 1000,
            send_at_ms: 1000,
            expires_ms: 100_000,
            recipients: recipients.collect(),
        };
        let id = self.queue(move |tx| message::accept(tx, &new));
        let found = self.storage.read_blocking(|c| message::recipients(c, (WS, id), RecipientId(0), 100)).unwrap();
        found.into_iter().map(|recipient| recipient.id).collect()
    }

    fn settle(&self, id: RecipientId, ending: Ending, reports: bool) {
        let attempt = Attempt {
            source: "mx1".into(),
            site: "mx.d.example".into(),
            provider: "d.example".into(),
            mx: "mx.d.example".into(),
            tls: None,
            reports,
            took_ms: 1,
        };
        let answer = match ending {
            Ending::Delivered => Some(Answer::of_reply(&Reply::new(250, ["ok"]), None)),
            Ending::Expired | Ending::Cancelled | Ending::Suppressed(_) | Ending::LeftList | Ending::LeftStream => None,
            _ => Some(Answer::of_reply(&Reply::new(550, ["5.1.1 no"]), Some(BounceClass::BadMailbox))),
        };
        let attempt = answer.is_some().then_some(attempt);
        let settlement = Settlement { id, at_ms: 2000, ending, attempt, answer };
        self.queue(move |tx| queue::settle(tx, &[settlement]));
    }

    fn due(&self, before_ms: i64) -> Vec<Due> {
        self.storage.read_blocking(|c| due(c, before_ms, (10, 100))).unwrap()
    }

    /// What is to be told: `failed to0@d.example`.
    fn told(&self) -> Vec<String> {
        let all = self.due(i64::MAX);
        all.iter().flat_map(|due| &due.notices).map(|n| format!("{} {}", n.action.as_str(), n.address)).collect()
    }

    fn report(&self, id: RecipientId, kind: ReportKind) {
        let answer = Answer::of_reply(&Reply::new(550, ["5.1.1 no"]), Some(BounceClass::BadMailbox));
        self.queue(move |tx| queue::settle_report(tx, &Report { id, at_ms: 3000, kind, answer }));
    }
}

fn shop() -> Address {
    Address::parse("orders@shop.example").unwrap()
}

#[test]
fn who_is_told_what() {
    let bounced = Ending::Bounced { suppress: false };
    let suppressed = Ending::Suppressed(api_types::SuppressionReason::Complaint);
    let asked = || Notices::Asked(shop());
    for (notices, notify, ending, reports, expected) in [
        (asked(), Some("FAILURE"), bounced, false, Some("failed")),
        (asked(), Some("FAILURE"), Ending::Expired, false, Some("failed")),
        (asked(), Some("FAILURE"), suppressed, false, Some("failed")),
        (asked(), Some("FAILURE"), Ending::Cancelled, false, None),
        (asked(), Some("FAILURE"), Ending::Delivered, false, None),
        (asked(), Some("NEVER"), bounced, false, None),
        (asked(), None, bounced, false, None),
        (Notices::Failures(shop()), None, bounced, false, Some("failed")),
        (Notices::Failures(shop()), None, Ending::Delivered, false, None),
        (Notices::Failures(shop()), Some("NEVER"), bounced, false, None),
        (asked(), Some("SUCCESS"), Ending::Delivered, false, Some("relayed")),
        (asked(), Some("SUCCESS"), Ending::Delivered, true, None),
        (asked(), Some("SUCCESS"), bounced, true, None),
        (Notices::Nobody, Some("SUCCESS,FAILURE"), bounced, false, None),
        (Notices::NullSender, Some("FAILURE"), bounced, false, None),
    ] {
        let bed = Bed::new();
        let what = format!("{notices:?} {notify:?} {ending:?} {reports}");
        let id = bed.submit(notices, &[notify], None)[0];
        bed.settle(id, ending, reports);
        let expected: Vec<String> = expected.into_iter().map(|action| format!("{action} to0@d.example")).collect();
        assert_eq!(bed.told(), expected, "{what}");
    }
}

#[test]
fn the_message_is_returned_once_as_far_as_it_was_wanted() {
    for (ret, original) in [(Some("full"), "Subject: Order\r\n\r\nThank you.\r\n"), (None, "Subject: Order\r\n")] {
        let bed = Bed::new();
        let ids = bed.submit(Notices::Failures(shop()), &[None, None], ret);
        ids.iter().for_each(|id| bed.settle(*id, Ending::Bounced { suppress: false }, false));
        assert!(bed.due(1999).is_empty(), "what has come just now waits for more of the same message");
        let due = bed.due(2000).remove(0);
        let [first, second] = &due.notices[..] else { panic!("{due:?}") };
        assert_eq!(first.original.as_deref(), Some(original.as_bytes()));
        assert_eq!((first.is_whole, second.original.is_none()), (ret.is_some(), true));
        assert_eq!((first.code, first.mx.as_deref()), (Some(550), Some("mx.d.example")));
        assert_eq!((first.orcpt.as_deref(), due.to.clone()), (Some("rfc822;old@d.example"), shop()));
        bed.queue(move |tx| done(tx, &due, None));
        assert!(bed.told().is_empty());
    }
}

#[test]
fn late_reports_are_told_once() {
    let bed = Bed::new();
    let id = bed.submit(Notices::Asked(shop()), &[Some("SUCCESS,FAILURE,DELAY")], None)[0];
    bed.settle(id, Ending::Delivered, true);
    assert!(bed.told().is_empty());
    for kind in [ReportKind::Delayed, ReportKind::Delayed, ReportKind::Arrived(Action::Expanded)] {
        bed.report(id, kind);
    }
    bed.report(id, ReportKind::Arrived(Action::Delivered));
    bed.report(id, ReportKind::Failed { suppress: false });
    let expected = ["delayed to0@d.example", "expanded to0@d.example", "failed to0@d.example"];
    assert_eq!(bed.told(), expected);
}

#[test]
fn delays_are_told_once_to_who_asked() {
    let bed = Bed::new();
    bed.submit(Notices::Asked(shop()), &[Some("DELAY"), Some("FAILURE"), None], None);
    bed.submit(Notices::Nobody, &[Some("DELAY")], None);
    assert_eq!(bed.queue(|tx| late(tx, 1000, 5000, 10)), 0, "not yet");
    assert_eq!(bed.queue(|tx| late(tx, 1001, 5000, 10)), 2);
    assert_eq!(bed.queue(|tx| late(tx, 1001, 5000, 10)), 0);
    assert_eq!(bed.told(), ["delayed to0@d.example"]);
    assert_eq!(bed.due(i64::MAX)[0].notices[0].until_ms, Some(100_000));
    assert_eq!(bed.queue(|tx| forget(tx, 5001, 10)), 1);
}

#[test]
fn nothing_reads_a_whole_table_of_recipients() {
    let bed = Bed::new();
    for sql in STATEMENTS {
        let plan = bed.storage.read_blocking(|c| {
            let mut statement = c.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
            let none = vec![rusqlite::types::Value::Null; statement.parameter_count()];
            let rows = statement.query_map(rusqlite::params_from_iter(none), |row| row.get::<_, String>(3))?;
            Ok(rows.collect::<Result<Vec<_>, _>>()?.join("\n"))
        });
        let plan = plan.unwrap();
        let few = ["SCAN notice", "SCAN CONSTANT ROW", "USING INDEX"];
        let whole = |line: &str| line.contains("SCAN") && !few.iter().any(|few| line.contains(few));
        assert!(!plan.lines().any(whole), "{sql}\n{plan}");
    }
}

#[test]
fn what_has_no_message_any_more_keeps_nobody_waiting() {
    let bed = Bed::new();
    for _ in 0..11 {
        let id = bed.submit(Notices::Failures(shop()), &[None], None)[0];
        bed.settle(id, Ending::Bounced { suppress: false }, false);
    }
    // As many as are looked at in one go.
    bed.queue(|tx| Ok(tx.execute("DELETE FROM message WHERE id <= 10", [])?));
    let due = bed.due(i64::MAX);
    assert_eq!(due.iter().map(|due| due.message.id).collect::<Vec<_>>(), [MessageId(11)]);
    assert_eq!(bed.queue(|tx| forget(tx, 2001, 20)), 11);
}
