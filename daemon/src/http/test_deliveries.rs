//! Test deliveries: one real message over the real path, from a chosen source, while somebody looks.

use crate::app::Shared;
use crate::http::access::Actor;
use crate::http::error::ApiError;
use crate::http::extract::{Json, Path};
use crate::http::trace;
use crate::text::{time, token};
use api_types::{ErrorCode, NewTestDelivery, TestDelivery};
use axum::extract::State;
use mail::{Address, Body, Draft, RecipientState, StreamKind, compose};
use storage::domain::{self, SendingDomain};
use storage::message::{self, NewMessage, NewMessageRecipient, Notices, Submission};
use storage::{RecipientId, WorkspaceId, address_hash, conversation};

/// A test is given up after this.
const EXPIRY_MS: i64 = 3_600_000;
/// What its message was brought by.
const SUBMITTER: &str = "test delivery";

/// Sends a test message. It is a mail like any other, but that it leaves from the chosen source alone.
#[utoipa::path(post, path = "/api/v1/test-deliveries", tag = "queue", request_body = NewTestDelivery,
    responses((status = 200, body = TestDelivery)))]
pub(crate) async fn create(
    State(app): State<Shared>,
    actor: Actor,
    Json(asked): Json<NewTestDelivery>,
) -> Result<Json<TestDelivery>, ApiError> {
    let to = Address::parse(asked.address.trim()).map_err(|e| ApiError::invalid("address", e.why))?;
    let source = asked.source.trim();
    if !app.config.sources.iter().any(|known| known.enabled && known.name.as_str() == source) {
        let enabled = app.config.sources.iter().filter(|known| known.enabled);
        let names: Vec<_> = enabled.map(|known| known.name.as_str()).collect();
        let message = format!("There is no source {source:?} in use. There are: {}.", names.join(", "));
        return Err(ApiError::invalid("source", message));
    }
    let engine = app.engine.get().cloned().ok_or_else(|| {
        ApiError::new(ErrorCode::Unavailable, "No daemon is running, so nothing is sent. Start it and try again.")
    })?;
    let domain = sending_domain(&app, actor.workspace, asked.domain.as_deref()).await?;
    let new = letter(&app, &actor, (&domain, source), to)?;
    let watching = engine.clone();
    let recipient = app.storage.queue().write(move |tx| {
        let message = message::accept(tx, &new)?;
        let recipient = message::recipients(tx, (new.workspace_id, message), RecipientId(0), 1)?
            .first()
            .map(|recipient| recipient.id);
        if let Some(recipient) = recipient {
            // Before anybody can take it.
            watching.look(recipient);
        }
        Ok(recipient)
    });
    let recipient = recipient.await?.ok_or_else(|| ApiError::internal("a test message has no recipient"))?;
    engine.wake();
    state(&app, actor.workspace, recipient).await.map(Json)
}

async fn sending_domain(app: &Shared, workspace: WorkspaceId, asked: Option<&str>) -> Result<SendingDomain, ApiError> {
    let asked = asked.map(|name| name.trim().to_lowercase()).filter(|name| !name.is_empty());
    let all = app.storage.read(move |c| domain::list(c, workspace, 0, 200)).await?;
    let found = match &asked {
        Some(name) => all.into_iter().find(|domain| domain.domain == *name),
        None => all.into_iter().next(),
    };
    found.ok_or_else(|| match asked {
        Some(name) => ApiError::invalid("domain", format!("{name} is not a sending domain.")),
        None => ApiError::invalid("domain", "There is no sending domain yet. Add one first."),
    })
}

fn letter(
    app: &Shared,
    actor: &Actor,
    (domain, source): (&SendingDomain, &str),
    to: Address,
) -> Result<NewMessage, ApiError> {
    let now_ms = app.now_ms();
    // RFC 5321 §4.5.1: the one address that every domain has.
    let from = Address::parse(&format!("postmaster@{}", domain.domain)).map_err(ApiError::internal)?;
    let header_id = format!("{}@{}", token(&*app.random), domain.domain);
    let subject = format!("Test delivery from {source}");
    let text = format!(
        "This message was sent to see how mail from {source} arrives.\r\n\r\nOrdered by {} at {}.\r\n",
        actor.name,
        time(now_ms)
    );
    let draft = Draft {
        from: &from,
        from_name: "Packetboat",
        to: &to,
        reply_to: None,
        subject: &subject,
        date_ms: now_ms,
        message_id: &header_id,
        headers: &[],
        body: Body { text: &text, html: None },
        boundary: "",
    };
    let content = compose(&draft).map_err(ApiError::internal)?;
    Ok(NewMessage {
        workspace_id: actor.workspace,
        domain_id: domain.id,
        submission: Submission::System,
        submitter: SUBMITTER.to_owned(),
        stream: StreamKind::Transactional.as_str().to_owned(),
        kind: StreamKind::Transactional,
        pool: mta::pool_of_source(source),
        header_id,
        from_address: from.to_string(),
        subject,
        tags: vec!["test".to_owned()],
        dsn_envid: None,
        dsn_ret: None,
        notices: Notices::Nobody,
        eight_bit: !content.is_ascii(),
        smtputf8: false,
        content,
        accepted_ms: now_ms,
        send_at_ms: now_ms,
        expires_ms: now_ms + EXPIRY_MS,
        recipients: vec![NewMessageRecipient {
            address_hash: address_hash(&to),
            address: to,
            dsn_notify: None,
            dsn_orcpt: None,
        }],
    })
}

/// How a test delivery goes. Ask again until it is done.
#[utoipa::path(get, path = "/api/v1/test-deliveries/{id}", tag = "queue", params(("id" = i64, Path)),
    responses((status = 200, body = TestDelivery)))]
pub(crate) async fn show(
    State(app): State<Shared>,
    actor: Actor,
    Path(id): Path<i64>,
) -> Result<Json<TestDelivery>, ApiError> {
    state(&app, actor.workspace, RecipientId(id)).await.map(Json)
}

async fn state(app: &Shared, workspace: WorkspaceId, id: RecipientId) -> Result<TestDelivery, ApiError> {
    let found = app.storage.read(move |c| {
        let Some(row) = storage::queue::find(c, workspace, id)? else { return Ok(None) };
        let message = match row.origin.message() {
            Some(message) => message::find(c, workspace, message)?,
            None => None,
        };
        let test = message.is_some_and(|m| m.submission == Submission::System && m.submitter == SUBMITTER);
        Ok(test.then_some(conversation::of_recipient(c, workspace, id, 1)?))
    });
    let kept = found.await?.ok_or_else(|| ApiError::not_found("test delivery"))?;
    let live = app.engine.get().and_then(|engine| engine.conversation(id)).filter(|text| !text.is_empty());
    let kept = kept.into_iter().next().map(|conversation| conversation.text);
    let detail = trace::detail(app, workspace, id).await?;
    let done = RecipientState::parse(&detail.recipient.state).is_some_and(RecipientState::is_final);
    Ok(TestDelivery {
        recipient: detail.recipient,
        timeline: detail.timeline,
        conversation: live.or(kept).unwrap_or_default(),
        done,
    })
}
