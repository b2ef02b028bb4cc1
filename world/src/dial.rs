//! Outgoing connections, from a chosen egress address.

use futures_util::future::BoxFuture;
use std::io;
use std::net::{IpAddr, SocketAddr};
use tokio::io::{AsyncRead, AsyncWrite};

/// A connected byte stream: a TCP socket, or an in-memory pipe in tests.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin + 'static> Stream for T {}

/// Opens connections. The caller bounds the time.
pub trait Dial: Send + Sync + 'static {
    /// Connects from `source` (the system's choice when `None`) to `peer`.
    ///
    /// # Errors
    /// What the system says; `AddrNotAvailable` when this host does not have `source`.
    fn connect(&self, source: Option<IpAddr>, peer: SocketAddr) -> BoxFuture<'_, io::Result<Box<dyn Stream>>>;
}
