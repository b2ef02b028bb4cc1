//! A mail that confirms a change of what a recipient receives, where the workspace wants one: at most one a day to each
//! address, single mail, so that it also reaches who has just unsubscribed.

use crate::app::Shared;
use crate::http::public::look::Look;
use crate::text::token;
use anyhow::Context;
use mail::{Address, Body, Draft, StreamKind, compose};
use storage::message::{self, NewMessage, NewMessageRecipient, Notices, Submission};
use storage::queue::{self, Origin};
use storage::{
    Connection, DomainId, RecipientId, Storage, StorageError, WorkspaceId, address_hash, campaign, preference,
    unsubscribe,
};

/// What it stands under in the list of messages.
const SUBMITTER: &str = "preference centre";
/// A confirmation that is later than this confirms nothing.
const EXPIRY_MS: i64 = 86_400_000;

/// Tells the recipient that its choice is saved. That it cannot be told does not undo the choice, so it is logged only.
pub(crate) async fn tell(app: &Shared, id: RecipientId, link: &str) {
    match send(app, id, link).await {
        Ok(true) => app.wake(),
        Ok(false) => {}
        Err(e) => tracing::warn!(rcpt.id = %id, error = %format!("{e:#}"), "a change could not be confirmed by mail"),
    }
}

async fn send(app: &Shared, id: RecipientId, link: &str) -> anyhow::Result<bool> {
    let Some(plan) = plan(&app.storage, id).await? else { return Ok(false) };
    let now_ms = app.now_ms();
    let url = format!("{}/p/{link}", app.config.http.base_url());
    let new = letter(app, &plan, &url, now_ms)?;
    let hash = address_hash(&plan.to);
    let accepted = app.storage.queue().write(move |tx| {
        let may = preference::may_tell(tx, new.workspace_id, &hash, now_ms)?;
        if may {
            message::accept(tx, &new)?;
        }
        Ok(may)
    });
    Ok(accepted.await?)
}

/// From whom, to whom, and in which words.
struct Plan {
    workspace: WorkspaceId,
    look: Look,
    to: Address,
    from: Sender,
}

/// Whoever sent the mail that led to the change.
struct Sender {
    domain: DomainId,
    address: Address,
    name: String,
}

/// `None` where the workspace wants no confirmations, or what led to the change is not kept any more.
async fn plan(storage: &Storage, id: RecipientId) -> Result<Option<Plan>, StorageError> {
    storage
        .read(move |c| {
            let Some(subscriber) = unsubscribe::find(c, id)? else { return Ok(None) };
            let workspace = subscriber.workspace_id;
            let look = Look::read(c, workspace)?;
            if !look.settings.confirmation {
                return Ok(None);
            }
            let (from, to) = (sender(c, workspace, id)?, Address::parse(&subscriber.address).ok());
            Ok(from.zip(to).map(|(from, to)| Plan { workspace, look, to, from }))
        })
        .await
}

fn sender(c: &Connection, workspace: WorkspaceId, id: RecipientId) -> Result<Option<Sender>, StorageError> {
    let Some(row) = queue::find(c, workspace, id)? else { return Ok(None) };
    let found = match row.origin {
        Origin::Campaign { campaign, .. } => campaign::find(c, workspace, campaign)?.and_then(|campaign| {
            let domain = campaign.launch.as_ref()?.domain_id;
            Some((domain, campaign.draft.from_email, campaign.draft.from_name))
        }),
        Origin::Message(message) => message::find(c, workspace, message)?
            .map(|message| (message.domain_id, message.from_address, String::new())),
    };
    let sender = |(domain, address, name): (DomainId, String, String)| {
        Some(Sender { domain, address: Address::parse(&address).ok()?, name })
    };
    Ok(found.and_then(sender))
}

fn letter(app: &Shared, plan: &Plan, url: &str, now_ms: i64) -> anyhow::Result<NewMessage> {
    let (subject, text) = plan.look.confirmation(url);
    let header_id = format!("{}@{}", token(&*app.random), plan.from.address.domain());
    let draft = Draft {
        from: &plan.from.address,
        from_name: &plan.from.name,
        to: &plan.to,
        reply_to: None,
        subject: &subject,
        date_ms: now_ms,
        message_id: &header_id,
        // RFC 3834 §5.1: no answering machine answers it.
        headers: &[("Auto-Submitted", "auto-generated".to_owned())],
        body: Body { text: &text, html: None },
        boundary: "",
    };
    let content = compose(&draft).context("cannot write the mail")?;
    Ok(NewMessage {
        workspace_id: plan.workspace,
        domain_id: plan.from.domain,
        submission: Submission::System,
        submitter: SUBMITTER.to_owned(),
        stream: StreamKind::Transactional.as_str().to_owned(),
        kind: StreamKind::Transactional,
        pool: app.config.streams.default_of(StreamKind::Transactional).pool.to_string(),
        header_id,
        from_address: plan.from.address.to_string(),
        subject,
        tags: vec!["confirmation".to_owned()],
        dsn_envid: None,
        dsn_ret: None,
        notices: Notices::Nobody,
        eight_bit: !content.is_ascii(),
        smtputf8: plan.to.needs_smtputf8() || plan.from.address.needs_smtputf8(),
        content,
        accepted_ms: now_ms,
        send_at_ms: now_ms,
        expires_ms: now_ms.saturating_add(EXPIRY_MS),
        recipients: vec![NewMessageRecipient {
            address_hash: address_hash(&plan.to),
            address: plan.to.clone(),
            dsn_notify: None,
            dsn_orcpt: None,
        }],
    })
}
