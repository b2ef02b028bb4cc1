//! Reading columns: the closed sets of words, and counts.

use rusqlite::Row;
use rusqlite::types::Type;

/// The word in `column`. One that nobody knows was written by another program.
pub(crate) fn word<T>(row: &Row<'_>, column: usize, parse: fn(&str) -> Option<T>) -> rusqlite::Result<T> {
    read(row.get_ref(column)?.as_str()?, column, parse)
}

/// The word in `column`, where there is one.
pub(crate) fn word_opt<T>(row: &Row<'_>, column: usize, parse: fn(&str) -> Option<T>) -> rusqlite::Result<Option<T>> {
    row.get_ref(column)?.as_str_or_null()?.map(|text| read(text, column, parse)).transpose()
}

fn read<T>(text: &str, column: usize, parse: fn(&str) -> Option<T>) -> rusqlite::Result<T> {
    let unknown =
        || rusqlite::Error::FromSqlConversionFailure(column, Type::Text, format!("{text:?} is unknown").into());
    parse(text).ok_or_else(unknown)
}

/// A count. One below zero would be a mistake of ours.
pub(crate) fn count(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let n: i64 = row.get(column)?;
    u64::try_from(n).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, n))
}

/// The largest count of somebody else's that is stored: what reports claim has no bound, and sums over it must have one.
const FOREIGN_MAX: i64 = 10_000_000_000_000;

/// A count that somebody else claims, as it is stored.
pub(crate) fn foreign(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(FOREIGN_MAX).min(FOREIGN_MAX)
}
