//! The binary `packetboat`: command line, HTTP API, public pages, start and stop; embeds the console.

pub mod app;
pub mod cli;
mod content;
mod demo;
mod disk;
pub mod domains;
pub mod http;
mod imports;
pub mod ops;
mod passwords;
pub mod serve;
mod text;
mod warmup;

pub use http::error::ApiError;
