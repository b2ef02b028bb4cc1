//! The conditions of a filter: values of the contact, tags, messages, random shares.

use super::{Compiler, FilterError};
use crate::functions::fold;
use api_types::{FieldKind, FilterOp};
use jiff::civil::Date;
use jiff::{Timestamp, ToSpan};
use serde_json::Value as Json;

/// What kind of value a path leads to, and the SQL that reads it.
enum Subject {
    /// Text, empty when there is none. The expression is folded.
    Text(&'static str),
    /// A value of a field under a JSON path.
    Field(FieldKind, String),
    /// Milliseconds.
    Moment(&'static str),
}

/// A hundred years.
const DAYS_MAX: u32 = 36_525;

const FIELD_VALUE: &str = "json_extract(contact.attributes, ?)";
const FIELD_FOLDED: &str = "fold(json_extract(contact.attributes, ?))";

impl Compiler<'_> {
    pub(super) fn attribute(&mut self, path: &str, op: FilterOp, value: &Json) -> Result<(), FilterError> {
        let subject = self.subject(path)?;
        // A comparison with NULL is neither true nor false; IS TRUE makes it false.
        self.text("(");
        match subject {
            Subject::Text(sql) => self.text_condition(sql, None, op, value)?,
            Subject::Field(FieldKind::Text, json) => self.text_condition(FIELD_FOLDED, Some(&json), op, value)?,
            Subject::Field(FieldKind::Number, json) => self.number_condition(&json, op, value)?,
            Subject::Field(FieldKind::Boolean, json) => self.boolean_condition(&json, op, value)?,
            Subject::Field(FieldKind::Date, json) => self.date_condition(&json, op, value)?,
            Subject::Moment(sql) => self.moment_condition(sql, op, value)?,
        }
        self.text(") IS TRUE");
        Ok(())
    }

    fn subject(&self, path: &str) -> Result<Subject, FilterError> {
        Ok(match path {
            "email" => Subject::Text("contact.email_norm"),
            "domain" => Subject::Text("contact.domain"),
            "first_name" => Subject::Text("fold(contact.first_name)"),
            "last_name" => Subject::Text("fold(contact.last_name)"),
            "consent_source" => Subject::Text("fold(contact.consent_source)"),
            "created_at" => Subject::Moment("contact.created_ms"),
            "engaged_at" => Subject::Moment("contact.engaged_ms"),
            _ => {
                let Some(name) = path.strip_prefix("attribute:") else {
                    return Err(self.wrong("path", format!("contacts have no value called “{path}”")));
                };
                let Some(kind) = self.context.fields.get(name) else {
                    return Err(self.wrong("path", format!("there is no field “{name}”; choose one of the list")));
                };
                // Names of fields have no quotes or control characters (checked when they are made), but a path with
                // one could only miss: it is a parameter like every other.
                Subject::Field(*kind, format!("$.\"{name}\""))
            }
        })
    }

    /// `sql`, with its JSON path bound where it needs one.
    fn value(&mut self, sql: &str, json: Option<&str>) {
        self.text(sql);
        if let Some(json) = json {
            self.bind(json.to_owned());
        }
    }

    fn text_condition(
        &mut self,
        sql: &'static str,
        json: Option<&str>,
        op: FilterOp,
        value: &Json,
    ) -> Result<(), FilterError> {
        match op {
            FilterOp::Equals => {
                self.value(sql, json);
                self.compare(" = ?", self.one_text(value)?);
            }
            FilterOp::NotEquals => {
                self.value(sql, json);
                self.compare(" IS NOT ?", self.one_text(value)?);
            }
            FilterOp::Contains | FilterOp::NotContains => {
                let wanted = self.one_text(value)?;
                self.text("coalesce(instr(");
                self.value(sql, json);
                self.compare(if op == FilterOp::Contains { ", ?) > 0, 0)" } else { ", ?) = 0, 1)" }, wanted);
            }
            FilterOp::StartsWith | FilterOp::EndsWith => {
                let wanted = self.one_text(value)?;
                let length = i64::try_from(wanted.chars().count()).unwrap_or(i64::MAX);
                self.text("substr(");
                self.value(sql, json);
                if op == FilterOp::StartsWith {
                    self.text(", 1, ?) = ?");
                    self.bind(length);
                } else {
                    self.text(", ?) = ?");
                    self.bind(-length);
                }
                self.bind(wanted);
            }
            FilterOp::In => {
                let wanted = self.list(value)?.iter().map(|v| self.one_text(v)).collect::<Result<Vec<_>, _>>()?;
                self.value(sql, json);
                self.one_of(wanted);
            }
            FilterOp::IsSet => {
                self.value(sql, json);
                self.text(" <> ''");
            }
            FilterOp::IsNotSet => {
                self.text("coalesce(");
                self.value(sql, json);
                self.text(", '') = ''");
            }
            _ => return Err(self.wrong("op", "text cannot be compared like this; numbers and dates can")),
        }
        Ok(())
    }

    fn number_condition(&mut self, json: &str, op: FilterOp, value: &Json) -> Result<(), FilterError> {
        match op {
            FilterOp::In => {
                let wanted = self.list(value)?.iter().map(|v| self.number(v)).collect::<Result<Vec<_>, _>>()?;
                self.value(FIELD_VALUE, Some(json));
                self.one_of(wanted);
            }
            FilterOp::Between => {
                let (low, high) = self.pair(value)?;
                let (low, high) = (self.number(low)?, self.number(high)?);
                self.between(FIELD_VALUE, Some(json), low, high);
            }
            FilterOp::IsSet | FilterOp::IsNotSet => self.presence(json, op),
            _ => {
                let Some(sign) = sign(op) else {
                    return Err(self.wrong("op", "a number cannot be compared like this"));
                };
                let wanted = self.number(value)?;
                self.value(FIELD_VALUE, Some(json));
                self.compare(sign, wanted);
            }
        }
        Ok(())
    }

    fn boolean_condition(&mut self, json: &str, op: FilterOp, value: &Json) -> Result<(), FilterError> {
        match op {
            FilterOp::Equals | FilterOp::NotEquals => {
                let Json::Bool(wanted) = value else {
                    return Err(self.wrong("value", "say yes or no (true or false)"));
                };
                self.value(FIELD_VALUE, Some(json));
                self.compare(if op == FilterOp::Equals { " = ?" } else { " IS NOT ?" }, i64::from(*wanted));
            }
            FilterOp::IsSet | FilterOp::IsNotSet => self.presence(json, op),
            _ => return Err(self.wrong("op", "a yes-or-no field can be compared with “is” and “is not” only")),
        }
        Ok(())
    }

    /// Dates are stored as ISO text, whose order is that of the dates.
    fn date_condition(&mut self, json: &str, op: FilterOp, value: &Json) -> Result<(), FilterError> {
        match op {
            FilterOp::In => {
                let wanted = self.list(value)?.iter().map(|v| self.date(v)).collect::<Result<Vec<_>, _>>()?;
                self.value(FIELD_VALUE, Some(json));
                self.one_of(wanted.iter().map(Date::to_string));
            }
            FilterOp::Between => {
                let (low, high) = self.pair(value)?;
                let (low, high) = (self.date(low)?, self.date(high)?);
                self.between(FIELD_VALUE, Some(json), low.to_string(), high.to_string());
            }
            FilterOp::InTheLastDays | FilterOp::InTheNextDays => {
                let (low, high) = self.days_around(op, value)?;
                self.between(FIELD_VALUE, Some(json), low.to_string(), high.to_string());
            }
            FilterOp::Anniversary => {
                let days = self.anniversary_days();
                self.text("substr(");
                self.value(FIELD_VALUE, Some(json));
                self.text(", 6, 5)");
                self.one_of(days);
            }
            FilterOp::IsSet | FilterOp::IsNotSet => self.presence(json, op),
            _ => {
                let Some(sign) = sign(op) else {
                    return Err(self.wrong("op", "a date cannot be compared like this"));
                };
                let wanted = self.date(value)?;
                self.value(FIELD_VALUE, Some(json));
                self.compare(sign, wanted.to_string());
            }
        }
        Ok(())
    }

    /// A moment against calendar days in the workspace's time zone: a day is the span from its start to the next.
    fn moment_condition(&mut self, sql: &'static str, op: FilterOp, value: &Json) -> Result<(), FilterError> {
        let span = |this: &Self, first: Date, last: Date| -> Result<(i64, i64), FilterError> {
            let after = last.tomorrow().map_err(|_| this.wrong("value", "this date is too far away"))?;
            Ok((this.start_of(first)?, this.start_of(after)? - 1))
        };
        match op {
            FilterOp::IsSet => self.compare_nothing(sql, " IS NOT NULL"),
            FilterOp::IsNotSet => self.compare_nothing(sql, " IS NULL"),
            FilterOp::Equals | FilterOp::NotEquals => {
                let day = self.date(value)?;
                let (low, high) = span(self, day, day)?;
                // One that is absent is no day at all.
                self.text(if op == FilterOp::Equals { "((" } else { "NOT ((" });
                self.between(sql, None, low, high);
                self.text(") IS TRUE)");
            }
            FilterOp::Between => {
                let (low, high) = self.pair(value)?;
                let (low, high) = span(self, self.date(low)?, self.date(high)?)?;
                self.between(sql, None, low, high);
            }
            FilterOp::InTheLastDays | FilterOp::InTheNextDays => {
                let (low, high) = self.days_around(op, value)?;
                let (low, high) = span(self, low, high)?;
                self.between(sql, None, low, high);
            }
            FilterOp::Before | FilterOp::Less => {
                let limit = self.start_of(self.date(value)?)?;
                self.value(sql, None);
                self.compare(" < ?", limit);
            }
            FilterOp::GreaterOrEqual => {
                let limit = self.start_of(self.date(value)?)?;
                self.value(sql, None);
                self.compare(" >= ?", limit);
            }
            FilterOp::After | FilterOp::Greater | FilterOp::LessOrEqual => {
                let day = self.date(value)?;
                let (_, end) = span(self, day, day)?;
                self.value(sql, None);
                self.compare(if op == FilterOp::LessOrEqual { " <= ?" } else { " > ?" }, end);
            }
            FilterOp::Anniversary => {
                let days = self.anniversary_days();
                let zone = self.context.zone.iana_name().unwrap_or("UTC").to_owned();
                self.text("month_day(");
                self.text(sql);
                self.text(", ?)");
                self.bind(zone);
                self.one_of(days);
            }
            _ => return Err(self.wrong("op", "a date cannot be compared like this")),
        }
        Ok(())
    }

    fn compare_nothing(&mut self, sql: &'static str, with: &'static str) {
        self.text(sql);
        self.text(with);
    }

    pub(super) fn tag(&mut self, name: &str) -> Result<(), FilterError> {
        if name.trim().is_empty() {
            return Err(self.wrong("name", "choose a tag"));
        }
        self.text(
            "EXISTS (SELECT 1 FROM contact_tag WHERE contact_tag.contact_id = contact.id AND contact_tag.tag_id = \
             (SELECT id FROM tag WHERE workspace_id = ? AND name = ?))",
        );
        self.bind(self.context.workspace.0);
        self.bind(name.trim().to_owned());
        Ok(())
    }

    pub(super) fn message(
        &mut self,
        action: &str,
        campaign: Option<i64>,
        days: Option<u32>,
    ) -> Result<(), FilterError> {
        if !["delivered", "bounced", "deferred", "unsubscribed"].contains(&action) {
            return Err(self.wrong("action", "choose delivered, bounced, deferred or unsubscribed"));
        }
        self.text(
            "EXISTS (SELECT 1 FROM event WHERE event.contact_id = contact.id AND event.workspace_id = ? AND event.kind = ?",
        );
        self.bind(self.context.workspace.0);
        self.bind(action.to_owned());
        if let Some(campaign) = campaign {
            self.text(" AND event.campaign_id = ?");
            self.bind(campaign);
        }
        if let Some(days) = days {
            if days > DAYS_MAX {
                return Err(self.wrong("days", "this is too long ago"));
            }
            let first = self.today().checked_sub(i64::from(days).days());
            let first = first.map_err(|_| self.wrong("days", "this is too long ago"))?;
            let since_ms = self.start_of(first)?;
            self.text(" AND event.at_ms >= ?");
            self.bind(since_ms);
        }
        self.text(")");
        Ok(())
    }

    pub(super) fn random(&mut self, percent: u8, seed: u32) -> Result<(), FilterError> {
        if percent > 100 {
            return Err(self.wrong("percent", "a share is between 0 and 100 percent"));
        }
        self.text("draw(contact.id, ?) < ?");
        self.bind(i64::from(seed));
        self.bind(i64::from(percent) * 100);
        Ok(())
    }

    fn compare(&mut self, sign: &str, wanted: impl Into<rusqlite::types::Value>) {
        self.text(sign);
        self.bind(wanted);
    }

    fn between<V: Into<rusqlite::types::Value>>(&mut self, sql: &str, json: Option<&str>, low: V, high: V) {
        self.value(sql, json);
        self.text(" BETWEEN ? AND ?");
        self.bind(low);
        self.bind(high);
    }

    fn one_of<V: Into<rusqlite::types::Value>>(&mut self, wanted: impl IntoIterator<Item = V>) {
        self.text(" IN (");
        for (n, value) in wanted.into_iter().enumerate() {
            self.text(if n == 0 { "?" } else { ", ?" });
            self.bind(value);
        }
        self.text(")");
    }

    fn presence(&mut self, json: &str, op: FilterOp) {
        self.value(FIELD_VALUE, Some(json));
        self.text(if op == FilterOp::IsSet { " IS NOT NULL" } else { " IS NULL" });
    }

    fn one_text(&self, value: &Json) -> Result<String, FilterError> {
        match value {
            Json::String(text) if !text.trim().is_empty() => Ok(fold(text)),
            Json::Number(number) => Ok(number.to_string()),
            _ => Err(self.wrong("value", "write what to compare with")),
        }
    }

    fn number(&self, value: &Json) -> Result<f64, FilterError> {
        let number = match value {
            Json::Number(number) => number.as_f64(),
            Json::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        number.filter(|n| n.is_finite()).ok_or_else(|| self.wrong("value", "write a number"))
    }

    /// A calendar day: `2026-01-31`, or the day on which a moment (RFC 3339) falls in the workspace's time zone.
    fn date(&self, value: &Json) -> Result<Date, FilterError> {
        let text = value.as_str().unwrap_or_default().trim();
        if let Ok(at) = text.parse::<Timestamp>() {
            return Ok(at.to_zoned(self.context.zone.clone()).date());
        }
        text.parse().map_err(|_| self.wrong("value", "write a date as year-month-day, for example 2026-01-31"))
    }

    fn list<'v>(&self, value: &'v Json) -> Result<&'v [Json], FilterError> {
        match value {
            Json::Array(list) if !list.is_empty() && list.len() <= 500 => Ok(list),
            Json::Array(list) if list.len() > 500 => {
                Err(self.wrong("value", "a list has at most 500 values; use a tag"))
            }
            _ => Err(self.wrong("value", "write at least one value")),
        }
    }

    fn pair<'v>(&self, value: &'v Json) -> Result<(&'v Json, &'v Json), FilterError> {
        match value {
            Json::Array(list) if list.len() == 2 => Ok((&list[0], &list[1])),
            _ => Err(self.wrong("value", "write the first and the last value")),
        }
    }

    pub(super) fn today(&self) -> Date {
        let now = Timestamp::from_millisecond(self.context.now_ms).unwrap_or(Timestamp::UNIX_EPOCH);
        now.to_zoned(self.context.zone.clone()).date()
    }

    /// First and last day of "in the last N days" and "in the next N days"; today belongs to both.
    fn days_around(&self, op: FilterOp, value: &Json) -> Result<(Date, Date), FilterError> {
        let days = match value {
            Json::Number(number) => number.as_i64(),
            Json::String(text) => text.trim().parse().ok(),
            _ => None,
        };
        let days = days.filter(|days| (0..=i64::from(DAYS_MAX)).contains(days));
        let days = days.ok_or_else(|| self.wrong("value", "write a number of days"))?.days();
        let today = self.today();
        let edge = if op == FilterOp::InTheLastDays { today.checked_sub(days) } else { today.checked_add(days) };
        let edge = edge.map_err(|_| self.wrong("value", "this is too far away"))?;
        Ok((edge.min(today), edge.max(today)))
    }

    /// Today's month and day; who was born on 29 February has the day on the 28th in other years.
    fn anniversary_days(&self) -> Vec<String> {
        let today = self.today();
        let mut days = vec![format!("{:02}-{:02}", today.month(), today.day())];
        if today.month() == 2 && today.day() == 28 && !today.in_leap_year() {
            days.push("02-29".to_owned());
        }
        days
    }

    /// The moment at which a day begins in the workspace's time zone.
    pub(super) fn start_of(&self, day: Date) -> Result<i64, FilterError> {
        let start = day.to_zoned(self.context.zone.clone()).and_then(|at| at.start_of_day());
        Ok(start.map_err(|_| self.wrong("value", "this date is too far away"))?.timestamp().as_millisecond())
    }
}

fn sign(op: FilterOp) -> Option<&'static str> {
    Some(match op {
        FilterOp::Equals => " = ?",
        FilterOp::NotEquals => " IS NOT ?",
        FilterOp::Less | FilterOp::Before => " < ?",
        FilterOp::LessOrEqual => " <= ?",
        FilterOp::Greater | FilterOp::After => " > ?",
        FilterOp::GreaterOrEqual => " >= ?",
        _ => return None,
    })
}
