//! Who is told by mail what becomes of a message: what a request says of it.

use super::intake::mailbox;
use crate::http::error::ApiError;
use api_types::Notify;
use config::NoticeMode;
use storage::message::Notices;
use storage::{Connection, WorkspaceId, domain};

/// Whom to tell, and the words of NOTIFY (RFC 3461 §4.1) for each recipient.
pub(super) struct Wanted {
    pub notices: Notices,
    pub notify: Option<String>,
}

/// Reads `return_path` and `notify`. Reports go to a sending domain of the workspace alone: else anybody could have them
/// sent to anybody.
pub(super) fn wanted(
    c: &Connection,
    workspace: WorkspaceId,
    mode: NoticeMode,
    new: &api_types::NewMessage,
) -> Result<Wanted, ApiError> {
    let Some(return_path) = &new.return_path else {
        if !new.notify.is_empty() {
            return Err(ApiError::invalid("notify", "Say where reports go: return_path is missing."));
        }
        return Ok(Wanted { notices: Notices::Nobody, notify: None });
    };
    let address = mailbox("return_path", return_path)?.address;
    if domain::find_by_name(c, workspace, address.domain().as_str())?.is_none() {
        let message = format!("{} is not one of your sending domains; reports go to no other.", address.domain());
        return Err(ApiError::invalid("return_path", message));
    }
    if mode == NoticeMode::Never {
        return Err(ApiError::invalid("return_path", "Reports by mail are switched off ([notice] to = \"never\")."));
    }
    let mut kinds = if new.notify.is_empty() { vec![Notify::Failure] } else { new.notify.clone() };
    kinds.sort_unstable();
    kinds.dedup();
    let words: Vec<String> = kinds.into_iter().map(|kind| kind.as_str().to_ascii_uppercase()).collect();
    Ok(Wanted { notices: Notices::Asked(address), notify: Some(words.join(",")) })
}
