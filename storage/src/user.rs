//! Users: the people who sign in.

use crate::{StorageError, UserId, WorkspaceId};
use api_types::Role;
use rusqlite::{Connection, OptionalExtension, Row, named_params};

/// A person who signs in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// Id.
    pub id: UserId,
    /// The workspace the person works in.
    pub workspace_id: WorkspaceId,
    /// Mail address, lower case: under which the person signs in.
    pub email: String,
    /// Name as shown.
    pub name: String,
    /// Argon2id in PHC form.
    pub password_hash: String,
    /// What the person may do.
    pub role: Role,
    /// When added.
    pub created_ms: i64,
    /// When last signed in.
    pub last_sign_in_ms: Option<i64>,
}

/// A person to add.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// Mail address, lower case.
    pub email: String,
    /// Name as shown.
    pub name: String,
    /// Argon2id in PHC form.
    pub password_hash: String,
    /// What the person may do.
    pub role: Role,
    /// When.
    pub created_ms: i64,
}

const INSERT: &str = "
    INSERT INTO user (workspace_id, email, name, password_hash, role, created_ms)
    VALUES (:workspace_id, :email, :name, :password_hash, :role, :created_ms)";

/// Adds a person.
///
/// # Errors
/// `Exists` when somebody has the address already.
pub fn insert(tx: &Connection, user: &NewUser) -> Result<UserId, StorageError> {
    tx.prepare_cached(INSERT)?.execute(named_params! {
        ":workspace_id": user.workspace_id,
        ":email": user.email,
        ":name": user.name,
        ":password_hash": user.password_hash,
        ":role": role_word(user.role),
        ":created_ms": user.created_ms,
    })?;
    Ok(UserId(tx.last_insert_rowid()))
}

const FIND_BY_EMAIL: &str = "
    SELECT id, workspace_id, email, name, password_hash, role, created_ms, last_sign_in_ms
    FROM user WHERE email = :email";

/// The person with this address (lower case), in whatever workspace: who signs in has none yet.
///
/// # Errors
/// The database's.
pub fn find_by_email(tx: &Connection, email: &str) -> Result<Option<User>, StorageError> {
    tx.prepare_cached(FIND_BY_EMAIL)?
        .query_row(named_params! { ":email": email }, |row| Ok(read(row)))
        .optional()?
        .transpose()
}

const FIND: &str = "
    SELECT id, workspace_id, email, name, password_hash, role, created_ms, last_sign_in_ms
    FROM user WHERE id = :id AND workspace_id = :workspace_id";

/// The person with this id.
///
/// # Errors
/// The database's.
pub fn find(tx: &Connection, workspace: WorkspaceId, id: UserId) -> Result<Option<User>, StorageError> {
    tx.prepare_cached(FIND)?
        .query_row(named_params! { ":id": id, ":workspace_id": workspace }, |row| Ok(read(row)))
        .optional()?
        .transpose()
}

const LIST: &str = "
    SELECT id, workspace_id, email, name, password_hash, role, created_ms, last_sign_in_ms
    FROM user WHERE workspace_id = :workspace_id ORDER BY id LIMIT 1000";

/// Everybody of the workspace, oldest first.
///
/// # Errors
/// The database's.
pub fn list(tx: &Connection, workspace: WorkspaceId) -> Result<Vec<User>, StorageError> {
    tx.prepare_cached(LIST)?.query_and_then(named_params! { ":workspace_id": workspace }, read)?.collect()
}

const ANY: &str = "SELECT EXISTS (SELECT 1 FROM user)";

/// Whether anybody can sign in at all.
///
/// # Errors
/// The database's.
pub fn any(tx: &Connection) -> Result<bool, StorageError> {
    Ok(tx.prepare_cached(ANY)?.query_row([], |row| row.get(0))?)
}

const SIGNED_IN: &str = "UPDATE user SET last_sign_in_ms = :now_ms WHERE id = :id";

/// Notes a sign-in.
///
/// # Errors
/// The database's.
pub fn signed_in(tx: &Connection, id: UserId, now_ms: i64) -> Result<(), StorageError> {
    tx.prepare_cached(SIGNED_IN)?.execute(named_params! { ":id": id, ":now_ms": now_ms })?;
    Ok(())
}

pub(crate) fn role_word(role: Role) -> &'static str {
    match role {
        Role::Owner => "owner",
        Role::Admin => "admin",
        Role::Marketer => "marketer",
        Role::Viewer => "viewer",
    }
}

pub(crate) fn parse_role(word: &str) -> Result<Role, StorageError> {
    match word {
        "owner" => Ok(Role::Owner),
        "admin" => Ok(Role::Admin),
        "marketer" => Ok(Role::Marketer),
        "viewer" => Ok(Role::Viewer),
        _ => Err(StorageError::Damaged { what: "user.role", value: word.to_owned() }),
    }
}

fn read(row: &Row<'_>) -> Result<User, StorageError> {
    Ok(User {
        id: row.get(0)?,
        workspace_id: row.get(1)?,
        email: row.get(2)?,
        name: row.get(3)?,
        password_hash: row.get(4)?,
        role: parse_role(&row.get::<_, String>(5)?)?,
        created_ms: row.get(6)?,
        last_sign_in_ms: row.get(7)?,
    })
}

#[cfg(test)]
pub(crate) const STATEMENTS: &[&str] = &[INSERT, FIND_BY_EMAIL, FIND, LIST, ANY, SIGNED_IN];
