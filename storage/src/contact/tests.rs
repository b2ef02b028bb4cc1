use super::*;
use crate::field::Fields;
use crate::filter::{self, FilterContext};
use crate::{OpenOptions, Storage};
use api_types::Filter;
use expect_test::expect;
use rusqlite::params_from_iter;
use rusqlite::types::Value;

const W: WorkspaceId = WorkspaceId::MAIN;
const OTHER: WorkspaceId = WorkspaceId(2);

fn draft(email: &str, first_name: &str, last_name: &str) -> Draft {
    Draft {
        email: Address::parse(email).unwrap(),
        first_name: first_name.into(),
        last_name: last_name.into(),
        attributes: Attributes::new(),
    }
}

async fn town() -> (tempfile::TempDir, Storage) {
    let dir = tempfile::tempdir().unwrap();
    let storage = Storage::open(&OpenOptions { dir: dir.path().to_owned(), readers: 2 }).unwrap();
    storage
        .main()
        .write(|tx| {
            tx.execute("INSERT INTO workspace (id, name, created_ms) VALUES (2, 'Other', 0)", [])?;
            for (email, first, last) in [
                ("ana@one.example", "Ána", "Silva"),
                ("bob@one.example", "Bob", "Silva"),
                ("ANAIS@two.example", "Anaïs", "Costa"),
                ("x@100percent.example", "50%", "_"),
            ] {
                insert(tx, W, &draft(email, first, last), Origin { consent_source: "fair", import: None }, 5)?.unwrap();
                insert(tx, OTHER, &draft(email, "theirs", ""), Origin { consent_source: "", import: None }, 5)?
                    .unwrap();
            }
            Ok(())
        })
        .await
        .unwrap();
    (dir, storage)
}

fn emails(storage: &Storage, query: &Query) -> String {
    let found = storage.read_blocking(|c| page(c, W, query, 10)).unwrap();
    found.iter().map(|c| c.email.split('@').next().unwrap()).collect::<Vec<_>>().join(" ")
}

#[tokio::test]
async fn searching() {
    let (_dir, storage) = town().await;
    let table = [
        ("", "x ANAIS bob ana"),
        ("ana", "ANAIS ana"),
        ("ÁNA", "ana"),
        ("silva one", "bob ana"),
        ("silva two", ""),
        ("%", "x"),
        ("_", "x"),
        ("theirs", ""),
        ("@two.ex", "ANAIS"),
    ];
    for (search, expected) in table {
        let query = Query { search: search.into(), limit: 10, ..Query::default() };
        assert_eq!(emails(&storage, &query), expected, "{search}");
    }
    let first = storage.read_blocking(|c| page(c, W, &Query { limit: 2, ..Query::default() }, 10)).unwrap();
    let next = Query { before: Some(first[1].id), limit: 2, ..Query::default() };
    assert_eq!(emails(&storage, &next), "bob ana");
    assert_eq!(storage.read_blocking(|c| count(c, W)).unwrap(), 4);
}

#[tokio::test]
async fn one_person_keeps_one_row() {
    let (_dir, storage) = town().await;
    let origin = Origin { consent_source: "", import: None };
    storage
        .main()
        .write(move |tx| {
            assert_eq!(insert(tx, W, &draft("Ana@ONE.example", "", ""), origin, 6)?, None, "it is there already");
            let ana = find_by_email(tx, W, &Address::parse("ANA@one.example").unwrap())?.unwrap();
            assert!(update(tx, W, ana.id, &draft("ana@new.example", "Ana", ""), None, 7)?);
            set_tags(tx, W, ana.id, &["vip".into(), "VIP".into(), "news".into()])?;
            let now = find(tx, W, ana.id)?.unwrap();
            assert_eq!(
                (now.email.as_str(), now.tags, now.updated_ms),
                ("ana@new.example", vec!["news".into(), "vip".into()], 7)
            );
            // What belongs to another workspace is not there.
            assert!(find(tx, OTHER, ana.id)?.is_none());
            assert!(!update(tx, OTHER, ana.id, &draft("a@b.example", "", ""), None, 8)?);
            assert!(!delete(tx, OTHER, ana.id, 9)?);
            assert!(delete(tx, W, ana.id, 9)?);
            assert!(!delete(tx, W, ana.id, 9)?);
            Ok(())
        })
        .await
        .unwrap();
    let taken = storage.main().write(|tx| update(tx, W, ContactId(3), &draft("x@100percent.example", "", ""), None, 7));
    assert!(matches!(taken.await, Err(StorageError::Exists)));
}

/// No table scan, no sorting: a page reads a page, a chunk reads a chunk.
#[tokio::test]
async fn lists_walk_indexes() {
    let (_dir, storage) = town().await;
    let plan = |(sql, params): (String, Vec<Value>)| {
        storage
            .read_blocking(|c| {
                let mut statement = c.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
                let rows = statement.query_map(params_from_iter(params), |row| row.get::<_, String>(3))?;
                Ok(rows.collect::<Result<Vec<_>, _>>()?.join("\n"))
            })
            .unwrap()
    };
    let context = FilterContext { workspace: W, fields: Fields::new(), zone: jiff::tz::TimeZone::UTC, now_ms: 10 };
    let condition = Filter::And { filters: vec![Filter::Tag { name: "vip".into() }, Filter::Suppressed] };
    let filter = filter::compile(&condition, &context).unwrap();
    let of_list = Filter::List { id: 3, status: api_types::ListStatus::Subscribed };
    let of_list = filter::compile(&of_list, &context).unwrap();
    let silent = filter::compile(&Filter::Unengaged { months: 6 }, &context).unwrap();
    let query = Query { search: "ana".into(), before: Some(ContactId(9)), limit: 5, ..Query::default() };
    let segment = Query { filter: Some(filter.clone()), limit: 5, ..Query::default() };
    let taken = Left::Taken(crate::CampaignId(1));
    let mut out = String::new();
    for (name, statement) in [
        ("search", list::page_statement(W, &query, 10)),
        ("segment", list::page_statement(W, &segment, 10)),
        ("audience", audience::audience_statement(W, &filter, (ContactId(1), ContactId(9)), Left::Nobody, 5)),
        ("rest of an audience", audience::audience_statement(W, &filter, (ContactId(1), ContactId(9)), taken, 5)),
        ("engaged", engaged::engaged_statement(W, &filter, ((7, ContactId(1)), ContactId(9)), 5)),
        ("list", audience::audience_statement(W, &of_list, (ContactId(1), ContactId(9)), Left::Nobody, 5)),
        ("silent", audience::audience_statement(W, &silent, (ContactId(1), ContactId(9)), Left::Nobody, 5)),
        ("count", (list::COUNT.replace(":workspace_id", "?"), vec![Value::from(1)])),
    ] {
        out.push_str(&format!("{name}\n{}\n", plan(statement)));
    }
    expect![[r#"
        search
        SEARCH contact USING INDEX contact_search (workspace_id=? AND id<?)
        CORRELATED SCALAR SUBQUERY 1
        USE TEMP B-TREE FOR json_group_array(ORDER BY)
        SEARCH contact_tag USING COVERING INDEX contact_tag_contact (contact_id=?)
        SEARCH tag USING INTEGER PRIMARY KEY (rowid=?)
        segment
        SEARCH contact USING INDEX contact_search (workspace_id=?)
        SEARCH s EXISTS USING INDEX sqlite_autoindex_suppression_1 (workspace_id=? AND address_hash=?)
        SEARCH contact_tag EXISTS USING COVERING INDEX contact_tag_contact (contact_id=? AND tag_id=?)
        SCALAR SUBQUERY 2
        SEARCH tag USING COVERING INDEX sqlite_autoindex_tag_1 (workspace_id=? AND name=?)
        CORRELATED SCALAR SUBQUERY 1
        USE TEMP B-TREE FOR json_group_array(ORDER BY)
        SEARCH contact_tag USING COVERING INDEX contact_tag_contact (contact_id=?)
        SEARCH tag USING INTEGER PRIMARY KEY (rowid=?)
        audience
        SEARCH contact USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)
        SEARCH s EXISTS USING INDEX sqlite_autoindex_suppression_1 (workspace_id=? AND address_hash=?)
        SEARCH contact_tag EXISTS USING COVERING INDEX contact_tag_contact (contact_id=? AND tag_id=?)
        SCALAR SUBQUERY 1
        SEARCH tag USING COVERING INDEX sqlite_autoindex_tag_1 (workspace_id=? AND name=?)
        rest of an audience
        SEARCH contact USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)
        CORRELATED SCALAR SUBQUERY 4
        SEARCH r USING COVERING INDEX sqlite_autoindex_recipient_1 (campaign_id=? AND contact_id=?)
        CORRELATED SCALAR SUBQUERY 5
        SEARCH d USING COVERING INDEX sqlite_autoindex_recipient_done_1 (campaign_id=? AND contact_id=?)
        SEARCH s EXISTS USING INDEX sqlite_autoindex_suppression_1 (workspace_id=? AND address_hash=?)
        SEARCH contact_tag EXISTS USING COVERING INDEX contact_tag_contact (contact_id=? AND tag_id=?)
        SCALAR SUBQUERY 1
        SEARCH tag USING COVERING INDEX sqlite_autoindex_tag_1 (workspace_id=? AND name=?)
        engaged
        SEARCH contact USING INDEX contact_engaged (workspace_id=? AND engaged_ms>? AND engaged_ms<?)
        SEARCH s EXISTS USING INDEX sqlite_autoindex_suppression_1 (workspace_id=? AND address_hash=?)
        SEARCH contact_tag EXISTS USING COVERING INDEX contact_tag_contact (contact_id=? AND tag_id=?)
        SCALAR SUBQUERY 1
        SEARCH tag USING COVERING INDEX sqlite_autoindex_tag_1 (workspace_id=? AND name=?)
        list
        SEARCH contact USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)
        CORRELATED SCALAR SUBQUERY 2
        SEARCH x USING PRIMARY KEY (workspace_id=? AND address_hash=? AND list_id=?)
        SEARCH m EXISTS USING PRIMARY KEY (list_id=? AND contact_id=?)
        silent
        SEARCH contact USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)
        SEARCH d EXISTS USING INTEGER PRIMARY KEY (rowid=?)
        count
        SEARCH contact USING COVERING INDEX contact_created (workspace_id=?)
    "#]]
    .assert_eq(&out);
}
