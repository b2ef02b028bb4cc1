//! Who may do what: one declaration per route, and the one guard before every handler.
//!
//! A request is let in by a session cookie (then everything that changes something needs the CSRF token), by an API
//! key, or by having come over the local socket, which only the user that runs the daemon can open.

use crate::app::Shared;
use crate::http::error::ApiError;
use crate::http::limits::KeyWait;
use api_types::{ErrorCode, KeyScope, Role};
use axum::extract::{FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::time::Duration;
use storage::{ApiKeyId, UserId, WorkspaceId, api_key, secret_hash, session};

/// Name of the session cookie.
pub(crate) const COOKIE: &str = "packetboat_session";
/// Header that repeats the session's CSRF token.
pub(crate) const CSRF_HEADER: &str = "x-csrf-token";
/// Use of a session or key is noted this often at most: a write per request would be one too many.
const SEEN_EVERY_MS: i64 = 60_000;
const DAY_MS: i64 = 86_400_000;

/// Who may use a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// Everybody: signing in.
    Public,
    /// Who has this role or a higher one, and API keys with a scope of that role.
    Least(Role),
    /// Whoever may send messages: from the role marketer on, and API keys with the scope `send`.
    Sends,
    /// Whoever may feed mail that came elsewhere: from the role admin on, and API keys with the scope `inbound`.
    Feeds,
}

impl Access {
    /// The least scope of an API key that opens the route.
    pub(crate) fn scope(self) -> Option<KeyScope> {
        Some(match self {
            Access::Public => return None,
            Access::Sends => KeyScope::Send,
            Access::Feeds => KeyScope::Inbound,
            Access::Least(Role::Viewer) => KeyScope::Read,
            Access::Least(Role::Marketer) => KeyScope::Marketing,
            Access::Least(Role::Admin) => KeyScope::Admin,
            // What only the owner may is not for programs.
            Access::Least(Role::Owner) => return None,
        })
    }
}

/// Whether a scope holds another: more than looking or sending holds both.
fn holds(scope: KeyScope, wanted: KeyScope) -> bool {
    match scope {
        KeyScope::Send | KeyScope::Read | KeyScope::Inbound => scope == wanted,
        KeyScope::Marketing => !matches!(wanted, KeyScope::Admin | KeyScope::Inbound),
        KeyScope::Admin => true,
    }
}

/// Who asks, once let in.
#[derive(Clone, Debug)]
pub struct Actor {
    /// Address of the user, name of the key, or "terminal": what is written beside what was done.
    pub name: String,
    /// Shown name.
    pub display_name: String,
    /// What may be done.
    pub role: Role,
    /// Where.
    pub workspace: WorkspaceId,
    /// How the actor came in.
    pub via: Via,
}

/// How an actor came in.
#[derive(Clone, Debug)]
pub enum Via {
    /// By a session of the console.
    Session {
        /// Who.
        user: UserId,
        /// Under which the session is stored.
        token_hash: [u8; 32],
        /// What changing requests repeat.
        csrf_token: String,
    },
    /// By an API key.
    ApiKey(Key),
    /// From this host's command line.
    Terminal,
}

/// An API key, as far as the guard and those behind it ask.
#[derive(Clone, Debug)]
pub struct Key {
    /// Which.
    pub id: ApiKeyId,
    /// What it may do.
    pub scopes: Vec<KeyScope>,
    /// Requests a minute.
    pub rate_per_minute: Option<u32>,
}

impl Actor {
    /// Whether the actor may use a route.
    pub(crate) fn may(&self, access: Access) -> bool {
        match (access, &self.via) {
            (Access::Public, _) => true,
            (_, Via::ApiKey(key)) => {
                access.scope().is_some_and(|wanted| key.scopes.iter().any(|scope| holds(*scope, wanted)))
            }
            (Access::Least(least), _) => self.role.may(least),
            (Access::Sends, _) => self.role.may(Role::Marketer),
            (Access::Feeds, _) => self.role.may(Role::Admin),
        }
    }

    /// Who asks, where two of one name must not be taken for one.
    pub(crate) fn asker(&self) -> String {
        match &self.via {
            Via::Session { user, .. } => format!("user:{user}"),
            Via::ApiKey(key) => format!("key:{}", key.id),
            Via::Terminal => "terminal".to_owned(),
        }
    }
}

/// Counts requests of an API key against its rate; `count` is how many.
pub(crate) fn count_requests(app: &Shared, actor: &Actor, count: u32) -> Result<(), ApiError> {
    let Via::ApiKey(Key { id, rate_per_minute: Some(rate), .. }) = &actor.via else { return Ok(()) };
    let refused = |message: String| Err(ApiError::new(ErrorCode::RateLimited, message));
    match app.limits.key(*id, *rate, count) {
        Ok(()) => Ok(()),
        Err(KeyWait::Later(wait)) => {
            let message =
                format!("This key may ask {rate} times a minute. Wait and try again; Retry-After says how long.");
            refused(message).map_err(|e| e.retry_after(wait))
        }
        Err(KeyWait::Never) => {
            refused(format!("This key may send {rate} messages a minute, and here are {count}. Send smaller batches."))
        }
    }
}

/// Marks requests of the local socket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LocalSocket;

/// What the guard of one route knows.
#[derive(Clone)]
pub(crate) struct Guard {
    pub app: Shared,
    pub access: Access,
    pub time_max: Duration,
}

/// Stands before every handler of the API.
pub(crate) async fn guard(State(guard): State<Guard>, mut request: Request, next: Next) -> Response {
    if guard.access != Access::Public {
        let local = request.extensions().get::<LocalSocket>().is_some();
        // A body is not `Sync`, so the guard looks at the parts alone.
        let (method, headers) = (request.method().clone(), request.headers().clone());
        match admit(&guard.app, &method, &headers, local, guard.access).await {
            Ok(actor) => request.extensions_mut().insert(actor),
            Err(refusal) => return refusal.into_response(),
        };
    }
    match tokio::time::timeout(guard.time_max, next.run(request)).await {
        Ok(response) => response,
        Err(_) => ApiError::new(ErrorCode::Unavailable, "That took too long. Try again in a moment.").into_response(),
    }
}

async fn admit(
    app: &Shared,
    method: &Method,
    headers: &HeaderMap,
    local: bool,
    access: Access,
) -> Result<Actor, ApiError> {
    let actor = identify(app, headers, local).await?.ok_or_else(|| {
        ApiError::new(ErrorCode::Unauthenticated, "Sign in first, or send an API key as `Authorization: Bearer KEY`.")
    })?;
    count_requests(app, &actor, 1)?;
    if !actor.may(access) {
        return Err(ApiError::new(ErrorCode::Forbidden, too_little(&actor, access)));
    }
    if changes(method) {
        check_csrf(&actor, headers)?;
    }
    Ok(actor)
}

fn too_little(actor: &Actor, access: Access) -> String {
    if let Via::ApiKey(key) = &actor.via {
        let has = key.scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(", ");
        return match access.scope() {
            Some(scope) => format!("This needs an API key with the scope {}; this one has {has}.", scope.as_str()),
            None => "No API key may do this; a person with the role owner may.".to_owned(),
        };
    }
    let least = match access {
        Access::Least(least) => least,
        Access::Feeds => Role::Admin,
        Access::Public | Access::Sends => Role::Marketer,
    };
    format!("This needs the role {}; yours is {}.", word(least), word(actor.role))
}

/// Whoever the request's credentials belong to.
pub(crate) async fn identify(app: &Shared, headers: &HeaderMap, local: bool) -> Result<Option<Actor>, ApiError> {
    if local {
        return Ok(Some(Actor {
            name: "terminal".to_owned(),
            display_name: "Terminal".to_owned(),
            role: Role::Owner,
            workspace: WorkspaceId::MAIN,
            via: Via::Terminal,
        }));
    }
    // A key that was sent is meant, even when a cookie came along.
    if let Some(authorization) = headers.get(header::AUTHORIZATION) {
        let key = authorization.to_str().ok().and_then(|text| text.strip_prefix("Bearer ")).map(str::trim);
        return match key {
            Some(key) => by_key(app, key).await,
            None => Ok(None),
        };
    }
    match cookie(headers, COOKIE) {
        Some(token) => by_session(app, token).await,
        None => Ok(None),
    }
}

async fn by_key(app: &Shared, key: &str) -> Result<Option<Actor>, ApiError> {
    let hash = secret_hash(key);
    let Some(found) = app.storage.read(move |c| api_key::find_by_hash(c, &hash)).await? else { return Ok(None) };
    let now_ms = app.now_ms();
    if found.last_used_ms.is_none_or(|last| now_ms - last >= SEEN_EVERY_MS) {
        app.storage.main().write(move |tx| api_key::used(tx, found.id, now_ms)).await?;
    }
    Ok(Some(Actor {
        name: format!("API key {}", found.name),
        display_name: found.name,
        role: role(&found.scopes),
        workspace: found.workspace_id,
        via: Via::ApiKey(Key { id: found.id, scopes: found.scopes, rate_per_minute: found.rate_per_minute }),
    }))
}

/// The role that a key's scopes stand for, where a handler asks for one.
fn role(scopes: &[KeyScope]) -> Role {
    match () {
        () if scopes.contains(&KeyScope::Admin) => Role::Admin,
        () if scopes.contains(&KeyScope::Marketing) => Role::Marketer,
        () => Role::Viewer,
    }
}

async fn by_session(app: &Shared, token: &str) -> Result<Option<Actor>, ApiError> {
    let token_hash = secret_hash(token);
    let now_ms = app.now_ms();
    let Some(found) = app.storage.read(move |c| session::find(c, &token_hash, now_ms)).await? else {
        return Ok(None);
    };
    if now_ms - found.seen_ms >= SEEN_EVERY_MS {
        let expires_ms = session_end_ms(app, now_ms);
        app.storage.main().write(move |tx| session::seen(tx, &token_hash, now_ms, expires_ms)).await?;
    }
    Ok(Some(Actor {
        name: found.email,
        display_name: found.name,
        role: found.role,
        workspace: found.workspace_id,
        via: Via::Session { user: found.user_id, token_hash, csrf_token: found.csrf_token },
    }))
}

/// When a session that is used now ends unless it is used again.
pub(crate) fn session_end_ms(app: &Shared, now_ms: i64) -> i64 {
    now_ms + i64::from(app.config.http.session_days) * DAY_MS
}

pub(crate) fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    all.flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(key, value)| (key == name).then_some(value))
}

/// RFC 9110 §9.2.1: what is not a safe method changes something.
fn changes(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

fn check_csrf(actor: &Actor, headers: &HeaderMap) -> Result<(), ApiError> {
    // Keys and the local socket are nothing that a browser sends by itself.
    let Via::Session { csrf_token, .. } = &actor.via else { return Ok(()) };
    let sent = headers.get(CSRF_HEADER).map_or(&b""[..], |value| value.as_bytes());
    if aws_lc_rs::constant_time::verify_slices_are_equal(sent, csrf_token.as_bytes()).is_ok() {
        return Ok(());
    }
    Err(ApiError::new(ErrorCode::CsrfMismatch, "The page is out of date. Reload it and try again."))
}

pub(crate) fn word(role: Role) -> &'static str {
    match role {
        Role::Owner => "owner",
        Role::Admin => "admin",
        Role::Marketer => "marketer",
        Role::Viewer => "viewer",
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Actor {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Actor, ApiError> {
        let actor = parts.extensions.get::<Actor>().cloned();
        actor.ok_or_else(|| ApiError::internal("a handler wants an actor on a public route"))
    }
}
