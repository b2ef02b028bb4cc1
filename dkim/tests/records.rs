//! The records to publish, and how what is found compares with them.

use dkim::rotation::{Sight, Step};
use dkim::{
    Algorithm, DnsRecord, DomainSetup, Need, PublishedKey, ReportMailboxes, Verdict, compare, records, sight,
    source_records,
};
use expect_test::expect;
use mail::Domain;

fn setup(source_ips: &[&str]) -> Vec<DnsRecord> {
    let domain = |text| Domain::parse(text).unwrap();
    let key = |selector: &str, algorithm, public_base64: String| PublishedKey {
        selector: selector.to_owned(),
        algorithm,
        public_base64,
        step: Step::Active,
    };
    let keys = [
        key("pb1r", Algorithm::RsaSha256, "MIIB".repeat(98)),
        key("pb1e", Algorithm::Ed25519Sha256, "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=".to_owned()),
    ];
    let ips: Vec<_> = source_ips.iter().map(|ip| ip.parse().unwrap()).collect();
    records(&DomainSetup {
        domain: &domain("example.com"),
        return_path: &domain("bounce.example.com"),
        return_path_host: &domain("mail.example.org"),
        keys: &keys,
        source_ips: &ips,
        reports: Some(ReportMailboxes { dmarc: "dmarc", tlsrpt: "tlsrpt" }),
    })
}

fn print(records: &[DnsRecord]) -> String {
    let line = |record: &DnsRecord| {
        let need = match record.need {
            Need::Required => "required",
            Need::Recommended => "useful",
            Need::Optional => "optional",
        };
        let (kind, purpose) = (record.kind.as_str(), record.purpose.as_str());
        format!("{} {kind} {} ; {purpose}, {need}\n", record.name, record.zone_value())
    };
    records.iter().map(line).collect()
}

#[test]
fn what_to_publish() {
    expect![[r#"
        pb1r._domainkey.example.com TXT "v=DKIM1; k=rsa; p=MIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBM" "IIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIB" ; DKIM key (RSA), required
        pb1e._domainkey.example.com TXT "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=" ; DKIM key (Ed25519), useful
        bounce.example.com TXT "v=spf1 ip4:198.51.100.7 ip6:2001:db8::7 -all" ; SPF of the return-path domain, required
        _dmarc.example.com TXT "v=DMARC1; p=none; rua=mailto:dmarc@bounce.example.com" ; DMARC policy, required
        bounce.example.com MX 10 mail.example.org. ; Return-path mail exchanger, required
        _mta-sts.bounce.example.com TXT "v=STSv1; id=1" ; MTA-STS of the return-path domain, useful
        _smtp._tls.bounce.example.com TXT "v=TLSRPTv1; rua=mailto:tlsrpt@bounce.example.com" ; TLS reports of the return-path domain, useful
        default._bimi.example.com TXT "v=BIMI1; l=https://example.com/logo.svg" ; BIMI logo, optional
    "#]].assert_eq(&print(&setup(&["198.51.100.7", "2001:db8::7", "198.51.100.7"])));
    assert_eq!(setup(&[])[2].value, "v=spf1 a:mail.example.org -all");
    let ehlo = Domain::parse("mx1.example.org").unwrap();
    let sources = [("198.51.100.7".parse().unwrap(), ehlo.clone()), ("2001:db8::7".parse().unwrap(), ehlo)];
    expect![[r#"
        mx1.example.org A 198.51.100.7 ; Address of the sending host, required
        7.100.51.198.in-addr.arpa PTR mx1.example.org. ; Name of the sending address, required
        mx1.example.org AAAA 2001:db8::7 ; Address of the sending host, required
        7.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa PTR mx1.example.org. ; Name of the sending address, required
    "#]].assert_eq(&print(&source_records(&sources)));
}

#[test]
fn comparisons() {
    let records = [
        setup(&["198.51.100.7", "198.51.100.8", "2001:db8::7"]),
        source_records(&[("198.51.100.7".parse().unwrap(), Domain::parse("mx1.example.org").unwrap())]),
    ]
    .concat();
    let rsa = &records[0].value.clone();
    let spaced = format!("k=rsa ; p={} {}", "MIIB".repeat(50), "MIIB".repeat(48));
    let cut = rsa[..200].to_owned();
    let (dkim, ed25519, spf, dmarc, mx, sts, rpt, bimi, a, ptr) = (0, 1, 2, 3, 4, 5, 6, 7, 8, 9);
    let cases: &[(usize, &[&str])] = &[
        (dkim, &[]),
        (dkim, &[rsa]),
        (dkim, &[&spaced]),
        (dkim, &[&cut]),
        (dkim, &["v=spf1 -all"]),
        (dkim, &["v=DKIM1; p="]),
        (dkim, &["v=DKIM1; k=rsa; p=AAAA"]),
        (dkim, &["v=DKIM1; k=ed25519; p=AAAA"]),
        (dkim, &[rsa, rsa]),
        (ed25519, &["v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="]),
        (spf, &[]),
        (spf, &["google-site-verification=x"]),
        (spf, &["v=spf1 ip4:198.51.100.7 ip4:198.51.100.8 ip6:2001:db8::7 -all", "other"]),
        (spf, &["v=spf1 ip4:198.51.100.0/24 ip6:2001:db8::/32 +all"]),
        (spf, &["v=spf1 -all", "v=spf1 mx -all"]),
        (dmarc, &[]),
        (dmarc, &["v=DMARC1; p=none"]),
        (dmarc, &["p=none; v=DMARC1"]),
        (dmarc, &["v=DMARC1; p=none", "v=DMARC1; p=reject"]),
        (mx, &[]),
        (mx, &["5 MAIL.example.org."]),
        (mx, &["10 other.example"]),
        (mx, &["20 mail.example.org", "10 other.example"]),
        (sts, &[]),
        (sts, &["v=STSv1; id=20261126T01;"]),
        (sts, &["v=STSv1; id=not-an-id"]),
        (sts, &["v=STSv1; id=1", "v=STSv1; id=2"]),
        (rpt, &["v=TLSRPTv1; rua=mailto:tls@example.com"]),
        (rpt, &["v=TLSRPTv1; rua=tls@example.com"]),
        (bimi, &["v=BIMI1; l=https://example.com/logo.svg; a="]),
        (bimi, &["v=BIMI1; l=; a="]),
        (bimi, &["v=BIMI1; l=http://example.com/logo.svg"]),
        (a, &["198.51.100.7"]),
        (a, &["198.51.100.9"]),
        (ptr, &["mx1.example.org."]),
        (ptr, &["host-7.example.net"]),
        (ptr, &[]),
    ];
    let mut out = String::new();
    for (record, found) in cases {
        let record = &records[*record];
        let found: Vec<String> = found.iter().map(|text| (*text).to_owned()).collect();
        let verdict = match compare(record, &found) {
            Verdict::Differs { why } => why,
            verdict => format!("{verdict:?}"),
        };
        let shown: Vec<String> = found.iter().map(|text| text.chars().take(60).collect()).collect();
        out += &format!("{} {shown:?}\n    {verdict}\n", record.purpose.as_str());
    }
    expect![[r#"
        DKIM key (RSA) []
            Missing
        DKIM key (RSA) ["v=DKIM1; k=rsa; p=MIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMI"]
            Found
        DKIM key (RSA) ["k=rsa ; p=MIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMI"]
            Found
        DKIM key (RSA) ["v=DKIM1; k=rsa; p=MIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMI"]
            the key is cut off; publish it in several strings of one record
        DKIM key (RSA) ["v=spf1 -all"]
            Missing
        DKIM key (RSA) ["v=DKIM1; p="]
            the key is revoked: its p= is empty
        DKIM key (RSA) ["v=DKIM1; k=rsa; p=AAAA"]
            it is another key
        DKIM key (RSA) ["v=DKIM1; k=ed25519; p=AAAA"]
            the key is of type ed25519, wanted is rsa
        DKIM key (RSA) ["v=DKIM1; k=rsa; p=MIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMI", "v=DKIM1; k=rsa; p=MIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMIIBMI"]
            there are several keys under this name; receivers may take any of them (RFC 6376 §3.6.2.2)
        DKIM key (Ed25519) ["v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaP"]
            Found
        SPF of the return-path domain []
            Missing
        SPF of the return-path domain ["google-site-verification=x"]
            Missing
        SPF of the return-path domain ["v=spf1 ip4:198.51.100.7 ip4:198.51.100.8 ip6:2001:db8::7 -al", "other"]
            Found
        SPF of the return-path domain ["v=spf1 ip4:198.51.100.0/24 ip6:2001:db8::/32 +all"]
            it allows the whole world: it ends with all instead of -all
        SPF of the return-path domain ["v=spf1 -all", "v=spf1 mx -all"]
            there are several SPF records; receivers then ignore all of them (RFC 7208 §4.5)
        DMARC policy []
            Missing
        DMARC policy ["v=DMARC1; p=none"]
            Found
        DMARC policy ["p=none; v=DMARC1"]
            Missing
        DMARC policy ["v=DMARC1; p=none", "v=DMARC1; p=reject"]
            there are several DMARC records; receivers then ignore all of them
        Return-path mail exchanger []
            Missing
        Return-path mail exchanger ["5 MAIL.example.org."]
            Found
        Return-path mail exchanger ["10 other.example"]
            it leads to other.example, not to mail.example.org
        Return-path mail exchanger ["20 mail.example.org", "10 other.example"]
            bounces go to other.example first, and only then to mail.example.org
        MTA-STS of the return-path domain []
            Missing
        MTA-STS of the return-path domain ["v=STSv1; id=20261126T01;"]
            Found
        MTA-STS of the return-path domain ["v=STSv1; id=not-an-id"]
            its id is not 1 to 32 letters and digits
        MTA-STS of the return-path domain ["v=STSv1; id=1", "v=STSv1; id=2"]
            there are several MTA-STS records; receivers then ignore all of them
        TLS reports of the return-path domain ["v=TLSRPTv1; rua=mailto:tls@example.com"]
            Found
        TLS reports of the return-path domain ["v=TLSRPTv1; rua=tls@example.com"]
            its rua names no mailto: or https: address
        BIMI logo ["v=BIMI1; l=https://example.com/logo.svg; a="]
            Found
        BIMI logo ["v=BIMI1; l=; a="]
            its l= is empty: the domain declines to show a logo
        BIMI logo ["v=BIMI1; l=http://example.com/logo.svg"]
            its l= is no https address
        Address of the sending host ["198.51.100.7"]
            Found
        Address of the sending host ["198.51.100.9"]
            it leads to 198.51.100.9, not to 198.51.100.7
        Name of the sending address ["mx1.example.org."]
            Found
        Name of the sending address ["host-7.example.net"]
            it leads to host-7.example.net, not to mx1.example.org
        Name of the sending address []
            Missing
    "#]].assert_eq(&out);
}

#[test]
fn what_a_key_record_means_for_its_rotation() {
    let whole = "v=DKIM1; k=rsa; p=AAAA";
    let cases: &[(Step, &[&str], Sight)] = &[
        (Step::Waiting, &[], Sight::Missing),
        (Step::Waiting, &["v=spf1 -all"], Sight::Missing),
        (Step::Waiting, &[whole], Sight::Visible),
        (Step::Active, &["v=DKIM1; k=rsa; p=BBBB"], Sight::Different),
        (Step::Active, &[whole, "v=DKIM1; p=BBBB"], Sight::Different),
        (Step::Active, &["v=DKIM1; p="], Sight::Emptied),
        (Step::Retired, &[whole], Sight::Different),
        (Step::Retired, &["v=DKIM1; k=rsa; p="], Sight::Emptied),
        (Step::Retired, &["v=DKIM1; p=;"], Sight::Emptied),
        (Step::Retired, &[], Sight::Missing),
    ];
    for (step, found, expected) in cases {
        let key = PublishedKey {
            selector: "pb1r".to_owned(),
            algorithm: Algorithm::RsaSha256,
            public_base64: "AAAA".to_owned(),
            step: *step,
        };
        let record = key.record(&Domain::parse("example.com").unwrap()).unwrap();
        let texts: Vec<String> = found.iter().map(|text| (*text).to_owned()).collect();
        assert_eq!(sight(&record, &texts), *expected, "{step:?} {found:?}");
    }
}

#[test]
fn the_length_of_a_key_is_read_from_its_record() {
    let key = dkim::Key::generate_rsa().unwrap();
    let published = |algorithm, public_base64: &str| PublishedKey {
        selector: "pb1r".to_owned(),
        algorithm,
        public_base64: public_base64.to_owned(),
        step: Step::Removable,
    };
    assert_eq!(published(Algorithm::RsaSha256, &key.public_base64()).rsa_bits(), Some(2048));
    assert_eq!(published(Algorithm::RsaSha256, "AAAA").rsa_bits(), None);
    assert_eq!(published(Algorithm::Ed25519Sha256, &key.public_base64()).rsa_bits(), None);
    assert_eq!(published(Algorithm::RsaSha256, "AAAA").record(&Domain::parse("example.com").unwrap()), None);
}
