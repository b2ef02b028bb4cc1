//! The one filter tree compiled to an SQL condition over `contact`.
//!
//! Everything that a person wrote becomes a bound parameter; the text is put together of constants only. Every leaf
//! is true or false, never NULL, so that `not` is the exact complement. For readers: conditions on events and
//! suppressions need the attached files.

mod leaf;
mod standing;
#[cfg(test)]
mod tests;

use crate::WorkspaceId;
use crate::field::Fields;
use api_types::Filter;
use jiff::tz::TimeZone;
use rusqlite::types::Value;

/// Conditions in one filter at most: what a person can still read, and far below SQLite's own bounds.
const CONDITIONS_MAX: usize = 200;
/// Levels of and, or, not.
const DEPTH_MAX: usize = 12;

/// What a filter is compiled against.
#[derive(Clone, Debug)]
pub struct FilterContext {
    /// Whose contacts.
    pub workspace: WorkspaceId,
    /// The workspace's fields.
    pub fields: Fields,
    /// The workspace's time zone: where "today" is.
    pub zone: TimeZone,
    /// Now.
    pub now_ms: i64,
}

/// An SQL condition over `contact` with its parameters.
#[derive(Clone, Debug, PartialEq)]
pub struct CompiledFilter {
    sql: String,
    params: Vec<Value>,
}

impl CompiledFilter {
    /// The same without those who want no mail of a stream. Beside what a person wrote, whose bounds it does not touch.
    #[must_use]
    pub fn wanting(mut self, stream: &str) -> CompiledFilter {
        self.sql = format!("(({}) AND NOT {})", self.sql, standing::HAS_LEFT_STREAM);
        self.params.push(stream.to_owned().into());
        self
    }

    /// Writes the condition behind what `sql` has so far.
    pub(crate) fn append(&self, sql: &mut String, params: &mut Vec<Value>) {
        sql.push_str(&self.sql);
        params.extend(self.params.iter().cloned());
    }
}

/// What is wrong with a filter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}")]
pub struct FilterError {
    /// The place, such as `filters[1].filter.value`; empty for the whole.
    pub at: String,
    /// What is wrong and what to do, as a sentence.
    pub why: String,
}

/// Compiles a filter.
///
/// # Errors
/// The first place that is wrong.
pub fn compile(filter: &Filter, context: &FilterContext) -> Result<CompiledFilter, FilterError> {
    let mut compiler = Compiler { context, sql: String::new(), params: Vec::new(), at: Vec::new(), conditions: 0 };
    compiler.filter(filter)?;
    Ok(CompiledFilter { sql: compiler.sql, params: compiler.params })
}

struct Compiler<'a> {
    context: &'a FilterContext,
    sql: String,
    params: Vec<Value>,
    /// The way to the condition at hand.
    at: Vec<String>,
    conditions: usize,
}

impl Compiler<'_> {
    fn filter(&mut self, filter: &Filter) -> Result<(), FilterError> {
        self.conditions += 1;
        if self.conditions > CONDITIONS_MAX {
            return Err(self.wrong("", format!("a filter has at most {CONDITIONS_MAX} conditions")));
        }
        if self.at.len() > DEPTH_MAX {
            return Err(self.wrong("", format!("conditions are nested at most {DEPTH_MAX} deep")));
        }
        match filter {
            Filter::And { filters } => self.all(filters, " AND ", "1"),
            Filter::Or { filters } => self.all(filters, " OR ", "0"),
            Filter::Not { filter } => {
                self.sql.push_str("NOT ");
                self.at.push("filter".to_owned());
                self.filter(filter)?;
                self.at.pop();
                Ok(())
            }
            Filter::Attribute { path, op, value } => self.attribute(path, *op, value),
            Filter::Tag { name } => self.tag(name),
            Filter::Suppressed => {
                self.text(crate::contact::IS_SUPPRESSED.trim_start());
                self.bind(self.context.now_ms);
                Ok(())
            }
            Filter::SuppressedFor { reason } => {
                self.suppressed_for(*reason);
                Ok(())
            }
            Filter::SoftBounced { times, days } => self.bounced_softly(*times, *days),
            Filter::List { id, status } => {
                self.on_list(*id, *status);
                Ok(())
            }
            Filter::LeftStream { stream } => {
                self.left_stream(stream);
                Ok(())
            }
            Filter::Unengaged { months } => self.unengaged(*months),
            Filter::Message { action, campaign_id, days } => self.message(action, *campaign_id, *days),
            Filter::Random { percent, seed } => self.random(*percent, *seed),
        }
    }

    fn all(&mut self, filters: &[Filter], word: &str, none: &str) -> Result<(), FilterError> {
        if filters.is_empty() {
            self.text(none);
            return Ok(());
        }
        self.text("(");
        for (n, filter) in filters.iter().enumerate() {
            if n > 0 {
                self.text(word);
            }
            self.at.push(format!("filters[{n}]"));
            self.filter(filter)?;
            self.at.pop();
        }
        self.text(")");
        Ok(())
    }

    fn text(&mut self, sql: &str) {
        self.sql.push_str(sql);
    }

    fn bind(&mut self, value: impl Into<Value>) {
        self.params.push(value.into());
    }

    /// The mistake at `field` of the condition at hand.
    fn wrong(&self, field: &str, why: impl Into<String>) -> FilterError {
        let mut at = self.at.join(".");
        if !field.is_empty() {
            if !at.is_empty() {
                at.push('.');
            }
            at.push_str(field);
        }
        FilterError { at, why: why.into() }
    }
}
