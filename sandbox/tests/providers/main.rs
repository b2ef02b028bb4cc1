//! The providers' behaviours, as dialogues over in-memory pipes in simulated time.

mod breaches;
mod client;
mod expectations;
mod manners;
mod reports;
mod simulation;
mod tls;
mod troubles;
