//! The document of the API: complete, and the same as the committed copy.

mod common;

use common::{boat, good};
use std::collections::BTreeSet;
use std::path::Path;

#[tokio::test]
async fn routes_and_document_are_the_same() {
    let boat = boat().await;
    let (_, document, routes) = daemon::http::api(boat.running.app());
    let document = serde_json::to_value(&document).unwrap();
    let served = good(boat.http.get(boat.url("/api/v1/openapi.json")).send().await.unwrap()).await;
    assert_eq!(served, document);

    let declared: BTreeSet<String> = routes.iter().map(|route| format!("{} {}", route.method, route.path)).collect();
    assert_eq!(declared.len(), routes.len(), "a route is declared twice");
    let paths = document["paths"].as_object().unwrap();
    let documented: BTreeSet<String> = paths
        .iter()
        .flat_map(|(path, item)| {
            let methods = item.as_object().unwrap().keys().filter(|key| *key != "parameters");
            methods.map(move |method| format!("{} {path}", method.to_uppercase()))
        })
        .collect();
    assert_eq!(declared, documented);
    boat.stop().await;
}

#[tokio::test]
async fn every_reference_leads_somewhere() {
    let boat = boat().await;
    let (_, document, _) = daemon::http::api(boat.running.app());
    let document = serde_json::to_value(&document).unwrap();
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1).filter_map(|rest| rest.split('"').next()) {
        assert!(document.pointer(reference).is_some(), "{reference} leads nowhere");
    }
    boat.stop().await;
}

/// `UPDATE_EXPECT=1 cargo test -p daemon --test openapi` writes the committed copy anew.
#[tokio::test]
async fn the_committed_copy_is_current() {
    let boat = boat().await;
    let (_, document, _) = daemon::http::api(boat.running.app());
    let text = serde_json::to_string_pretty(&document).unwrap() + "\n";
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/reference/openapi.json");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        committed == text,
        "docs/reference/openapi.json is not current; run: UPDATE_EXPECT=1 cargo test -p daemon --test openapi"
    );
    boat.stop().await;
}
