use super::*;
use crate::contact::{self, Draft, Origin, Query};
use crate::event::{Event, Kind};
use crate::soft_bounce::{self, SoftBounce};
use crate::suppression::{self, NewSuppression, SuppressionReason};
use crate::{CampaignId, ContactId, OpenOptions, Storage, field, outbox};
use api_types::FieldKind;
use mail::Address;
use proptest::prelude::*;
use serde_json::json;

/// 2026-03-01T01:30Z: already March in London, still 28 February in São Paulo.
const NOW_MS: i64 = 1_772_328_600_000;
const DAY_MS: i64 = 86_400_000;
const W: WorkspaceId = WorkspaceId::MAIN;

struct Town {
    _dir: tempfile::TempDir,
    storage: Storage,
}

/// name, first name, attributes, tags, added so many days ago
type Person = (&'static str, &'static str, serde_json::Value, &'static [&'static str], i64);

fn population() -> Vec<Person> {
    vec![
        (
            "ana@one.example",
            "Ána",
            json!({"city": "São Paulo", "age": 31, "vip": true, "born": "1995-02-28"}),
            &["vip", "news"],
            0,
        ),
        (
            "bob@one.example",
            "Bob",
            json!({"city": "Lisbon", "age": 17.5, "vip": false, "born": "2008-02-29"}),
            &["news"],
            1,
        ),
        ("cy@two.example", "", json!({"city": "100% \"real\"_city", "age": 40}), &[], 10),
        ("dee@two.example", "Dee", json!({"born": "1995-03-01"}), &["VIP"], 40),
        ("eve@three.example", "Éve", json!({"age": 0, "vip": true}), &[], 400),
    ]
}

async fn town() -> Town {
    let dir = tempfile::tempdir().unwrap();
    let storage = Storage::open(&OpenOptions { dir: dir.path().to_owned(), readers: 2 }).unwrap();
    storage
        .main()
        .write(|tx| {
            for (name, kind) in [
                ("city", FieldKind::Text),
                ("age", FieldKind::Number),
                ("vip", FieldKind::Boolean),
                ("born", FieldKind::Date),
            ] {
                field::ensure(tx, W, name, kind)?;
            }
            tx.execute("INSERT INTO workspace (id, name, created_ms) VALUES (2, 'Other', 0)", [])?;
            for (email, first_name, attributes, tags, days) in population() {
                let serde_json::Value::Object(attributes) = attributes else { panic!() };
                let draft = Draft {
                    email: Address::parse(email).unwrap(),
                    first_name: first_name.into(),
                    last_name: String::new(),
                    attributes,
                };
                let origin = Origin { consent_source: "Trade fair", import: None };
                let id = contact::insert(tx, W, &draft, origin, NOW_MS - days * DAY_MS)?.unwrap();
                contact::set_tags(tx, W, id, &tags.iter().map(|t| (*t).to_owned()).collect::<Vec<_>>())?;
                contact::insert(tx, WorkspaceId(2), &draft, origin, NOW_MS)?;
            }
            Ok(())
        })
        .await
        .unwrap();
    storage
        .queue()
        .write(|tx| {
            for (email, expires_ms) in
                [("bob@one.example", None), ("cy@two.example", Some(NOW_MS - 1)), ("dee@two.example", Some(NOW_MS + 1))]
            {
                suppression::add(
                    tx,
                    &NewSuppression {
                        workspace_id: W,
                        address: &Address::parse(email).unwrap(),
                        covers: suppression::SuppressionCovers::All,
                        reason: SuppressionReason::Manual,
                        origin: "asked by phone",
                        recipient_id: None,
                        campaign_id: None,
                        contact_id: None,
                        created_by: None,
                        now_ms: NOW_MS - DAY_MS,
                        expires_ms,
                    },
                )?;
            }
            for (address, workspace_id, days) in [
                ("ana@one.example", W, 5),
                ("eve@three.example", W, 2),
                ("Eve@three.example", W, 9),
                ("bob@one.example", WorkspaceId(2), 2),
            ] {
                soft_bounce::note(
                    tx,
                    &SoftBounce {
                        workspace_id,
                        address,
                        recipient_id: crate::RecipientId(1),
                        origin: crate::queue::Origin::Campaign { campaign: CampaignId(7), contact: ContactId(1) },
                        at_ms: NOW_MS - days * DAY_MS,
                        text: "full",
                    },
                )?;
            }
            for (email, workspace, stream) in [
                ("cy@two.example", W, "hints"),
                ("eve@three.example", W, "offers"),
                ("ana@one.example", WorkspaceId(2), "hints"),
            ] {
                let who = crate::list::Mover {
                    workspace,
                    hash: &crate::address_hash(&Address::parse(email).unwrap()),
                    contact: None,
                    recipient: None,
                    campaign: None,
                    actor: None,
                    now_ms: NOW_MS,
                };
                crate::stream_leave::leave(tx, who, (stream, "Title"))?;
            }
            // Contacts 1, 3, 5, 7, 9 are ours: the other workspace has the ones between.
            for (kind, contact, campaign, days) in
                [(Kind::Delivered, 1, 7, 3), (Kind::Bounced, 3, 7, 3), (Kind::Delivered, 5, 8, 50)]
            {
                outbox::put(
                    tx,
                    &Event {
                        contact_id: Some(ContactId(contact)),
                        campaign_id: Some(CampaignId(campaign)),
                        ..Event::new(NOW_MS - days * DAY_MS, W, kind)
                    },
                )?;
            }
            Ok(())
        })
        .await
        .unwrap();
    outbox::drain(&storage, 100).await.unwrap();
    Town { _dir: dir, storage }
}

impl Town {
    fn context(&self) -> FilterContext {
        let fields = self.storage.read_blocking(|c| field::list(c, W)).unwrap();
        FilterContext { workspace: W, fields, zone: TimeZone::get("America/Sao_Paulo").unwrap(), now_ms: NOW_MS }
    }

    /// Who passes: the local parts, in order of their ids.
    fn who(&self, filter: &Filter) -> Result<String, FilterError> {
        let compiled = compile(filter, &self.context())?;
        let query = Query { filter: Some(compiled.clone()), limit: 100, ..Query::default() };
        let mut found = self.storage.read_blocking(|c| contact::page(c, W, &query, NOW_MS)).unwrap();
        found.reverse();
        let audience = self
            .storage
            .read_blocking(|c| {
                contact::audience(c, W, &compiled, (ContactId(0), ContactId(i64::MAX)), contact::Left::Nobody, 100)
            })
            .unwrap();
        let count = self.storage.read_blocking(|c| contact::count_matching(c, W, &compiled, NOW_MS)).unwrap();
        assert_eq!(audience.iter().map(|m| m.id).collect::<Vec<_>>(), found.iter().map(|c| c.id).collect::<Vec<_>>());
        assert_eq!(count.matching, found.len() as u64);
        assert_eq!(count.suppressed, found.iter().filter(|c| c.suppressed.is_some()).count() as u64);
        Ok(found.iter().map(|c| c.email.split('@').next().unwrap()).collect::<Vec<_>>().join(" "))
    }
}

fn attribute(path: &str, op: &str, value: serde_json::Value) -> Filter {
    serde_json::from_value(json!({"type": "attribute", "path": path, "op": op, "value": value})).unwrap()
}

/// A launched campaign whose segment is as large as one may be goes on when somebody leaves its stream.
#[test]
fn a_stream_touches_no_bounds() {
    let tag = |n: usize| json!({"type": "tag", "name": format!("t{n}")});
    let many: Vec<_> = (1..CONDITIONS_MAX).map(tag).collect();
    let largest: Filter = serde_json::from_value(json!({"type": "or", "filters": many})).unwrap();
    let context = FilterContext { workspace: W, fields: Fields::default(), zone: TimeZone::UTC, now_ms: 0 };
    let own = compile(&largest, &context).unwrap();
    let wanting = own.clone().wanting("hints");
    assert_eq!(wanting.params.len(), own.params.len() + 1);
    assert!(wanting.sql.starts_with(&format!("(({}) AND NOT EXISTS", own.sql)), "{}", wanting.sql);
    let beside = Filter::And { filters: vec![largest, Filter::LeftStream { stream: "hints".to_owned() }] };
    assert!(compile(&beside, &context).is_err(), "written by a person it would be too much");
}

#[tokio::test]
async fn who_passes() {
    let town = town().await;
    let table = [
        ("email", "equals", json!("BOB@One.example"), "bob"),
        ("email", "not_equals", json!("bob@one.example"), "ana cy dee eve"),
        ("email", "starts_with", json!("D"), "dee"),
        ("email", "in", json!(["ana@one.example", "eve@three.example", "x@y.z"]), "ana eve"),
        ("domain", "equals", json!("one.example"), "ana bob"),
        ("domain", "ends_with", json!("o.example"), "cy dee"),
        ("first_name", "equals", json!("ána"), "ana"),
        ("first_name", "starts_with", json!("é"), "eve"),
        ("first_name", "is_set", json!(null), "ana bob dee eve"),
        ("first_name", "is_not_set", json!(null), "cy"),
        ("last_name", "not_contains", json!("x"), "ana bob cy dee eve"),
        ("consent_source", "contains", json!("FAIR"), "ana bob cy dee eve"),
        ("attribute:city", "equals", json!("são paulo"), "ana"),
        ("attribute:city", "not_equals", json!("lisbon"), "ana cy dee eve"),
        ("attribute:city", "contains", json!("%"), "cy"),
        ("attribute:city", "contains", json!("\"real\"_"), "cy"),
        ("attribute:city", "not_contains", json!("i"), "ana dee eve"),
        ("attribute:city", "ends_with", json!("bon"), "bob"),
        ("attribute:city", "in", json!(["Lisbon", "Porto"]), "bob"),
        ("attribute:city", "is_not_set", json!(null), "dee eve"),
        ("attribute:age", "equals", json!(31), "ana"),
        ("attribute:age", "not_equals", json!(31), "bob cy dee eve"),
        ("attribute:age", "less", json!("17.5"), "eve"),
        ("attribute:age", "less_or_equal", json!(17.5), "bob eve"),
        ("attribute:age", "greater", json!(31), "cy"),
        ("attribute:age", "between", json!([17, 31]), "ana bob"),
        ("attribute:age", "in", json!([0, 40]), "cy eve"),
        ("attribute:age", "is_set", json!(null), "ana bob cy eve"),
        ("attribute:vip", "equals", json!(true), "ana eve"),
        ("attribute:vip", "not_equals", json!(true), "bob cy dee"),
        ("attribute:vip", "is_not_set", json!(null), "cy dee"),
        ("attribute:born", "before", json!("1995-03-01"), "ana"),
        ("attribute:born", "after", json!("1995-03-01"), "bob"),
        ("attribute:born", "greater_or_equal", json!("1995-03-01"), "bob dee"),
        ("attribute:born", "between", json!(["1995-02-28", "1995-03-01"]), "ana dee"),
        // It is 28 February of a common year in São Paulo.
        ("attribute:born", "anniversary", json!(null), "ana bob"),
        ("attribute:born", "in_the_last_days", json!(7000), "bob"),
        ("attribute:born", "in_the_next_days", json!(7000), ""),
        // Ana came at 22:30 of today there, Bob at 22:30 of yesterday.
        ("created_at", "equals", json!("2026-02-28"), "ana"),
        ("created_at", "not_equals", json!("2026-02-28"), "bob cy dee eve"),
        ("created_at", "before", json!("2026-02-28"), "bob cy dee eve"),
        ("created_at", "after", json!("2026-02-27"), "ana"),
        ("created_at", "greater_or_equal", json!("2026-02-27"), "ana bob"),
        ("created_at", "less_or_equal", json!("2026-02-18"), "cy dee eve"),
        ("created_at", "between", json!(["2026-01-01", "2026-02-27"]), "bob cy dee"),
        ("created_at", "in_the_last_days", json!(10), "ana bob cy"),
        ("created_at", "in_the_last_days", json!(0), "ana"),
        ("created_at", "anniversary", json!(null), "ana"),
        ("created_at", "is_set", json!(null), "ana bob cy dee eve"),
    ];
    for (path, op, value, expected) in table {
        let filter = attribute(path, op, value.clone());
        assert_eq!(town.who(&filter).as_deref(), Ok(expected), "{path} {op} {value}");
    }
    let table = [
        (json!({"type": "tag", "name": "Vip"}), "ana dee"),
        (json!({"type": "tag", "name": "nobody has it"}), ""),
        (json!({"type": "suppressed"}), "bob dee"),
        (json!({"type": "not", "filter": {"type": "suppressed"}}), "ana cy eve"),
        (json!({"type": "suppressed_for", "reason": "manual"}), "bob dee"),
        (json!({"type": "suppressed_for", "reason": "hard_bounce"}), ""),
        (json!({"type": "not", "filter": {"type": "suppressed_for", "reason": "manual"}}), "ana cy eve"),
        (json!({"type": "soft_bounced", "times": 1, "days": 30}), "ana eve"),
        (json!({"type": "soft_bounced", "times": 2, "days": 30}), "eve"),
        (json!({"type": "soft_bounced", "times": 2, "days": 3}), ""),
        (json!({"type": "not", "filter": {"type": "soft_bounced", "times": 2, "days": 30}}), "ana bob cy dee"),
        (json!({"type": "left_stream", "stream": "hints"}), "cy"),
        (json!({"type": "not", "filter": {"type": "left_stream", "stream": "hints"}}), "ana bob dee eve"),
        (json!({"type": "message", "action": "delivered"}), "ana cy"),
        (json!({"type": "message", "action": "delivered", "campaign_id": 8}), "cy"),
        (json!({"type": "message", "action": "delivered", "days": 3}), "ana"),
        (json!({"type": "message", "action": "delivered", "days": 2}), ""),
        (json!({"type": "message", "action": "bounced", "campaign_id": 7, "days": 30}), "bob"),
        (json!({"type": "random", "percent": 100, "seed": 1}), "ana bob cy dee eve"),
        (json!({"type": "random", "percent": 0, "seed": 1}), ""),
        (json!({"type": "and", "filters": []}), "ana bob cy dee eve"),
        (json!({"type": "or", "filters": []}), ""),
        (
            json!({"type": "and", "filters": [
            {"type": "tag", "name": "news"},
            {"type": "or", "filters": [
                {"type": "not", "filter": {"type": "attribute", "path": "attribute:vip", "op": "equals", "value": true}},
                {"type": "attribute", "path": "attribute:age", "op": "greater", "value": 30}]}]}),
            "ana bob",
        ),
    ];
    for (filter, expected) in table {
        let parsed = serde_json::from_value(filter.clone()).unwrap();
        assert_eq!(town.who(&parsed).as_deref(), Ok(expected), "{filter}");
    }
}

#[tokio::test]
async fn mistakes_are_named() {
    let town = town().await;
    let table = [
        (
            json!({"type": "attribute", "path": "attribute:shoe", "op": "is_set"}),
            "path: there is no field “shoe”; choose one of the list",
        ),
        (json!({"type": "attribute", "path": "emial", "op": "is_set"}), "path: contacts have no value called “emial”"),
        (
            json!({"type": "attribute", "path": "email", "op": "greater", "value": "x"}),
            "op: text cannot be compared like this; numbers and dates can",
        ),
        (json!({"type": "attribute", "path": "email", "op": "equals"}), "value: write what to compare with"),
        (
            json!({"type": "and", "filters": [{"type": "suppressed"}, {"type": "not", "filter":
            {"type": "attribute", "path": "attribute:age", "op": "less", "value": "old"}}]}),
            "filters[1].filter.value: write a number",
        ),
        (
            json!({"type": "attribute", "path": "attribute:born", "op": "before", "value": "31.1.2026"}),
            "value: write a date as year-month-day, for example 2026-01-31",
        ),
        (
            json!({"type": "attribute", "path": "attribute:vip", "op": "equals", "value": "yes"}),
            "value: say yes or no (true or false)",
        ),
        (
            json!({"type": "attribute", "path": "attribute:age", "op": "between", "value": [1]}),
            "value: write the first and the last value",
        ),
        (json!({"type": "message", "action": "opened"}), "action: choose delivered, bounced, deferred or unsubscribed"),
        (json!({"type": "random", "percent": 101, "seed": 0}), "percent: a share is between 0 and 100 percent"),
        (json!({"type": "tag", "name": " "}), "name: choose a tag"),
        (json!({"type": "soft_bounced", "times": 0, "days": 30}), "times: choose 1 to 100 times"),
        (json!({"type": "soft_bounced", "times": 3, "days": 366}), "days: choose 1 to 365 days"),
    ];
    for (filter, expected) in table {
        let parsed = serde_json::from_value(filter.clone()).unwrap();
        let error = town.who(&parsed).unwrap_err();
        assert_eq!(format!("{}: {}", error.at, error.why), expected, "{filter}");
    }
    let mut deep = Filter::Suppressed;
    for _ in 0..50 {
        deep = Filter::Not { filter: Box::new(deep) };
    }
    assert!(town.who(&deep).unwrap_err().why.contains("nested"));
    let wide = Filter::Or { filters: vec![Filter::Suppressed; 201] };
    assert!(town.who(&wide).unwrap_err().why.contains("at most 200"));
}

fn any_value() -> impl Strategy<Value = serde_json::Value> {
    prop_oneof![
        Just(json!(null)),
        any::<bool>().prop_map(|b| json!(b)),
        any::<f64>().prop_map(|n| json!(n)),
        any::<i64>().prop_map(|n| json!(n)),
        "\\PC{0,12}".prop_map(|t| json!(t)),
        Just(json!("2024-02-29")),
        Just(json!(["a", 1, "2024-02-29"])),
        Just(json!([1, 2])),
        Just(json!(["2024-02-29", "9999-12-31"])),
    ]
}

fn any_leaf() -> impl Strategy<Value = Filter> {
    let path = prop_oneof![
        Just("email".to_owned()),
        Just("domain".to_owned()),
        Just("first_name".to_owned()),
        Just("created_at".to_owned()),
        Just("attribute:city".to_owned()),
        Just("attribute:age".to_owned()),
        Just("attribute:vip".to_owned()),
        Just("attribute:born".to_owned()),
        "\\PC{0,8}".prop_map(|n| format!("attribute:{n}")),
    ];
    let op = (0..19usize).prop_map(|n| {
        let words = [
            "equals",
            "not_equals",
            "contains",
            "not_contains",
            "starts_with",
            "ends_with",
            "in",
            "is_set",
            "is_not_set",
            "less",
            "less_or_equal",
            "greater",
            "greater_or_equal",
            "between",
            "before",
            "after",
            "in_the_last_days",
            "in_the_next_days",
            "anniversary",
        ];
        serde_json::from_value(json!(words[n])).unwrap()
    });
    prop_oneof![
        8 => (path, op, any_value()).prop_map(|(path, op, value)| Filter::Attribute { path, op, value }),
        1 => "\\PC{0,6}".prop_map(|name| Filter::Tag { name }),
        1 => Just(Filter::Suppressed),
        1 => Just(Filter::SuppressedFor { reason: SuppressionReason::Manual }),
        1 => (0..4u32, 0..40u32).prop_map(|(times, days)| Filter::SoftBounced { times, days }),
        1 => (any::<bool>(), any::<Option<i64>>(), any::<Option<u32>>()).prop_map(|(delivered, campaign_id, days)|
            Filter::Message { action: if delivered { "delivered" } else { "nothing" }.to_owned(), campaign_id, days }),
        1 => (any::<u8>(), any::<u32>()).prop_map(|(percent, seed)| Filter::Random { percent, seed }),
    ]
}

fn any_filter() -> impl Strategy<Value = Filter> {
    any_leaf().prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|filters| Filter::And { filters }),
            prop::collection::vec(inner.clone(), 0..4).prop_map(|filters| Filter::Or { filters }),
            inner.prop_map(|filter| Filter::Not { filter: Box::new(filter) }),
        ]
    })
}

#[test]
fn nothing_panics_and_not_is_the_complement() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let town = runtime.block_on(town());
    proptest!(|(filter in any_filter())| {
        let not = Filter::Not { filter: Box::new(filter.clone()) };
        if let (Ok(yes), Ok(no)) = (town.who(&filter), town.who(&not)) {
            let mut all: Vec<&str> = yes.split(' ').chain(no.split(' ')).filter(|n| !n.is_empty()).collect();
            all.sort_unstable();
            prop_assert_eq!(all, ["ana", "bob", "cy", "dee", "eve"]);
        }
    });
}
