//! How fast the hot paths of this room are, measured alone: `cargo run --release -p campaign --example speed`.
//!
//! Prints the time of one recipient's message in its parts, of taking an audience into the queue, and of an import. The
//! whole way to the wire is measured by `cargo xtask bench`.

use api_types::{CampaignInput, ImportExisting, ImportStart, KeyStep, TemplateInput, TemplateKind};
use campaign::mailing::{self, Egress, Releaser};
use campaign::render::{Renderer, Request};
use campaign::{import, template};
use mail::{Address, Body, Draft, compose};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};
use storage::domain::NewDkimKey;
use storage::{CampaignId, ContactId, OpenOptions, RecipientId, Storage, StorageError, WorkspaceId, contact, domain};
use world::{Clock, SystemClock};

const W: WorkspaceId = WorkspaceId::MAIN;
const CONTACTS: usize = 100_000;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = std::env::temp_dir().join(format!("packetboat-speed-{}", std::process::id()));
    let storage = Storage::open(&OpenOptions { dir: dir.clone(), readers: 4 })?;
    let outcome = measure(&storage).await;
    drop(storage);
    std::fs::remove_dir_all(&dir)?;
    outcome
}

async fn measure(storage: &Storage) -> Result<(), Box<dyn std::error::Error>> {
    import_contacts(storage).await?;
    let key = NewDkimKey {
        selector: "s".into(),
        algorithm: "rsa-sha256",
        private_sealed: Vec::new(),
        public_key: String::new(),
    };
    let signing = move |tx: &storage::Transaction<'_>| {
        let id = domain::insert(tx, W, ("example.com", "b.example.com"), &[key], 0)?;
        for mut key in domain::keys(tx, W, id)? {
            key.step = KeyStep::Active;
            domain::set_step(tx, W, &key)?;
        }
        Ok(())
    };
    storage.main().write(signing).await?;
    let html = launch(storage, "html", TemplateKind::Html, html_source()).await?;
    let mjml = launch(storage, "mjml", TemplateKind::Mjml, mjml_source("")).await?;
    let each = launch(storage, "mjml each", TemplateKind::Mjml, mjml_source(" width=\"{{ '600px' }}\"")).await?;
    for (name, id, rounds) in [("html", html, 20_000), ("mjml", mjml, 20_000), ("mjml for each", each, 2_000)] {
        render(storage, name, id, rounds)?;
    }
    take_in(storage, html).await?;
    Ok(())
}

async fn import_contacts(storage: &Storage) -> Result<(), Box<dyn std::error::Error>> {
    let mut csv = String::from("email,first name,last name,city,age,joined\n");
    for n in 0..CONTACTS {
        let day = n % 28 + 1;
        writeln!(csv, "person{n}@d{}.example,First{n},Last{n},City {},{},2024-03-{day:02}", n % 1000, n % 50, n % 90)?;
    }
    let id = storage.main().write(|tx| storage::import::insert(tx, W, "people.csv", "me", 0)).await?;
    let path = import::path(storage.dir(), id);
    std::fs::create_dir_all(path.parent().ok_or("no folder")?)?;
    std::fs::write(&path, csv)?;
    let found = import::inspect(&path)?;
    let start = ImportStart {
        targets: found.columns.iter().map(|column| column.target.clone()).collect(),
        existing: ImportExisting::Update,
        tags: vec!["news".into()],
        lists: vec![],
        consent_source: String::new(),
    };
    storage
        .main()
        .write(move |tx| {
            storage::import::set_columns(tx, W, id, &found)?;
            storage::import::start(tx, W, id, &start)
        })
        .await?;
    let row = storage.read(move |tx| storage::import::find(tx, W, id)).await?.ok_or("no import")?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let began = Instant::now();
    let owned = storage.clone();
    tokio::task::spawn_blocking(move || import::run(&owned, &clock, &row, &|| false)).await??;
    let done = storage.read(move |tx| storage::import::find(tx, W, id)).await?.ok_or("no import")?;
    println!(
        "import: {} contacts in {:.2} s, {} refused",
        done.counts.created,
        began.elapsed().as_secs_f64(),
        done.counts.failed
    );
    Ok(())
}

async fn launch(
    storage: &Storage,
    name: &str,
    kind: TemplateKind,
    source: String,
) -> Result<CampaignId, Box<dyn std::error::Error>> {
    let input = TemplateInput {
        name: name.into(),
        kind,
        subject: "News for {{ contact.first_name | default: \"you\" }}".into(),
        preheader: "What is new in {{ contact.city }}".into(),
        source,
    };
    let template = template::create(storage, W, input, "me".into(), 0).await?;
    let input = CampaignInput {
        name: name.into(),
        template_id: Some(template.id.0),
        segment_id: None,
        list_id: None,
        from_email: "news@example.com".into(),
        from_name: "Example".into(),
        reply_to: String::new(),
        stream: String::new(),
        pool: String::new(),
    };
    let made = mailing::create(storage, W, input, "me".into(), 0).await?;
    let egress = Egress { streams: config::Config::default().streams, pools: vec!["default".into()] };
    mailing::launch(storage, (W, made.id), "me".into(), egress, SystemClock.now_ms()).await?;
    Ok(made.id)
}

fn render(storage: &Storage, name: &str, id: CampaignId, rounds: i64) -> Result<(), Box<dyn std::error::Error>> {
    let renderer = Renderer::new();
    let to = Address::parse("person1@d1.example")?;
    let mut bytes = 0;
    let one = |n: i64| -> Result<Vec<u8>, Box<dyn std::error::Error>> {
        let request = Request {
            workspace: W,
            campaign: id,
            contact: ContactId(1 + n % CONTACTS as i64),
            recipient: RecipientId(n + 1),
            to: &to,
            now_ms: 1_700_000_000_000,
            message_id: "1.abc@example.com",
            unsubscribe_url: "https://mail.example.com/u/AbCdEfGhIjKlMnOpQrStUvWx",
            preferences_url: "https://mail.example.com/p/AbCdEfGhIjKlMnOpQrStUvWx",
            unsubscribe_mailto: None,
            headers: &[],
        };
        let rendered = storage.read_blocking(|tx| Ok(renderer.render(tx, &request)))?;
        Ok(rendered?.message)
    };
    one(0)?;
    let began = Instant::now();
    for n in 0..rounds {
        bytes += one(n)?.len();
    }
    let whole = began.elapsed();
    let began = Instant::now();
    for n in 0..rounds {
        let id = ContactId(1 + n % CONTACTS as i64);
        storage.read_blocking(|tx| contact::person(tx, W, id))?;
    }
    let reading = began.elapsed();
    println!(
        "{name}: {:.1} µs a message of {} bytes, of which {:.1} µs to read the contact",
        micros(whole, rounds),
        bytes / rounds as usize,
        micros(reading, rounds)
    );
    let (text, html) = ("words ".repeat(200), html_source());
    let began = Instant::now();
    for _ in 0..rounds {
        compose(&Draft {
            from: &to,
            from_name: "Example",
            to: &to,
            reply_to: None,
            subject: "News",
            date_ms: 1_700_000_000_000,
            message_id: "1.abc@example.com",
            headers: &[],
            body: Body { text: &text, html: Some(&html) },
            boundary: "=_pb_1",
        })?;
    }
    println!("    writing a message of that size alone: {:.1} µs", micros(began.elapsed(), rounds));
    Ok(())
}

async fn take_in(storage: &Storage, id: CampaignId) -> Result<(), StorageError> {
    let releaser = Releaser::new(storage.clone(), Arc::new(SystemClock), config::Config::default().streams);
    let began = Instant::now();
    while releaser.round().await? {}
    let taken = storage.read(move |tx| storage::queue::ledger(tx, W, None)).await?.accepted;
    let _ = id;
    println!("audience: {taken} recipients into the queue in {:.2} s", began.elapsed().as_secs_f64());
    Ok(())
}

fn micros(span: Duration, rounds: i64) -> f64 {
    span.as_secs_f64() * 1e6 / rounds as f64
}

/// 10 KiB as a mail's HTML is: paragraphs, styles, links, a few merge tags.
fn html_source() -> String {
    let mut out = String::from("<html><body style=\"font-family:Arial\">\n<p>Dear {{ contact.first_name }},</p>\n");
    let mut n = 0;
    while out.len() < 10 * 1024 {
        n += 1;
        let _ = writeln!(
            out,
            "<p style=\"color:#334455;font-size:14px\">Paragraph {n}, with a <a href=\"https://shop.example/offer/{n}?from=mail\">\
             link</a> and some words that make it as long as paragraphs are.</p>"
        );
        if n % 12 == 0 {
            out.push_str("<p>{{ contact.city | upcase }}: {% if contact.age > 30 %}A{% else %}B{% endif %}</p>\n");
        }
    }
    out + "<p><a href=\"{{ unsubscribe_url }}\">Unsubscribe</a> {{ workspace.postal_address }}</p></body></html>"
}

fn mjml_source(attributes: &str) -> String {
    let mut out = format!("<mjml><mj-body{attributes}>");
    for n in 0..4 {
        let _ = write!(
            out,
            "<mj-section><mj-column><mj-text>Dear {{{{ contact.first_name }}}}, paragraph {n} in {{{{ contact.city }}}}.</mj-text>\
             <mj-button href=\"https://shop.example/{n}\">Look</mj-button></mj-column></mj-section>"
        );
    }
    out + "<mj-section><mj-column><mj-text><a href=\"{{ unsubscribe_url }}\">Unsubscribe</a></mj-text></mj-column></mj-section></mj-body></mjml>"
}
