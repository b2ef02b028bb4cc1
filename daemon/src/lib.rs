//! The binary `packetboat`: command line, HTTP API, public pages, start and stop; embeds the console.

pub mod app;
pub mod cli;
mod confirmation;
mod content;
pub mod credentials;
mod demo;
mod disk;
pub mod domains;
mod figures;
pub mod http;
mod hygiene;
mod imports;
mod incoming;
mod jobs;
pub mod ops;
mod passwords;
mod pressure;
mod routes;
pub mod serve;
mod text;
mod warmup;
mod webhooks;

pub use http::error::ApiError;
