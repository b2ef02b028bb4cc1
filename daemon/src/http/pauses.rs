//! Kill switches.

use crate::app::Shared;
use crate::http::access::Actor;
use crate::http::error::ApiError;
use crate::http::extract::{Json, Path};
use crate::http::timeline;
use crate::text::time;
use api_types::{Done, ErrorCode, NewPause, Pause, PauseScope, Role};
use axum::extract::State;
use campaign::mailing;
use storage::event::{Event, Kind};
use storage::pause::{self as rows, PAUSES_MAX, Scope};
use storage::{CampaignId, PauseId, StorageError, Transaction, WorkspaceId, outbox};

/// Paused campaigns shown at most.
const CAMPAIGNS_MAX: u32 = 200;
const REASON_MAX: usize = 500;
/// What the ids of paused campaigns begin with.
const CAMPAIGN: &str = "campaign-";

/// What is paused, newest first.
#[utoipa::path(get, path = "/api/v1/pauses", tag = "queue", responses((status = 200, body = Vec<Pause>)))]
pub(crate) async fn list(State(app): State<Shared>, actor: Actor) -> Result<Json<Vec<Pause>>, ApiError> {
    let workspace = actor.workspace;
    let may_end = actor.role.may(Role::Admin);
    let found = app.storage.read(move |c| {
        let campaigns = rows::campaigns(c, workspace, CAMPAIGNS_MAX)?;
        let names = timeline::campaign_names(c, workspace, campaigns.iter().map(|row| row.campaign_id))?;
        Ok((rows::list(c, workspace)?, campaigns, names))
    });
    let (pauses, campaigns, names) = found.await?;
    let mut all: Vec<(i64, Pause)> =
        pauses.into_iter().map(|row| (row.created_ms, shape(row, may_end.then_some(workspace)))).collect();
    all.extend(campaigns.into_iter().map(|row| {
        let id = row.campaign_id;
        let name = names.get(&id).filter(|name| !name.is_empty());
        let pause = Pause {
            id: format!("{CAMPAIGN}{id}"),
            scope: PauseScope::Campaign,
            subject: id.to_string(),
            what: name.map_or_else(|| format!("campaign {id}"), |name| format!("the campaign {name}")),
            created_by: row.reason.strip_prefix("paused by ").unwrap_or_default().to_owned(),
            reason: String::new(),
            created_at: time(row.changed_ms),
            can_end: may_end,
        };
        (row.changed_ms, pause)
    }));
    all.sort_by_key(|(since_ms, _)| std::cmp::Reverse(*since_ms));
    Ok(Json(all.into_iter().map(|(_, pause)| pause).collect()))
}

/// `workspace` is that of whoever may end pauses.
fn shape(row: rows::Pause, workspace: Option<WorkspaceId>) -> Pause {
    let what = words(row.scope, &row.subject);
    let scope = match row.scope {
        Scope::Everything => PauseScope::Everything,
        Scope::Workspace => PauseScope::Workspace,
        Scope::Domain => PauseScope::Domain,
        Scope::Source => PauseScope::Source,
        Scope::Provider => PauseScope::Provider,
    };
    Pause {
        id: row.id.to_string(),
        scope,
        subject: row.subject,
        what,
        created_by: row.created_by,
        reason: row.reason,
        created_at: time(row.created_ms),
        can_end: Some(row.workspace_id) == workspace,
    }
}

fn words(scope: Scope, subject: &str) -> String {
    match scope {
        Scope::Everything => "everything".to_owned(),
        Scope::Workspace => "the workspace".to_owned(),
        Scope::Domain => format!("mail to {subject}"),
        Scope::Source => format!("the source {subject}"),
        Scope::Provider => format!("mail to the provider {subject}"),
    }
}

/// Pauses something. It holds from now on: only messages whose final dot is on its way still arrive.
#[utoipa::path(post, path = "/api/v1/pauses", tag = "queue", request_body = NewPause,
    responses((status = 200, body = Pause)))]
pub(crate) async fn create(
    State(app): State<Shared>,
    actor: Actor,
    Json(new): Json<NewPause>,
) -> Result<Json<Pause>, ApiError> {
    let reason = new.reason.trim().to_owned();
    if reason.chars().count() > REASON_MAX {
        return Err(ApiError::invalid("reason", format!("The reason may have at most {REASON_MAX} characters.")));
    }
    let (scope, subject) = match subject(&app, new.scope, new.subject.trim())? {
        Subject::Campaign(id) => return pause_campaign(&app, &actor, id).await.map(Json),
        Subject::Other(scope, subject) => (scope, subject),
    };
    if scope.reaches_all() && actor.workspace != WorkspaceId::MAIN {
        let message = "This would stop the mail of other workspaces. Ask whoever runs this installation.";
        return Err(ApiError::new(ErrorCode::Forbidden, message));
    }
    let row = rows::NewPause {
        workspace_id: actor.workspace,
        scope,
        subject,
        created_by: actor.name.clone(),
        reason,
        now_ms: app.now_ms(),
    };
    let made = app.storage.queue().write(move |tx| {
        let Some(id) = rows::insert(tx, &row)? else { return Ok(None) };
        tell(tx, Kind::Paused, &row.created_by, (row.workspace_id, row.now_ms), &words(row.scope, &row.subject))?;
        let rows::NewPause { workspace_id, scope, subject, created_by, reason, now_ms } = row;
        Ok(Some(rows::Pause { id, workspace_id, scope, subject, created_by, reason, created_ms: now_ms }))
    });
    let made = made.await.map_err(|e| match e {
        StorageError::Exists => ApiError::exists("subject", "This is paused already."),
        other => other.into(),
    })?;
    let made = made.ok_or_else(|| {
        ApiError::wrong_state(format!(
            "There are {PAUSES_MAX} pauses already. End some of them, or pause more at once."
        ))
    })?;
    told(&app);
    Ok(Json(shape(made, Some(actor.workspace))))
}

enum Subject {
    Campaign(CampaignId),
    Other(Scope, String),
}

/// What is meant, if there is such a thing.
fn subject(app: &Shared, scope: PauseScope, text: &str) -> Result<Subject, ApiError> {
    let wrong = |message: String| Err(ApiError::invalid("subject", message));
    Ok(match scope {
        PauseScope::Everything => Subject::Other(Scope::Everything, String::new()),
        PauseScope::Workspace => Subject::Other(Scope::Workspace, String::new()),
        PauseScope::Campaign => match text.parse() {
            Ok(id) => Subject::Campaign(CampaignId(id)),
            Err(_) => return wrong("Give the campaign's number.".to_owned()),
        },
        PauseScope::Domain => match mail::Domain::parse(text) {
            Ok(domain) => Subject::Other(Scope::Domain, domain.to_string()),
            Err(e) => return wrong(format!("{text:?} is not a domain: {e}.")),
        },
        PauseScope::Source => {
            if !app.config.sources.iter().any(|source| source.name.as_str() == text) {
                let names: Vec<_> = app.config.sources.iter().map(|source| source.name.as_str()).collect();
                return wrong(format!("There is no source {text:?}. There are: {}.", names.join(", ")));
            }
            Subject::Other(Scope::Source, text.to_owned())
        }
        PauseScope::Provider => {
            // A name that nobody has would stop nothing, and its author would believe that it does.
            let Some(name) = app.shaping.provider_called(text).filter(|name| name.len() <= 253) else {
                return wrong(format!("No provider is called {text:?}. Give its name as the Queue page shows it."));
            };
            Subject::Other(Scope::Provider, name)
        }
    })
}

async fn pause_campaign(app: &Shared, actor: &Actor, id: CampaignId) -> Result<Pause, ApiError> {
    let now_ms = app.now_ms();
    mailing::pause(&app.storage, (actor.workspace, id), &actor.name, now_ms).await?;
    app.wake();
    let workspace = actor.workspace;
    let names = app.storage.read(move |c| timeline::campaign_names(c, workspace, std::iter::once(id))).await?;
    let name = names.get(&id).cloned().unwrap_or_default();
    Ok(Pause {
        id: format!("{CAMPAIGN}{id}"),
        scope: PauseScope::Campaign,
        subject: id.to_string(),
        what: format!("the campaign {name}"),
        created_by: actor.name.clone(),
        reason: String::new(),
        created_at: time(now_ms),
        can_end: true,
    })
}

/// Ends a pause: what waited because of it goes on at once.
#[utoipa::path(delete, path = "/api/v1/pauses/{id}", tag = "queue", params(("id" = String, Path)),
    responses((status = 200, body = Done)))]
pub(crate) async fn delete(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<String>,
) -> Result<Json<Done>, ApiError> {
    let workspace = actor.workspace;
    if let Some(campaign) = id.strip_prefix(CAMPAIGN).and_then(|id| id.parse().ok()) {
        mailing::resume(&app.storage, (workspace, CampaignId(campaign)), &actor.name, app.now_ms()).await?;
        app.wake();
        return Ok(Json(Done { message: "The campaign goes on.".to_owned() }));
    }
    let id = id.parse().map(PauseId).map_err(|_| ApiError::not_found("pause"))?;
    let now_ms = app.now_ms();
    let ended = app.storage.queue().write(move |tx| {
        let ended = rows::delete(tx, workspace, id)?;
        if let Some(ended) = &ended {
            tell(tx, Kind::Resumed, &actor.name, (workspace, now_ms), &words(ended.scope, &ended.subject))?;
        }
        Ok(ended)
    });
    let ended = ended.await?.ok_or_else(|| ApiError::not_found("pause"))?;
    told(&app);
    Ok(Json(Done { message: format!("No longer paused: {}.", words(ended.scope, &ended.subject)) }))
}

fn tell(
    tx: &Transaction<'_>,
    kind: Kind,
    actor: &str,
    (workspace, now_ms): (WorkspaceId, i64),
    what: &str,
) -> Result<(), StorageError> {
    outbox::put(tx, &Event { actor: Some(actor), text: Some(what), ..Event::new(now_ms, workspace, kind) })
}

fn told(app: &Shared) {
    if let Some(engine) = app.engine.get() {
        engine.pauses_changed();
    }
    app.wake();
}
