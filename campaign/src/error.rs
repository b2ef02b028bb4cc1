//! Why something that a person or program asked for was not done.

use storage::StorageError;
use storage::filter::FilterError;

/// Why it was not done. Each variant is one answer of the API.
#[derive(Debug, thiserror::Error)]
pub enum Refused {
    /// No such thing in this workspace.
    #[error("there is no such {0}")]
    NotFound(&'static str),
    /// A value is wrong.
    #[error("{message}")]
    Invalid {
        /// Which one, as in the request: `filter.filters[0].value`.
        field: String,
        /// What is wrong and what to do, as a sentence.
        message: String,
    },
    /// It exists already.
    #[error("{message}")]
    Conflict {
        /// Which value.
        field: String,
        /// What is wrong and what to do, as a sentence.
        message: String,
    },
    /// Not possible in the present state.
    #[error("{0}")]
    WrongState(String),
    /// The database.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl Refused {
    pub(crate) fn invalid(field: impl Into<String>, message: impl Into<String>) -> Refused {
        Refused::Invalid { field: field.into(), message: sentence(&message.into()) }
    }

    pub(crate) fn wrong_state(message: impl Into<String>) -> Refused {
        Refused::WrongState(sentence(&message.into()))
    }

    /// A unique name or address is taken; any other failure stays what it is.
    pub(crate) fn taken(error: StorageError, field: &str, message: impl Into<String>) -> Refused {
        match error {
            StorageError::Exists => Refused::Conflict { field: field.to_owned(), message: sentence(&message.into()) },
            other => Refused::Storage(other),
        }
    }
}

impl From<FilterError> for Refused {
    fn from(error: FilterError) -> Refused {
        let field = if error.at.is_empty() { "filter".to_owned() } else { format!("filter.{}", error.at) };
        Refused::Invalid { field, message: sentence(&error.why) }
    }
}

/// A capital at the beginning, a full stop at the end.
pub(crate) fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let mut out: String = chars.next().map(|first| first.to_uppercase().collect()).unwrap_or_default();
    out.push_str(chars.as_str());
    if !out.is_empty() && !out.ends_with(['.', '!', '?', ':']) {
        out.push('.');
    }
    out
}

/// A name that people gave: trimmed, not empty, not too long.
pub(crate) fn name(field: &str, text: &str) -> Result<String, Refused> {
    let text = text.trim();
    if text.is_empty() {
        return Err(Refused::invalid(field, "write a name"));
    }
    if text.chars().count() > 200 || text.chars().any(char::is_control) {
        return Err(Refused::invalid(field, "a name has at most 200 characters and no line ends"));
    }
    Ok(text.to_owned())
}
