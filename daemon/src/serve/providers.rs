//! Names of providers in the configuration.

use config::Config;
use mta::shaping::Snapshot;

/// Providers that the configuration names and nobody is called: what is said of them never holds.
pub(crate) fn warnings(config: &Config) -> Vec<String> {
    let shaping = Snapshot::compile(&config.smtp, &[]);
    let of_shaping = config.shaping.iter().filter_map(|entry| Some(("[[shaping]]", entry.provider.as_ref()?)));
    let of_rules =
        config.bounce_rules.iter().flat_map(|rule| rule.providers.iter().map(|name| ("[[bounce_rule]]", name)));
    let plans = config.sources.iter().flat_map(|source| &source.warmup_providers);
    let of_plans = plans.map(|choice| ("warmup_providers", &choice.provider));
    let strangers = of_shaping.chain(of_rules).chain(of_plans);
    let known: Vec<&str> = shaping.families().iter().map(|family| &*family.name).collect();
    let told = strangers.filter(|(_, name)| shaping.provider_called(name).is_none()).map(|(place, name)| {
        format!(
            "{place}: no provider is called {name:?}, so this never holds. Known by name: {}. Any other is called by the \
             registrable domain of its mail servers, such as \"example.net\"",
            known.join(", ")
        )
    });
    told.collect()
}
