//! Suppression lists over HTTP: by hand, for whom and for what, in and out as files, and off again.

mod common;

use api_types::Role;
use common::{Session, bad, boat, good};
use reqwest::{Method, multipart};
use serde_json::{Value, json};

async fn import(session: &Session, path: &str, content: &str) -> reqwest::Response {
    let part = multipart::Part::text(content.to_owned()).file_name("old list.csv");
    let request = session.http.post(format!("{}{path}", session.base)).header("cookie", &session.cookie);
    let request = request.header("x-csrf-token", &session.csrf);
    request.multipart(multipart::Form::new().part("file", part)).send().await.unwrap()
}

fn addresses(page: &Value) -> Vec<&str> {
    page["items"].as_array().unwrap().iter().map(|row| row["address"].as_str().unwrap()).collect()
}

const LIST: &str = "/api/v1/suppressions";

#[tokio::test]
async fn a_list_is_written_read_and_taken_back() {
    let boat = boat().await;
    let (admin, marketer) = (boat.session(Role::Admin).await, boat.session(Role::Marketer).await);
    let global = json!({ "address": "trap@gull.example", "note": "a spam trap", "global": true });
    let (status, body) = bad(marketer.send(Method::POST, LIST, Some(global.clone())).await).await;
    assert_eq!((status, body.error.field.as_deref()), (403, Some("global")));
    let trap = admin.post(LIST, global).await;
    assert_eq!((&trap["global"], &trap["covers"]), (&json!(true), &json!("all")));
    let own = json!({ "address": "Ana@gull.example", "covers": "marketing", "expires_at": "2999-01-01T00:00:00Z" });
    let ana = marketer.post(LIST, own).await;
    assert_eq!((&ana["covers"], &ana["reason"]), (&json!("marketing"), &json!("manual")));
    let past = json!({ "address": "bo@gull.example", "expires_at": "1999-01-01T00:00:00Z" });
    let (status, body) = bad(marketer.send(Method::POST, LIST, Some(past)).await).await;
    assert_eq!((status, body.error.field.as_deref()), (422, Some("expires_at")));

    let file =
        "address,reason\r\ncy@gull.example,complaint\r\nnobody,\r\ntrap@gull.example,\r\ncy@gull.example,complaint\r\n";
    let told = good(import(&marketer, &format!("{LIST}/import"), file).await).await;
    assert_eq!(
        [&told["rows"], &told["added"], &told["known"], &told["failed"]],
        [&json!(4), &json!(2), &json!(1), &json!(1)],
        "{told}"
    );
    assert_eq!(told["errors"][0]["line"], 3);
    let (status, _) = bad(import(&marketer, &format!("{LIST}/import"), "name\r\nAna\r\n").await).await;
    assert_eq!(status, 422);

    let all = marketer.get(LIST).await;
    let expected = ["trap@gull.example", "cy@gull.example", "ana@gull.example", "trap@gull.example"];
    assert_eq!(addresses(&all), expected);
    assert_eq!(addresses(&marketer.get(&format!("{LIST}?global=true")).await), ["trap@gull.example"]);
    assert_eq!(addresses(&marketer.get(&format!("{LIST}?reason=complaint")).await), ["cy@gull.example"]);
    assert_eq!(marketer.get(&format!("{LIST}?q=cy")).await["items"][0]["covers"], "marketing");
    let csv = marketer.send(Method::GET, &format!("{LIST}/export"), None).await.text().await.unwrap();
    assert_eq!(csv.lines().count(), 5, "{csv}");
    assert!(csv.contains("\"cy@gull.example\",\"complaint\",\"marketing\",\"no\",\"import of old list.csv\""), "{csv}");

    let off = format!("{LIST}/{}/remove", trap["id"]);
    let why = Some(json!({ "reason": "it was none" }));
    let (status, _) = bad(marketer.send(Method::POST, &off, why.clone()).await).await;
    assert_eq!(status, 404, "it binds them, and is not theirs");
    good(admin.send(Method::POST, &off, why).await).await;
    assert_eq!(addresses(&marketer.get(&format!("{LIST}?global=true")).await), Vec::<&str>::new());
    boat.stop().await;
}

#[tokio::test]
async fn the_last_engagement_only_moves_forward() {
    let boat = boat().await;
    let ana = boat.session(Role::Marketer).await;
    let new = json!({ "email": "bo@gull.example", "engaged_at": "2026-01-02T03:04:05Z" });
    let contact = ana.post("/api/v1/contacts", new).await;
    assert_eq!(contact["engaged_at"], "2026-01-02T03:04:05.000Z");
    let path = format!("/api/v1/contacts/{}", contact["id"]);
    let patch = async |at: &str| ana.send(Method::PATCH, &path, Some(json!({ "engaged_at": at }))).await;
    assert_eq!(good(patch("2025-01-01T00:00:00Z").await).await["engaged_at"], "2026-01-02T03:04:05.000Z");
    assert_eq!(good(patch("2026-02-01T00:00:00Z").await).await["engaged_at"], "2026-02-01T00:00:00.000Z");
    assert_eq!(bad(patch("2999-01-01T00:00:00Z").await).await.0, 422);
    let page = ana.get("/api/v1/reputation?days=7").await;
    assert_eq!(page["items"], json!([]), "nothing was sent");
    assert_eq!(bad(ana.send(Method::GET, "/api/v1/reputation?days=0", None).await).await.0, 422);
    boat.stop().await;
}
