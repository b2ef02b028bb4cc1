//! An import over HTTP, from the upload to the error report.

mod common;

use api_types::Role;
use common::{Boat, NO_DNS, Session, bad, boat, boat_with, good};
use daemon::serve::Overrides;
use reqwest::{Method, multipart};
use serde_json::{Value, json};

const FILE: &str = "E-Mail,First name,Town\r\nana@example.com,Ana,Lisboa\r\nnot an address,Bo,Porto\r\n\
    cy@example.com,Cy,\r\nANA@example.com,Again,Faro\r\n";

async fn upload(session: &Session, name: &str, content: impl Into<String>) -> reqwest::Response {
    let part = multipart::Part::text(content.into()).file_name(name.to_owned());
    let request = session.http.post(format!("{}/api/v1/imports", session.base)).header("cookie", &session.cookie);
    let request = request.header("x-csrf-token", &session.csrf);
    request.multipart(multipart::Form::new().part("file", part)).send().await.unwrap()
}

async fn ended(session: &Session, id: i64) -> Value {
    loop {
        let import = session.get(&format!("/api/v1/imports/{id}")).await;
        if import["state"] != "running" {
            return import;
        }
        tokio::task::yield_now().await;
    }
}

fn files(boat: &Boat) -> usize {
    std::fs::read_dir(boat.dir.path().join("data/imports")).map_or(0, Iterator::count)
}

#[tokio::test]
async fn a_file_becomes_contacts_and_a_report() {
    let boat = boat().await;
    let ana = boat.session(Role::Marketer).await;
    let import = good(upload(&ana, "people.csv", FILE).await).await;
    assert_eq!(import["state"], "draft");
    let targets: Vec<&str> =
        import["columns"].as_array().unwrap().iter().map(|c| c["target"].as_str().unwrap()).collect();
    assert_eq!(targets[..2], ["email", "first_name"]);
    let id = import["id"].as_i64().unwrap();

    let start = |targets: &[&str]| json!({ "targets": targets, "existing": "update", "tags": ["spring"] });
    let path = format!("/api/v1/imports/{id}/start");
    let (status, body) = bad(ana.send(Method::POST, &path, Some(start(&["", "first_name", ""]))).await).await;
    assert_eq!((status, body.error.field.as_deref()), (422, Some("targets")));
    ana.post(&path, start(&["email", "first_name", "attribute:town"])).await;
    let done = ended(&ana, id).await;
    assert_eq!(
        (&done["state"], &done["rows"], &done["created"], &done["failed"]),
        (&json!("finished"), &json!(4), &json!(2), &json!(2)),
        "{done}"
    );
    let (status, _) = bad(ana.send(Method::POST, &path, Some(start(&["email", "", ""]))).await).await;
    assert_eq!(status, 409, "a second start");

    let errors = ana.get(&format!("/api/v1/imports/{id}/errors?limit=1")).await;
    assert_eq!((&errors["total"], &errors["items"][0]["line"]), (&json!(2), &json!(3)));
    let report = ana.send(Method::GET, &format!("/api/v1/imports/{id}/errors.csv"), None).await;
    assert!(report.headers()["content-disposition"].to_str().unwrap().contains("attachment"));
    let report = report.text().await.unwrap();
    assert_eq!(report.lines().count(), 3, "{report}");
    assert!(report.contains("3,\"E-Mail\",\"not an address\","), "{report}");

    let found = ana.get("/api/v1/contacts?tag=spring").await;
    assert_eq!(found["items"].as_array().map(Vec::len), Some(2));
    assert_eq!(found["items"][1]["attributes"]["town"], "Lisboa");
    assert_eq!(files(&boat), 0, "the file has done its duty");
    boat.stop().await;
}

#[tokio::test]
async fn what_is_no_list_of_contacts_leaves_nothing_behind() {
    let boat = boat_with("import_max_mb = 1", Overrides::default(), NO_DNS).await;
    let ana = boat.session(Role::Marketer).await;
    for (content, status) in [
        (String::new(), 422),
        ("just some words".to_owned(), 422),
        (format!("email\n{}", "a@example.com\n".repeat(100_000)), 413),
    ] {
        let (found, body) = bad(upload(&ana, "x.csv", content).await).await;
        assert_eq!((found, body.error.field.as_deref()), (status, Some("file")), "{}", body.error.message);
    }
    assert_eq!(files(&boat), 0);
    assert_eq!(ana.get("/api/v1/imports").await["items"], json!([]));

    // A draft that nobody wants goes away with its file.
    let import = good(upload(&ana, "people.csv", FILE).await).await;
    assert_eq!(files(&boat), 1);
    ana.post(&format!("/api/v1/imports/{}/cancel", import["id"]), json!({})).await;
    assert_eq!(files(&boat), 0);
    boat.stop().await;
}
