//! How many connections each address of the network has open at a listener of ours.

use crate::shared::lock;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

/// The count, and its bound.
pub(crate) struct Peers {
    each_max: u32,
    open: Mutex<HashMap<IpAddr, u32>>,
}

/// A connection's place in the count; dropping it gives the place back.
pub(crate) struct PeerPlace {
    peers: Arc<Peers>,
    ip: IpAddr,
}

impl Peers {
    /// At most `each_max` connections from one address.
    pub fn new(each_max: u32) -> Arc<Peers> {
        Arc::new(Peers { each_max, open: Mutex::default() })
    }

    /// A place for one more connection from there, if it may have one.
    pub fn enter(self: &Arc<Self>, ip: IpAddr) -> Option<PeerPlace> {
        let mut open = lock(&self.open);
        let count = open.entry(ip).or_insert(0);
        if *count >= self.each_max {
            return None;
        }
        *count += 1;
        Some(PeerPlace { peers: Arc::clone(self), ip })
    }
}

impl Drop for PeerPlace {
    fn drop(&mut self) {
        let mut open = lock(&self.peers.open);
        if let Some(count) = open.get_mut(&self.ip) {
            *count -= 1;
            if *count == 0 {
                open.remove(&self.ip);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_given_back() {
        let peers = Peers::new(2);
        let (one, other) = (IpAddr::from([127, 0, 0, 1]), IpAddr::from([127, 0, 0, 2]));
        let first = peers.enter(one);
        let second = peers.enter(one);
        assert!(first.is_some() && second.is_some() && peers.enter(one).is_none());
        assert!(peers.enter(other).is_some());
        drop(first);
        assert!(peers.enter(one).is_some());
        drop(second);
        assert!(lock(&peers.open).is_empty());
    }
}
