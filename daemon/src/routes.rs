//! Routes with what lies outside the configuration file: passwords and certificates.

use anyhow::Context;
use config::{Config, Route};
use mta::RouteSetup;

/// The routes, ready for the engine.
///
/// # Errors
/// When a password or a file of certificates is not there.
pub(crate) fn routes(config: &Config) -> anyhow::Result<Vec<RouteSetup>> {
    config.routes.iter().map(|route| setup(route).with_context(|| format!("the route {}", route.name))).collect()
}

fn setup(route: &Route) -> anyhow::Result<RouteSetup> {
    let passwords = route.passwords(|name| std::env::var_os(name))?;
    let read = |file: &std::path::PathBuf| {
        std::fs::read(file).with_context(|| format!("its certificates in {}", file.display()))
    };
    let ca_pem = route.ca_file.as_ref().map(read).transpose()?;
    Ok(RouteSetup { route: route.clone(), passwords, ca_pem })
}
