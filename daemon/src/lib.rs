//! The binary `packetboat`: command line, HTTP API, public pages, start and stop; embeds the console.

pub mod app;
pub mod cli;
mod content;
pub mod credentials;
mod demo;
mod disk;
pub mod domains;
pub mod http;
mod imports;
pub mod ops;
mod passwords;
mod pressure;
mod routes;
pub mod serve;
mod text;
mod warmup;

pub use http::error::ApiError;
