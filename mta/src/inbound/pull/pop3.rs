//! A POP3 client (RFC 1939), as far as taking mail out of a mailbox goes. What is marked as deleted goes only with QUIT, so
//! that a connection that breaks deletes nothing.

use super::wire::{PullError, Wire};
use std::collections::HashMap;

/// Mails of a mailbox that are looked at in one visit; the others come when these are gone.
const LIST_MAX: usize = 100_000;

/// A session that is logged in.
pub(super) struct Pop3(Wire);

/// A mail in the mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    pub number: u32,
    /// By which it is known in later visits (RFC 1939 §7).
    pub uid: String,
    /// As far as the server tells it.
    pub size_bytes: u64,
}

impl Pop3 {
    /// Reads the greeting.
    pub async fn greeted(mut wire: Wire) -> Result<Pop3, PullError> {
        answer(&mut wire, "connecting").await?;
        Ok(Pop3(wire))
    }

    /// Asks for TLS (RFC 2595 §4) and gives the connection back to begin it.
    pub async fn start_tls(mut self) -> Result<Wire, PullError> {
        self.say("STLS", "STLS").await.map_err(|e| match e {
            PullError::Refused { said, .. } => PullError::Tls(said),
            other => other,
        })?;
        Ok(self.0)
    }

    /// TLS has begun, and there is no second greeting.
    pub fn secured(wire: Wire) -> Pop3 {
        Pop3(wire)
    }

    pub async fn login(&mut self, user: &str, password: &str) -> Result<(), PullError> {
        let refused = |e| match e {
            PullError::Refused { said, .. } => PullError::Login(said),
            other => other,
        };
        self.say("USER", &format!("USER {user}")).await.map_err(refused)?;
        self.say("PASS", &format!("PASS {password}")).await.map_err(refused)?;
        Ok(())
    }

    pub async fn list(&mut self) -> Result<Vec<Listed>, PullError> {
        let mut sizes: HashMap<u32, u64> = HashMap::new();
        for (number, size) in self.pairs("LIST").await? {
            sizes.insert(number, size.split(' ').next().and_then(|size| size.parse().ok()).unwrap_or(0));
        }
        let named = self.pairs("UIDL").await?.into_iter();
        let listed = |(number, uid)| Listed { number, uid, size_bytes: sizes.get(&number).copied().unwrap_or(0) };
        Ok(named.map(listed).collect())
    }

    /// Lines of a number and something.
    async fn pairs(&mut self, command: &'static str) -> Result<Vec<(u32, String)>, PullError> {
        self.say(command, command).await?;
        let mut all = Vec::new();
        loop {
            let line = self.0.text().await?;
            if line == "." {
                return Ok(all);
            }
            let pair = line.split_once(' ').and_then(|(number, rest)| Some((number.parse().ok()?, rest.trim())));
            // RFC 1939 §7: 1 to 70 printable characters; longer ones occur.
            match pair {
                Some((number, rest)) if (1..=200).contains(&rest.len()) => {
                    if all.len() < LIST_MAX {
                        all.push((number, rest.to_owned()));
                    }
                }
                _ => return Err(PullError::Protocol { command, said: line }),
            }
        }
    }

    /// The first `keep` bytes of a mail, and how many it has. `None` when it has more than `limit`; then the session is of
    /// no use any more.
    pub async fn fetch(
        &mut self,
        number: u32,
        keep: usize,
        limit: usize,
    ) -> Result<Option<(Vec<u8>, usize)>, PullError> {
        self.say("RETR", &format!("RETR {number}")).await?;
        self.0.dotted(keep, limit).await
    }

    pub async fn delete(&mut self, number: u32) -> Result<(), PullError> {
        self.say("DELE", &format!("DELE {number}")).await.map(|_| ())
    }

    /// Ends the session: now what is marked as deleted goes.
    pub async fn quit(mut self) -> Result<(), PullError> {
        self.say("QUIT", "QUIT").await.map(|_| ())
    }

    async fn say(&mut self, command: &'static str, line: &str) -> Result<String, PullError> {
        self.0.send(line).await?;
        answer(&mut self.0, command).await
    }
}

async fn answer(wire: &mut Wire, command: &'static str) -> Result<String, PullError> {
    let line = wire.text().await?;
    if line.starts_with("+OK") {
        return Ok(line);
    }
    match line.strip_prefix("-ERR") {
        Some(said) => Err(PullError::Refused { command, said: said.trim().to_owned() }),
        None => Err(PullError::Protocol { command, said: line }),
    }
}
