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
use config::Signatures;
use dkim::{Algorithm, Signer};
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
    signed: Cache<(MessageId, Signatures), Signed>,
    links: LinkKey,
    verp: bounce::verp::Key,
    base_url: String,
    /// The local part that feedback comes to, where there is a listener that takes it.
    feedback: Option<String>,
}

/// A message with its signatures.
#[derive(Clone)]
struct Signed {
    message: Bytes,
    about: About,
}

/// What is known of a message besides its bytes.
#[derive(Clone)]
struct About {
    eight_bit: bool,
    smtputf8: bool,
    /// It goes out with the empty reverse-path.
    null_sender: bool,
    /// The bytes are the same for several recipients.
    is_shared: bool,
    wishes: Option<Arc<Wishes>>,
    sender: Arc<Sender>,
}

/// A message as written.
struct Letter {
    content: Vec<u8>,
    /// How it came in.
    trace: String,
    about: About,
}

/// A message without its signatures.
struct Unsigned {
    letter: Letter,
    signatures: dkim::Unsigned,
    /// Which submitted message it is, signed by which keys; a campaign's letters differ from recipient to recipient.
    id: Option<(MessageId, Signatures)>,
}

/// A recipient's message, as far as the database is needed for it.
enum Written {
    /// Others have got it before.
    Signed(Signed),
    Unsigned(Box<Unsigned>),
}

impl Letter {
    /// With all that comes before the private key operations of these keys.
    fn signed_by(
        self,
        signatures: Signatures,
        id: Option<(MessageId, Signatures)>,
        now_ms: i64,
    ) -> Result<Unsigned, MakeError> {
        let signer = self.about.sender.signer_of(signatures);
        let signatures = signer.prepare(&self.content, now_ms).map_err(|e| MakeError::Temporary(e.to_string()))?;
        Ok(Unsigned { letter: self, signatures, id })
    }
}

/// A sending domain, ready.
struct Sender {
    signer: Signer,
    /// Only the keys of Ed25519, where there are any.
    ed25519: Option<Signer>,
    domain: Arc<str>,
    return_path: Domain,
}

impl Sender {
    /// What signs. Where there is no such key, all sign: mail never goes without a signature.
    fn signer_of(&self, signatures: Signatures) -> &Signer {
        match (signatures, &self.ed25519) {
            (Signatures::Ed25519, Some(ed25519)) => ed25519,
            (Signatures::Ed25519, None) | (Signatures::All, _) => &self.signer,
        }
    }
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
        let (ed25519, return_path) = (signer.only(Algorithm::Ed25519Sha256), Domain::parse(&return_path)?);
        let sender = Arc::new(Sender { signer, ed25519, domain: domain.into(), return_path });
        self.senders.insert((workspace, id), Arc::clone(&sender));
        Ok(sender)
    }
}

impl ContentMaker for Content {
    fn make(&self, recipient: &Claimed, signatures: Signatures) -> Result<Made, MakeError> {
        let made = self.make_all(&[(recipient, signatures)]).pop();
        made.unwrap_or_else(|| Err(MakeError::Temporary("nothing was made".to_owned())))
    }

    /// One look into the database and one batch of signatures for all of them.
    fn make_all(&self, recipients: &[(&Claimed, Signatures)]) -> Vec<Result<Made, MakeError>> {
        let none = |why: &str| recipients.iter().map(|_| Err(MakeError::Temporary(why.to_owned()))).collect();
        let Some(app) = self.app.upgrade() else { return none("packetboat is stopping") };
        let now_ms = app.now_ms();
        let write = |c: &Connection| Ok(recipients.iter().map(|one| self.write(&app, c, *one, now_ms)).collect());
        let written: Vec<Result<Written, MakeError>> = match app.storage.read_at_once(write) {
            Ok(written) => written,
            Err(e) => return none(&e.to_string()),
        };
        let signed = self.sign(written);
        recipients.iter().zip(signed).map(|((one, _), signed)| self.addressed(one, signed?, now_ms)).collect()
    }
}

impl Content {
    fn write(
        &self,
        app: &App,
        c: &Connection,
        (recipient, signatures): (&Claimed, Signatures),
        now_ms: i64,
    ) -> Result<Written, MakeError> {
        let (letter, id) = match recipient.origin {
            Origin::Campaign { campaign, contact } => {
                (self.letter(app, c, recipient, campaign, contact, now_ms)?, None)
            }
            Origin::Message(id) => match self.signed.get(&(id, signatures)) {
                Some(signed) => return Ok(Written::Signed(signed)),
                None => (self.submitted(app, c, recipient, id, now_ms)?, Some((id, signatures))),
            },
        };
        Ok(Written::Unsigned(Box::new(letter.signed_by(signatures, id, now_ms)?)))
    }

    /// Signs what is not signed yet.
    fn sign(&self, written: Vec<Result<Written, MakeError>>) -> Vec<Result<Signed, MakeError>> {
        let unsigned: Vec<&dkim::Unsigned> = written
            .iter()
            .filter_map(|written| match written {
                Ok(Written::Unsigned(unsigned)) => Some(&unsigned.signatures),
                Ok(Written::Signed(_)) | Err(_) => None,
            })
            .collect();
        let mut signatures = dkim::sign_all(&unsigned).into_iter();
        let seal = |written| match written? {
            Written::Signed(signed) => Ok(signed),
            Written::Unsigned(unsigned) => match signatures.next() {
                Some(Ok(signatures)) => Ok(self.sealed(*unsigned, &signatures)),
                Some(Err(e)) => Err(MakeError::Temporary(e.to_string())),
                None => Err(MakeError::Temporary("the message was not signed".to_owned())),
            },
        };
        written.into_iter().map(seal).collect()
    }

    /// The message with its signatures and its trace before it. The trace is not signed: each host on the way adds one.
    fn sealed(&self, unsigned: Unsigned, signatures: &[u8]) -> Signed {
        let Letter { content, trace, about } = unsigned.letter;
        let signed = Signed { message: Bytes::from([signatures, trace.as_bytes(), &content].concat()), about };
        if let Some(id) = unsigned.id
            && signed.about.is_shared
        {
            self.signed.insert(id, signed.clone());
        }
        signed
    }

    /// A campaign's message to a contact.
    fn letter(
        &self,
        app: &App,
        c: &Connection,
        recipient: &Claimed,
        campaign: CampaignId,
        contact: ContactId,
        now_ms: i64,
    ) -> Result<Letter, MakeError> {
        let workspace = recipient.workspace_id;
        let token = self.links.encode(recipient.id);
        let (from_domain, domain_id) = self.renderer.sender(c, workspace, campaign).map_err(refused)?;
        let sender = self.sender(app, c, workspace, domain_id).map_err(|e| cannot_sign(domain_id, &e))?;
        let mailto = self.mailto(&sender, recipient, now_ms);
        let feedback = self.feedback(&sender, Some(recipient), now_ms);
        let (id, accepted_ms) = (recipient.id.0, recipient.accepted_ms);
        let request = Request {
            workspace,
            campaign,
            contact,
            recipient: recipient.id,
            to: &recipient.address,
            now_ms,
            message_id: &format!("{id:x}.{:x}.{accepted_ms:x}@{from_domain}", campaign.0),
            unsubscribe_url: &format!("{}/u/{token}", self.base_url),
            preferences_url: &format!("{}/p/{token}", self.base_url),
            unsubscribe_mailto: mailto.as_deref(),
            headers: &feedback,
        };
        let content = self.renderer.render(c, &request).map_err(refused)?.message;
        let about = About {
            eight_bit: !content.is_ascii(),
            smtputf8: false,
            null_sender: false,
            is_shared: false,
            wishes: None,
            sender,
        };
        Ok(Letter { content, trace: String::new(), about })
    }

    /// A submitted message: the same for each of its recipients, but for the way to unsubscribe from bulk mail.
    fn submitted(
        &self,
        app: &App,
        c: &Connection,
        recipient: &Claimed,
        id: MessageId,
        now_ms: i64,
    ) -> Result<Letter, MakeError> {
        let workspace = recipient.workspace_id;
        let found = message::find(c, workspace, id).and_then(|row| Ok((row, message::content(c, id)?)));
        let (Some(row), Some(content)) = found.map_err(|e| MakeError::Temporary(e.to_string()))? else {
            return Err(MakeError::Permanent(format!("the content of message {id} is gone")));
        };
        let sender = self.sender(app, c, workspace, row.domain_id).map_err(|e| cannot_sign(row.domain_id, &e))?;
        let own_link = recipient.kind == StreamKind::Bulk && !mail::submission::has_field(&content, "List-Unsubscribe");
        let content = if own_link { self.unsubscribable(&sender, recipient, &content, now_ms) } else { content };
        // Where several share the message, its return path tells them apart.
        let own = (row.recipients == 1 || own_link).then_some(recipient);
        let feedback = self.feedback(&sender, own, now_ms);
        let fields: String = feedback.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        let content = [fields.as_bytes(), &content[..]].concat();
        let about = About {
            eight_bit: row.eight_bit,
            smtputf8: row.smtputf8,
            null_sender: row.null_sender,
            is_shared: row.recipients > 1 && !own_link,
            wishes: wishes(&row),
            sender,
        };
        Ok(Letter { content, trace: trace(app, &row), about })
    }

    /// Where complaints go (RFC 9477 §3.1), and a mark that names the recipient in them.
    fn feedback(&self, sender: &Sender, recipient: Option<&Claimed>, now_ms: i64) -> Vec<(&'static str, String)> {
        let Some(local) = &self.feedback else { return Vec::new() };
        let address = ("CFBL-Address", format!("{local}@{}; report=arf", sender.return_path));
        let mark = recipient.map(|recipient| bounce::verp::encode(&self.verp, recipient.id.0, now_ms));
        std::iter::once(address).chain(mark.map(|mark| (mail::FEEDBACK_MARK, mark))).collect()
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

    /// The message with the envelope of one recipient.
    fn addressed(&self, recipient: &Claimed, signed: Signed, now_ms: i64) -> Result<Made, MakeError> {
        let Signed { message, about } = signed;
        let path = |local: &str| {
            let path = Address::from_parts(local, &about.sender.return_path);
            path.map_err(|e| MakeError::Permanent(e.to_string()))
        };
        let own = || path(&bounce::verp::encode(&self.verp, recipient.id.0, now_ms));
        let shared = |id: MessageId| path(&bounce::verp::encode_message(&self.verp, id.0, now_ms));
        let (reverse_path, shared_path) = match recipient.origin {
            _ if about.null_sender => (None, None),
            Origin::Message(id) if about.is_shared => (Some(own()?), Some(shared(id)?)),
            Origin::Message(_) | Origin::Campaign { .. } => (Some(own()?), None),
        };
        Ok(Made {
            message,
            reverse_path,
            shared_path,
            dsn: about.wishes,
            signing_domain: Some(about.sender.domain.clone()),
            eight_bit: about.eight_bit,
            smtputf8: about.smtputf8 || recipient.address.needs_smtputf8(),
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

fn cannot_sign(id: DomainId, e: &anyhow::Error) -> MakeError {
    MakeError::Temporary(format!("cannot sign for sending domain {id}: {e:#}"))
}

fn refused(e: RenderError) -> MakeError {
    if e.is_temporary() { MakeError::Temporary(e.to_string()) } else { MakeError::Permanent(e.to_string()) }
}
