//! The daemon's process is killed with SIGKILL again and again while a campaign is under way, and started again on the
//! same data. In the end everybody has a final state, nobody has two copies, and the sum holds.
//!
//! The moments are drawn: by the number of copies that the providers have by then, so that a fast and a slow machine are
//! hit alike. The seed is printed with every failure; PACKETBOAT_SEED repeats it.

use std::collections::HashMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use api_types::{
    Campaign, CampaignInput, CampaignState, DomainDetail, Import, ImportExisting, ImportStart, ImportState, NewDomain,
    Page, Progress, QueueSummary, Recipient, Template, TemplateInput, TemplateKind,
};
use reqwest::multipart;
use sandbox::{DkimCheck, Internet, LedgerOptions, Providers, Zone};
use serde::Serialize;
use serde::de::DeserializeOwned;

const RECIPIENTS: usize = 2_000;
const KILLS: usize = 6;
/// Nothing here takes so long; a test that hangs tells less than one that fails.
const PATIENCE: Duration = Duration::from_secs(120);
const LOOK: Duration = Duration::from_millis(2);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_at_any_moment_nobody_gets_two_copies() {
    let seed = seed();
    let internet = internet().await;
    let folder = tempfile::tempdir().unwrap();
    let config = configuration(folder.path(), &internet);
    let people: Vec<_> = internet.providers().people(RECIPIENTS, seed).collect();

    let mut daemon = Daemon::start(&config, folder.path()).await;
    let campaign = prepare(&daemon, internet.zone(), people.iter().map(|person| person.address.as_str())).await;
    let _: Campaign = daemon.post(&format!("{campaign}/launch"), &()).await;
    let mut moments = moments(seed);
    // The first comes while the audience is still being queued.
    moments[0] = 0;
    for moment in &moments {
        let copies = || internet.ledger().recipients();
        wait_until(seed, || copies() >= *moment).await;
        daemon.kill();
        eprintln!("killed at {} copies (wanted at {moment})", copies());
        daemon = Daemon::start(&config, folder.path()).await;
    }
    let progress = daemon.finished(&campaign, seed).await;

    let ledger = internet.ledger();
    assert_eq!(ledger.doubles(), Vec::<String>::new(), "seed {seed}: somebody got a second copy");
    assert_eq!(
        ledger.total().dkim_failed + ledger.total().dkim_missing,
        0,
        "seed {seed}: {:?}",
        ledger.dkim_failures()
    );
    let recipients: Vec<Recipient> = daemon.list(&format!("{campaign}/recipients")).await;
    let queue: QueueSummary = daemon.get("/queue").await;
    assert!(queue.ledger.holds, "seed {seed}: {:?}", queue.ledger);
    assert_eq!(queue.ledger.accepted, RECIPIENTS as u64, "seed {seed}: {:?}", queue.ledger);
    assert_eq!(recipients.len(), RECIPIENTS, "seed {seed}");
    let states: HashMap<&str, &str> = recipients.iter().map(|row| (row.address.as_str(), row.state.as_str())).collect();
    for person in &people {
        let (address, copies) = (person.address.as_str(), ledger.copies(&person.address));
        let good = match states.get(address).copied() {
            Some("delivered") => copies == 1,
            // Also those that were accepted and then reported.
            Some("bounced" | "unknown") => copies <= 1,
            _ => false,
        };
        assert!(
            good,
            "seed {seed}: {address} ({:?}) is {:?} with {copies} copies",
            person.expected,
            states.get(address)
        );
    }
    let unknown = recipients.iter().filter(|row| row.state == "unknown");
    let kept = unknown.filter(|row| ledger.copies(&row.address) == 1).count();
    eprintln!(
        "{} delivered, {} bounced, {} unknown, of which {kept} had arrived",
        progress.delivered, progress.bounced, progress.unknown
    );
    daemon.kill();
    internet.shutdown().await;
}

/// How many copies there are when the daemon is killed, rising. Retries come last, so the end is left out.
fn moments(seed: u64) -> Vec<usize> {
    let mut state = seed;
    let mut draw = || {
        // SplitMix64.
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) as usize % (RECIPIENTS * 8 / 10)
    };
    let mut moments: Vec<usize> = (0..KILLS).map(|_| draw()).collect();
    moments.sort_unstable();
    moments
}

fn seed() -> u64 {
    let given = std::env::var("PACKETBOAT_SEED").ok().and_then(|text| text.parse().ok());
    given.unwrap_or_else(|| u64::from(std::process::id()))
}

async fn wait_until(seed: u64, mut condition: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !condition() {
        assert!(begun.elapsed() < PATIENCE, "seed {seed}: nothing happens any more");
        tokio::time::sleep(LOOK).await;
    }
}

async fn internet() -> sandbox::Running {
    let ledger = LedgerOptions { dkim: DkimCheck::OneIn(5), ..LedgerOptions::default() };
    let options = sandbox::Options { providers: Providers::builtin(), ledger, ..sandbox::Options::default() };
    Internet::start(options).await.unwrap()
}

fn configuration(folder: &Path, internet: &sandbox::Running) -> PathBuf {
    let mut text = format!(
        "[server]\nhostname = \"mail.kill.example\"\n[storage]\ndir = \"{}\"\nmin_free_mb = 0\n\
         [http]\nlisten = \"127.0.0.1:0\"\n[dns]\nservers = [\"{}\"]\n\
         [smtp]\nremote_port = {}\nbulk_retry = [\"1s\"]\nbulk_expiry = \"10m\"\n\
         connect_timeout = \"5s\"\ncommand_timeout = \"10s\"\nfinal_dot_timeout = \"10s\"\n\
         [[shaping]]\nbounce_slow_percent = 0\nbounce_hold_percent = 0\n",
        folder.join("data").display(),
        internet.dns(),
        internet.smtp_port(),
    );
    for n in 1..=3 {
        text.push_str(&format!("[[source]]\nname = \"s{n}\"\nip = \"127.31.0.{n}\"\nehlo = \"s{n}.kill.example\"\n"));
    }
    let file = folder.join("packetboat.toml");
    std::fs::write(&file, text).unwrap();
    file
}

/// Everything up to the draft; returns the campaign's path.
async fn prepare(daemon: &Daemon, zone: &Zone, addresses: impl Iterator<Item = &str>) -> String {
    let domain: DomainDetail = daemon.post("/domains", &NewDomain { domain: "kill.example".to_owned() }).await;
    for record in domain.records.iter().filter(|record| record.kind == "TXT") {
        zone.publish_txt(&record.name, &record.wanted);
    }
    let _: DomainDetail = daemon.post(&format!("/domains/{}/verify", domain.domain.id), &()).await;
    let csv = addresses.fold("email\n".to_owned(), |csv, address| csv + address + "\n");
    let part = multipart::Part::bytes(csv.into_bytes()).file_name("contacts.csv");
    let upload = daemon.http.post(daemon.url("/imports")).multipart(multipart::Form::new().part("file", part));
    let import: Import = read(upload).await;
    let path = format!("/imports/{}", import.id);
    let start = ImportStart {
        targets: vec!["email".to_owned()],
        existing: ImportExisting::Update,
        tags: vec![],
        lists: vec![],
        consent_source: String::new(),
    };
    let mut import: Import = daemon.post(&format!("{path}/start"), &start).await;
    while import.state == ImportState::Running {
        tokio::time::sleep(LOOK).await;
        import = daemon.get(&path).await;
    }
    assert_eq!((import.state, import.created), (ImportState::Finished, RECIPIENTS as u64), "{import:?}");
    let template = TemplateInput {
        name: "Kill".to_owned(),
        kind: TemplateKind::Html,
        subject: "Still here, {{ contact.email }}".to_owned(),
        preheader: String::new(),
        source: "<p>Once and only once. <a href=\"{{ unsubscribe_url }}\">Unsubscribe</a></p>".to_owned(),
    };
    let template: Template = daemon.post("/templates", &template).await;
    let campaign = CampaignInput {
        name: "Kill".to_owned(),
        template_id: Some(template.id),
        segment_id: None,
        list_id: None,
        from_email: "news@kill.example".to_owned(),
        from_name: String::new(),
        reply_to: String::new(),
        stream: String::new(),
        pool: String::new(),
    };
    let campaign: Campaign = daemon.post("/campaigns", &campaign).await;
    format!("/campaigns/{}", campaign.id)
}

/// A process of the real daemon, spoken to over its local socket.
struct Daemon {
    process: Child,
    http: reqwest::Client,
}

impl Daemon {
    async fn start(config: &Path, folder: &Path) -> Daemon {
        let log = File::options().create(true).append(true).open(folder.join("log")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_packetboat"));
        command.args(["serve", "--config"]).arg(config).stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let process = command.spawn().unwrap();
        let http = reqwest::Client::builder().unix_socket(folder.join("data/packetboat.sock")).build().unwrap();
        let mut daemon = Daemon { process, http };
        let begun = Instant::now();
        while !daemon.answers().await {
            let log = || std::fs::read_to_string(folder.join("log")).unwrap_or_default();
            assert!(daemon.process.try_wait().unwrap().is_none(), "the daemon ended: {}", log());
            assert!(begun.elapsed() < PATIENCE, "the daemon does not answer: {}", log());
            tokio::time::sleep(LOOK).await;
        }
        daemon
    }

    async fn answers(&self) -> bool {
        let answer = self.http.get("http://packetboat/healthz").send().await;
        answer.is_ok_and(|answer| answer.status().is_success())
    }

    /// SIGKILL: no word of farewell, nothing flushed.
    fn kill(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }

    async fn finished(&self, campaign: &str, seed: u64) -> Progress {
        let begun = Instant::now();
        loop {
            let progress: Progress = self.get(&format!("{campaign}/progress")).await;
            if progress.state == Some(CampaignState::Finished) {
                return progress;
            }
            assert!(begun.elapsed() < PATIENCE, "seed {seed}: it does not finish: {progress:?}");
            tokio::time::sleep(LOOK * 20).await;
        }
    }

    fn url(&self, path: &str) -> String {
        format!("http://packetboat/api/v1{path}")
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> T {
        read(self.http.get(self.url(path))).await
    }

    async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> T {
        read(self.http.post(self.url(path)).json(body)).await
    }

    async fn list<T: DeserializeOwned>(&self, path: &str) -> Vec<T> {
        let (mut items, mut cursor) = (Vec::new(), String::new());
        loop {
            let page: Page<T> = self.get(&format!("{path}?limit=200{cursor}")).await;
            items.extend(page.items);
            match page.next {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return items,
            }
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        // It may have been killed already.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

async fn read<T: DeserializeOwned>(request: reqwest::RequestBuilder) -> T {
    let answer = request.send().await.unwrap();
    let (status, text) = (answer.status(), answer.text().await.unwrap());
    assert!(status.is_success(), "{status}: {text}");
    serde_json::from_str(&text).unwrap()
}
