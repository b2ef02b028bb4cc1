//! What is in the DNS for a domain, and what that means.

use super::wanted::{About, Names, Wanted, advice, sources, unchecked};
use crate::app::App;
use api_types::{DomainRecord, RecordStatus};
use dkim::rotation::Sight;
use dkim::spf::{self, Answer, Answers, Evaluation, Outcome, Question};
use dkim::{Purpose, RecordKind, Verdict, dmarc};
use std::net::IpAddr;
use std::time::Duration;
use storage::DkimKeyId;
use world::{Dns, DnsError};

/// How long one record's look-ups may take together: an SPF record can lead through many servers.
const TIME_MAX: Duration = Duration::from_secs(20);
/// Questions of one SPF evaluation; the standard's limits end one long before.
const QUESTIONS_MAX: usize = 200;

/// What a look-up of all records found.
pub(super) struct Found {
    pub records: Vec<DomainRecord>,
    pub sights: Vec<(DkimKeyId, Sight)>,
}

/// Looks every record up, all at the same time.
pub(super) async fn look_up(app: &App, names: &Names, wanted: &[Wanted]) -> Found {
    let looked = futures_util::future::join_all(wanted.iter().map(|wanted| bounded(app, names, wanted))).await;
    let mut found = Found { records: Vec::new(), sights: Vec::new() };
    for (wanted, (record, sight)) in wanted.iter().zip(looked) {
        if let About::Key(id) = wanted.about {
            found.sights.push((id, sight));
        }
        found.records.push(record);
    }
    found
}

async fn bounded(app: &App, names: &Names, wanted: &Wanted) -> (DomainRecord, Sight) {
    let work = one(app, names, wanted);
    match tokio::time::timeout(TIME_MAX, work).await {
        Ok(looked) => looked,
        Err(_) => {
            let name = wanted.record.name.clone();
            (failed(wanted, &DnsError::Temporary { name, why: "it took too long".to_owned() }), Sight::Unknown)
        }
    }
}

async fn one(app: &App, names: &Names, wanted: &Wanted) -> (DomainRecord, Sight) {
    let dns = &*app.record_dns;
    let found = match ask(dns, wanted).await {
        Ok(found) => found,
        Err(e) => return (failed(wanted, &e), Sight::Unknown),
    };
    let sight = dkim::sight(&wanted.record, &found);
    let judged = match wanted.record.purpose {
        Purpose::Spf => judge_spf(app, names, wanted, &found).await,
        Purpose::Dmarc => return (judge_dmarc(app, names, wanted, found).await, sight),
        Purpose::ReturnPathMx => judge_mx(app, names, wanted, &found).await,
        Purpose::LinkHost if !found.is_empty() && !found.contains(&wanted.record.value) => {
            Ok((Verdict::Found, "It is another host, which has to hand on what comes.".to_owned()))
        }
        _ => Ok((dkim::compare(&wanted.record, &found), String::new())),
    };
    let record = match judged {
        Ok((verdict, note)) => record(wanted, found, verdict, note),
        Err(e) => failed(wanted, &e),
    };
    (record, sight)
}

fn failed(wanted: &Wanted, error: &DnsError) -> DomainRecord {
    DomainRecord {
        status: RecordStatus::Failed,
        message: format!("The look-up failed for now: {error}. Try again later."),
        ..unchecked(&wanted.record)
    }
}

/// A record as it stands, with a note where all is well.
fn record(wanted: &Wanted, found: Vec<String>, verdict: Verdict, note: String) -> DomainRecord {
    let revoked = matches!(wanted.record.purpose, Purpose::Revoked(_));
    let (status, message) = match verdict {
        Verdict::Found => (RecordStatus::Found, note),
        Verdict::Missing if revoked => (RecordStatus::Found, "The record is gone, which does as well.".to_owned()),
        Verdict::Missing => {
            let advice = advice(wanted.record.purpose, &wanted.record);
            (
                RecordStatus::Missing,
                format!("Nothing of the kind is published under this name. {advice}").trim().to_owned(),
            )
        }
        Verdict::Differs { why } => (RecordStatus::Differs, why),
    };
    DomainRecord { found, status, message, ..unchecked(&wanted.record) }
}

/// The values under a name; a name that does not exist has none.
fn or_none<T>(answer: Result<Vec<T>, DnsError>) -> Result<Vec<T>, DnsError> {
    match answer {
        Err(DnsError::NoSuchName { .. }) => Ok(Vec::new()),
        answer => answer,
    }
}

async fn ask(dns: &dyn Dns, wanted: &Wanted) -> Result<Vec<String>, DnsError> {
    let name = wanted.record.name.as_str();
    let text = |ips: Vec<IpAddr>, four: bool| {
        ips.into_iter().filter(|ip| ip.is_ipv4() == four).map(|ip| ip.to_string()).collect()
    };
    if wanted.record.purpose == Purpose::LinkHost {
        return Ok(or_none(dns.addresses(name).await)?.into_iter().map(|ip| ip.to_string()).collect());
    }
    match (wanted.record.kind, &wanted.about) {
        (RecordKind::Txt, _) => or_none(dns.txt(name).await),
        (RecordKind::Mx, _) => {
            let found = or_none(dns.mx(name).await)?;
            Ok(found.into_iter().map(|mx| format!("{} {}", mx.preference, mx.host)).collect())
        }
        (RecordKind::A, _) => Ok(text(or_none(dns.addresses(name).await)?, true)),
        (RecordKind::Aaaa, _) => Ok(text(or_none(dns.addresses(name).await)?, false)),
        (RecordKind::Ptr, About::Source(ip)) => or_none(dns.ptr(*ip).await),
        // Only sources have PTR records.
        (RecordKind::Ptr, _) => Ok(Vec::new()),
    }
}

/// Whether each address that we send from passes, as a receiver would find.
async fn judge_spf(app: &App, names: &Names, wanted: &Wanted, found: &[String]) -> Result<(Verdict, String), DnsError> {
    let text = dkim::compare(&wanted.record, found);
    if text != Verdict::Found {
        return Ok((text, String::new()));
    }
    let dns = &*app.record_dns;
    let host = app.config.server.hostname.as_str();
    let mut ips: Vec<IpAddr> = sources(app).into_iter().map(|(ip, _)| ip).collect();
    if ips.is_empty() {
        // The system chooses the address of each connection; that of the host's name stands for it.
        ips = or_none(dns.addresses(host).await)?;
    }
    ips.sort_unstable();
    ips.dedup();
    if ips.is_empty() {
        let why = format!("{host} has no address, so nobody can pass; give each [[source]] its ip");
        return Ok((Verdict::Differs { why }, String::new()));
    }
    let mut answers = Answers::new();
    let mut evaluations = Vec::new();
    for ip in ips {
        let evaluation = evaluate(dns, names, host, ip, &mut answers).await;
        if let Outcome::NoAnswer(name) = evaluation.outcome {
            return Err(DnsError::Temporary { name, why: "the record leads there".to_owned() });
        }
        evaluations.push((ip, evaluation));
    }
    Ok(dkim::judge_spf(&evaluations))
}

async fn evaluate(dns: &dyn Dns, names: &Names, helo: &str, ip: IpAddr, answers: &mut Answers) -> Evaluation {
    let mail = spf::Mail { ip, local: "bounce", domain: names.return_path.as_str(), helo };
    loop {
        match spf::evaluate(&mail, answers) {
            Ok(evaluation) => return evaluation,
            Err(question) => {
                let too_many = answers.len() >= QUESTIONS_MAX;
                let answer = if too_many { Answer::Failed } else { answer(dns, &question).await };
                answers.insert(question, answer);
            }
        }
    }
}

async fn answer(dns: &dyn Dns, question: &Question) -> Answer {
    let texts = |found: Result<Vec<String>, DnsError>| or_none(found).map_or(Answer::Failed, Answer::Texts);
    match question {
        Question::Txt(name) => texts(dns.txt(name).await),
        Question::Addresses(name) => or_none(dns.addresses(name).await).map_or(Answer::Failed, Answer::Addresses),
        Question::Names(ip) => texts(dns.ptr(*ip).await),
        Question::Mx(name) => match or_none(dns.mx(name).await) {
            Ok(mut found) => {
                found.sort_unstable();
                Answer::Texts(found.into_iter().map(|mx| mx.host).collect())
            }
            Err(_) => Answer::Failed,
        },
    }
}

/// The policy may stand at the domain or above it.
async fn judge_dmarc(app: &App, names: &Names, wanted: &Wanted, own: Vec<String>) -> DomainRecord {
    let dns = &*app.record_dns;
    let mut found = vec![(wanted.record.name.clone(), own)];
    let mut judged = dmarc::judge(&names.domain, &names.return_path, &found);
    for name in dmarc::names(&names.domain).into_iter().skip(1) {
        if judged.0 != Verdict::Missing {
            break;
        }
        match or_none(dns.txt(&name).await) {
            Ok(texts) => found.push((name, texts)),
            Err(e) => return failed(wanted, &e),
        }
        judged = dmarc::judge(&names.domain, &names.return_path, &found);
    }
    let (verdict, policy, mut note) = judged;
    if let Some(policy) = policy.as_ref().filter(|_| app.config.smtp.inbound_listen.is_some()) {
        let mailbox = format!("{}@{}", app.config.smtp.dmarc_local_part, names.return_path);
        note = format!("{note} {}", dmarc::hint(policy, &mailbox)).trim().to_owned();
    }
    let holds = |(name, _): &(String, Vec<String>)| policy.as_ref().is_none_or(|policy| policy.at == *name);
    let shown = found.into_iter().find(holds).map(|(_, texts)| texts).unwrap_or_default();
    record(wanted, shown, verdict, note)
}

/// Bounces need a host with an address; without any MX the domain's own address counts (RFC 5321 §5.1).
async fn judge_mx(app: &App, names: &Names, wanted: &Wanted, found: &[String]) -> Result<(Verdict, String), DnsError> {
    let dns = &*app.record_dns;
    let verdict = dkim::compare(&wanted.record, found);
    if matches!(verdict, Verdict::Differs { .. }) {
        return Ok((verdict, String::new()));
    }
    let host = app.config.server.hostname.as_str();
    let ips = or_none(dns.addresses(host).await)?;
    if verdict == Verdict::Found {
        if ips.is_empty() {
            let why = format!("it leads to {host}, which has no address: bounces find no host");
            return Ok((Verdict::Differs { why }, String::new()));
        }
        return Ok((verdict, String::new()));
    }
    let own = or_none(dns.addresses(names.return_path.as_str()).await)?;
    if own.iter().any(|ip| ips.contains(ip)) {
        return Ok((Verdict::Found, format!("There is no MX record, but its own address is that of {host}.")));
    }
    Ok((verdict, String::new()))
}
