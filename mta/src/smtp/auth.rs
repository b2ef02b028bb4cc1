//! AUTH towards a smart host (RFC 4954): PLAIN (RFC 4616), or LOGIN where a server offers nothing better. Only over TLS.

use super::session::{Session, SessionError};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mail::Severity;
use std::fmt;

/// A user and its password.
#[derive(Clone)]
pub(crate) struct Login {
    pub user: String,
    pub password: String,
}

impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Login({})", self.user)
    }
}

impl Session {
    /// Says who we are. After `Ok` the server knows us.
    pub async fn log_in(&mut self, login: &Login) -> Result<(), SessionError> {
        if self.tls().is_none() {
            return Err(SessionError::Login("there is no TLS, and a password is never said without".to_owned()));
        }
        let offered = self.capabilities();
        let reply = if offered.auth_plain {
            let words = STANDARD.encode(format!("\0{}\0{}", login.user, login.password));
            self.command(&format!("AUTH PLAIN {words}"), "AUTH").await?
        } else if offered.auth_login {
            let mut reply = self.command("AUTH LOGIN", "AUTH").await?;
            for words in [&login.user, &login.password] {
                if reply.code != 334 {
                    break;
                }
                reply = self.command(&STANDARD.encode(words), "AUTH").await?;
            }
            reply
        } else {
            return Err(SessionError::Login("the server offers neither AUTH PLAIN nor AUTH LOGIN".to_owned()));
        };
        if reply.severity() == Severity::Positive {
            return Ok(());
        }
        Err(SessionError::Login(format!("the server refused the user {}: {reply}", login.user)))
    }
}
