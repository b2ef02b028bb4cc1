//! Requests to where strangers say: webhooks.
//!
//! Whoever may name an address could make this host speak to what only it reaches: itself, its private network, the
//! cloud's metadata service. So only public addresses are connected to. What counts is the address, not the name: a name
//! is looked up here, and the connection goes to one of the addresses that were found good and to no other. Redirects,
//! which would lead elsewhere, are answers like others.

use futures_util::StreamExt;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

/// Time for a whole request, from the look-up to the answer.
const TIME_MAX: Duration = Duration::from_secs(10);
/// Time for a connection.
const CONNECT_MAX: Duration = Duration::from_secs(5);
/// Connections that are kept for later, and for how long.
const IDLE_MAX: usize = 8;
const IDLE_TIME: Duration = Duration::from_secs(30);
/// A date or a number has no more bytes.
const RETRY_AFTER_MAX: usize = 40;

/// Which addresses may be connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Public ones, with TLS.
    Public,
    /// Every one, without TLS too.
    Everywhere,
}

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Posted {
    /// HTTP status.
    pub status: u16,
    /// When to come again (`Retry-After`, RFC 9110 §10.2.3), as written.
    pub retry_after: Option<String>,
    /// The beginning of the body.
    pub body: Vec<u8>,
}

/// Why nothing came back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PostError {
    /// Nobody was asked: the URL or its address is not allowed.
    #[error("{0}")]
    Refused(String),
    /// No answer in time.
    #[error("no answer within {} s", TIME_MAX.as_secs())]
    Late,
    /// No connection, no TLS, or no HTTP.
    #[error("{0}")]
    Failed(String),
}

/// Sends requests to where strangers say. Connections are kept and used again.
#[derive(Clone)]
pub struct Poster {
    /// A host without certificate authorities has no client, and every request is answered with the reason.
    client: Result<reqwest::Client, String>,
    reach: Reach,
}

impl Poster {
    /// Sets up a client; connects to nobody yet.
    #[must_use]
    pub fn new(reach: Reach) -> Poster {
        let client = reqwest::Client::builder()
            .https_only(reach == Reach::Public)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(TIME_MAX)
            .connect_timeout(CONNECT_MAX)
            .pool_max_idle_per_host(IDLE_MAX)
            .pool_idle_timeout(IDLE_TIME)
            .dns_resolver(Resolver(reach))
            .user_agent(concat!("Packetboat/", env!("CARGO_PKG_VERSION")))
            .build();
        Poster { client: client.map_err(|e| innermost(&e)), reach }
    }

    /// Says whether a URL can be used at all; the addresses behind its name are looked at when it is.
    ///
    /// # Errors
    /// Why not.
    pub fn check(&self, url: &str) -> Result<(), PostError> {
        check(url, self.reach).map_err(PostError::Refused)
    }

    /// POST of a JSON document with more headers; at most `answer_max` bytes of the answer's body are read.
    ///
    /// # Errors
    /// When no answer came; an answer of any status is none.
    pub async fn post(
        &self,
        url: &str,
        headers: &[(&'static str, String)],
        body: String,
        answer_max: usize,
    ) -> Result<Posted, PostError> {
        self.check(url)?;
        let client = self.client.as_ref().map_err(|why| PostError::Failed(why.clone()))?;
        let mut request = client.post(url).header(reqwest::header::CONTENT_TYPE, "application/json").body(body);
        for (name, value) in headers {
            request = request.header(*name, value);
        }
        let response = request.send().await.map_err(|e| failed(&e))?;
        let status = response.status().as_u16();
        let retry_after = response.headers().get(reqwest::header::RETRY_AFTER).and_then(|value| value.to_str().ok());
        let retry_after = retry_after.filter(|text| text.len() <= RETRY_AFTER_MAX).map(str::to_owned);
        let mut body = Vec::new();
        let mut stream = response.bytes_stream();
        // The status has said it already: of a body that breaks off what came is kept.
        while body.len() < answer_max
            && let Some(Ok(piece)) = stream.next().await
        {
            let room = answer_max - body.len();
            body.extend_from_slice(&piece[..piece.len().min(room)]);
        }
        Ok(Posted { status, retry_after, body })
    }
}

fn check(url: &str, reach: Reach) -> Result<(), String> {
    let url = reqwest::Url::parse(url).map_err(|e| format!("{url:?} is not a URL: {e}"))?;
    match (url.scheme(), reach) {
        ("https", _) | ("http", Reach::Everywhere) => {}
        (_, Reach::Public) => return Err("the URL must begin with https://".to_owned()),
        (_, Reach::Everywhere) => return Err("the URL must begin with https:// or http://".to_owned()),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("the URL must not hold a user name or password; check the signature instead".to_owned());
    }
    let host = url.host_str().filter(|host| !host.is_empty()).ok_or("the URL names no host")?;
    match host.trim_matches(['[', ']']).parse::<IpAddr>() {
        Ok(ip) if reach == Reach::Public && !is_public(ip) => Err(not_public(host, ip)),
        _ => Ok(()),
    }
}

fn not_public(host: &str, ip: IpAddr) -> String {
    format!("{host} leads to {ip}, which is not a public address")
}

/// Looks names up with the system, and leaves out what may not be connected to.
struct Resolver(Reach);

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.0;
        Box::pin(async move {
            let found: Vec<SocketAddr> = tokio::net::lookup_host((name.as_str(), 0)).await?.collect();
            let good = |address: &&SocketAddr| reach == Reach::Everywhere || is_public(address.ip());
            let usable: Vec<SocketAddr> = found.iter().filter(good).copied().collect();
            match (usable.is_empty(), found.first()) {
                (false, _) => Ok(Box::new(usable.into_iter()) as Addrs),
                (true, Some(address)) => Err(not_public(name.as_str(), address.ip()).into()),
                (true, None) => Err(format!("{} has no address", name.as_str()).into()),
            }
        })
    }
}

/// Whether an address is one of the internet that anybody can reach.
fn is_public(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => is_public_v4(ip),
        IpAddr::V6(ip) => is_public_v6(ip),
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let special = ip.is_private()
        || ip.is_loopback()
        // The metadata services of clouds are link-local.
        || ip.is_link_local()
        || ip.is_documentation()
        || ip.is_multicast();
    match (a, b, c) {
        // This network, shared by carriers, protocol assignments, benchmarks, reserved with broadcast.
        (0, _, _) | (100, 64..=127, _) | (192, 0, 0) | (198, 18 | 19, _) | (240..=255, _, _) => false,
        _ => !special,
    }
}

fn is_public_v6(ip: Ipv6Addr) -> bool {
    // What stands for an IPv4 address is judged as that one: mapped, NAT64, 6to4.
    let embedded = match ip.segments() {
        [0, 0, 0, 0, 0, 0xffff, a, b] | [0x64, 0xff9b, 0, 0, 0, 0, a, b] | [0x2002, a, b, ..] => Some((a, b)),
        _ => None,
    };
    if let Some((a, b)) = embedded {
        let ([a, b], [c, d]) = (a.to_be_bytes(), b.to_be_bytes());
        return is_public_v4(Ipv4Addr::new(a, b, c, d));
    }
    match ip.segments() {
        // Documentation and Teredo lie inside of what is global.
        [0x2001, 0xdb8 | 0, ..] | [0x3fff, 0..=0xfff, ..] => false,
        // Everything global begins with these three bits; the rest is loopback, local, multicast or unknown.
        [first, ..] => first & 0xe000 == 0x2000,
    }
}

fn failed(error: &reqwest::Error) -> PostError {
    let why = innermost(error);
    if error.is_timeout() {
        return PostError::Late;
    }
    if why.ends_with("which is not a public address") { PostError::Refused(why) } else { PostError::Failed(why) }
}

fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    #[test]
    fn public_addresses() {
        for (ip, expected) in [
            ("9.9.9.9", true),
            ("100.63.255.255", true),
            ("172.15.0.1", true),
            ("2620:fe::fe", true),
            ("2a00::1", true),
            ("::ffff:9.9.9.9", true),
            ("0.0.0.0", false),
            ("10.1.2.3", false),
            ("100.64.0.1", false),
            ("127.0.0.1", false),
            ("169.254.169.254", false),
            ("172.16.0.1", false),
            ("192.0.0.170", false),
            ("192.0.2.1", false),
            ("192.168.1.1", false),
            ("198.18.0.1", false),
            ("224.0.0.1", false),
            ("255.255.255.255", false),
            ("::", false),
            ("::1", false),
            ("::ffff:127.0.0.1", false),
            ("::127.0.0.1", false),
            ("64:ff9b::169.254.169.254", false),
            ("2002:7f00:1::1", false),
            ("2001:db8::1", false),
            ("2001::1", false),
            ("fc00::1", false),
            ("fd00:ec2::254", false),
            ("fe80::1", false),
            ("ff02::1", false),
        ] {
            assert_eq!(is_public(ip.parse().unwrap()), expected, "{ip}");
        }
    }

    #[test]
    fn urls() {
        for (url, public, everywhere) in [
            ("https://hooks.example/in?x=1", true, true),
            ("https://9.9.9.9/", true, true),
            ("https://[2620:fe::fe]:8443/", true, true),
            ("http://hooks.example/", false, true),
            ("https://127.0.0.1/", false, true),
            // Other spellings of the same address.
            ("https://2130706433/", false, true),
            ("https://0x7f.1/", false, true),
            ("https://[::ffff:7f00:1]/", false, true),
            ("https://ana:secret@hooks.example/", false, false),
            ("ftp://hooks.example/", false, false),
            ("https://", false, false),
            ("hooks.example", false, false),
        ] {
            assert_eq!(check(url, Reach::Public).is_ok(), public, "{url}");
            assert_eq!(check(url, Reach::Everywhere).is_ok(), everywhere, "{url}");
        }
    }

    #[tokio::test]
    async fn a_name_that_leads_to_this_host_is_not_connected_to() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
        let error = Poster::new(Reach::Public).post(&url, &[], String::new(), 10).await.unwrap_err();
        let PostError::Refused(why) = error else { panic!("{error:?}") };
        assert!(why.starts_with("localhost leads to ") && why.ends_with("not a public address"), "{why}");
        let nobody = tokio::time::timeout(Duration::from_millis(50), listener.accept()).await;
        assert!(nobody.is_err(), "somebody connected");
    }

    #[tokio::test]
    async fn of_a_long_answer_the_beginning_is_read() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://localhost:{}/in", listener.local_addr().unwrap().port());
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = vec![0; 4096];
            let length = stream.read(&mut request).await.unwrap();
            stream.write_all(b"HTTP/1.1 302 Found\r\nlocation: /other\r\nretry-after: 90\r\n\r\n").await.unwrap();
            // Without end: whoever read all of it would never come back.
            while stream.write_all(&[b'x'; 1024]).await.is_ok() {}
            String::from_utf8(request[..length].to_vec()).unwrap()
        });
        let poster = Poster::new(Reach::Everywhere);
        let headers = [("webhook-id", "evt-1".to_owned())];
        let posted = poster.post(&url, &headers, "{}".to_owned(), 100).await.unwrap();
        assert_eq!((posted.status, posted.body.len()), (302, 100));
        assert_eq!(posted.retry_after.as_deref(), Some("90"));
        let request = server.await.unwrap();
        for wanted in ["POST /in HTTP/1.1\r\n", "content-type: application/json\r\n", "webhook-id: evt-1\r\n"] {
            assert!(request.contains(wanted), "{wanted:?} is not in {request}");
        }
        assert!(request.contains("user-agent: Packetboat/"), "{request}");
    }
}
