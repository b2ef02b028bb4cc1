//! Reading an inline table: a value that has keys of its own.

use crate::setting::{Bounds, Setting, Wrong};
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// An inline table being read: hands out what is good and notes what is wrong.
pub(crate) struct Inline<'t> {
    table: &'t DeTable<'t>,
    at: Range<usize>,
    wrongs: Vec<Wrong>,
}

impl<'t> Inline<'t> {
    /// The table, with a complaint about each key that is not `known`.
    pub fn of(value: &'t Spanned<DeValue<'t>>, known: &[&str]) -> Result<Inline<'t>, Vec<Wrong>> {
        let table = value.get_ref().as_table().ok_or_else(|| Wrong::at(value))?;
        let mut inline = Inline { table, at: value.span(), wrongs: Vec::new() };
        for (key, _) in table.iter().filter(|(key, _)| !known.contains(&key.get_ref().as_ref())) {
            let why = format!("has the unknown key {}; known here: {}", key.get_ref(), known.join(", "));
            inline.wrongs.push(Wrong::why(key.span(), why));
        }
        Ok(inline)
    }

    /// The value of a key, where it is there and good.
    pub fn take<T: Setting>(&mut self, key: &str, bounds: Bounds) -> Option<T> {
        let found = T::read(self.table.get(key)?, bounds);
        let must = match bounds {
            Some([low, high]) => format!("{}, {low} to {high}", T::kind()),
            None => T::kind(),
        };
        let place = |wrong: Wrong| Wrong {
            within: format!(".{key}{}", wrong.within),
            must: wrong.must.or_else(|| Some(must.clone())),
            ..wrong
        };
        found.map_err(|wrongs| self.wrongs.extend(wrongs.into_iter().map(place))).ok()
    }

    /// The same for a key that must be there.
    pub fn required<T: Setting>(&mut self, key: &str) -> Option<T> {
        if self.table.get(key).is_none() {
            self.wrongs.push(Wrong::why(self.at.clone(), format!("has no {key}")));
        }
        self.take(key, None)
    }

    /// Notes what is wrong with a key beside others.
    pub fn wrong(&mut self, key: &str, why: &str) {
        let at = self.table.get(key).map_or(self.at.clone(), Spanned::span);
        self.wrongs.push(Wrong { within: format!(".{key}"), ..Wrong::why(at, why.to_owned()) });
    }

    /// `found`, unless something was wrong.
    pub fn end<T>(self, found: T) -> Result<T, Vec<Wrong>> {
        if self.wrongs.is_empty() { Ok(found) } else { Err(self.wrongs) }
    }
}
