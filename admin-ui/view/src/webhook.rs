//! How webhooks fare, in words.

use api_types::{NewWebhook, Webhook, WebhookChange, WebhookDelivery, WebhookDeliveryState, WebhookType};

use crate::tone::{Status, Tone};

/// How a webhook stands.
#[must_use]
pub fn standing(hook: &Webhook) -> Status {
    let health = &hook.health;
    match (hook.enabled, hook.disabled_why.is_some()) {
        (false, true) => (Tone::Danger, "Disabled by itself"),
        (false, false) => (Tone::Neutral, "Disabled"),
        (true, _) if health.attempts_failed > 0 => (Tone::Warning, "Failing"),
        (true, _) if health.success_at.is_none() => (Tone::Neutral, "Nothing told yet"),
        (true, _) => (Tone::Success, "Works"),
    }
}

/// What a webhook is told of.
#[must_use]
pub fn told_of(hook: &Webhook) -> String {
    let types = match hook.types.as_slice() {
        [] => "Everything".to_owned(),
        types if types.len() <= 2 => words(types),
        types => format!("{} types", types.len()),
    };
    let only = [
        hook.campaign_id.map(|id| format!("campaign {id}")),
        hook.tag.as_ref().map(|tag| format!("tag {tag}")),
        hook.stream.as_ref().map(|stream| format!("stream {stream}")),
    ];
    let only: Vec<String> = only.into_iter().flatten().collect();
    if only.is_empty() { types } else { format!("{types}; only {}", only.join(", ")) }
}

fn words(types: &[WebhookType]) -> String {
    types.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(", ")
}

/// How a delivery stands.
#[must_use]
pub fn delivery(state: WebhookDeliveryState) -> Status {
    match state {
        WebhookDeliveryState::Waiting => (Tone::Active, "Sent next"),
        WebhookDeliveryState::Retrying => (Tone::Later, "Tried again"),
        WebhookDeliveryState::Delivered => (Tone::Success, "Delivered"),
        WebhookDeliveryState::Failed => (Tone::Danger, "Given up"),
    }
}

/// What the other side said at the last attempt.
#[must_use]
pub fn answer(row: &WebhookDelivery) -> String {
    match (row.attempts, row.status) {
        (0, _) => "not tried yet".to_owned(),
        (_, Some(status)) => format!("HTTP {status}"),
        (_, None) => "no answer".to_owned(),
    }
}

/// The form of a webhook, as typed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Form {
    /// What it is for.
    pub name: String,
    /// Where requests go.
    pub url: String,
    /// The chosen types; none means all.
    pub types: Vec<WebhookType>,
    /// Number of a campaign, or empty.
    pub campaign: String,
    /// A tag, or empty.
    pub tag: String,
    /// A stream, or empty.
    pub stream: String,
}

impl Form {
    /// The form of a webhook that is there.
    #[must_use]
    pub fn of(hook: &Webhook) -> Form {
        Form {
            name: hook.name.clone(),
            url: hook.url.clone(),
            types: hook.types.clone(),
            campaign: hook.campaign_id.map(|id| id.to_string()).unwrap_or_default(),
            tag: hook.tag.clone().unwrap_or_default(),
            stream: hook.stream.clone().unwrap_or_default(),
        }
    }

    /// The webhook to make.
    #[must_use]
    pub fn new_webhook(&self) -> NewWebhook {
        NewWebhook {
            name: self.name.clone(),
            url: self.url.clone(),
            types: self.types.clone(),
            campaign_id: self.campaign(),
            tag: Some(self.tag.trim().to_owned()),
            stream: Some(self.stream.trim().to_owned()),
        }
    }

    /// The change that makes a webhook what the form says.
    #[must_use]
    pub fn change(&self) -> WebhookChange {
        WebhookChange {
            name: Some(self.name.clone()),
            url: Some(self.url.clone()),
            types: Some(self.types.clone()),
            campaign_id: Some(self.campaign().unwrap_or(0)),
            tag: Some(self.tag.trim().to_owned()),
            stream: Some(self.stream.trim().to_owned()),
            ..WebhookChange::default()
        }
    }

    /// What is no number is sent as one that no campaign has, so that the server refuses it with its words.
    fn campaign(&self) -> Option<i64> {
        let text = self.campaign.trim();
        (!text.is_empty()).then(|| text.parse().unwrap_or(-1))
    }
}

/// The types that can be chosen, with their meanings.
#[must_use]
pub fn choices() -> Vec<(WebhookType, &'static str)> {
    let asked = WebhookType::ALL.iter().filter(|kind| kind.is_asked_for());
    asked.map(|kind| (*kind, kind.meaning())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use api_types::WebhookHealth;

    fn hook() -> Webhook {
        Webhook {
            id: 1,
            name: "shop".to_owned(),
            url: "https://hooks.example/".to_owned(),
            types: Vec::new(),
            campaign_id: None,
            tag: None,
            stream: None,
            enabled: true,
            disabled_why: None,
            old_secret_until: None,
            created_at: String::new(),
            health: WebhookHealth::default(),
        }
    }

    #[test]
    fn standings() {
        let health = |attempts_failed, success_at: Option<&str>| WebhookHealth {
            attempts_failed,
            success_at: success_at.map(str::to_owned),
            ..WebhookHealth::default()
        };
        for (enabled, why, health, expected) in [
            (true, None, health(0, None), "Nothing told yet"),
            (true, None, health(0, Some("2026-01-01T00:00:00Z")), "Works"),
            (true, None, health(1, Some("2026-01-01T00:00:00Z")), "Failing"),
            (false, None, health(1, None), "Disabled"),
            (false, Some("gone"), health(1, None), "Disabled by itself"),
        ] {
            let hook = Webhook { enabled, disabled_why: why.map(str::to_owned), health, ..hook() };
            assert_eq!(standing(&hook).1, expected);
        }
    }

    #[test]
    fn what_is_told() {
        use WebhookType::{MessageBounced, MessageComplained, MessageDelivered};
        for (types, tag, expected) in [
            (vec![], None, "Everything"),
            (vec![MessageBounced, MessageComplained], None, "message.bounced, message.complained"),
            (vec![MessageBounced, MessageComplained, MessageDelivered], Some("order"), "3 types; only tag order"),
        ] {
            let hook = Webhook { types, tag: tag.map(str::to_owned), ..hook() };
            assert_eq!(told_of(&hook), expected);
        }
    }

    #[test]
    fn forms() {
        let form = Form { campaign: " 7 ".to_owned(), tag: " order ".to_owned(), ..Form::of(&hook()) };
        let new = form.new_webhook();
        assert_eq!((new.campaign_id, new.tag.as_deref(), new.stream.as_deref()), (Some(7), Some("order"), Some("")));
        assert_eq!(form.change().campaign_id, Some(7));
        assert_eq!(Form { campaign: String::new(), ..form.clone() }.change().campaign_id, Some(0), "any again");
        assert_eq!(Form { campaign: "x".to_owned(), ..form }.new_webhook().campaign_id, Some(-1));
    }

    #[test]
    fn only_what_can_be_asked_for_can_be_chosen() {
        let words: Vec<&str> = choices().iter().map(|(kind, _)| kind.as_str()).collect();
        assert!(words.contains(&"message.bounced") && !words.contains(&"webhook.test"));
        assert!(choices().iter().all(|(_, meaning)| meaning.ends_with(['.', '"'])), "{:?}", choices());
    }
}
