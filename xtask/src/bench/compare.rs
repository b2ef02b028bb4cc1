//! Rounds: each side once, one after the other, so that what else the machine does falls on all of them.

use anyhow::Result;
use config::Signatures;

use super::sides::{self, Measured};
use super::{Bench, Path};

/// Messages of the first run of each side, which is not counted.
const WARM_UP: usize = 2_000;

/// Both sides of one path, pair by pair.
#[derive(Clone, Debug, Default)]
pub struct Pairs {
    /// Ours.
    pub ours: Vec<Measured>,
    /// The peer's.
    pub peer: Vec<Measured>,
}

impl Pairs {
    /// A figure of ours over the peer's, pair by pair.
    pub fn ratios(&self, figure: fn(&Measured) -> f64) -> Vec<f64> {
        self.ours.iter().zip(&self.peer).map(|(ours, peer)| figure(ours) / figure(peer)).collect()
    }
}

/// All counted runs.
#[derive(Clone, Debug, Default)]
pub struct Compared {
    /// Messages of each run.
    pub messages: usize,
    /// A campaign against the peer's relaying.
    pub campaign: Pairs,
    /// The same campaign runs against the bare client.
    pub bare: Pairs,
    /// The same campaign signed with Ed25519 alone.
    pub ed25519: Vec<Measured>,
    /// Relaying.
    pub relay: Pairs,
    /// Accepting alone.
    pub accept: Pairs,
}

/// Measures the wanted paths.
pub fn compare(bench: &Bench<'_>, wanted: impl Fn(Path) -> bool, with_bare: bool) -> Result<Compared> {
    let mut compared = Compared { messages: bench.options.messages, ..Compared::default() };
    // What is not counted goes elsewhere.
    let mut template = sides::made_up();
    round(bench, WARM_UP, &wanted, with_bare, &mut template, &mut Compared::default())?;
    for run in 1..=bench.options.runs {
        eprintln!("round {run} of {}", bench.options.runs);
        round(bench, bench.options.messages, &wanted, with_bare, &mut template, &mut compared)?;
    }
    Ok(compared)
}

fn round(
    bench: &Bench<'_>,
    messages: usize,
    wanted: &impl Fn(Path) -> bool,
    with_bare: bool,
    template: &mut Vec<u8>,
    into: &mut Compared,
) -> Result<()> {
    let told = |name: &str, measured: Measured| {
        eprintln!("  {name:<20} {}", measured.line());
        measured
    };
    if wanted(Path::Campaign) {
        let (measured, message) = sides::campaign(bench, messages, Signatures::All)?;
        let measured = told("campaign", measured);
        *template = message;
        into.campaign.ours.push(measured);
        if with_bare {
            into.bare.ours.push(measured);
            into.bare.peer.push(told("bare client", sides::bare(bench, messages, template)?));
            let (measured, _) = sides::campaign(bench, messages, Signatures::Ed25519)?;
            into.ed25519.push(told("campaign, Ed25519", measured));
        }
    }
    if wanted(Path::Relay) {
        into.relay.ours.push(told("relay", sides::relay(bench, messages, template)?));
    }
    if wanted(Path::Campaign) || wanted(Path::Relay) {
        // One run of the peer's stands beside both.
        let peer = told("peer relay", sides::peer_relay(bench, messages, template)?);
        for (path, pairs) in [(Path::Campaign, &mut into.campaign), (Path::Relay, &mut into.relay)] {
            if wanted(path) {
                pairs.peer.push(peer);
            }
        }
    }
    if wanted(Path::Accept) {
        into.accept.ours.push(told("accept", sides::accept(bench, messages, template)?));
        into.accept.peer.push(told("peer accept", sides::peer_accept(bench, messages, template)?));
    }
    Ok(())
}
