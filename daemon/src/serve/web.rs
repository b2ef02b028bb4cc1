//! The HTTP server: connections are bounded in number, and in the time that they may take to say what they want, so that
//! slow or idle peers never keep others out.

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

/// Connections at a time; who comes then waits in the system's line.
const CONNECTIONS_MAX: usize = 1024;
/// Time for the head of a request, and between two requests of one connection.
const HEAD_WAIT: Duration = Duration::from_secs(30);
/// After an accept that failed: usually too many open files, which passes.
const TROUBLE_WAIT: Duration = Duration::from_millis(200);

/// Serves until `stop`, then lets every request under way end.
pub(crate) async fn run(listener: TcpListener, router: Router, stop: CancellationToken) {
    serve(listener, router, stop, HEAD_WAIT).await;
}

async fn serve(listener: TcpListener, router: Router, stop: CancellationToken, head_wait: Duration) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let connections = GracefulShutdown::new();
    loop {
        let place = tokio::select! {
            () = stop.cancelled() => break,
            // The semaphore is never closed.
            place = places.clone().acquire_owned() => place,
        };
        let (stream, peer) = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "an HTTP connection could not be accepted");
                    tokio::time::sleep(TROUBLE_WAIT).await;
                    continue;
                }
            },
        };
        let connection = connections.watch(connection((stream, peer), router.clone(), head_wait));
        tokio::spawn(async move {
            // How a connection ends is the peer's matter.
            let _ = connection.await;
            drop(place);
        });
    }
    drop(listener);
    connections.shutdown().await;
}

fn connection(
    (stream, peer): (TcpStream, SocketAddr),
    router: Router,
    head_wait: Duration,
) -> impl hyper_util::server::graceful::GracefulConnection<Error = hyper::Error> {
    // Answers are small and wanted at once.
    let _ = stream.set_nodelay(true);
    let service = hyper::service::service_fn(move |mut request: hyper::Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().oneshot(request.map(Body::new))
    });
    http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head_wait)
        .serve_connection(TokioIo::new(stream), service)
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    async fn start(head_wait: Duration) -> (SocketAddr, CancellationToken, tokio::task::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new()
            .route("/", get(|ConnectInfo(peer): ConnectInfo<SocketAddr>| async move { peer.ip().to_string() }));
        let stop = CancellationToken::new();
        let server = tokio::spawn(serve(listener, router, stop.clone(), head_wait));
        (address, stop, server)
    }

    #[tokio::test]
    async fn a_half_said_request_is_cut_and_whole_ones_are_answered() {
        let (address, stop, server) = start(Duration::from_millis(300)).await;
        let mut slow = TcpStream::connect(address).await.unwrap();
        slow.write_all(b"GET / HTTP/1.1\r\nHost: a").await.unwrap();
        let mut quick = TcpStream::connect(address).await.unwrap();
        quick.write_all(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
        let mut answer = String::new();
        quick.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("127.0.0.1"), "{answer}");
        let mut rest = Vec::new();
        let cut = tokio::time::timeout(HEAD_WAIT, slow.read_to_end(&mut rest)).await;
        assert!(cut.is_ok(), "the slow connection is still open");
        stop.cancel();
        server.await.unwrap();
    }
}
