//! The table of routes: path and document come from the handler's `utoipa::path`, who may use it from `add`.

use crate::app::Shared;
use crate::http::access::{Access, Guard, guard, word};
use api_types::ErrorBody;
use axum::Router;
use axum::middleware::from_fn_with_state;
use std::time::Duration;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::{
    Components, Content, Info, License, OpenApi, OpenApiBuilder, PathItem, Ref, RefOr, Response, path::Operation,
};
use utoipa::{PartialSchema, ToSchema};
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

/// How long a handler may take.
const TIME_MAX: Duration = Duration::from_secs(30);

/// One route, as declared.
#[derive(Clone, Debug)]
pub struct Route {
    /// `GET`, `POST`, ...
    pub method: &'static str,
    /// With `{id}` for what varies.
    pub path: String,
    /// Who may use it.
    pub access: Access,
}

/// Routes with their document, while they are being put together.
pub(crate) struct Api {
    app: Shared,
    router: OpenApiRouter<Shared>,
    routes: Vec<Route>,
}

impl Api {
    pub fn new(app: &Shared) -> Api {
        Api { app: app.clone(), router: OpenApiRouter::with_openapi(document()), routes: Vec::new() }
    }

    /// Adds a handler.
    pub fn add(self, access: Access, route: UtoipaMethodRouter<Shared>) -> Api {
        self.add_slow(access, TIME_MAX, route)
    }

    /// Adds a handler that may take longer than others.
    pub fn add_slow(mut self, access: Access, time_max: Duration, route: UtoipaMethodRouter<Shared>) -> Api {
        let (schemas, mut paths, method_router) = route;
        for (path, item) in &mut paths.paths {
            for (method, operation) in operations(item) {
                describe(operation, access);
                self.routes.push(Route { method, path: path.clone(), access });
            }
        }
        let guarded = Guard { app: self.app.clone(), access, time_max };
        let method_router = method_router.route_layer(from_fn_with_state(guarded, guard));
        self.router = self.router.routes((schemas, paths, method_router));
        self
    }

    pub fn finish(self) -> (Router<Shared>, OpenApi, Vec<Route>) {
        let (router, document) = self.router.split_for_parts();
        (router, document, self.routes)
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = (&'static str, &mut Operation)> {
    [
        ("GET", &mut item.get),
        ("POST", &mut item.post),
        ("PUT", &mut item.put),
        ("PATCH", &mut item.patch),
        ("DELETE", &mut item.delete),
    ]
    .into_iter()
    .filter_map(|(method, operation)| operation.as_mut().map(|operation| (method, operation)))
}

/// What all operations share: who may use them, and the shape of errors.
fn describe(operation: &mut Operation, access: Access) {
    let error = RefOr::Ref(Ref::from_response_name("Error"));
    operation.responses.responses.insert("default".to_owned(), error);
    match access {
        Access::Public => operation.security = Some(Vec::new()),
        Access::Least(_) | Access::Sends | Access::Feeds => {
            let role = match access {
                Access::Least(role) => role,
                Access::Feeds => api_types::Role::Admin,
                Access::Sends | Access::Public => api_types::Role::Marketer,
            };
            let scope = access.scope().map(|scope| format!(", or an API key with the scope {}", scope.as_str()));
            let sentence = format!("Needs the role {} or a higher one{}.", word(role), scope.unwrap_or_default());
            let before = operation.description.take().filter(|text| !text.trim().is_empty());
            operation.description = Some(before.map_or(sentence.clone(), |text| format!("{text}\n\n{sentence}")));
        }
    }
}

fn document() -> OpenApi {
    let mut info = Info::new("Packetboat", "v1");
    info.description = Some(
        "Everything that the console can do. Errors have one shape; lists are pages with `cursor` and `limit`; times are \
         RFC 3339 in UTC. Send an API key as `Authorization: Bearer KEY`, or the session's cookie and, with every request \
         that changes something, its CSRF token as `X-CSRF-Token`."
            .to_owned(),
    );
    info.license = Some(License::new("Apache-2.0 OR MIT"));
    let schema = Ref::from_schema_name("ErrorBody");
    let mut error = Response::new("What went wrong and what to do.");
    error.content.insert("application/json".to_owned(), RefOr::T(Content::new(Some(schema))));
    let mut components = Components::new();
    let mut schemas = vec![(ErrorBody::name().into_owned(), ErrorBody::schema())];
    ErrorBody::schemas(&mut schemas);
    components.schemas.extend(schemas);
    components.responses.insert("Error".to_owned(), RefOr::T(error));
    components.add_security_scheme("api_key", SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer)));
    let cookie = ApiKeyValue::new(crate::http::access::COOKIE);
    components.add_security_scheme("session", SecurityScheme::ApiKey(ApiKey::Cookie(cookie)));
    let none: [String; 0] = [];
    OpenApiBuilder::new()
        .info(info)
        .components(Some(components))
        .security(Some([SecurityRequirement::new("api_key", none.clone()), SecurityRequirement::new("session", none)]))
        .build()
}
