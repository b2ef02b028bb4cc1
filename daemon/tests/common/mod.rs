//! A daemon on loopback with a folder of its own, and clients of each kind.
#![allow(dead_code, reason = "each test file uses its part")]

use api_types::{ErrorBody, Me, Role};
use daemon::ops;
use daemon::serve::{Overrides, Running, start};
use reqwest::{Client, Method, Response, StatusCode};
use serde_json::{Value, json};
use storage::{UserId, WorkspaceId};

pub const PASSWORD: &str = "correct horse battery";

/// `[dns]` where nobody answers.
pub const NO_DNS: &str = "servers = [\"127.0.0.1:9\"]";

pub struct Boat {
    pub running: Running,
    pub dir: tempfile::TempDir,
    pub http: Client,
    pub base: String,
}

pub async fn boat() -> Boat {
    boat_with("", Overrides::default(), NO_DNS).await
}

/// A daemon with more lines in its configuration, `[http]` first.
pub async fn boat_with(more: &str, overrides: Overrides, dns: &str) -> Boat {
    let dir = tempfile::tempdir().unwrap();
    let running = launch(dir.path(), more, overrides, dns).await.unwrap();
    let base = format!("http://{}", running.http_addr);
    let http = Client::builder().no_proxy().build().unwrap();
    Boat { running, dir, http, base }
}

pub async fn launch(dir: &std::path::Path, more: &str, overrides: Overrides, dns: &str) -> anyhow::Result<Running> {
    let text = format!(
        "[storage]\ndir = {:?}\nmin_free_mb = 0\n[dns]\n{dns}\n[http]\nlisten = \"127.0.0.1:0\"\n{more}",
        dir.join("data")
    );
    start(config::parse("test.toml", &text).unwrap(), overrides).await
}

impl Boat {
    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    pub async fn user(&self, role: Role) -> UserId {
        let new = ops::NewUser {
            workspace: WorkspaceId::MAIN,
            email: email(role),
            name: "Ana".to_owned(),
            role,
            password: PASSWORD.to_owned(),
        };
        ops::create_user(self.running.app(), new).await.unwrap()
    }

    /// Signs in without a password.
    pub async fn session(&self, role: Role) -> Session {
        let id = self.user(role).await;
        let (url, _) = ops::sign_in_link(self.running.app(), WorkspaceId::MAIN, id).await.unwrap();
        let token = url.rsplit_once("token=").unwrap().1.to_owned();
        let request = self.http.post(self.url("/api/v1/session/link")).json(&json!({ "token": token }));
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        let cookie = response.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
        let me: Me = response.json().await.unwrap();
        Session { http: self.http.clone(), base: self.base.clone(), cookie, csrf: me.csrf_token }
    }

    pub async fn stop(self) {
        self.running.stop().await.unwrap();
    }
}

pub fn email(role: Role) -> String {
    format!("{role:?}@example.com").to_lowercase()
}

pub struct Session {
    pub http: Client,
    pub base: String,
    pub cookie: String,
    pub csrf: String,
}

impl Session {
    pub async fn send(&self, method: Method, path: &str, body: Option<Value>) -> Response {
        let request = self.http.request(method, format!("{}{path}", self.base));
        let request = request.header("cookie", &self.cookie).header("x-csrf-token", &self.csrf);
        let request = match body {
            Some(body) => request.json(&body),
            None => request,
        };
        request.send().await.unwrap()
    }

    /// The answer to a request that must succeed.
    pub async fn get(&self, path: &str) -> Value {
        good(self.send(Method::GET, path, None).await).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Value {
        good(self.send(Method::POST, path, Some(body)).await).await
    }

    /// Makes a sending domain with its records in the zone, and has them seen: nothing signs before that.
    pub async fn sending_domain(&self, zone: &sandbox::Zone, name: &str) {
        let domain = self.post("/api/v1/domains", json!({ "domain": name })).await;
        for record in domain["records"].as_array().unwrap() {
            let text = |key: &str| record[key].as_str().unwrap();
            match text("kind") {
                "TXT" => zone.publish_txt(text("name"), text("wanted")),
                "MX" => zone.publish_mx(text("name"), 10, text("wanted").split(' ').nth(1).unwrap()),
                _ => {}
            }
        }
        self.post(&format!("/api/v1/domains/{}/verify", domain["domain"]["id"]), json!({})).await;
    }
}

pub async fn good(response: Response) -> Value {
    let (status, url) = (response.status(), response.url().clone());
    let text = response.text().await.unwrap();
    assert!(status.is_success(), "{url}: {status} {text}");
    serde_json::from_str(&text).unwrap_or(Value::Null)
}

/// The refusal of a request that must not succeed.
pub async fn bad(response: Response) -> (u16, ErrorBody) {
    let (status, url) = (response.status(), response.url().clone());
    let text = response.text().await.unwrap();
    let body = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{url}: {status} {e}: {text}"));
    (status.as_u16(), body)
}
