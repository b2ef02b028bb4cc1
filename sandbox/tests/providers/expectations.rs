//! What the generator promises of an address is what the providers do.

use crate::client::{Client, wait};
use sandbox::{Expected, Person, Providers, SimOptions, SimWorld};
use std::collections::BTreeMap;
use world::{Dns, DnsError};

/// Enough for greylisting, a storm, and a mailbox that is full at first.
const ATTEMPTS: usize = 4;

/// Delivers as a plain sender would, without TLS; says how the last attempt ended.
async fn deliver(world: &SimWorld, person: &Person) -> String {
    for _ in 0..ATTEMPTS {
        let answer = attempt(world, &person.address).await;
        // An attempt that was cut once the content was on its way is not repeated: that is what "unknown" means.
        if !answer.starts_with('4') {
            return answer;
        }
        wait(world, 5).await;
    }
    "given up".to_owned()
}

async fn attempt(world: &SimWorld, address: &str) -> String {
    let (_, domain) = address.rsplit_once('@').unwrap();
    let mut exchangers: Vec<(u16, String)> = match world.dns.mx(domain).await {
        Ok(exchangers) => exchangers.into_iter().map(|mx| (mx.preference, mx.host)).collect(),
        Err(DnsError::NoSuchName { .. }) => return "no such domain".to_owned(),
        Err(DnsError::Temporary { .. }) => return "4 DNS".to_owned(),
    };
    if exchangers == [(0, String::new())] {
        return "no such domain".to_owned();
    }
    if exchangers.is_empty() {
        exchangers.push((0, domain.to_owned()));
    }
    exchangers.sort();
    for (_, host) in exchangers {
        let server = world.dns.addresses(&host).await.unwrap()[0];
        let Ok(mut client) = Client::connect_to(world, "127.0.1.1", server).await else { continue };
        client.ask("EHLO out.b.example").await;
        client.send(address).await;
        let mut heard = client.heard.lines().filter(|line| !line.starts_with("250 2.1") && *line != "250 2.0.0 Ok");
        let refused = heard.clone().find(|line| line.starts_with(['4', '5']));
        return refused.or(heard.next_back()).unwrap_or_default().to_owned();
    }
    "4 no server".to_owned()
}

#[tokio::test(start_paused = true)]
async fn people_are_as_expected() {
    let providers = Providers::builtin();
    let world = SimWorld::new(&SimOptions::default(), providers.clone()).unwrap();
    let mut seen: BTreeMap<Expected, u32> = BTreeMap::new();
    for person in providers.people(2000, 3).filter(|person| person.provider != "Strongbox") {
        let answer = deliver(&world, &person).await;
        let begin = match person.expected {
            Expected::Delivered | Expected::DeliveredLater | Expected::Reported => "250 2.0.0 Ok: queued",
            Expected::UnknownUser => "550 5.1.1",
            Expected::OverQuota => "552 5.2.2",
            Expected::CutInContent | Expected::NeverAnswered => "(closed)",
            Expected::NoSuchDomain => "no such domain",
            Expected::DnsFails => unreachable!("it is never generated"),
        };
        assert!(answer.starts_with(begin), "{person:?}: {answer}");
        *seen.entry(person.expected).or_default() += 1;
    }
    assert_eq!(seen.len(), 8, "{seen:?}");
    assert_eq!(world.ledger.doubles_count(), 0);
    let total = world.ledger.total();
    assert_eq!((total.breaches.len(), total.copies), (0, world.ledger.recipients() as u64));
}
