use super::*;
use crate::render::{RenderError, Renderer, Request};
use crate::segment;
use api_types::{CheckLevel, Filter, KeyStep, SegmentInput, TemplateInput, TemplateKind};
use expect_test::expect;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use storage::contact::{self, Origin};
use storage::domain::NewDkimKey;
use storage::queue::{self, Due, Ending, MarkRequest, Settlement, Turn};
use storage::warmup::{self, DomainWarmup};
use storage::{ContactId, DomainId, OpenOptions, RecipientId, campaign_run, domain, outbox, workspace};
use world::Clock;

const W: WorkspaceId = WorkspaceId::MAIN;

struct Hand(AtomicI64);

impl Clock for Hand {
    fn now_ms(&self) -> i64 {
        self.0.load(Ordering::SeqCst)
    }

    fn sleep(&self, span: Duration) -> Pin<Box<dyn Future<Output = ()> + Send>> {
        self.0.fetch_add(span.as_millis() as i64, Ordering::SeqCst);
        Box::pin(std::future::ready(()))
    }
}

struct House {
    _dir: tempfile::TempDir,
    storage: Storage,
    clock: Arc<Hand>,
}

impl House {
    /// A workspace with a sending domain, a template and so many contacts, every third with the tag "third".
    async fn new(contacts: usize) -> House {
        let dir = tempfile::tempdir().unwrap();
        let storage = Storage::open(&OpenOptions { dir: dir.path().to_owned(), readers: 2 }).unwrap();
        storage
            .main()
            .write(move |tx| {
                let mut owner = workspace::find(tx, W)?.unwrap();
                owner.name = "Acme".to_owned();
                owner.postal_address = "1 Road, Porto".to_owned();
                workspace::update(tx, &owner)?;
                let key = NewDkimKey {
                    selector: "pb1".into(),
                    algorithm: "rsa-sha256",
                    private_sealed: vec![],
                    public_key: String::new(),
                };
                let id = domain::insert(tx, W, ("example.com", "bounce.example.com"), &[key], 0)?;
                for mut key in domain::keys(tx, W, id)? {
                    key.step = KeyStep::Active;
                    domain::set_step(tx, W, &key)?;
                }
                for n in 0..contacts {
                    add(tx, n)?;
                }
                Ok(())
            })
            .await
            .unwrap();
        House { _dir: dir, storage, clock: Arc::new(Hand(AtomicI64::new(1_000_000))) }
    }

    fn releaser(&self) -> Releaser {
        Releaser::new(self.storage.clone(), self.clock.clone(), egress().streams)
    }

    async fn template(&self, source: &str) -> i64 {
        let input = TemplateInput {
            name: format!("T {}", source.len()),
            kind: TemplateKind::Html,
            subject: "Hello {{ contact.first_name | default: \"you\" }}".into(),
            preheader: String::new(),
            source: source.into(),
        };
        crate::template::create(&self.storage, W, input, "ana".into(), 1).await.unwrap().id.0
    }

    async fn segment(&self, filter: Filter) -> i64 {
        segment::create(&self.storage, W, SegmentInput { name: "S".into(), filter }, 1).await.unwrap().id.0
    }

    async fn launched(&self, segment_id: Option<i64>) -> CampaignId {
        let template_id = Some(self.template("<p>Dear {{ contact.first_name }}</p>").await);
        let input = CampaignInput { template_id, segment_id, ..draft("Spring") };
        let campaign = create(&self.storage, W, input, "ana".into(), 1).await.unwrap();
        let now_ms = self.clock.now_ms();
        launch(&self.storage, (W, campaign.id), "ana".into(), egress(), now_ms).await.unwrap();
        campaign.id
    }

    fn run(&self, id: CampaignId) -> Run {
        self.storage.read_blocking(|c| campaign_run::find(c, W, id)).unwrap().unwrap()
    }

    fn figures(&self, id: CampaignId) -> String {
        let run = self.run(id);
        let p = self.storage.read_blocking(|c| progress(c, &run, &Rates::default(), 2_000_000)).unwrap();
        assert_eq!(p.accepted, p.queued + p.deferred + p.sending + p.delivered + p.suppressed + p.cancelled);
        format!(
            "{:?} ({}): accepted {}{}, queued {}, sending {}, delivered {}, cancelled {}",
            run.state,
            run.reason,
            p.accepted,
            if p.audience_complete { " complete" } else { "" },
            p.queued,
            p.sending,
            p.delivered,
            p.cancelled
        )
    }

    /// Takes up to `limit` and delivers them.
    async fn deliver(&self, limit: usize) -> usize {
        let now_ms = self.clock.now_ms();
        self.storage
            .queue()
            .write(move |tx| {
                let taken = queue::take_due(tx, Due { now_ms, bulk: limit, transactional: 0, turn: Turn::default() })?;
                let done: Vec<_> = taken
                    .claimed
                    .iter()
                    .map(|c| Settlement {
                        id: c.id,
                        at_ms: now_ms,
                        ending: Ending::Delivered,
                        attempt: None,
                        answer: None,
                    })
                    .collect();
                queue::settle(tx, &done)
            })
            .await
            .unwrap()
    }
}

fn add(tx: &storage::Connection, n: usize) -> Result<(), StorageError> {
    let email = Address::parse(&format!("p{n}@d{}.example", n % 7)).unwrap();
    let draft = contact::Draft {
        email,
        first_name: format!("P{n}"),
        last_name: String::new(),
        attributes: contact::Attributes::new(),
    };
    let id = contact::insert(tx, W, &draft, Origin { consent_source: "test", import: None }, 0)?.unwrap();
    if n.is_multiple_of(3) {
        contact::set_tags(tx, W, id, &["third".to_owned()])?;
    }
    Ok(())
}

/// One pool, and what an empty configuration has of streams.
fn egress() -> Egress {
    Egress { streams: config::Config::default().streams, pools: vec!["default".into()] }
}

fn draft(name: &str) -> CampaignInput {
    CampaignInput {
        name: name.into(),
        template_id: None,
        segment_id: None,
        list_id: None,
        from_email: "news@example.com".into(),
        from_name: "Ána, Acme".into(),
        reply_to: String::new(),
        stream: String::new(),
        pool: String::new(),
    }
}

#[tokio::test]
async fn an_audience_goes_into_the_queue_once_whatever_happens() {
    let house = House::new(2_500).await;
    let id = house.launched(None).await;
    let releaser = house.releaser();
    // Who comes after the launch does not belong.
    house.storage.main().write(|tx| add(tx, 9_000)).await.unwrap();
    assert!(releaser.round().await.unwrap());
    expect!["Running (launched by ana): accepted 1000, queued 1000, sending 0, delivered 0, cancelled 0"]
        .assert_eq(&house.figures(id));
    // A second releaser, as after a crash, goes on where the last commit ended.
    drop(releaser);
    let releaser = house.releaser();
    pause(&house.storage, (W, id), "bob", 2).await.unwrap();
    assert!(!releaser.round().await.unwrap(), "nothing moves while paused");
    assert_eq!(house.deliver(10).await, 0);
    resume(&house.storage, (W, id), "bob", 3).await.unwrap();
    let (one, other) = tokio::join!(releaser.round(), releaser.round());
    assert!(one.unwrap() || other.unwrap());
    while releaser.round().await.unwrap() {}
    expect!["Running (resumed by bob): accepted 2500 complete, queued 2500, sending 0, delivered 0, cancelled 0"]
        .assert_eq(&house.figures(id));
    let mut delivered = 0;
    loop {
        let n = house.deliver(600).await;
        if n == 0 {
            break;
        }
        delivered += n;
    }
    assert_eq!(delivered, 2_500);
    expect!["Finished (every recipient has its final state): accepted 2500 complete, queued 0, sending 0, delivered 2500, cancelled 0"].assert_eq(&house.figures(id));
    assert!(house.run(id).finished_ms.is_some());
    assert!(!releaser.round().await.unwrap());
}

/// A new sending domain shows itself to its best readers first; who is engaged meanwhile is neither left out nor doubled.
#[tokio::test]
async fn the_most_engaged_come_first_while_volume_is_earned() {
    let house = House::new(2_500).await;
    let earning = DomainWarmup {
        domain_id: DomainId(1),
        workspace_id: W,
        domain: "example.com".into(),
        plan: "standard".into(),
        created_by: "ana".into(),
        created_ms: 0,
    };
    house.storage.queue().write(move |tx| warmup::add_domain(tx, &earning)).await.unwrap();
    let engage = async |id: i64, at_ms: i64| {
        house.storage.main().write(move |tx| contact::engaged(tx, W, ContactId(id), at_ms)).await.unwrap()
    };
    for id in 1_001..=2_200 {
        engage(id, 10_000 + id).await;
    }
    assert!(!engage(1_500, 5).await, "what is older changes nothing");
    let id = house.launched(None).await;
    let releaser = house.releaser();
    assert!(releaser.round().await.unwrap(), "it begins");
    assert!(releaser.round().await.unwrap(), "the first thousand");
    // One that is in the queue already, one that would have come next, one that never was: all before the cursor now.
    for contact in [2_200, 1_100, 7] {
        engage(contact, 900_000).await;
    }
    while releaser.round().await.unwrap() {}
    expect!["Running (launched by ana): accepted 2500 complete, queued 2500, sending 0, delivered 0, cancelled 0"]
        .assert_eq(&house.figures(id));
    let now_ms = house.clock.now_ms();
    let taken = house
        .storage
        .queue()
        .write(move |tx| {
            let due = Due { now_ms, bulk: 3_000, transactional: 0, turn: Turn::default() };
            let mut taken = queue::take_due(tx, due)?.claimed;
            taken.sort_by_key(|claimed| claimed.id);
            Ok(taken.into_iter().filter_map(|claimed| claimed.origin.contact()).map(|id| id.0).collect::<Vec<_>>())
        })
        .await
        .unwrap();
    let expected: Vec<i64> =
        (1_001..=2_200).rev().filter(|id| *id != 1_100).chain(1..=1_000).chain([1_100]).chain(2_201..=2_500).collect();
    assert_eq!(taken, expected);
}

#[tokio::test]
async fn a_crash_between_the_two_files_is_repaired() {
    let house = House::new(10).await;
    let id = house.launched(Some(house.segment(Filter::Tag { name: "third".into() }).await)).await;
    house.storage.queue().write(|tx| Ok(tx.execute("DELETE FROM campaign_run", [])?)).await.unwrap();
    assert_eq!(recover(&house.storage, &egress().streams).await.unwrap(), 1);
    assert_eq!(recover(&house.storage, &egress().streams).await.unwrap(), 0);
    while house.releaser().round().await.unwrap() {}
    expect!["Running (launched by ana): accepted 4 complete, queued 4, sending 0, delivered 0, cancelled 0"]
        .assert_eq(&house.figures(id));
}

#[tokio::test]
async fn cancelling_says_what_it_could_not_stop() {
    let house = House::new(1_500).await;
    let id = house.launched(None).await;
    let releaser = house.releaser();
    while releaser.round().await.unwrap() {}
    house.deliver(100).await;
    let now_ms = house.clock.now_ms();
    let claimed = house
        .storage
        .queue()
        .write(move |tx| {
            let taken = queue::take_due(tx, Due { now_ms, bulk: 5, transactional: 0, turn: Turn::default() })?;
            let ids: Vec<RecipientId> = taken.claimed.iter().map(|c| c.id).collect();
            let request =
                |id: &RecipientId| MarkRequest { id: *id, source: "mx1".into(), provider: "d.example".into() };
            queue::mark_sending(tx, &ids.iter().map(request).collect::<Vec<_>>(), now_ms)?;
            Ok(ids)
        })
        .await
        .unwrap();
    let cancelled = cancel(&house.storage, (W, id), "bob", 4).await.unwrap();
    assert_eq!((cancelled.finished, cancelled.sending, cancelled.stopped), (100, 5, 1_395));
    while releaser.round().await.unwrap() {}
    expect!["Cancelled (cancelled by bob): accepted 1500 complete, queued 0, sending 5, delivered 100, cancelled 1395"]
        .assert_eq(&house.figures(id));
    assert!(house.run(id).finished_ms.is_none(), "five are still on the wire");
    house
        .storage
        .queue()
        .write(move |tx| {
            let done: Vec<_> = claimed
                .into_iter()
                .map(|id| Settlement { id, at_ms: 9, ending: Ending::Delivered, attempt: None, answer: None })
                .collect();
            queue::settle(tx, &done)
        })
        .await
        .unwrap();
    assert!(house.run(id).finished_ms.is_some());
    assert!(matches!(resume(&house.storage, (W, id), "bob", 5).await, Err(Refused::WrongState(_))));
    assert!(matches!(cancel(&house.storage, (W, CampaignId(99)), "bob", 5).await, Err(Refused::NotFound(_))));
}

#[tokio::test]
async fn the_checklist() {
    let house = House::new(3).await;
    let good = house.template("<p>{{ contact.first_name }} {{ unsubscribe_url }}</p>").await;
    let odd = house.template("<p>{{ contact.shoe }}</p>").await;
    let broken = house.template("<p>\n{% if %}").await;
    let nobody = house.segment(Filter::Or { filters: vec![] }).await;
    let cases = [
        ("empty", CampaignInput { from_email: String::new(), ..draft("a") }),
        (
            "all wrong",
            CampaignInput {
                from_email: "x@other.example".into(),
                from_name: String::new(),
                template_id: Some(broken),
                segment_id: Some(nobody),
                pool: "fast".into(),
                ..draft("b")
            },
        ),
        ("other kind", CampaignInput { stream: "transactional".into(), ..draft("e") }),
        ("doubtful", CampaignInput { template_id: Some(odd), ..draft("c") }),
        ("good", CampaignInput { template_id: Some(good), ..draft("d") }),
    ];
    let mut out = String::new();
    for (name, input) in cases {
        let campaign = create(&house.storage, W, input, "ana".into(), 1).await.unwrap();
        let list = house.storage.read_blocking(|c| Ok(check(c, &campaign, &egress(), 5))).unwrap().unwrap();
        out.push_str(&format!("{name}: ready {}, receiving {}\n", list.ready, list.receiving));
        for point in list.points {
            let mark = match point.level {
                CheckLevel::Ok => "+",
                CheckLevel::Warning => "?",
                CheckLevel::Fatal => "!",
            };
            out.push_str(&format!("  {mark} {}: {}\n", point.name, point.message));
        }
        let launched = launch(&house.storage, (W, campaign.id), "ana".into(), egress(), 6).await;
        assert_eq!(launched.is_ok(), list.ready, "{launched:?}");
    }
    expect![[r#"
        empty: ready false, receiving 3
          + audience: 3 contacts will receive it.
          ! sender: Write the From address.
          ! template: Choose a template.
          + egress: Leaves from the pool “default” as “bulk”.
        all wrong: ready false, receiving 0
          ! audience: No contact is in the audience; choose another segment.
          ? sender: There is no From name: recipients see only the address.
          ! domain: The domain other.example is not a sending domain; add it under Domains.
          ! template: “T 12” has a mistake in source, line 2: syntax error: unexpected end of block.
          ! egress: There is no pool “fast” with a source in use; pools are default.
        other kind: ready false, receiving 3
          + audience: 3 contacts will receive it.
          + sender: From Ána, Acme <news@example.com>.
          ? domain: The DNS records of example.com were never looked up; verify them under Domains.
          + dkim: Signed with rsa-sha256.
          ! template: Choose a template.
          ! egress: There is no stream “transactional” for campaigns; streams are bulk.
        doubtful: ready true, receiving 3
          + audience: 3 contacts will receive it.
          + sender: From Ána, Acme <news@example.com>.
          ? domain: The DNS records of example.com were never looked up; verify them under Domains.
          + dkim: Signed with rsa-sha256.
          + template: “T 25”, version 1.
          + unsubscribe: The template has no unsubscribe link: one is added at the end.
          + size: The HTML has about 1 kB.
          ? merge_tags: Nothing will stand for contact.shoe; correct the template.
          + egress: Leaves from the pool “default” as “bulk”.
        good: ready true, receiving 3
          + audience: 3 contacts will receive it.
          + sender: From Ána, Acme <news@example.com>.
          ? domain: The DNS records of example.com were never looked up; verify them under Domains.
          + dkim: Signed with rsa-sha256.
          + template: “T 53”, version 1.
          + unsubscribe: The template has an unsubscribe link.
          + size: The HTML has about 1 kB.
          + merge_tags: Every merge tag has a value to stand for.
          + egress: Leaves from the pool “default” as “bulk”.
    "#]]
    .assert_eq(&out);
}

#[tokio::test]
async fn a_launched_campaign_is_frozen() {
    let house = House::new(3).await;
    let id = house.launched(None).await;
    let name_taken = create(&house.storage, W, draft("Spring"), "ana".into(), 1).await;
    assert!(matches!(name_taken, Err(Refused::Conflict { .. })), "{name_taken:?}");
    assert!(matches!(update(&house.storage, W, id, draft("Other"), 2).await, Err(Refused::WrongState(_))));
    assert!(matches!(delete(&house.storage, W, id).await, Err(Refused::WrongState(_))));
    let again = launch(&house.storage, (W, id), "ana".into(), egress(), 7).await;
    assert!(matches!(again, Err(Refused::WrongState(_))), "{again:?}");
    let elsewhere = update(&house.storage, WorkspaceId(2), id, draft("Other"), 2).await;
    assert!(matches!(elsewhere, Err(Refused::NotFound(_))), "{elsewhere:?}");
    let bad =
        create(&house.storage, W, CampaignInput { from_email: "nobody".into(), ..draft("x") }, "ana".into(), 1).await;
    assert!(matches!(bad, Err(Refused::Invalid { ref field, .. }) if field == "from_email"), "{bad:?}");
}

#[tokio::test]
async fn the_message_of_one_recipient() {
    let house = House::new(3).await;
    let id = house.launched(None).await;
    let renderer = Renderer::new();
    let to = Address::parse("p1@d1.example").unwrap();
    let request = Request {
        workspace: W,
        campaign: id,
        contact: ContactId(2),
        recipient: RecipientId(77),
        to: &to,
        now_ms: 1_700_000_000_000,
        message_id: "77.abc@example.com",
        unsubscribe_url: "https://mail.example.com/u/TOKEN",
        preferences_url: "https://mail.example.com/p/TOKEN",
        unsubscribe_mailto: Some("u-TOKEN@bounce.example.com"),
        headers: &[("CFBL-Feedback-ID", "f-TOKEN".to_owned())],
    };
    let rendered = house.storage.read_blocking(|c| Ok(renderer.render(c, &request))).unwrap().unwrap();
    assert_eq!(rendered.from_domain.as_str(), "example.com");
    expect![[r#"
        From: =?utf-8?Q?=C3=81na=2C_Acme?= <news@example.com>
        To: <p1@d1.example>
        Subject: Hello P1
        Date: Tue, 14 Nov 2023 22:13:20 +0000
        Message-ID: <77.abc@example.com>
        List-Unsubscribe: <https://mail.example.com/u/TOKEN>,
         <mailto:u-TOKEN@bounce.example.com>
        List-Unsubscribe-Post: List-Unsubscribe=One-Click
        List-Id: <w1.example.com>
        Feedback-ID: c1:w1:bulk:example-com
        Precedence: bulk
        CFBL-Feedback-ID: f-TOKEN
        MIME-Version: 1.0
        Content-Type: multipart/alternative; boundary="=_pb_4d"


        --=_pb_4d
        Content-Type: text/plain; charset="utf-8"
        Content-Transfer-Encoding: 7bit

        Dear P1

        Acme, 1 Road, Porto
        Unsubscribe (https://mail.example.com/u/TOKEN)
        --=_pb_4d
        Content-Type: text/html; charset="utf-8"
        Content-Transfer-Encoding: quoted-printable

        <p>Dear P1</p><div style=3D"padding:24px 16px;text-align:center;font-family=
        :Arial,sans-serif;font-size:12px;line-height:18px;color:#64748b">Acme, 1 Ro=
        ad, Porto<br><a href=3D"https://mail.example.com/u/TOKEN" style=3D"color:#6=
        4748b">Unsubscribe</a></div>
        --=_pb_4d--
    "#]]
    .assert_eq(&String::from_utf8(rendered.message).unwrap().replace("\r\n", "\n"));
    house.storage.main().write(|tx| contact::delete(tx, W, ContactId(2), 9)).await.unwrap();
    let gone = house.storage.read_blocking(|c| Ok(renderer.render(c, &request))).unwrap();
    assert!(matches!(gone, Err(RenderError::ContactGone)), "{gone:?}");
    // An outbox that is drained does not matter here, but nothing of rendering may write to it.
    assert_eq!(house.storage.read_blocking(outbox::waiting).unwrap(), 0);
}
