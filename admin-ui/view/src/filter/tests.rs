//! The filter tree: there and back, and what is missing in it.

use super::*;

fn fields() -> Vec<Field> {
    let field = |name: &str, kind| Field { name: name.to_owned(), kind };
    vec![field("city", FieldKind::Text), field("age", FieldKind::Number), field("vip", FieldKind::Boolean)]
}

fn attribute(path: &str, op: FilterOp, value: Value) -> Filter {
    Filter::Attribute { path: path.to_owned(), op, value }
}

/// What comes from the wire goes back as it came.
#[test]
fn round_trips() {
    let tag = |name: &str| Filter::Tag { name: name.to_owned() };
    let not = |filter| Filter::Not { filter: Box::new(filter) };
    let cases = [
        Filter::everyone(),
        Filter::And { filters: vec![attribute("attribute:city", FilterOp::Equals, json!("Lisbon"))] },
        Filter::And { filters: vec![attribute("attribute:age", FilterOp::Between, json!([18, 30.5]))] },
        Filter::And { filters: vec![attribute("attribute:vip", FilterOp::Equals, json!(true))] },
        Filter::And { filters: vec![attribute("created_at", FilterOp::InTheLastDays, json!(30))] },
        Filter::And { filters: vec![attribute("domain", FilterOp::In, json!(["a.example", "b.example"]))] },
        Filter::And { filters: vec![attribute("first_name", FilterOp::IsNotSet, Value::Null)] },
        Filter::Or { filters: vec![tag("a"), not(tag("b")), Filter::Suppressed] },
        not(Filter::Or { filters: vec![tag("a"), Filter::And { filters: vec![tag("b"), tag("c")] }] }),
        Filter::Or {
            filters: vec![
                Filter::List { id: 3, status: ListStatus::Subscribed },
                not(Filter::List { id: 4, status: ListStatus::Left }),
                not(Filter::LeftStream { stream: "hints".to_owned() }),
                Filter::Unengaged { months: 6 },
                Filter::SuppressedFor { reason: SuppressionReason::Complaint },
                not(Filter::SoftBounced { times: 2, days: 30 }),
            ],
        },
        Filter::And {
            filters: vec![
                Filter::Message { action: "delivered".to_owned(), campaign_id: Some(7), days: Some(30) },
                Filter::Random { percent: 10, seed: 3 },
            ],
        },
    ];
    for filter in cases {
        assert_eq!(write(&read(&filter), &fields()), Ok(filter.clone()), "{filter:?}");
    }
}

#[test]
fn one_rule_alone_stands_in_a_group() {
    let root = read(&Filter::Suppressed);
    assert_eq!(write(&root, &[]), Ok(Filter::And { filters: vec![Filter::Suppressed] }));
}

#[test]
fn what_is_missing_is_said() {
    let cases = [
        ("tag", "", "Choose a tag"),
        ("email", " ", "a value is missing"),
        ("attribute:age", "old", "not a number"),
        ("random", "101", "0 to 100"),
        ("list", "", "Choose a list"),
        ("stream", "", "Choose a stream"),
        ("unengaged", "0", "1 to 120"),
    ];
    for (subject, value, expected) in cases {
        let mut rule = Rule::about(subject, &fields());
        rule.value = value.to_owned();
        let error = write(&Group { join: Join::All, items: vec![Item::Rule(rule)] }, &fields()).unwrap_err();
        assert!(error.contains(expected), "{error}");
    }
    let empty = Group { join: Join::Any, items: Vec::new() };
    assert!(write(&Group { join: Join::All, items: vec![Item::Group(empty)] }, &[]).is_err());
}

#[test]
fn every_comparison_of_a_kind_has_an_input() {
    for kind in [FieldKind::Text, FieldKind::Number, FieldKind::Boolean, FieldKind::Date] {
        for (op, _) in operators(kind) {
            assert_eq!(op_of(&op_word(op)), op);
            if kind == FieldKind::Text {
                assert!(matches!(input(kind, op), Input::Text | Input::List | Input::Nothing));
            }
        }
    }
}
