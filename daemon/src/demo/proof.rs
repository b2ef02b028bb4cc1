//! The proof: what the daemon says about each recipient is held against what the simulated internet received.

use std::collections::{HashMap, HashSet};

use api_types::{Progress, QueueSummary, Recipient};
use sandbox::{Expected, Ledger};

use super::api::Api;
use super::show;
use super::stage::Stage;
use super::story::Mailing;

/// How many cases of something wrong are shown.
const SHOWN: usize = 5;

/// Prints the table and every statement with its verdict; true when all hold.
pub async fn prove(stage: &Stage, api: &Api, mailing: &Mailing) -> anyhow::Result<bool> {
    let progress: Progress = api.get(&format!("{}/progress", mailing.path)).await?;
    let recipients: Vec<Recipient> = api.list(&format!("{}/recipients", mailing.path)).await?;
    println!("{}", show::table(&progress, &recipients, stage.internet().providers()));
    let queue: QueueSummary = api.get("/queue").await?;
    let ledger = stage.internet().ledger();
    let mut verdicts = Verdicts { good: true };
    signatures(&mut verdicts, ledger);
    verdicts.say(
        ledger.doubles_count() == 0,
        format!("{} addresses got a copy, none of them a second one", show::number(ledger.recipients() as u64)),
        ledger.doubles(),
    );
    verdicts.say(queue.ledger.holds, sum_in_words(&queue.ledger), vec![]);
    verdicts.say(
        recipients.len() == mailing.recipients.len(),
        format!("{} recipients, one for each contact of the segment", show::number(recipients.len() as u64)),
        vec![],
    );
    let faults = differences(mailing, &recipients, |address| ledger.copies(address));
    verdicts.say(
        faults.is_empty(),
        "what the daemon says about each recipient is what the providers saw".to_owned(),
        faults,
    );
    Ok(verdicts.good)
}

struct Verdicts {
    good: bool,
}

impl Verdicts {
    fn say(&mut self, holds: bool, statement: String, against: Vec<String>) {
        println!("{} {statement}", if holds { "  holds " } else { "  FAILS " });
        for example in against.iter().take(SHOWN) {
            println!("          {example}");
        }
        self.good &= holds;
    }
}

fn signatures(verdicts: &mut Verdicts, ledger: &Ledger) {
    let total = ledger.total();
    let statement = format!(
        "{} messages came in, {} of them with good DKIM signatures, {} over TLS",
        show::number(total.messages),
        show::number(total.dkim_passed),
        show::number(total.tls_messages)
    );
    let all_signed = total.messages > 0 && total.dkim_passed == total.messages;
    verdicts.say(all_signed, statement, ledger.dkim_failures());
    let breaches = total.breaches.iter().map(|(what, count)| format!("{count} times: {what}")).collect::<Vec<_>>();
    verdicts.say(breaches.is_empty(), "the protocol was kept".to_owned(), breaches);
    verdicts.say(ledger.repeated_message_ids() == 0, "no Message-ID came twice".to_owned(), vec![]);
}

fn sum_in_words(ledger: &api_types::Ledger) -> String {
    format!(
        "{} accepted = {} delivered + {} bounced + {} expired + {} suppressed + {} cancelled + {} unknown + {} queued",
        show::number(ledger.accepted),
        show::number(ledger.delivered),
        show::number(ledger.bounced),
        show::number(ledger.expired),
        show::number(ledger.suppressed),
        show::number(ledger.cancelled),
        show::number(ledger.unknown),
        show::number(ledger.queued)
    )
}

/// Every recipient whose state is not what became of the message.
fn differences(mailing: &Mailing, recipients: &[Recipient], copies: impl Fn(&str) -> u32) -> Vec<String> {
    let suppressed: HashSet<&str> = mailing.suppressed.iter().map(String::as_str).collect();
    let states: HashMap<&str, &Recipient> = recipients.iter().map(|row| (row.address.as_str(), row)).collect();
    let mut faults = Vec::new();
    for person in &mailing.recipients {
        let expected = (!suppressed.contains(person.address.as_str())).then_some(person.expected);
        let state = states.get(person.address.as_str()).map_or("missing", |row| row.state.as_str());
        let copies = copies(&person.address);
        if !fits(expected, state, copies) {
            let what = expected.map_or_else(|| "suppressed".to_owned(), |expected| format!("{expected:?}"));
            faults.push(format!("{} ({}, {what}): {state}, {copies} copies", person.address, person.provider));
        }
    }
    faults
}

/// Whether a state and the copies that the provider has fit what was to be expected; `None` for who is suppressed.
fn fits(expected: Option<Expected>, state: &str, copies: u32) -> bool {
    match (expected, state) {
        (None, "suppressed") => copies == 0,
        (Some(Expected::Delivered | Expected::DeliveredLater), "delivered") => copies == 1,
        (Some(Expected::UnknownUser | Expected::OverQuota | Expected::NoSuchDomain), "bounced") => copies == 0,
        // Accepted, and taken back by a report.
        (Some(Expected::Reported), "bounced") => copies == 1,
        (Some(Expected::CutInContent), "delivered") => copies == 1,
        // Nobody can know whether the provider kept it; that is what the state says.
        (Some(Expected::CutInContent | Expected::NeverAnswered), "unknown") => copies <= 1,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_must_fit_what_the_provider_saw() {
        let cases = [
            (Some(Expected::Delivered), "delivered", 1, true),
            (Some(Expected::Delivered), "delivered", 0, false),
            (Some(Expected::Delivered), "delivered", 2, false),
            (Some(Expected::Delivered), "expired", 0, false),
            (Some(Expected::UnknownUser), "bounced", 0, true),
            (Some(Expected::UnknownUser), "delivered", 1, false),
            (Some(Expected::Reported), "bounced", 1, true),
            (Some(Expected::Reported), "delivered", 1, false),
            (Some(Expected::NeverAnswered), "unknown", 1, true),
            (Some(Expected::NeverAnswered), "unknown", 2, false),
            (None, "suppressed", 0, true),
            (None, "delivered", 1, false),
        ];
        for (expected, state, copies, fit) in cases {
            assert_eq!(fits(expected, state, copies), fit, "{expected:?} {state} {copies}");
        }
    }
}
