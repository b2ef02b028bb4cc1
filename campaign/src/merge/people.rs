//! What merge tags can name: `contact`, `campaign`, `workspace`, `unsubscribe_url`, `preferences_url`.

use minijinja::Value;
use minijinja::value::{Enumerator, Object};
use std::sync::{Arc, OnceLock};
use storage::contact::Person;

/// The values that one rendering may use. Looked up when a tag asks, so that what no tag asks for costs nothing.
#[derive(Clone, Debug)]
pub(crate) struct Root {
    /// The contact.
    pub(crate) contact: Value,
    /// The campaign.
    pub(crate) campaign: Value,
    /// The workspace.
    pub(crate) workspace: Value,
    /// The page on which this recipient unsubscribes.
    pub(crate) unsubscribe_url: Value,
    /// The page on which this recipient chooses what it gets.
    pub(crate) preferences_url: Value,
}

/// The names that [`Root`] knows.
pub(crate) const NAMES: [&str; 5] = ["contact", "campaign", "workspace", "unsubscribe_url", "preferences_url"];

impl Object for Root {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        Some(match key {
            "contact" => self.contact.clone(),
            "campaign" => self.campaign.clone(),
            "workspace" => self.workspace.clone(),
            "unsubscribe_url" => self.unsubscribe_url.clone(),
            "preferences_url" => self.preferences_url.clone(),
            _ => return None,
        })
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Str(&NAMES)
    }
}

/// `contact`: its own values, and its attributes both directly and under `attributes`.
#[derive(Debug)]
pub(crate) struct ContactValues {
    person: Person,
    attributes: OnceLock<Value>,
}

/// What every contact has, beside its attributes.
pub(crate) const CONTACT_NAMES: [&str; 4] = ["email", "first_name", "last_name", "attributes"];

impl ContactValues {
    pub(crate) fn value(person: Person) -> Value {
        Value::from_object(ContactValues { person, attributes: OnceLock::new() })
    }

    fn attributes(&self) -> &Value {
        self.attributes.get_or_init(|| {
            let parsed = serde_json::from_str(&self.person.attributes).unwrap_or(serde_json::Value::Null);
            from_json(parsed)
        })
    }
}

impl Object for ContactValues {
    fn get_value(self: &Arc<Self>, key: &Value) -> Option<Value> {
        self.get_value_by_str(key.as_str()?)
    }

    fn get_value_by_str(self: &Arc<Self>, key: &str) -> Option<Value> {
        match key {
            "email" => Some(Value::from(self.person.email.as_str())),
            "first_name" => Some(Value::from(self.person.first_name.as_str())),
            "last_name" => Some(Value::from(self.person.last_name.as_str())),
            "attributes" => Some(self.attributes().clone()),
            name => self.attributes().get_attr(name).ok().filter(|value| !value.is_undefined()),
        }
    }

    fn enumerate(self: &Arc<Self>) -> Enumerator {
        Enumerator::Str(&CONTACT_NAMES)
    }
}

/// A JSON value as merge tags see it.
pub(crate) fn from_json(value: serde_json::Value) -> Value {
    match value {
        serde_json::Value::Null => Value::from(()),
        serde_json::Value::Bool(b) => Value::from(b),
        serde_json::Value::Number(n) => match n.as_i64() {
            Some(n) => Value::from(n),
            None => Value::from(n.as_f64().unwrap_or_default()),
        },
        serde_json::Value::String(text) => Value::from(text),
        serde_json::Value::Array(list) => list.into_iter().map(from_json).collect(),
        serde_json::Value::Object(map) => Value::from_pairs(map.into_iter().map(|(k, v)| (k, from_json(v)))),
    }
}

/// `campaign`: what is the same for all its recipients.
pub(crate) fn campaign_value(name: &str) -> Value {
    Value::from_pairs([("name", Value::from(name))])
}

/// What `campaign` has.
pub(crate) const CAMPAIGN_NAMES: [&str; 1] = ["name"];

/// `workspace`.
pub(crate) fn workspace_value(workspace: &storage::workspace::Workspace) -> Value {
    Value::from_pairs([
        ("name", Value::from(workspace.name.as_str())),
        ("postal_address", Value::from(workspace.postal_address.as_str())),
    ])
}

/// What `workspace` has.
pub(crate) const WORKSPACE_NAMES: [&str; 2] = ["name", "postal_address"];
