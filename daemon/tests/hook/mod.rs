//! Programs of other people that webhooks tell something: good, slow, dead and odd ones, on loopback.
#![allow(dead_code, reason = "each test file uses its part")]

use aws_lc_rs::hmac;
use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::sync::atomic::{AtomicU16, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// What came.
#[derive(Clone, Debug)]
pub struct Got {
    pub path: String,
    pub id: String,
    pub timestamp: String,
    pub signature: String,
    pub body: String,
    pub at_ms: i64,
}

impl Got {
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub fn kind(&self) -> String {
        self.json()["type"].as_str().unwrap().to_owned()
    }

    /// How many of its signatures are of this secret.
    pub fn signed_with(&self, secret: &str) -> usize {
        let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
        let key = hmac::Key::new(hmac::HMAC_SHA256, &key);
        let signed = format!("{}.{}.{}", self.id, self.timestamp, self.body);
        let is_good = |one: &&str| {
            let tag = STANDARD.decode(one.strip_prefix("v1,").unwrap()).unwrap();
            hmac::verify(&key, signed.as_bytes(), &tag).is_ok()
        };
        self.signature.split(' ').filter(is_good).count()
    }
}

/// One server; the path says how it behaves.
pub struct Peer {
    base: String,
    got: Mutex<Vec<Got>>,
    /// What `/switch` answers.
    pub switch: AtomicU16,
}

impl Peer {
    pub async fn start() -> Arc<Peer> {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        let peer = Arc::new(Peer { base, got: Mutex::default(), switch: AtomicU16::new(200) });
        let router = Router::new().fallback(take).with_state(peer.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        peer
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// What came to a path so far.
    pub fn got(&self, path: &str) -> Vec<Got> {
        self.got.lock().unwrap().iter().filter(|one| one.path == path).cloned().collect()
    }

    /// What came to a path, once it is enough.
    pub async fn wait(&self, path: &str, enough: impl Fn(&[Got]) -> bool) -> Vec<Got> {
        for _ in 0..600 {
            let got = self.got(path);
            if enough(&got) {
                return got;
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("only this came to {path}: {:#?}", self.got(path));
    }
}

pub fn now_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis().try_into().unwrap()
}

async fn take(State(peer): State<Arc<Peer>>, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap().to_owned()).unwrap_or_default();
    let got = Got {
        path: uri.path().to_owned(),
        id: text("webhook-id"),
        timestamp: text("webhook-timestamp"),
        signature: text("webhook-signature"),
        body: String::from_utf8(body.to_vec()).unwrap(),
        at_ms: now_ms(),
    };
    peer.got.lock().unwrap().push(got);
    match uri.path() {
        "/hang" => std::future::pending().await,
        "/redirect" => (StatusCode::FOUND, [(header::LOCATION, peer.url("/led"))]).into_response(),
        "/gone" => StatusCode::GONE.into_response(),
        "/busy" => (StatusCode::SERVICE_UNAVAILABLE, [(header::RETRY_AFTER, "3600")]).into_response(),
        "/huge" => {
            let endless =
                futures_util::stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from_static(&[b'x'; 4096])));
            Body::from_stream(endless).into_response()
        }
        "/drip" => {
            let drops = futures_util::stream::unfold((), async |()| {
                tokio::time::sleep(Duration::from_secs(1)).await;
                Some((Ok::<_, std::io::Error>(Bytes::from_static(b".")), ()))
            });
            Body::from_stream(drops).into_response()
        }
        "/switch" => (StatusCode::from_u16(peer.switch.load(SeqCst)).unwrap(), "as you like").into_response(),
        _ => "thanks".into_response(),
    }
}
