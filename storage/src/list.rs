//! Lists that people subscribe to and leave.
//!
//! Who was put on a list is a row of main.db; who left it is one of queue.db, keyed by the hash of the address, and it is
//! the one that counts. So leaving is one commit with its event, it is seen at the last moment before sending, and neither
//! an import nor a contact that is deleted and made again brings anybody back. Joining leads into the journeys of the list,
//! leaving out of them, in the same commits.

use crate::event::{Event, Kind};
use crate::response::{self, Response};
use crate::{
    AddressHash, CampaignId, ContactId, ListId, RecipientId, StorageError, WorkspaceId, journey, journey_run, outbox,
};
use rusqlite::{Connection, OptionalExtension, Row, named_params, params};

/// Lists of one workspace at most: all of them stand on one page.
pub const LISTS_MAX: usize = 100;

/// A list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List {
    /// Id.
    pub id: ListId,
    /// What people set.
    pub draft: Draft,
    /// When made.
    pub created_ms: i64,
}

/// What people set of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    /// Name, unique in the workspace whatever its case.
    pub name: String,
    /// What the preference centre says below the name.
    pub description: String,
    /// Whether the preference centre offers it.
    pub is_public: bool,
    /// Whether contacts that are added one by one are put on it.
    pub is_default: bool,
}

const INSERT: &str = "
    INSERT INTO list (workspace_id, name, description, is_public, is_default, created_ms)
    VALUES (:workspace_id, :name, :description, :is_public, :is_default, :now_ms)";

/// Adds a list.
///
/// # Errors
/// `Exists` when the workspace has one of that name.
pub fn insert(tx: &Connection, workspace: WorkspaceId, draft: &Draft, now_ms: i64) -> Result<ListId, StorageError> {
    tx.prepare_cached(INSERT)?.execute(named_params! {
        ":workspace_id": workspace,
        ":name": draft.name,
        ":description": draft.description,
        ":is_public": draft.is_public,
        ":is_default": draft.is_default,
        ":now_ms": now_ms,
    })?;
    Ok(ListId(tx.last_insert_rowid()))
}

const UPDATE: &str = "
    UPDATE list SET name = :name, description = :description, is_public = :is_public, is_default = :is_default
    WHERE id = :id AND workspace_id = :workspace_id";

/// Replaces a list's settings; `false` when there is none.
///
/// # Errors
/// `Exists` when another list has the new name.
pub fn update(tx: &Connection, workspace: WorkspaceId, id: ListId, draft: &Draft) -> Result<bool, StorageError> {
    let changed = tx.prepare_cached(UPDATE)?.execute(named_params! {
        ":id": id,
        ":workspace_id": workspace,
        ":name": draft.name,
        ":description": draft.description,
        ":is_public": draft.is_public,
        ":is_default": draft.is_default,
    })?;
    Ok(changed > 0)
}

const IN_DRAFT: &str = "
    SELECT EXISTS (SELECT 1 FROM campaign
                   WHERE workspace_id = :workspace_id AND list_id = :id AND launched_ms IS NULL)";

/// Whether a draft of a campaign belongs to the list. Without its list it would go to everybody.
///
/// # Errors
/// The database's.
pub fn in_draft(tx: &Connection, workspace: WorkspaceId, id: ListId) -> Result<bool, StorageError> {
    let mut statement = tx.prepare_cached(IN_DRAFT)?;
    Ok(statement.query_row(named_params! { ":id": id, ":workspace_id": workspace }, |row| row.get(0))?)
}

const UNDER_WAY: &str = "
    SELECT EXISTS (SELECT 1 FROM campaign_run
                   WHERE workspace_id = :workspace_id AND list_id = :id AND state IN ('running', 'paused'))";

/// Whether a launched campaign of the list is not finished: it still asks who left. For readers.
///
/// # Errors
/// The database's.
pub fn under_way(connection: &Connection, workspace: WorkspaceId, id: ListId) -> Result<bool, StorageError> {
    let mut statement = connection.prepare_cached(UNDER_WAY)?;
    Ok(statement.query_row(named_params! { ":id": id, ":workspace_id": workspace }, |row| row.get(0))?)
}

const DELETE: &str = "DELETE FROM list WHERE id = :id AND workspace_id = :workspace_id";

/// Deletes a list with its members; `false` when there is none. Who left it is forgotten by [`forget_leaves`].
///
/// # Errors
/// The database's.
pub fn delete(tx: &Connection, workspace: WorkspaceId, id: ListId) -> Result<bool, StorageError> {
    Ok(tx.prepare_cached(DELETE)?.execute(named_params! { ":id": id, ":workspace_id": workspace })? > 0)
}

const FORGET: &str = "
    DELETE FROM list_leave WHERE (workspace_id, address_hash, list_id) IN
        (SELECT workspace_id, address_hash, list_id FROM list_leave WHERE list_id = ?1 LIMIT ?2)";

/// Forgets at most `limit` of those who left a list that is deleted; says how many. Call again until 0. Belongs into the
/// writer of queue.db.
///
/// # Errors
/// The database's.
pub fn forget_leaves(tx: &Connection, id: ListId, limit: u32) -> Result<usize, StorageError> {
    Ok(tx.prepare_cached(FORGET)?.execute(params![id, limit])?)
}

macro_rules! select {
    ($rest:literal) => {
        concat!("SELECT id, name, description, is_public, is_default, created_ms FROM list ", $rest)
    };
}

const FIND: &str = select!("WHERE id = :id AND workspace_id = :workspace_id");
const ALL: &str = select!("WHERE workspace_id = :workspace_id ORDER BY name");

fn read(row: &Row<'_>) -> rusqlite::Result<List> {
    let draft = Draft { name: row.get(1)?, description: row.get(2)?, is_public: row.get(3)?, is_default: row.get(4)? };
    Ok(List { id: row.get(0)?, draft, created_ms: row.get(5)? })
}

/// The list with this id.
///
/// # Errors
/// The database's.
pub fn find(tx: &Connection, workspace: WorkspaceId, id: ListId) -> Result<Option<List>, StorageError> {
    let what = named_params! { ":id": id, ":workspace_id": workspace };
    Ok(tx.prepare_cached(FIND)?.query_row(what, read).optional()?)
}

/// The workspace's lists, by name.
///
/// # Errors
/// The database's.
pub fn all(tx: &Connection, workspace: WorkspaceId) -> Result<Vec<List>, StorageError> {
    let mut statement = tx.prepare_cached(ALL)?;
    let rows = statement.query_map(named_params! { ":workspace_id": workspace }, read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

// Driven by those who left, who are few beside the members.
const SUBSCRIBED: &str = "
    SELECT (SELECT count(*) FROM list_member WHERE list_id = :list_id)
         - (SELECT count(*)
            FROM list_leave l
            CROSS JOIN contact c ON c.workspace_id = l.workspace_id AND c.address_hash = l.address_hash
            CROSS JOIN list_member m ON m.list_id = l.list_id AND m.contact_id = c.id
            WHERE l.list_id = :list_id AND l.workspace_id = :workspace_id)";
const LEFT: &str = "SELECT count(*) FROM list_leave WHERE list_id = :list_id AND workspace_id = :workspace_id";

/// How many contacts are on a list, and how many addresses left it. For readers.
///
/// # Errors
/// The database's.
pub fn counts(connection: &Connection, workspace: WorkspaceId, id: ListId) -> Result<(u64, u64), StorageError> {
    let count = |sql| -> Result<u64, StorageError> {
        let what = named_params! { ":list_id": id, ":workspace_id": workspace };
        Ok(connection.prepare_cached(sql)?.query_row(what, |row| crate::words::count(row, 0))?)
    };
    Ok((count(SUBSCRIBED)?, count(LEFT)?))
}

const ADD: &str = "
    INSERT INTO list_member (list_id, contact_id, workspace_id, since_ms, source)
    SELECT l.id, c.id, l.workspace_id, :now_ms, :source
    FROM list l, contact c
    WHERE l.id = :list_id AND c.id = :contact_id AND l.workspace_id = :workspace_id AND c.workspace_id = :workspace_id
    ON CONFLICT (list_id, contact_id) DO NOTHING";

/// Puts a contact on a list; `false` when it stands there already, or one of them is not there. Who left stays out: that
/// is taken back by [`rejoin`] alone.
///
/// # Errors
/// The database's.
pub fn add(
    tx: &Connection,
    (workspace, id, contact): (WorkspaceId, ListId, ContactId),
    source: &str,
    now_ms: i64,
) -> Result<bool, StorageError> {
    let added = tx.prepare_cached(ADD)?.execute(named_params! {
        ":list_id": id,
        ":contact_id": contact,
        ":workspace_id": workspace,
        ":now_ms": now_ms,
        ":source": source,
    })?;
    if added > 0 {
        journey::joined(tx, (workspace, id, contact))?;
    }
    Ok(added > 0)
}

/// How a contact stands to a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The list.
    pub list: List,
    /// Since when the contact was put on it, and how.
    pub member: Option<(i64, String)>,
    /// Since when its address has left it.
    pub left_ms: Option<i64>,
}

impl Standing {
    /// Whether the list's mail goes to the contact.
    #[must_use]
    pub fn is_subscribed(&self) -> bool {
        self.member.is_some() && self.left_ms.is_none()
    }
}

const STANDINGS: &str = "
    SELECT l.id, l.name, l.description, l.is_public, l.is_default, l.created_ms, m.since_ms, m.source, x.since_ms
    FROM list l
    LEFT JOIN list_member m ON m.list_id = l.id AND m.contact_id = :contact_id
    LEFT JOIN list_leave x ON x.workspace_id = l.workspace_id AND x.address_hash = :address_hash AND x.list_id = l.id
    WHERE l.workspace_id = :workspace_id ORDER BY l.name";

/// How a contact stands to each of the workspace's lists, by name. For readers.
///
/// # Errors
/// The database's.
pub fn standings(
    connection: &Connection,
    workspace: WorkspaceId,
    (contact, hash): (Option<ContactId>, &AddressHash),
) -> Result<Vec<Standing>, StorageError> {
    let mut statement = connection.prepare_cached(STANDINGS)?;
    let who = named_params! { ":workspace_id": workspace, ":contact_id": contact, ":address_hash": hash };
    let rows = statement.query_map(who, |row| {
        let since: Option<i64> = row.get(6)?;
        let source: Option<String> = row.get(7)?;
        Ok(Standing { list: read(row)?, member: since.zip(source), left_ms: row.get(8)? })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Who joins or leaves a list, and what led to it.
#[derive(Clone, Copy, Debug)]
pub struct Mover<'a> {
    /// Whose list.
    pub workspace: WorkspaceId,
    /// The address.
    pub hash: &'a AddressHash,
    /// The contact whose timeline tells it.
    pub contact: Option<ContactId>,
    /// The mail that led there.
    pub recipient: Option<RecipientId>,
    /// The campaign of that mail: its figures count it.
    pub campaign: Option<CampaignId>,
    /// Who did it, when it was not the recipient itself.
    pub actor: Option<&'a str>,
    /// Now.
    pub now_ms: i64,
}

impl<'a> Mover<'a> {
    /// Somebody of the staff, on a contact's word.
    #[must_use]
    pub fn by_staff(
        (workspace, contact): (WorkspaceId, ContactId),
        hash: &'a AddressHash,
        by: &'a str,
        now_ms: i64,
    ) -> Mover<'a> {
        Mover { workspace, hash, contact: Some(contact), recipient: None, campaign: None, actor: Some(by), now_ms }
    }
}

const LEAVE: &str = "
    INSERT INTO list_leave (workspace_id, address_hash, list_id, since_ms, recipient_id, campaign_id)
    VALUES (?1, ?2, ?3, ?4, ?5, ?6)
    ON CONFLICT (workspace_id, address_hash, list_id) DO NOTHING";

/// Takes an address off a list, with its event; `false` when it has left already. Belongs into the writer of queue.db.
///
/// # Errors
/// The database's.
pub fn leave(tx: &Connection, who: Mover<'_>, (id, name): (ListId, &str)) -> Result<bool, StorageError> {
    let row = params![who.workspace, who.hash, id, who.now_ms, who.recipient, who.campaign];
    let left = tx.prepare_cached(LEAVE)?.execute(row)? > 0;
    if left {
        if let Some(recipient) = who.recipient {
            response::note(tx, recipient, Response::Left, who.now_ms)?;
        }
        tell(tx, who, Kind::ListLeft, name)?;
        journey_run::end_of_list(tx, (who.workspace, who.hash), (id, name), who.now_ms)?;
    }
    Ok(left)
}

const REJOIN: &str =
    "DELETE FROM list_leave WHERE workspace_id = ?1 AND address_hash = ?2 AND list_id = ?3 RETURNING recipient_id";

/// Takes the leaving back, with an event. Whether the contact stands on the list is main.db's: put it there first.
/// Belongs into the writer of queue.db.
///
/// # Errors
/// The database's.
pub fn rejoin(tx: &Connection, who: Mover<'_>, (id, name): (ListId, &str)) -> Result<(), StorageError> {
    let mut statement = tx.prepare_cached(REJOIN)?;
    let led = statement.query_row(params![who.workspace, who.hash, id], |row| row.get::<_, Option<RecipientId>>(0));
    if let Some(recipient) = led.optional()?.flatten() {
        response::came_back(tx, (who.workspace, who.hash), recipient)?;
    }
    if let Some(contact) = who.contact {
        journey_run::rejoined(tx, (who.workspace, id, contact))?;
    }
    tell(tx, who, Kind::ListJoined, name)
}

/// Tells of joining or leaving, with the name of what it was.
pub(crate) fn tell(tx: &Connection, who: Mover<'_>, kind: Kind, name: &str) -> Result<(), StorageError> {
    let event = Event {
        recipient_id: who.recipient,
        campaign_id: who.campaign,
        contact_id: who.contact,
        text: Some(name),
        actor: who.actor,
        ..Event::new(who.now_ms, who.workspace, kind)
    };
    outbox::put(tx, &event)
}

const HAS_LEFT: &str = "
    SELECT EXISTS (SELECT 1 FROM list_leave WHERE workspace_id = ?1 AND address_hash = ?2 AND list_id = ?3)";

/// Whether an address has left a list.
///
/// # Errors
/// The database's.
pub fn has_left(
    connection: &Connection,
    workspace: WorkspaceId,
    hash: &AddressHash,
    id: ListId,
) -> Result<bool, StorageError> {
    Ok(connection.prepare_cached(HAS_LEFT)?.query_row(params![workspace, hash, id], |row| row.get(0))?)
}

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[
    INSERT, UPDATE, IN_DRAFT, UNDER_WAY, DELETE, FORGET, FIND, ALL, SUBSCRIBED, LEFT, ADD, STANDINGS, LEAVE, REJOIN,
    HAS_LEFT,
];
