//! The declaration of `[[route]]`.

use crate::declare::section;
use crate::route::{DomainPattern, RouteHost};
use crate::values::Name;
use std::path::PathBuf;

section! {
    /// A way for mail that does not go straight to the hosts of its domain (MX): a smart host, a provider's relay, or
    /// another host and port for some domains. Repeat the section for each; the first one that fits is taken. Without
    /// any, and for mail that none fits, the domain's own hosts are asked.
    pub(crate) struct RouteEntry in "route" {
        /// Name of the route.
        name: Name = required example "relay";
        /// Streams whose mail goes this way. Empty: every stream.
        streams: Vec<Name> = [];
        /// Recipients' domains that it is for; "*.example.com" stands for everything below example.com. Empty: all.
        domains: Vec<DomainPattern> = [];
        /// Hosts, the first one that answers takes the mail. Each has a `host` (name or address), and may have: `port`
        /// (465 with implicit TLS, 587 with a user, else 25), `tls` ("required" is meant when it is left out: STARTTLS,
        /// and the certificate must be good for the host's name; "implicit" is the same from the first byte on;
        /// "opportunistic"; "none"), `user` for AUTH, and `password_file`. Without `password_file` the password is the
        /// secret `route_password_NAME`, that of the second host `route_password_NAME_2`, and so on, with "_" for "-"
        /// and "." in the name.
        hosts: Vec<RouteHost> = required example [{ host = "smtp.example.com", user = "me", password_file = "/etc/packetboat/relay.password" }];
        /// Whether the domain's own hosts are asked while none of the route's hosts can be reached.
        then_direct: bool = false;
        /// File with certificates (PEM) that are trusted for the route's hosts besides those of the system.
        ca_file: Option<PathBuf> = none example "/etc/packetboat/relay-ca.pem";
    }
}
