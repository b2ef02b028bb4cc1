//! What a recipient costs in the queue's database, measured alone:
//! `cargo run --release -p storage --example queue_cost [WAITING]`.
//!
//! Puts so many recipients into the queue (100,000 unless told), then takes some of them through claim, mark and delivery,
//! with different numbers of them in one commit, as the engine does; prints CPU and bytes written for each.

use mail::{Address, StreamKind};
use std::time::Instant;
use storage::queue::{self, Answer, Attempt, Due, Ending, MarkRequest, NewRecipient, Origin, Settlement, Turn};
use storage::{CampaignId, ContactId, OpenOptions, Storage, StorageError, WorkspaceId, address_hash, outbox};

type Failure = Box<dyn std::error::Error>;

/// Recipients taken through with each size of commits.
const TAKEN: usize = 20_000;
/// Destination domains.
const DOMAINS: i64 = 1_000;
const CAMPAIGN: CampaignId = CampaignId(1);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let waiting: i64 = std::env::args().nth(1).map_or(Ok(100_000), |n| n.parse())?;
    let dir = std::env::current_dir()?.join(format!("queue-cost-{}", std::process::id()));
    let storage = Storage::open(&OpenOptions { dir: dir.clone(), readers: 2 })?;
    let outcome = measure(&storage, waiting).await;
    drop(storage);
    std::fs::remove_dir_all(&dir)?;
    outcome
}

async fn measure(storage: &Storage, waiting: i64) -> Result<(), Failure> {
    let start = |tx: &storage::Transaction<'_>| {
        storage::campaign_run::start(tx, (WorkspaceId::MAIN, CAMPAIGN), ("bulk", "default"), "", 0)
    };
    storage.queue().write(start).await?;
    let begun = Instant::now();
    for first in (0..waiting).step_by(5_000) {
        let rows: Vec<NewRecipient> = (first..waiting.min(first + 5_000)).map(recipient).collect::<Result<_, _>>()?;
        storage.queue().write(move |tx| queue::enqueue(tx, &rows)).await?;
    }
    println!("{waiting} into the queue in {:.2} s", begun.elapsed().as_secs_f64());
    for together in [5, 20, 80] {
        let before = (cpu_seconds()?, written_bytes()?);
        deliver(storage, together).await?;
        let (cpu, written) = (cpu_seconds()? - before.0, written_bytes()? - before.1);
        println!(
            "{together} in a commit: {:.1} µs and {} bytes written for a recipient",
            cpu * 1e6 / TAKEN as f64,
            written / TAKEN as u64
        );
    }
    Ok(())
}

/// Takes recipients through; each commit has the marks of some and the outcomes of those marked before them.
async fn deliver(storage: &Storage, together: usize) -> Result<(), Failure> {
    let mut turn = Turn::default();
    let mut taken = 0;
    while taken < TAKEN {
        let due = Due { now_ms: 1_000, bulk: 500, transactional: 500, turn };
        let got = storage.queue().write(move |tx| queue::take_due(tx, due)).await?;
        turn = got.turn;
        taken += got.claimed.len();
        let mut marked: Vec<_> = Vec::new();
        for some in got.claimed.chunks(together) {
            let ids: Vec<_> = some.iter().map(|claimed| claimed.id).collect();
            write(storage, ids.clone(), std::mem::replace(&mut marked, ids)).await?;
        }
        write(storage, Vec::new(), marked).await?;
        while outbox::drain(storage, 2_000).await? > 0 {}
    }
    Ok(())
}

async fn write(
    storage: &Storage,
    marks: Vec<storage::RecipientId>,
    sent: Vec<storage::RecipientId>,
) -> Result<(), StorageError> {
    let mark = |id| MarkRequest { id, source: "mx1".into(), provider: "d.example".into() };
    let marks: Vec<MarkRequest> = marks.into_iter().map(mark).collect();
    let sent: Vec<Settlement> = sent.into_iter().map(delivered).collect();
    let work = move |tx: &storage::Transaction<'_>| {
        queue::mark_sending(tx, &marks, 1_000)?;
        queue::settle(tx, &sent)
    };
    storage.queue().write(work).await?;
    Ok(())
}

fn delivered(id: storage::RecipientId) -> Settlement {
    let attempt = Attempt {
        source: "mx1".into(),
        site: "mx.d.example".into(),
        provider: "d.example".into(),
        mx: "mx.d.example".into(),
        tls: None,
        reports: false,
        took_ms: 12,
    };
    let reply = mail::Reply::new(250, ["2.0.0 Ok: queued as 4XkzBq1Yz9"]);
    let answer = Some(Answer::of_reply(&reply, None));
    Settlement { id, at_ms: 2_000, ending: Ending::Delivered, attempt: Some(attempt), answer }
}

fn recipient(n: i64) -> Result<NewRecipient, Failure> {
    let address = Address::parse(&format!("r{n}@d{}.example", n % DOMAINS))?;
    Ok(NewRecipient {
        workspace_id: WorkspaceId::MAIN,
        origin: Origin::Campaign { campaign: CAMPAIGN, contact: ContactId(n) },
        address_hash: address_hash(&address),
        domain: address.domain().to_string(),
        address: address.to_string(),
        stream: "bulk".to_owned(),
        kind: StreamKind::Bulk,
        pool: "default".to_owned(),
        due_ms: 1_000,
        accepted_ms: 1_000,
        expires_ms: 100_000_000,
        dsn_notify: None,
        dsn_orcpt: None,
    })
}

/// User and system seconds of this process.
fn cpu_seconds() -> Result<f64, Failure> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let after = stat.rsplit(')').next().unwrap_or("");
    let ticks: f64 = after.split_whitespace().skip(11).take(2).filter_map(|t| t.parse::<f64>().ok()).sum();
    Ok(ticks / 100.0)
}

fn written_bytes() -> Result<u64, Failure> {
    let io = std::fs::read_to_string("/proc/self/io")?;
    let line = io.lines().find_map(|line| line.strip_prefix("write_bytes: "));
    Ok(line.ok_or("no write_bytes")?.parse()?)
}
