//! `packetboat tls-policy`.

use super::client::Client;
use api_types::TlsPolicy;

/// Prints what a domain asks of TLS.
pub(crate) async fn policy(client: &Client, domain: &str) -> anyhow::Result<()> {
    let escaped: String = domain.bytes().map(|b| format!("%{b:02X}")).collect();
    let found: TlsPolicy = client.get(&format!("/tls-policy?domain={escaped}")).await?;
    print!("{}", written(&found));
    Ok(())
}

fn written(found: &TlsPolicy) -> String {
    let mut text = format!("{} ({})\n", found.domain, found.provider);
    for (what, said) in [("DANE", &found.dane), ("MTA-STS", &found.mta_sts), ("Reports", &found.tls_reports)] {
        text += &format!("  {what:<8} {said}\n");
    }
    for line in &found.mta_sts_policy {
        text += &format!("           {line}\n");
    }
    for host in &found.hosts {
        text += &format!("\n{}\n  {}\n", host.host, host.requirement);
        for record in &host.tlsa {
            text += &format!("  TLSA {record}\n");
        }
    }
    for report in &found.reports {
        text += &format!("\nReport of {}: {} ({})\n", report.day, report.state.replace('_', " "), report.detail);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use api_types::{TlsHost, TlsReport};
    use expect_test::expect;

    #[test]
    fn what_is_printed() {
        let host = |used, requirement: &str| TlsHost {
            host: "mx.a.example".to_owned(),
            tlsa: vec!["3 1 1 07".to_owned()],
            used,
            requirement: requirement.to_owned(),
        };
        let day = "2026-01-05".to_owned();
        let found = TlsPolicy {
            domain: "a.example".to_owned(),
            provider: "a.example".to_owned(),
            dane: "The MX records are signed.".to_owned(),
            mta_sts: "Policy 7, mode enforce.".to_owned(),
            mta_sts_policy: vec!["mode: enforce".to_owned()],
            tls_reports: "It asks for no TLS reports.".to_owned(),
            hosts: vec![host(true, "TLS is required.")],
            reports: vec![TlsReport { day, state: "not_wanted".to_owned(), detail: "no record".to_owned() }],
        };
        expect![[r#"
            a.example (a.example)
              DANE     The MX records are signed.
              MTA-STS  Policy 7, mode enforce.
              Reports  It asks for no TLS reports.
                       mode: enforce

            mx.a.example
              TLS is required.
              TLSA 3 1 1 07

            Report of 2026-01-05: not wanted (no record)
        "#]]
        .assert_eq(&written(&found));
    }
}
