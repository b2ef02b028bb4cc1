//! What a lane has and how it stands.

use crate::content::Prepared;
use crate::hand::Hand;
use crate::pace::{Limit, Pace};
use crate::shaping::{Limits, Restraint};
use mail::StreamKind;
use std::collections::VecDeque;
use storage::queue::{Origin, Wait};

/// What a lane brings away within this time is not stuck.
pub(super) const SOON_MS: i64 = 5_000;

#[derive(Default)]
pub(super) struct State {
    pub ready: VecDeque<Hand>,
    /// Transactional ones: they go first.
    pub urgent: VecDeque<Hand>,
    pub making: usize,
    /// Messages that are being made for a transactional recipient: their other recipients need not be made.
    pub making_of: Vec<Origin>,
    pub prepared: VecDeque<Prepared>,
    /// Open ones, and those that are being opened.
    pub connections: u32,
    /// Of those, the open ones.
    pub established: u32,
    pub limit: Limit,
    /// Messages taken since the lane began, or began anew after a hold.
    pub taken: u32,
    pub hold: Option<Wait>,
    /// While no connection comes about: from when on transactional mail may see whether one does now.
    pub urgent_from_ms: Option<i64>,
    pub reply: Option<String>,
    /// Times in a row that no connection came about.
    pub failures: u32,
    /// One did not come about, others are still being opened.
    pub in_trouble: bool,
    /// The server offered BDAT and did not know it.
    pub no_chunks: bool,
    /// Hosts that could not be reached lately, tried last.
    pub bad_hosts: Vec<(String, i64)>,
    pub pace: Pace,
    /// Recipients settled or deferred over this lane, for whoever watches its progress.
    pub left: u64,
    pub used_ms: i64,
    pub began_ms: i64,
}

impl State {
    pub fn held(&self, now_ms: i64) -> Option<Wait> {
        self.hold.filter(|hold| hold.due_ms > now_ms)
    }

    /// The same for this kind of mail: a person may wait for a transactional one, so it looks sooner.
    pub fn held_for(&self, kind: StreamKind, now_ms: i64) -> Option<Wait> {
        let hold = self.held(now_ms)?;
        match self.urgent_from_ms.filter(|_| kind == StreamKind::Transactional) {
            Some(from_ms) => {
                (from_ms > now_ms).then_some(Wait { due_ms: hold.due_ms.min(from_ms), reason: hold.reason })
            }
            None => Some(hold),
        }
    }

    /// Whether transactional mail waits here.
    pub fn is_urgent(&self) -> bool {
        let is_urgent = |prepared: &Prepared| prepared.hand.claimed.kind == StreamKind::Transactional;
        !self.urgent.is_empty() || self.prepared.front().is_some_and(is_urgent)
    }

    /// Connections that may be open; an automation of the provider counts for the lane too.
    pub fn allowed_now(&self, limits: &Limits, restraint: &Restraint, now_ms: i64) -> u32 {
        self.limit.at(limits.connections.min(restraint.lane_connections()), now_ms)
    }

    /// Connections that may be opened: a lane begins with one, and what is taken allows more.
    pub fn allowed(&self, limits: &Limits, restraint: &Restraint, now_ms: i64) -> u32 {
        let slow_start = match limits.slow_start {
            0 => u32::MAX,
            step => (self.taken / step).saturating_add(1),
        };
        self.allowed_now(limits, restraint, now_ms).min(slow_start)
    }

    pub fn lower_limit(&mut self, full: u32, now_ms: i64, reply: String) {
        let limit = self.limit.at(full, now_ms);
        self.limit.lowered = Some((self.established.max(1).min(limit), now_ms));
        self.reply = Some(reply);
    }

    /// A message was made, or could not be.
    pub fn made(&mut self, kind: StreamKind, origin: Origin) {
        self.making -= 1;
        if kind == StreamKind::Transactional
            && let Some(place) = self.making_of.iter().position(|other| *other == origin)
        {
            self.making_of.swap_remove(place);
        }
    }

    /// Whether the recipient's message is made, or being made, for another one that it can go with.
    pub fn is_led(&self, hand: &Hand) -> bool {
        let origin = hand.claimed.origin;
        self.making_of.contains(&origin) || self.prepared.iter().any(|prepared| prepared.hand.claimed.origin == origin)
    }

    pub fn waiting(&self) -> usize {
        self.ready.len() + self.urgent.len() + self.making + self.prepared.len()
    }

    pub fn stuck(&self, now_ms: i64) -> usize {
        if now_ms - self.began_ms < SOON_MS {
            return 0;
        }
        let soon = self.pace.now(now_ms) * (SOON_MS as f64 / 1000.0);
        self.waiting().saturating_sub(soon as usize)
    }

    pub fn take_waiting(&mut self) -> Vec<Hand> {
        let prepared = self.prepared.drain(..).map(|prepared| prepared.hand);
        prepared.chain(self.urgent.drain(..)).chain(self.ready.drain(..)).collect()
    }
}
