//! What of the reports needs attention: for the strip and the first page.

use api_types::Notice;
use storage::listing::{self, Listing, Subject};
use storage::report_alarm::{self, Kind, ReportAlarm};
use storage::{Connection, StorageError, WorkspaceId};

/// Of each sort at most.
const NOTICES_MAX: u32 = 10;

/// What is in force.
pub(crate) struct Found {
    alarms: Vec<ReportAlarm>,
    listings: Vec<Listing>,
}

/// Reads it.
pub(crate) fn read(c: &Connection, workspace: WorkspaceId) -> Result<Found, StorageError> {
    let (of_alarms, of_listings) = (report_alarm::Filter::default(), listing::Filter::default());
    Ok(Found {
        alarms: report_alarm::page(c, workspace, &of_alarms, i64::MAX, NOTICES_MAX)?,
        listings: listing::page(c, workspace, &of_listings, i64::MAX, NOTICES_MAX)?,
    })
}

/// As notices. Those of sources are told with the sources.
pub(crate) fn notices(found: &Found) -> Vec<Notice> {
    let notice = |message: String, tab: &str| Notice {
        tone: "warning".to_owned(),
        message,
        link: Some(format!("/reports{tab}")),
    };
    let alarm = |alarm: &ReportAlarm| {
        let tab = match alarm.kind {
            Kind::Dmarc => "",
            Kind::Tls => "?tab=tls",
            Kind::Auth => "?show=failures",
        };
        notice(format!("{}: {}.", alarm.domain, alarm.text), tab)
    };
    let of_domain = |listing: &&Listing| listing.subject == Subject::Domain;
    let listed = |listing: &Listing| notice(format!("{}: {}.", listing.name, listing.found), "?tab=blocklists");
    let alarms = found.alarms.iter().map(alarm);
    alarms.chain(found.listings.iter().filter(of_domain).map(listed)).collect()
}
