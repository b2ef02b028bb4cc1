//! Who may do what: a walk over every declared route, and the ways in.

mod common;

use api_types::{ErrorCode, Role};
use common::{PASSWORD, bad, boat, email, good};
use daemon::http::access::Access;
use reqwest::Method;
use serde_json::json;

#[tokio::test]
async fn every_route_asks_who_it_is() {
    let boat = boat().await;
    let viewer = boat.session(Role::Viewer).await;
    let owner = boat.session(Role::Owner).await;
    let (_, _, routes) = daemon::http::api(boat.running.app());
    assert!(routes.len() > 20, "{}", routes.len());
    for route in routes {
        let path = route.path.replace("{id}", "1").replace("{number}", "1");
        let what = format!("{} {path}", route.method);
        let method: Method = route.method.parse().unwrap();
        let changes = method != Method::GET;
        let least = match route.access {
            Access::Public => {
                assert!(path.starts_with("/api/v1/session"), "{what} is public");
                continue;
            }
            Access::Least(least) => least,
            Access::Sends => Role::Marketer,
            Access::Feeds => Role::Admin,
        };
        let nobody = boat.http.request(method.clone(), boat.url(&path)).send().await.unwrap();
        let (status, body) = bad(nobody).await;
        assert_eq!((status, body.error.code), (401, ErrorCode::Unauthenticated), "{what} without credentials");

        if !Role::Viewer.may(least) {
            let (status, body) = bad(viewer.send(method.clone(), &path, Some(json!({}))).await).await;
            assert_eq!((status, body.error.code), (403, ErrorCode::Forbidden), "{what} as viewer");
        }
        if changes {
            let request = boat.http.request(method, boat.url(&path)).header("cookie", &owner.cookie);
            let (status, body) = bad(request.json(&json!({})).send().await.unwrap()).await;
            assert_eq!((status, body.error.code), (403, ErrorCode::CsrfMismatch), "{what} without CSRF token");
        }
    }
    boat.stop().await;
}

#[tokio::test]
async fn a_password_opens_and_a_wrong_one_does_not() {
    let boat = boat().await;
    boat.user(Role::Owner).await;
    for (who, password, expected) in [
        (email(Role::Owner), PASSWORD, 200),
        (email(Role::Owner).to_uppercase(), PASSWORD, 200),
        (email(Role::Owner), "wrong horse battery", 401),
        ("nobody@example.com".to_owned(), PASSWORD, 401),
    ] {
        let request = boat.http.post(boat.url("/api/v1/session")).json(&json!({ "email": who, "password": password }));
        let response = request.send().await.unwrap();
        assert_eq!(response.status().as_u16(), expected, "{who}");
        if expected == 200 {
            let cookie = response.headers()["set-cookie"].to_str().unwrap();
            assert!(cookie.contains("HttpOnly; SameSite=Lax") && !cookie.contains("Secure"), "{cookie}");
        } else {
            // The same words for both, so that nobody learns who has an account.
            let (_, body) = bad(response).await;
            assert_eq!(body.error.message, "The address or the password is wrong.");
        }
    }
    boat.stop().await;
}

#[tokio::test]
async fn too_many_sign_ins_are_refused() {
    let boat = boat().await;
    let mut refused = None;
    for attempt in 1..=30 {
        let body = json!({ "email": "nobody@example.com", "password": "x" });
        let response = boat.http.post(boat.url("/api/v1/session")).json(&body).send().await.unwrap();
        if response.status() == 429 {
            refused = Some(attempt);
            break;
        }
    }
    assert!(refused.is_some_and(|attempt| attempt > 10), "{refused:?}");
    boat.stop().await;
}

#[tokio::test]
async fn a_link_signs_in_once_and_signing_out_ends_it() {
    let boat = boat().await;
    let id = boat.user(Role::Owner).await;
    let (url, _) = daemon::ops::sign_in_link(boat.running.app(), storage::WorkspaceId::MAIN, id).await.unwrap();
    assert!(url.starts_with(&format!("{}/sign-in?token=", boat.base)), "{url}");
    let token = url.rsplit_once("token=").unwrap().1;
    let sign_in = || boat.http.post(boat.url("/api/v1/session/link")).json(&json!({ "token": token })).send();
    let first = sign_in().await.unwrap();
    assert_eq!(first.status(), 200);
    let cookie = first.headers()["set-cookie"].to_str().unwrap().split(';').next().unwrap().to_owned();
    let me = good(first).await;
    assert_eq!(me["role"], "owner");
    assert_eq!(sign_in().await.unwrap().status(), 401, "a second time");

    let session = common::Session {
        http: boat.http.clone(),
        base: boat.base.clone(),
        cookie,
        csrf: me["csrf_token"].as_str().unwrap().to_owned(),
    };
    assert_eq!(session.get("/api/v1/session").await["email"], email(Role::Owner));
    good(session.send(Method::DELETE, "/api/v1/session", None).await).await;
    assert_eq!(session.send(Method::GET, "/api/v1/session", None).await.status(), 401);
    boat.stop().await;
}

#[tokio::test]
async fn an_api_key_works_until_it_is_taken_back() {
    let boat = boat().await;
    let owner = boat.session(Role::Owner).await;
    let made = owner.post("/api/v1/api_keys", json!({ "name": "shop" })).await;
    let key = made["key"].as_str().unwrap().to_owned();
    assert!(key.starts_with("pbk_"));
    let with_key = async |method: Method, path: &str| {
        boat.http.request(method, boat.url(path)).bearer_auth(&key).send().await.unwrap()
    };
    // A key needs no CSRF token, and cannot do what only owners can.
    assert_eq!(with_key(Method::GET, "/api/v1/contacts").await.status(), 200);
    let (status, _) = bad(with_key(Method::POST, "/api/v1/users/1/sign_in_link").await).await;
    assert_eq!(status, 403);
    let listed = owner.get("/api/v1/api_keys").await;
    assert!(listed["items"][0]["last_used_at"].is_string() && !listed.to_string().contains(&key));
    let id = made["api_key"]["id"].as_i64().unwrap();
    good(owner.send(Method::DELETE, &format!("/api/v1/api_keys/{id}"), None).await).await;
    assert_eq!(with_key(Method::GET, "/api/v1/contacts").await.status(), 401);
    boat.stop().await;
}

#[tokio::test]
async fn nobody_makes_somebody_mightier() {
    let boat = boat().await;
    let admin = boat.session(Role::Admin).await;
    for (role, expected) in [("owner", 403), ("admin", 200), ("viewer", 200)] {
        let new = json!({ "email": format!("new-{role}@example.com"), "role": role, "password": PASSWORD });
        let response = admin.send(Method::POST, "/api/v1/users", Some(new)).await;
        assert_eq!(response.status().as_u16(), expected, "{role}");
    }
    let twice = json!({ "email": "new-viewer@example.com", "role": "viewer", "password": PASSWORD });
    let (status, body) = bad(admin.send(Method::POST, "/api/v1/users", Some(twice)).await).await;
    assert_eq!((status, body.error.field.as_deref()), (409, Some("email")));
    let short = json!({ "email": "short@example.com", "role": "viewer", "password": "short" });
    let (status, body) = bad(admin.send(Method::POST, "/api/v1/users", Some(short)).await).await;
    assert_eq!((status, body.error.field.as_deref()), (422, Some("password")));
    boat.stop().await;
}
