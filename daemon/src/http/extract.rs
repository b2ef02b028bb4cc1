//! Reading requests, with every refusal in the one error shape.

use crate::http::error::ApiError;
use api_types::ErrorCode;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{ConnectInfo, FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use utoipa::IntoParams;

/// A JSON body, or a JSON answer.
pub struct Json<T>(pub T);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Json<T> {
    type Rejection = ApiError;

    async fn from_request(request: Request, state: &S) -> Result<Json<T>, ApiError> {
        let bytes = Bytes::from_request(request, state).await.map_err(too_large)?;
        from_json(&bytes).map(Json)
    }
}

/// Reads JSON; what cannot be read names its field.
pub(crate) fn from_json<'b, T: Deserialize<'b>>(bytes: &'b [u8]) -> Result<T, ApiError> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    serde_path_to_error::deserialize(&mut reader).map_err(|e| {
        // What is no JSON at all is wrong in no field.
        let path = if e.inner().is_data() { e.path().to_string() } else { String::new() };
        ApiError::invalid(path.trim_matches('.'), format!("The request's JSON cannot be read: {}.", e.inner()))
    })
}

pub(crate) fn too_large(rejection: BytesRejection) -> ApiError {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return ApiError::new(ErrorCode::TooLarge, "The request is larger than allowed.");
    }
    ApiError::invalid("", format!("The request's body cannot be read: {rejection}."))
}

/// The query string.
pub struct Query<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Query<T>, ApiError> {
        let query = axum::extract::Query::<T>::from_request_parts(parts, state).await;
        query.map(|query| Query(query.0)).map_err(|e| ApiError::invalid("", format!("The query cannot be read: {e}.")))
    }
}

/// Numbers in the path: the thing's id, or several. What is not a number names nothing.
pub struct Path<T>(pub T);

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Path<T> {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Path<T>, ApiError> {
        let path = axum::extract::Path::<T>::from_request_parts(parts, state).await;
        path.map(|path| Path(path.0)).map_err(|_| ApiError::not_found("thing"))
    }
}

/// Where the request comes from. A proxy on this host is believed about it; nobody else is.
pub struct ClientIp(pub IpAddr);

impl<S: Send + Sync> FromRequestParts<S> for ClientIp {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<ClientIp, Self::Rejection> {
        let peer = peer_ip(&parts.extensions);
        let last = || parts.headers.get("x-forwarded-for")?.to_str().ok()?.rsplit(',').next()?.trim().parse().ok();
        let ip = if peer.is_loopback() { last().unwrap_or(peer) } else { peer };
        Ok(ClientIp(ip))
    }
}

/// The other end of the connection; loopback for the local socket, which has no address.
pub(crate) fn peer_ip(extensions: &axum::http::Extensions) -> IpAddr {
    let peer = extensions.get::<ConnectInfo<SocketAddr>>();
    peer.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |ConnectInfo(address)| address.ip())
}

/// Rows of a page when the request does not say.
const LIMIT_DEFAULT: u32 = 50;
/// Rows of a page at most.
const LIMIT_MAX: u32 = 200;

/// Which page of a list.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct Paging {
    /// `next` of the page before.
    pub cursor: Option<String>,
    /// Rows, 1 to 200; 50 when absent.
    pub limit: Option<u32>,
}

/// How many rows were asked for.
pub(crate) fn limit(asked: Option<u32>) -> Result<u32, ApiError> {
    match asked {
        None => Ok(LIMIT_DEFAULT),
        Some(n) if (1..=LIMIT_MAX).contains(&n) => Ok(n),
        Some(_) => Err(ApiError::invalid("limit", format!("limit must be 1 to {LIMIT_MAX}."))),
    }
}

/// `next` of a page whose rows have ids: a full page may have more behind it.
pub(crate) fn next<T, Id: ToString>(rows: &[T], limit: u32, id: impl FnOnce(&T) -> Id) -> Option<String> {
    rows.last().filter(|_| rows.len() == limit as usize).map(|row| id(row).to_string())
}

/// A cursor that is a row id.
pub(crate) fn cursor(asked: Option<&str>) -> Result<Option<i64>, ApiError> {
    let read = |text: &str| {
        text.parse().map_err(|_| ApiError::invalid("cursor", "cursor must be the `next` of the page before."))
    };
    asked.filter(|text| !text.is_empty()).map(read).transpose()
}
