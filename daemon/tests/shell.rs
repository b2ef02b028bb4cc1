//! What surrounds the API: errors in one shape, headers, health, metrics, the console, start and stop.

mod common;

use api_types::{ErrorCode, Role};
use common::{NO_DNS, bad, boat, boat_with, good, launch};
use daemon::serve::Overrides;
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn every_refusal_has_the_one_shape() {
    let boat = boat().await;
    let owner = boat.session(Role::Owner).await;
    let raw = |body: String| {
        let request = boat.http.post(boat.url("/api/v1/contacts")).header("cookie", &owner.cookie);
        request.header("x-csrf-token", &owner.csrf).header("content-type", "application/json").body(body).send()
    };
    let large = json!({ "email": "a".repeat(3 * 1024 * 1024) }).to_string();
    for (body, status, code, field) in [
        ("{".to_owned(), 422, ErrorCode::Invalid, None),
        (r#"{"email": 7}"#.to_owned(), 422, ErrorCode::Invalid, Some("email")),
        (r#"{"email": "not an address"}"#.to_owned(), 422, ErrorCode::Invalid, Some("email")),
        (large, 413, ErrorCode::TooLarge, None),
    ] {
        let (found, error) = bad(raw(body).await.unwrap()).await;
        let error = error.error;
        assert_eq!((found, error.code, error.field.as_deref()), (status, code, field), "{}", error.message);
    }
    for (method, path, status, code) in [
        (Method::GET, "/api/v1/contacts?limit=0", 422, ErrorCode::Invalid),
        (Method::GET, "/api/v1/contacts?limit=many", 422, ErrorCode::Invalid),
        (Method::GET, "/api/v1/contacts?cursor=x", 422, ErrorCode::Invalid),
        (Method::GET, "/api/v1/contacts/7", 404, ErrorCode::NotFound),
        (Method::GET, "/api/v1/contacts/x", 404, ErrorCode::NotFound),
        (Method::GET, "/api/v1/nothing", 404, ErrorCode::NotFound),
    ] {
        let (found, error) = bad(owner.send(method, path, None).await).await;
        assert_eq!((found, error.error.code), (status, code), "{path}");
    }
    boat.stop().await;
}

#[tokio::test]
async fn headers_keep_browsers_careful() {
    let boat = boat().await;
    for path in ["/", "/api/v1/openapi.json", "/api/v1/session", "/healthz", "/readyz"] {
        let response = boat.http.get(boat.url(path)).send().await.unwrap();
        assert!(path != "/readyz" || response.status() == 200);
        let header = |name: &str| response.headers().get(name).map_or("", |value| value.to_str().unwrap()).to_owned();
        assert!(header("content-security-policy").contains("frame-ancestors 'none'"), "{path}");
        assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
        assert_eq!(header("referrer-policy"), "no-referrer", "{path}");
        assert_eq!(header("x-request-id").len(), 36, "{path}");
    }
    boat.stop().await;
}

#[tokio::test]
async fn the_console_is_there_or_says_how_to_make_it() {
    let boat = boat().await;
    let response = boat.http.get(boat.url("/campaigns/7")).send().await.unwrap();
    let status = response.status().as_u16();
    let cache = response.headers().get("cache-control").map(|value| value.to_str().unwrap().to_owned());
    let text = response.text().await.unwrap();
    match status {
        200 => assert!(text.contains("<html") && cache.as_deref() == Some("no-cache"), "{cache:?}"),
        503 => assert!(text.contains("cargo xtask ui"), "{text}"),
        other => panic!("{other}: {text}"),
    }
    assert_eq!(boat.http.get(boat.url("/assets/gone-0123.js")).send().await.unwrap().status(), 404);
    assert_eq!(boat.http.get(boat.url("/../Cargo.toml")).send().await.unwrap().status().as_u16(), status);
    boat.stop().await;
}

#[tokio::test]
async fn figures_are_for_this_host_and_for_keys() {
    let boat = boat().await;
    let owner = boat.session(Role::Owner).await;
    let text = boat.http.get(boat.url("/metrics")).send().await.unwrap().text().await.unwrap();
    assert!(text.contains("packetboat_ledger_holds 1"), "{text}");
    let forwarded = || boat.http.get(boat.url("/metrics")).header("x-forwarded-for", "198.51.100.7");
    assert_eq!(forwarded().send().await.unwrap().status(), 401);
    let made = owner.post("/api/v1/api_keys", json!({ "name": "prometheus" })).await;
    let key = made["key"].as_str().unwrap();
    assert_eq!(forwarded().bearer_auth(key).send().await.unwrap().status(), 200);
    boat.stop().await;
}

#[tokio::test]
async fn a_new_house_says_what_is_missing() {
    let boat = boat().await;
    let viewer = boat.session(Role::Viewer).await;
    let overview = viewer.get("/api/v1/overview").await;
    assert_eq!(overview["hours"].as_array().map(Vec::len), Some(24));
    let notices = overview["notices"].to_string();
    assert!(notices.contains("No sending domain yet"), "{notices}");
    let egress = viewer.get("/api/v1/egress").await;
    assert_eq!(egress["sources"][0]["name"], "default");
    assert_eq!(egress["pools"][0]["sources"][0], json!({ "source": "default", "weight": 1 }));
    let admin = boat.session(Role::Admin).await;
    let points = admin.get("/api/v1/doctor").await;
    let points = points.as_array().unwrap();
    assert!(points.iter().all(|point: &Value| point["level"] == "ok"), "{points:?}");
    boat.stop().await;
}

#[tokio::test]
async fn what_keeps_it_from_starting_says_what_to_do() {
    let boat = boat().await;
    let dir = boat.dir.path().to_owned();
    let error = launch(&dir, "", Overrides::default(), NO_DNS).await.err().map(|e| format!("{e:#}")).unwrap();
    assert!(error.contains("another packetboat is running"), "{error}");
    let taken = boat.running.http_addr;
    let other = tempfile::tempdir().unwrap();
    let text = format!("[storage]\ndir = {:?}\n[http]\nlisten = \"{taken}\"\n", other.path());
    let config = config::parse("test.toml", &text).unwrap();
    let error = daemon::serve::start(config, Overrides::default()).await.err().map(|e| format!("{e:#}")).unwrap();
    assert!(error.contains("change [http] listen"), "{error}");
    boat.running.stop().await.unwrap();

    // The folder is free again, and what was in it is still there; another key is refused.
    let again = launch(&dir, "", Overrides::default(), NO_DNS).await.unwrap();
    again.stop().await.unwrap();
    std::fs::remove_file(dir.join("data/master.key")).unwrap();
    let error = launch(&dir, "", Overrides::default(), NO_DNS).await.err().map(|e| format!("{e:#}")).unwrap();
    assert!(error.contains("not the master key that the database"), "{error}");
}

#[tokio::test]
async fn an_https_house_marks_its_cookies() {
    let boat = boat_with("public_url = \"https://mail.example.com\"", Overrides::default(), NO_DNS).await;
    let id = boat.user(Role::Owner).await;
    let (url, _) = daemon::ops::sign_in_link(boat.running.app(), storage::WorkspaceId::MAIN, id).await.unwrap();
    let token = url.strip_prefix("https://mail.example.com/sign-in?token=").unwrap();
    let request = boat.http.post(boat.url("/api/v1/session/link")).json(&json!({ "token": token }));
    let response = request.send().await.unwrap();
    assert!(response.headers()["set-cookie"].to_str().unwrap().ends_with("; Secure"));
    boat.stop().await;
}

#[tokio::test]
async fn contacts_live_through_the_api() {
    let boat = boat().await;
    let ana = boat.session(Role::Marketer).await;
    let new = json!({ "email": "Bo@Example.com", "first_name": "Bo", "attributes": { "city": "Lisboa", "age": 30 }, "tags": ["vip"] });
    let made = ana.post("/api/v1/contacts", new.clone()).await;
    assert_eq!((made["email"].as_str(), made["tags"][0].as_str()), (Some("Bo@example.com"), Some("vip")));
    let id = made["id"].as_i64().unwrap();
    let (status, body) = bad(ana.send(Method::POST, "/api/v1/contacts", Some(new)).await).await;
    assert_eq!((status, body.error.field.as_deref()), (409, Some("email")));

    let path = format!("/api/v1/contacts/{id}");
    let patch = json!({ "attributes": { "city": null, "age": 31 }, "tags": [] });
    let changed = good(ana.send(Method::PATCH, &path, Some(patch)).await).await;
    assert_eq!(
        (changed["attributes"].to_string(), changed["tags"].to_string()),
        (r#"{"age":31}"#.to_owned(), "[]".to_owned())
    );
    assert_eq!(changed["first_name"], "Bo");
    let wrong = json!({ "attributes": { "age": "old" } });
    let (status, body) = bad(ana.send(Method::PATCH, &path, Some(wrong)).await).await;
    assert_eq!((status, body.error.field.as_deref()), (422, Some("attributes.age")));

    // Put on the list, taken off again; the contact tells why.
    let entry =
        ana.post("/api/v1/suppressions", json!({ "address": "bo@example.com", "note": "asked by phone" })).await;
    assert_eq!(ana.get(&path).await["suppressed"], "manual: asked by phone");
    assert_eq!(ana.get("/api/v1/contacts?status=active").await["items"], json!([]));
    let remove = format!("/api/v1/suppressions/{}/remove", entry["id"]);
    let (status, body) = bad(ana.send(Method::POST, &remove, Some(json!({ "reason": " " }))).await).await;
    assert_eq!((status, body.error.field.as_deref()), (422, Some("reason")));
    ana.post(&remove, json!({ "reason": "a mistake" })).await;
    assert_eq!(ana.get(&path).await["suppressed"], Value::Null);
    assert_eq!(ana.get("/api/v1/contacts?q=bo%20exam").await["items"][0]["id"], id);

    good(ana.send(Method::DELETE, &path, None).await).await;
    assert_eq!(ana.get("/api/v1/contacts").await["total"], 0);
    boat.stop().await;
}
