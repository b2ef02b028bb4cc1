//! Ways that mail takes instead of that to its domain's own hosts, as `GET /api/v1/explain` tells of them.

use serde::{Deserialize, Serialize};

use crate::Time;

/// A route of the configuration that fits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TakenRoute {
    /// Name.
    pub name: String,
    /// Until when the domain's own hosts are asked instead, because none of the route's could be reached. Then hosts and
    /// limits are those of the domain.
    pub down_until: Option<Time>,
}

/// The way of a stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct OtherWay {
    /// The stream.
    pub stream: String,
    /// Its route; the domain's own hosts when absent.
    pub route: Option<String>,
    /// The route's hosts with their ports, in the order in which they are asked.
    pub hosts: Vec<String>,
}

impl OtherWay {
    /// As a sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        match &self.route {
            Some(route) => {
                format!("Mail of the stream {} takes the route {route} ({}).", self.stream, self.hosts.join("; "))
            }
            None => format!("Mail of the stream {} goes to the domain's own hosts.", self.stream),
        }
    }
}

impl crate::Explanation {
    /// Where mail to the domain goes, as a sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        let hosts = self.hosts.join(", ");
        let of_stream = self.stream.as_ref().map(|stream| format!("Mail of the stream {stream} to "));
        let whose = of_stream.as_deref().unwrap_or_default();
        let domain = &self.domain;
        match &self.route {
            None => format!("{whose}{domain} goes to {} ({hosts}).", self.provider),
            Some(TakenRoute { name, down_until: None }) => {
                format!("{whose}{domain} takes the route {name} to {} ({hosts}).", self.provider)
            }
            Some(TakenRoute { name, down_until: Some(until) }) => format!(
                "{whose}{domain} goes to {} ({hosts}) until {until}, because no host of its route {name} can be reached.",
                self.provider
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Explanation;

    #[test]
    fn ways_are_told_in_sentences() {
        let told = |stream: Option<&str>, route: Option<TakenRoute>| {
            let told = Explanation {
                domain: "gmail.com".to_owned(),
                hosts: vec!["a.example".to_owned(), "b.example".to_owned()],
                provider: "a.example".to_owned(),
                source: None,
                stream: stream.map(str::to_owned),
                route,
                other_ways: Vec::new(),
                limits: Vec::new(),
                automations: Vec::new(),
            };
            told.sentence()
        };
        let relay =
            |until: Option<&str>| Some(TakenRoute { name: "relay".to_owned(), down_until: until.map(str::to_owned) });
        for (stream, route, sentence) in [
            (None, None, "gmail.com goes to a.example (a.example, b.example)."),
            (
                Some("bulk"),
                relay(None),
                "Mail of the stream bulk to gmail.com takes the route relay to a.example (a.example, b.example).",
            ),
            (
                None,
                relay(Some("noon")),
                "gmail.com goes to a.example (a.example, b.example) until noon, because no host of its route relay can be reached.",
            ),
        ] {
            assert_eq!(told(stream, route), sentence);
        }
        let way = |route: Option<&str>| OtherWay {
            stream: "bulk".to_owned(),
            route: route.map(str::to_owned),
            hosts: vec!["a.example, port 587".to_owned(), "b.example, port 25".to_owned()],
        };
        let relay = way(Some("relay")).sentence();
        assert_eq!(relay, "Mail of the stream bulk takes the route relay (a.example, port 587; b.example, port 25).");
        assert_eq!(way(None).sentence(), "Mail of the stream bulk goes to the domain's own hosts.");
    }
}
