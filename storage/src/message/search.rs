//! Finding submitted messages, and how each stands.
//!
//! Lists walk the workspace's messages downwards from the newest. A filter that almost nothing matches does not make
//! the walk long: it ends after [`WALK_MAX`] messages and says where to go on.

use super::{Message, read};
use crate::words::{count, word};
use crate::{AddressHash, MessageId, StorageError, WorkspaceId};
use mail::{BounceClass, RecipientState};
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params, params_from_iter};

/// Messages that one page looks at, at most.
const WALK_MAX: i64 = 50_000;

/// Which messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Search {
    /// Only to this address.
    pub address: Option<AddressHash>,
    /// Only with this tag.
    pub tag: Option<String>,
    /// Only with a recipient in this state.
    pub state: Option<RecipientState>,
    /// Only with a recipient whose last answer was of this class.
    pub class: Option<BounceClass>,
    /// Only with a recipient at this provider.
    pub provider: Option<String>,
    /// Only with a recipient whose last attempt went from this source.
    pub source: Option<String>,
    /// Only whose From address contains this.
    pub from: Option<String>,
    /// Only of this stream.
    pub stream: Option<String>,
    /// Only accepted then or later.
    pub since_ms: Option<i64>,
    /// Only accepted before.
    pub until_ms: Option<i64>,
}

impl Search {
    /// Whether every message matches.
    fn is_all(&self) -> bool {
        *self == Search::default()
    }
}

/// A page of messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Found {
    /// Newest first.
    pub messages: Vec<Message>,
    /// Where to go on: `before` of the next page. Also when nothing of what this page looked at matched.
    pub next: Option<MessageId>,
}

const NEWEST: &str = "SELECT id FROM message WHERE workspace_id = ?1 AND id < ?2 ORDER BY id DESC LIMIT 1";

/// Messages of the workspace with ids below `before`, newest first.
///
/// # Errors
/// The database's.
pub fn search(
    c: &Connection,
    workspace: WorkspaceId,
    search: &Search,
    before: MessageId,
    limit: u32,
) -> Result<Found, StorageError> {
    let newest = |before: i64| -> Result<Option<i64>, StorageError> {
        let mut statement = c.prepare_cached(NEWEST)?;
        Ok(statement.query_row(params![workspace, before], |row| row.get(0)).optional()?)
    };
    let Some(top) = newest(before.0)? else { return Ok(Found::default()) };
    let floor = if search.is_all() { 0 } else { (top - WALK_MAX + 1).max(0) };
    let (sql, values) = page(workspace, search, (floor, top), limit);
    let mut statement = c.prepare_cached(&sql)?;
    let messages: Vec<Message> = statement.query_map(params_from_iter(values), read)?.collect::<Result<_, _>>()?;
    let walked_to =
        if messages.len() == limit as usize { messages.last().map_or(floor, |last| last.id.0) } else { floor };
    let next = newest(walked_to)?.map(|_| MessageId(walked_to));
    Ok(Found { messages, next })
}

/// The statement for the filters that are set, and its values.
fn page(workspace: WorkspaceId, search: &Search, (floor, top): (i64, i64), limit: u32) -> (String, Vec<Value>) {
    let mut sql = format!("SELECT {} FROM message WHERE workspace_id = ? AND id BETWEEN ? AND ?", super::COLUMNS);
    let mut values: Vec<Value> = vec![workspace.0.into(), floor.into(), top.into()];
    if let Some(address) = search.address {
        sql.push_str(
            " AND id IN (SELECT message_id FROM recipient WHERE address_hash = ? AND message_id IS NOT NULL
              UNION SELECT message_id FROM recipient_done WHERE address_hash = ? AND message_id IS NOT NULL)",
        );
        values.extend([address.to_vec().into(), address.to_vec().into()]);
    }
    one_recipient(search, &mut sql, &mut values);
    let texts = [
        (" AND EXISTS (SELECT 1 FROM json_each(tags) WHERE json_each.value = ?)", search.tag.clone()),
        (" AND instr(lower(from_address), ?) > 0", search.from.as_ref().map(|from| from.to_lowercase())),
        (" AND stream = ?", search.stream.clone()),
    ];
    for (condition, value) in texts {
        if let Some(value) = value {
            sql.push_str(condition);
            values.push(value.into());
        }
    }
    for (condition, value) in [(" AND accepted_ms >= ?", search.since_ms), (" AND accepted_ms < ?", search.until_ms)] {
        if let Some(value) = value {
            sql.push_str(condition);
            values.push(value.into());
        }
    }
    sql.push_str(" ORDER BY id DESC LIMIT ?");
    values.push(i64::from(limit).into());
    (sql, values)
}

/// Narrows to the messages of which one recipient is all that is asked of recipients.
fn one_recipient(search: &Search, sql: &mut String, values: &mut Vec<Value>) {
    let asked: Vec<(&str, String)> = [
        ("state", search.state.map(|state| state.as_str().to_owned())),
        ("class", search.class.map(|class| class.as_str().to_owned())),
        ("provider", search.provider.clone()),
        ("source", search.source.clone()),
    ]
    .into_iter()
    .filter_map(|(column, value)| Some((column, value?)))
    .collect();
    if asked.is_empty() {
        return;
    }
    let is_final = search.state.map(RecipientState::is_final);
    let tables = [("recipient", is_final != Some(true)), ("recipient_done", is_final != Some(false))];
    let conditions: String = asked.iter().map(|(column, _)| format!(" AND r.{column} = ?")).collect();
    let mut any = Vec::new();
    for (table, _) in tables.into_iter().filter(|(_, wanted)| *wanted) {
        any.push(format!("EXISTS (SELECT 1 FROM {table} r WHERE r.message_id = message.id{conditions})"));
        values.extend(asked.iter().map(|(_, value)| Value::from(value.clone())));
    }
    sql.push_str(&format!(" AND ({})", any.join(" OR ")));
}

/// How a message stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Its recipients by state.
    pub states: Vec<(RecipientState, u64)>,
    /// The address of its first recipient.
    pub first: Option<String>,
}

const STATES: &str = "
    SELECT state, count(*) FROM recipient WHERE message_id = ?1 GROUP BY state
    UNION ALL
    SELECT state, count(*) FROM recipient_done WHERE message_id = ?1 GROUP BY state";
const FIRST: &str = "
    SELECT address FROM (
        SELECT id, address FROM recipient WHERE message_id = ?1
        UNION ALL
        SELECT id, address FROM recipient_done WHERE message_id = ?1)
    ORDER BY id LIMIT 1";

/// How a message stands, of which the caller knows that it is the workspace's.
///
/// # Errors
/// The database's.
pub fn standing(c: &Connection, message: &Message) -> Result<Standing, StorageError> {
    let mut statement = c.prepare_cached(STATES)?;
    let rows = statement.query_map([message.id], |row| Ok((word(row, 0, RecipientState::parse)?, count(row, 1)?)))?;
    let states = rows.collect::<Result<_, _>>()?;
    let first = c.prepare_cached(FIRST)?.query_row([message.id], |row| row.get(0)).optional()?;
    Ok(Standing { states, first })
}

#[cfg(test)]
pub(super) const STATEMENTS: &[&str] = &[NEWEST, STATES, FIRST];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{self, NewMessage, NewMessageRecipient, Notices, Submission};
    use crate::{DomainId, OpenOptions, Storage, address_hash};
    use mail::{Address, StreamKind};

    fn new(n: i64, to: &[&str], tags: &[&str]) -> NewMessage {
        let recipient = |to: &&str| {
            let address = Address::parse(to).unwrap();
            NewMessageRecipient { address_hash: address_hash(&address), address, dsn_notify: None, dsn_orcpt: None }
        };
        NewMessage {
            workspace_id: WorkspaceId(1 + n % 2),
            domain_id: DomainId(1),
            submission: Submission::Http,
            submitter: "shop".to_owned(),
            stream: "transactional".to_owned(),
            kind: StreamKind::Transactional,
            pool: "default".to_owned(),
            header_id: format!("{n}@example.com"),
            from_address: if n < 5 { "Shop@example.com" } else { "news@example.com" }.to_owned(),
            subject: "Your order".to_owned(),
            tags: tags.iter().map(|tag| (*tag).to_owned()).collect(),
            dsn_envid: None,
            dsn_ret: None,
            notices: Notices::Nobody,
            eight_bit: false,
            smtputf8: false,
            content: b"Subject: Your order\r\n\r\nThank you.\r\n".to_vec(),
            accepted_ms: n * 10,
            send_at_ms: n * 10,
            expires_ms: 100_000,
            recipients: to.iter().map(recipient).collect(),
        }
    }

    #[test]
    fn filters_pages_and_workspaces() {
        let dir = tempfile::tempdir().unwrap();
        let storage = Storage::open(&OpenOptions { dir: dir.path().to_owned(), readers: 1 }).unwrap();
        let ids: Vec<MessageId> = (1..=9)
            .map(|n| {
                let to = if n == 4 { &["ANA@a.example", "bo@b.example"][..] } else { &["bo@b.example"][..] };
                let message = new(n, to, if n % 4 == 0 { &["order", "x"] } else { &[] });
                storage.queue().write_blocking(move |tx| message::accept(tx, &message)).unwrap()
            })
            .collect();
        let fourth = ids[3];
        storage.queue().write_blocking(move |tx| message::cancel(tx, WorkspaceId(1), fourth, 50)).unwrap();
        let second = ids[1];
        let answered = move |tx: &crate::Transaction<'_>| {
            tx.execute(
                "UPDATE recipient SET class = 'mailbox_full', provider = 'Gull', source = 'mx1' WHERE message_id = ?1",
                [second],
            )?;
            Ok(tx.execute("UPDATE recipient_done SET provider = 'Gull' WHERE message_id = ?1", [fourth])?)
        };
        assert_eq!(storage.queue().write_blocking(answered).unwrap(), 2);
        let ana = address_hash(&Address::parse("ana@a.example").unwrap());
        let bo = address_hash(&Address::parse("bo@b.example").unwrap());
        let all = Search::default();
        for (what, wanted, expected) in [
            ("all", all.clone(), &[8, 6, 4, 2][..]),
            ("to ana", Search { address: Some(ana), ..all.clone() }, &[4]),
            ("to bo", Search { address: Some(bo), ..all.clone() }, &[8, 6, 4, 2]),
            ("tag", Search { tag: Some("order".to_owned()), ..all.clone() }, &[8, 4]),
            ("no such tag", Search { tag: Some("orde".to_owned()), ..all.clone() }, &[]),
            ("cancelled", Search { state: Some(RecipientState::Cancelled), ..all.clone() }, &[4]),
            ("queued", Search { state: Some(RecipientState::Queued), ..all.clone() }, &[8, 6, 2]),
            ("from", Search { from: Some("SHOP@".to_owned()), ..all.clone() }, &[4, 2]),
            ("stream", Search { stream: Some("bulk".to_owned()), ..all.clone() }, &[]),
            ("class", Search { class: Some(BounceClass::MailboxFull), ..all.clone() }, &[2]),
            ("provider", Search { provider: Some("Gull".to_owned()), ..all.clone() }, &[4, 2]),
            (
                "not both of one recipient",
                Search { provider: Some("Gull".to_owned()), source: Some("mx2".to_owned()), ..all.clone() },
                &[],
            ),
            (
                "finished at a provider",
                Search { provider: Some("Gull".to_owned()), state: Some(RecipientState::Cancelled), ..all.clone() },
                &[4],
            ),
            ("time", Search { since_ms: Some(40), until_ms: Some(80), ..all.clone() }, &[6, 4]),
        ] {
            let found = storage.read_blocking(|c| search(c, WorkspaceId(1), &wanted, MessageId(i64::MAX), 10)).unwrap();
            let numbers: Vec<i64> = found.messages.iter().map(|m| m.accepted_ms / 10).collect();
            assert_eq!((numbers.as_slice(), found.next), (expected, None), "{what}");
        }
        let page = |before| storage.read_blocking(|c| search(c, WorkspaceId(1), &all, before, 3)).unwrap();
        let first = page(MessageId(i64::MAX));
        assert_eq!((first.messages.len(), first.next), (3, Some(fourth)));
        let second = page(fourth);
        assert_eq!((second.messages.len(), second.next), (1, None));
        let standing = storage.read_blocking(|c| standing(c, &second.messages[0])).unwrap();
        assert_eq!(standing.states, [(RecipientState::Queued, 1)]);
        assert_eq!(standing.first.as_deref(), Some("bo@b.example"));
    }

    #[test]
    fn no_list_reads_a_whole_table() {
        let dir = tempfile::tempdir().unwrap();
        let storage = Storage::open(&OpenOptions { dir: dir.path().to_owned(), readers: 1 }).unwrap();
        let filters = [
            Search::default(),
            Search { address: Some([0; 16]), ..Search::default() },
            Search { state: Some(RecipientState::Queued), ..Search::default() },
            Search { class: Some(BounceClass::MailboxFull), source: Some("mx1".to_owned()), ..Search::default() },
            Search { state: Some(RecipientState::Bounced), tag: Some("t".to_owned()), ..Search::default() },
        ];
        let pages = filters.iter().map(|filter| page(WorkspaceId(1), filter, (0, 9), 10).0);
        let statements: Vec<String> = STATEMENTS
            .iter()
            .map(|sql| (*sql).to_owned())
            .chain(pages)
            .chain([super::super::RECIPIENTS.to_owned()])
            .collect();
        for sql in statements {
            let plan = storage.read_blocking(|c| {
                let mut statement = c.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
                let none = vec![rusqlite::types::Value::Null; statement.parameter_count()];
                let rows = statement.query_map(params_from_iter(none), |row| row.get::<_, String>(3))?;
                Ok(rows.collect::<Result<Vec<_>, _>>()?.join("\n"))
            });
            let plan = plan.unwrap();
            assert!(!plan.contains("SCAN message") && !plan.contains("SCAN recipient"), "{sql}\n{plan}");
        }
    }
}
