//! Limits and automations for people.

use crate::tone::{Status, Tone, words};
use api_types::Automation;

/// Which layer set a limit, as a mark: the built-in ones are the rule, the operator's stand out.
#[must_use]
pub fn layer(layer: &str) -> (Tone, String) {
    match layer {
        "default" => (Tone::Neutral, "Default".to_owned()),
        layer if layer.starts_with("provider ") => (Tone::Active, "Built in for this provider".to_owned()),
        layer => (Tone::Later, layer.to_owned()),
    }
}

/// How an automation stands.
#[must_use]
pub fn standing(automation: &Automation) -> Status {
    match (&automation.ended_at, &automation.hold_until, &automation.alarm) {
        (Some(_), _, _) => (Tone::Neutral, "Ended"),
        (None, Some(_), Some(_)) => (Tone::Danger, "Held, needs you"),
        (None, Some(_), None) => (Tone::Warning, "Held"),
        (None, None, _) if automation.rate.is_none() && automation.connections.is_none() => {
            (Tone::Warning, "Goes on, needs you")
        }
        (None, None, _) => (Tone::Warning, "Slowed down"),
    }
}

/// What decided about a reply, for people.
#[must_use]
pub fn decided_by(by: &str) -> &'static str {
    match by {
        "own_rule" => "your own rule",
        "builtin_rule" => "built-in rule",
        "codes" => "by its codes alone: no rule knows these words",
        _ => "no rule knows it",
    }
}

/// A limit's name for people: `provider_message_rate` as `Message rate, whole provider`.
#[must_use]
pub fn limit(name: &str) -> String {
    for (prefix, whole) in [("site_", "all sources, one site"), ("provider_", "one source, whole provider")] {
        if let Some(rest) = name.strip_prefix(prefix) {
            return format!("{}, {whole}", words(rest));
        }
    }
    words(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_for_people() {
        assert_eq!(limit("message_rate"), "Message rate");
        assert_eq!(limit("site_connections"), "Connections, all sources, one site");
        assert_eq!(limit("provider_message_rate"), "Message rate, one source, whole provider");
    }

    #[test]
    fn what_decided_is_named() {
        assert_eq!(decided_by("own_rule"), "your own rule");
        assert_eq!(decided_by("nothing"), "no rule knows it");
    }

    #[test]
    fn the_operators_layers_are_named_in_full() {
        assert_eq!(layer("default").0, Tone::Neutral);
        assert_eq!(layer("provider Google").1, "Built in for this provider");
        let own = "packetboat.toml, [[shaping]] 2 (domain example.org)";
        assert_eq!(layer(own), (Tone::Later, own.to_owned()));
    }
}
