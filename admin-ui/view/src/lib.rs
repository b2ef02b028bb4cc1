//! What the console's pages compute, in plain functions over plain values: tested natively, without a browser.

pub mod audience;
pub mod chart;
pub mod contact;
pub mod credential;
pub mod domain;
pub mod filter;
pub mod hygiene;
pub mod import;
pub mod journey;
pub mod message;
pub mod number;
pub mod progress;
pub mod query;
pub mod queue;
pub mod reply;
pub mod report;
pub mod setup;
pub mod shaping;
pub mod source;
pub mod suppression;
pub mod template;
pub mod tone;
pub mod trace;
pub mod warmup;
pub mod webhook;
pub mod when;
