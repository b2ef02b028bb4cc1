//! What people do by hand that is no event of mail: told in the commit that does it.

use crate::app::App;
use crate::http::error::ApiError;
use api_types::WebhookType;
use serde::Serialize;
use storage::{StorageError, Transaction, WebhookId, WorkspaceId, webhook};

/// The webhooks to tell, and of what.
pub(crate) struct Hooks {
    webhooks: Vec<(WorkspaceId, WebhookId)>,
    kind: WebhookType,
}

impl Hooks {
    /// Finds those that ask for it. What is on the installation's own list binds every workspace, and so each workspace's
    /// webhooks are told of it.
    ///
    /// # Errors
    /// The database's.
    pub async fn asking(app: &App, workspace: WorkspaceId, kind: WebhookType) -> Result<Hooks, ApiError> {
        let owner = (workspace != WorkspaceId::NONE).then_some(workspace);
        let webhooks = app.storage.read(move |c| webhook::asking(c, owner, kind)).await?;
        Ok(Hooks { webhooks, kind })
    }

    /// Tells them. Belongs into the commit of what they are told.
    ///
    /// # Errors
    /// The database's.
    pub fn tell(&self, tx: &Transaction<'_>, at_ms: i64, told: &impl Serialize) -> Result<(), StorageError> {
        if self.webhooks.is_empty() {
            return Ok(());
        }
        let data = serde_json::to_value(told)
            .map_err(|e| StorageError::Damaged { what: "a change for a webhook", value: e.to_string() })?;
        for (workspace, id) in &self.webhooks {
            webhook::queue(tx, *workspace, *id, (self.kind, at_ms), &data)?;
        }
        Ok(())
    }
}
