//! A smart host: it wants TLS and a user, and takes mail for everybody. A certificate authority of its own signs its
//! certificate, so that who trusts that one can verify it.

use crate::host::CertificateError;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio_rustls::TlsAcceptor;
use world::Stream;

/// Longest line that is read.
const LINE_MAX: usize = 64 * 1024;

/// What a relay wants.
#[derive(Clone, Debug)]
pub struct RelayManners {
    /// Its name, for which its certificate is good.
    pub name: String,
    /// Whether TLS begins before the first word, and not with STARTTLS.
    pub implicit_tls: bool,
    /// `AUTH` mechanisms that it offers: `PLAIN LOGIN`.
    pub mechanisms: String,
    /// The user that it knows, and the password.
    pub login: (String, String),
}

/// A message that a relay took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Relayed {
    /// To whom.
    pub recipient: String,
    /// Who brought it.
    pub user: String,
    /// Its content, dots still doubled.
    pub content: String,
}

/// A smart host.
pub struct Relay {
    manners: RelayManners,
    ca_pem: String,
    tls: TlsAcceptor,
    taken: Mutex<Vec<Relayed>>,
}

impl Relay {
    /// Makes a relay with a certificate for its name.
    ///
    /// # Errors
    /// When its name is none that a certificate can have.
    pub fn new(manners: RelayManners) -> Result<Relay, CertificateError> {
        let name = manners.name.clone();
        let (ca_pem, certificate, key) =
            certificate(&name).map_err(|cause| CertificateError::Make { provider: name.clone(), cause })?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .and_then(|config| config.with_no_client_auth().with_single_cert(vec![certificate], key))
            .map_err(|cause| CertificateError::Use { provider: name, cause })?;
        Ok(Relay { manners, ca_pem, tls: TlsAcceptor::from(Arc::new(config)), taken: Mutex::default() })
    }

    /// The certificate authority's certificate.
    #[must_use]
    pub fn ca_pem(&self) -> &str {
        &self.ca_pem
    }

    /// What it took so far.
    #[must_use]
    pub fn taken(&self) -> Vec<Relayed> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Serves one connection to its end.
    ///
    /// # Errors
    /// When the connection breaks.
    pub async fn serve(&self, stream: impl Stream) -> io::Result<()> {
        if self.manners.implicit_tls {
            let secured = Box::new(self.tls.accept(stream).await?);
            return self.talk(secured, true, true).await.map(drop);
        }
        match self.talk(Box::new(stream), false, true).await? {
            Some(plain) => {
                let secured = Box::new(self.tls.accept(plain).await?);
                self.talk(secured, true, false).await.map(drop)
            }
            None => Ok(()),
        }
    }

    /// Talks until the client goes; gives the stream back when TLS is to begin.
    async fn talk(&self, stream: Box<dyn Stream>, secure: bool, greets: bool) -> io::Result<Option<Box<dyn Stream>>> {
        let mut io = BufReader::new(stream);
        let name = &self.manners.name;
        if greets {
            io.write_all(format!("220 {name} ESMTP\r\n").as_bytes()).await?;
        }
        let (mut user, mut recipient) = (None, None);
        while let Some(line) = read_line(&mut io).await? {
            let upper = line.to_ascii_uppercase();
            let reply = if upper.starts_with("EHLO ") {
                self.capabilities(secure)
            } else if upper == "STARTTLS" && !secure {
                io.write_all(b"220 go ahead\r\n").await?;
                return Ok(Some(io.into_inner()));
            } else if let Some(words) = upper.strip_prefix("AUTH ").map(|_| &line[5..]) {
                self.auth(&mut io, words, secure, &mut user).await?
            } else if upper.starts_with("MAIL FROM:") {
                let known = if user.is_some() { "250 ok" } else { "530 5.7.0 who are you?" };
                format!("{known}\r\n")
            } else if let Some(path) = line.get(8..).filter(|_| upper.starts_with("RCPT TO:") && user.is_some()) {
                recipient = Some(path.trim_matches(['<', '>']).to_owned());
                "250 ok\r\n".to_owned()
            } else if upper == "DATA" && recipient.is_some() {
                io.write_all(b"354 go on\r\n").await?;
                let content = read_content(&mut io).await?;
                let relayed = Relayed {
                    recipient: recipient.take().unwrap_or_default(),
                    user: user.clone().unwrap_or_default(),
                    content,
                };
                self.taken.lock().unwrap_or_else(PoisonError::into_inner).push(relayed);
                "250 2.0.0 taken\r\n".to_owned()
            } else if upper == "QUIT" {
                io.write_all(b"221 bye\r\n").await?;
                return Ok(None);
            } else {
                "503 5.5.1 not now\r\n".to_owned()
            };
            io.write_all(reply.as_bytes()).await?;
            io.flush().await?;
        }
        Ok(None)
    }

    fn capabilities(&self, secure: bool) -> String {
        // RFC 4954 §4: AUTH is offered where it may be said.
        let last = if secure { format!("AUTH {}", self.manners.mechanisms) } else { "STARTTLS".to_owned() };
        format!("250-{}\r\n250-PIPELINING\r\n250 {last}\r\n", self.manners.name)
    }

    async fn auth(
        &self,
        io: &mut BufReader<Box<dyn Stream>>,
        words: &str,
        secure: bool,
        user: &mut Option<String>,
    ) -> io::Result<String> {
        if !secure {
            return Ok("538 5.7.11 not without TLS\r\n".to_owned());
        }
        let given = match words.split_once(' ') {
            Some((mechanism, response)) if mechanism.eq_ignore_ascii_case("PLAIN") => {
                let text = decoded(response);
                let mut parts = text.split('\0').skip(1).map(str::to_owned);
                (parts.next().unwrap_or_default(), parts.next().unwrap_or_default())
            }
            None if words.eq_ignore_ascii_case("LOGIN") => {
                let mut given = Vec::new();
                for prompt in ["VXNlcm5hbWU6", "UGFzc3dvcmQ6"] {
                    io.write_all(format!("334 {prompt}\r\n").as_bytes()).await?;
                    given.push(decoded(&read_line(io).await?.unwrap_or_default()));
                }
                (given.remove(0), given.remove(0))
            }
            _ => return Ok("504 5.5.4 not that way\r\n".to_owned()),
        };
        if given != self.manners.login {
            return Ok("535 5.7.8 wrong user or password\r\n".to_owned());
        }
        *user = Some(given.0);
        Ok("235 2.7.0 welcome\r\n".to_owned())
    }
}

/// The authority's certificate, that of the name, and its key.
fn certificate(name: &str) -> Result<(String, CertificateDer<'static>, PrivateKeyDer<'static>), rcgen::Error> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
    let key = KeyPair::generate()?;
    let certificate = CertificateParams::new(vec![name.to_owned()])?.signed_by(&key, &authority)?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    Ok((authority.pem(), certificate.der().clone(), key))
}

fn decoded(text: &str) -> String {
    use base64::Engine as _;
    let bytes = base64::engine::general_purpose::STANDARD.decode(text.trim()).unwrap_or_default();
    String::from_utf8_lossy(&bytes).into_owned()
}

async fn read_line(io: &mut BufReader<Box<dyn Stream>>) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    // A client that never ends its line fills no memory.
    let mut limited = tokio::io::AsyncReadExt::take(&mut *io, LINE_MAX as u64);
    if limited.read_until(b'\n', &mut line).await? == 0 {
        return Ok(None);
    }
    Ok(Some(String::from_utf8_lossy(&line).trim_end().to_owned()))
}

async fn read_content(io: &mut BufReader<Box<dyn Stream>>) -> io::Result<String> {
    let mut content = String::new();
    while let Some(line) = read_line(io).await? {
        if line == "." {
            break;
        }
        content.push_str(&line);
        content.push('\n');
    }
    Ok(content)
}
