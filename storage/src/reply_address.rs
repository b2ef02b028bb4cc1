//! Addresses that recipients answer to: whose they are, and what is done with what comes there.

use crate::{DomainId, ReplyAddressId, StorageError, WebhookId, WorkspaceId};
use mail::Address;
use rusqlite::types::Type;
use rusqlite::{Connection, OptionalExtension, Row, named_params};

/// What is done with an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Action {
    /// It is kept for reading.
    Keep,
    /// It is sent on to an address, and kept.
    Forward(Address),
    /// It is told to a webhook, and kept.
    Webhook(WebhookId),
}

impl Action {
    fn word(&self) -> &'static str {
        match self {
            Action::Keep => "keep",
            Action::Forward(_) => "forward",
            Action::Webhook(_) => "webhook",
        }
    }

    fn forward_to(&self) -> Option<String> {
        if let Action::Forward(to) = self { Some(to.to_string()) } else { None }
    }

    fn webhook(&self) -> Option<WebhookId> {
        if let Action::Webhook(id) = self { Some(*id) } else { None }
    }

    fn read(row: &Row<'_>, column: usize) -> rusqlite::Result<Action> {
        let damaged = |e: String| rusqlite::Error::FromSqlConversionFailure(column + 1, Type::Text, e.into());
        match (row.get::<_, Option<String>>(column)?, row.get(column + 1)?) {
            (Some(text), _) => Address::parse(&text).map(Action::Forward).map_err(|e| damaged(e.to_string())),
            (None, Some(id)) => Ok(Action::Webhook(id)),
            (None, None) => Ok(Action::Keep),
        }
    }
}

/// A reply address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplyAddress {
    /// Id.
    pub id: ReplyAddressId,
    /// Whose.
    pub workspace_id: WorkspaceId,
    /// The address, lower case.
    pub address: String,
    /// The sending domain that signs what is forwarded.
    pub domain_id: DomainId,
    /// What is done with what comes.
    pub action: Action,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_ms: i64,
}

/// A reply address to make.
#[derive(Clone, Debug)]
pub struct NewReplyAddress {
    /// Whose.
    pub workspace_id: WorkspaceId,
    /// The address.
    pub address: Address,
    /// The sending domain.
    pub domain_id: DomainId,
    /// What is done.
    pub action: Action,
    /// Who makes it.
    pub created_by: String,
    /// Now.
    pub created_ms: i64,
}

/// Local parts are compared without regard to case: nobody has two mailboxes that differ in it.
fn key(address: &Address) -> String {
    address.to_string().to_lowercase()
}

const INSERT: &str = "
    INSERT INTO reply_address (workspace_id, address, domain_id, action, forward_to, webhook_id, created_by,
        created_ms)
    VALUES (:workspace_id, :address, :domain_id, :action, :forward_to, :webhook_id, :created_by, :created_ms)";

/// Makes a reply address.
///
/// # Errors
/// `Exists` when the address is there already, in whatever workspace; the database's.
pub fn insert(tx: &Connection, new: &NewReplyAddress) -> Result<ReplyAddressId, StorageError> {
    tx.prepare_cached(INSERT)?.execute(named_params! {
        ":workspace_id": new.workspace_id,
        ":address": key(&new.address),
        ":domain_id": new.domain_id,
        ":action": new.action.word(),
        ":forward_to": new.action.forward_to(),
        ":webhook_id": new.action.webhook(),
        ":created_by": new.created_by,
        ":created_ms": new.created_ms,
    })?;
    Ok(ReplyAddressId(tx.last_insert_rowid()))
}

const UPDATE: &str = "
    UPDATE reply_address SET action = :action, forward_to = :forward_to, webhook_id = :webhook_id
    WHERE id = :id AND workspace_id = :workspace_id";

/// Changes what is done with what comes; `false` when there is no such address.
///
/// # Errors
/// The database's.
pub fn update(
    tx: &Connection,
    (workspace, id): (WorkspaceId, ReplyAddressId),
    action: &Action,
) -> Result<bool, StorageError> {
    let changed = tx.prepare_cached(UPDATE)?.execute(named_params! {
        ":id": id,
        ":workspace_id": workspace,
        ":action": action.word(),
        ":forward_to": action.forward_to(),
        ":webhook_id": action.webhook(),
    })?;
    Ok(changed > 0)
}

const DELETE: &str = "DELETE FROM reply_address WHERE id = :id AND workspace_id = :workspace_id";

/// Deletes a reply address; `false` when there was none. What came there stays.
///
/// # Errors
/// The database's.
pub fn delete(tx: &Connection, workspace: WorkspaceId, id: ReplyAddressId) -> Result<bool, StorageError> {
    Ok(tx.prepare_cached(DELETE)?.execute(named_params! { ":id": id, ":workspace_id": workspace })? > 0)
}

macro_rules! columns {
    () => {
        "id, workspace_id, address, domain_id, forward_to, webhook_id, created_by, created_ms"
    };
}

const FIND: &str =
    concat!("SELECT ", columns!(), " FROM reply_address WHERE id = :id AND workspace_id = :workspace_id");

/// One reply address.
///
/// # Errors
/// The database's.
pub fn find(c: &Connection, workspace: WorkspaceId, id: ReplyAddressId) -> Result<Option<ReplyAddress>, StorageError> {
    let mut statement = c.prepare_cached(FIND)?;
    Ok(statement.query_row(named_params! { ":id": id, ":workspace_id": workspace }, read).optional()?)
}

const BY_ADDRESS: &str = concat!("SELECT ", columns!(), " FROM reply_address WHERE address = :address");

/// The reply address that a mail came to, in whatever workspace: it says in which.
///
/// # Errors
/// The database's.
pub fn by_address(c: &Connection, address: &Address) -> Result<Option<ReplyAddress>, StorageError> {
    let mut statement = c.prepare_cached(BY_ADDRESS)?;
    Ok(statement.query_row(named_params! { ":address": key(address) }, read).optional()?)
}

const LIST: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM reply_address WHERE workspace_id = :workspace_id AND id > :after ORDER BY id LIMIT :limit"
);

/// Reply addresses of the workspace, oldest first, with ids above `after`.
///
/// # Errors
/// The database's.
pub fn list(c: &Connection, workspace: WorkspaceId, after: i64, limit: u32) -> Result<Vec<ReplyAddress>, StorageError> {
    let mut statement = c.prepare_cached(LIST)?;
    let rows =
        statement.query_map(named_params! { ":workspace_id": workspace, ":after": after, ":limit": limit }, read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn read(row: &Row<'_>) -> rusqlite::Result<ReplyAddress> {
    Ok(ReplyAddress {
        id: row.get(0)?,
        workspace_id: row.get(1)?,
        address: row.get(2)?,
        domain_id: row.get(3)?,
        action: Action::read(row, 4)?,
        created_by: row.get(6)?,
        created_ms: row.get(7)?,
    })
}

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[INSERT, UPDATE, DELETE, FIND, BY_ADDRESS, LIST];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{OpenOptions, Storage, domain};

    #[tokio::test]
    async fn an_address_belongs_to_one_workspace_and_goes_with_its_domain() {
        let dir = tempfile::tempdir().unwrap();
        let storage = Storage::open(&OpenOptions { dir: dir.path().to_owned(), readers: 2 }).unwrap();
        let main = storage.main();
        let names = ("news.example", "bounce.news.example");
        let domain_id = main.write(move |tx| domain::insert(tx, WorkspaceId::MAIN, names, &[], 1)).await.unwrap();
        let new = move |workspace: i64| NewReplyAddress {
            workspace_id: WorkspaceId(workspace),
            address: Address::parse("Hello@bounce.news.example").unwrap(),
            domain_id,
            action: Action::Keep,
            created_by: "ana".to_owned(),
            created_ms: 1,
        };
        let id = main.write(move |tx| insert(tx, &new(1))).await.unwrap();
        assert!(matches!(main.write(move |tx| insert(tx, &new(2))).await, Err(StorageError::Exists)));
        let found = |text: &str| {
            let address = Address::parse(text).unwrap();
            storage.read_blocking(move |c| by_address(c, &address)).unwrap()
        };
        assert_eq!(found("hELLO@bounce.news.example").unwrap().id, id);
        let to = Address::parse("team@example.com").unwrap();
        let change = |workspace: i64| {
            let action = Action::Forward(to.clone());
            main.write(move |tx| update(tx, (WorkspaceId(workspace), id), &action))
        };
        assert!(!change(2).await.unwrap(), "another workspace's");
        assert!(change(1).await.unwrap());
        assert_eq!(found("hello@bounce.news.example").unwrap().action, Action::Forward(to.clone()));
        let hook =
            move |tx: &rusqlite::Transaction<'_>| update(tx, (WorkspaceId::MAIN, id), &Action::Webhook(WebhookId(7)));
        assert!(main.write(hook).await.unwrap());
        assert_eq!(found("hello@bounce.news.example").unwrap().action, Action::Webhook(WebhookId(7)));
        main.write(move |tx| domain::delete(tx, WorkspaceId::MAIN, domain_id)).await.unwrap();
        assert_eq!(found("hello@bounce.news.example"), None, "nobody could sign for it any more");
    }
}
