//! The message of a claimed recipient: `campaign` renders it, or it was submitted; `dkim` signs it, and its return path
//! is signed too.
//!
//! Called by `mta`'s threads for every recipient, so all that is the same for many is kept: the renderer's caches, one
//! opened signer per sending domain, and submitted messages of several recipients, which are signed once.

use crate::app::App;
use crate::domains;
use crate::text::mail_date;
use bytes::Bytes;
use campaign::render::{RenderError, Renderer, Request};
use campaign::unsubscribe::LinkKey;
use dkim::Signer;
use mail::{Address, Domain, StreamKind};
use moka::sync::Cache;
use mta::{ContentMaker, Made, MakeError, Wishes};
use std::sync::{Arc, Weak};
use std::time::Duration;
use storage::message::{Message, Submission};
use storage::queue::{Claimed, Origin};
use storage::{CampaignId, Connection, ContactId, DomainId, MessageId, WorkspaceId, domain, message};

/// Domains kept ready to sign.
const SIGNERS_MAX: u64 = 256;
/// New keys and changed domains are noticed within this time.
const SIGNERS_AGE: Duration = Duration::from_secs(60);
/// Bytes of signed messages with several recipients that are kept.
const SIGNED_BYTES_MAX: u64 = 16 * 1024 * 1024;

/// Makes messages for `mta`.
pub(crate) struct Content {
    // The app owns the engine, which owns this.
    app: Weak<App>,
    renderer: Renderer,
    senders: Cache<(WorkspaceId, DomainId), Arc<Sender>>,
    signed: Cache<MessageId, Signed>,
    links: LinkKey,
    verp: bounce::verp::Key,
    base_url: String,
    /// The local part that feedback comes to, where there is a listener that takes it.
    feedback: Option<String>,
}

/// A submitted message, signed.
#[derive(Clone)]
struct Signed {
    message: Bytes,
    eight_bit: bool,
    smtputf8: bool,
    /// It goes out with the empty reverse-path.
    null_sender: bool,
    /// The bytes are the same for several recipients.
    is_shared: bool,
    wishes: Option<Arc<Wishes>>,
    sender: Arc<Sender>,
}

/// A sending domain, ready.
struct Sender {
    signer: Signer,
    domain: Arc<str>,
    return_path: Domain,
}

impl Content {
    pub fn new(app: &Arc<App>) -> Content {
        let smtp = &app.config.smtp;
        Content {
            app: Arc::downgrade(app),
            renderer: Renderer::new(),
            senders: Cache::builder().max_capacity(SIGNERS_MAX).time_to_live(SIGNERS_AGE).build(),
            signed: Cache::builder()
                .max_capacity(SIGNED_BYTES_MAX)
                .weigher(|_, signed: &Signed| u32::try_from(signed.message.len()).unwrap_or(u32::MAX))
                .time_to_live(SIGNERS_AGE)
                .build(),
            links: LinkKey::new(&app.keys.unsubscribe),
            verp: bounce::verp::Key::new(&app.keys.verp),
            base_url: app.config.http.base_url().to_string(),
            feedback: smtp.inbound_listen.map(|_| smtp.feedback_local_part.to_string()),
        }
    }

    fn sender(&self, app: &App, c: &Connection, workspace: WorkspaceId, id: DomainId) -> anyhow::Result<Arc<Sender>> {
        if let Some(sender) = self.senders.get(&(workspace, id)) {
            return Ok(sender);
        }
        let row = domain::find(c, workspace, id)?;
        let signer = domains::signer(c, &app.keys, workspace, id)?;
        let (domain, return_path) = row.map(|row| (row.domain, row.return_path_domain)).unwrap_or_default();
        let sender = Arc::new(Sender { signer, domain: domain.into(), return_path: Domain::parse(&return_path)? });
        self.senders.insert((workspace, id), Arc::clone(&sender));
        Ok(sender)
    }
}

impl ContentMaker for Content {
    fn make(&self, recipient: &Claimed) -> Result<Made, MakeError> {
        let app = self.app.upgrade().ok_or_else(|| MakeError::Temporary("packetboat is stopping".to_owned()))?;
        match recipient.origin {
            Origin::Campaign { campaign, contact } => self.letter(&app, recipient, campaign, contact),
            Origin::Message(message) => self.submitted(&app, recipient, message),
        }
    }
}

impl Content {
    /// A campaign's message to a contact.
    fn letter(
        &self,
        app: &App,
        recipient: &Claimed,
        campaign: CampaignId,
        contact: ContactId,
    ) -> Result<Made, MakeError> {
        let now_ms = app.now_ms();
        let token = self.links.encode(recipient.id);
        let unsubscribe_url = format!("{}/u/{token}", self.base_url);
        let preferences_url = format!("{}/p/{token}", self.base_url);
        let message_id = format!("{:x}.{:x}.{:x}", recipient.id.0, campaign.0, recipient.accepted_ms);
        let workspace = recipient.workspace_id;
        let make = |c: &Connection| {
            let (from_domain, domain_id) = self.renderer.sender(c, workspace, campaign).map_err(refused)?;
            let sender = self.sender(app, c, workspace, domain_id).map_err(|e| cannot_sign(domain_id, &e))?;
            let mailto = self.mailto(&sender, recipient, now_ms);
            let request = Request {
                workspace,
                campaign,
                contact,
                recipient: recipient.id,
                to: &recipient.address,
                now_ms,
                message_id: &format!("{message_id}@{from_domain}"),
                unsubscribe_url: &unsubscribe_url,
                preferences_url: &preferences_url,
                unsubscribe_mailto: mailto.as_deref(),
            };
            Ok((self.renderer.render(c, &request).map_err(refused)?, sender))
        };
        let made = app.storage.read_blocking(|c| Ok(make(c)));
        let (rendered, sender) = made.map_err(|e| MakeError::Temporary(e.to_string()))??;
        let marked = [self.feedback(&sender, Some(recipient), now_ms).as_bytes(), &rendered.message].concat();
        let message = sealed(&sender, "", &marked, now_ms)?;
        self.addressed(recipient, message, &sender, recipient.address.needs_smtputf8(), now_ms)
    }

    /// A submitted message: the same for each of its recipients, but for the way to unsubscribe from bulk mail.
    fn submitted(&self, app: &App, recipient: &Claimed, id: MessageId) -> Result<Made, MakeError> {
        let now_ms = app.now_ms();
        let signed = match self.signed.get(&id) {
            Some(signed) => signed,
            None => self.sign_submitted(app, recipient, id, now_ms)?,
        };
        let smtputf8 = signed.smtputf8 || recipient.address.needs_smtputf8();
        let made = self.addressed(recipient, signed.message, &signed.sender, smtputf8, now_ms)?;
        let shared_path = (signed.is_shared && !signed.null_sender).then(|| {
            let local = bounce::verp::encode_message(&self.verp, id.0, now_ms);
            Address::from_parts(&local, &signed.sender.return_path)
        });
        let shared_path = shared_path.transpose().map_err(|e| MakeError::Permanent(e.to_string()))?;
        let reverse_path = made.reverse_path.filter(|_| !signed.null_sender);
        Ok(Made { eight_bit: signed.eight_bit, reverse_path, shared_path, dsn: signed.wishes, ..made })
    }

    fn sign_submitted(&self, app: &App, recipient: &Claimed, id: MessageId, now_ms: i64) -> Result<Signed, MakeError> {
        let workspace = recipient.workspace_id;
        let found = app
            .storage
            .read_blocking(|c| Ok((message::find(c, workspace, id)?, message::content(c, id)?)))
            .map_err(|e| MakeError::Temporary(e.to_string()))?;
        let (Some(row), Some(content)) = found else {
            return Err(MakeError::Permanent(format!("the content of message {id} is gone")));
        };
        let sender = self.ready(app, workspace, row.domain_id)?;
        let own_link = recipient.kind == StreamKind::Bulk && !mail::submission::has_field(&content, "List-Unsubscribe");
        let content = if own_link { self.unsubscribable(&sender, recipient, &content, now_ms) } else { content };
        // Where several share the message, its return path tells them apart.
        let own = (row.recipients == 1 || own_link).then_some(recipient);
        let content = [self.feedback(&sender, own, now_ms).as_bytes(), &content[..]].concat();
        let signed = Signed {
            message: Bytes::from(sealed(&sender, &trace(app, &row), &content, now_ms)?),
            eight_bit: row.eight_bit,
            smtputf8: row.smtputf8,
            null_sender: row.null_sender,
            is_shared: row.recipients > 1 && !own_link,
            wishes: wishes(&row),
            sender,
        };
        if signed.is_shared {
            self.signed.insert(id, signed.clone());
        }
        Ok(signed)
    }

    /// Where complaints go (RFC 9477 §3.1), and a mark that names the recipient in them.
    fn feedback(&self, sender: &Sender, recipient: Option<&Claimed>, now_ms: i64) -> String {
        let Some(local) = &self.feedback else { return String::new() };
        let mut fields = format!("CFBL-Address: {local}@{}; report=arf\r\n", sender.return_path);
        if let Some(recipient) = recipient {
            let mark = bounce::verp::encode(&self.verp, recipient.id.0, now_ms);
            fields.push_str(&format!("{}: {mark}\r\n", mail::FEEDBACK_MARK));
        }
        fields
    }

    /// The address at which a mail unsubscribes the recipient, where there is a listener that takes it.
    fn mailto(&self, sender: &Sender, recipient: &Claimed, now_ms: i64) -> Option<String> {
        self.feedback.as_ref()?;
        let local = bounce::verp::encode_unsubscribe(&self.verp, recipient.id.0, now_ms);
        Some(format!("{local}@{}", sender.return_path))
    }

    /// The message with this recipient's ways to unsubscribe (RFC 2369 §3.2, RFC 8058 §3.1).
    fn unsubscribable(&self, sender: &Sender, recipient: &Claimed, content: &[u8], now_ms: i64) -> Vec<u8> {
        let token = self.links.encode(recipient.id);
        let mailto = self.mailto(sender, recipient, now_ms);
        let mailto = mailto.map(|address| format!(",\r\n <mailto:{address}>")).unwrap_or_default();
        let fields = format!(
            "List-Unsubscribe: <{}/u/{token}>{mailto}\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n",
            self.base_url
        );
        [fields.as_bytes(), content].concat()
    }

    fn ready(&self, app: &App, workspace: WorkspaceId, id: DomainId) -> Result<Arc<Sender>, MakeError> {
        if let Some(sender) = self.senders.get(&(workspace, id)) {
            return Ok(sender);
        }
        let sender = app.storage.read_blocking(|c| Ok(self.sender(app, c, workspace, id)));
        let sender = sender.map_err(|e| MakeError::Temporary(e.to_string()))?;
        sender.map_err(|e| cannot_sign(id, &e))
    }

    fn addressed(
        &self,
        recipient: &Claimed,
        message: impl Into<Bytes>,
        sender: &Sender,
        smtputf8: bool,
        now_ms: i64,
    ) -> Result<Made, MakeError> {
        let message = message.into();
        let local = bounce::verp::encode(&self.verp, recipient.id.0, now_ms);
        let reverse_path = Address::from_parts(&local, &sender.return_path);
        let reverse_path = reverse_path.map_err(|e| MakeError::Permanent(e.to_string()))?;
        Ok(Made {
            eight_bit: !message.is_ascii(),
            smtputf8,
            message,
            reverse_path: Some(reverse_path),
            shared_path: None,
            dsn: None,
            signing_domain: Some(sender.domain.clone()),
        })
    }
}

/// What the submitter wants to be told, where it said so.
fn wishes(row: &Message) -> Option<Arc<Wishes>> {
    let wishes = Wishes { ret: row.dsn_ret.clone(), envid: row.dsn_envid.clone() };
    (wishes != Wishes::default()).then(|| Arc::new(wishes))
}

/// How the message came in, with our id (RFC 5321 §4.4). From whom stays between us and the submitter.
fn trace(app: &App, row: &Message) -> String {
    // RFC 3848 names SMTP with TLS and AUTH; HTTP has no such name.
    let with = match row.submission {
        Submission::Smtp => "ESMTPSA",
        Submission::Http => "HTTP",
        Submission::System => "local",
    };
    let host = &app.config.server.hostname;
    format!("Received: by {host} (Packetboat) with {with} id {};\r\n\t{}\r\n", row.id, mail_date(row.accepted_ms))
}

/// The message with its signatures and its trace before it. The trace is not signed: each host on the way adds one.
fn sealed(sender: &Sender, trace: &str, message: &[u8], now_ms: i64) -> Result<Vec<u8>, MakeError> {
    let signatures = sender.signer.sign(message, now_ms).map_err(|e| MakeError::Temporary(e.to_string()))?;
    let mut sealed = Vec::with_capacity(signatures.len() + trace.len() + message.len());
    sealed.extend_from_slice(&signatures);
    sealed.extend_from_slice(trace.as_bytes());
    sealed.extend_from_slice(message);
    Ok(sealed)
}

fn cannot_sign(id: DomainId, e: &anyhow::Error) -> MakeError {
    MakeError::Temporary(format!("cannot sign for sending domain {id}: {e:#}"))
}

fn refused(e: RenderError) -> MakeError {
    if e.is_temporary() { MakeError::Temporary(e.to_string()) } else { MakeError::Permanent(e.to_string()) }
}
