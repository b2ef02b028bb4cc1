//! What should be in the DNS for a domain.

use crate::app::App;
use crate::http::error::ApiError;
use api_types::{DomainRecord, KeyStep, RecordNeed, RecordStatus};
use dkim::rotation::Step;
use dkim::{Algorithm, DnsRecord, DomainSetup, Need, PublishedKey, Purpose, RecordKind, ReportMailboxes};
use mail::Domain;
use std::net::IpAddr;
use storage::DkimKeyId;
use storage::domain::{DkimKey, SendingDomain};

/// A record that should be there.
pub(super) struct Wanted {
    pub record: DnsRecord,
    pub about: About,
}

/// What a record is about, beside its name.
pub(super) enum About {
    /// A signing key.
    Key(DkimKeyId),
    /// An address that mail is sent from.
    Source(IpAddr),
    /// The domain.
    Domain,
}

/// The names of a domain, parsed.
pub(super) struct Names {
    pub domain: Domain,
    pub return_path: Domain,
}

impl Names {
    pub fn of(row: &SendingDomain) -> Result<Names, ApiError> {
        Ok(Names {
            domain: Domain::parse(&row.domain).map_err(ApiError::internal)?,
            return_path: Domain::parse(&row.return_path_domain).map_err(ApiError::internal)?,
        })
    }
}

/// Address and EHLO name of each source in use that has an address of its own.
pub(super) fn sources(app: &App) -> Vec<(IpAddr, Domain)> {
    let enabled = app.config.sources.iter().filter(|source| source.enabled);
    enabled.filter_map(|source| source.ip.map(|ip| (ip, source.ehlo.clone()))).collect()
}

/// Every record that should be there, the keys' first.
pub(super) fn wanted(app: &App, row: &SendingDomain, keys: &[DkimKey]) -> Result<Vec<Wanted>, ApiError> {
    let names = Names::of(row)?;
    let pairs = sources(app);
    let source_ips: Vec<IpAddr> = pairs.iter().map(|(ip, _)| *ip).collect();
    let setup = DomainSetup {
        domain: &names.domain,
        return_path: &names.return_path,
        return_path_host: &app.config.server.hostname,
        keys: &[],
        source_ips: &source_ips,
        reports: app.config.smtp.inbound_listen.map(|_| ReportMailboxes {
            dmarc: app.config.smtp.dmarc_local_part.as_str(),
            tlsrpt: app.config.smtp.tlsrpt_local_part.as_str(),
        }),
    };
    let of_key = |key: &DkimKey| {
        let mut record = published(key)?.record(&names.domain)?;
        if matches!(key.step, KeyStep::Waiting | KeyStep::Seen) && has_rival(key, keys) {
            // Mail goes out well without it: the key before signs until it is there.
            record.need = Need::Recommended;
        }
        Some(Wanted { record, about: About::Key(key.id) })
    };
    let own = dkim::records(&setup).into_iter().map(|record| Wanted { record, about: About::Domain });
    let hosts = pairs.iter().flat_map(|pair| {
        let records = dkim::source_records(std::slice::from_ref(pair)).into_iter();
        records.map(|record| Wanted { record, about: About::Source(pair.0) })
    });
    let host = app.config.http.base_url().host();
    let links = host.zip(source_ips.first()).map(|(host, here)| dkim::link_record(&host, *here));
    let links = links.map(|record| Wanted { record, about: About::Domain });
    // The names of loopback addresses are every host's own (RFC 6761 §6.3): resolvers don't ask for them.
    let public = |wanted: &Wanted| {
        let loopback = matches!(wanted.about, About::Source(ip) if ip.is_loopback());
        wanted.record.kind != RecordKind::Ptr || !loopback
    };
    Ok(keys.iter().filter_map(of_key).chain(own).chain(links).chain(hosts).filter(public).collect())
}

/// Whether another key of its algorithm signs.
pub(super) fn has_rival(key: &DkimKey, keys: &[DkimKey]) -> bool {
    keys.iter().any(|other| other.id != key.id && other.algorithm == key.algorithm && other.step == KeyStep::Active)
}

/// A key as its record has it.
pub(super) fn published(key: &DkimKey) -> Option<PublishedKey> {
    Some(PublishedKey {
        selector: key.selector.clone(),
        algorithm: Algorithm::parse(&key.algorithm)?,
        public_base64: key.public_key.clone(),
        step: step_of(key.step),
    })
}

pub(super) fn step_of(step: KeyStep) -> Step {
    match step {
        KeyStep::Waiting => Step::Waiting,
        KeyStep::Seen => Step::Seen,
        KeyStep::Active => Step::Active,
        KeyStep::Replaced => Step::Replaced,
        KeyStep::Retired => Step::Retired,
        KeyStep::Revoked => Step::Revoked,
        KeyStep::Removable => Step::Removable,
    }
}

/// A record before anybody looked.
pub(super) fn unchecked(record: &DnsRecord) -> DomainRecord {
    DomainRecord {
        purpose: record.purpose.as_str().to_owned(),
        need: match record.need {
            Need::Required => RecordNeed::Required,
            Need::Recommended => RecordNeed::Recommended,
            Need::Optional => RecordNeed::Optional,
        },
        kind: record.kind.as_str().to_owned(),
        name: record.name.clone(),
        wanted: record.value.clone(),
        zone_value: record.zone_value(),
        found: Vec::new(),
        status: RecordStatus::Unchecked,
        message: advice(record.purpose, record),
    }
}

/// What is good to know before a record is published.
pub(super) fn advice(purpose: Purpose, record: &DnsRecord) -> String {
    match purpose {
        Purpose::MtaSts => {
            let host = record.name.strip_prefix("_mta-sts.").unwrap_or(&record.name);
            format!(
                "Only together with a policy file at https://mta-sts.{host}/.well-known/mta-sts.txt, and only once the \
                 return-path listener offers TLS; without them leave it out."
            )
        }
        Purpose::TlsRpt => {
            "Other servers then report trouble with TLS to this address. What comes to the mailbox at the return-path \
             domain is shown under Reports; another one must be read by somebody."
                .to_owned()
        }
        Purpose::Bimi => {
            "Put the address of your logo (SVG Tiny PS) there. Shown only under a DMARC policy of quarantine or reject."
                .to_owned()
        }
        Purpose::LinkHost => {
            "Links in mail, the one for unsubscribing among them, lead there (http.public_url): to this host, or to a \
             proxy that hands on what comes."
                .to_owned()
        }
        _ => String::new(),
    }
}

/// What the last look-up found of the records that are wanted now: configuration and keys may have changed since.
pub(super) fn as_checked(wanted: &[Wanted], checked: Option<&str>) -> Vec<DomainRecord> {
    let known = stored(checked);
    let of = |Wanted { record, .. }: &Wanted| {
        let fresh = unchecked(record);
        let same =
            |old: &&DomainRecord| (&old.name, &old.kind, &old.wanted) == (&fresh.name, &fresh.kind, &fresh.wanted);
        // How much it is needed may have changed, what was found has not.
        known.iter().find(same).cloned().map_or(fresh.clone(), |old| DomainRecord { need: fresh.need, ..old })
    };
    wanted.iter().map(of).collect()
}

/// The records of the last look-up.
pub(super) fn stored(checked: Option<&str>) -> Vec<DomainRecord> {
    checked.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default()
}
