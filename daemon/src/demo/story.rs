//! The story: import, domain, template, segment, campaign, and then the sending.

use std::io::{IsTerminal, Write};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use api_types::{
    Campaign, CampaignInput, CampaignState, CheckLevel, Checklist, DomainDetail, DomainRecord, Filter, FilterOp,
    Import, ImportError, ImportExisting, ImportStart, ImportState, NewDomain, NewSuppression, Progress, RecordStatus,
    Segment, SegmentInput, SendingDomain, Suppression, SuppressionCovers, Template, TemplateInput, TemplateKind,
    WorkspaceSettings,
};
use sandbox::{Expected, Person, Zone};
use serde_json::{Value, json};

use super::api::Api;
use super::people::contacts;
use super::show;
use super::stage::Stage;

/// The sending domain.
const DOMAIN: &str = "packetboat-demo.example";
const ASK_EVERY: Duration = Duration::from_millis(200);
/// Where output goes to a file, a line now and then is enough.
const LINE_EVERY: Duration = Duration::from_secs(2);
/// Addresses that are put on the suppression list before the launch.
const SUPPRESSED: usize = 3;
/// Without any progress for so long, something is wrong.
const STUCK_AFTER: Duration = Duration::from_secs(90);
/// How long reports that come after the campaign's end are waited for.
const REPORTS_WAIT: Duration = Duration::from_secs(20);

/// A campaign, and who gets it.
pub struct Mailing {
    /// Its path in the API.
    pub path: String,
    /// Everybody in its audience.
    pub recipients: Vec<Person>,
    /// Of those, the suppressed ones.
    pub suppressed: Vec<String>,
}

/// Everything up to the draft.
pub async fn prepare(stage: &Stage, api: &Api, recipients: usize) -> anyhow::Result<Mailing> {
    let contacts = contacts(stage.internet().providers(), recipients);
    present(api).await?;
    import(api, &contacts.csv, contacts.good_rows, &contacts.broken_lines).await?;
    domain(stage, api).await?;
    let template = TemplateInput {
        name: "Timetable".to_owned(),
        kind: TemplateKind::Mjml,
        subject: "{{ contact.first_name | default: \"Hello\" }}, the boat sails on Saturday".to_owned(),
        preheader: "From {{ contact.city | default: \"your port\" }}, at ten".to_owned(),
        source: include_str!("template.mjml").to_owned(),
    };
    let template: Template = api.post("/templates", &template).await?;
    let newsletter = Filter::Tag { name: "newsletter".to_owned() };
    let with_city = Filter::Attribute { path: "attribute:city".to_owned(), op: FilterOp::IsSet, value: Value::Null };
    let segment =
        SegmentInput { name: "Newsletter".to_owned(), filter: Filter::And { filters: vec![newsletter, with_city] } };
    let segment: Segment = api.post("/segments", &segment).await?;
    println!("Segment: {} contacts ({}).", show::number(segment.count), segment.sentence);
    let suppressed = suppress(api, &contacts.recipients).await?;
    let campaign = CampaignInput {
        name: "The boat sails on Saturday".to_owned(),
        template_id: Some(template.id),
        segment_id: Some(segment.id),
        list_id: None,
        from_email: format!("news@{DOMAIN}"),
        from_name: "Packetboat".to_owned(),
        reply_to: String::new(),
        stream: String::new(),
        pool: String::new(),
    };
    let campaign: Campaign = api.post("/campaigns", &campaign).await?;
    let path = format!("/campaigns/{}", campaign.id);
    check(api, &path).await?;
    Ok(Mailing { path, recipients: contacts.recipients, suppressed })
}

async fn import(api: &Api, csv: &str, good_rows: usize, broken_lines: &[u64]) -> anyhow::Result<()> {
    let begun = Instant::now();
    let import: Import = api.upload("/imports", "contacts.csv", csv.as_bytes().to_vec()).await?;
    let path = format!("/imports/{}", import.id);
    let targets = import.columns.into_iter().map(|column| column.target).collect();
    let start = ImportStart {
        targets,
        existing: ImportExisting::Update,
        tags: vec![],
        lists: vec![],
        consent_source: "demo".to_owned(),
    };
    let mut import: Import = api.post(&format!("{path}/start"), &start).await?;
    while import.state == ImportState::Running {
        tokio::time::sleep(ASK_EVERY / 4).await;
        import = api.get(&path).await?;
    }
    println!(
        "Imported {} contacts in {:.1} s; {} rows were refused:",
        show::number(import.created),
        begun.elapsed().as_secs_f64(),
        import.failed
    );
    let errors: Vec<ImportError> = api.list(&format!("{path}/errors")).await?;
    for error in &errors {
        println!("  line {}: {} {:?}: {}", error.line, error.column, error.value, error.reason);
    }
    let lines: Vec<u64> = errors.iter().map(|error| error.line).collect();
    ensure!(import.state == ImportState::Finished, "the import stopped: {:?}", import.message);
    ensure!(lines == broken_lines, "the refused lines are {lines:?}, and should be {broken_lines:?}");
    ensure!(import.created == good_rows as u64, "{good_rows} contacts should have been imported");
    Ok(())
}

/// What the footer of every mail says.
async fn present(api: &Api) -> anyhow::Result<()> {
    let wanted = WorkspaceSettings {
        name: "Packetboat Company".to_owned(),
        time_zone: "UTC".to_owned(),
        postal_address: "1 Harbour Street, 1000 Lisbon, Portugal".to_owned(),
    };
    let kept: WorkspaceSettings = api.put("/workspace", &wanted).await?;
    ensure!(kept == wanted, "the workspace is {kept:?}");
    Ok(())
}

/// The sending domain with its keys; its records are published as an administrator would, and then verified.
async fn domain(stage: &Stage, api: &Api) -> anyhow::Result<()> {
    let added: DomainDetail = api.post("/domains", &NewDomain { domain: DOMAIN.to_owned() }).await?;
    for record in &added.records {
        publish(stage.internet().zone(), record)?;
    }
    let verify = format!("/domains/{}/verify", added.domain.id);
    let detail: DomainDetail = api.post(&verify, &json!({})).await?;
    let SendingDomain { domain, records_ok, records_total, .. } = &detail.domain;
    println!("Domain {domain}: {records_ok} of {records_total} DNS records are as they should be.");
    for record in detail.records.iter().filter(|record| record.status != RecordStatus::Found) {
        println!("  {} {}: {}", record.kind, record.name, record.message);
    }
    ensure!(records_ok == records_total, "the published records are not found");
    Ok(())
}

fn publish(zone: &Zone, record: &DomainRecord) -> anyhow::Result<()> {
    let (name, value) = (record.name.as_str(), record.wanted.as_str());
    match record.kind.as_str() {
        "TXT" => zone.publish_txt(name, value),
        "CNAME" => zone.publish_cname(name, value),
        "A" | "AAAA" => zone.publish_address(name, value.parse()?),
        "MX" => match value.split_once(' ') {
            Some((preference, host)) => zone.publish_mx(name, preference.parse()?, host),
            None => zone.publish_mx(name, 10, value),
        },
        "PTR" => zone.publish_ptr(address_of(name).with_context(|| format!("{name} is no address"))?, value),
        other => bail!("the domain page asks for a record of the type {other}"),
    }
    Ok(())
}

/// The address that a PTR record's name stands for (RFC 1035 §3.5); all of the demo are IPv4.
fn address_of(reverse_name: &str) -> Option<IpAddr> {
    let mut octets: Vec<&str> = reverse_name.strip_suffix(".in-addr.arpa")?.split('.').collect();
    octets.reverse();
    octets.join(".").parse().ok()
}

async fn suppress(api: &Api, recipients: &[Person]) -> anyhow::Result<Vec<String>> {
    let fine = recipients.iter().filter(|person| person.expected == Expected::Delivered);
    let addresses: Vec<String> = fine.take(SUPPRESSED).map(|person| person.address.clone()).collect();
    for address in &addresses {
        let new = NewSuppression {
            address: address.clone(),
            note: "asked by telephone".to_owned(),
            covers: SuppressionCovers::All,
            global: false,
            expires_at: None,
        };
        let _: Suppression = api.post("/suppressions", &new).await?;
    }
    Ok(addresses)
}

async fn check(api: &Api, campaign: &str) -> anyhow::Result<()> {
    let list: Checklist = api.get(&format!("{campaign}/check")).await?;
    for point in list.points.iter().filter(|point| point.level != CheckLevel::Ok) {
        println!("  {}: {}", point.name, point.message);
    }
    println!("Checklist: {} will receive it, {} are suppressed.", show::number(list.receiving), list.suppressed);
    ensure!(list.ready, "the checklist does not allow the launch");
    Ok(())
}

/// Launches, and shows one line until everybody has a final state.
pub async fn send(api: &Api, mailing: &Mailing) -> anyhow::Result<()> {
    let _: Campaign = api.post(&format!("{}/launch", mailing.path), &json!({})).await?;
    println!("Launched. The providers here greylist, limit, block, bounce and drop, as real ones do.\n");
    let terminal = std::io::stdout().is_terminal();
    let (mut settled, mut moved_at, mut printed_at) = (0, Instant::now(), None::<Instant>);
    loop {
        let progress: Progress = api.get(&format!("{}/progress", mailing.path)).await?;
        let finished = progress.state == Some(CampaignState::Finished);
        if terminal {
            print!("\r{}\x1b[K", show::line(&progress));
            std::io::stdout().flush()?;
        } else if finished || printed_at.is_none_or(|at| at.elapsed() >= LINE_EVERY) {
            println!("{}", show::line(&progress));
            printed_at = Some(Instant::now());
        }
        if finished {
            println!();
            return Ok(());
        }
        let now = show::settled(&progress) + progress.accepted;
        if now != settled {
            (settled, moved_at) = (now, Instant::now());
        }
        ensure!(moved_at.elapsed() < STUCK_AFTER, "nothing has moved for {STUCK_AFTER:?}: {}", show::line(&progress));
        tokio::time::sleep(ASK_EVERY).await;
    }
}

/// Some providers accept and tell later that they should not have: their reports come after the end.
pub async fn hear_reports(stage: &Stage, mailing: &Mailing) {
    let reported = |person: &&Person| person.expected == Expected::Reported;
    let expected = mailing.recipients.iter().filter(reported).count() as u64;
    let begun = Instant::now();
    while begun.elapsed() < REPORTS_WAIT {
        let total = stage.internet().ledger().total();
        if total.reports_sent + total.reports_failed >= expected {
            break;
        }
        tokio::time::sleep(ASK_EVERY).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reverse_names_are_read() {
        assert_eq!(address_of("3.2.0.127.in-addr.arpa"), Some("127.0.2.3".parse().unwrap()));
        assert_eq!(address_of("3.2.0.127.example"), None);
    }
}
