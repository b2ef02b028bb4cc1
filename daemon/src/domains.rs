//! Sending domains: their keys, the records to publish, how those stand in the DNS, and signing for them.

use crate::app::App;
use crate::http::error::ApiError;
use crate::serve::Keys;
use crate::text::time;
use anyhow::Context;
use api_types::{DomainDetail, DomainKey, DomainRecord, RecordStatus, SendingDomain};
use dkim::{Algorithm, DnsRecord, DomainSetup, Key, PublishedKey, RecordKind, Signer, SigningKey, Verdict};
use mail::Domain;
use std::net::IpAddr;
use std::sync::Arc;
use storage::domain::{self, DkimKey, NewDkimKey};
use storage::{DomainId, StorageError, WorkspaceId};
use world::{Dns, DnsError};

/// Adds a sending domain with an RSA and an Ed25519 key.
///
/// # Errors
/// `invalid` for a bad name, `conflict` when it is there already.
pub async fn create(app: &App, workspace: WorkspaceId, name: &str) -> Result<DomainId, ApiError> {
    let domain = Domain::parse(name.trim()).map_err(|e| ApiError::invalid("domain", format!("{e}.")))?;
    let label = app.config.smtp.return_path_label.as_str();
    let return_path =
        Domain::parse(&format!("{label}.{domain}")).map_err(|e| ApiError::invalid("domain", format!("{e}.")))?;
    let now_ms = app.now_ms();
    let keys = tokio::task::spawn_blocking(move || anyhow::Ok([Key::generate_rsa()?, Key::generate_ed25519()?]))
        .await
        .map_err(ApiError::internal)??;
    let sealed: Vec<NewDkimKey> = keys.iter().map(|key| seal(&app.keys, &domain, key, now_ms)).collect();
    let (name, return_path) = (domain.to_string(), return_path.to_string());
    let write =
        move |tx: &storage::Transaction<'_>| domain::insert(tx, workspace, (&name, &return_path), &sealed, now_ms);
    app.storage.main().write(write).await.map_err(|e| match e {
        StorageError::Exists => ApiError::exists("domain", "This domain is there already."),
        other => other.into(),
    })
}

fn seal(keys: &Keys, domain: &Domain, key: &Key, now_ms: i64) -> NewDkimKey {
    // Year and month, so that a later key gets another name and both can be published at once.
    let month: String = time(now_ms).chars().take(7).filter(char::is_ascii_digit).collect();
    let letter = if key.algorithm() == Algorithm::RsaSha256 { 'r' } else { 'e' };
    let selector = format!("pb{month}{letter}");
    NewDkimKey {
        private_sealed: keys.master.seal(key.to_pkcs8(), &context(domain.as_str(), &selector)),
        public_key: key.public_base64(),
        algorithm: key.algorithm().as_str(),
        selector,
    }
}

/// Binds a sealed key to its row.
fn context(domain: &str, selector: &str) -> String {
    format!("dkim key of {domain}, selector {selector}")
}

/// What signs for a domain, its keys opened and parsed. Costs milliseconds: keep it.
///
/// # Errors
/// No such domain, no keys, or keys sealed with another master key.
pub(crate) fn signer(
    connection: &storage::Connection,
    keys: &Keys,
    workspace: WorkspaceId,
    id: DomainId,
) -> anyhow::Result<Signer> {
    let row = domain::find(connection, workspace, id)?.with_context(|| format!("sending domain {id} is gone"))?;
    let name = Domain::parse(&row.domain)?;
    let mut signing = Vec::new();
    for key in domain::keys(connection, workspace, id)? {
        let opened = keys.master.open(&key.private_sealed, &context(&row.domain, &key.selector));
        let opened = opened.with_context(|| format!("cannot open the key {} of {name}", key.selector))?;
        signing.push(SigningKey { selector: key.selector, key: Arc::new(Key::from_pkcs8(&opened)?) });
    }
    Ok(Signer::new(&name, signing)?)
}

/// A domain with its records as they stood at the last look-up.
pub(crate) async fn detail(app: &App, workspace: WorkspaceId, id: DomainId) -> Result<DomainDetail, ApiError> {
    let (row, keys) = rows(app, workspace, id).await?;
    let wanted = wanted(app, &row, &keys)?;
    let records = as_checked(&wanted, row.checked.as_deref());
    Ok(shape(row, keys, records))
}

/// The domain as listed.
pub(crate) fn summary(app: &App, row: domain::SendingDomain, keys: &[DkimKey]) -> Result<SendingDomain, ApiError> {
    let records = as_checked(&wanted(app, &row, keys)?, row.checked.as_deref());
    Ok(summary_shape(&row, &records))
}

/// Asks the DNS for every record and keeps what was found.
///
/// # Errors
/// `not_found` when there is no such domain.
pub async fn verify(app: &App, workspace: WorkspaceId, id: DomainId) -> Result<DomainDetail, ApiError> {
    let (mut row, keys) = rows(app, workspace, id).await?;
    let wanted = wanted(app, &row, &keys)?;
    let records = futures_util::future::join_all(wanted.iter().map(|wanted| look_up(&*app.dns, wanted))).await;
    let now_ms = app.now_ms();
    let checked = serde_json::to_string(&records).map_err(ApiError::internal)?;
    row.checked_ms = Some(now_ms);
    app.storage.main().write(move |tx| domain::set_checked(tx, workspace, id, &checked, now_ms)).await?;
    Ok(shape(row, keys, records))
}

async fn rows(
    app: &App,
    workspace: WorkspaceId,
    id: DomainId,
) -> Result<(domain::SendingDomain, Vec<DkimKey>), ApiError> {
    let found =
        app.storage.read(move |c| Ok((domain::find(c, workspace, id)?, domain::keys(c, workspace, id)?))).await?;
    found.0.map(|row| (row, found.1)).ok_or_else(|| ApiError::not_found("domain"))
}

/// A wanted record, with the address that a PTR question is about.
struct Wanted {
    record: DnsRecord,
    ip: Option<IpAddr>,
}

fn wanted(app: &App, row: &domain::SendingDomain, keys: &[DkimKey]) -> Result<Vec<Wanted>, ApiError> {
    let domain = Domain::parse(&row.domain).map_err(ApiError::internal)?;
    let return_path = Domain::parse(&row.return_path_domain).map_err(ApiError::internal)?;
    let sources = app.config.sources.iter().filter(|source| source.enabled);
    let pairs: Vec<(IpAddr, Domain)> = sources.filter_map(|s| s.ip.map(|ip| (ip, s.ehlo.clone()))).collect();
    let source_ips: Vec<IpAddr> = pairs.iter().map(|(ip, _)| *ip).collect();
    let published: Vec<PublishedKey> = keys.iter().filter_map(published).collect();
    let setup = DomainSetup {
        domain: &domain,
        return_path: &return_path,
        return_path_host: &app.config.server.hostname,
        keys: &published,
        source_ips: &source_ips,
    };
    let own = dkim::records(&setup).into_iter().map(|record| Wanted { record, ip: None });
    let hosts = pairs.iter().flat_map(|pair| {
        dkim::source_records(std::slice::from_ref(pair)).into_iter().map(|record| Wanted { record, ip: Some(pair.0) })
    });
    // The names of loopback addresses are every host's own (RFC 6761 §6.3): resolvers don't ask for them.
    let public =
        |wanted: &Wanted| wanted.record.kind != RecordKind::Ptr || !wanted.ip.is_some_and(|ip| ip.is_loopback());
    Ok(own.chain(hosts).filter(public).collect())
}

fn published(key: &DkimKey) -> Option<PublishedKey> {
    let algorithm = Algorithm::parse(&key.algorithm)?;
    Some(PublishedKey { selector: key.selector.clone(), algorithm, public_base64: key.public_key.clone() })
}

fn unchecked(record: &DnsRecord) -> DomainRecord {
    DomainRecord {
        purpose: record.purpose.as_str().to_owned(),
        required: record.required,
        kind: record.kind.as_str().to_owned(),
        name: record.name.clone(),
        wanted: record.value.clone(),
        found: Vec::new(),
        status: RecordStatus::Unchecked,
        message: String::new(),
    }
}

/// What the last look-up found of the records that are wanted now: configuration and keys may have changed since.
fn as_checked(wanted: &[Wanted], checked: Option<&str>) -> Vec<DomainRecord> {
    let known: Vec<DomainRecord> = checked.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let of = |Wanted { record, .. }: &Wanted| {
        let fresh = unchecked(record);
        let same =
            |old: &&DomainRecord| (&old.name, &old.kind, &old.wanted) == (&fresh.name, &fresh.kind, &fresh.wanted);
        known.iter().find(same).cloned().unwrap_or(fresh)
    };
    wanted.iter().map(of).collect()
}

async fn look_up(dns: &dyn Dns, wanted: &Wanted) -> DomainRecord {
    let record = &wanted.record;
    let mut out = unchecked(record);
    let found = match ask(dns, wanted).await {
        Ok(found) => found,
        Err(DnsError::NoSuchName { .. }) => Vec::new(),
        Err(e @ DnsError::Temporary { .. }) => {
            out.status = RecordStatus::Failed;
            out.message = format!("The look-up failed for now: {e}. Try again later.");
            return out;
        }
    };
    (out.status, out.message) = match dkim::compare(record, &found) {
        Verdict::Found => (RecordStatus::Found, String::new()),
        Verdict::Missing => (RecordStatus::Missing, "Nothing of the kind is published under this name.".to_owned()),
        Verdict::Differs { why } => (RecordStatus::Differs, why),
    };
    out.found = found;
    out
}

async fn ask(dns: &dyn Dns, wanted: &Wanted) -> Result<Vec<String>, DnsError> {
    let name = wanted.record.name.as_str();
    let text = |ips: Vec<IpAddr>, four: bool| {
        ips.into_iter().filter(|ip| ip.is_ipv4() == four).map(|ip| ip.to_string()).collect()
    };
    match (wanted.record.kind, wanted.ip) {
        (RecordKind::Txt, _) => dns.txt(name).await,
        (RecordKind::Mx, _) => {
            let found = dns.mx(name).await?;
            Ok(found.into_iter().map(|mx| format!("{} {}", mx.preference, mx.host)).collect())
        }
        (RecordKind::A, _) => Ok(text(dns.addresses(name).await?, true)),
        (RecordKind::Aaaa, _) => Ok(text(dns.addresses(name).await?, false)),
        (RecordKind::Ptr, Some(ip)) => dns.ptr(ip).await,
        // Only sources have PTR records, and those come with their address.
        (RecordKind::Ptr, None) => Ok(Vec::new()),
    }
}

fn summary_shape(row: &domain::SendingDomain, records: &[DomainRecord]) -> SendingDomain {
    let ok = records.iter().filter(|record| record.status == RecordStatus::Found).count();
    SendingDomain {
        id: row.id.0,
        domain: row.domain.clone(),
        return_path_domain: row.return_path_domain.clone(),
        created_at: time(row.created_ms),
        checked_at: row.checked_ms.map(time),
        records_ok: ok as u32,
        records_total: records.len() as u32,
    }
}

fn shape(row: domain::SendingDomain, keys: Vec<DkimKey>, records: Vec<DomainRecord>) -> DomainDetail {
    let keys = keys.into_iter().map(|key| DomainKey {
        selector: key.selector,
        algorithm: key.algorithm,
        created_at: time(key.created_ms),
    });
    DomainDetail { domain: summary_shape(&row, &records), keys: keys.collect(), records }
}
