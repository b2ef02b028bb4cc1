//! The closed sets of words that cross rooms: recipient states, wait reasons, bounce classes, streams.
//!
//! Each is stored as the text that `as_str` gives; the schema's CHECK constraints list the same words and a test in
//! `storage` compares them.

/// Declares an enum with its stored words, `as_str`, `parse`, `ALL` and `Display`.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($(#[$doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum $name { $($(#[$doc])* $variant,)* }

        impl $name {
            /// Every value, in order of declaration.
            pub const ALL: &'static [$name] = &[$($name::$variant,)*];

            /// The stored word.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $($name::$variant => $text,)* }
            }

            /// The value of a stored word.
            #[must_use]
            pub fn parse(text: &str) -> Option<$name> {
                match text { $($text => Some($name::$variant),)* _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words! {
    /// Where a recipient is. Every recipient is in exactly one state.
    RecipientState {
        /// Waiting for its due time; may have been deferred before.
        Queued = "queued",
        /// Taken by the scheduler; nothing of the message has been sent.
        Claimed = "claimed",
        /// The final dot may have gone out: after a crash a bulk recipient here becomes `Unknown`.
        Sending = "sending",
        /// Kept back by a person (paused campaign) until released.
        Held = "held",
        /// Final: the receiving server answered 2yz to the final dot.
        Delivered = "delivered",
        /// Final: refused for good, in session or by a later report.
        Bounced = "bounced",
        /// Final: deferred until its time was over.
        Expired = "expired",
        /// Final: on a suppression list at the last moment before sending.
        Suppressed = "suppressed",
        /// Final: cancelled by a person, or content that could not be made.
        Cancelled = "cancelled",
        /// Final: the answer to the final dot never came; bulk mail is not sent again.
        Unknown = "unknown",
    }
}

impl RecipientState {
    /// Whether nothing more will be attempted.
    #[must_use]
    pub fn is_final(self) -> bool {
        !matches!(self, Self::Queued | Self::Claimed | Self::Sending | Self::Held)
    }
}

words! {
    /// Why a queued recipient is not being sent right now; always shown to the operator.
    WaitReason {
        /// Waiting for its turn; nothing speaks against it.
        Turn = "turn",
        /// Scheduled for later.
        Scheduled = "scheduled",
        /// The receiving server said not now (4yz).
        Deferred = "deferred",
        /// The receiving server asked to come back later (greylisting, RFC 6647).
        Greylisted = "greylisted",
        /// Every source of the pool is blocked or penalized at this site.
        SourceBlocked = "source_blocked",
        /// The site's connections or rate are used up.
        LaneFull = "lane_full",
        /// The site's addresses could not be found for now.
        Dns = "dns",
        /// No connection to any of the site's hosts.
        Connect = "connect",
        /// TLS is required and could not be had.
        Tls = "tls",
        /// The campaign, or everything, is paused.
        Paused = "paused",
        /// Our own trouble: content or key not available for now.
        Local = "local",
        /// The rate of the source, the site, the provider or the submitter is used up for now.
        Rate = "rate",
        /// The warm-up's allowance of today is used up for every source that may take it.
        WarmUp = "warm_up",
        /// The provider's answers made us wait there, for everybody.
        ProviderHold = "provider_hold",
        /// The provider refuses this sending domain until something of it is mended.
        DomainHold = "domain_hold",
        /// Too much of this workspace's, domain's or campaign's mail bounced or was reported as spam.
        Reputation = "reputation",
        /// Kept back by a person until released.
        Held = "held",
    }
}

words! {
    /// What a reply or report means. Class and action are two things: the action is chosen in `mta::outcome`.
    BounceClass {
        /// No such mailbox.
        BadMailbox = "bad_mailbox",
        /// The person is reached elsewhere now.
        Moved = "moved",
        /// The mailbox exists but is disabled or inactive.
        Inactive = "inactive",
        /// The account is locked by its provider.
        Suspended = "suspended",
        /// The domain does not exist.
        BadDomain = "bad_domain",
        /// The domain or host takes no mail at all (RFC 7504, RFC 7505).
        TakesNoMail = "takes_no_mail",
        /// Over quota.
        MailboxFull = "mailbox_full",
        /// The message is too large.
        TooLarge = "too_large",
        /// Refused by a rule of the receiver.
        Policy = "policy",
        /// SPF, DKIM or DMARC of ours is missing or wrong.
        Authentication = "authentication",
        /// The name of our address is missing or does not point back to it.
        ReverseDns = "reverse_dns",
        /// They do not take mail of this sender.
        SenderRefused = "sender_refused",
        /// Our IP address has a bad name with the receiver.
        Reputation = "reputation",
        /// Our domain has a bad name with the receiver.
        DomainReputation = "domain_reputation",
        /// Our address or domain is on a public or private blocklist.
        Blocklist = "blocklist",
        /// The content looks like spam, or is of a sort that is not taken.
        Content = "content",
        /// Malware was found in it.
        Virus = "virus",
        /// The message breaks a standard that the receiver insists on.
        Malformed = "malformed",
        /// Come back later, first contact (RFC 6647).
        Greylist = "greylist",
        /// Too many messages.
        RateLimit = "rate_limit",
        /// Too many connections.
        TooManyConnections = "too_many_connections",
        /// DNS of the receiver failed.
        Dns = "dns",
        /// The connection failed or broke.
        Connection = "connection",
        /// TLS failed.
        Tls = "tls",
        /// A command was not understood.
        Protocol = "protocol",
        /// The receiver does not relay for that domain.
        RelayDenied = "relay_denied",
        /// Trouble of the receiving system.
        System = "system",
        /// The message went round in circles.
        Loop = "loop",
        /// Deferred until its time was over.
        Expired = "expired",
        /// Nobody is there to read it now; it was delivered.
        Vacation = "vacation",
        /// Not understood.
        Unclassified = "unclassified",
    }
}

words! {
    /// The two kinds of mail. A stream, which has a name, is of one of them.
    StreamKind {
        /// One message for one person, at least once.
        Transactional = "transactional",
        /// Campaigns and journeys, at most once.
        Bulk = "bulk",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_read_back() {
        assert!(RecipientState::ALL.iter().all(|s| RecipientState::parse(s.as_str()) == Some(*s)));
        assert!(BounceClass::ALL.iter().all(|c| BounceClass::parse(c.as_str()) == Some(*c)));
        assert_eq!(RecipientState::parse("nonsense"), None);
        assert_eq!(RecipientState::ALL.iter().filter(|s| s.is_final()).count(), 6);
    }
}
