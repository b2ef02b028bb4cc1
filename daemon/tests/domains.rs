//! Sending domains: records to publish, and how each stands in a DNS that says something else.

mod common;

use api_types::Role;
use common::{NO_DNS, bad, boat_with, good};
use daemon::serve::Overrides;
use reqwest::Method;
use sandbox::{Providers, SimOptions, SimWorld};
use serde_json::{Value, json};

fn record<'a>(detail: &'a Value, purpose: &str) -> &'a Value {
    let records = detail["records"].as_array().unwrap();
    records.iter().find(|record| record["purpose"] == purpose).unwrap_or_else(|| panic!("no {purpose}: {detail}"))
}

#[tokio::test]
async fn each_record_is_told_as_it_stands() {
    let SimWorld { dns, zone, .. } = SimWorld::new(&SimOptions::default(), Providers::builtin()).unwrap();
    let more = "public_url = \"https://links.sender.example:8443\"\n[server]\nhostname = \"mail.sender.example\"\n[[source]]\nname = \"a\"\nip = \"198.51.100.5\"\nehlo = \"a.sender.example\"";
    let boat = boat_with(more, Overrides { dns: Some(dns), ..Overrides::default() }, NO_DNS).await;
    let ana = boat.session(Role::Admin).await;
    let detail = ana.post("/api/v1/domains", json!({ "domain": "Sender.Example" })).await;
    assert_eq!(detail["domain"]["domain"], "sender.example");
    assert_eq!(detail["keys"].as_array().map(Vec::len), Some(2));
    let rsa = record(&detail, "DKIM key (RSA)").clone();
    assert_eq!(rsa["status"], "unchecked");
    assert_eq!(record(&detail, "SPF of the return-path domain")["wanted"], "v=spf1 ip4:198.51.100.5 -all");
    assert_eq!(record(&detail, "Name of the sending address")["wanted"], "a.sender.example");

    zone.publish_txt(rsa["name"].as_str().unwrap(), rsa["wanted"].as_str().unwrap());
    zone.publish_txt("bounce.sender.example", "v=spf1 ip4:192.0.2.1 -all");
    zone.publish_ptr("198.51.100.5".parse().unwrap(), "other.example");
    zone.publish_servfail("_dmarc.sender.example");
    let verify = format!("/api/v1/domains/{}/verify", detail["domain"]["id"]);
    let detail = ana.post(&verify, json!({})).await;
    for (purpose, status, message) in [
        ("DKIM key (RSA)", "found", ""),
        ("DKIM key (Ed25519)", "missing", "Nothing of the kind"),
        ("SPF of the return-path domain", "differs", "198.51.100.5"),
        ("Name of the sending address", "differs", "other.example"),
        ("DMARC policy", "failed", "Try again later"),
        ("Host of the links in mail", "missing", "unsubscribing"),
    ] {
        let found = record(&detail, purpose);
        assert_eq!(found["status"], status, "{found}");
        assert!(found["message"].as_str().unwrap().contains(message), "{found}");
    }
    // What was found is kept.
    let again = ana.get(&format!("/api/v1/domains/{}", detail["domain"]["id"])).await;
    assert_eq!(again, detail);
    assert_eq!(ana.get("/api/v1/domains").await["items"][0]["records_ok"], 1);

    assert_eq!(record(&detail, "Host of the links in mail")["wanted"], "198.51.100.5");
    zone.publish_address("links.sender.example", "203.0.113.80".parse().unwrap());
    let detail = ana.post(&verify, json!({})).await;
    let links = record(&detail, "Host of the links in mail");
    assert_eq!((&links["name"], &links["status"]), (&json!("links.sender.example"), &json!("found")), "{links}");
    assert!(links["message"].as_str().unwrap().contains("another host"), "{links}");

    let (status, _) =
        bad(ana.send(Method::POST, "/api/v1/domains", Some(json!({ "domain": "sender.example" }))).await).await;
    assert_eq!(status, 409);
    let (status, body) =
        bad(ana.send(Method::POST, "/api/v1/domains", Some(json!({ "domain": "no domain" }))).await).await;
    assert_eq!((status, body.error.field.as_deref()), (422, Some("domain")));
    let path = format!("/api/v1/domains/{}", detail["domain"]["id"]);
    good(ana.send(Method::DELETE, &path, None).await).await;
    assert_eq!(ana.send(Method::GET, &path, None).await.status(), 404);
    boat.stop().await;
}
