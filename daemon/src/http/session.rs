//! Signing in and out, and who is signed in.

use crate::app::Shared;
use crate::http::access::{Actor, COOKIE, Via, session_end_ms};
use crate::http::error::ApiError;
use crate::http::extract::{ClientIp, Json};
use crate::text::token;
use api_types::{Done, ErrorCode, Me, SignIn, SignInLink};
use axum::extract::State;
use axum::http::header::SET_COOKIE;
use axum::response::{AppendHeaders, IntoResponse};
use storage::{UserId, WorkspaceId, secret_hash, session, user, workspace};

type WithCookie<T> = (AppendHeaders<[(axum::http::HeaderName, String); 1]>, Json<T>);

/// Signs in with a password.
#[utoipa::path(post, path = "/api/v1/session", tag = "session", request_body = SignIn, responses((status = 200, body = Me)))]
pub(crate) async fn sign_in(
    State(app): State<Shared>,
    ClientIp(ip): ClientIp,
    Json(input): Json<SignIn>,
) -> Result<impl IntoResponse, ApiError> {
    let email = input.email.trim().to_lowercase();
    if !app.limits.sign_in(ip, &email) {
        return Err(too_often());
    }
    let found = app.storage.read(move |c| user::find_by_email(c, &email)).await?;
    let stored = found.as_ref().map(|user| user.password_hash.clone());
    let right = app.passwords.verify(input.password, stored).await?;
    match found {
        Some(user) if right => begin(&app, user.workspace_id, user.id).await,
        // One sentence for both, so that nobody learns which addresses have an account.
        _ => Err(ApiError::new(ErrorCode::Unauthenticated, "The address or the password is wrong.")),
    }
}

/// Signs in with a one-time link from the terminal.
#[utoipa::path(post, path = "/api/v1/session/link", tag = "session", request_body = SignInLink,
    responses((status = 200, body = Me)))]
pub(crate) async fn use_link(
    State(app): State<Shared>,
    ClientIp(ip): ClientIp,
    Json(input): Json<SignInLink>,
) -> Result<impl IntoResponse, ApiError> {
    if !app.limits.link(ip) {
        return Err(too_often());
    }
    let hash = secret_hash(&input.token);
    let now_ms = app.now_ms();
    let owner = app.storage.main().write(move |tx| session::take_link(tx, &hash, now_ms)).await?;
    match owner {
        Some((workspace, user)) => begin(&app, workspace, user).await,
        None => {
            let message = "This link was used already or its time is over. Make a new one with `packetboat user link`.";
            Err(ApiError::new(ErrorCode::Unauthenticated, message))
        }
    }
}

/// Who is signed in.
#[utoipa::path(get, path = "/api/v1/session", tag = "session", responses((status = 200, body = Me)))]
pub(crate) async fn show(State(app): State<Shared>, actor: Actor) -> Result<Json<Me>, ApiError> {
    me(&app, actor).await.map(Json)
}

/// Signs out.
#[utoipa::path(delete, path = "/api/v1/session", tag = "session", responses((status = 200, body = Done)))]
pub(crate) async fn sign_out(State(app): State<Shared>, actor: Actor) -> Result<WithCookie<Done>, ApiError> {
    if let Via::Session { token_hash, .. } = actor.via {
        app.storage.main().write(move |tx| session::delete(tx, &token_hash)).await?;
    }
    let done = Done { message: "Signed out.".to_owned() };
    Ok((AppendHeaders([(SET_COOKIE, cookie_line(&app, "", 0))]), Json(done)))
}

fn too_often() -> ApiError {
    ApiError::new(ErrorCode::RateLimited, "Too many attempts. Wait a minute and try again.")
}

async fn begin(app: &Shared, workspace: WorkspaceId, id: UserId) -> Result<WithCookie<Me>, ApiError> {
    let now_ms = app.now_ms();
    let token = token(&*app.random);
    let new = session::NewSession {
        token_hash: secret_hash(&token),
        user_id: id,
        workspace_id: workspace,
        csrf_token: crate::text::token(&*app.random),
        created_ms: now_ms,
        expires_ms: session_end_ms(app, now_ms),
    };
    let (token_hash, csrf_token) = (new.token_hash, new.csrf_token.clone());
    app.storage
        .main()
        .write(move |tx| {
            session::insert(tx, &new)?;
            user::signed_in(tx, id, now_ms)
        })
        .await?;
    let found = app.storage.read(move |c| user::find(c, workspace, id)).await?;
    let found = found.ok_or_else(|| ApiError::not_found("user"))?;
    let actor = Actor {
        name: found.email,
        display_name: found.name,
        role: found.role,
        workspace,
        via: Via::Session { user: id, token_hash, csrf_token },
    };
    let seconds = u64::from(app.config.http.session_days) * 86_400;
    Ok((AppendHeaders([(SET_COOKIE, cookie_line(app, &token, seconds))]), Json(me(app, actor).await?)))
}

fn cookie_line(app: &Shared, token: &str, seconds: u64) -> String {
    let secure = if app.config.http.secure_cookies() { "; Secure" } else { "" };
    format!("{COOKIE}={token}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}")
}

async fn me(app: &Shared, actor: Actor) -> Result<Me, ApiError> {
    let id = actor.workspace;
    let workspace = app.storage.read(move |c| workspace::find(c, id)).await?;
    let workspace = workspace.ok_or_else(|| ApiError::not_found("workspace"))?;
    let csrf_token = match actor.via {
        Via::Session { csrf_token, .. } => csrf_token,
        Via::ApiKey(_) | Via::Terminal => String::new(),
    };
    Ok(Me {
        email: actor.name,
        name: actor.display_name,
        role: actor.role,
        workspace: workspace.name,
        time_zone: workspace.time_zone,
        csrf_token,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    })
}
