//! AUTH within a session (RFC 4954): over TLS alone, slow after errors.

use super::{Next, Session};
use crate::metric;
use crate::submission::login;
use std::io::Write as _;

impl Session<'_> {
    /// AUTH begins.
    pub(super) async fn auth(&mut self, mechanism: &str, initial: Option<&str>) -> Next {
        if !self.tls {
            // RFC 4954 §6.
            return self.refuse((538, "5.7.11", "STARTTLS first"));
        }
        if !self.greeted || self.account.is_some() || self.transaction.is_some() {
            return self.refuse((503, "5.5.1", "not now"));
        }
        if !self.house.attempts.may_try(self.peer, self.house.clock.now_ms()) {
            return self.farewell("4.7.0", "too many wrong logins from your address; try again in 15 minutes");
        }
        let step = login::begin(mechanism, initial);
        self.go_on_with_auth(step).await
    }

    /// The answer to what AUTH asked.
    pub(super) async fn answer(&mut self, asked: login::Asked, line: &[u8]) -> Next {
        self.go_on_with_auth(login::answer(asked, line)).await
    }

    async fn go_on_with_auth(&mut self, step: login::Step) -> Next {
        match step {
            login::Step::Ask(prompt, asked) => {
                self.asked = Some(asked);
                let _ = write!(self.replies, "334 {prompt}\r\n");
                Next::GoOn
            }
            login::Step::Refuse(refusal) => self.refuse(refusal),
            login::Step::Check(pair) => self.sign_in(&pair).await,
        }
    }

    async fn sign_in(&mut self, pair: &login::Pair) -> Next {
        let house = self.house;
        let now_ms = house.clock.now_ms();
        match house.accounts.sign_in(&pair.login, &pair.secret).await {
            Ok(Some(account)) => {
                house.attempts.right(self.peer);
                metrics::counter!(metric::LOGINS, "outcome" => "right").increment(1);
                self.account = Some(account);
                self.reply(235, "2.7.0", "you may send")
            }
            Ok(None) => {
                metrics::counter!(metric::LOGINS, "outcome" => "wrong").increment(1);
                let wait = house.attempts.wrong(self.peer, now_ms);
                tracing::info!(peer = %self.peer, "a wrong login for submission");
                house.clock.sleep(wait).await;
                self.refuse((535, "5.7.8", "login or secret is wrong"))
            }
            Err(error) => {
                tracing::error!(%error, "a credential could not be looked up");
                self.reply(454, "4.7.0", "try again later")
            }
        }
    }
}
