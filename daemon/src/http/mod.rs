//! The HTTP side: the API under `/api/v1`, the pages for recipients, health, metrics, the console.

pub mod access;
pub(crate) mod api;
mod attributes;
mod bounces;
mod campaigns;
mod console;
mod contact_streams;
mod contacts;
mod credentials;
mod domains;
mod egress;
pub mod error;
mod explain;
mod explain_mail;
mod extract;
mod hygiene;
mod imports;
mod inbound;
mod journeys;
pub(crate) mod limits;
mod lists;
pub(crate) mod messages;
pub(crate) mod metrics;
mod overview;
mod pauses;
mod people;
mod preference_centre;
pub(crate) mod public;
mod queue;
mod queue_actions;
mod replies;
mod reply_addresses;
mod reports;
mod reputation;
mod segments;
mod session;
mod shaping;
mod shell;
mod sources;
mod standing;
mod stream;
mod suppression_files;
mod suppression_history;
mod suppressions;
mod templates;
mod test_deliveries;
mod timeline;
mod tls;
mod trace;
mod unknown_texts;
mod warmup;
mod webhooks;
mod workspace;

use crate::app::Shared;
use access::Access;
use api::Api;
pub use api::Route;
use api_types::Role;
use axum::Router;
use axum::extract::{DefaultBodyLimit, State};
use axum::routing::get;
pub(crate) use console::present as console_present;
use std::time::Duration;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::UtoipaMethodRouterExt;
use utoipa_axum::routes;

/// What reads or writes a lot.
const SLOW: Duration = Duration::from_secs(600);

/// What waits for other hosts' answers.
const CHECKS: Duration = Duration::from_secs(60);

const VIEWER: Access = Access::Least(Role::Viewer);
const MARKETER: Access = Access::Least(Role::Marketer);
const ADMIN: Access = Access::Least(Role::Admin);
const SENDS: Access = Access::Sends;
const FEEDS: Access = Access::Feeds;
const OWNER: Access = Access::Least(Role::Owner);

/// The API's handlers with their document, and each route as declared.
pub fn api(app: &Shared) -> (Router<Shared>, OpenApi, Vec<Route>) {
    let parts = [
        add_people,
        add_webhooks,
        add_domains,
        add_contacts,
        add_queue,
        add_suppressions,
        add_audience,
        add_mailings,
        add_journeys,
        add_egress,
        add_figures,
        add_returned,
        add_house,
    ];
    parts.into_iter().fold(Api::new(app), |api, part| part(api, app)).finish()
}

/// Signing in, the workspace, its people, and what programs sign in with.
fn add_people(api: Api, _: &Shared) -> Api {
    api.add(Access::Public, routes!(session::sign_in))
        .add(Access::Public, routes!(session::use_link))
        .add(VIEWER, routes!(session::show))
        .add(VIEWER, routes!(session::sign_out))
        .add(VIEWER, routes!(workspace::show))
        .add(ADMIN, routes!(workspace::update))
        .add(ADMIN, routes!(people::users))
        .add(ADMIN, routes!(people::create_user))
        .add(OWNER, routes!(people::sign_in_link))
        .add(ADMIN, routes!(people::api_keys))
        .add(ADMIN, routes!(people::create_api_key))
        .add(ADMIN, routes!(people::delete_api_key))
        .add(ADMIN, routes!(credentials::list))
        .add(ADMIN, routes!(credentials::create))
        .add(ADMIN, routes!(credentials::update))
        .add(ADMIN, routes!(credentials::delete))
        .add(ADMIN, routes!(credentials::server))
}

/// Webhooks.
fn add_webhooks(api: Api, _: &Shared) -> Api {
    api.add(ADMIN, routes!(webhooks::list))
        .add(ADMIN, routes!(webhooks::create))
        .add(ADMIN, routes!(webhooks::show))
        .add(ADMIN, routes!(webhooks::update))
        .add(ADMIN, routes!(webhooks::delete))
        .add(ADMIN, routes!(webhooks::rotate))
        .add(ADMIN, routes!(webhooks::test))
        .add(ADMIN, routes!(webhooks::deliveries))
        .add(ADMIN, routes!(webhooks::delivery))
        .add(ADMIN, routes!(webhooks::retry))
}

/// Sending domains with their keys.
fn add_domains(api: Api, _: &Shared) -> Api {
    api.add(VIEWER, routes!(domains::list))
        .add(ADMIN, routes!(domains::create))
        .add(VIEWER, routes!(domains::show))
        .add(ADMIN, routes!(domains::delete))
        .add_slow(ADMIN, CHECKS, routes!(domains::verify))
        .add(ADMIN, routes!(domains::rotate))
        .add(ADMIN, routes!(domains::schedule))
        .add(ADMIN, routes!(domains::sign_anyway))
        .add(ADMIN, routes!(domains::remove_key))
}

/// Contacts and what is known of them.
fn add_contacts(api: Api, _: &Shared) -> Api {
    api.add(VIEWER, routes!(contacts::list))
        .add(MARKETER, routes!(contacts::create))
        .add(VIEWER, routes!(contacts::show))
        .add(MARKETER, routes!(contacts::update))
        .add(MARKETER, routes!(contacts::delete))
        .add(VIEWER, routes!(contacts::timeline))
        .add(VIEWER, routes!(contacts::fields))
        .add(VIEWER, routes!(contacts::tag_list))
}

/// The queue, its recipients, and the messages that were handed in.
fn add_queue(api: Api, app: &Shared) -> Api {
    api.add(VIEWER, routes!(queue::summary))
        .add(VIEWER, routes!(queue::recipients))
        .add(VIEWER, routes!(queue::count))
        .add(VIEWER, routes!(trace::recipient))
        .add(VIEWER, routes!(trace::address::trace))
        .add_slow(SENDS, SLOW, routes!(messages::send::send).layer(submission_max(app)))
        .add_slow(SENDS, SLOW, routes!(messages::batch::batch).layer(submission_max(app)))
        .add(VIEWER, routes!(messages::list::list))
        .add(VIEWER, routes!(messages::show::show))
        .add(SENDS, routes!(messages::cancel::cancel))
        .add(VIEWER, routes!(queue::conversations))
        .add(ADMIN, routes!(queue_actions::create))
        .add(VIEWER, routes!(queue_actions::list))
        .add(VIEWER, routes!(queue_actions::show))
        .add(ADMIN, routes!(queue_actions::cancel))
        .add(VIEWER, routes!(pauses::list))
        .add(ADMIN, routes!(pauses::create))
        .add(ADMIN, routes!(pauses::delete))
        .add(ADMIN, routes!(test_deliveries::create))
        .add(VIEWER, routes!(test_deliveries::show))
}

/// Suppression lists.
fn add_suppressions(api: Api, _: &Shared) -> Api {
    api.add(VIEWER, routes!(suppressions::list))
        .add(VIEWER, routes!(suppression_history::history))
        .add(MARKETER, routes!(suppressions::create))
        .add(MARKETER, routes!(suppressions::remove))
        .add_slow(VIEWER, SLOW, routes!(suppression_files::export))
        .add_slow(MARKETER, SLOW, routes!(suppression_files::import).layer(list_max()))
}

/// Imports, lists, the pages for recipients, hygiene.
fn add_audience(api: Api, _: &Shared) -> Api {
    api.add(VIEWER, routes!(imports::list))
        .add_slow(MARKETER, SLOW, routes!(imports::upload).layer(DefaultBodyLimit::disable()))
        .add(VIEWER, routes!(imports::show))
        .add(MARKETER, routes!(imports::start))
        .add(MARKETER, routes!(imports::cancel))
        .add(VIEWER, routes!(imports::errors))
        .add(VIEWER, routes!(imports::report))
        .add(VIEWER, routes!(lists::list))
        .add(MARKETER, routes!(lists::create))
        .add(MARKETER, routes!(lists::update))
        .add(MARKETER, routes!(lists::delete))
        .add(VIEWER, routes!(lists::of_contact))
        .add(MARKETER, routes!(lists::set_of_contact))
        .add(VIEWER, routes!(contact_streams::of_contact))
        .add(MARKETER, routes!(contact_streams::set_of_contact))
        .add(VIEWER, routes!(preference_centre::show))
        .add(MARKETER, routes!(preference_centre::update))
        .add(MARKETER, routes!(preference_centre::reset))
        .add(VIEWER, routes!(preference_centre::preview))
        .add(MARKETER, routes!(preference_centre::set_logo))
        .add(MARKETER, routes!(preference_centre::remove_logo))
        .add_slow(VIEWER, CHECKS, routes!(hygiene::show))
        .add_slow(ADMIN, CHECKS, routes!(hygiene::update))
        .add_slow(ADMIN, SLOW, routes!(hygiene::run))
}

/// Templates, segments, campaigns.
fn add_mailings(api: Api, _: &Shared) -> Api {
    api.add(VIEWER, routes!(templates::list))
        .add(MARKETER, routes!(templates::create))
        .add(VIEWER, routes!(templates::show))
        .add(MARKETER, routes!(templates::update))
        .add(MARKETER, routes!(templates::delete))
        .add(VIEWER, routes!(templates::versions))
        .add(MARKETER, routes!(templates::restore))
        .add(VIEWER, routes!(templates::preview))
        .add(VIEWER, routes!(segments::list))
        .add(MARKETER, routes!(segments::create))
        .add(VIEWER, routes!(segments::show))
        .add(MARKETER, routes!(segments::update))
        .add(MARKETER, routes!(segments::delete))
        .add(VIEWER, routes!(segments::count))
        .add(VIEWER, routes!(campaigns::list))
        .add(MARKETER, routes!(campaigns::create))
        .add(VIEWER, routes!(campaigns::show))
        .add(MARKETER, routes!(campaigns::update))
        .add(MARKETER, routes!(campaigns::delete))
        .add(VIEWER, routes!(campaigns::check))
        .add(MARKETER, routes!(campaigns::launch))
        .add(MARKETER, routes!(campaigns::pause))
        .add(MARKETER, routes!(campaigns::resume))
        .add(MARKETER, routes!(campaigns::cancel))
        .add(VIEWER, routes!(campaigns::progress))
        .add(VIEWER, routes!(stream::stream))
        .add(VIEWER, routes!(campaigns::recipients))
}

/// Journeys, and who is under way in them.
fn add_journeys(api: Api, _: &Shared) -> Api {
    api.add(VIEWER, routes!(journeys::list))
        .add(MARKETER, routes!(journeys::create))
        .add(VIEWER, routes!(journeys::show))
        .add(MARKETER, routes!(journeys::update))
        .add(MARKETER, routes!(journeys::delete))
        .add(VIEWER, routes!(journeys::check))
        .add(MARKETER, routes!(journeys::publish))
        .add(MARKETER, routes!(journeys::pause))
        .add(MARKETER, routes!(journeys::resume))
        .add(MARKETER, routes!(journeys::end))
        .add(MARKETER, routes!(journeys::enter))
        .add(VIEWER, routes!(journeys::runs))
        .add(VIEWER, routes!(journeys::run_log))
        .add(MARKETER, routes!(journeys::take_out))
}

/// Ways out: sources, warm-up, TLS, limits and what replies led to.
fn add_egress(api: Api, _: &Shared) -> Api {
    api.add(VIEWER, routes!(egress::show))
        .add(VIEWER, routes!(warmup::list))
        .add(VIEWER, routes!(warmup::plans))
        .add(ADMIN, routes!(warmup::pause))
        .add(ADMIN, routes!(warmup::resume))
        .add(ADMIN, routes!(warmup::set_stage))
        .add(VIEWER, routes!(warmup::domains))
        .add(ADMIN, routes!(warmup::begin_domain))
        .add(ADMIN, routes!(warmup::end_domain))
        .add(VIEWER, routes!(warmup::forecast))
        .add_slow(ADMIN, SLOW, routes!(tls::show))
        .add(VIEWER, routes!(sources::list))
        .add(VIEWER, routes!(sources::show))
        .add_slow(ADMIN, SLOW, routes!(sources::check))
        .add(VIEWER, routes!(shaping::providers))
        .add(VIEWER, routes!(shaping::provider))
        .add(VIEWER, routes!(explain::explain))
        .add(VIEWER, routes!(shaping::automations))
        .add(ADMIN, routes!(shaping::lift))
        .add(VIEWER, routes!(shaping::test_rule))
        .add(VIEWER, routes!(unknown_texts::list))
        .add(ADMIN, routes!(unknown_texts::dismiss))
        .add(VIEWER, routes!(unknown_texts::draft))
}

/// How senders stand, and what the world reports of them.
fn add_figures(api: Api, _: &Shared) -> Api {
    api.add(VIEWER, routes!(reputation::list))
        .add(VIEWER, routes!(bounces::figures))
        .add(VIEWER, routes!(bounces::recipients))
        .add(VIEWER, routes!(reputation::limits))
        .add(VIEWER, routes!(reports::dmarc::overview))
        .add(VIEWER, routes!(reports::dmarc::senders))
        .add(VIEWER, routes!(reports::dmarc::list))
        .add(VIEWER, routes!(reports::dmarc::show))
        .add(VIEWER, routes!(reports::dmarc::rows))
        .add(VIEWER, routes!(reports::tls::overview))
        .add(VIEWER, routes!(reports::tls::list))
        .add(VIEWER, routes!(reports::blocklists::overview))
        .add(VIEWER, routes!(reports::blocklists::listings))
        .add_slow(ADMIN, SLOW, routes!(reports::blocklists::check))
        .add(VIEWER, routes!(reports::feedback::overview))
        .add(VIEWER, routes!(reports::feedback::unmatched))
        .add(VIEWER, routes!(reports::failures::list))
        .add(VIEWER, routes!(reports::alarms::list))
        .add(ADMIN, routes!(reports::alarms::lift))
}

/// Mail that came back, and answers.
fn add_returned(api: Api, _: &Shared) -> Api {
    api.add(VIEWER, routes!(explain_mail::explain).layer(DefaultBodyLimit::max(explain_mail::MAIL_MAX)))
        .add(VIEWER, routes!(reply_addresses::list))
        .add(ADMIN, routes!(reply_addresses::create))
        .add(ADMIN, routes!(reply_addresses::update))
        .add(ADMIN, routes!(reply_addresses::delete))
        .add(VIEWER, routes!(replies::list))
        .add(VIEWER, routes!(replies::show))
        .add_slow(FEEDS, SLOW, routes!(inbound::feed).layer(DefaultBodyLimit::disable()))
}

/// The house as a whole.
fn add_house(api: Api, _: &Shared) -> Api {
    api.add(VIEWER, routes!(overview::overview)).add_slow(ADMIN, SLOW, routes!(overview::doctor))
}

/// Lists may be larger than other requests.
fn list_max() -> DefaultBodyLimit {
    DefaultBodyLimit::max(suppression_files::FILE_MAX)
}

/// Messages may be larger than other requests.
fn submission_max(app: &Shared) -> DefaultBodyLimit {
    DefaultBodyLimit::max(messages::body_max(app))
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
        .route("/healthz", get(async |State(app): State<Shared>| shell::health(&app)))
        .route("/u/{token}", get(public::unsubscribe_page).post(public::unsubscribe))
        .route("/p/{token}", get(public::preferences::page).post(public::preferences::save))
        .route("/logo/{name}", get(public::logo::logo))
        .route("/metrics", get(metrics::serve))
        .route("/readyz", get(async |State(app): State<Shared>| shell::ready(&app)))
        .fallback(console::serve)
        .with_state(app.clone());
    shell::wrap(router)
}
