//! An IMAP client (RFC 9051, RFC 3501), as far as taking mail out of a folder goes: one command at a time, by UID, whole
//! mails as literals.

use super::wire::{PullError, Wire};

/// Mails that are taken in one visit; the others come with the next.
const FOUND_MAX: usize = 10_000;
/// A literal in other answers than that to FETCH.
const LITERAL_MAX: u64 = 64 * 1024;
/// Lines of one answer.
const LINES_MAX: usize = 100_000;

/// A session.
pub(super) struct Imap {
    wire: Wire,
    tags: u32,
    /// The server can delete single mails (UIDPLUS, RFC 4315).
    expunges_one: bool,
    /// It can move (RFC 6851).
    moves: bool,
}

impl Imap {
    /// Reads the greeting.
    pub async fn greeted(mut wire: Wire) -> Result<Imap, PullError> {
        let line = wire.text().await?;
        if !line.to_ascii_uppercase().starts_with("* OK") {
            return Err(PullError::Protocol { command: "connecting", said: line });
        }
        Ok(Imap::secured(wire))
    }

    /// TLS has begun, and there is no second greeting.
    pub fn secured(wire: Wire) -> Imap {
        Imap { wire, tags: 0, expunges_one: false, moves: false }
    }

    /// Asks for TLS and gives the connection back to begin it.
    pub async fn start_tls(mut self) -> Result<Wire, PullError> {
        self.say("STARTTLS", "STARTTLS").await.map_err(|e| match e {
            PullError::Refused { said, .. } => PullError::Tls(said),
            other => other,
        })?;
        Ok(self.wire)
    }

    pub async fn login(&mut self, user: &str, password: &str) -> Result<(), PullError> {
        self.say("LOGIN", &format!("LOGIN {} {}", quoted(user), quoted(password))).await.map_err(|e| match e {
            PullError::Refused { said, .. } => PullError::Login(said),
            other => other,
        })?;
        let lines = self.say("CAPABILITY", "CAPABILITY").await?;
        let words = lines.join(" ").to_ascii_uppercase();
        let has = |word: &str| words.split_whitespace().any(|one| one == word);
        (self.expunges_one, self.moves) = (has("UIDPLUS") || has("IMAP4REV2"), has("MOVE") || has("IMAP4REV2"));
        Ok(())
    }

    /// Opens a folder; says by what its UIDs are known (RFC 9051 §2.3.1.1).
    pub async fn select(&mut self, folder: &str) -> Result<String, PullError> {
        let lines = self.say("SELECT", &["SELECT", &quoted(folder)].join(" ")).await?;
        let validity = lines.iter().find_map(|line| {
            let rest = line.to_ascii_uppercase();
            let rest = rest.split_once("[UIDVALIDITY ")?.1;
            Some(rest.split(']').next()?.trim().to_owned())
        });
        validity.ok_or_else(|| PullError::Protocol { command: "SELECT", said: "no UIDVALIDITY".to_owned() })
    }

    /// UIDs of the mails that nobody has read, or all.
    pub async fn search(&mut self, only_unseen: bool) -> Result<Vec<u32>, PullError> {
        let what = if only_unseen { "UNSEEN UNDELETED" } else { "UNDELETED" };
        let lines = self.say("SEARCH", &format!("UID SEARCH {what}")).await?;
        let mut found = Vec::new();
        for line in &lines {
            let Some(rest) = line.strip_prefix("* SEARCH").or_else(|| line.strip_prefix("* search")) else { continue };
            for word in rest.split_whitespace() {
                let uid = word.parse();
                found.push(uid.map_err(|_| PullError::Protocol { command: "SEARCH", said: line.clone() })?);
            }
        }
        found.sort_unstable();
        found.truncate(FOUND_MAX);
        Ok(found)
    }

    /// The first `most` bytes of a mail; `None` when it has gone. It stays unread. Servers send no more than is asked for;
    /// of one that does, up to `limit` bytes are read.
    pub async fn fetch(&mut self, uid: u32, most: usize, limit: usize) -> Result<Option<Vec<u8>>, PullError> {
        let tag = self.begin(&format!("UID FETCH {uid} (BODY.PEEK[]<0.{most}>)")).await?;
        let mut mail = None;
        for _ in 0..LINES_MAX {
            let line = self.wire.text().await?;
            if let Some(size) = literal(&line) {
                if size > limit as u64 {
                    return Err(PullError::Protocol { command: "FETCH", said: line });
                }
                let bytes = self.wire.bytes(size, most).await?;
                if line.to_ascii_uppercase().contains("BODY[]") {
                    mail = Some(bytes);
                }
            } else if Imap::ended("FETCH", &tag, &line)? {
                return Ok(mail);
            }
        }
        Err(PullError::Protocol { command: "FETCH", said: "an answer without end".to_owned() })
    }

    /// Marks a mail as read.
    pub async fn mark_seen(&mut self, uid: u32) -> Result<(), PullError> {
        self.say("STORE", &format!("UID STORE {uid} +FLAGS.SILENT (\\Seen)")).await.map(|_| ())
    }

    /// Deletes a mail.
    pub async fn delete(&mut self, uid: u32) -> Result<(), PullError> {
        self.say("STORE", &format!("UID STORE {uid} +FLAGS.SILENT (\\Deleted)")).await?;
        // Without UIDPLUS whatever somebody else has marked goes too: that is what EXPUNGE is.
        let command = if self.expunges_one { format!("UID EXPUNGE {uid}") } else { "EXPUNGE".to_owned() };
        self.say("EXPUNGE", &command).await.map(|_| ())
    }

    /// Moves a mail to another folder.
    pub async fn move_to(&mut self, uid: u32, folder: &str) -> Result<(), PullError> {
        if self.moves {
            return self.say("MOVE", &format!("UID MOVE {uid} {}", quoted(folder))).await.map(|_| ());
        }
        self.say("COPY", &format!("UID COPY {uid} {}", quoted(folder))).await?;
        self.delete(uid).await
    }

    pub async fn logout(mut self) -> Result<(), PullError> {
        self.say("LOGOUT", "LOGOUT").await.map(|_| ())
    }

    async fn begin(&mut self, line: &str) -> Result<String, PullError> {
        self.tags += 1;
        let tag = format!("p{}", self.tags);
        self.wire.send(&format!("{tag} {line}")).await?;
        Ok(tag)
    }

    /// Says a command; the untagged lines of the answer.
    async fn say(&mut self, command: &'static str, line: &str) -> Result<Vec<String>, PullError> {
        let tag = self.begin(line).await?;
        let mut lines = Vec::new();
        for _ in 0..LINES_MAX {
            let line = self.wire.text().await?;
            if let Some(size) = literal(&line) {
                // Nothing that is asked for has large ones.
                if size > LITERAL_MAX {
                    return Err(PullError::Protocol { command, said: line });
                }
                self.wire.bytes(size, 0).await?;
            }
            if Imap::ended(command, &tag, &line)? {
                return Ok(lines);
            }
            lines.push(line);
        }
        Err(PullError::Protocol { command, said: "an answer without end".to_owned() })
    }

    /// Whether the line ends the answer well.
    fn ended(command: &'static str, tag: &str, line: &str) -> Result<bool, PullError> {
        let Some(rest) = line.strip_prefix(tag).and_then(|rest| rest.strip_prefix(' ')) else { return Ok(false) };
        let upper = rest.to_ascii_uppercase();
        match upper.split(' ').next() {
            Some("OK") => Ok(true),
            Some("NO" | "BAD") => Err(PullError::Refused { command, said: rest.to_owned() }),
            _ => Err(PullError::Protocol { command, said: line.to_owned() }),
        }
    }
}

/// The size of a literal that follows the line: `{310}` at its end.
fn literal(line: &str) -> Option<u64> {
    line.strip_suffix('}')?.rsplit_once('{')?.1.trim_end_matches('+').parse().ok()
}

/// RFC 9051 §4.3: quoted, which has everything but line ends; those are refused with the configuration.
fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_of_literals() {
        for (line, size) in [
            ("* 1 FETCH (UID 7 BODY[] {310}", Some(310)),
            ("* 1 FETCH (BODY[] {0}", Some(0)),
            ("* 1 FETCH (FLAGS ())", None),
            ("* OK {x}", None),
            ("", None),
        ] {
            assert_eq!(literal(line), size, "{line}");
        }
        assert_eq!(quoted("a\"b\\c"), "\"a\\\"b\\\\c\"");
    }
}
