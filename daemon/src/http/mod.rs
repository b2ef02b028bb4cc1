//! The HTTP side: the API under `/api/v1`, the pages for recipients, health, metrics, the console.

pub mod access;
pub(crate) mod api;
mod attributes;
mod console;
mod contacts;
mod domains;
pub mod error;
mod extract;
mod filters;
pub(crate) mod limits;
mod people;
mod queue;
mod session;
mod shell;
mod suppressions;
mod timeline;

use crate::app::Shared;
use access::Access;
pub use api::Route;
use api_types::Role;
use axum::routing::get;
use axum::{Router, extract::State};
use utoipa::openapi::OpenApi;
use utoipa_axum::routes;

const VIEWER: Access = Access::Least(Role::Viewer);
const MARKETER: Access = Access::Least(Role::Marketer);
const ADMIN: Access = Access::Least(Role::Admin);
const OWNER: Access = Access::Least(Role::Owner);

/// The API's handlers with their document, and each route as declared.
pub fn api(app: &Shared) -> (Router<Shared>, OpenApi, Vec<Route>) {
    api::Api::new(app)
        .add(Access::Public, routes!(session::sign_in))
        .add(Access::Public, routes!(session::use_link))
        .add(VIEWER, routes!(session::show))
        .add(VIEWER, routes!(session::sign_out))
        .add(ADMIN, routes!(people::users))
        .add(ADMIN, routes!(people::create_user))
        .add(OWNER, routes!(people::sign_in_link))
        .add(ADMIN, routes!(people::api_keys))
        .add(ADMIN, routes!(people::create_api_key))
        .add(ADMIN, routes!(people::delete_api_key))
        .add(VIEWER, routes!(domains::list))
        .add(ADMIN, routes!(domains::create))
        .add(VIEWER, routes!(domains::show))
        .add(ADMIN, routes!(domains::delete))
        .add(ADMIN, routes!(domains::verify))
        .add(VIEWER, routes!(contacts::list))
        .add(MARKETER, routes!(contacts::create))
        .add(VIEWER, routes!(contacts::show))
        .add(MARKETER, routes!(contacts::update))
        .add(MARKETER, routes!(contacts::delete))
        .add(VIEWER, routes!(contacts::timeline))
        .add(VIEWER, routes!(contacts::fields))
        .add(VIEWER, routes!(contacts::tag_list))
        .add(VIEWER, routes!(queue::summary))
        .add(VIEWER, routes!(queue::recipients))
        .add(VIEWER, routes!(queue::recipient))
        .add(VIEWER, routes!(suppressions::list))
        .add(MARKETER, routes!(suppressions::create))
        .add(MARKETER, routes!(suppressions::remove))
        .finish()
}

/// Everything that is served, for both listeners.
pub(crate) fn router(app: &Shared) -> Router {
    let (routes, document, _) = api(app);
    let document = std::sync::Arc::new(serde_json::to_string(&document).unwrap_or_default());
    let openapi = move || {
        let document = document.clone();
        async move { ([(axum::http::header::CONTENT_TYPE, "application/json")], document.to_string()) }
    };
    let router = routes
        .route("/api/v1/openapi.json", get(openapi))
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(async |State(app): State<Shared>| shell::ready(&app)))
        .fallback(console::serve)
        .with_state(app.clone());
    shell::wrap(router)
}
