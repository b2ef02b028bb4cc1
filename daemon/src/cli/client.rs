//! Requests to the API over the local socket.

use crate::serve::{self, Running, socket_path};
use anyhow::{Context, anyhow, bail};
use api_types::{ErrorBody, Page};
use config::Config;
use reqwest::{Method, RequestBuilder, Response, StatusCode, multipart};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use tokio::net::UnixStream;

/// Speaks to the daemon, or to one inside this process.
pub(crate) struct Client {
    http: reqwest::Client,
    offline: Option<Running>,
}

impl Client {
    /// Finds the running daemon, or opens the data folder.
    pub async fn open(config: Config) -> anyhow::Result<Client> {
        let dir = config.storage.dir.clone();
        let socket = socket_path(&dir);
        let offline = match UnixStream::connect(&socket).await {
            Ok(_) => None,
            Err(e) if e.kind() == std::io::ErrorKind::PermissionDenied => bail!(
                "{} belongs to another user; run this as the user of the daemon: sudo -u packetboat packetboat ...",
                socket.display()
            ),
            Err(_) => {
                refuse_other_owner(&dir)?;
                Some(serve::start_offline(config).await?)
            }
        };
        let http = reqwest::Client::builder().unix_socket(socket).build()?;
        Ok(Client { http, offline })
    }

    /// Whether a daemon runs, so that what was begun goes on.
    pub fn daemon_runs(&self) -> bool {
        self.offline.is_none()
    }

    /// Ends what was opened.
    pub async fn close(self) -> anyhow::Result<()> {
        // Kept connections would hold the drain up.
        drop(self.http);
        match self.offline {
            Some(running) => running.stop().await,
            None => Ok(()),
        }
    }

    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        read(self.request(Method::GET, path)).await
    }

    pub async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> anyhow::Result<T> {
        read(self.request(Method::POST, path).json(body)).await
    }

    pub async fn put<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> anyhow::Result<T> {
        read(self.request(Method::PUT, path).json(body)).await
    }

    pub async fn patch<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> anyhow::Result<T> {
        read(self.request(Method::PATCH, path).json(body)).await
    }

    pub async fn delete<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        read(self.request(Method::DELETE, path)).await
    }

    /// A mail as it is.
    pub async fn feed<T: DeserializeOwned>(&self, path: &str, mail: Vec<u8>) -> anyhow::Result<T> {
        read(self.request(Method::POST, path).header("content-type", "message/rfc822").body(mail)).await
    }

    pub async fn upload<T: DeserializeOwned>(&self, path: &str, file: &Path) -> anyhow::Result<T> {
        let form = multipart::Form::new().file("file", file).await;
        let form = form.with_context(|| format!("cannot read {}", file.display()))?;
        read(self.request(Method::POST, path).multipart(form)).await
    }

    /// What is no JSON, such as a list in CSV.
    pub async fn text(&self, path: &str) -> anyhow::Result<String> {
        let response = self.request(Method::GET, path).send().await.context("the daemon does not answer")?;
        if response.status().is_success() {
            return response.text().await.context("the daemon's answer broke off");
        }
        Err(refusal(response).await)
    }

    /// All pages of a list.
    pub async fn list<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<Vec<T>> {
        let mut items = Vec::new();
        let mut cursor = String::new();
        loop {
            let join = if path.contains('?') { '&' } else { '?' };
            let page: Page<T> = self.get(&format!("{path}{join}limit=200&cursor={cursor}")).await?;
            items.extend(page.items);
            match page.next {
                Some(next) => cursor = next,
                None => return Ok(items),
            }
        }
    }

    fn request(&self, method: Method, path: &str) -> RequestBuilder {
        // The host is a formality: the socket leads to one place.
        self.http.request(method, format!("http://packetboat/api/v1{path}"))
    }
}

/// Files made by root would lock the daemon's own user out of its folder.
fn refuse_other_owner(dir: &Path) -> anyhow::Result<()> {
    let (Ok(folder), Ok(process)) = (std::fs::metadata(dir), std::fs::metadata("/proc/self")) else { return Ok(()) };
    if folder.uid() != process.uid() {
        bail!(
            "{} belongs to another user, and no daemon runs on it; start the daemon, or run this as that user: \
             sudo -u packetboat packetboat ...",
            dir.display()
        );
    }
    Ok(())
}

async fn read<T: DeserializeOwned>(request: RequestBuilder) -> anyhow::Result<T> {
    let response = request.send().await.context("the daemon does not answer")?;
    if response.status().is_success() {
        return response.json().await.context("the daemon's answer cannot be read");
    }
    Err(refusal(response).await)
}

async fn refusal(response: Response) -> anyhow::Error {
    let status: StatusCode = response.status();
    match response.json::<ErrorBody>().await {
        Ok(body) => match body.error.field {
            Some(field) => anyhow!("{field}: {}", body.error.message),
            None => anyhow!("{}", body.error.message),
        },
        Err(_) => anyhow!("the daemon answered {status}"),
    }
}
