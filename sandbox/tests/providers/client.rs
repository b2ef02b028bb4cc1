//! A client that talks with one provider, whose server is at `SERVER`.

use expect_test::Expect;
use sandbox::{Ledger, Manners, Provider, Providers, SimOptions, SimWorld};
use std::fmt::Write as _;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use world::{Clock, Dial, Stream};

pub const SERVER: &str = "127.20.0.1";

pub fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

pub fn world(manners: Manners) -> SimWorld {
    let providers = Providers { providers: vec![Provider::of("a.example", ip(SERVER), manners)], oddities: vec![] };
    let options = SimOptions { blocked_sources: vec![ip("127.0.1.3")], ..SimOptions::default() };
    SimWorld::new(&options, providers).unwrap()
}

/// A client that says what it is told and writes down what it hears.
pub struct Client {
    pub io: BufReader<Box<dyn Stream>>,
    pub heard: String,
}

impl Client {
    pub async fn connect(world: &SimWorld, source: &str) -> Client {
        Client::connect_to(world, source, ip(SERVER)).await.unwrap()
    }

    pub async fn connect_to(world: &SimWorld, source: &str, server: IpAddr) -> std::io::Result<Client> {
        let peer = SocketAddr::new(server, 25);
        let io = BufReader::new(world.dial.connect(Some(ip(source)), peer).await?);
        let mut client = Client { io, heard: String::new() };
        client.hear().await;
        Ok(client)
    }

    /// Hears one whole reply.
    pub async fn hear(&mut self) {
        loop {
            let mut line = String::new();
            match self.io.read_line(&mut line).await {
                Ok(0) | Err(_) => return self.heard.push_str("(closed)\n"),
                Ok(_) => self.heard.push_str(&line.replace("\r\n", "\n")),
            }
            if line.as_bytes().get(3) != Some(&b'-') {
                return;
            }
        }
    }

    pub async fn say(&mut self, text: &str) {
        // When the server has gone, the next reply says so.
        let _ = self.io.write_all(text.replace('\n', "\r\n").as_bytes()).await;
    }

    /// One command and its reply.
    pub async fn ask(&mut self, text: &str) {
        self.say(&format!("{text}\n")).await;
        self.hear().await;
    }

    /// A whole message to one recipient: the replies to MAIL, RCPT and what follows, as far as it goes.
    pub async fn send(&mut self, recipient: &str) {
        self.ask("MAIL FROM:<news@b.example>").await;
        self.ask(&format!("RCPT TO:<{recipient}>")).await;
        if self.heard.ends_with("2.1.5 Ok\n") {
            self.ask("DATA").await;
            self.ask("From: news@b.example\nMessage-ID: <1@b.example>\n\nHello\n.").await;
        } else {
            self.ask("RSET").await;
        }
    }

    pub fn expect(self, expected: Expect) {
        expected.assert_eq(&self.heard);
    }
}

pub async fn wait(world: &SimWorld, seconds: u64) {
    world.clock.sleep(Duration::from_secs(seconds)).await;
}

/// The provider's refusals and cuts.
pub fn counts(ledger: &Ledger) -> String {
    let total = ledger.total();
    let mut out = format!("{} accepted", total.copies);
    for (what, count) in total.refusals.iter().chain(&total.cuts).chain(&total.breaches) {
        let _ = write!(out, ", {count} x {what}");
    }
    out
}
