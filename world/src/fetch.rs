//! Small documents over HTTPS, and small ones brought: MTA-STS policies (RFC 8461 §3.3) and TLS reports (RFC 8460 §5.4).

use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use std::time::Duration;

/// A document.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// HTTP status.
    pub status: u16,
    /// Content-Type, as sent; empty when none was.
    pub content_type: String,
    /// The body, whole.
    pub body: Vec<u8>,
}

/// Why there is no document.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The server's certificate is not good for its name.
    #[error("the certificate of {host} is not accepted: {why}")]
    Certificate {
        /// The server.
        host: String,
        /// What TLS said.
        why: String,
    },
    /// It is longer than allowed.
    #[error("the answer of {host} has more than {max} bytes")]
    TooLong {
        /// The server.
        host: String,
        /// Bytes allowed.
        max: usize,
    },
    /// No connection, no answer in time, or no HTTP.
    #[error("no answer from {host}: {why}")]
    Failed {
        /// The server.
        host: String,
        /// What happened.
        why: String,
    },
}

/// Speaks HTTPS with servers whose certificates are good for their names. Redirects are not followed: RFC 8461 §3.3
/// forbids it.
pub trait Fetch: Send + Sync + 'static {
    /// GET of at most `max` bytes.
    fn get<'a>(&'a self, url: &'a str, max: usize) -> BoxFuture<'a, Result<Fetched, FetchError>>;
    /// POST; the status of the answer.
    fn post<'a>(&'a self, url: &'a str, content_type: &'a str, body: Vec<u8>)
    -> BoxFuture<'a, Result<u16, FetchError>>;
}

/// RFC 8461 §3.3 suggests a minute.
const TIME_MAX: Duration = Duration::from_secs(60);

/// HTTPS over the system's network, with the certificate authorities that this host trusts.
#[derive(Clone)]
pub struct HttpsFetch {
    /// A host without certificate authorities has no client, and every question is answered with the reason.
    client: Result<reqwest::Client, String>,
}

impl HttpsFetch {
    /// Sets up a client; connects to nobody yet.
    #[must_use]
    pub fn new() -> HttpsFetch {
        let client = reqwest::Client::builder()
            .https_only(true)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(TIME_MAX)
            .user_agent(concat!("packetboat/", env!("CARGO_PKG_VERSION")))
            .build();
        HttpsFetch { client: client.map_err(|e| innermost(&e)) }
    }

    fn client(&self, url: &str) -> Result<&reqwest::Client, FetchError> {
        self.client.as_ref().map_err(|why| FetchError::Failed { host: host(url), why: why.clone() })
    }
}

impl Default for HttpsFetch {
    fn default() -> Self {
        HttpsFetch::new()
    }
}

impl Fetch for HttpsFetch {
    fn get<'a>(&'a self, url: &'a str, max: usize) -> BoxFuture<'a, Result<Fetched, FetchError>> {
        Box::pin(async move {
            let response = self.client(url)?.get(url).send().await.map_err(|e| failed(url, &e))?;
            let status = response.status().as_u16();
            let content_type = response.headers().get(reqwest::header::CONTENT_TYPE);
            let content_type = content_type.and_then(|value| value.to_str().ok()).unwrap_or("").to_owned();
            let mut body = Vec::new();
            let mut stream = response.bytes_stream();
            while let Some(piece) = stream.next().await {
                body.extend_from_slice(&piece.map_err(|e| failed(url, &e))?);
                if body.len() > max {
                    return Err(FetchError::TooLong { host: host(url), max });
                }
            }
            Ok(Fetched { status, content_type, body })
        })
    }

    fn post<'a>(
        &'a self,
        url: &'a str,
        content_type: &'a str,
        body: Vec<u8>,
    ) -> BoxFuture<'a, Result<u16, FetchError>> {
        Box::pin(async move {
            let request = self.client(url)?.post(url).header(reqwest::header::CONTENT_TYPE, content_type).body(body);
            Ok(request.send().await.map_err(|e| failed(url, &e))?.status().as_u16())
        })
    }
}

fn host(url: &str) -> String {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?', '#']).next().unwrap_or(rest).to_owned()
}

/// What happened, by its innermost cause; a refused certificate is told apart, since it is reported as such.
fn failed(url: &str, error: &reqwest::Error) -> FetchError {
    let (host, why) = (host(url), innermost(error));
    if why.contains("certificate") {
        return FetchError::Certificate { host, why };
    }
    FetchError::Failed {
        host,
        why: if error.is_timeout() { format!("not within {} s", TIME_MAX.as_secs()) } else { why },
    }
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

    #[test]
    fn hosts() {
        for (url, wanted) in [
            ("https://mta-sts.a.example/.well-known/mta-sts.txt", "mta-sts.a.example"),
            ("https://reports.example?x=/", "reports.example"),
            ("no url", "no url"),
        ] {
            assert_eq!(host(url), wanted);
        }
    }

    #[tokio::test]
    async fn only_https() {
        let error = HttpsFetch::new().get("http://127.0.0.1:9/", 10).await.unwrap_err();
        assert!(matches!(error, FetchError::Failed { .. }), "{error}");
    }
}
