//! Who is put on a list while the mail is on its way: what was queued before, and what is in memory already.

use super::*;
use crate::suppression::{NewSuppression, SuppressionCovers, SuppressionReason};
use mail::StreamKind;

/// An entry of one sort for all three recipients: of a campaign, of submitted bulk mail, of a submitted receipt.
fn suppress(bed: &Bed, owner: WorkspaceId, covers: SuppressionCovers, expires_ms: Option<i64>) {
    for address in [recipient(1, 1).address, "r1@d.example".to_owned()] {
        bed.queue(move |tx| {
            suppression::add(
                tx,
                &NewSuppression {
                    workspace_id: owner,
                    address: &Address::parse(&address).unwrap(),
                    covers,
                    reason: SuppressionReason::Manual,
                    origin: "asked by telephone",
                    recipient_id: None,
                    campaign_id: None,
                    contact_id: None,
                    created_by: Some("ana"),
                    now_ms: 1000,
                    expires_ms,
                },
            )
        });
    }
}

/// When the entry is made.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Moment {
    Queued,
    Claimed,
}

/// Which of the three are not sent.
fn check(owner: WorkspaceId, covers: SuppressionCovers, expires_ms: Option<i64>, expected: [bool; 3]) {
    for moment in [Moment::Queued, Moment::Claimed] {
        let bed = Bed::new();
        bed.run(1, "running");
        bed.queue(|tx| {
            enqueue(tx, &[recipient(1, 1)])?;
            message::accept(tx, &submitted(1, StreamKind::Bulk, 1))?;
            message::accept(tx, &submitted(1, StreamKind::Transactional, 1))
        });
        if moment == Moment::Queued {
            suppress(&bed, owner, covers, expires_ms);
        }
        let claimed = bed.claim(10, 1500).claimed;
        if moment == Moment::Claimed {
            assert_eq!(claimed.len(), 3);
            suppress(&bed, owner, covers, expires_ms);
        }
        let ids: Vec<RecipientId> = claimed.iter().map(|c| c.id).collect();
        bed.queue(move |tx| mark_sending(tx, &marks(&ids), 1500));
        let away = [1, 2, 3].map(|id| bed.find(id).state == RecipientState::Suppressed);
        let goes = [1, 2, 3].map(|id| bed.find(id).state == RecipientState::Sending);
        assert_eq!(away, expected, "{owner} {covers:?} {expires_ms:?} {moment:?}");
        assert_eq!(goes, expected.map(|away| !away), "{owner} {covers:?} {expires_ms:?} {moment:?}");
        assert!(bed.ledger().holds());
    }
}

#[test]
fn the_last_moment_knows_whose_entry_it_is_and_what_it_covers() {
    use SuppressionCovers::{All, Marketing};
    check(WS, Marketing, None, [true, true, false]);
    check(WS, All, None, [true, true, true]);
    check(WorkspaceId::NONE, Marketing, None, [true, true, false]);
    check(WorkspaceId::NONE, All, None, [true, true, true]);
    check(WorkspaceId(2), All, None, [false, false, false]);
    // Until when it holds, and the moment at which it does no more.
    check(WS, All, Some(1501), [true, true, true]);
    check(WS, All, Some(1500), [false, false, false]);
}

/// No class that tells of our own name, of the content or of the receiving system leads to an entry, however the mail
/// ends, as often as it may come.
#[test]
fn what_tells_of_us_suppresses_nobody() {
    let threshold = crate::soft_bounce::Threshold { bounces: 2, within_ms: 1_000_000, expiry_ms: 1_000_000 };
    for class in BounceClass::ALL.iter().copied() {
        let bed = Bed::new();
        bed.queue(move |tx| crate::soft_bounce::set_rule(tx, Some(threshold)));
        let endings = [Ending::Bounced { suppress: false }, Ending::Expired, Ending::Delivered];
        for campaign in 1..=3 {
            bed.run(campaign, "running");
            bed.queue(move |tx| enqueue(tx, &[recipient(campaign, 1)]));
        }
        let claimed = bed.claim(10, 1000).claimed;
        for (taken, ending) in claimed.iter().zip(endings) {
            let id = taken.id;
            bed.queue(move |tx| settle(tx, &[ended(id, ending, Some(class))]));
        }
        // The one that was delivered comes back.
        let answer = Answer::of_reply(&Reply::new(550, ["words"]), Some(class));
        let kind = ReportKind::Failed { suppress: false };
        let report = Report { id: claimed[2].id, at_ms: 3000, kind, answer };
        assert_eq!(bed.queue(move |tx| settle_report(tx, &report)), ReportMatch::Applied);
        let listed = bed.storage.read_blocking(|c| suppression::count(c, WS, &suppression::Filter::default())).unwrap();
        use BounceClass as C;
        let of_mailbox = matches!(class, C::MailboxFull | C::Inactive | C::Suspended | C::BadMailbox | C::BadDomain);
        assert_eq!(listed, u64::from(of_mailbox), "{class}");
    }
}
