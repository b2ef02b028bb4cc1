//! Who was refused, told apart over HTTP, down to the recipients behind each figure.

mod common;

use api_types::Role;
use common::{Session, bad, boat_with};
use daemon::serve::Overrides;
use reqwest::Method;
use sandbox::{Internet, LedgerOptions, Options, Providers};
use serde_json::{Value, json};
use std::time::Duration;

const PROVIDERS: &str = r#"
[[provider]]
name = "Albatross"
weight = 1
domains = ["albatross.example", "sender.example"]
mx = [{ host = "mx.albatross-mx.example", preference = 10, ip = "127.31.3.1" }]
"#;

const BOUNCES: &str = "/api/v1/bounces";

/// What the API says, once as many bounces are counted.
async fn until(ana: &Session, path: &str, all: u64) -> Value {
    for _ in 0..600 {
        let found = ana.get(path).await;
        if found["total"]["all"] == all {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("{path} stays {:#}", ana.get(path).await);
}

fn figures(page: &Value) -> Vec<(&str, u64, u64, u64)> {
    let n = |row: &Value, key: &str| row[key].as_u64().unwrap();
    let rows = page["rows"].as_array().unwrap().iter();
    rows.map(|row| (row["key"].as_str().unwrap(), n(row, "all"), n(row, "hard"), n(row, "soft"))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_figure_leads_to_its_recipients() {
    let providers = Providers::parse(PROVIDERS).unwrap();
    let options = Options { providers, ledger: LedgerOptions::default(), ..Options::default() };
    let internet = Internet::start(options).await.unwrap();
    let more = format!("[smtp]\nremote_port = {}\n", internet.smtp_port());
    let boat = boat_with(&more, Overrides::default(), &format!("servers = [\"{}\"]", internet.dns())).await;
    let ana = boat.session(Role::Owner).await;
    let domain = ana.post("/api/v1/domains", json!({ "domain": "sender.example" })).await;
    for record in domain["records"].as_array().unwrap() {
        if record["kind"] == "TXT" {
            internet.zone().publish_txt(record["name"].as_str().unwrap(), record["wanted"].as_str().unwrap());
        }
    }
    ana.post(&format!("/api/v1/domains/{}/verify", domain["domain"]["id"]), json!({})).await;
    let to = ["fine-bo@albatross.example", "unknown-al@albatross.example", "unknown-cy@albatross.example"];
    let letter = json!({ "from": "shop@sender.example", "to": to, "subject": "Your order", "text": "Thank you." });
    ana.post("/api/v1/messages", letter).await;

    let by_class = until(&ana, BOUNCES, 2).await;
    assert_eq!(figures(&by_class), [("bad_mailbox", 2, 2, 0)], "{by_class:#}");
    let row = &by_class["rows"][0];
    assert!(row["reply"].as_str().unwrap().contains("550"), "the server's own words: {row}");
    let provider = "albatross-mx.example";
    assert_eq!(figures(&ana.get(&format!("{BOUNCES}?by=provider")).await), [(provider, 2, 2, 0)]);
    assert_eq!(figures(&ana.get(&format!("{BOUNCES}?by=source")).await), [("default", 2, 2, 0)]);
    assert_eq!(figures(&ana.get(&format!("{BOUNCES}?kind=soft")).await), []);
    assert_eq!(figures(&ana.get(&format!("{BOUNCES}?until=2001-01-01")).await), []);

    let list = format!("{BOUNCES}/recipients?class=bad_mailbox&provider={provider}&kind=hard&limit=1");
    let first = ana.get(&list).await;
    let second = ana.get(&format!("{list}&cursor={}", first["next"].as_str().unwrap())).await;
    let address = |page: &Value| page["items"][0]["address"].as_str().unwrap().to_owned();
    let mut found = [address(&first), address(&second)];
    found.sort();
    assert_eq!(found, to[1..]);
    assert_eq!(ana.get(&format!("{BOUNCES}/recipients?class=mailbox_full")).await["items"], json!([]));
    for wrong in ["by=colour", "class=bad", "kind=loud", "since=2027-13-01", "since=2027-01-02&until=2027-01-01"] {
        let (status, body) = bad(ana.send(Method::GET, &format!("{BOUNCES}?{wrong}"), None).await).await;
        assert_eq!(status, 422, "{wrong}: {}", body.error.message);
    }
    boat.stop().await;
    internet.shutdown().await;
}
