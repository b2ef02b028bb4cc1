//! Reports of single mails that failed authentication (RFC 6591, RFC 9991): kept, joined to the recipient that a mark of
//! ours names, and an alarm where they name a source of ours or a signing key of ours.
//!
//! Anybody can send them, so such a report is only a figure: it changes nothing about mail and suppresses nobody, who
//! brought it is kept beside it, and a domain has room for so many a day.

use super::feedback::{self, found_way};
use super::figures::{candidates, count, cut, is_possible, owner, say, tell};
use super::head::Head;
use super::report::{Incoming, Settled};
use super::{Inbound, reply};
use bounce::{Feedback, Report};
use mail::{Address, Mailbox};
use std::collections::HashMap;
use std::net::IpAddr;
use storage::auth_failure::{self, AuthFailure};
use storage::dmarc_report::Kept;
use storage::report_alarm::{Kind, Told};
use storage::{RecipientId, StorageError, WorkspaceId, domain};

/// Domains of a report that are looked up.
const NAMED_MAX: usize = 8;
/// Mails that one report may say it stands for.
const INCIDENTS_MAX: u32 = 1_000_000;

/// Keeps what a report tells of mail of ours. `named` is the recipient of the return path that it came to, if it came to
/// one.
pub(super) async fn settle(
    inbound: &Inbound,
    named: Option<RecipientId>,
    (report, feedback): (&Report, &Feedback),
    incoming: &Incoming,
) -> Result<Settled, StorageError> {
    let recipient = match named {
        Some(id) => Some(id),
        None => feedback::recipient(inbound, report, Some(feedback)).await?,
    };
    let Some((workspace, domain, recipient)) = whose(inbound, recipient, (report, feedback)).await? else {
        return Ok(Settled::No("the report is about no domain of ours"));
    };
    let head = Head::read(&incoming.message);
    let fingerprint = reply::fingerprint(&domain, &head);
    let own = inbound.figures.own(inbound.hostname.as_str()).await;
    let now_ms = inbound.clock.now_ms();
    let source = feedback.source_ip.as_deref().map(|text| text.trim_matches(['[', ']'])).unwrap_or_default();
    let failing = Failing {
        source: source.parse::<IpAddr>().ok().map(|ip| ip.to_canonical()),
        key: own_key(inbound, workspace, feedback).await?,
    };
    let signature = |one: &bounce::FailedSignature| format!("{}._domainkey.{}", one.selector, one.domain);
    let signatures: Vec<String> = feedback.failed_signatures.iter().map(signature).collect();
    let kept = AuthFailure {
        id: 0,
        domain,
        received_ms: now_ms,
        arrived_ms: feedback.arrival_ms.filter(|at_ms| is_possible((*at_ms, *at_ms), now_ms)).unwrap_or(now_ms),
        organization: organization(&head, incoming),
        brought_by: incoming.peer.clone(),
        failure: cut(feedback.auth_failure.as_deref().unwrap_or_default()),
        source_ip: failing.source.map_or_else(|| cut(source), |ip| ip.to_string()),
        item: failing.item(&own).map(|(item, _)| item).unwrap_or_default(),
        signatures: cut(&signatures.join(" ")),
        delivery: cut(feedback.delivery_result.as_deref().unwrap_or_default()),
        incidents: u64::from(feedback.incidents.min(INCIDENTS_MAX)),
        header_id: cut(report.original_message_id.as_deref().unwrap_or_default()),
        recipient_id: recipient,
    };
    let told = failing.item(&own).map(|(_, what)| told(&kept, &what));
    let (daily_max, least) = (inbound.figures.daily_max(), u64::from(inbound.figures.auth_alarm_reports()));
    let keep = inbound.storage.events().write(move |tx| {
        let outcome = auth_failure::keep(tx, workspace, &kept, &fingerprint, daily_max)?;
        let about = (kept.domain.as_str(), kept.item.as_str());
        let is_alarm = outcome == Kept::New && least > 0;
        let is_alarm = is_alarm && auth_failure::of_item(tx, workspace, about, now_ms)? >= least;
        let told = told.into_iter().filter(|_| is_alarm).collect();
        Ok((outcome, tell(tx, workspace, told, now_ms)?))
    });
    let (outcome, changes) = keep.await?;
    count("auth", outcome);
    say(inbound, workspace, changes, now_ms).await?;
    Ok(Settled::Did { recipient, what: "the report is kept" })
}

/// The workspace, its domain, and the recipient where there still is one: by the recipient that our own mark names, else by
/// the domains that the report names.
async fn whose(
    inbound: &Inbound,
    recipient: Option<RecipientId>,
    (report, feedback): (&Report, &Feedback),
) -> Result<Option<(WorkspaceId, String, Option<RecipientId>)>, StorageError> {
    let found = match recipient {
        Some(id) => inbound.storage.read(move |c| found_way(c, id)).await?.map(|found| (id, found)),
        None => None,
    };
    if let Some((id, (way, Some(sender)))) = &found {
        return Ok(Some((way.workspace_id, sender.clone(), Some(*id))));
    }
    let of_address =
        |text: &str| Address::parse(text.trim_matches(['<', '>', ' '])).ok().map(|a| a.domain().to_string());
    let author = report.original_header("From").and_then(|text| Mailbox::parse(text).ok());
    let path = feedback.original_mail_from.as_deref().and_then(of_address);
    let domains = feedback.failed_signatures.iter().map(|one| one.domain.clone());
    let domains = domains.chain(feedback.reported_domains.iter().cloned());
    let domains = domains.chain(author.map(|author| author.address.domain().to_string())).chain(path);
    for name in domains.take(NAMED_MAX) {
        let candidates = candidates(inbound, &name).await?;
        // The recipient's workspace is certain, where its sending domain is not known any more.
        let may_be =
            |n: &usize| found.as_ref().is_none_or(|(_, (way, _))| way.workspace_id == candidates[*n].workspace_id);
        if let Some(n) = owner(&candidates, &name, &name).filter(may_be) {
            let of = &candidates[n];
            return Ok(Some((of.workspace_id, of.domain.clone(), found.map(|(id, _)| id))));
        }
    }
    Ok(None)
}

/// The name of the first signing key of the workspace whose signature failed.
async fn own_key(
    inbound: &Inbound,
    workspace: WorkspaceId,
    feedback: &Feedback,
) -> Result<Option<String>, StorageError> {
    let failed = feedback.failed_signatures.clone();
    let find = move |c: &storage::Connection| {
        for one in failed {
            if domain::has_key(c, workspace, &one.domain, &one.selector)? {
                return Ok(Some(cut(&format!("{}._domainkey.{}", one.selector, one.domain))));
            }
        }
        Ok(None)
    };
    inbound.storage.read(find).await
}

/// What failed, as far as it can be ours.
struct Failing {
    source: Option<IpAddr>,
    key: Option<String>,
}

impl Failing {
    /// What of ours it is, and how that is told.
    fn item(&self, own: &HashMap<IpAddr, String>) -> Option<(String, String)> {
        let source = self.source.and_then(|ip| Some((ip, own.get(&ip)?)));
        match (source, &self.key) {
            (Some((ip, name)), _) => Some((ip.to_string(), format!("mail from {name} ({ip})"))),
            (None, Some(key)) => {
                let from = self.source.map_or_else(|| "an address that is not told".to_owned(), |ip| ip.to_string());
                let how = "which is no source of ours: it was changed on its way, or the signature is forged";
                Some((key.clone(), format!("mail signed with {key} that came from {from}, {how};")))
            }
            (None, None) => None,
        }
    }
}

/// What the report says of the thing of ours in it; `what` tells which.
fn told(kept: &AuthFailure, what: &str) -> Told {
    let failed = match kept.failure.as_str() {
        "" => "authentication".to_owned(),
        "bodyhash" => "DKIM, its body is not the one that was signed".to_owned(),
        "signature" => "DKIM, the signature is wrong".to_owned(),
        "revoked" => "DKIM, the key is revoked".to_owned(),
        "adsp" | "dkim" | "dmarc" | "spf" => kept.failure.to_ascii_uppercase(),
        other => other.to_owned(),
    };
    let done = match kept.delivery.as_str() {
        "reject" => "; it was refused",
        "spam" => "; it was put among the spam",
        "policy" => "; it was not delivered because of a policy",
        _ => "",
    };
    Told {
        kind: Kind::Auth,
        domain: kept.domain.clone(),
        item: kept.item.clone(),
        organization: kept.organization.clone(),
        text: Some(format!("{what} fails {failed}{done}, says {}", kept.organization)),
        total: kept.incidents,
        failed: kept.incidents,
        begin_ms: kept.arrived_ms,
        end_ms: kept.arrived_ms,
    }
}

/// Who reports: the domain of its author.
fn organization(head: &Head<'_>, incoming: &Incoming) -> String {
    let author = head.text("From").and_then(|text| Mailbox::parse(&text).ok()).map(|author| author.address);
    let address = author.as_ref().or(incoming.from.as_ref());
    address.map_or_else(|| "somebody".to_owned(), |address| address.domain().to_string())
}
