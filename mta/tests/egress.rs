//! Routes, streams, rates and sources as stories in a simulated world.

mod harness;

use harness::{CAMPAIGN, Voyage, people, provider, world};
use mail::RecipientState;
use mta::health::Checker;
use sandbox::{Door, Manners, Relay, RelayManners};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;
use storage::event::{self, Kind};
use storage::source_check::{self, Level, Subject};
use world::Clock;

const HOUR: Duration = Duration::from_secs(3600);

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn relay(implicit_tls: bool, mechanisms: &str) -> Arc<Relay> {
    let login = ("me".to_owned(), "se cret".to_owned());
    let manners =
        RelayManners { name: "smtp.relay.example".to_owned(), implicit_tls, mechanisms: mechanisms.into(), login };
    Arc::new(Relay::new(manners).unwrap())
}

/// Lets the relay listen where `smtp.relay.example` leads.
fn listen(voyage: &Voyage, relay: &Arc<Relay>, port: u16) {
    voyage.sim.zone.publish_address("smtp.relay.example", ip("192.0.2.25"));
    let mut incoming = voyage.sim.dial.listen((ip("192.0.2.25"), port).into());
    let relay = relay.clone();
    tokio::spawn(async move {
        while let Some(connection) = incoming.recv().await {
            let relay = relay.clone();
            tokio::spawn(async move { relay.serve(connection.stream).await });
        }
    });
}

/// Starts again with the password, and the relay's certificate as trusted one.
async fn trust(voyage: &mut Voyage, relay: &Relay, password: &str) {
    voyage.engine.take().unwrap().stop(Duration::from_secs(1)).await;
    voyage.routes[0].passwords = vec![Some(password.to_owned())];
    voyage.routes[0].ca_pem = Some(relay.ca_pem().as_bytes().to_vec());
    voyage.engine = Some(voyage.begin().await);
}

/// What the events of these kinds tell about sources, in their order.
async fn told(voyage: &Voyage, kinds: &[Kind]) -> Vec<String> {
    let events = voyage.storage.read(|c| event::of_sources(c, None, 100)).await.unwrap();
    let line = |e: &event::EventRow| {
        format!("{} {} {}", e.kind.as_str(), e.source.as_deref().unwrap_or(""), e.text.as_deref().unwrap_or(""))
    };
    events.iter().rev().filter(|event| kinds.contains(&event.kind)).map(line).collect()
}

const RELAY: &str = "
    [[route]]
    name = \"relay\"
    domains = [\"away.example\"]
    hosts = [{ host = \"smtp.relay.example\", user = \"me\" }]
";

#[tokio::test(start_paused = true)]
async fn a_smart_host_that_wants_tls_and_a_user() {
    for (implicit, mechanisms, more) in [
        (false, "PLAIN LOGIN", RELAY.to_owned()),
        (false, "LOGIN", RELAY.to_owned()),
        (true, "CRAM-MD5 PLAIN", RELAY.replace("user =", "tls = \"implicit\", user =")),
    ] {
        let relay = relay(implicit, mechanisms);
        let providers = world(vec![provider("home", 1, Manners::default()), provider("away", 2, Manners::default())]);
        let mut voyage = Voyage::start(providers, &more).await;
        listen(&voyage, &relay, if implicit { 465 } else { 587 });
        trust(&mut voyage, &relay, "se cret").await;
        let addresses = [people("person", "home.example", 5), people("person", "away.example", 7)].concat();
        voyage.launch(CAMPAIGN, addresses).await;
        voyage.until_done(HOUR).await;
        assert_eq!(voyage.endings().await, "delivered 12\n");
        let taken = relay.taken();
        assert_eq!(taken.len(), 7, "the others went to their own hosts");
        assert!(taken.iter().all(|message| message.user == "me" && message.recipient.ends_with("@away.example")));
        assert!(taken[0].content.contains("\n..a line that begins with a dot\n"), "{}", taken[0].content);
    }
}

#[tokio::test(start_paused = true)]
async fn a_smart_host_that_is_not_who_it_says_gets_neither_password_nor_mail() {
    let (relay, other) = (relay(false, "PLAIN"), relay(false, "PLAIN"));
    let providers = world(vec![provider("away", 2, Manners::default())]);
    let mut voyage = Voyage::start(providers, &format!("bulk_retry = [\"2m\"]\n{RELAY}")).await;
    listen(&voyage, &relay, 587);
    // Another authority is trusted: it did not sign this relay's certificate.
    trust(&mut voyage, &other, "se cret").await;
    voyage.launch(CAMPAIGN, people("person", "away.example", 3)).await;
    voyage.sim.clock.sleep(Duration::from_secs(300)).await;
    assert_eq!(relay.taken(), []);
    let log = voyage.log().await;
    assert!(
        log.iter().all(|r| r.state == RecipientState::Queued && r.class == Some(mail::BounceClass::Tls)),
        "{log:?}"
    );
    // A wrong password is told in the server's words, and costs nobody his mail.
    trust(&mut voyage, &relay, "wrong").await;
    voyage.sim.clock.sleep(Duration::from_secs(300)).await;
    let log = voyage.log().await;
    let told = log[0].reply.clone().unwrap();
    assert!(told.contains("the server refused the user me: 535 5.7.8 wrong user or password"), "{told}");
    assert!(!told.contains("wrong\""), "no password in what is told");
    trust(&mut voyage, &relay, "se cret").await;
    voyage.until_done(HOUR).await;
    assert_eq!((voyage.endings().await.as_str(), relay.taken().len()), ("delivered 3\n", 3));
}

#[tokio::test(start_paused = true)]
async fn hosts_in_order_then_the_domains_own() {
    let more = "
        [[route]]
        name = \"relays\"
        hosts = [{ host = \"127.20.0.8\", port = 2525, tls = \"none\" }, { host = \"127.20.0.9\", tls = \"opportunistic\" }]
        then_direct = true
    ";
    let (first, second, own) = (
        provider("first", 8, Manners::default()),
        provider("second", 9, Manners::default()),
        provider("own", 1, Manners::default()),
    );
    let (mut first, mut second) = (first, second);
    for relay in [&mut first, &mut second] {
        relay.domains.push("own.example".to_owned());
    }
    let mut voyage = Voyage::start(world(vec![first, second, own]), more).await;
    // Only one of them is in the DNS for it.
    voyage.sim.zone.withdraw("own.example");
    voyage.sim.zone.publish_mx("own.example", 10, "mx.own-mx.example");
    let mut story = Vec::new();
    let times = [
        ("all there", vec![]),
        ("the first is away", vec![("127.20.0.8", Door::Refuses)]),
        ("both are away", vec![("127.20.0.9", Door::Refuses)]),
        ("both are back", vec![("127.20.0.8", Door::Open), ("127.20.0.9", Door::Open)]),
    ];
    for (number, (what, door)) in (1..).zip(times) {
        for (host, door) in door {
            voyage.sim.dial.set_door(ip(host), door);
        }
        voyage.launch(storage::CampaignId(number), people(&format!("p{number}x"), "own.example", 5)).await;
        voyage.until_done(HOUR).await;
        let route = &voyage.engine.as_ref().unwrap().waker().routes()[0];
        let summary = voyage.sim.ledger.summary();
        let messages = |(name, seen): (&String, &sandbox::ProviderSummary)| format!("{name} {}", seen.messages);
        let deliveries: Vec<String> = summary.iter().map(messages).collect();
        story.push(format!("{what}: {}; down {}", deliveries.join(", "), route.down_until_ms.is_some()));
        voyage.sim.clock.sleep(Duration::from_secs(1200)).await;
    }
    expect_test::expect![[r#"
        [
            "all there: first.example 5; down false",
            "the first is away: first.example 5, second.example 5; down false",
            "both are away: first.example 5, own.example 5, second.example 5; down true",
            "both are back: first.example 10, own.example 5, second.example 5; down false",
        ]
    "#]]
    .assert_debug_eq(&story);
    voyage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_rate_holds_over_all_sites() {
    let providers = (1..=4).map(|n| provider(&format!("site{n}"), n, Manners::default())).collect();
    let more = "
        [[pool]]
        name = \"default\"
        sources = [{ source = \"slow\" }]
        [[source]]
        name = \"slow\"
        ip = \"127.0.1.9\"
        max_rate = \"60/m\"
    ";
    let mut voyage = Voyage::start(world(providers), more).await;
    let all = (1..=4).flat_map(|n| people("person", &format!("site{n}.example"), 150)).collect();
    let began_ms = voyage.sim.clock.now_ms();
    voyage.launch(CAMPAIGN, all).await;
    voyage.until_done(HOUR).await;
    let took_ms = voyage.sim.clock.now_ms() - began_ms;
    let addresses: Vec<String> = voyage.log().await.into_iter().map(|r| r.address).collect();
    let attempts = |address: &String| voyage.sim.ledger.attempts(address);
    let mut at: Vec<i64> = addresses.iter().flat_map(attempts).map(|attempt| attempt.at_ms).collect();
    at.sort_unstable();
    assert_eq!(at.len(), 600);
    // 599 intervals of a second; and not much is lost.
    assert!((599_000..680_000).contains(&took_ms), "{took_ms}");
    let most = at.iter().enumerate().map(|(n, from)| at[n..].iter().filter(|to| **to < from + 60_000).count()).max();
    assert!(most <= Some(61), "{most:?} in a minute");
    voyage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_source_whose_address_is_gone_is_out_until_it_is_back() {
    let mut voyage = Voyage::start(world(vec![provider("port", 1, Manners::default())]), "").await;
    voyage.sim.dial.remove_source(ip("127.0.1.1"));
    voyage.sim.clock.sleep(Duration::from_secs(20)).await;
    let waker = voyage.engine.as_ref().unwrap().waker();
    assert_eq!(waker.source_gone("one").as_deref(), Some("this host does not have 127.0.1.1"));
    assert_eq!(waker.source_gone("two"), None);
    voyage.launch(CAMPAIGN, people("person", "port.example", 60)).await;
    voyage.until_done(HOUR).await;
    let from = |voyage: &Voyage, source: &str| voyage.sim.ledger.total().sources.get(&ip(source)).copied();
    assert_eq!(from(&voyage, "127.0.1.1"), None);
    voyage.sim.dial.return_source(ip("127.0.1.1"));
    voyage.sim.clock.sleep(Duration::from_secs(60)).await;
    assert_eq!(waker.source_gone("one"), None);
    voyage.launch(storage::CampaignId(2), people("other", "port.example", 60)).await;
    voyage.until_done(HOUR).await;
    assert!(from(&voyage, "127.0.1.1") > Some(0));
    voyage.sim.clock.sleep(Duration::from_secs(10)).await;
    let tale = told(&voyage, &[Kind::SourceOut, Kind::SourceBack]).await;
    assert_eq!(
        tale,
        ["source_out one this host does not have 127.0.1.1", "source_back one this host has its address again"]
    );
    drop(waker);
    voyage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn a_site_without_an_address_of_the_sources_family_is_left_to_the_others() {
    let more = "
        [[source]]
        name = \"six\"
        ip = \"2001:db8::7\"
        [[pool]]
        name = \"default\"
        sources = [{ source = \"six\", weight = 100 }, { source = \"two\" }]
    ";
    let mut voyage = Voyage::start(world(vec![provider("four", 1, Manners::default())]), more).await;
    voyage.launch(CAMPAIGN, people("person", "four.example", 40)).await;
    let took = voyage.until_done(HOUR).await;
    assert!(took < Duration::from_secs(60), "{took:?}");
    assert_eq!(voyage.endings().await, "delivered 40\n");
    assert_eq!(voyage.sim.ledger.total().sources.into_iter().collect::<Vec<_>>(), [(ip("127.0.1.2"), 40)]);
    voyage.finish().await;
}

#[tokio::test(start_paused = true)]
async fn how_sources_stand() {
    let more = "
        [health]
        probe_host = \"mx.port-mx.example\"
        [[source]]
        name = \"public\"
        ip = \"198.51.100.7\"
        ehlo = \"mx1.sender.example\"
    ";
    let voyage = Voyage::start(world(vec![provider("port", 1, Manners::default())]), more).await;
    let zone = &voyage.sim.zone;
    let checker = Checker {
        storage: voyage.storage.clone(),
        clock: voyage.sim.clock.clone(),
        dns: voyage.sim.dns.clone(),
        dial: voyage.sim.dial.clone(),
        sources: voyage.config.sources.clone(),
        health: voyage.config.health.clone(),
        turn: tokio::sync::Mutex::new(()),
    };
    let look = async |name: &str| {
        assert!(sandbox::holding_time(checker.check(name)).await.unwrap());
        let name = name.to_owned();
        let rows = voyage.storage.read(move |c| source_check::of(c, &name)).await.unwrap();
        let line = |row: &source_check::SourceCheck| {
            let finding = &row.finding;
            format!("{} {}: {}", finding.subject.as_str(), finding.level.as_str(), finding.found)
        };
        rows.iter().map(line).collect::<Vec<_>>().join("\n")
    };
    expect_test::expect![[r#"
        address good: this host has 198.51.100.7
        ptr bad: 198.51.100.7 has no name: there is no PTR record
        forward off: there is no name that could lead back
        ehlo bad: EHLO says mx1.sender.example, which has no address, and not to 198.51.100.7
        blocklist good: Barracuda does not list 198.51.100.7
        blocklist good: PSBL does not list 198.51.100.7
        blocklist good: SpamCop does not list 198.51.100.7
        blocklist good: Spamhaus ZEN does not list 198.51.100.7
        blocklist good: UCEPROTECT 1 does not list 198.51.100.7
        port25 good: mx.port-mx.example [127.20.0.1] answers at port 25"#]]
    .assert_eq(&look("public").await);
    expect_test::expect![[r#"
        address good: this host has 127.0.1.1
        ptr off: 127.0.1.1 is not a public address: others see another one, whose name cannot be looked up from here
        forward off: 127.0.1.1 is not a public address: others see another one, whose name cannot be looked up from here
        ehlo bad: EHLO says localhost.localdomain, which has no address
        blocklist off: 127.0.1.1 is not a public address, so no blocklist can know it
        port25 good: mx.port-mx.example [127.20.0.1] answers at port 25"#]]
    .assert_eq(&look("one").await);
    zone.publish_ptr(ip("198.51.100.7"), "mx1.sender.example");
    zone.publish_address("mx1.sender.example", ip("198.51.100.7"));
    zone.publish_address("7.100.51.198.zen.spamhaus.org", ip("127.0.0.4"));
    zone.publish_txt("7.100.51.198.zen.spamhaus.org", "see https://check.example");
    zone.publish_address("7.100.51.198.bl.spamcop.net", ip("127.255.255.254"));
    // A list that has ended and says yes to everything.
    zone.publish_address("7.100.51.198.psbl.surriel.com", ip("127.0.0.2"));
    zone.publish_address("1.0.0.127.psbl.surriel.com", ip("127.0.0.2"));
    voyage.sim.dial.set_door(ip("127.20.0.1"), Door::Refuses);
    expect_test::expect![[r#"
        address good: this host has 198.51.100.7
        ptr good: 198.51.100.7 is called mx1.sender.example
        forward good: mx1.sender.example leads back to 198.51.100.7
        ehlo good: EHLO says mx1.sender.example, as the address is called
        blocklist good: Barracuda does not list 198.51.100.7
        blocklist unsure: PSBL lists every address, so it says nothing about 198.51.100.7
        blocklist unsure: SpamCop does not answer the resolver in use
        blocklist bad: Spamhaus ZEN lists 198.51.100.7: XBL: looks infected or has an open proxy (it says: see https://check.example)
        blocklist good: UCEPROTECT 1 does not list 198.51.100.7
        port25 bad: mx.port-mx.example [127.20.0.1] cannot be reached at port 25: connection refused"#]].assert_eq(&look("public").await);
    voyage.sim.clock.sleep(Duration::from_secs(10)).await;
    let rows = voyage.storage.read(|c| source_check::of(c, "public")).await.unwrap();
    let listed = rows.iter().find(|row| row.finding.item == "Spamhaus ZEN").unwrap();
    assert_eq!((listed.finding.subject, listed.finding.level), (Subject::Blocklist, Level::Bad));
    assert!(listed.finding.advice.contains("https://check.spamhaus.org/results/?query=198.51.100.7"));
    let tale = told(&voyage, &[Kind::SourceCheck]).await;
    expect_test::expect![[r#"
        [
            "source_check public 198.51.100.7 has no name: there is no PTR record",
            "source_check public EHLO says mx1.sender.example, which has no address, and not to 198.51.100.7",
            "source_check one EHLO says localhost.localdomain, which has no address",
            "source_check public 198.51.100.7 is called mx1.sender.example",
            "source_check public EHLO says mx1.sender.example, as the address is called",
            "source_check public Spamhaus ZEN lists 198.51.100.7: XBL: looks infected or has an open proxy (it says: see https://check.example)",
            "source_check public mx.port-mx.example [127.20.0.1] cannot be reached at port 25: connection refused",
        ]
    "#]].assert_debug_eq(&tale);
    assert!(!checker.check("nobody").await.unwrap());
    voyage.finish().await;
}
