//! What the world reports about our domains.
//!
//! `GET /api/v1/reports/dmarc` (`domain`, `days`) · `…/dmarc/senders` (`sender` too) · `…/dmarc/reports` ·
//! `…/dmarc/reports/{id}` · `…/dmarc/reports/{id}/rows` · `GET /api/v1/reports/tls` · `…/tls/reports` ·
//! `GET /api/v1/reports/blocklists` · `…/blocklists/listings` (`name`, `gone`) · `POST …/blocklists/check` ·
//! `GET /api/v1/reports/feedback` · `…/feedback/unmatched` (`why`) · `GET /api/v1/reports/alarms` (`kind`, `domain`,
//! `ended`) · `POST …/alarms/{id}/lift`

use serde::{Deserialize, Serialize};

use crate::{SourceLevel, Time};

/// Messages, and how they fared in the eyes of DMARC.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DmarcCounts {
    /// All of them.
    pub messages: u64,
    /// Of these, DKIM passed, aligned.
    pub dkim_pass: u64,
    /// Of these, SPF passed, aligned.
    pub spf_pass: u64,
    /// Of these, one of both at least.
    pub passed: u64,
}

/// `GET /api/v1/reports/dmarc`: what DMARC reports say in sum.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DmarcOverview {
    /// Every day of the period, oldest first; of the domain asked for, or of all.
    pub days: Vec<DmarcDay>,
    /// Every sending domain, those with the most messages first.
    pub domains: Vec<DmarcDomain>,
    /// What reports say is wrong with us.
    pub alarms: Vec<ReportAlarm>,
    /// Reports that were only counted, since too many came in a day.
    pub beyond: u64,
}

/// What was reported of a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DmarcDay {
    /// The day, UTC: `2026-01-31`.
    pub day: String,
    /// Its messages.
    pub counts: DmarcCounts,
}

/// What was reported of a sending domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DmarcDomain {
    /// The domain.
    pub domain: String,
    /// How many reports.
    pub reports: u64,
    /// Messages in them.
    pub counts: DmarcCounts,
    /// When the newest one came.
    pub received_at: Option<Time>,
    /// The record that has reports sent here; absent when the domain is not set up here any more.
    pub record: Option<ReportRecord>,
}

/// The record that has reports sent here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReportRecord {
    /// Name of the TXT record.
    pub name: String,
    /// Its value. One that says more does as well, as long as it names the mailbox.
    pub value: String,
    /// The mailbox that reports are taken at; absent where nobody listens for them.
    pub mailbox: Option<String>,
}

/// Who sends as one of our domains.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DmarcSender {
    /// The address; empty where reports name none.
    pub source_ip: String,
    /// Name of our source, where it has this address in the configuration.
    pub source: Option<String>,
    /// Who that is.
    pub sender: DmarcSenderKind,
    /// Messages.
    pub counts: DmarcCounts,
    /// Messages that were put among the spam.
    pub quarantined: u64,
    /// Messages that were refused.
    pub rejected: u64,
    /// How many organizations tell of it.
    pub organizations: u64,
    /// The last moment that a report with it tells of.
    pub latest_at: Time,
}

/// Who sent messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum DmarcSenderKind {
    /// A source of ours.
    Ours,
    /// Somebody else who may: DKIM or SPF passes, aligned.
    Aligned,
    /// Somebody else; neither passes.
    Failing,
}

/// A DMARC report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DmarcReport {
    /// Id.
    pub id: i64,
    /// Our domain.
    pub domain: String,
    /// The domain that it names, which may be the organization's.
    pub policy_domain: String,
    /// Who reports, as it says itself.
    pub organization: String,
    /// Their name for it.
    pub report_id: String,
    /// The policy as they saw it.
    pub policy: String,
    /// The first moment that it tells of.
    pub begin_at: Time,
    /// The last one.
    pub end_at: Time,
    /// When it came.
    pub received_at: Time,
    /// Size of the mail.
    pub size_bytes: u64,
    /// The address that the mail came from.
    pub brought_by: String,
    /// Messages.
    pub counts: DmarcCounts,
    /// Rows that are not kept, since there are too many; their messages are counted.
    pub rows_left: u64,
}

/// A row of a DMARC report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DmarcReportRow {
    /// The address that the messages came from; empty where the report names none.
    pub source_ip: String,
    /// Who that is.
    pub sender: DmarcSenderKind,
    /// How many messages.
    pub messages: u64,
    /// Whether DKIM passed, aligned.
    pub dkim_pass: bool,
    /// Whether SPF passed, aligned.
    pub spf_pass: bool,
    /// `none`, `quarantine` or `reject`.
    pub disposition: String,
    /// The domain in From.
    pub header_from: String,
    /// The domain of the return path, where it is told.
    pub envelope_from: String,
    /// The signatures: `selector._domainkey.domain=result`, with blanks between.
    pub signatures: String,
    /// What SPF was asked about: `domain=result`.
    pub spf: String,
}

/// What reports say is wrong with us.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ReportAlarm {
    /// Id.
    pub id: i64,
    /// `dmarc`, `tls` or `auth`.
    pub kind: String,
    /// Our domain.
    pub domain: String,
    /// Our address, the TLS policy, or the name of our signing key.
    pub item: String,
    /// Who reported it last.
    pub organization: String,
    /// What is wrong.
    pub text: String,
    /// Messages or sessions that these reports tell of.
    pub total: u64,
    /// Of these, failed.
    pub failed: u64,
    /// Since when.
    pub since: Time,
    /// End of the time that the last such report tells of.
    pub latest_at: Time,
    /// When it ended.
    pub ended_at: Option<Time>,
    /// What or who ended it.
    pub ended_by: Option<String>,
}

/// `GET /api/v1/reports/tls`: what TLS reports about mail to our domains say in sum.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TlsOverview {
    /// Every day of the period, oldest first.
    pub days: Vec<TlsDay>,
    /// By policy, those with the most failures first.
    pub policies: Vec<TlsPolicySum>,
    /// By sort of failure, the most frequent first.
    pub failures: Vec<TlsFailureSum>,
    /// What reports say is wrong with us.
    pub alarms: Vec<ReportAlarm>,
    /// The records that have reports sent here, by domain.
    pub records: Vec<ReportRecord>,
    /// Reports that were only counted, since too many came in a day.
    pub beyond: u64,
}

/// Sessions of a day.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TlsDay {
    /// The day, UTC.
    pub day: String,
    /// Sessions that went well.
    pub successful: u64,
    /// Sessions that failed.
    pub failed: u64,
}

/// Sessions under a policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TlsPolicySum {
    /// The policy's domain.
    pub domain: String,
    /// `tlsa`, `sts` or `no-policy-found`.
    pub policy: String,
    /// Sessions that went well.
    pub successful: u64,
    /// Sessions that failed.
    pub failed: u64,
}

/// Sessions that failed in one way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TlsFailureSum {
    /// The policy that was held against them.
    pub policy: String,
    /// What went wrong, as in RFC 8460 §4.3.
    pub result: String,
    /// The receiving host, where it is told.
    pub mx: String,
    /// How many.
    pub sessions: u64,
    /// More about it.
    pub detail: String,
}

/// A TLS report that came in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TlsReceived {
    /// Id.
    pub id: i64,
    /// Our sending domain.
    pub domain: String,
    /// Who reports, as it says itself.
    pub organization: String,
    /// Their name for it.
    pub report_id: String,
    /// The first moment that it tells of.
    pub begin_at: Time,
    /// The last one.
    pub end_at: Time,
    /// When it came.
    pub received_at: Time,
    /// The address that the mail came from.
    pub brought_by: String,
    /// Sessions that went well.
    pub successful: u64,
    /// Sessions that failed.
    pub failed: u64,
}

/// How a sending domain stands at a blocklist.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct DomainListing {
    /// The domain.
    pub domain: String,
    /// Name of the list; empty where none was asked.
    pub list: String,
    /// How it stands.
    pub level: SourceLevel,
    /// What the list said.
    pub found: String,
    /// What to do; empty where nothing is.
    pub advice: String,
    /// Since when it stands so.
    pub since: Time,
    /// When it was looked at.
    pub checked_at: Time,
}

/// A listing on a blocklist, present or past.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Listing {
    /// Id.
    pub id: i64,
    /// `source` or `domain`.
    pub subject: String,
    /// Name of the source, or the domain.
    pub name: String,
    /// Name of the list.
    pub list: String,
    /// What the list said last.
    pub found: String,
    /// What to do.
    pub advice: String,
    /// When it was first seen.
    pub since: Time,
    /// When it was last seen.
    pub seen_at: Time,
    /// When it was first seen to be gone.
    pub gone_at: Option<Time>,
}

/// `GET /api/v1/reports/feedback`: complaints, and returned mail that nobody was found for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct FeedbackOverview {
    /// Every day of the period, oldest first.
    pub days: Vec<Complaints>,
    /// Providers whose users complained, most first.
    pub providers: Vec<Complaints>,
    /// Campaigns that were complained about, most first; of the last 30 days at most.
    pub campaigns: Vec<CampaignComplaints>,
    /// Returned mail that is kept since nobody was found for it, by reason.
    pub unmatched: Vec<crate::Count>,
    /// The mailbox that feedback loops are to report to, at each return-path domain.
    pub mailboxes: Vec<String>,
}

/// Complaints beside what was delivered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Complaints {
    /// The day, UTC, or the provider.
    pub name: String,
    /// Mail that was delivered.
    pub delivered: u64,
    /// Complaints.
    pub complained: u64,
}

/// Complaints about a campaign.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CampaignComplaints {
    /// The campaign; absent for mail of none.
    pub campaign_id: Option<i64>,
    /// Its name.
    pub name: String,
    /// Mail that was delivered.
    pub delivered: u64,
    /// Complaints.
    pub complained: u64,
}

/// A returned mail that nobody was found for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct UnmatchedReport {
    /// Id.
    pub id: i64,
    /// When it came.
    pub received_at: Time,
    /// The address that brought it.
    pub peer: String,
    /// Whom it was addressed to.
    pub rcpt: String,
    /// Why nobody was found.
    pub why: String,
}
