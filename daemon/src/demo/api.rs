//! The HTTP API, as any program outside would use it.

use anyhow::{Context, bail};
use api_types::{ErrorBody, Page};
use reqwest::header::{AUTHORIZATION, HeaderMap, HeaderValue};
use reqwest::{RequestBuilder, multipart};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A client with an API key.
pub struct Api {
    http: reqwest::Client,
    base: String,
}

impl Api {
    /// For the daemon at `base`.
    pub fn new(base: String, key: &str) -> anyhow::Result<Api> {
        let mut headers = HeaderMap::new();
        headers.insert(AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {key}"))?);
        // The daemon is on this machine, whatever proxy the environment names.
        let http = reqwest::Client::builder().default_headers(headers).no_proxy().build()?;
        Ok(Api { http, base: format!("{base}/api/v1") })
    }

    /// Asks for something.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        read(path, self.http.get(format!("{}{path}", self.base))).await
    }

    /// Makes or does something.
    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> anyhow::Result<T> {
        read(path, self.http.post(format!("{}{path}", self.base)).json(body)).await
    }

    /// Replaces something.
    pub async fn put<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> anyhow::Result<T> {
        read(path, self.http.put(format!("{}{path}", self.base)).json(body)).await
    }

    /// Hands over a file.
    pub async fn upload<T: DeserializeOwned>(&self, path: &str, name: &str, bytes: Vec<u8>) -> anyhow::Result<T> {
        let part = multipart::Part::bytes(bytes).file_name(name.to_owned()).mime_str("text/csv")?;
        let form = multipart::Form::new().part("file", part);
        read(path, self.http.post(format!("{}{path}", self.base)).multipart(form)).await
    }

    /// All pages of a list.
    pub async fn list<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<Vec<T>> {
        let (mut items, mut cursor) = (Vec::new(), String::new());
        loop {
            let page: Page<T> = self.get(&format!("{path}?limit=200{cursor}")).await?;
            items.extend(page.items);
            match page.next {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return Ok(items),
            }
        }
    }
}

async fn read<T: DeserializeOwned>(path: &str, request: RequestBuilder) -> anyhow::Result<T> {
    let response = request.send().await.with_context(|| format!("{path} was not answered"))?;
    let status = response.status();
    if status.is_success() {
        return response.json().await.with_context(|| format!("the answer to {path} cannot be read"));
    }
    let said = response.json::<ErrorBody>().await.map(|body| body.error.message).unwrap_or_default();
    bail!("{path} was answered {status}: {said}")
}
