//! What people do by hand that is no event of mail: told in the commit that does it.

use crate::app::App;
use crate::http::error::ApiError;
use api_types::{WebhookSuppression, WebhookType};
use storage::{StorageError, Transaction, WebhookId, WorkspaceId, webhook};

/// The webhooks to tell, and what.
pub(crate) struct Hooks {
    workspace: WorkspaceId,
    webhooks: Vec<WebhookId>,
    kind: WebhookType,
    told: WebhookSuppression,
}

impl Hooks {
    /// Finds those that ask for it. The installation's own list is no workspace's, and nobody is told of it.
    ///
    /// # Errors
    /// The database's.
    pub async fn asking(
        app: &App,
        workspace: WorkspaceId,
        kind: WebhookType,
        told: WebhookSuppression,
    ) -> Result<Hooks, ApiError> {
        let webhooks = app.storage.read(move |c| webhook::asking(c, workspace, kind)).await?;
        Ok(Hooks { workspace, webhooks, kind, told })
    }

    /// Tells them. Belongs into the commit of what they are told.
    ///
    /// # Errors
    /// The database's.
    pub fn tell(&self, tx: &Transaction<'_>, at_ms: i64) -> Result<(), StorageError> {
        if self.webhooks.is_empty() {
            return Ok(());
        }
        let data = serde_json::to_value(&self.told)
            .map_err(|e| StorageError::Damaged { what: "a change for a webhook", value: e.to_string() })?;
        for id in &self.webhooks {
            webhook::queue(tx, self.workspace, *id, (self.kind, at_ms), &data)?;
        }
        Ok(())
    }
}
