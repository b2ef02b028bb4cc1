//! How a domain stands as a whole, and what of the large providers' demands it meets.

use super::Rows;
use super::keys::states;
use super::wanted::{Names, Wanted, published};
use crate::app::App;
use crate::http::error::ApiError;
use api_types::{DomainHealth, DomainRecord, KeyStep, RecordNeed, RecordStatus};
use config::TlsMode;
use dkim::requirements::{Facts, Standing};
use dkim::{Algorithm, Purpose, dmarc, rotation};
use storage::domain::{DkimKey, SendingDomain};

/// Health and its reason.
pub(super) fn health(row: &SendingDomain, keys: &[DkimKey], records: &[DomainRecord]) -> (DomainHealth, String) {
    let signs = rotation::can_sign(&states(keys));
    if row.checked_ms.is_none() && !signs {
        let reason = "Its records were never looked up. Publish them, then check.";
        return (DomainHealth::Unchecked, reason.to_owned());
    }
    if !signs {
        let waiting = keys.iter().find(|key| {
            key.algorithm == Algorithm::RsaSha256.as_str() && matches!(key.step, KeyStep::Waiting | KeyStep::Seen)
        });
        let reason = match waiting {
            Some(key) => format!("No key may sign, so nothing is sent: the record of {} is not visible.", key.selector),
            None => "No key may sign, so nothing is sent. Make new keys.".to_owned(),
        };
        return (DomainHealth::CannotSign, reason);
    }
    let required = || records.iter().filter(|record| record.need == RecordNeed::Required);
    let wrong: Vec<&str> = required()
        .filter(|record| matches!(record.status, RecordStatus::Missing | RecordStatus::Differs))
        .map(|record| record.purpose.as_str())
        .collect();
    if !wrong.is_empty() {
        return (DomainHealth::Broken, format!("Missing or wrong: {}.", wrong.join(", ")));
    }
    if let Some(reason) = to_do(keys) {
        return (DomainHealth::Attention, reason);
    }
    let open = required().filter(|record| record.status != RecordStatus::Found).count();
    if open > 0 {
        return (DomainHealth::Attention, format!("How {open} required records stand is not known."));
    }
    (DomainHealth::Good, "Mail is signed, and every required record is as wanted.".to_owned())
}

/// What the keys want of people.
fn to_do(keys: &[DkimKey]) -> Option<String> {
    let rsa = || keys.iter().filter(|key| key.algorithm == Algorithm::RsaSha256.as_str());
    if let Some(key) = rsa().find(|key| key.excused) {
        return Some(format!("The key {} signs although its record was never seen.", key.selector));
    }
    if let Some(key) = rsa().find(|key| key.step == KeyStep::Active && key.missing_ms.is_some()) {
        return Some(format!("The record of {} was not found at the last check.", key.selector));
    }
    if let Some(key) = rsa().find(|key| key.step == KeyStep::Waiting) {
        return Some(format!("The new key {} waits for its record.", key.selector));
    }
    let retired = keys.iter().find(|key| key.step == KeyStep::Retired)?;
    Some(format!("The key {} is retired: empty its record.", retired.selector))
}

/// What the demands are judged by; `records` beside `wanted`.
pub(super) fn facts(app: &App, found: &Rows, wanted: &[Wanted], records: &[DomainRecord]) -> Result<Facts, ApiError> {
    let names = Names::of(&found.row)?;
    let of = |purposes: &[Purpose]| -> Vec<&DomainRecord> {
        let pairs = wanted.iter().zip(records);
        pairs.filter(|(wanted, _)| purposes.contains(&wanted.record.purpose)).map(|(_, record)| record).collect()
    };
    let policy = of(&[Purpose::Dmarc]).first().and_then(|record| {
        let texts = [(record.name.clone(), record.found.clone())];
        dmarc::judge(&names.domain, &names.return_path, &texts).1
    });
    let reverse = of(&[Purpose::HostAddress, Purpose::HostName]);
    let signing = found.keys.iter().filter(|key| key.step == KeyStep::Active);
    Ok(Facts {
        spf: standing(&of(&[Purpose::Spf])),
        dkim: dkim_standing(found, wanted, records),
        rsa_bits: signing.filter_map(|key| published(key)?.rsa_bits()).min(),
        dmarc: standing(&of(&[Purpose::Dmarc])),
        policy,
        reverse_dns: if reverse.is_empty() {
            Standing::Unknown("the system chooses the address; give each [[source]] its ip".to_owned())
        } else {
            standing(&reverse)
        },
        tls: app.config.smtp.tls != TlsMode::Off,
        https_links: app.config.http.base_url().is_https(),
        bounces: if app.config.smtp.inbound_listen.is_none() {
            Standing::Bad("nobody listens for bounces; set [smtp] inbound_listen".to_owned())
        } else {
            standing(&of(&[Purpose::ReturnPathMx]))
        },
        complaints: found.complaints,
        domain: names.domain,
        return_path: names.return_path,
    })
}

/// How records stand together: the worst of them decides.
fn standing(records: &[&DomainRecord]) -> Standing {
    let first = |status: RecordStatus| records.iter().find(|record| record.status == status);
    if let Some(record) = first(RecordStatus::Differs) {
        return Standing::Bad(format!("{}: {}", record.name, record.message));
    }
    if let Some(record) = first(RecordStatus::Missing) {
        return Standing::Bad(format!("{} {} is not published", record.kind, record.name));
    }
    if let Some(record) = first(RecordStatus::Failed) {
        return Standing::Unknown(format!("the look-up of {} failed", record.name));
    }
    if records.is_empty() || first(RecordStatus::Unchecked).is_some() {
        return Standing::Unknown("not looked up yet".to_owned());
    }
    Standing::Good
}

/// An RSA key signs, and its record is visible.
fn dkim_standing(found: &Rows, wanted: &[Wanted], records: &[DomainRecord]) -> Standing {
    let rsa = Algorithm::RsaSha256;
    let Some(key) = found.keys.iter().find(|key| key.algorithm == rsa.as_str() && key.step == KeyStep::Active) else {
        return Standing::Bad("no RSA key may sign: publish its record and check".to_owned());
    };
    let name = format!("{}._domainkey.{}", key.selector, found.row.domain);
    let pairs = wanted.iter().zip(records);
    let own = pairs.filter(|(wanted, _)| wanted.record.name == name).map(|(_, record)| record);
    standing(&own.collect::<Vec<_>>())
}
