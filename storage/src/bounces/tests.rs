use super::*;
use crate::event::{Event, Kind};
use crate::queue::refused;
use crate::{OpenOptions, RecipientId, outbox};
use mail::BounceClass as C;
use mail::RecipientState as S;

const WS: WorkspaceId = WorkspaceId::MAIN;

/// A finished recipient and the event that tells of it.
async fn finish(storage: &Storage, id: i64, line: &str) {
    let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
    let write = move |tx: &crate::Transaction<'_>| {
        let [day, campaign, provider, source, class, state] = &words[..] else { panic!("six words") };
        let (finished_ms, code) = (day.parse::<i64>().unwrap() * DAY_MS + id, (class != "unclassified").then_some(550));
        let campaign: i64 = campaign.parse().unwrap();
        let named = |word: &str| (word != "-").then(|| word.to_owned());
        let origin = if campaign == 0 { (None, None, Some(1)) } else { (Some(campaign), Some(id), None) };
        tx.execute(
            "INSERT INTO recipient_done (id, workspace_id, campaign_id, contact_id, message_id, address, address_hash, domain,
                stream, kind, state, accepted_ms, finished_ms, attempts, source, provider, class, reply_code, reply)
             VALUES (?1, 1, ?2, ?3, ?4, 'a' || ?1 || '@b.example', x'00', 'b.example', 's', 'bulk', ?5, 0, ?6, 1, ?7, ?8, ?9, ?10,
                'their words')",
            params![id, origin.0, origin.1, origin.2, state, finished_ms, named(source), named(provider), named(class), code],
        )?;
        let kind = if state == "expired" { Kind::Expired } else { Kind::Bounced };
        outbox::put(tx, &Event { recipient_id: Some(RecipientId(id)), ..Event::new(finished_ms, WS, kind) })
    };
    storage.queue().write(write).await.unwrap();
}

#[tokio::test]
async fn figures_and_the_recipients_behind_them() {
    let dir = tempfile::tempdir().unwrap();
    let storage = Storage::open(&OpenOptions { dir: dir.path().to_owned(), readers: 1 }).unwrap();
    let lines = [
        "1 1 Gull mx1 bad_mailbox bounced",
        "1 1 Gull mx2 bad_mailbox bounced",
        "1 2 Tern mx1 blocklist bounced",
        "2 0 Tern mx1 mailbox_full expired",
        "2 1 Tern mx1 bad_mailbox expired",
        // Given up by a person: nobody refused it.
        "2 1 Gull mx1 unclassified bounced",
        "2 1 Gull mx1 bad_mailbox delivered",
    ];
    for (id, line) in (1..).zip(lines) {
        finish(&storage, id, line).await;
    }
    outbox::drain(&storage, 1000).await.unwrap();
    let hard = [(S::Bounced, Some(C::BadMailbox))];
    let block = [(S::Bounced, Some(C::Blocklist)), (S::Expired, Some(C::Blocklist))];
    let all = Filter { since_ms: 0, until_ms: 9 * DAY_MS, ..Filter::default() };
    for (by, filter, expected, behind) in [
        (By::Class, all.clone(), "bad_mailbox 3 2 0; blocklist 1 0 1; mailbox_full 1 0 0", "5 4 3 2 1"),
        (By::Provider, all.clone(), "Tern 3 0 1; Gull 2 2 0", "5 4 3 2 1"),
        (By::Campaign, all.clone(), "1 3 2 0;  1 0 0; 2 1 0 1", "5 4 3 2 1"),
        (By::Day, Filter { since_ms: DAY_MS + 5, ..all.clone() }, "86400000 3 2 1; 172800000 2 0 0", "5 4"),
        (By::Source, Filter { class: Some(C::BadMailbox), ..all.clone() }, "mx1 2 1 0; mx2 1 1 0", "5 2 1"),
        (By::Class, Filter { provider: Some("Gull".to_owned()), ..all.clone() }, "bad_mailbox 2 2 0", "2 1"),
        (By::Class, Filter { source: Some("mx2".to_owned()), ..all.clone() }, "bad_mailbox 1 1 0", "2"),
        (By::Class, Filter { campaign: Some(CampaignId(2)), ..all.clone() }, "blocklist 1 0 1", "3"),
        (By::Provider, Filter { endings: Some(hard.to_vec()), ..all.clone() }, "Gull 2 2 0", "2 1"),
        (By::Class, Filter { until_ms: DAY_MS, ..all.clone() }, "", ""),
    ] {
        let (what, filter) = (format!("{by:?} {filter:?}"), filter);
        let asked = filter.clone();
        let found = storage.read(move |c| figures(c, WS, (by, &asked), (&hard, &block), 10)).await.unwrap();
        let line = |f: &Figures| format!("{} {} {} {}", f.key, f.all, f.hard, f.block);
        assert_eq!(found.iter().map(line).collect::<Vec<_>>().join("; "), expected, "{what}");
        let page = storage.read(move |c| refused(c, WS, &filter, None, 10)).await.unwrap();
        let ids: Vec<String> = page.iter().map(|found| found.id.to_string()).collect();
        assert_eq!(ids.join(" "), behind, "{what}");
    }
    // What has no name leads to its recipients, too.
    finish(&storage, 8, "3 0 - - - expired").await;
    outbox::drain(&storage, 1000).await.unwrap();
    let late = Filter { since_ms: 2 * DAY_MS, ..all.clone() };
    for (filter, behind) in [
        (Filter { without_class: true, ..late.clone() }, "8"),
        (Filter { provider: Some(String::new()), ..late.clone() }, "8"),
        (Filter { source: Some(String::new()), ..late.clone() }, "8"),
        (Filter { campaign: Some(CampaignId::NONE), ..late.clone() }, "8 4"),
    ] {
        let (asked, what) = (filter.clone(), format!("{filter:?}"));
        let sum = storage.read(move |c| figures(c, WS, (By::Day, &asked), (&[], &[]), 10)).await.unwrap();
        let page = storage.read(move |c| refused(c, WS, &filter, None, 10)).await.unwrap();
        let ids: Vec<String> = page.iter().map(|found| found.id.to_string()).collect();
        let n: u64 = sum.iter().map(|figures| figures.all).sum();
        assert_eq!((ids.join(" "), n), (behind.to_owned(), ids.len() as u64), "{what}");
    }
    storage.queue().write(|tx| Ok(tx.execute("DELETE FROM recipient_done WHERE id = 8", [])?)).await.unwrap();
    // Page by page, and of another workspace nothing.
    let (one, rest, others) = (all.clone(), all.clone(), all);
    let first = storage.read(move |c| refused(c, WS, &one, None, 2)).await.unwrap();
    let last = first.last().map(|last| (last.finished_ms.unwrap(), last.id));
    let second = storage.read(move |c| refused(c, WS, &rest, last, 2)).await.unwrap();
    let ids = |page: &[crate::queue::Recipient]| page.iter().map(|found| found.id.0).collect::<Vec<_>>();
    assert_eq!((ids(&first), ids(&second)), (vec![5, 4], vec![3, 2]));
    assert!(storage.read(move |c| refused(c, WorkspaceId(2), &others, None, 2)).await.unwrap().is_empty());
    assert_eq!(forget(&storage, 2 * DAY_MS, 2).await.unwrap(), 2);
    assert_eq!(forget(&storage, 2 * DAY_MS, 10).await.unwrap(), 1);
}

#[test]
fn bounces_are_found_by_index() {
    let dir = tempfile::tempdir().unwrap();
    let storage = Storage::open(&OpenOptions { dir: dir.path().to_owned(), readers: 1 }).unwrap();
    let all = Filter { since_ms: 0, until_ms: DAY_MS, ..Filter::default() };
    let class = Filter { class: Some(C::BadMailbox), ..all.clone() };
    let campaign = Filter { campaign: Some(CampaignId(1)), provider: Some("Gull".to_owned()), ..all.clone() };
    let lists = [all.clone(), class, campaign].map(|filter| crate::queue::refused_statement(WS, &filter, None, 10).0);
    let sums = By::ALL.map(|(by, _)| statement(WS, (by, &all), (&[], &[]), 10).0);
    for sql in lists.into_iter().chain(sums) {
        let plan = storage.read_blocking(|c| {
            let mut statement = c.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
            let none = vec![Value::Null; statement.parameter_count()];
            let rows = statement.query_map(params_from_iter(none), |row| row.get::<_, String>(3))?;
            Ok(rows.collect::<Result<Vec<_>, _>>()?.join("\n"))
        });
        let plan = plan.unwrap();
        let seeks = plan.contains("SEARCH recipient_done USING INDEX recipient_done_refused")
            || plan.contains("SEARCH rollup_bounce_day USING PRIMARY KEY (workspace_id=?");
        assert!(seeks, "{sql}\n{plan}");
        assert!(!plan.contains("recipient_done") || !plan.contains("TEMP B-TREE"), "{sql}\n{plan}");
    }
}
