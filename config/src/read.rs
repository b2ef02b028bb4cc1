//! Reading one table of the file against its declarations.

use crate::declare::{Declared, Section};
use crate::problem::Collector;
use crate::setting::{Setting, Wrong};
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A table being read: hands out checked values and notes what is wrong.
pub(crate) struct Reader<'r, 't> {
    /// Path of the table: `smtp`, `source[0]`.
    path: String,
    /// The table; `None` when the file doesn't have it, so that everything has its default.
    table: Option<&'r DeTable<'r>>,
    /// Where a missing key is reported.
    at: Range<usize>,
    /// The section that has a key of this name, to say where a misplaced key belongs.
    elsewhere: fn(&str) -> Option<&'static str>,
    problems: &'r mut Collector<'t>,
}

impl<'r, 't> Reader<'r, 't> {
    pub fn new(
        path: String,
        table: Option<&'r DeTable<'r>>,
        at: Range<usize>,
        elsewhere: fn(&str) -> Option<&'static str>,
        problems: &'r mut Collector<'t>,
    ) -> Reader<'r, 't> {
        Reader { path, table, at, elsewhere, problems }
    }

    /// The value of a setting: the file's when it is good, else the default (so that reading goes on and every
    /// mistake is found). `None` when there is no default.
    pub fn take<T: Setting>(&mut self, name: &'static str, settings: &'static [Declared]) -> Option<T> {
        let declared = settings.iter().find(|declared| declared.name == name)?;
        if let Some(value) = self.table.and_then(|table| table.get(name)) {
            match T::read(value, declared.bounds) {
                Ok(value) => return Some(value),
                Err(wrongs) => wrongs.into_iter().for_each(|wrong| self.wrong(declared, wrong)),
            }
        } else if declared.default == "required" {
            let key = format!("{}.{name}", self.path);
            let message = format!("{key} is missing, it must be {}", declared.allowed());
            self.problems.add(&self.at, &key, message);
        }
        match declared.default_text() {
            Some(text) => default_value(text),
            None => T::unset(),
        }
    }

    fn wrong(&mut self, declared: &Declared, wrong: Wrong) {
        let key = format!("{}.{}{}", self.path, declared.name, wrong.within);
        let message = match wrong.why {
            Some(why) => format!("{key} {why}"),
            None => {
                let must = wrong.must.unwrap_or_else(|| declared.allowed());
                let because = wrong.because.map(|because| format!(" ({because})")).unwrap_or_default();
                format!("{key} must be {must}, is {}{because}", self.problems.quote(&wrong.at))
            }
        };
        self.problems.add(&wrong.at, &key, message);
    }

    /// Reports every key that is not declared.
    pub fn refuse_the_rest<S: Section>(&mut self) {
        let known: Vec<&str> = S::settings().iter().map(|declared| declared.name).collect();
        for (key, _) in self.table.into_iter().flatten() {
            let name: &str = key.get_ref();
            if known.contains(&name) {
                continue;
            }
            let path = format!("{}.{name}", self.path);
            let hint = match (crate::suggest::nearest(name, &known), (self.elsewhere)(name)) {
                (Some(near), _) => format!("did you mean {near}?"),
                (None, Some(section)) => format!("it belongs to [{section}]"),
                (None, None) => format!("known here: {}", known.join(", ")),
            };
            self.problems.add(&key.span(), &path, format!("unknown key {path}; {hint}"));
        }
    }
}

/// A declared default, read by the code that reads the operator's values.
fn default_value<T: Setting>(text: &'static str) -> Option<T> {
    let value: Spanned<DeValue<'static>> = DeValue::parse(text).ok()?;
    T::read(&value, None).ok()
}
