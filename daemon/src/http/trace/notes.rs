//! What of a trace is not kept any more, and for how long it was.

use super::{EVENTS_MAX, Found};
use config::{Config, ConversationMode};
use storage::event::{EventRow, Kind};
use storage::webhook::happening::told_as;

const DAY_MS: i64 = 86_400_000;
/// Conversations are written a moment after their attempt.
const WRITTEN_MS: i64 = 60_000;

/// Sentences about what is missing.
pub(super) fn notes(config: &Config, found: &Found, now_ms: i64) -> Vec<String> {
    let before = |days: u32| now_ms - i64::from(days) * DAY_MS;
    let mut notes = Vec::new();
    let events_days = config.storage.event_retention_days;
    if found.row.accepted_ms < before(events_days) {
        notes.push(format!("Events are kept for {events_days} days: what is older is gone."));
    }
    if found.events.len() >= EVENTS_MAX as usize {
        notes.push(format!("These are the newest {EVENTS_MAX} events; there are older ones."));
    }
    let missing: Vec<&EventRow> = found.attempts().filter(|(_, kept)| !kept).map(|(event, _)| event).collect();
    notes.extend(conversations(config, &missing, now_ms));
    let webhook_days = config.webhook.delivery_days;
    let told = |event: &EventRow| told_as(event.kind).is_some() && event.at_ms < before(webhook_days);
    if found.has_webhooks && found.events.iter().any(told) {
        notes.push(format!("What webhooks were told is kept for {webhook_days} days."));
    }
    let replied = found.events.iter().filter(|event| event.kind == Kind::Replied && event.class.is_none()).count();
    if replied > found.replies.len() {
        let days = config.storage.reply_days;
        notes.push(format!(
            "Answers are kept for {days} days, as far as there is room: not all of this recipient's are."
        ));
    }
    notes
}

fn conversations(config: &Config, missing: &[&EventRow], now_ms: i64) -> Vec<String> {
    let (days, room) = (config.storage.conversation_days, config.storage.conversation_mb);
    let wanted = |event: &&&EventRow| match config.smtp.conversation {
        ConversationMode::All => true,
        ConversationMode::Failures => event.kind != Kind::Delivered,
        ConversationMode::Off => false,
    };
    let mut notes = Vec::new();
    if missing.iter().any(|event| !wanted(&event)) {
        notes.push(match config.smtp.conversation {
            ConversationMode::Off => "Conversations are not kept here (smtp.conversation).".to_owned(),
            _ => "Of mail that was accepted no conversation is kept here (smtp.conversation).".to_owned(),
        });
    }
    let too_old_ms = now_ms - i64::from(days) * DAY_MS;
    let (old, young): (Vec<&&EventRow>, Vec<&&EventRow>) =
        missing.iter().filter(wanted).partition(|event| event.at_ms < too_old_ms);
    if !old.is_empty() {
        notes.push(format!("Conversations are kept for {days} days: of {} they are gone.", attempts(old.len())));
    }
    let young = young.iter().filter(|event| event.at_ms < now_ms - WRITTEN_MS).count();
    if young > 0 {
        notes.push(format!(
            "Of {} the conversation is not kept: all together may take {room} MiB, and the oldest go first.",
            attempts(young)
        ));
    }
    notes
}

fn attempts(n: usize) -> String {
    if n == 1 { "one attempt".to_owned() } else { format!("{n} attempts") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};
    use storage::event::Kind;

    const NOW_MS: i64 = 100 * DAY_MS;

    fn event(kind: Kind, days_ago: i64) -> EventRow {
        EventRow {
            id: 1,
            at_ms: NOW_MS - days_ago * DAY_MS,
            kind,
            recipient_id: None,
            campaign_id: None,
            contact_id: None,
            source: None,
            site: None,
            provider: None,
            mx: None,
            class: None,
            reply_code: None,
            enhanced: None,
            text: None,
            attempt: Some(1),
            took_ms: None,
            tls: None,
            actor: None,
        }
    }

    fn check(mode: &str, missing: &[(Kind, i64)], expected: Expect) {
        let config = config::parse("test.toml", &format!("[smtp]\nconversation = \"{mode}\"")).unwrap();
        let rows: Vec<EventRow> = missing.iter().map(|(kind, days)| event(*kind, *days)).collect();
        expected.assert_eq(&conversations(&config, &rows.iter().collect::<Vec<_>>(), NOW_MS).join("\n"));
    }

    #[test]
    fn why_a_conversation_is_not_there() {
        check("failures", &[(Kind::Deferred, 0)], expect![""]);
        check(
            "failures",
            &[(Kind::Delivered, 1), (Kind::Deferred, 40), (Kind::Deferred, 41), (Kind::Bounced, 2)],
            expect![[r#"
                Of mail that was accepted no conversation is kept here (smtp.conversation).
                Conversations are kept for 30 days: of 2 attempts they are gone.
                Of one attempt the conversation is not kept: all together may take 256 MiB, and the oldest go first."#]],
        );
        check(
            "all",
            &[(Kind::Delivered, 31)],
            expect![[r#"
            Conversations are kept for 30 days: of one attempt they are gone."#]],
        );
        check("off", &[(Kind::Bounced, 2)], expect!["Conversations are not kept here (smtp.conversation)."]);
    }
}
