//! Outgoing connections, from a chosen egress address.

use futures_util::future::BoxFuture;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpSocket;

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

    /// Whether this host has the address.
    fn has_source(&self, source: IpAddr) -> bool;
}

/// TCP over the system's network.
#[derive(Clone, Copy, Debug, Default)]
pub struct TcpDial;

impl Dial for TcpDial {
    fn connect(&self, source: Option<IpAddr>, peer: SocketAddr) -> BoxFuture<'_, io::Result<Box<dyn Stream>>> {
        Box::pin(async move {
            let socket = if peer.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
            if let Some(source) = source {
                if source.is_ipv4() != peer.is_ipv4() {
                    let why = format!("{source} cannot reach {}: they are of different address families", peer.ip());
                    return Err(io::Error::new(io::ErrorKind::AddrNotAvailable, why));
                }
                socket.bind(SocketAddr::new(source, 0))?;
            }
            // Commands are small and each waits for its reply: Nagle's algorithm would only add delay.
            socket.set_nodelay(true)?;
            let stream = socket.connect(peer).await?;
            Ok(Box::new(stream) as Box<dyn Stream>)
        })
    }

    fn has_source(&self, source: IpAddr) -> bool {
        // Nothing is sent; a socket can only have an address of this host.
        UdpSocket::bind(SocketAddr::new(source, 0)).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    #[tokio::test]
    async fn connects_from_the_chosen_source() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = listener.local_addr().unwrap();
        let source: IpAddr = "127.0.0.9".parse().unwrap();
        let (dialed, accepted) = tokio::join!(TcpDial.connect(Some(source), peer), listener.accept());
        let (mut far, seen) = accepted.unwrap();
        assert_eq!(seen.ip(), source);
        dialed.unwrap().write_all(b"hello").await.unwrap();
        let mut buf = [0; 5];
        far.read_exact(&mut buf).await.unwrap();
        assert_eq!(&buf, b"hello");
    }

    #[tokio::test]
    async fn a_source_that_cannot_serve_is_named_as_such() {
        let peer: SocketAddr = "127.0.0.1:9".parse().unwrap();
        assert!(TcpDial.has_source("127.0.0.9".parse().unwrap()));
        assert!(!TcpDial.has_source("192.0.2.1".parse().unwrap()));
        for source in ["192.0.2.1", "::1"] {
            let error = TcpDial.connect(Some(source.parse().unwrap()), peer).await.err().unwrap();
            assert_eq!(error.kind(), io::ErrorKind::AddrNotAvailable, "{source}");
        }
    }
}
