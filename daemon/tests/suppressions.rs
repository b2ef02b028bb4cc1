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
    assert_eq!(addresses(&marketer.get(&format!("{LIST}?global=false&covers=all")).await), ["trap@gull.example"]);
    assert_eq!(addresses(&marketer.get(&format!("{LIST}?covers=marketing&ended=true")).await), Vec::<&str>::new());
    assert_eq!(addresses(&marketer.get(&format!("{LIST}?covers=marketing&ended=false")).await).len(), 2);
    assert_eq!(marketer.get(&format!("{LIST}?q=cy")).await["items"][0]["covers"], "marketing");
    let csv = marketer.send(Method::GET, &format!("{LIST}/export"), None).await.text().await.unwrap();
    assert_eq!(csv.lines().count(), 5, "{csv}");
    assert!(csv.contains("\"cy@gull.example\",\"complaint\",\"marketing\",\"no\",\"import of old list.csv\""), "{csv}");

    let narrow = format!("{LIST}/export?reason=complaint&ended=false&q=gull");
    let csv = marketer.send(Method::GET, &narrow, None).await.text().await.unwrap();
    assert_eq!(csv.lines().count(), 2, "{csv}");
    let (status, _) = bad(marketer.send(Method::GET, &format!("{LIST}/export?reason=no"), None).await).await;
    assert_eq!(status, 422);

    let off = format!("{LIST}/{}/remove", trap["id"]);
    let why = Some(json!({ "reason": "it was none" }));
    let (status, _) = bad(marketer.send(Method::POST, &off, why.clone()).await).await;
    assert_eq!(status, 403, "it binds them, and is not theirs");
    good(admin.send(Method::POST, &off, why).await).await;
    assert_eq!(addresses(&marketer.get(&format!("{LIST}?global=true")).await), Vec::<&str>::new());
    boat.stop().await;
}

/// What of a list is known by its hash alone goes out as such, and comes in: here from one installation to another.
#[tokio::test]
async fn a_list_of_hashes_is_handed_on() {
    let (here, there) = (boat().await, boat().await);
    let (ana, bo) = (here.session(Role::Marketer).await, there.session(Role::Marketer).await);
    // printf cy@gull.example | sha256sum
    let sha = "4c77e87e20434a9062bc6f0c4670efe0d6964e39c577d6ec2f29375f2992da9d";
    let file = format!("email_hash,reason,note\r\n{sha},unsubscribe,their list\r\n{},,\r\n", &sha[..32]);
    let told = good(import(&ana, &format!("{LIST}/import"), &file).await).await;
    assert_eq!((&told["added"], &told["failed"]), (&json!(1), &json!(1)), "{told}");
    let found = ana.get(&format!("{LIST}?q=Cy@gull.example")).await;
    let entry = &found["items"][0];
    assert_eq!((&entry["address"], &entry["origin"]), (&Value::Null, &json!("their list")));
    let csv = ana.send(Method::GET, &format!("{LIST}/export"), None).await.text().await.unwrap();
    let told = good(import(&bo, &format!("{LIST}/import"), &csv).await).await;
    assert_eq!((&told["added"], &told["failed"]), (&json!(1), &json!(0)), "{told}");
    let found = bo.get(&format!("{LIST}?q=cy@gull.example")).await;
    assert_eq!(found["items"][0]["reason"], "unsubscribe");
    here.stop().await;
    there.stop().await;
}

/// Lines of the history, newest first.
fn told(page: &Value) -> Vec<String> {
    let line = |row: &Value| {
        let text = |key: &str| row[key].as_str().unwrap_or("-").to_owned();
        format!("{} {} {} by {}: {}", text("address"), text("action"), text("reason"), text("by"), text("words"))
    };
    page["items"].as_array().unwrap().iter().map(line).collect()
}

/// From the first entry to the last, over the deletion of the contact and its coming back.
#[tokio::test]
async fn an_entry_outlives_its_contact_and_its_history_says_who_did_what() {
    let boat = boat().await;
    let (admin, bo) = (boat.session(Role::Admin).await, boat.session(Role::Marketer).await);
    let contact = bo.post("/api/v1/contacts", json!({ "email": "Ana@gull.example" })).await;
    assert_eq!(contact["standing"]["gets"], "all");
    let path = format!("/api/v1/contacts/{}", contact["id"]);
    let marketing = json!({ "address": "ana@gull.example", "covers": "marketing", "note": "ana@gull.example rang" });
    let first = bo.post(LIST, marketing).await;
    assert_eq!(bo.get(&path).await["standing"]["gets"], "single_mail");
    let off = |id: &Value| format!("{LIST}/{id}/remove");
    let (status, body) = bad(bo.send(Method::POST, &off(&first["id"]), Some(json!({ "reason": " " }))).await).await;
    assert_eq!((status, body.error.field.as_deref()), (422, Some("reason")));
    bo.post(&off(&first["id"]), json!({ "reason": "she rang again" })).await;
    bo.post(LIST, json!({ "address": "ana@gull.example", "note": "and again" })).await;
    let standing = bo.get(&path).await["standing"].clone();
    assert_eq!((&standing["gets"], &standing["entries"][0]["origin"]), (&json!("nothing"), &json!("and again")));
    assert_eq!((&standing["soft_bounces"], &standing["soft_bounces_max"]), (&json!(0), &json!(3)));
    for (status, expected) in [("active", 0), ("suppressed", 1), ("manual", 1), ("complaint", 0), ("soft_bouncing", 0)]
    {
        let page = bo.get(&format!("/api/v1/contacts?status={status}")).await;
        assert_eq!(page["items"].as_array().unwrap().len(), expected, "{status}");
    }
    assert_eq!(bad(bo.send(Method::GET, "/api/v1/contacts?status=tired", None).await).await.0, 422);

    good(bo.send(Method::DELETE, &path, None).await).await;
    let found = bo.get(&format!("{LIST}?q=ANA@gull.example")).await;
    let entry = &found["items"][0];
    assert_eq!((&entry["address"], &entry["origin"]), (&Value::Null, &json!("and again")), "{found}");
    let of_entry = format!("{LIST}/history?entry={}", entry["id"]);
    let history = told(&bo.get(&of_entry).await);
    let by = "by marketer@example.com";
    let expected = [
        format!("- added manual {by}: and again"),
        format!("- removed manual {by}: she rang again"),
        format!("- added manual {by}: a***@gull.example rang"),
    ];
    assert_eq!(history, expected);
    // She is imported again: the entry is there before her.
    let again = bo.post("/api/v1/contacts", json!({ "email": "ana@GULL.example" })).await;
    assert_eq!((&again["standing"]["gets"], &again["suppressed"]), (&json!("nothing"), &json!("manual: and again")));
    let by_address = told(&bo.get(&format!("{LIST}/history?address=ana@gull.example")).await);
    assert_eq!(by_address, expected.map(|line| line.replacen('-', "ana@gull.example", 1)));

    let trap = admin.post(LIST, json!({ "address": "trap@gull.example", "global": true })).await;
    admin.post(&off(&trap["id"]), json!({ "reason": "it was none" })).await;
    let all = bo.get(&format!("{LIST}/history?limit=1")).await;
    assert_eq!(told(&all), ["- removed manual by admin@example.com: it was none"]);
    assert_eq!((&all["items"][0]["global"], &all["items"][0]["masked"]), (&json!(true), &json!("t***@gull.example")));
    let next = bo.get(&format!("{LIST}/history?limit=1&cursor={}", all["next"].as_str().unwrap())).await;
    assert_eq!(next["items"][0]["action"], "added");
    for (query, field) in [("address=nobody", "address"), ("address=a@b.example&entry=1", "entry")] {
        let (status, body) = bad(bo.send(Method::GET, &format!("{LIST}/history?{query}"), None).await).await;
        assert_eq!((status, body.error.field.as_deref()), (422, Some(field)), "{query}");
    }
    assert_eq!(bad(bo.send(Method::GET, &format!("{LIST}/history?entry=999"), None).await).await.0, 404);
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
