//! The records that have reports sent to us.

use super::wanted::wanted;
use crate::app::App;
use crate::http::error::ApiError;
use api_types::ReportRecord;
use dkim::Purpose;
use storage::domain::SendingDomain;

/// The record for DMARC reports of a domain.
pub(crate) fn dmarc_record(app: &App, row: &SendingDomain) -> Result<Option<ReportRecord>, ApiError> {
    record(app, row, Purpose::Dmarc, app.config.smtp.dmarc_local_part.as_str())
}

/// The record for TLS reports of its return-path domain.
pub(crate) fn tlsrpt_record(app: &App, row: &SendingDomain) -> Result<Option<ReportRecord>, ApiError> {
    record(app, row, Purpose::TlsRpt, app.config.smtp.tlsrpt_local_part.as_str())
}

fn record(app: &App, row: &SendingDomain, purpose: Purpose, local: &str) -> Result<Option<ReportRecord>, ApiError> {
    let found = wanted(app, row, &[])?.into_iter().find(|wanted| wanted.record.purpose == purpose);
    Ok(found.map(|wanted| ReportRecord {
        name: wanted.record.name,
        value: wanted.record.value,
        mailbox: app.config.smtp.inbound_listen.map(|_| format!("{local}@{}", row.return_path_domain)),
    }))
}
