//! Routes: other ways than the MX hosts of the recipient's domain.

use crate::inline::Inline;
use crate::problem::Collector;
use crate::secret::{self, SecretError};
use crate::sections::RouteEntry;
use crate::setting::{Bounds, Setting, Wrong, choice};
use crate::values::Name;
use mail::Domain;
use std::ffi::OsString;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    /// Unique name.
    pub name: Name,
    /// Streams whose mail goes this way; all when empty.
    pub streams: Vec<Name>,
    /// Recipients' domains that it is for; all when empty.
    pub domains: Vec<DomainPattern>,
    /// At least one, in the order in which they are asked.
    pub hosts: Vec<RouteHost>,
    /// Whether the domain's own hosts are asked while none of these can be reached.
    pub then_direct: bool,
    /// Certificates that are trusted besides those of the system.
    pub ca_file: Option<PathBuf>,
}

impl Route {
    /// Whether mail of this stream to this domain goes this way.
    #[must_use]
    pub fn fits(&self, stream: &str, domain: &str) -> bool {
        (self.streams.is_empty() || self.streams.iter().any(|name| name.as_str() == stream))
            && (self.domains.is_empty() || self.domains.iter().any(|pattern| pattern.fits(domain)))
    }
}

/// A host of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteHost {
    /// Name, or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// When TLS is used.
    pub tls: RouteTls,
    /// The user for AUTH; only with `Required` or `Implicit`.
    pub user: Option<String>,
    /// Where the password lies.
    pub password_file: Option<PathBuf>,
}

choice! {
    /// When TLS is used towards a route's host.
    RouteTls {
        /// Never.
        None = "none",
        /// STARTTLS where it is offered; the certificate is not judged.
        Opportunistic = "opportunistic",
        /// STARTTLS, and the certificate is good for the host's name.
        Required = "required",
        /// TLS from the first byte on (RFC 8314 §3.3), and the certificate is good for the host's name.
        Implicit = "implicit",
    }
}

impl RouteTls {
    /// Whether nothing goes without TLS, and the certificate must be good.
    #[must_use]
    pub fn is_sure(self) -> bool {
        matches!(self, RouteTls::Required | RouteTls::Implicit)
    }
}

/// One domain, or everything below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DomainPattern {
    /// This domain.
    Exactly(Domain),
    /// Every domain below this one: `*.example.com`.
    Below(Domain),
}

impl DomainPattern {
    /// Whether the domain is meant.
    #[must_use]
    pub fn fits(&self, domain: &str) -> bool {
        match self {
            DomainPattern::Exactly(this) => this.as_str() == domain,
            DomainPattern::Below(this) => domain.strip_suffix(this.as_str()).is_some_and(|rest| rest.ends_with('.')),
        }
    }
}

impl fmt::Display for DomainPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DomainPattern::Exactly(domain) => write!(f, "{domain}"),
            DomainPattern::Below(domain) => write!(f, "*.{domain}"),
        }
    }
}

impl Setting for DomainPattern {
    fn kind() -> String {
        "a domain name such as \"example.com\" or \"*.example.com\"".to_owned()
    }

    fn read(value: &Spanned<DeValue<'_>>, _: Bounds) -> Result<Self, Vec<Wrong>> {
        let text = value.get_ref().as_str().ok_or_else(|| Wrong::at(value))?;
        let read = |name: &str| Domain::parse(name).map_err(|_| Wrong::at(value));
        match text.strip_prefix("*.") {
            Some(name) => read(name).map(DomainPattern::Below),
            None => read(text).map(DomainPattern::Exactly),
        }
    }
}

/// The name of a host, or its address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HostName(pub String);

impl Setting for HostName {
    fn kind() -> String {
        "a host name such as \"smtp.example.com\", or an IP address".to_owned()
    }

    fn read(value: &Spanned<DeValue<'_>>, _: Bounds) -> Result<Self, Vec<Wrong>> {
        let text = value.get_ref().as_str().ok_or_else(|| Wrong::at(value))?;
        if let Ok(ip) = text.parse::<IpAddr>() {
            return Ok(HostName(ip.to_string()));
        }
        Domain::parse(text).map(|name| HostName(name.to_string())).map_err(|_| Wrong::at(value))
    }
}

impl Setting for RouteHost {
    fn kind() -> String {
        "a table such as { host = \"smtp.example.com\", port = 587, tls = \"required\", user = \"me\" }".to_owned()
    }

    fn read(value: &Spanned<DeValue<'_>>, _: Bounds) -> Result<Self, Vec<Wrong>> {
        let mut inline = Inline::of(value, &["host", "port", "tls", "user", "password_file"])?;
        let host: Option<HostName> = inline.required("host");
        let tls = inline.take("tls", None).unwrap_or(RouteTls::Required);
        let user: Option<String> = inline.take("user", None);
        let port = inline.take("port", Some(["1", "65535"]));
        let password_file = inline.take("password_file", None);
        if user.is_some() && !tls.is_sure() {
            inline.wrong("tls", "must be \"required\" or \"implicit\": AUTH is never said without TLS");
        }
        if password_file.is_some() && user.is_none() {
            inline.wrong("password_file", "stands there without user");
        }
        let usual = match tls {
            RouteTls::Implicit => 465,
            _ if user.is_some() => 587,
            _ => 25,
        };
        let Some(HostName(host)) = inline.end(host)? else { return Err(Wrong::at(value)) };
        Ok(RouteHost { host, port: port.unwrap_or(usual), tls, user, password_file })
    }
}

impl Route {
    /// The passwords of its hosts, in their order; `None` for a host without user. `env` looks up the environment.
    ///
    /// # Errors
    /// When a password that is needed is not there.
    pub fn passwords(&self, env: impl Fn(&str) -> Option<OsString>) -> Result<Vec<Option<String>>, SecretError> {
        let base = format!("route_password_{}", self.name.as_str().replace(['-', '.'], "_"));
        let of = |(place, host): (usize, &RouteHost)| {
            if host.user.is_none() {
                return Ok(None);
            }
            let name = if place == 0 { base.clone() } else { format!("{base}_{}", place + 1) };
            match secret::read(&name, host.password_file.as_deref(), &env)? {
                Some(password) => Ok(Some(password)),
                None => Err(SecretError::Absent { name }),
            }
        };
        self.hosts.iter().enumerate().map(of).collect()
    }

    pub(crate) fn of(entry: RouteEntry) -> Route {
        let RouteEntry { name, streams, domains, hosts, then_direct, ca_file } = entry;
        Route { name, streams, domains, hosts, then_direct, ca_file }
    }
}

/// What only shows when the entries are seen together, and beside the streams.
pub(crate) fn check(entries: &[(RouteEntry, &DeTable<'_>)], streams: &[&str], problems: &mut Collector<'_>) {
    for (number, (entry, table)) in entries.iter().enumerate() {
        let at = |key: &str| table.get(key).map_or(0..0, Spanned::span);
        let name = entry.name.as_str();
        if entries[..number].iter().any(|(earlier, _)| earlier.name == entry.name) {
            problems.add(&at("name"), "route.name", format!("two routes are named {name}; names must be unique"));
        }
        if entry.hosts.is_empty() {
            problems.add(&at("hosts"), "route.hosts", format!("route {name} has no hosts; name at least one"));
        }
        for stream in entry.streams.iter().map(Name::as_str).filter(|stream| !streams.contains(stream)) {
            let hint = match crate::suggest::nearest(stream, streams) {
                Some(near) => format!("did you mean {near}?"),
                None => format!("streams: {}", streams.join(", ")),
            };
            let message = format!("route {name} names stream {stream}, which does not exist; {hint}");
            problems.add(&at("streams"), "route.streams", message);
        }
    }
}
