//! The message of one recipient, made at the last moment.
//!
//! Called by several threads for every recipient of every campaign: what is the same for all recipients (settings, the
//! compiled template) is cached, what differs is one look-up by primary key, a merge, and the writing of the message.

use crate::merge::MergeError;
use crate::merge::people::{ContactValues, Root, campaign_value, workspace_value};
use crate::template::compile::Compiled;
use mail::{Address, Body, ComposeError, Domain, Draft, compose};
use minijinja::Value;
use moka::sync::Cache;
use std::sync::Arc;
use std::time::Duration;
use storage::template::Version;
use storage::{
    CampaignId, Connection, ContactId, DomainId, RecipientId, StorageError, TemplateVersionId, WorkspaceId, campaign,
    contact, template, workspace,
};

/// Campaigns and template versions kept ready. More run at once only on the largest installations, and then the
/// least used ones are compiled again.
const CACHED: u64 = 128;
/// A changed postal address reaches the mails within this time.
const SETTINGS_AGE: Duration = Duration::from_secs(30);

/// Makes messages. Clones share their caches.
#[derive(Clone)]
pub struct Renderer {
    settings: Cache<(WorkspaceId, CampaignId), Arc<Settings>>,
    compiled: Cache<TemplateVersionId, Arc<Compiled>>,
}

/// What is the same for all recipients of a campaign.
struct Settings {
    from: Address,
    from_name: String,
    reply_to: Option<Address>,
    domain_id: DomainId,
    campaign: Value,
    workspace: Value,
    /// Headers that are the same for all.
    headers: Vec<(&'static str, String)>,
    compiled: Arc<Compiled>,
}

/// For whom, and what only the caller knows.
#[derive(Clone, Copy, Debug)]
pub struct Request<'a> {
    /// Whose campaign.
    pub workspace: WorkspaceId,
    /// The campaign.
    pub campaign: CampaignId,
    /// The contact whose values are used.
    pub contact: ContactId,
    /// The recipient.
    pub recipient: RecipientId,
    /// The recipient's address, as in the envelope.
    pub to: &'a Address,
    /// Now: the Date header.
    pub now_ms: i64,
    /// Without angle brackets; another one for each recipient.
    pub message_id: &'a str,
    /// The page on which this recipient unsubscribes; takes the POST of RFC 8058 too.
    pub unsubscribe_url: &'a str,
    /// The page on which this recipient chooses what it gets.
    pub preferences_url: &'a str,
    /// The address that unsubscribes this recipient, where mail to it is heard.
    pub unsubscribe_mailto: Option<&'a str>,
    /// Further headers of this recipient's, in their final form.
    pub headers: &'a [(&'static str, String)],
}

/// A message, ready to be signed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendered {
    /// The whole message.
    pub message: Vec<u8>,
    /// The From domain.
    pub from_domain: Domain,
    /// Its row, pinned at launch: its keys sign.
    pub domain_id: DomainId,
}

/// Why a message could not be made.
#[derive(Debug, thiserror::Error)]
pub enum RenderError {
    /// The contact was deleted after the campaign was launched.
    #[error("the contact is deleted")]
    ContactGone,
    /// There is no such launched campaign.
    #[error("there is no such launched campaign")]
    CampaignGone,
    /// The template does not compile, though it did at launch.
    #[error("the template cannot be used: {0}")]
    Template(String),
    /// The template fails with this contact's values.
    #[error("the template fails with this contact's values: {0}")]
    Merge(#[from] MergeError),
    /// A header cannot be written.
    #[error("the message cannot be written: {0}")]
    Compose(#[from] ComposeError),
    /// The database.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl RenderError {
    /// Whether trying again later can help.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        matches!(self, RenderError::Storage(_))
    }
}

impl Default for Renderer {
    fn default() -> Self {
        Renderer::new()
    }
}

impl Renderer {
    /// A renderer with empty caches.
    #[must_use]
    pub fn new() -> Renderer {
        Renderer {
            settings: Cache::builder().max_capacity(CACHED).time_to_live(SETTINGS_AGE).build(),
            compiled: Cache::builder().max_capacity(CACHED).build(),
        }
    }

    /// Makes the message of one recipient.
    ///
    /// # Errors
    /// Why there is none; [`RenderError::is_temporary`] says whether to try again.
    pub fn render(&self, connection: &Connection, request: &Request<'_>) -> Result<Rendered, RenderError> {
        let settings = self.settings(connection, request.workspace, request.campaign)?;
        let person =
            contact::person(connection, request.workspace, request.contact)?.ok_or(RenderError::ContactGone)?;
        let root = Value::from_object(Root {
            contact: ContactValues::value(person),
            campaign: settings.campaign.clone(),
            workspace: settings.workspace.clone(),
            unsubscribe_url: Value::from(request.unsubscribe_url),
            preferences_url: Value::from(request.preferences_url),
        });
        let parts = settings.compiled.render(&root)?;
        let mut headers = Vec::with_capacity(settings.headers.len() + request.headers.len() + 2);
        // RFC 2369 §3.2; the mailto is for programs that know no https. RFC 8058 §3.1: exactly this value.
        let unsubscribe = match request.unsubscribe_mailto {
            Some(mailto) => format!("<{}>, <mailto:{mailto}>", request.unsubscribe_url),
            None => format!("<{}>", request.unsubscribe_url),
        };
        headers.push(("List-Unsubscribe", unsubscribe));
        headers.push(("List-Unsubscribe-Post", "List-Unsubscribe=One-Click".to_owned()));
        headers.extend(settings.headers.iter().chain(request.headers).cloned());
        let message = compose(&Draft {
            from: &settings.from,
            from_name: &settings.from_name,
            to: request.to,
            reply_to: settings.reply_to.as_ref(),
            subject: &parts.subject,
            date_ms: request.now_ms,
            message_id: request.message_id,
            headers: &headers,
            body: Body { text: &parts.text, html: Some(&parts.html) },
            // `=_` stands in no quoted-printable or base64 text (RFC 2045 §6.7).
            boundary: &format!("=_pb_{:x}", request.recipient.0),
        })?;
        Ok(Rendered { message, from_domain: settings.from.domain().clone(), domain_id: settings.domain_id })
    }

    /// The From domain of a launched campaign, which is the right side of its Message-IDs, and the row whose keys sign.
    ///
    /// # Errors
    /// No such campaign, or the database's.
    pub fn sender(
        &self,
        connection: &Connection,
        workspace: WorkspaceId,
        campaign: CampaignId,
    ) -> Result<(Domain, DomainId), RenderError> {
        let settings = self.settings(connection, workspace, campaign)?;
        Ok((settings.from.domain().clone(), settings.domain_id))
    }

    fn settings(
        &self,
        connection: &Connection,
        workspace: WorkspaceId,
        campaign: CampaignId,
    ) -> Result<Arc<Settings>, RenderError> {
        if let Some(settings) = self.settings.get(&(workspace, campaign)) {
            return Ok(settings);
        }
        let settings = Arc::new(self.read_settings(connection, workspace, campaign)?);
        self.settings.insert((workspace, campaign), Arc::clone(&settings));
        Ok(settings)
    }

    fn read_settings(
        &self,
        connection: &Connection,
        workspace: WorkspaceId,
        campaign: CampaignId,
    ) -> Result<Settings, RenderError> {
        let found = campaign::find(connection, workspace, campaign)?.ok_or(RenderError::CampaignGone)?;
        let launch = found.launch.ok_or(RenderError::CampaignGone)?;
        let owner = workspace::find(connection, workspace)?.ok_or(RenderError::CampaignGone)?;
        let from = address(&found.draft.from_email)?;
        let domain = from.domain().clone();
        let reply_to = match found.draft.reply_to.as_str() {
            "" => None,
            text => Some(address(text)?),
        };
        let headers = vec![
            // RFC 2919: one list for each workspace and domain, so that a reader's filter outlives the campaign.
            ("List-Id", format!("<w{workspace}.{domain}>")),
            // Google's feedback loop: up to three names of ours, then one that stands for the sender.
            ("Feedback-ID", format!("c{campaign}:w{workspace}:bulk:{}", domain.as_str().replace('.', "-"))),
            // Keeps automatic replies of people on holiday away (RFC 3834 §2 names it as common practice).
            ("Precedence", "bulk".to_owned()),
        ];
        Ok(Settings {
            from,
            from_name: found.draft.from_name,
            reply_to,
            domain_id: launch.domain_id,
            campaign: campaign_value(&found.draft.name),
            workspace: workspace_value(&owner),
            headers,
            compiled: self.compiled(connection, workspace, launch.template_version_id)?,
        })
    }

    fn compiled(
        &self,
        connection: &Connection,
        workspace: WorkspaceId,
        id: TemplateVersionId,
    ) -> Result<Arc<Compiled>, RenderError> {
        if let Some(compiled) = self.compiled.get(&id) {
            return Ok(compiled);
        }
        let version: Version = template::version(connection, workspace, id)?.ok_or(RenderError::CampaignGone)?;
        let compiled = Compiled::new(&version.content).map_err(|problems| {
            RenderError::Template(problems.into_iter().map(|p| p.message).collect::<Vec<_>>().join("; "))
        })?;
        let compiled = Arc::new(compiled);
        self.compiled.insert(id, Arc::clone(&compiled));
        Ok(compiled)
    }
}

fn address(text: &str) -> Result<Address, RenderError> {
    Address::parse(text).map_err(|e| RenderError::Template(e.to_string()))
}
