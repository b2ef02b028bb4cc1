//! The simulated world itself: DNS, randomness, time.

use crate::client::{ip, world};
use sandbox::{Manners, Providers, SimOptions, SimWorld, holding_time};
use std::time::Duration;
use world::{Clock, Dns, DnsError, Random};

#[tokio::test(start_paused = true)]
async fn the_simulated_dns_answers_from_the_zone() {
    let world = SimWorld::new(&SimOptions::default(), Providers::builtin()).unwrap();
    let mx = world.dns.mx("twins.example").await.unwrap();
    assert_eq!(
        mx.iter().map(|mx| mx.host.as_str()).collect::<Vec<_>>(),
        ["mx1.twins-mx.example", "mx2.twins-mx.example"]
    );
    assert_eq!(world.dns.addresses("mx2.twins-mx.example").await.unwrap(), [ip("127.20.14.2")]);
    assert_eq!(world.dns.mx("hermit.example").await.unwrap(), []);
    assert_eq!(world.dns.mx("nomail.example").await.unwrap()[0].host, "");
    assert!(matches!(world.dns.mx("nosuchdomain.example").await, Err(DnsError::NoSuchName { .. })));
    assert!(matches!(world.dns.mx("brokendns.example").await, Err(DnsError::Temporary { .. })));
    assert_eq!(world.dns.ptr(ip("127.20.1.1")).await.unwrap(), ["mx1.albatross-mx.example"]);
    assert_eq!(world.dns.questions(), 8);
}

#[tokio::test(start_paused = true)]
async fn one_seed_one_story_and_time_can_be_held() {
    let draw = |seed| {
        let random = sandbox::SeededRandom::new(seed);
        let mut bytes = [0; 12];
        random.fill(&mut bytes);
        (random.below(1000), random.below(0), bytes)
    };
    assert_eq!(draw(7), draw(7));
    assert_ne!(draw(7), draw(8));
    let world = world(Manners::default());
    let before_ms = world.clock.now_ms();
    // Somebody waits for an hour, while we wait for a thread.
    let sleeper = tokio::spawn(world.clock.sleep(Duration::from_secs(3600)));
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let thread = std::thread::spawn(move || sender.send(()));
    holding_time(receiver).await.unwrap();
    thread.join().unwrap().unwrap();
    assert_eq!(world.clock.now_ms(), before_ms);
    sleeper.await.unwrap();
    assert_eq!(world.clock.now_ms(), before_ms + 3_600_000);
}
