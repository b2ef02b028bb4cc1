//! The internet on loopback sockets: the DNS asked by the real resolver, mail over real TCP, reports sent back.

use sandbox::{DkimCheck, Expected, Internet, LedgerOptions, Options, Provider, Providers, Running};
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use world::{Dial, Dns, DnsError, DnsOptions, HickoryDns, MxRecord, TcpDial};

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

/// The built-in providers at addresses that no other test has (127.NETWORK.x.y), so that tests may run side by side.
async fn internet(network: u8, report_port: u16) -> Running {
    let mut providers = Providers::builtin();
    for mx in providers.providers.iter_mut().flat_map(|provider| &mut provider.mx) {
        let IpAddr::V4(four) = mx.ip else { panic!("{} is not IPv4", mx.ip) };
        let [a, _, c, d] = four.octets();
        mx.ip = IpAddr::from([a, network, c, d]);
    }
    let ledger = LedgerOptions { dkim: DkimCheck::Off, ..LedgerOptions::default() };
    Internet::start(Options { providers, report_port, ledger, ..Options::default() }).await.unwrap()
}

fn resolver(running: &Running) -> HickoryDns {
    let options = DnsOptions {
        servers: vec![running.dns()],
        timeout: Duration::from_secs(2),
        attempts: 1,
        ..DnsOptions::default()
    };
    HickoryDns::new(&options).unwrap()
}

#[tokio::test]
async fn the_resolver_understands_every_answer() {
    let running = internet(21, 25).await;
    let zone = running.zone();
    let dns = resolver(&running);
    let record = |preference, host: &str| MxRecord { preference, host: host.to_owned() };

    let mut mx = dns.mx("Albatross.example").await.unwrap();
    mx.sort();
    assert_eq!(mx, [record(5, "mx1.albatross-mx.example"), record(10, "mx2.albatross-mx.example")]);
    assert_eq!(dns.mx("nomail.example").await.unwrap(), [record(0, "")]);
    assert_eq!(dns.mx("hermit.example").await.unwrap(), [], "no MX, but an address");
    assert_eq!(dns.addresses("hermit.example").await.unwrap(), [ip("127.21.15.1")]);
    let missing = DnsError::NoSuchName { name: "nosuchdomain.example".to_owned() };
    assert_eq!(dns.mx("nosuchdomain.example").await, Err(missing.clone()));
    assert_eq!(dns.addresses("nosuchdomain.example").await, Err(missing));
    assert!(matches!(dns.mx("brokendns.example").await, Err(DnsError::Temporary { .. })));
    assert!(matches!(dns.addresses("brokendns.example").await, Err(DnsError::Temporary { .. })));
    let unspeakable = format!("{}.example", "x".repeat(64));
    assert!(matches!(dns.mx(&unspeakable).await, Err(DnsError::NoSuchName { .. })));

    // Aliases are followed, also where the exchanger is one, and a chain without end is a failure.
    zone.publish_cname("alias.example", "albatross.example");
    assert_eq!(dns.mx("alias.example").await.unwrap().len(), 2);
    zone.publish_cname("one.example", "two.example");
    zone.publish_cname("two.example", "one.example");
    assert!(dns.mx("one.example").await.is_err());
    zone.publish_cname("dangling.example", "nothing.example");
    assert!(matches!(dns.mx("dangling.example").await, Err(DnsError::NoSuchName { .. })));

    // Both families; a name with underscores; a text too long for one string and for UDP.
    zone.publish_address("dual.example", ip("192.0.2.1"));
    zone.publish_address("dual.example", ip("2001:db8::1"));
    assert_eq!(dns.addresses("dual.example").await.unwrap(), [ip("192.0.2.1"), ip("2001:db8::1")]);
    let long = format!("v=DKIM1; p={}", "k".repeat(2000));
    zone.publish_txt("s1._domainkey.news.example", &long);
    assert_eq!(dns.txt("s1._domainkey.news.example").await.unwrap(), [long]);
    assert_eq!(dns.txt("dual.example").await.unwrap(), Vec::<String>::new());
    zone.publish_ptr(ip("192.0.2.1"), "Dual.example");
    assert_eq!(dns.ptr(ip("192.0.2.1")).await.unwrap(), ["dual.example"]);

    // A positive answer is kept for as long as its TTL says.
    zone.withdraw("dual.example");
    assert_eq!(dns.addresses("dual.example").await.unwrap().len(), 2);
    assert!(matches!(resolver(&running).addresses("dual.example").await, Err(DnsError::NoSuchName { .. })));
    // So is a negative one.
    assert!(matches!(dns.mx("later.example").await, Err(DnsError::NoSuchName { .. })));
    zone.publish_mx("later.example", 1, "mx.example");
    assert!(matches!(dns.mx("later.example").await, Err(DnsError::NoSuchName { .. })));
    running.shutdown().await;
}

#[tokio::test]
async fn a_silent_server_is_a_temporary_failure() {
    let silent = tokio::net::UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let options = DnsOptions {
        servers: vec![silent.local_addr().unwrap()],
        timeout: Duration::from_millis(50),
        attempts: 1,
        ..DnsOptions::default()
    };
    let dns = HickoryDns::new(&options).unwrap();
    assert!(matches!(dns.mx("albatross.example").await, Err(DnsError::Temporary { .. })));
}

/// Says `lines` one after the other and gives the last line heard.
async fn talk(address: SocketAddr, lines: &[&str]) -> std::io::Result<String> {
    let mut io = BufReader::new(TcpDial.connect(Some(ip("127.0.1.1")), address).await?);
    let mut heard = String::new();
    for line in [&[""], lines].concat() {
        if !line.is_empty() {
            io.write_all(line.replace('\n', "\r\n").as_bytes()).await?;
            io.write_all(b"\r\n").await?;
        }
        loop {
            heard.clear();
            if io.read_line(&mut heard).await? == 0 || heard.as_bytes().get(3) != Some(&b'-') {
                break;
            }
        }
    }
    Ok(heard)
}

#[tokio::test]
async fn every_open_server_takes_mail_and_reports_come_back() {
    let listener = TcpListener::bind("127.22.0.1:0").await.unwrap();
    let running = internet(22, listener.local_addr().unwrap().port()).await;
    running.zone().publish_mx("news.example", 10, "in.news.example");
    running.zone().publish_address("in.news.example", ip("127.22.0.1"));
    let hosts: Vec<Provider> = running.providers().providers.clone();
    for provider in &hosts {
        let rcpt = format!("RCPT TO:<fine-1@{}>", provider.domains[0]);
        for mx in &provider.mx {
            let address = SocketAddr::new(mx.ip, running.smtp_port());
            let heard = talk(address, &["EHLO out.news.example", "MAIL FROM:<a@news.example>", &rcpt]).await;
            match (provider.name.as_str(), heard) {
                ("Twins", Err(error)) => {
                    assert_eq!((mx.preference, error.kind()), (10, std::io::ErrorKind::ConnectionRefused));
                }
                ("Grey Heron", heard) => assert!(heard.unwrap().starts_with("451 4.7.1")),
                ("Strongbox", heard) => assert!(heard.unwrap().starts_with("503 5.5.1"), "TLS is demanded"),
                // Whether there is a storm depends on how long this took.
                ("Squall", heard) => drop(heard.unwrap()),
                (_, heard) => assert!(heard.unwrap().starts_with("250 2.1.5"), "{}", mx.host),
            }
        }
    }
    let echo = hosts.iter().find(|provider| provider.name == "Echo").unwrap();
    let rcpt = format!("RCPT TO:<report-1@{}>", echo.domains[0]);
    let message = "From: a@news.example\nMessage-ID: <7@news.example>\n\nHi\n.";
    let lines = ["EHLO out.news.example", "MAIL FROM:<bounce+7@news.example>", &rcpt, "DATA", message];
    let heard = talk(SocketAddr::new(echo.mx[0].ip, running.smtp_port()), &lines).await.unwrap();
    assert!(heard.starts_with("250 2.0.0"), "{heard}");
    let (stream, peer) = listener.accept().await.unwrap();
    assert_eq!(peer.ip(), echo.mx[0].ip, "the report comes from the provider's own server");
    drop((stream, listener));
    let summary = &running.ledger().summary()["Echo"];
    assert_eq!((summary.copies, summary.messages), (1, 1));
    // A report is still waiting for another attempt: that does not hold the end up.
    running.shutdown().await;
}

#[test]
fn expectations_follow_from_the_address() {
    let providers = Providers::builtin();
    for (address, expected) in [
        ("fine-1@pelican.example", Some(Expected::Delivered)),
        ("full-1@pelican.example", Some(Expected::DeliveredLater)),
        ("unknown-1@petrel.example", Some(Expected::UnknownUser)),
        ("limbo-1@limbo-mail.example", Some(Expected::NeverAnswered)),
        ("ana@nomail.example", Some(Expected::NoSuchDomain)),
        ("ana@brokendns.example", Some(Expected::DnsFails)),
        ("ana@elsewhere.example", None),
    ] {
        assert_eq!(providers.expected(address), expected, "{address}");
    }
}
