//! Our side: the daemon of the release build, driven through its API.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use config::Signatures;
use serde_json::{Value, json};

use super::postfix::CONNECTIONS;
use super::process::{Program, bound};
use super::{Bench, sink};
use crate::http::Place;
use crate::shell;

const START_WAIT: Duration = Duration::from_secs(60);
const IMPORT_WAIT: Duration = Duration::from_secs(600);
/// Between two questions about something that takes long.
const ASK_EVERY: Duration = Duration::from_millis(50);
/// Between two looks whether the daemon is there: the time of a start is this exact.
const START_LOOK: Duration = Duration::from_millis(2);

/// A daemon with a folder of its own.
pub struct Daemon {
    program: Program,
    place: Place,
    /// Where mail is submitted over TLS, where it is.
    submission_port: u16,
    /// The simulated internet's DNS, which leads every domain to the sink.
    _dns: Option<Program>,
    /// What campaigns are signed with.
    signatures: Signatures,
    folder: PathBuf,
}

impl Daemon {
    /// Starts one whose mail goes to the sink at this port, signed so.
    pub fn start_for_campaign(
        bench: &Bench<'_>,
        folder: &Path,
        sink_port: u16,
        signatures: Signatures,
    ) -> Result<Daemon> {
        let more = format!("[[shaping]]\nsignatures = \"{}\"\n", signatures.as_str());
        let daemon = Daemon::start_sending(bench, folder, sink_port, &more)?;
        Ok(Daemon { signatures, ..daemon })
    }

    /// The same, and programs may submit mail to it.
    pub fn start_for_submission(bench: &Bench<'_>, folder: &Path, sink_port: u16) -> Result<Daemon> {
        let (certificate, key) = (folder.join("certificate.pem"), folder.join("key.pem"));
        let mut make = Command::new(bench.sandbox());
        make.args(["certificate", "relay.bench.example"]).arg(&certificate).arg(&key);
        shell::output(&mut make)?;
        let port = sink::free_port()?;
        let submission = format!(
            "[submission]\nlisten_tls = [\"127.0.0.1:{port}\"]\ncertificate_file = \"{}\"\nkey_file = \"{}\"\n",
            certificate.display(),
            key.display()
        );
        let mut daemon = Daemon::start_sending(bench, folder, sink_port, &submission)?;
        daemon.submission_port = port;
        Ok(daemon)
    }

    /// The same, with `domains` at `exchangers` that have an address each, all of them the sink's.
    pub fn start_wide(
        bench: &Bench<'_>,
        folder: &Path,
        sink_port: u16,
        domains: usize,
        exchangers: usize,
    ) -> Result<Daemon> {
        let providers = (0..exchangers).map(|n| {
            let ip = format!("127.1.{}.{}", n / 250, n % 250 + 1);
            (format!("wide{n}"), ip, (n..domains).step_by(exchangers).map(|n| format!("w{n}.example")).collect())
        });
        Daemon::start_beside(bench, folder, sink_port, start_dns_of(bench, folder, providers)?, ("", ""))
    }

    /// The same as for a campaign, with a listener for what comes back; the mail of `recorded` goes to the recorder.
    pub fn start_hearing(
        bench: &Bench<'_>,
        folder: &Path,
        (sink_port, inbound_port): (u16, u16),
        recorded: &[String],
    ) -> Result<Daemon> {
        let recorder = ("recording".to_owned(), sink::RECORDING.to_owned(), recorded.to_vec());
        let dns = start_dns_of(bench, folder, both_sinks().into_iter().chain([recorder]))?;
        let smtp = format!("inbound_listen = \"127.0.0.1:{inbound_port}\"\n");
        // So many bounces would stop every campaign.
        Daemon::start_beside(bench, folder, sink_port, dns, (&smtp, "[reputation]\nacts = false\n"))
    }

    fn start_sending(bench: &Bench<'_>, folder: &Path, sink_port: u16, more: &str) -> Result<Daemon> {
        Daemon::start_beside(bench, folder, sink_port, start_dns_of(bench, folder, both_sinks())?, ("", more))
    }

    fn start_beside(
        bench: &Bench<'_>,
        folder: &Path,
        sink_port: u16,
        (dns, address): (Program, String),
        (smtp, more): (&str, &str),
    ) -> Result<Daemon> {
        let delivery = format!(
            "[smtp]\nremote_port = {sink_port}\nconnections_per_lane = {CONNECTIONS}\n\
             messages_per_connection = 10000\n{smtp}\
             [[shaping]]\nmessage_rate = \"none\"\nconnection_rate = \"none\"\n[dns]\nservers = [\"{address}\"]\n{more}"
        );
        let mut daemon = Daemon::start(bench, folder, &delivery)?;
        daemon._dns = Some(dns);
        Ok(daemon)
    }

    /// Starts one with these further settings, and waits until it answers.
    pub fn start(bench: &Bench<'_>, folder: &Path, settings: &str) -> Result<Daemon> {
        let (data, port) = (folder.join("data"), sink::free_port()?);
        let configuration = folder.join("packetboat.toml");
        let text = format!(
            "[server]\nhostname = \"relay.bench.example\"\n[storage]\ndir = \"{}\"\nmin_free_mb = 0\n\
             [http]\nlisten = \"127.0.0.1:{port}\"\n[log]\nlevel = \"warn\"\n{settings}",
            data.display()
        );
        fs::write(&configuration, text)?;
        let mut command = bound(&bench.daemon, None);
        command.args(["serve", "--config"]).arg(&configuration).stdin(Stdio::null());
        let begun = Instant::now();
        let mut program = Program::start("packetboat", &mut command)?;
        while !Place::Port(port).get("/healthz").is_ok_and(|answer| answer.status == 200) {
            program.must_run()?;
            ensure!(begun.elapsed() < START_WAIT, "the daemon does not answer within {START_WAIT:?}");
            std::thread::sleep(START_LOOK);
        }
        let place = Place::Socket(data.join("packetboat.sock"));
        let (signatures, folder) = (Signatures::All, folder.to_owned());
        Ok(Daemon { program, place, submission_port: 0, _dns: None, signatures, folder })
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.program.pid()
    }

    /// Where mail is submitted.
    pub fn submission_port(&self) -> u16 {
        self.submission_port
    }

    /// A sending domain, and a credential to submit its mail with: user name and secret.
    pub fn prepare_submission(&self) -> Result<(String, String)> {
        self.add_domain()?;
        let made = self.place.post_json("/smtp-credentials", &json!({ "name": "bench", "stream": "transactional" }))?;
        let text = |value: &Value| value.as_str().map(str::to_owned).context("the credential is incomplete");
        Ok((text(&made["credential"]["login"])?, text(&made["secret"])?))
    }

    /// Nothing is delivered from now on; returns the pause.
    pub fn pause_everything(&self) -> Result<Value> {
        self.place.post_json("/pauses", &json!({ "scope": "everything", "reason": "benchmark" }))
    }

    /// Delivery goes on.
    pub fn end_pause(&self, pause: &Value) -> Result<()> {
        self.place.delete(&format!("/pauses/{}", pause["id"].as_str().context("the pause has no id")?))
    }

    /// Asks the API for something.
    pub fn get(&self, path: &str) -> Result<Value> {
        self.place.get_json(path)
    }

    /// Asks the API to do something.
    pub fn post(&self, path: &str, body: &Value) -> Result<Value> {
        self.place.post_json(path, body)
    }

    /// Returns when so many recipients are in the queue.
    pub fn wait_until_waiting(&mut self, recipients: usize, time: Duration) -> Result<()> {
        let begun = Instant::now();
        loop {
            let ledger = self.place.get_json("/queue")?["ledger"].clone();
            if ledger["queued"] == recipients {
                return Ok(());
            }
            ensure!(begun.elapsed() < time, "{recipients} are not in the queue after {time:?}: {ledger}");
            self.must_run()?;
            std::thread::sleep(Duration::from_secs(1));
        }
    }

    /// Returns when every submitted message has been delivered.
    pub fn wait_until_empty(&mut self, messages: usize, time: Duration) -> Result<()> {
        let begun = Instant::now();
        loop {
            let ledger = self.place.get_json("/queue")?["ledger"].clone();
            if ledger["queued"] == 0 && ledger["accepted"] == messages {
                ensure!(ledger["delivered"] == messages, "not all were delivered: {ledger}");
                return Ok(());
            }
            ensure!(begun.elapsed() < time, "the queue is not empty after {time:?}: {ledger}");
            self.must_run()?;
            std::thread::sleep(ASK_EVERY);
        }
    }

    /// Fails when it does not hold as many messages in its queue.
    pub fn must_hold(&self, messages: usize) -> Result<()> {
        let ledger = self.place.get_json("/queue")?["ledger"].clone();
        ensure!(ledger["queued"] == messages, "{messages} messages should be queued: {ledger}");
        Ok(())
    }

    /// Fails when it has ended.
    pub fn must_run(&mut self) -> Result<()> {
        self.program.must_run()
    }

    /// Everything that a campaign needs, up to the draft; returns the campaign's path.
    pub fn prepare_campaign(&self, recipients: usize) -> Result<String> {
        self.prepare_campaign_to(recipients, sink::domain)
    }

    /// The same to recipients at these domains.
    pub fn prepare_campaign_to(&self, recipients: usize, domain: impl Fn(usize) -> String) -> Result<String> {
        self.add_domain()?;
        self.import(&contacts(recipients, domain), recipients)?;
        self.another_campaign("News")
    }

    /// A further campaign to the same contacts, with a name of its own.
    pub fn another_campaign(&self, name: &str) -> Result<String> {
        let template = json!({ "name": name, "kind": "html", "subject": "What is new, {{ contact.first_name }}",
            "source": html(sink::DOMAINS) });
        let template = self.place.post_json("/templates", &template)?;
        let campaign = json!({ "name": name, "template_id": template["id"], "from_email": "news@bench.example",
            "from_name": "News" });
        let campaign = self.place.post_json("/campaigns", &campaign)?;
        Ok(format!("/campaigns/{}", campaign["id"]))
    }

    /// The sending domain of every message.
    pub fn add_domain(&self) -> Result<()> {
        let domain = self.place.post_json("/domains", &json!({ "domain": "bench.example" }))?;
        // Its records are nowhere: the verifier is told the keys, see `key_records`. The RSA key is told to sign all the
        // same; where that of Ed25519 is not to sign alone it does not sign, so that both sides make the same signature.
        let keys = domain["keys"].as_array().context("the domain has no keys")?;
        for key in keys.iter().filter(|key| key["algorithm"] == "rsa-sha256" || self.signatures == Signatures::Ed25519)
        {
            let path = format!("/domains/{}/keys/{}/sign_anyway", domain["domain"]["id"], key["id"]);
            self.place.post_json(&path, &json!({}))?;
        }
        Ok(())
    }

    /// Imports a file with as many contacts; returns how long it took from the first byte to the last contact.
    pub fn import(&self, csv: &str, contacts: usize) -> Result<Duration> {
        let begun = Instant::now();
        let import = self.place.upload("/imports", "contacts.csv", csv.as_bytes())?;
        let path = format!("/imports/{}", import["id"]);
        let columns = import["columns"].as_array().context("the import has no columns")?;
        let targets: Vec<&Value> = columns.iter().map(|column| &column["target"]).collect();
        self.place.post_json(&format!("{path}/start"), &json!({ "targets": targets, "existing": "update" }))?;
        while begun.elapsed() < IMPORT_WAIT {
            let import = self.place.get_json(&path)?;
            match import["state"].as_str() {
                Some("running") => std::thread::sleep(ASK_EVERY),
                Some("finished") if import["created"] == contacts => return Ok(begun.elapsed()),
                _ => bail!("the import did not take {contacts} contacts: {import}"),
            }
        }
        bail!("the import takes longer than {IMPORT_WAIT:?}")
    }

    /// Lets the campaign begin.
    pub fn launch(&self, campaign: &str) -> Result<()> {
        self.place.post_json(&format!("{campaign}/launch"), &json!({}))?;
        Ok(())
    }

    /// Returns when every recipient has its final state; all must have been delivered.
    pub fn wait_until_finished(&mut self, campaign: &str, recipients: usize, time: Duration) -> Result<()> {
        let begun = Instant::now();
        loop {
            let progress = self.place.get_json(&format!("{campaign}/progress"))?;
            if progress["state"] == "finished" {
                ensure!(progress["delivered"] == recipients, "not all were delivered: {progress}");
                return Ok(());
            }
            ensure!(begun.elapsed() < time, "the campaign is not finished after {time:?}: {progress}");
            self.must_run()?;
            std::thread::sleep(ASK_EVERY);
        }
    }

    /// Cancels when the whole audience is in the queue; returns when every recipient has its final state.
    pub fn cancel_when_queued(&mut self, campaign: &str, recipients: usize, time: Duration) -> Result<()> {
        let begun = Instant::now();
        let mut cancelled = false;
        loop {
            let progress = self.place.get_json(&format!("{campaign}/progress"))?;
            let left: u64 = ["queued", "deferred", "sending"].iter().filter_map(|state| progress[state].as_u64()).sum();
            if cancelled && left == 0 {
                ensure!(progress["accepted"] == recipients, "not all were accepted: {progress}");
                return Ok(());
            }
            if !cancelled && progress["audience_complete"] == true {
                self.place.post_json(&format!("{campaign}/cancel"), &json!({}))?;
                cancelled = true;
            }
            ensure!(begun.elapsed() < time, "the campaign is not cancelled after {time:?}: {progress}");
            self.must_run()?;
            std::thread::sleep(ASK_EVERY);
        }
    }

    /// Names and values of the records that its signatures are verified with.
    pub fn key_records(&self) -> Result<Vec<(String, String)>> {
        let domains = self.place.get_json("/domains")?;
        let domain = self.place.get_json(&format!("/domains/{}", domains["items"][0]["id"]))?;
        let records = domain["records"].as_array().context("the domain has no records")?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let all = records.iter().map(|record| (text(&record["name"]), text(&record["wanted"])));
        Ok(all.filter(|(name, _)| name.contains("._domainkey.")).collect())
    }

    /// Ends it as an administrator would, so that it can be started again on the same data.
    pub fn stop(mut self) -> PathBuf {
        self.program.stop();
        self.folder.clone()
    }
}

/// Every domain has one mail exchanger, where one of the sinks is.
fn both_sinks() -> [(String, String, Vec<String>); 2] {
    [("counting", sink::COUNTING, false), ("keeping", sink::KEEPING, true)].map(|(name, ip, sampled)| {
        let domains = (0..sink::DOMAINS).filter(|n| sink::is_sampled(*n) == sampled).map(sink::domain);
        (name.to_owned(), ip.to_owned(), domains.collect())
    })
}

/// DNS of these providers: name, address of the mail exchanger, domains.
fn start_dns_of(
    bench: &Bench<'_>,
    folder: &Path,
    all: impl IntoIterator<Item = (String, String, Vec<String>)>,
) -> Result<(Program, String)> {
    let mut providers = String::new();
    for (name, ip, domains) in all {
        // The simulated provider refuses, so that its address stays free for the sink.
        writeln!(
            providers,
            "[[provider]]\nname = \"{name}\"\ndomains = {domains:?}\n\
             mx = [{{ host = \"mx.{name}-mx.example\", preference = 10, ip = \"{ip}\", door = \"refuses\" }}]",
        )?;
    }
    let file = folder.join("providers.toml");
    fs::write(&file, providers)?;
    let mut command = bound(bench.sandbox(), None);
    command.args(["serve", "--providers"]).arg(&file).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut dns = Program::start("packetboat-sandbox", &mut command)?;
    let mut line = String::new();
    BufReader::new(dns.stdout().context("the sandbox says nothing")?).read_line(&mut line)?;
    let address = line.split(' ').nth(1).context("the sandbox does not say where its DNS is")?;
    Ok((dns, address.to_owned()))
}

/// A file of contacts; `domain` says where the n-th one is.
pub fn contacts(number: usize, domain: impl Fn(usize) -> String) -> String {
    let mut csv = String::from("email,first_name,last_name,city\n");
    for n in 0..number {
        let city = ["Lisboa", "Porto", "Coimbra", "Faro"][n % 4];
        csv.push_str(&format!("r{n}@{},Ana{n},Silva,{city}\n", domain(n)));
    }
    csv
}

/// 10 KiB of HTML once its merge tags are filled in: a headline, and as many offers as fit.
pub fn html(offers: usize) -> String {
    const SIZE: usize = 10 * 1024;
    let mut html = String::from(
        "<!doctype html>\n<html><body>\n<h1>Hello {{ contact.first_name | default: \"there\" }}</h1>\n\
         <p>News for {{ contact.city }}.</p>\n",
    );
    let end = "<p><a href=\"{{ unsubscribe_url }}\">Unsubscribe</a></p>\n</body></html>\n";
    for n in 0..offers {
        let offer = format!(
            "<p><a href=\"https://shop.bench.example/offers/{n}\">Offer {n}</a>: a plain sentence about something \
             that one could buy, of the length that such sentences have, for {{{{ contact.first_name }}}}.</p>\n"
        );
        if html.len() + offer.len() + end.len() > SIZE {
            break;
        }
        html.push_str(&offer);
    }
    html + end
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_has_the_size_that_is_claimed() {
        let size = html(sink::DOMAINS).len();
        assert!((10_000..=10_240).contains(&size), "{size}");
    }
}
