//! From what was made to what MAIL and RCPT say, or why this server cannot have it at all.

use super::transact::Connection;
use super::upcoming::Upcoming;
use crate::content::{Made, Prepared};
use crate::hand::Hand;
use crate::smtp::{Envelope, Rcpt};
use mail::{Address, BounceClass, EnhancedStatus};
use storage::queue::{Answer, Claimed, Ending, Settlement};

impl Connection<'_> {
    /// Asks for the marks of a message's recipients, but for those whose message this server cannot take.
    pub(super) fn enlist(&mut self, prepared: Prepared) {
        let Prepared { hand, made, companions, .. } = prepared;
        // Its own return path names its recipient: among several it would name the wrong one.
        let reverse_path = if companions.is_empty() { &made.reverse_path } else { &made.shared_path };
        let reverse_path = reverse_path.as_ref().map(Address::to_string).unwrap_or_default();
        let are_several = !companions.is_empty();
        let now_ms = self.shared.clock.now_ms();
        let mut hands = Vec::with_capacity(1 + companions.len());
        for mut hand in std::iter::once(hand).chain(companions) {
            if let Some(wait) = hand.renew_permits(&self.shared.warmup, now_ms) {
                hand.give_back(wait);
            } else if let Some(answer) = self.misfit(&made, &hand) {
                self.refuse(hand, answer, now_ms);
            } else {
                hands.push(hand);
            }
        }
        let Some(first) = hands.first() else { return };
        let offers_reports = self.session.capabilities().dsn;
        let smtputf8 = needs_smtputf8(&made, first);
        let wishes = made.dsn.as_deref().filter(|_| offers_reports);
        let rcpt = |hand: &Hand| if offers_reports { asking(&hand.claimed, are_several) } else { plain(&hand.claimed) };
        let envelope = Envelope {
            reverse_path,
            recipients: hands.iter().map(rcpt).collect(),
            size: made.message.len(),
            eight_bit: made.eight_bit,
            smtputf8,
            ret: wishes.and_then(|wishes| wishes.ret.clone()),
            envid: wishes.and_then(|wishes| wishes.envid.clone()),
        };
        let upcoming = Upcoming::new(hands, made, envelope, self);
        self.upcoming.push_back(upcoming);
    }

    fn refuse(&self, hand: Hand, answer: Answer, at_ms: i64) {
        let attempt = Some(self.attempt(0));
        let ending = Ending::Bounced { suppress: false };
        let id = hand.claimed.id;
        hand.settle(Settlement { id, at_ms, ending, attempt, answer: Some(answer) });
    }

    /// Why the server cannot take this message, whoever it is for.
    fn misfit(&self, made: &Made, hand: &Hand) -> Option<Answer> {
        let offered = self.session.capabilities();
        let size = made.message.len() as u64;
        let (class, detail, text) = match offered.size {
            Some(limit) if limit > 0 && size > limit => {
                let text = format!("the message has {size} bytes and {} takes {limit}", self.mx);
                (BounceClass::TooLarge, 4, text)
            }
            // RFC 6152 §3: 8-bit content is not sent to who did not offer to take it.
            _ if made.eight_bit && !offered.eight_bit => {
                (BounceClass::Protocol, 3, format!("{} takes no 8-bit content", self.mx))
            }
            _ if needs_smtputf8(made, hand) && !offered.smtputf8 => {
                (BounceClass::Protocol, 7, format!("{} takes no UTF-8 in addresses", self.mx))
            }
            _ => return None,
        };
        let subject = if class == BounceClass::TooLarge { 3 } else { 6 };
        Some(Answer { enhanced: Some(EnhancedStatus { class: 5, subject, detail }), ..Answer::of_trouble(class, text) })
    }
}

fn needs_smtputf8(made: &Made, hand: &Hand) -> bool {
    let path = made.reverse_path.as_ref().is_some_and(Address::needs_smtputf8);
    made.smtputf8 || path || hand.claimed.address.needs_smtputf8()
}

fn plain(claimed: &Claimed) -> Rcpt {
    Rcpt { address: claimed.address.to_string(), notify: None, orcpt: None }
}

/// A recipient with what its server is asked to report, and to us: the return path is ours, and what the submitter
/// hears of it is decided when it comes.
fn asking(claimed: &Claimed, are_several: bool) -> Rcpt {
    let notify = claimed.dsn_notify.as_deref().map(notify);
    // RFC 3461 §5.2.1: one may be added. Where several recipients share a return path it tells them apart.
    let added = || (are_several || notify.is_some()).then(|| mail::dsn::orcpt(&claimed.address));
    let orcpt = claimed.dsn_orcpt.clone().or_else(added);
    Rcpt { orcpt, notify, ..plain(claimed) }
}

/// Deviates from RFC 3461 §5.2.1: failures are asked for besides what the submitter wants, NEVER included, because
/// suppression lives on them. They come to us, and go no further than the submitter asked.
fn notify(wanted: &str) -> String {
    match wanted {
        "NEVER" => "FAILURE".to_owned(),
        words if words.split(',').any(|word| word == "FAILURE") => words.to_owned(),
        words => format!("{words},FAILURE"),
    }
}

#[cfg(test)]
mod tests {
    use super::notify;

    #[test]
    fn failures_are_always_asked_for() {
        for (wanted, asked) in [
            ("NEVER", "FAILURE"),
            ("SUCCESS", "SUCCESS,FAILURE"),
            ("FAILURE,DELAY", "FAILURE,DELAY"),
            ("DELAY", "DELAY,FAILURE"),
        ] {
            assert_eq!(notify(wanted), asked);
        }
    }
}
