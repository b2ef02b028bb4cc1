//! Plans: how many messages a day, stage by stage.

use config::WarmupPlan;
use std::collections::HashMap;
use std::sync::Arc;

/// A warm-up plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// Name.
    pub name: String,
    /// Messages a day, stage by stage.
    pub stages: Vec<u64>,
}

impl Plan {
    /// The number of a stage, counted from 0; `None` behind the last, where nothing is limited any more.
    #[must_use]
    pub fn target(&self, stage: u32) -> Option<u64> {
        self.stages.get(stage as usize).copied()
    }
}

/// All plans by their names.
#[derive(Clone, Debug, Default)]
pub struct Plans(HashMap<String, Arc<Plan>>);

impl Plans {
    /// Those of the configuration.
    #[must_use]
    pub fn new(configured: &[WarmupPlan]) -> Plans {
        let plan = |plan: &WarmupPlan| {
            let name = plan.name.to_string();
            (name.clone(), Arc::new(Plan { name, stages: plan.stages.clone() }))
        };
        Plans(configured.iter().map(plan).collect())
    }

    /// The plan of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Arc<Plan>> {
        self.0.get(name)
    }

    /// The plan that a source follows at a provider, if it is not warm there.
    #[must_use]
    pub fn of_source(&self, source: &config::Source, provider: &str) -> Option<&Arc<Plan>> {
        self.get(source.warmup_at(provider)?.as_str())
    }
}
