//! What other domains ask of TLS, as the API tells it.

mod common;

use api_types::Role;
use common::{NO_DNS, bad, boat_with};
use daemon::serve::Overrides;
use mta::tls::TlsParts;
use reqwest::Method;
use sandbox::{Providers, SimOptions, SimWorld};
use world::{Proof, TlsaRecord};

#[tokio::test]
async fn a_domain_is_looked_at_live() {
    let sim = SimWorld::new(&SimOptions::default(), Providers::builtin()).unwrap();
    let tls = TlsParts {
        dnssec: Some(sim.dns.clone()),
        fetch: sim.fetch.clone(),
        roots: sim.roots.clone(),
        submitter: "mail.sender.example".to_owned(),
    };
    let overrides = Overrides { dns: Some(sim.dns.clone()), tls: Some(tls), ..Overrides::default() };
    let boat = boat_with("", overrides, NO_DNS).await;
    let ana = boat.session(Role::Admin).await;

    let bare = ana.get("/api/v1/tls-policy?domain=Albatross.example").await;
    assert_eq!(bare["domain"], "albatross.example");
    assert_eq!(bare["mta_sts"], "It has no MTA-STS record.");
    assert_eq!(bare["dane"], "The MX records are not signed, so DANE cannot apply.");
    let opportunistic = "TLS where the server offers it; certificates are not judged.";
    assert!(bare["hosts"].as_array().unwrap().iter().all(|host| host["requirement"] == opportunistic), "{bare}");

    sim.zone.publish_txt("_mta-sts.albatross.example", "v=STSv1; id=7;");
    sim.zone.publish_txt("_smtp._tls.albatross.example", "v=TLSRPTv1; rua=mailto:tls@albatross.example");
    let policy = "version: STSv1\nmode: enforce\nmx: mx1.albatross-mx.example\nmax_age: 86400\n";
    sim.fetch.publish("https://mta-sts.albatross.example/.well-known/mta-sts.txt", policy);
    sim.zone.set_proof("albatross.example", Proof::Secure);
    sim.zone.set_proof("mx2.albatross-mx.example", Proof::Secure);
    let record = TlsaRecord { usage: 3, selector: 1, matching: 1, data: vec![7; 32] };
    sim.zone.publish_tlsa("_25._tcp.mx2.albatross-mx.example", record);
    let told = ana.get("/api/v1/tls-policy?domain=albatross.example").await;
    assert_eq!(told["mta_sts"], "Policy 7, mode enforce.");
    assert_eq!(told["mta_sts_policy"][1], "mode: enforce");
    assert_eq!(told["tls_reports"], "It wants TLS reports at tls@albatross.example.");
    let hosts: Vec<(&str, &str)> = told["hosts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|host| (host["host"].as_str().unwrap(), host["requirement"].as_str().unwrap()))
        .collect();
    assert_eq!(
        hosts,
        [
            (
                "mx1.albatross-mx.example",
                "TLS is required, with a certificate that is valid for the host (MTA-STS, enforced).",
            ),
            (
                "mx2.albatross-mx.example",
                "TLS is required, with a certificate that the domain's TLSA records vouch for (DANE).",
            ),
        ]
    );
    assert_eq!(told["hosts"][1]["tlsa"][0], format!("3 1 1 {}", "07".repeat(32)));

    sim.zone.set_proof("mx1.albatross-mx.example", Proof::Bogus);
    let told = ana.get("/api/v1/tls-policy?domain=albatross.example").await;
    assert_eq!(told["hosts"][0]["used"], false);
    let why = "The host is left alone: the addresses of mx1.albatross-mx.example fail DNSSEC validation.";
    assert_eq!(told["hosts"][0]["requirement"], why);

    for (domain, message) in [
        ("no%20domain", ""),
        ("nomail.example", "nomail.example takes no mail."),
        ("nosuchdomain.example", "nosuchdomain.example does not exist."),
    ] {
        let path = format!("/api/v1/tls-policy?domain={domain}");
        let (status, body) = bad(ana.send(Method::GET, &path, None).await).await;
        assert_eq!((status, body.error.field.as_deref()), (422, Some("domain")), "{domain}");
        assert!(body.error.message.contains(message), "{}", body.error.message);
    }
    boat.stop().await;
}
