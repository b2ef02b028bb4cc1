//! Warm-up in the configuration: plans, which source follows which, and the pools that take what a warm-up leaves over.

use crate::check::{SourceEntries, span_of, tables};
use crate::declare::{Section, section};
use crate::problem::Collector;
use crate::sections::PoolEntry;
use crate::setting::{Bounds, Setting, Wrong};
use crate::values::Name;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The plans that need not be declared.
const BUILTIN: &str = include_str!("../data/warmup.toml");
/// Instead of a plan: no warm-up at that provider.
const NO_PLAN: &str = "none";
/// Messages a day in one stage at most, stages of a plan at most.
const TARGET_MAX: u64 = 1_000_000_000;
const STAGES_MAX: usize = 365;

section! {
    /// A warm-up plan of your own, beside the built-in ones: "standard" (200, 500, 1,000 … 10,000,000 messages a day,
    /// done on day 30) and "gradual" (480 a day, times 1.4 each day, done after day 41). Repeat the section for each.
    pub(crate) struct WarmupPlanEntry in "warmup_plan" {
        /// Name of the plan, for `warmup` of a source and for new sending domains.
        name: Name = required example "gentle";
        /// Messages a day to one provider, stage by stage: a list that does not descend, or a table with the first
        /// stage, the factor from each to the next, and how many there are. A stage is left only when nine tenths of
        /// it were delivered; after the last one nothing is limited any more.
        stages: Stages = required example [50, 100, 200, 400, 800];
    }
}

/// A warm-up plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WarmupPlan {
    /// Unique name.
    pub name: Name,
    /// Messages a day to one provider, stage by stage; at least one, not descending.
    pub stages: Vec<u64>,
}

/// Another plan at one provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WarmupChoice {
    /// The provider, as the console names it.
    pub provider: String,
    /// Its plan; `None` where the source is warm already.
    pub plan: Option<Name>,
}

/// Messages a day, stage by stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stages(pub Vec<u64>);

impl Setting for Stages {
    fn kind() -> String {
        "a list of messages a day such as [50, 100, 200], none below the one before, or a table such as \
         { start = 50, factor = 1.4, days = 30 }"
            .to_owned()
    }

    fn read(value: &Spanned<DeValue<'_>>, _: Bounds) -> Result<Self, Vec<Wrong>> {
        let stages = match value.get_ref() {
            DeValue::Array(list) => list.iter().map(|item| whole(item.get_ref())).collect(),
            DeValue::Table(table) => growing(table),
            _ => None,
        };
        let stages: Vec<u64> = stages.ok_or_else(|| Wrong::at(value))?;
        let good = (1..=STAGES_MAX).contains(&stages.len())
            && stages.iter().all(|target| (1..=TARGET_MAX).contains(target))
            && stages.is_sorted();
        if good { Ok(Stages(stages)) } else { Err(Wrong::at(value)) }
    }
}

fn growing(table: &DeTable<'_>) -> Option<Vec<u64>> {
    if table.iter().any(|(key, _)| !matches!(key.get_ref().as_ref(), "start" | "factor" | "days")) {
        return None;
    }
    let start = whole(table.get("start")?.get_ref())?;
    let factor = number(table.get("factor")?.get_ref()).filter(|factor| (1.0..=10.0).contains(factor))?;
    let days = whole(table.get("days")?.get_ref()).and_then(|days| i32::try_from(days).ok())?;
    let days = (days <= STAGES_MAX as i32).then_some(days)?;
    // What is too much becomes the largest number of all, which the bounds refuse.
    Some((0..days).map(|day| (start as f64 * factor.powi(day)).round() as u64).collect())
}

fn whole(value: &DeValue<'_>) -> Option<u64> {
    let integer = value.as_integer()?;
    u64::from_str_radix(integer.as_str(), integer.radix()).ok()
}

fn number(value: &DeValue<'_>) -> Option<f64> {
    value.as_float().and_then(|float| float.as_str().parse().ok()).or_else(|| whole(value).map(|whole| whole as f64))
}

impl Setting for WarmupChoice {
    fn kind() -> String {
        "a table such as { provider = \"Google\", plan = \"gradual\" }, with the plan \"none\" where it is warm"
            .to_owned()
    }

    fn read(value: &Spanned<DeValue<'_>>, _: Bounds) -> Result<Self, Vec<Wrong>> {
        let table = value.get_ref().as_table().filter(|table| table.len() == 2).ok_or_else(|| Wrong::at(value))?;
        let provider = table.get("provider").and_then(|found| found.get_ref().as_str()).filter(|text| !text.is_empty());
        let plan = table.get("plan").and_then(|found| Name::read(found, None).ok());
        let (Some(provider), Some(plan)) = (provider, plan) else { return Err(Wrong::at(value)) };
        let plan = Some(plan).filter(|plan| plan.as_str() != NO_PLAN);
        Ok(WarmupChoice { provider: provider.to_owned(), plan })
    }
}

/// The name of another pool; `""` for none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PoolName(pub Option<Name>);

impl Setting for PoolName {
    fn kind() -> String {
        "the name of another pool, or \"\" for none".to_owned()
    }

    fn read(value: &Spanned<DeValue<'_>>, _: Bounds) -> Result<Self, Vec<Wrong>> {
        match value.get_ref().as_str() {
            Some("") => Ok(PoolName(None)),
            _ => Name::read(value, None).map(|name| PoolName(Some(name))),
        }
    }
}

/// All plans, the built-in ones first; reports names that are taken.
pub(crate) fn plans(root: &DeTable<'_>, problems: &mut Collector<'_>) -> Vec<WarmupPlan> {
    let mut plans = builtin();
    for (entry, table) in tables::<WarmupPlanEntry>(root, problems) {
        if plans.iter().any(|known| known.name == entry.name) {
            let message = format!("there is a warm-up plan named {} already; choose another name", entry.name);
            problems.add(&span_of(table, "name"), "warmup_plan.name", message);
        }
        plans.push(WarmupPlan { name: entry.name, stages: entry.stages.0 });
    }
    plans
}

fn builtin() -> Vec<WarmupPlan> {
    // A test reads the file, so this holds for every build that passed the tests.
    let root = DeTable::parse(BUILTIN).expect("the built-in plans are TOML");
    let mut problems = Collector::new("warmup.toml", BUILTIN);
    let read = tables::<WarmupPlanEntry>(root.get_ref(), &mut problems);
    let plans = read.into_iter().map(|(entry, _)| WarmupPlan { name: entry.name, stages: entry.stages.0 }).collect();
    debug_assert!(problems.finish().is_empty(), "the built-in plans are good");
    plans
}

/// Sources name plans that exist.
pub(crate) fn check_sources(entries: &SourceEntries<'_>, root: &DeTable<'_>, problems: &mut Collector<'_>) {
    let known = plan_names(root);
    for (entry, table) in entries {
        let own = entry.warmup.iter().map(|plan| (plan, "warmup"));
        let others =
            entry.warmup_providers.iter().filter_map(|choice| Some((choice.plan.as_ref()?, "warmup_providers")));
        for (plan, key) in own.chain(others).filter(|(plan, _)| !known.iter().any(|name| name == plan.as_str())) {
            let names: Vec<&str> = known.iter().map(String::as_str).collect();
            let hint = match crate::suggest::nearest(plan.as_str(), &names) {
                Some(near) => format!("did you mean {near}?"),
                None => format!("plans: {}", names.join(", ")),
            };
            let message =
                format!("source {} follows the warm-up plan {plan}, which does not exist; {hint}", entry.name);
            problems.add(&span_of(table, key), &format!("source.{key}"), message);
        }
    }
}

/// Names of all plans, those with mistakes too: a source that names one of these does not dangle.
fn plan_names(root: &DeTable<'_>) -> Vec<String> {
    let mut names: Vec<String> = builtin().into_iter().map(|plan| plan.name.to_string()).collect();
    let own = root.get(WarmupPlanEntry::KEY).and_then(|value| value.get_ref().as_array());
    let name =
        |item: &Spanned<DeValue<'_>>| Some(item.get_ref().as_table()?.get("name")?.get_ref().as_str()?.to_owned());
    for name in own.into_iter().flat_map(|array| array.iter()).filter_map(name) {
        if !names.contains(&name) {
            names.push(name);
        }
    }
    names
}

/// Overflow pools exist, and lead nowhere in a circle.
pub(crate) fn check_overflow(entries: &[(PoolEntry, &DeTable<'_>)], problems: &mut Collector<'_>) {
    let next = |name: &Name| {
        let pool = entries.iter().find(|(entry, _)| entry.name == *name)?;
        pool.0.overflow.0.as_ref()
    };
    let names: Vec<&str> = entries.iter().map(|(entry, _)| entry.name.as_str()).collect();
    for (entry, table) in entries {
        let Some(overflow) = &entry.overflow.0 else { continue };
        let at = span_of(table, "overflow");
        if !names.contains(&overflow.as_str()) {
            let hint = match crate::suggest::nearest(overflow.as_str(), &names) {
                Some(near) if near != entry.name.as_str() => format!("did you mean {near}?"),
                _ => format!("pools: {}", names.join(", ")),
            };
            let message = format!("pool {} overflows into {overflow}, which does not exist; {hint}", entry.name);
            problems.add(&at, "pool.overflow", message);
            continue;
        }
        let mut way = vec![&entry.name];
        let mut here = overflow;
        while *here != entry.name && !way.contains(&here) {
            way.push(here);
            let Some(further) = next(here) else { break };
            here = further;
        }
        if *here == entry.name {
            let way: Vec<&str> = way.iter().map(|name| name.as_str()).collect();
            let message = format!("pool {} overflows into itself: {} → {}", entry.name, way.join(" → "), entry.name);
            problems.add(&at, "pool.overflow", message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_plans() {
        let plans = builtin();
        let told: Vec<_> = plans
            .iter()
            .map(|plan| (plan.name.as_str(), plan.stages.len(), plan.stages[0], plan.stages[plan.stages.len() - 1]))
            .collect();
        assert_eq!(told, [("standard", 29, 200, 10_000_000), ("gradual", 42, 480, 470_425_332)]);
        assert_eq!(plans[1].stages[..4], [480, 672, 941, 1317]);
    }
}
