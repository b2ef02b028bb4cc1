//! The listeners: HTTP, and the local socket that the command line speaks over.

use crate::app::Shared;
use crate::http::access::LocalSocket;
use anyhow::{Context, anyhow};
use axum::{Extension, Router};
use std::fs;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use tokio::net::{TcpListener, UnixListener};

/// Where the local socket lies.
pub(crate) fn socket_path(dir: &Path) -> PathBuf {
    dir.join("packetboat.sock")
}

/// Listens on what `[section] key` says.
pub(crate) async fn bind(section: &str, key: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|cause| {
        let todo = match cause.kind() {
            ErrorKind::AddrInUse => format!(
                "another program uses the port; stop it (`ss -ltnp 'sport = :{}'` names it), or change [{section}] {key}",
                address.port()
            ),
            ErrorKind::AddrNotAvailable => format!("this host does not have the address; change [{section}] {key}"),
            ErrorKind::PermissionDenied => {
                format!("ports below 1024 need CAP_NET_BIND_SERVICE; grant it, or change [{section}] {key}")
            }
            _ => format!("check [{section}] {key}"),
        };
        anyhow!(cause).context(format!("cannot listen on {address}: {todo}"))
    })
}

pub(crate) fn serve_http(app: &Shared, listener: TcpListener, router: Router) {
    app.tasks.spawn(super::web::run(listener, router, app.stop.clone()));
}

/// Serves the API over a socket in the data folder, with the owner's rights: only the user that runs the daemon
/// (and root) can open it. Without it the command line cannot reach the daemon; mail goes all the same.
pub(crate) fn serve_local(app: &Shared, router: Router) {
    let path = socket_path(app.storage.dir());
    let listener = match bind_local(&path) {
        Ok(listener) => listener,
        Err(e) => {
            tracing::warn!(error = format!("{e:#}"), "the command line cannot reach this daemon");
            return;
        }
    };
    let stop = app.stop.clone();
    let router = router.layer(Extension(LocalSocket));
    app.tasks.spawn(async move {
        let served = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await;
        if let Err(e) = served {
            tracing::error!(error = %e, "the local socket ended");
        }
        // What stays behind after a crash is taken away by the next start.
        let _ = fs::remove_file(path);
    });
}

fn bind_local(path: &Path) -> anyhow::Result<UnixListener> {
    // The folder is locked by us, so whatever lies there is a crash's remains.
    match fs::remove_file(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => {
            return Err(e).with_context(|| format!("cannot remove {}", path.display()));
        }
        _ => {}
    }
    // Bound under another name in a folder of its own until its mode is right: nobody can open it before.
    let private = path.with_extension("new");
    let _ = fs::remove_dir_all(&private);
    fs::DirBuilder::new()
        .create(&private)
        .and_then(|()| fs::set_permissions(&private, fs::Permissions::from_mode(0o700)))
        .with_context(|| format!("cannot make {}", private.display()))?;
    let inside = private.join("s");
    let listener = UnixListener::bind(&inside).with_context(|| format!("cannot listen on {}", inside.display()))?;
    fs::set_permissions(&inside, fs::Permissions::from_mode(0o600))?;
    fs::rename(&inside, path)?;
    fs::remove_dir(&private)?;
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_socket_is_for_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = socket_path(dir.path());
        fs::write(&path, "left behind").unwrap();
        let _listener = bind_local(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
        tokio::net::UnixStream::connect(&path).await.unwrap();
    }

    #[tokio::test]
    async fn a_port_in_use_is_told_with_what_to_do() {
        let first = bind("http", "listen", "127.0.0.1:0".parse().unwrap()).await.unwrap();
        let address = first.local_addr().unwrap();
        let error = bind("http", "listen", address).await.unwrap_err().to_string();
        assert!(error.contains(&format!("cannot listen on {address}: another program uses the port")), "{error}");
        assert!(error.contains("change [http] listen"), "{error}");
    }
}
