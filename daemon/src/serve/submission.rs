//! The submission listeners, where configured.

use super::listen;
use crate::app::Shared;
use crate::credentials;
use anyhow::Context;
use config::SubmissionSection;
use mta::submission::{self, Certificate, Parts, Security, Submission};
use std::net::SocketAddr;
use std::sync::Arc;
use tokio::net::TcpListener;

/// Bound and with their certificate, before anything runs: what is wrong is told at the start.
pub(super) struct Listeners {
    bound: Vec<(Security, TcpListener)>,
    certificate: Arc<Certificate>,
}

impl Listeners {
    /// Listens where configured; `None` where nothing is.
    pub async fn bind(section: &SubmissionSection) -> anyhow::Result<Option<Listeners>> {
        let (Some(certificate), Some(key)) = (&section.certificate_file, &section.key_file) else { return Ok(None) };
        if !section.is_on() {
            return Ok(None);
        }
        let certificate = Certificate::load(certificate, key).context("cannot offer TLS for submission")?;
        let mut bound = Vec::new();
        for (security, key, addresses) in
            [(Security::StartTls, "listen", &section.listen), (Security::Implicit, "listen_tls", &section.listen_tls)]
        {
            for address in addresses {
                bound.push((security, listen::bind("submission", key, *address).await?));
            }
        }
        Ok(Some(Listeners { bound, certificate: Arc::new(certificate) }))
    }

    /// Where they hear.
    pub fn addresses(&self) -> anyhow::Result<Vec<(Security, SocketAddr)>> {
        self.bound.iter().map(|(security, listener)| Ok((*security, listener.local_addr()?))).collect()
    }

    /// The certificate in force, for other listeners of this host.
    pub fn certificate(&self) -> Arc<Certificate> {
        Arc::clone(&self.certificate)
    }

    /// Serves them until the daemon stops.
    pub fn serve(self, app: &Shared) {
        let engine = app.engine.get().cloned();
        let submission = Arc::new(Submission::new(Parts {
            storage: app.storage.clone(),
            clock: app.clock.clone(),
            random: app.random.clone(),
            key: credentials::secret_key(app),
            hostname: app.config.server.hostname.clone(),
            section: app.config.submission.clone(),
            notices: app.config.notice.to,
            streams: app.config.streams.clone(),
            certificate: Arc::clone(&self.certificate),
            pressure: app.pressure.clone(),
            wake: Box::new(move || {
                if let Some(engine) = &engine {
                    engine.wake();
                }
            }),
        }));
        for (security, listener) in self.bound {
            let serving = submission::serve(listener, security, Arc::clone(&submission), app.stop.clone());
            app.tasks.spawn(serving);
        }
        // Set once: there is one service per app.
        let _ = app.submission.set(submission);
        let (certificate, clock, stop) = (self.certificate, app.clock.clone(), app.stop.clone());
        app.tasks.spawn(async move { certificate.watch(&*clock, &stop).await });
    }
}
