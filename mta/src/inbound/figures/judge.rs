//! What a report of figures means: whose a row is, who sent it, whether something of ours fails. Plain functions.

use bounce::{DmarcRow as Row, TlsPolicyFigures};
use std::collections::HashMap;
use std::net::IpAddr;
use storage::dmarc_report::{DmarcReport, DmarcRow, Sender};
use storage::domain::OwnDomain;
use storage::report_alarm::{Kind, Told};
use storage::tls_report::TlsHeard;

const DAY_MS: i64 = 86_400_000;
/// Reports tell of a day or a week, and come within days.
const SPAN_MAX_MS: i64 = 32 * DAY_MS;
const AGE_MAX_MS: i64 = 100 * DAY_MS;
/// Clocks differ, and the day ends earlier elsewhere.
const AHEAD_MAX_MS: i64 = 2 * DAY_MS;
/// Characters that are kept of each text of a report.
const TEXT_MAX: usize = 300;
/// Sorts of failures that an alarm names.
const NAMED_MAX: usize = 3;

/// Whether a report that comes now can tell of this time.
pub(in crate::inbound) fn is_possible((begin_ms, end_ms): (i64, i64), now_ms: i64) -> bool {
    begin_ms <= end_ms
        && end_ms.saturating_sub(begin_ms) <= SPAN_MAX_MS
        && end_ms <= now_ms + AHEAD_MAX_MS
        && begin_ms >= now_ms - AGE_MAX_MS
}

/// A text of somebody else, as it is kept: without control characters, cut.
pub(in crate::inbound) fn cut(text: &str) -> String {
    text.trim().chars().filter(|c| !c.is_control()).take(TEXT_MAX).collect()
}

/// Which of our domains a row belongs to. `named` is the domain that the report is about, `from` the row's. The nearest
/// one that `from` is or lies below, else the one that is named; where several workspaces have domains below the named
/// one, a row of none of them is nobody's.
pub(in crate::inbound) fn owner(candidates: &[OwnDomain], named: &str, from: &str) -> Option<usize> {
    let from = from.trim_end_matches('.').to_ascii_lowercase();
    let holds = |own: &OwnDomain| from == own.domain || from.ends_with(&format!(".{}", own.domain));
    let indexed = || candidates.iter().enumerate();
    let nearest = indexed().filter(|(_, own)| holds(own)).max_by_key(|(_, own)| own.domain.len());
    if let Some((n, _)) = nearest {
        return Some(n);
    }
    let named = named.trim_end_matches('.').to_ascii_lowercase();
    if let Some((n, _)) = indexed().find(|(_, own)| own.domain == named) {
        return Some(n);
    }
    let first = candidates.first()?;
    candidates.iter().all(|own| own.workspace_id == first.workspace_id).then_some(0)
}

/// Who sent the messages of a row: one of our addresses; or one that passes SPF for our return path, which lists nobody
/// else; or somebody else who may; or somebody else.
pub(super) fn sender_of(row: &Row, own: &HashMap<IpAddr, String>, return_path: &str) -> Sender {
    let is_own = row.source_ip.is_some_and(|ip| own.contains_key(&ip));
    let by_spf = row.spf.as_ref().is_some_and(|(domain, result)| domain == return_path && result == "pass");
    match () {
        () if is_own || by_spf => Sender::Ours,
        () if row.dkim_pass || row.spf_pass => Sender::Aligned,
        () => Sender::Failing,
    }
}

/// Whether SPF failed. Under a strict policy (`aspf=s`) a return path below the domain never counts, however well SPF
/// passes; that is the policy's choice and no failure while DKIM passes.
fn spf_failed(row: &DmarcRow) -> bool {
    let passes_unaligned = row.dkim_pass && row.spf.ends_with("=pass");
    !(row.spf_pass || passes_unaligned)
}

/// What a report says of one source of ours, from its rows.
pub(super) fn told_of_source(
    report: &DmarcReport,
    (ip, name): (&str, Option<&str>),
    rows: &[&DmarcRow],
    least: u64,
) -> Told {
    let sum = |which: &dyn Fn(&DmarcRow) -> bool| {
        rows.iter().filter(|row| which(row)).fold(0u64, |sum, row| sum.saturating_add(row.messages))
    };
    let total = sum(&|_| true);
    let failed = sum(&|row| !row.dkim_pass || spf_failed(row));
    let text = || {
        let (dkim, spf) = (sum(&|row| !row.dkim_pass), sum(&spf_failed));
        let (quarantined, rejected) =
            (sum(&|row| row.disposition == "quarantine"), sum(&|row| row.disposition == "reject"));
        let source = name.map_or_else(|| ip.to_owned(), |name| format!("{name} ({ip})"));
        format!(
            "{failed} of {total} messages from {source} fail, DKIM {dkim} and SPF {spf}; {quarantined} were put among the \
             spam, {rejected} refused, says {}",
            report.organization
        )
    };
    Told {
        kind: Kind::Dmarc,
        domain: report.domain.clone(),
        item: ip.to_owned(),
        organization: report.organization.clone(),
        text: (failed >= least).then(text),
        total,
        failed,
        begin_ms: report.begin_ms,
        end_ms: report.end_ms,
    }
}

/// What a report says of one TLS policy; `percent` of failed sessions are an alarm.
pub(super) fn told_of_policy(report: &TlsHeard, policy: &TlsPolicyFigures, percent: u64) -> Told {
    let total = policy.successful.saturating_add(policy.failed);
    let failed = policy.failed;
    let is_alarm = failed > 0 && u128::from(failed) * 100 >= u128::from(percent) * u128::from(total);
    let text = || {
        let mut worst: Vec<_> = policy.failures.iter().collect();
        worst.sort_by_key(|failure| std::cmp::Reverse(failure.sessions));
        let name = |failure: &&bounce::TlsFailure| match failure.mx.as_str() {
            "" => format!("{} ({})", cut(&failure.result), failure.sessions),
            mx => format!("{} at {} ({})", cut(&failure.result), cut(mx), failure.sessions),
        };
        let why: Vec<String> = worst.iter().take(NAMED_MAX).map(name).collect();
        let why = if why.is_empty() { "without a reason".to_owned() } else { why.join(", ") };
        let (domain, word) = (cut(&policy.domain), cut(&policy.policy));
        format!("{failed} of {total} sessions to {domain} ({word}) fail, says {}: {why}", report.organization)
    };
    Told {
        kind: Kind::Tls,
        domain: report.domain.clone(),
        item: cut(&format!("{} {}", policy.domain.to_ascii_lowercase(), policy.policy)),
        organization: report.organization.clone(),
        text: is_alarm.then(text),
        total,
        failed,
        begin_ms: report.begin_ms,
        end_ms: report.end_ms,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use storage::WorkspaceId;
    use storage::dmarc_report::Sums;

    fn own_domain(workspace: i64, domain: &str) -> OwnDomain {
        OwnDomain {
            workspace_id: WorkspaceId(workspace),
            domain: domain.to_owned(),
            return_path_domain: format!("bounce.{domain}"),
        }
    }

    #[test]
    fn whose_a_row_is() {
        let one = [own_domain(1, "shop.example"), own_domain(1, "news.shop.example")];
        let two = [own_domain(1, "news.shop.example"), own_domain(2, "mail.shop.example")];
        for (candidates, from, expected) in [
            (&one[..], "shop.example", Some("shop.example")),
            (&one, "news.shop.example", Some("news.shop.example")),
            (&one, "x.NEWS.shop.example.", Some("news.shop.example")),
            (&one, "other.shop.example", Some("shop.example")),
            (&two, "mail.shop.example", Some("mail.shop.example")),
            // Of the organization, and of neither workspace.
            (&two, "shop.example", None),
            (&two[..1], "shop.example", Some("news.shop.example")),
            (&[], "shop.example", None),
        ] {
            let found = owner(candidates, "shop.example", from).map(|n| candidates[n].domain.as_str());
            assert_eq!(found, expected, "{from}");
        }
    }

    fn row(ip: &str, dkim_pass: bool, spf_pass: bool, spf: Option<(&str, &str)>) -> Row {
        Row {
            source_ip: ip.parse().ok(),
            header_from: "shop.example".to_owned(),
            messages: 10,
            dkim_pass,
            spf_pass,
            disposition: "none".to_owned(),
            envelope_from: String::new(),
            signatures: Vec::new(),
            spf: spf.map(|(domain, result)| (domain.to_owned(), result.to_owned())),
        }
    }

    #[test]
    fn who_sends() {
        let own: HashMap<IpAddr, String> = [("198.51.100.7".parse().unwrap(), "mx1".to_owned())].into();
        for (what, row, expected) in [
            ("our address, failing", row("198.51.100.7", false, false, None), Sender::Ours),
            (
                "behind a translator",
                row("203.0.113.1", true, true, Some(("bounce.shop.example", "pass"))),
                Sender::Ours,
            ),
            (
                "not in our SPF",
                row("203.0.113.1", false, false, Some(("bounce.shop.example", "fail"))),
                Sender::Failing,
            ),
            ("another service", row("203.0.113.2", true, false, Some(("service.example", "pass"))), Sender::Aligned),
            ("forged", row("203.0.113.3", false, false, Some(("spam.example", "pass"))), Sender::Failing),
            ("no address", row("", false, true, None), Sender::Aligned),
        ] {
            assert_eq!(sender_of(&row, &own, "bounce.shop.example"), expected, "{what}");
        }
    }

    fn kept(dkim_pass: bool, spf_pass: bool, spf: &str, disposition: &str) -> DmarcRow {
        DmarcRow {
            source_ip: "198.51.100.7".to_owned(),
            sender: Sender::Ours,
            messages: 10,
            dkim_pass,
            spf_pass,
            disposition: disposition.to_owned(),
            header_from: String::new(),
            envelope_from: String::new(),
            signatures: String::new(),
            spf: spf.to_owned(),
        }
    }

    #[test]
    fn when_our_source_fails() {
        let report = DmarcReport {
            id: 0,
            domain: "shop.example".to_owned(),
            policy_domain: "shop.example".to_owned(),
            organization: "big.example".to_owned(),
            report_id: "1".to_owned(),
            policy: "none".to_owned(),
            begin_ms: 0,
            end_ms: 1,
            received_ms: 2,
            bytes: 0,
            brought_by: String::new(),
            sums: Sums::default(),
            rows_left: 0,
        };
        let good = kept(true, true, "bounce.shop.example=pass", "none");
        for (what, bad, least, expected) in [
            ("all well", None, 1, None),
            (
                "no DKIM",
                Some(kept(false, true, "bounce.shop.example=pass", "none")),
                1,
                Some("DKIM 10 and SPF 0; 0 were"),
            ),
            (
                "no SPF",
                Some(kept(true, false, "bounce.shop.example=fail", "none")),
                1,
                Some("DKIM 0 and SPF 10; 0 were"),
            ),
            ("both", Some(kept(false, false, "x.example=pass", "reject")), 1, Some("spam, 10 refused")),
            ("strict alignment", Some(kept(true, false, "bounce.shop.example=pass", "none")), 1, None),
            ("too few", Some(kept(false, true, "", "none")), 11, None),
        ] {
            let rows: Vec<&DmarcRow> = [&good].into_iter().chain(bad.as_ref()).collect();
            let told = told_of_source(&report, ("198.51.100.7", Some("mx1")), &rows, least);
            match (&told.text, expected) {
                (Some(text), Some(part)) => {
                    assert!(text.contains(part), "{what}: {text}");
                    assert!(text.starts_with("10 of 20 messages from mx1 (198.51.100.7) fail"), "{what}: {text}");
                }
                (text, expected) => assert_eq!(text.as_deref(), expected, "{what}"),
            }
        }
    }

    #[test]
    fn when_tls_fails() {
        let report = TlsHeard {
            id: 0,
            domain: "shop.example".to_owned(),
            organization: "big.example".to_owned(),
            report_id: "1".to_owned(),
            begin_ms: 0,
            end_ms: 1,
            received_ms: 2,
            bytes: 0,
            brought_by: String::new(),
            successful: 0,
            failed: 0,
        };
        let failure = |result: &str, mx: &str, sessions| bounce::TlsFailure {
            result: result.to_owned(),
            mx: mx.to_owned(),
            sending_ip: String::new(),
            sessions,
            detail: String::new(),
        };
        for (successful, failed, expected) in [
            (0, 0, None),
            (96, 4, None),
            (
                95,
                5,
                Some(
                    "5 of 100 sessions to bounce.shop.example (sts) fail, says big.example: expired at mx (4), none (1)",
                ),
            ),
            (u64::MAX, u64::MAX, Some("sessions to")),
        ] {
            let policy = TlsPolicyFigures {
                domain: "bounce.shop.example".to_owned(),
                policy: "sts".to_owned(),
                successful,
                failed,
                failures: vec![failure("none", "", 1), failure("expired", "mx", 4)],
            };
            let told = told_of_policy(&report, &policy, 5);
            let is_right = match (&told.text, expected) {
                (Some(text), Some(part)) => text.contains(part),
                (text, expected) => text.is_none() && expected.is_none(),
            };
            assert!(is_right, "{successful} {failed}: {told:?}");
        }
    }

    #[test]
    fn which_times_are_possible() {
        let now = 1_000 * DAY_MS;
        for (begin, end, expected) in [
            (999, 1_000, true),
            (1_000, 999, false),
            (960, 999, false),
            (999, 1_003, false),
            (880, 881, false),
            (993, 1_000, true),
        ] {
            assert_eq!(is_possible((begin * DAY_MS, end * DAY_MS), now), expected, "{begin} {end}");
        }
        assert!(!is_possible((i64::MIN, i64::MAX), now));
    }

    #[test]
    fn foreign_texts_are_cut() {
        assert_eq!(cut(" big\u{7}\n.example "), "big.example");
        assert_eq!(cut(&"é".repeat(400)).chars().count(), TEXT_MAX);
    }
}
