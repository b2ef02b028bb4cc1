//! SMTP credentials: what forms and rows say.

use api_types::{SmtpCredential, SmtpServer};

/// The domains of a field in which they stand with commas or blanks between them.
#[must_use]
pub fn domains(text: &str) -> Vec<String> {
    text.split([',', ' ', '\n']).map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect()
}

/// The rate in a field; empty is no limit. What is no number is sent as one that the server refuses, with its words.
#[must_use]
pub fn rate(text: &str) -> Option<u32> {
    let text = text.trim();
    (!text.is_empty()).then(|| text.parse().unwrap_or(0))
}

/// What a credential may send from.
#[must_use]
pub fn reach(row: &SmtpCredential) -> String {
    match (row.all_domains, row.domains.as_slice()) {
        (true, _) => "every sending domain".to_owned(),
        (false, []) => "none: its domains are gone".to_owned(),
        (false, names) => names.join(", "),
    }
}

/// How fast a credential may send.
#[must_use]
pub fn pace(row: &SmtpCredential) -> String {
    row.messages_per_minute
        .map_or("no limit".to_owned(), |rate| format!("{} a minute", crate::number::grouped(rate.into())))
}

/// Where programs sign in, one line per port.
#[must_use]
pub fn ports(server: &SmtpServer) -> Vec<String> {
    let line = |port: Option<u16>, how: &str| port.map(|port| format!("{} port {port}, {how}", server.host));
    line(server.starttls_port, "STARTTLS").into_iter().chain(line(server.tls_port, "TLS")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(all_domains: bool, names: &[&str], messages_per_minute: Option<u32>) -> SmtpCredential {
        SmtpCredential {
            id: 1,
            name: "shop".to_owned(),
            login: "pb1".to_owned(),
            stream: "transactional".to_owned(),
            all_domains,
            domains: names.iter().map(|name| (*name).to_owned()).collect(),
            messages_per_minute,
            enabled: true,
            created_at: String::new(),
            last_used_at: None,
        }
    }

    #[test]
    fn fields() {
        assert_eq!(domains(" a.example, b.example\n,"), ["a.example", "b.example"]);
        assert_eq!(domains(" "), Vec::<String>::new());
        assert_eq!([rate(""), rate(" 60 "), rate("many")], [None, Some(60), Some(0)]);
    }

    #[test]
    fn rows() {
        assert_eq!(reach(&row(true, &["a.example"], None)), "every sending domain");
        assert_eq!(reach(&row(false, &["a.example", "b.example"], None)), "a.example, b.example");
        assert_eq!(reach(&row(false, &[], None)), "none: its domains are gone");
        assert_eq!(pace(&row(true, &[], Some(1200))), "1,200 a minute");
        assert_eq!(pace(&row(true, &[], None)), "no limit");
    }

    #[test]
    fn where_to_sign_in() {
        let server =
            |starttls_port, tls_port| SmtpServer { host: "mail.example.com".to_owned(), starttls_port, tls_port };
        assert_eq!(
            ports(&server(Some(587), Some(465))),
            ["mail.example.com port 587, STARTTLS", "mail.example.com port 465, TLS"]
        );
        assert_eq!(ports(&server(None, None)), Vec::<String>::new());
    }
}
