//! The log: standard error, text or JSON. Addresses and content never reach it: rooms log ids, or `mail::mask`.

use config::{LogFormat, LogSection};
use std::io::IsTerminal;
use tracing_subscriber::EnvFilter;

/// Begins to log. Further calls change nothing: tests and the demo may have begun before.
pub(crate) fn start(section: &LogSection) {
    let level = section.level.as_str();
    // What libraries say below warnings is about themselves.
    let filter = format!(
        "{level},hyper=warn,hyper_util=warn,h2=warn,rustls=warn,hickory_resolver=error,hickory_proto=error,hickory_net=error,reqwest=warn,refinery_core=warn"
    );
    let builder = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_writer(std::io::stderr)
        // On a full disk, or when nobody reads it any more, a line cannot be written. To say so on standard error would
        // panic, in whatever thread had something to tell.
        .log_internal_errors(false)
        .with_ansi(std::io::stderr().is_terminal());
    let begun = match section.format {
        LogFormat::Text => builder.try_init(),
        LogFormat::Json => builder.json().try_init(),
    };
    // Somebody else logs already: theirs it is.
    let _ = begun;
}
