//! Lists that people subscribe to, as staff see them.

use crate::error::{self, Refused};
use crate::time::rfc3339;
use api_types::{ContactList, ListInput, ListStatus};
use storage::list::{self, Draft, List, Mover, Standing};
use storage::{Connection, ContactId, ListId, Storage, StorageError, WorkspaceId, contact};

/// Who left, forgotten in one commit when a list is deleted.
const FORGET_CHUNK: u32 = 2000;

/// A list as the API shows it.
#[must_use]
pub fn view(list: List, (subscribed, left): (u64, u64)) -> api_types::List {
    api_types::List {
        id: list.id.0,
        name: list.draft.name,
        description: list.draft.description,
        public: list.draft.is_public,
        default: list.draft.is_default,
        subscribed,
        left,
        created_at: rfc3339(list.created_ms),
    }
}

/// All of the workspace's lists with their figures, by name. For readers.
///
/// # Errors
/// The database's.
pub fn all(connection: &Connection, workspace: WorkspaceId) -> Result<Vec<api_types::List>, StorageError> {
    let mut views = Vec::new();
    for row in list::all(connection, workspace)? {
        let counts = list::counts(connection, workspace, row.id)?;
        views.push(view(row, counts));
    }
    Ok(views)
}

/// Makes a list.
///
/// # Errors
/// A value that is wrong, a name that is taken, too many lists.
pub async fn create(
    storage: &Storage,
    workspace: WorkspaceId,
    input: ListInput,
    now_ms: i64,
) -> Result<api_types::List, Refused> {
    let draft = checked(input)?;
    let name = draft.name.clone();
    let made = storage.main().write(move |tx| {
        if list::all(tx, workspace)?.len() >= list::LISTS_MAX {
            let message =
                format!("a workspace has at most {} lists; tags and segments divide further", list::LISTS_MAX);
            return Ok(Err(Refused::wrong_state(message)));
        }
        let id = list::insert(tx, workspace, &draft, now_ms)?;
        Ok(list::find(tx, workspace, id)?.ok_or(Refused::NotFound("list")))
    });
    let made = made.await.map_err(|e| taken(e, &name))??;
    Ok(view(made, (0, 0)))
}

/// Replaces a list's settings.
///
/// # Errors
/// As [`create`]; no such list.
pub async fn update(
    storage: &Storage,
    workspace: WorkspaceId,
    id: ListId,
    input: ListInput,
) -> Result<api_types::List, Refused> {
    let draft = checked(input)?;
    let name = draft.name.clone();
    let saved = storage.main().write(move |tx| {
        list::update(tx, workspace, id, &draft)?;
        list::find(tx, workspace, id)
    });
    let saved = saved.await.map_err(|e| taken(e, &name))?.ok_or(Refused::NotFound("list"))?;
    let counts = storage.read(move |c| list::counts(c, workspace, id)).await?;
    Ok(view(saved, counts))
}

/// Deletes a list that no campaign needs any more. Its contacts stay.
///
/// # Errors
/// No such list; a campaign of it is a draft or on its way.
pub async fn delete(storage: &Storage, workspace: WorkspaceId, id: ListId) -> Result<(), Refused> {
    if storage.read(move |c| list::under_way(c, workspace, id)).await? {
        return Err(Refused::wrong_state(
            "a campaign or a journey of this list is on its way; wait for its end, cancel the one or end the other",
        ));
    }
    // In one transaction: a draft that loses its list would go to everybody.
    let deleted = storage.main().write(move |tx| match list::in_draft(tx, workspace, id)? {
        true => Ok(None),
        false => list::delete(tx, workspace, id).map(Some),
    });
    match deleted.await? {
        None => Err(Refused::wrong_state("a draft of a campaign belongs to this list; choose another there first")),
        Some(false) => Err(Refused::NotFound("list")),
        Some(true) => {
            while storage.queue().write(move |tx| list::forget_leaves(tx, id, FORGET_CHUNK)).await? > 0 {}
            Ok(())
        }
    }
}

/// How a contact stands to every list. For readers.
///
/// # Errors
/// No such contact.
pub fn of_contact(connection: &Connection, workspace: WorkspaceId, id: ContactId) -> Result<Vec<ContactList>, Refused> {
    Ok(standings(connection, workspace, id)?.1.into_iter().map(standing).collect())
}

/// Puts a contact on these lists and takes it off the others, on somebody's word: also on those that it has left itself.
///
/// # Errors
/// No such contact, or no such list.
pub async fn set_of_contact(
    storage: &Storage,
    (workspace, id): (WorkspaceId, ContactId),
    wanted: Vec<i64>,
    by: String,
    now_ms: i64,
) -> Result<(), Refused> {
    let (hash, all) = storage.read(move |c| Ok(standings(c, workspace, id))).await??;
    if let Some(at) = wanted.iter().position(|wanted| all.iter().all(|one| one.list.id.0 != *wanted)) {
        return Err(Refused::invalid(format!("lists[{at}]"), "there is no such list"));
    }
    let is_wanted = |one: &&Standing| wanted.contains(&one.list.id.0);
    let named = |one: &Standing| (one.list.id, one.list.draft.name.clone());
    let joins: Vec<_> = all.iter().filter(is_wanted).filter(|one| !one.is_subscribed()).map(named).collect();
    let leaves: Vec<_> =
        all.iter().filter(|one| !is_wanted(one)).filter(|one| one.is_subscribed()).map(named).collect();
    put_on(storage, (workspace, id), &joins, format!("put on it by {by}"), now_ms).await?;
    let change = move |tx: &storage::Transaction<'_>| {
        let who = Mover::by_staff((workspace, id), &hash, &by, now_ms);
        for (list, name) in &joins {
            list::rejoin(tx, who, (*list, name))?;
        }
        for (list, name) in &leaves {
            list::leave(tx, who, (*list, name))?;
        }
        Ok(())
    };
    storage.queue().write(change).await?;
    Ok(())
}

/// The first half of joining: main.db's. Without the second nothing has changed for who has left.
pub(crate) async fn put_on(
    storage: &Storage,
    (workspace, contact): (WorkspaceId, ContactId),
    lists: &[(ListId, String)],
    source: String,
    now_ms: i64,
) -> Result<(), StorageError> {
    if lists.is_empty() {
        return Ok(());
    }
    let ids: Vec<ListId> = lists.iter().map(|(id, _)| *id).collect();
    let add = move |tx: &storage::Transaction<'_>| {
        for id in ids {
            list::add(tx, (workspace, id, contact), &source, now_ms)?;
        }
        Ok(())
    };
    storage.main().write(add).await
}

fn standings(
    connection: &Connection,
    workspace: WorkspaceId,
    id: ContactId,
) -> Result<(storage::AddressHash, Vec<Standing>), Refused> {
    let hash = contact::find(connection, workspace, id)?.ok_or(Refused::NotFound("contact"))?.address_hash;
    let standings = list::standings(connection, workspace, (Some(id), &hash))?;
    Ok((hash, standings))
}

fn standing(one: Standing) -> ContactList {
    let (status, since_ms, source) = match (one.left_ms, one.member) {
        (Some(left_ms), _) => (Some(ListStatus::Left), Some(left_ms), String::new()),
        (None, Some((since_ms, source))) => (Some(ListStatus::Subscribed), Some(since_ms), source),
        (None, None) => (None, None, String::new()),
    };
    ContactList { id: one.list.id.0, name: one.list.draft.name, status, since: since_ms.map(rfc3339), source }
}

fn checked(input: ListInput) -> Result<Draft, Refused> {
    let description = input.description.trim();
    if description.chars().count() > 500 || description.chars().any(char::is_control) {
        return Err(Refused::invalid("description", "a description has at most 500 characters and no line ends"));
    }
    Ok(Draft {
        name: error::name("name", &input.name)?,
        description: description.to_owned(),
        is_public: input.public,
        is_default: input.default,
    })
}

fn taken(error: StorageError, name: &str) -> Refused {
    Refused::taken(error, "name", format!("there is a list called “{name}” already; choose another name"))
}
