//! The one shape of every error answer.

use api_types::{ErrorBody, ErrorCode, ErrorDetail};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use campaign::Refused;
use std::time::Duration;
use storage::StorageError;

/// What a handler answers when it cannot do what was asked.
#[derive(Debug)]
pub struct ApiError {
    code: ErrorCode,
    message: String,
    field: Option<String>,
    retry_after: Option<Duration>,
}

impl ApiError {
    /// An error with a sentence for people.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> ApiError {
        ApiError { code, message: message.into(), field: None, retry_after: None }
    }

    /// A field is wrong.
    pub fn invalid(field: &str, message: impl Into<String>) -> ApiError {
        let field = (!field.is_empty()).then(|| field.to_owned());
        ApiError { field, ..ApiError::new(ErrorCode::Invalid, message) }
    }

    /// No such thing, or not in this workspace.
    pub fn not_found(what: &str) -> ApiError {
        ApiError::new(ErrorCode::NotFound, format!("There is no such {what}."))
    }

    /// The name is taken.
    pub fn exists(field: &str, message: impl Into<String>) -> ApiError {
        ApiError::new(ErrorCode::Conflict, message).at(field)
    }

    /// Not possible in the present state.
    pub fn wrong_state(message: impl Into<String>) -> ApiError {
        ApiError::new(ErrorCode::WrongState, message)
    }

    /// Our fault: logged here with the request's id, told to nobody else.
    pub fn internal(cause: impl std::fmt::Display) -> ApiError {
        tracing::error!(error = %cause, "a request failed");
        ApiError::new(ErrorCode::Internal, "Something went wrong here. The log has the details under the request id.")
    }

    /// With the field's name.
    #[must_use]
    pub fn at(mut self, field: &str) -> ApiError {
        self.field = Some(field.to_owned());
        self
    }

    /// As part of something larger: `to[0]` becomes `messages[3].to[0]`.
    #[must_use]
    pub fn within(self, whole: &str) -> ApiError {
        let field = match &self.field {
            Some(field) => format!("{whole}.{field}"),
            None => whole.to_owned(),
        };
        ApiError { field: Some(field), ..self }
    }

    /// With the time after which trying again can help (RFC 9110 §10.2.3).
    #[must_use]
    pub fn retry_after(self, wait: Duration) -> ApiError {
        ApiError { retry_after: Some(wait), ..self }
    }

    /// Whether the request itself is good and something of ours is not.
    #[must_use]
    pub fn is_ours(&self) -> bool {
        matches!(self.code, ErrorCode::Internal | ErrorCode::Unavailable)
    }

    /// What it tells, for answers that carry several.
    #[must_use]
    pub fn detail(self) -> ErrorDetail {
        ErrorDetail { code: self.code, message: self.message, field: self.field }
    }

    fn status(&self) -> StatusCode {
        match self.code {
            ErrorCode::Unauthenticated => StatusCode::UNAUTHORIZED,
            ErrorCode::Forbidden | ErrorCode::CsrfMismatch => StatusCode::FORBIDDEN,
            ErrorCode::NotFound => StatusCode::NOT_FOUND,
            ErrorCode::Invalid => StatusCode::UNPROCESSABLE_ENTITY,
            ErrorCode::Conflict | ErrorCode::WrongState => StatusCode::CONFLICT,
            ErrorCode::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            ErrorCode::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            ErrorCode::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }
}

impl std::fmt::Display for ApiError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.field {
            Some(field) => write!(f, "{field}: {}", self.message),
            None => f.write_str(&self.message),
        }
    }
}

impl std::error::Error for ApiError {}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (status, retry_after) = (self.status(), self.retry_after);
        let mut response = (status, axum::Json(ErrorBody { error: self.detail() })).into_response();
        if let Some(wait) = retry_after {
            // Whole seconds; one that is begun counts.
            let seconds = wait.as_millis().div_ceil(1000).max(1).to_string();
            if let Ok(value) = HeaderValue::from_str(&seconds) {
                response.headers_mut().insert(header::RETRY_AFTER, value);
            }
        }
        response
    }
}

impl From<StorageError> for ApiError {
    fn from(cause: StorageError) -> ApiError {
        match cause {
            StorageError::Exists => ApiError::new(ErrorCode::Conflict, "It exists already."),
            StorageError::DiskFull => {
                tracing::error!("the disk is full");
                ApiError::new(ErrorCode::Unavailable, "The server's disk is full. Nothing was lost; try again later.")
            }
            StorageError::Pool(_) | StorageError::Closed => {
                tracing::warn!(error = %cause, "the database did not answer");
                ApiError::new(ErrorCode::Unavailable, "The server is busy or stopping. Try again in a moment.")
            }
            other => ApiError::internal(other),
        }
    }
}

impl From<Refused> for ApiError {
    fn from(refused: Refused) -> ApiError {
        match refused {
            Refused::NotFound(what) => ApiError::not_found(what),
            Refused::Invalid { field, message } => ApiError::invalid(&field, sentence(&message)),
            Refused::Conflict { field, message } => ApiError::exists(&field, sentence(&message)),
            Refused::WrongState(message) => ApiError::wrong_state(sentence(&message)),
            Refused::Storage(e) => e.into(),
        }
    }
}

/// An error's text as a sentence: capital letter, full stop.
pub(crate) fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    let first: String = chars.next().into_iter().flat_map(char::to_uppercase).collect();
    let end = if text.ends_with(['.', '!', '?']) { "" } else { "." };
    format!("{first}{}{end}", chars.as_str())
}

impl From<anyhow::Error> for ApiError {
    fn from(cause: anyhow::Error) -> ApiError {
        ApiError::internal(format!("{cause:#}"))
    }
}
