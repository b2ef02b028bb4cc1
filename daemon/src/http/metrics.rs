//! `/metrics` for Prometheus. Names carry their unit; labels are sources, states and providers, never recipients.
//!
//! For this host, and for whoever sends an API key: figures tell how much is sent.

use crate::app::{App, Shared};
use crate::http::access::{Access, LocalSocket, identify};
use crate::http::error::ApiError;
use crate::http::extract::peer_ip;
use api_types::{ErrorCode, Role};
use axum::extract::{Request, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use std::sync::OnceLock;
use storage::listing::{self, Subject};
use storage::queue::{self, Ledger};
use storage::report_alarm::{self, Kind};
use storage::{WorkspaceId, outbox, unmatched_report};

/// One recorder for the process, which several daemons of a test share.
static RECORDER: OnceLock<PrometheusHandle> = OnceLock::new();

/// Bounds of the histograms of spans: from rendering a message to waiting for a slow server.
const SECONDS: [f64; 12] = [0.000_1, 0.000_5, 0.001, 0.005, 0.02, 0.1, 0.5, 2.0, 10.0, 30.0, 120.0, 600.0];

/// Declares a gauge with its description.
macro_rules! gauges {
    ($($name:ident = $metric:literal, $doc:literal;)*) => {
        $(const $name: &str = $metric;)*

        fn describe() {
            $(metrics::describe_gauge!($name, $doc);)*
            metrics::describe_counter!(crate::http::shell::REQUESTS, "HTTP requests answered, by status.");
        }
    };
}

gauges! {
    LEDGER = "packetboat_recipients", "Recipients ever accepted, by the state they are in now.";
    LEDGER_HOLDS = "packetboat_ledger_holds", "1 while the ledger's sum holds.";
    OUTBOX = "packetboat_outbox_events", "Events on their way to events.db.";
    UNMATCHED = "packetboat_unmatched_reports", "Returned mails that no recipient was found for.";
    LISTED = "packetboat_blocklist_listings", "Listings on blocklists now, of sources and of sending domains.";
    REPORT_ALARMS = "packetboat_report_alarms", "Alarms of DMARC, TLS and authentication failure reports in force.";
    DISK_FREE = "packetboat_disk_free_bytes", "Free space on the disk of the data folder.";
    LANE_CONNECTIONS = "packetboat_connections", "Open connections to receiving servers, by source.";
}

/// Begins to count. Once per process.
pub(crate) fn start() {
    RECORDER.get_or_init(|| {
        let spans = Matcher::Suffix("_seconds".to_owned());
        // Only an empty list is refused.
        let builder = PrometheusBuilder::new().set_buckets_for_metric(spans, &SECONDS);
        let recorder = builder.unwrap_or_else(|_| PrometheusBuilder::new()).build_recorder();
        let handle = recorder.handle();
        // Somebody else records already: then these figures stay empty, and nothing else is lost.
        let _ = metrics::set_global_recorder(recorder);
        describe();
        crate::webhooks::describe();
        handle
    });
}

/// Answers with all figures of now.
pub(crate) async fn serve(State(app): State<Shared>, request: Request) -> Response {
    let local = request.extensions().get::<LocalSocket>().is_some();
    // What a proxy on this host forwards does not come from this host.
    let here = peer_ip(request.extensions()).is_loopback() && !request.headers().contains_key("x-forwarded-for");
    if !here {
        let headers = request.headers().clone();
        match identify(&app, &headers, local).await {
            Ok(Some(actor)) if actor.may(Access::Least(Role::Viewer)) => {}
            Ok(_) => {
                let message = "Metrics are for this host, or for an API key with the scope read, sent as `Authorization: Bearer KEY`.";
                return ApiError::new(ErrorCode::Unauthenticated, message).into_response();
            }
            Err(e) => return e.into_response(),
        }
    }
    if let Err(e) = refresh(&app).await {
        return e.into_response();
    }
    let Some(handle) = RECORDER.get() else { return String::new().into_response() };
    handle.run_upkeep();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], handle.render()).into_response()
}

async fn refresh(app: &App) -> Result<(), ApiError> {
    let (ledger, waiting, unmatched) = app
        .storage
        .read(|c| Ok((queue::ledger(c, WorkspaceId::MAIN, None)?, outbox::waiting(c)?, unmatched_report::count(c)?)))
        .await?;
    for (state, count) in states(&ledger) {
        metrics::gauge!(LEDGER, "state" => state).set(count as f64);
    }
    metrics::gauge!(LEDGER_HOLDS).set(if ledger.holds() { 1.0 } else { 0.0 });
    metrics::gauge!(OUTBOX).set(waiting as f64);
    metrics::gauge!(UNMATCHED).set(unmatched as f64);
    let alarms = app.storage.read(|c| {
        let listed = [Subject::Source, Subject::Domain].map(|of| listing::open_count(c, of).map(|n| (of, n)));
        let alarms = Kind::ALL.map(|kind| report_alarm::open_count(c, kind).map(|n| (kind, n)));
        let listed: Result<Vec<_>, _> = listed.into_iter().collect();
        let alarms: Result<Vec<_>, _> = alarms.into_iter().collect();
        Ok((listed?, alarms?))
    });
    let (listed, alarms) = alarms.await?;
    for (subject, count) in listed {
        metrics::gauge!(LISTED, "subject" => subject.as_str()).set(count as f64);
    }
    for (kind, count) in alarms {
        metrics::gauge!(REPORT_ALARMS, "kind" => kind.as_str()).set(count as f64);
    }
    if let Some(free) = crate::disk::free_bytes(app.storage.dir()) {
        metrics::gauge!(DISK_FREE).set(free as f64);
    }
    let lanes = app.lanes();
    for source in &app.config.sources {
        let open: u32 =
            lanes.iter().filter(|lane| lane.source == source.name.as_str()).map(|lane| lane.connections).sum();
        metrics::gauge!(LANE_CONNECTIONS, "source" => source.name.to_string()).set(f64::from(open));
    }
    Ok(())
}

fn states(ledger: &Ledger) -> [(&'static str, u64); 7] {
    [
        ("delivered", ledger.delivered),
        ("bounced", ledger.bounced),
        ("expired", ledger.expired),
        ("suppressed", ledger.suppressed),
        ("cancelled", ledger.cancelled),
        ("unknown", ledger.unknown),
        ("queued", ledger.queued),
    ]
}
