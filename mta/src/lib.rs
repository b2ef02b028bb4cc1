//! Queue to wire and back: scheduling, sites, egress choice, session, outcome, return-path listener.

pub mod inbound;
