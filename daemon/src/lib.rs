//! The binary `packetboat`: command line, HTTP API, public pages, start and stop; embeds the console.

pub mod app;
pub mod cli;
mod content;
mod demo;
mod disk;
pub mod domains;
mod figures;
pub mod http;
mod imports;
mod jobs;
pub mod ops;
mod passwords;
pub mod serve;
mod text;

pub use http::error::ApiError;
