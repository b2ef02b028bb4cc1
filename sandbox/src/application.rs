//! An application that submits mail: some sessions at a time, one message after the other in each, as Postfix's
//! `smtp-source` does, but to as many domains as wanted, and with TLS and AUTH where the server demands them.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, SignatureScheme};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

/// No server takes longer for one answer.
const REPLY_WAIT: Duration = Duration::from_secs(120);
/// Where messages go: `r7@d7.example`.
const DOMAINS: usize = 1_000;

/// What is submitted, and how.
#[derive(Clone, Debug)]
pub struct Application {
    /// The server.
    pub server: SocketAddr,
    /// Messages in all.
    pub messages: usize,
    /// Sessions at a time.
    pub sessions: usize,
    /// A message with CR LF lines that every recipient gets with another To and Message-ID.
    pub template: Vec<u8>,
    /// User name and secret: then the session begins with TLS (RFC 8314) and AUTH PLAIN (RFC 4616).
    pub login: Option<(String, String)>,
}

trait Io: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Io for T {}

impl Application {
    /// Submits everything; returns when the last message has been accepted.
    ///
    /// # Errors
    /// When the server refuses anything, or goes away.
    pub async fn run(self) -> io::Result<()> {
        let next = Arc::new(AtomicUsize::new(0));
        let parts = Arc::new(parts(&self.template));
        let (sessions, application) = (self.sessions, Arc::new(self));
        let run = |_| tokio::spawn(session(application.clone(), next.clone(), parts.clone()));
        for session in (0..sessions).map(run).collect::<Vec<_>>() {
            session.await.map_err(io::Error::other)??;
        }
        Ok(())
    }
}

async fn session(application: Arc<Application>, next: Arc<AtomicUsize>, parts: Arc<Vec<Part>>) -> io::Result<()> {
    let mut session = Session::open(application.server, application.login.as_ref()).await?;
    loop {
        let n = next.fetch_add(1, Relaxed);
        if n >= application.messages {
            return session.end().await;
        }
        let recipient = format!("r{n}@d{}.example", n % DOMAINS);
        session.send("news@bench.example", &recipient, &personal(&parts, &recipient, n)).await?;
    }
}

pub(crate) struct Session {
    io: Box<dyn Io>,
    buffer: Vec<u8>,
}

impl Session {
    pub async fn open(server: SocketAddr, login: Option<&(String, String)>) -> io::Result<Session> {
        let stream = TcpStream::connect(server).await?;
        stream.set_nodelay(true)?;
        let io: Box<dyn Io> = match login {
            Some(_) => {
                let connector = tokio_rustls::TlsConnector::from(Arc::new(any_certificate()?));
                let name = ServerName::from(server.ip());
                Box::new(connector.connect(name, stream).await?)
            }
            None => Box::new(stream),
        };
        let mut session = Session { io, buffer: Vec::new() };
        session.reply("220").await?;
        session.command("EHLO app.bench.example\r\n", "250").await?;
        if let Some((user, secret)) = login {
            let plain = BASE64_STANDARD.encode(format!("\0{user}\0{secret}"));
            session.command(&format!("AUTH PLAIN {plain}\r\n"), "235").await?;
        }
        Ok(session)
    }

    /// With PIPELINING (RFC 2920), which every server here has.
    pub async fn send(&mut self, sender: &str, recipient: &str, message: &[u8]) -> io::Result<()> {
        let envelope = format!("MAIL FROM:<{sender}>\r\nRCPT TO:<{recipient}>\r\nDATA\r\n");
        self.write(envelope.as_bytes()).await?;
        for expected in ["250", "250", "354"] {
            self.reply(expected).await?;
        }
        self.write(message).await?;
        self.reply("250").await
    }

    pub async fn end(&mut self) -> io::Result<()> {
        self.command("QUIT\r\n", "221").await
    }

    async fn command(&mut self, line: &str, expected: &str) -> io::Result<()> {
        self.write(line.as_bytes()).await?;
        self.reply(expected).await
    }

    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.io.write_all(bytes).await?;
        self.io.flush().await
    }

    async fn reply(&mut self, expected: &str) -> io::Result<()> {
        loop {
            while let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.buffer.drain(..=end).collect();
                if line.get(3) == Some(&b'-') {
                    continue;
                }
                if line.starts_with(expected.as_bytes()) {
                    return Ok(());
                }
                let line = String::from_utf8_lossy(&line).trim_end().to_owned();
                return Err(io::Error::other(format!("{expected} was expected, and came {line:?}")));
            }
            let read = tokio::time::timeout(REPLY_WAIT, self.io.read_buf(&mut self.buffer)).await??;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

/// A piece of a message. What is the same for everybody is prepared once, so that the application costs little.
enum Part {
    Fixed(Vec<u8>),
    To,
    MessageId,
}

/// The template with dots doubled and the final dot at its end.
fn parts(template: &[u8]) -> Vec<Part> {
    let (mut parts, mut fixed, mut in_header) = (Vec::new(), Vec::new(), true);
    for line in template.split_inclusive(|byte| *byte == b'\n') {
        in_header &= line != b"\r\n";
        let own = match line {
            _ if !in_header => None,
            _ if line.starts_with(b"To:") => Some(Part::To),
            _ if line.starts_with(b"Message-ID:") => Some(Part::MessageId),
            _ => None,
        };
        if let Some(part) = own {
            parts.push(Part::Fixed(std::mem::take(&mut fixed)));
            parts.push(part);
            continue;
        }
        if line.starts_with(b".") {
            fixed.push(b'.');
        }
        fixed.extend_from_slice(line);
    }
    fixed.extend_from_slice(b".\r\n");
    parts.push(Part::Fixed(fixed));
    parts
}

/// A message with its own recipient and identifier.
fn personal(parts: &[Part], recipient: &str, n: usize) -> Vec<u8> {
    let mut message = Vec::new();
    for part in parts {
        match part {
            Part::Fixed(bytes) => message.extend_from_slice(bytes),
            Part::To => message.extend_from_slice(format!("To: <{recipient}>\r\n").as_bytes()),
            Part::MessageId => {
                message.extend_from_slice(format!("Message-ID: <{n}.bench@bench.example>\r\n").as_bytes());
            }
        }
    }
    message
}

/// Nothing here is secret, and the server's certificate was made a moment ago.
fn any_certificate() -> io::Result<ClientConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider.clone());
    let config = config.with_safe_default_protocol_versions().map_err(io::Error::other)?;
    Ok(config.dangerous().with_custom_certificate_verifier(Arc::new(Any(provider))).with_no_client_auth())
}

#[derive(Debug)]
struct Any(Arc<rustls::crypto::CryptoProvider>);

impl ServerCertVerifier for Any {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls12_signature(message, certificate, signed, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.0.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signed, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_is_its_recipients_own() {
        let template = b"To: x\r\nMessage-ID: y\r\n\r\nTo: z\r\n.dot\r\n";
        let expected = b"To: <r7@d7.example>\r\nMessage-ID: <7.bench@bench.example>\r\n\r\nTo: z\r\n..dot\r\n.\r\n";
        assert_eq!(personal(&parts(template), "r7@d7.example", 7), expected);
    }
}
