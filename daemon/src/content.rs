//! The message of a claimed recipient: `campaign` renders it, `dkim` signs it, and its return path is signed too.
//!
//! Called by `mta`'s threads for every recipient, so all that is the same for many is kept: the renderer's caches, and
//! one opened signer per sending domain.

use crate::app::App;
use crate::domains;
use bytes::Bytes;
use campaign::render::{RenderError, Renderer, Request};
use campaign::unsubscribe::LinkKey;
use dkim::Signer;
use mail::{Address, Domain};
use moka::sync::Cache;
use mta::{ContentMaker, Made, MakeError};
use std::sync::{Arc, Weak};
use std::time::Duration;
use storage::queue::Claimed;
use storage::{DomainId, WorkspaceId, domain};

/// Domains kept ready to sign.
const SIGNERS_MAX: u64 = 256;
/// New keys and changed domains are noticed within this time.
const SIGNERS_AGE: Duration = Duration::from_secs(60);

/// Makes messages for `mta`.
pub(crate) struct Content {
    // The app owns the engine, which owns this.
    app: Weak<App>,
    renderer: Renderer,
    senders: Cache<(WorkspaceId, DomainId), Arc<Sender>>,
    links: LinkKey,
    verp: bounce::verp::Key,
    base_url: String,
}

/// A sending domain, ready.
struct Sender {
    signer: Signer,
    return_path: Domain,
}

impl Content {
    pub fn new(app: &Arc<App>) -> Content {
        Content {
            app: Arc::downgrade(app),
            renderer: Renderer::new(),
            senders: Cache::builder().max_capacity(SIGNERS_MAX).time_to_live(SIGNERS_AGE).build(),
            links: LinkKey::new(&app.keys.unsubscribe),
            verp: bounce::verp::Key::new(&app.keys.verp),
            base_url: app.config.http.base_url().to_string(),
        }
    }

    fn sender(&self, app: &App, workspace: WorkspaceId, id: DomainId) -> anyhow::Result<Arc<Sender>> {
        if let Some(sender) = self.senders.get(&(workspace, id)) {
            return Ok(sender);
        }
        let opened = app.storage.read_blocking(|c| {
            let row = domain::find(c, workspace, id)?;
            Ok(domains::signer(c, &app.keys, workspace, id).map(|signer| (signer, row)))
        })?;
        let (signer, row) = opened?;
        let return_path = row.map(|row| row.return_path_domain).unwrap_or_default();
        let sender = Arc::new(Sender { signer, return_path: Domain::parse(&return_path)? });
        self.senders.insert((workspace, id), Arc::clone(&sender));
        Ok(sender)
    }
}

impl ContentMaker for Content {
    fn make(&self, recipient: &Claimed) -> Result<Made, MakeError> {
        let app = self.app.upgrade().ok_or_else(|| MakeError::Temporary("packetboat is stopping".to_owned()))?;
        let now_ms = app.now_ms();
        let unsubscribe_url = format!("{}/u/{}", self.base_url, self.links.encode(recipient.id));
        let message_id = format!("{:x}.{:x}.{:x}", recipient.id.0, recipient.campaign_id.0, recipient.accepted_ms);
        let rendered = app
            .storage
            .read_blocking(|c| {
                let from_domain = match self.renderer.from_domain(c, recipient.workspace_id, recipient.campaign_id) {
                    Ok(from_domain) => from_domain,
                    Err(e) => return Ok(Err(e)),
                };
                let request = Request {
                    workspace: recipient.workspace_id,
                    campaign: recipient.campaign_id,
                    contact: recipient.contact_id,
                    recipient: recipient.id,
                    to: &recipient.address,
                    now_ms,
                    message_id: &format!("{message_id}@{from_domain}"),
                    unsubscribe_url: &unsubscribe_url,
                    unsubscribe_mailto: None,
                };
                Ok(self.renderer.render(c, &request))
            })
            .map_err(|e| MakeError::Temporary(e.to_string()))?
            .map_err(refused)?;
        let sender = self.sender(&app, recipient.workspace_id, rendered.domain_id);
        let sender =
            sender.map_err(|e| MakeError::Temporary(format!("cannot sign for {}: {e:#}", rendered.from_domain)))?;
        let signatures = sender.signer.sign(&rendered.message, now_ms);
        let signatures = signatures.map_err(|e| MakeError::Temporary(e.to_string()))?;
        let mut message = Vec::with_capacity(signatures.len() + rendered.message.len());
        message.extend_from_slice(&signatures);
        message.extend_from_slice(&rendered.message);
        let local = bounce::verp::encode(&self.verp, recipient.id.0, now_ms);
        let reverse_path = Address::from_parts(&local, &sender.return_path);
        Ok(Made {
            eight_bit: !message.is_ascii(),
            smtputf8: recipient.address.needs_smtputf8(),
            message: Bytes::from(message),
            reverse_path: reverse_path.map_err(|e| MakeError::Permanent(e.to_string()))?,
        })
    }
}

fn refused(e: RenderError) -> MakeError {
    if e.is_temporary() { MakeError::Temporary(e.to_string()) } else { MakeError::Permanent(e.to_string()) }
}
