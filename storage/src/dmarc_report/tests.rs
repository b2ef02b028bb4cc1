use super::*;
use crate::{OpenOptions, Storage};

const WS: WorkspaceId = WorkspaceId::MAIN;
const DAY_MS: i64 = 86_400_000;

fn storage() -> (Storage, tempfile::TempDir) {
    let dir = tempfile::tempdir().unwrap();
    (Storage::open(&OpenOptions { dir: dir.path().to_owned(), readers: 1 }).unwrap(), dir)
}

fn row(source_ip: &str, sender: Sender, messages: u64, passes: (bool, bool)) -> DmarcRow {
    DmarcRow {
        source_ip: source_ip.to_owned(),
        sender,
        messages,
        dkim_pass: passes.0,
        spf_pass: passes.1,
        disposition: if sender == Sender::Failing { "reject" } else { "none" }.to_owned(),
        header_from: "a.example".to_owned(),
        envelope_from: String::new(),
        signatures: "s1._domainkey.a.example=pass".to_owned(),
        spf: "bounce.a.example=pass".to_owned(),
    }
}

fn keep_one(storage: &Storage, (domain, organization, id): (&str, &str, &str), day: i64, rows: Vec<DmarcRow>) -> Kept {
    let report = DmarcReport {
        id: 0,
        domain: domain.to_owned(),
        policy_domain: domain.to_owned(),
        organization: organization.to_owned(),
        report_id: id.to_owned(),
        policy: "none".to_owned(),
        begin_ms: day * DAY_MS,
        end_ms: (day + 1) * DAY_MS - 1000,
        received_ms: (day + 1) * DAY_MS,
        bytes: 900,
        brought_by: "192.0.2.9".to_owned(),
        sums: Sums::default(),
        rows_left: 0,
    };
    storage.events().write_blocking(move |tx| keep(tx, WS, &report, rows, 3)).unwrap()
}

#[test]
fn a_report_is_kept_once_and_a_day_has_a_bound() {
    let (storage, _dir) = storage();
    let rows = || vec![row("198.51.100.7", Sender::Ours, 5, (true, true))];
    for (key, expected) in [
        (("a.example", "big", "1"), Kept::New),
        (("a.example", "big", "1"), Kept::Known),
        (("a.example", "small", "1"), Kept::New),
        (("b.example", "big", "1"), Kept::New),
        (("a.example", "big", "2"), Kept::New),
        (("a.example", "big", "3"), Kept::Beyond),
        (("b.example", "big", "2"), Kept::New),
    ] {
        assert_eq!(keep_one(&storage, key, 1, rows()), expected, "{key:?}");
    }
    assert_eq!(keep_one(&storage, ("a.example", "big", "4"), 2, rows()), Kept::New, "another day");
    storage
        .read_blocking(|c| {
            assert_eq!(report_day::beyond(c, WS, "dmarc", Some("a.example"), 0)?, 1);
            assert_eq!(report_day::beyond(c, WS, "tls", None, 0)?, 0);
            let filter = Filter { domain: Some("a.example".to_owned()), since_ms: 0 };
            let first = page(c, WS, &filter, i64::MAX, 2)?;
            assert_eq!(first.iter().map(|report| report.report_id.as_str()).collect::<Vec<_>>(), ["4", "2"]);
            let rest = page(c, WS, &filter, first[1].id, 10)?;
            assert_eq!(rest.len(), 2);
            assert_eq!(page(c, WorkspaceId(2), &Filter::default(), i64::MAX, 10)?, []);
            assert_eq!(find(c, WorkspaceId(2), first[0].id)?, None);
            Ok(())
        })
        .unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let forget_some = |limit| runtime.block_on(forget(&storage, 3 * DAY_MS, limit)).unwrap();
    assert_eq!((forget_some(2), forget_some(20)), (2, 3));
    storage
        .read_blocking(|c| {
            let kept = page(c, WS, &Filter::default(), i64::MAX, 10)?;
            assert_eq!(kept.len(), 1);
            let rows: i64 = c.query_row("SELECT count(*) FROM dmarc_row", [], |row| row.get(0))?;
            assert_eq!(rows, 1, "rows go with their reports");
            Ok(())
        })
        .unwrap();
}

#[test]
fn rows_beyond_the_bound_are_counted() {
    let (storage, _dir) = storage();
    let many = (0..ROWS_MAX + 5).map(|n| row(&format!("::{n:x}"), Sender::Aligned, n as u64 + 1, (true, false)));
    assert_eq!(keep_one(&storage, ("a.example", "big", "1"), 1, many.collect()), Kept::New);
    let report = storage.read_blocking(|c| page(c, WS, &Filter::default(), i64::MAX, 1)).unwrap().remove(0);
    let all: u64 = (1..=ROWS_MAX as u64 + 5).sum();
    assert_eq!((report.rows_left, report.sums.messages, report.sums.spf_pass), (5, all, 0));
    let first = storage.read_blocking(|c| rows(c, WS, report.id, -1, 2)).unwrap();
    assert_eq!(first.iter().map(|(n, row)| (*n, row.messages)).collect::<Vec<_>>(), [(0, 2005), (1, 2004)]);
    let next = storage.read_blocking(|c| rows(c, WS, report.id, 1, 1)).unwrap();
    assert_eq!(next[0].1.messages, 2003);
}

#[test]
fn figures_by_day_domain_and_sender() {
    let (storage, _dir) = storage();
    let ours = |n, passes| row("198.51.100.7", Sender::Ours, n, passes);
    keep_one(
        &storage,
        ("a.example", "big", "1"),
        1,
        vec![ours(40, (true, true)), ours(2, (false, true)), row("203.0.113.9", Sender::Failing, 6, (false, false))],
    );
    keep_one(
        &storage,
        ("a.example", "small", "1"),
        2,
        vec![ours(10, (false, false)), row("192.0.2.1", Sender::Aligned, 6, (true, false))],
    );
    keep_one(&storage, ("b.example", "big", "9"), 2, vec![ours(1, (true, true))]);
    storage
        .read_blocking(|c| {
            let line = |sums: &Sums| format!("{}/{}/{}/{}", sums.messages, sums.dkim_pass, sums.spf_pass, sums.passed);
            let by_day: Vec<_> = days(c, WS, Some("a.example"), 0)?
                .iter()
                .map(|day| format!("{} {}", day.day_ms / DAY_MS, line(&day.sums)))
                .collect();
            assert_eq!(by_day, ["1 48/40/42/42", "2 16/6/0/6"]);
            let by_domain: Vec<_> =
                domains(c, WS, 0)?.iter().map(|d| format!("{} {} {}", d.domain, d.reports, line(&d.sums))).collect();
            assert_eq!(by_domain, ["a.example 2 64/46/42/48", "b.example 1 1/1/1/1"]);
            let asked = |sender| Asked { domain: None, sender, since_ms: 0 };
            let all = senders(c, WS, &asked(None), None, 10)?;
            let shown: Vec<_> =
                all.iter().map(|s| format!("{} {} {}", s.source_ip, s.sender.as_str(), line(&s.sums))).collect();
            assert_eq!(
                shown,
                ["198.51.100.7 ours 53/41/43/43", "192.0.2.1 aligned 6/6/0/6", "203.0.113.9 failing 6/0/0/0"]
            );
            assert_eq!((all[0].organizations, all[2].rejected, all[2].quarantined), (2, 6, 0));
            // From page to page, over rows with the same number.
            for n in 0..all.len() - 1 {
                let behind = (all[n].sums.messages, format!("{} {}", all[n].source_ip, all[n].sender.as_str()));
                assert_eq!(senders(c, WS, &asked(None), Some(&behind), 1)?, [all[n + 1].clone()]);
            }
            assert_eq!(senders(c, WS, &asked(Some(Sender::Failing)), None, 10)?.len(), 1);
            assert_eq!(days(c, WorkspaceId(2), None, 0)?, []);
            Ok(())
        })
        .unwrap();
}
