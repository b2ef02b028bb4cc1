//! What other domains ask of TLS, looked up live.

use crate::app::Shared;
use crate::http::access::Actor;
use crate::http::error::ApiError;
use crate::http::extract::{Json, Query};
use crate::text::time;
use api_types::{ErrorCode, TlsHost, TlsPolicy, TlsReport};
use axum::extract::State;
use mail::Domain;
use mta::tls::look::{LookError, TlsOfDomain, TlsOfHost, look};
use mta::tls::rpt::Place;
use serde::Deserialize;
use storage::tls::reports_of;
use utoipa::IntoParams;
use world::{DnsError, Proof};

/// Reports shown.
const REPORTS_MAX: u32 = 31;

/// Which domain.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Asked {
    /// A domain that mail is sent to.
    domain: String,
}

/// Asks DNS and policy server of a domain what they say about TLS, past everything that is kept, and says what would be
/// asked of each of its hosts.
#[utoipa::path(get, path = "/api/v1/tls-policy", tag = "egress", params(Asked),
    responses((status = 200, body = TlsPolicy)))]
pub(crate) async fn show(
    State(app): State<Shared>,
    _: Actor,
    Query(asked): Query<Asked>,
) -> Result<Json<TlsPolicy>, ApiError> {
    let domain = Domain::parse(&asked.domain).map_err(|e| ApiError::invalid("domain", format!("{e}.")))?;
    let found =
        look(domain.as_str(), &*app.dns, &app.tls, (&app.config.smtp, &app.shaping)).await.map_err(|e| match e {
            LookError::NoMail(_) | LookError::Dns(DnsError::NoSuchName { .. }) => {
                ApiError::invalid("domain", format!("{e}."))
            }
            LookError::Dns(_) => ApiError::new(ErrorCode::Unavailable, format!("{e}. Try again later.")),
        })?;
    let name = domain.to_string();
    let reports = app.storage.read(move |c| reports_of(c, &name, 0, REPORTS_MAX)).await?;
    let reports = reports.into_iter().map(|report| TlsReport {
        day: time(report.day_ms).chars().take(10).collect(),
        state: report.state.as_str().to_owned(),
        detail: report.detail,
    });
    Ok(Json(TlsPolicy {
        domain: domain.to_string(),
        provider: found.provider.clone(),
        dane: dane(&found),
        mta_sts: mta_sts(&found, app.config.smtp.mta_sts),
        mta_sts_policy: match &found.sts_policy {
            Some(Ok(policy)) => policy.lines(),
            _ => Vec::new(),
        },
        tls_reports: wanted(&found),
        hosts: found.hosts.into_iter().map(host).collect(),
        reports: reports.collect(),
    }))
}

fn dane(found: &TlsOfDomain) -> String {
    match &found.mx_proof {
        None => "DANE is switched off in the configuration ([smtp] dane).".to_owned(),
        Some(Ok(Proof::Secure)) => "The MX records are signed: TLSA records of its hosts count.".to_owned(),
        Some(Ok(Proof::Insecure)) => "The MX records are not signed, so DANE cannot apply.".to_owned(),
        Some(Ok(Proof::Bogus)) => "The MX records fail DNSSEC validation. Mail waits if its hosts use DANE.".to_owned(),
        Some(Err(why)) => format!("DNSSEC gives no answer: {why}."),
    }
}

fn mta_sts(found: &TlsOfDomain, is_on: bool) -> String {
    let off = if is_on { "" } else { " MTA-STS is switched off in the configuration ([smtp] mta_sts)." };
    let said = match (&found.sts_id, &found.sts_policy) {
        (Err(why), _) => format!("Its record cannot be used: {why}."),
        (Ok(None), _) => "It has no MTA-STS record.".to_owned(),
        (Ok(Some(id)), Some(Ok(policy))) => format!("Policy {id}, mode {}.", policy.mode.as_str()),
        (Ok(Some(id)), Some(Err(why))) => format!("Policy {id} cannot be had: {why}."),
        (Ok(Some(id)), None) => format!("Policy {id} was not asked for."),
    };
    format!("{said}{off}")
}

fn wanted(found: &TlsOfDomain) -> String {
    match &found.reports {
        Ok(places) if places.is_empty() => "It asks for no TLS reports.".to_owned(),
        Ok(places) => {
            let place = |place: &Place| match place {
                Place::Mail(address) => address.to_string(),
                Place::Https(url) => url.clone(),
            };
            format!("It wants TLS reports at {}.", places.iter().map(place).collect::<Vec<_>>().join(", "))
        }
        Err(why) => format!("Its record for TLS reports cannot be used: {why}."),
    }
}

fn host(found: TlsOfHost) -> TlsHost {
    let tlsa = match found.tlsa {
        Ok(records) => {
            let line = |(record, usable): (String, bool)| {
                if usable { record } else { format!("{record} (cannot be used for mail)") }
            };
            records.into_iter().map(line).collect()
        }
        Err(why) => vec![why],
    };
    let used = found.requirement.is_ok();
    let requirement = match found.requirement {
        Ok(requirement) => requirement.sentence().to_owned(),
        Err(why) => why,
    };
    TlsHost { host: found.host, tlsa, used, requirement }
}
