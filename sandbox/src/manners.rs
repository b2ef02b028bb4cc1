//! Mailbox providers as data: who they are, where their servers are, how they behave.
//!
//! The built-in set is `data/providers.toml`; tests write their own. Nothing here acts: `session` reads it.

use serde::Deserialize;
use std::collections::HashSet;
use std::net::IpAddr;

/// The whole simulated internet.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Providers {
    /// Those that take mail.
    #[serde(default, rename = "provider")]
    pub providers: Vec<Provider>,
    /// Domains that nobody takes mail for.
    #[serde(default, rename = "oddity")]
    pub oddities: Vec<Oddity>,
}

/// One mailbox provider: domains, servers, manners.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Provider {
    /// What people call it; unique.
    pub name: String,
    /// The domains it has mailboxes in.
    pub domains: Vec<String>,
    /// Its share of generated addresses, relative to the other providers' weights.
    #[serde(default = "one")]
    pub weight: u32,
    /// Its servers.
    pub mx: Vec<MxHost>,
    /// Its domains have no MX record, only the address of the first server (RFC 5321 §5.1).
    #[serde(default)]
    pub implicit_mx: bool,
    /// How its servers behave.
    #[serde(default)]
    pub manners: Manners,
}

/// One mail server.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MxHost {
    /// Its name, in the provider's own MX domain.
    pub host: String,
    /// Its preference in the MX records.
    pub preference: u16,
    /// Its address; on sockets one of the loopback network.
    pub ip: IpAddr,
    /// What happens to who connects.
    #[serde(default)]
    pub door: Door,
}

/// What happens to a connection before the first word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Door {
    /// It is answered.
    #[default]
    Open,
    /// It is refused.
    Refuses,
    /// It is taken, and nothing is ever said.
    Silent,
    /// It never comes about. On sockets, where that cannot be had, the same as `Silent`.
    Unreachable,
}

/// How a provider behaves. The default accepts everything at once, without TLS.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Manners {
    /// Whether STARTTLS is offered or demanded.
    pub tls: Tls,
    /// What certificate comes with it.
    pub certificate: Certificate,
    /// PIPELINING is offered (RFC 2920).
    pub pipelining: bool,
    /// 8BITMIME is offered (RFC 6152).
    pub eight_bit: bool,
    /// CHUNKING is offered (RFC 3030).
    pub chunking: bool,
    /// DSN is offered (RFC 3461).
    pub dsn: bool,
    /// The largest message taken, in bytes (RFC 1870): 552 5.3.4.
    pub size_max: usize,
    /// Recipients per message: 452 4.5.3.
    pub rcpt_max: usize,
    /// How long every reply takes.
    pub latency_ms: u64,
    /// How long a client may be silent: 421 4.4.2.
    pub idle_ms: u64,
    /// Greylisting (RFC 6647): a recipient's first attempt from a source and reverse-path gets 451 4.7.1, until so
    /// much time has gone by.
    pub greylist_ms: Option<u64>,
    /// Connections from one source at a time: 421 4.7.0.
    pub connections_max: Option<u32>,
    /// Messages in one connection: 421 4.7.0.
    pub messages_max: Option<u32>,
    /// The sources named in the options are blocked by reputation, at this stage: 554 5.7.1.
    pub blocks_sources: Option<BlockStage>,
    /// Of a thousand addresses, so many have no mailbox: 550 5.1.1.
    pub unknown_per_mille: u16,
    /// Of a thousand mailboxes, so many are full for the first attempts: 452 4.2.2.
    pub full_per_mille: u16,
    /// How many attempts a full mailbox turns away before it is emptied.
    pub full_attempts: u32,
    /// Of a thousand mailboxes, so many are over quota for good: 552 5.2.2.
    pub over_quota_per_mille: u16,
    /// Of a thousand addresses, so many are accepted and then reported as unknown (RFC 3464, 5.1.1).
    pub report_per_mille: u16,
    /// How long after acceptance that report is sent.
    pub report_ms: u64,
    /// Of a thousand addresses, so many lose the connection while the first attempt's content is transferred.
    pub cut_per_mille: u16,
    /// Of a thousand addresses, so many lose the connection after the final dot, before the answer.
    pub limbo_per_mille: u16,
    /// Times in which nothing is accepted: 451 4.3.2.
    pub storm: Option<Storm>,
    /// Times in which a step is answered with other words.
    pub moods: Vec<Mood>,
    /// Connections that end at a given step.
    pub cut: Option<Cut>,
}

impl Default for Manners {
    fn default() -> Self {
        Manners {
            tls: Tls::None,
            certificate: Certificate::SelfSigned,
            pipelining: true,
            eight_bit: true,
            chunking: false,
            dsn: false,
            size_max: 10 * 1024 * 1024,
            rcpt_max: 100,
            latency_ms: 0,
            idle_ms: 300_000,
            greylist_ms: None,
            connections_max: None,
            messages_max: None,
            blocks_sources: None,
            unknown_per_mille: 0,
            full_per_mille: 0,
            full_attempts: 1,
            over_quota_per_mille: 0,
            report_per_mille: 0,
            report_ms: 1000,
            cut_per_mille: 0,
            limbo_per_mille: 0,
            storm: None,
            moods: Vec::new(),
            cut: None,
        }
    }
}

/// Whether STARTTLS is offered or demanded (RFC 3207).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tls {
    /// It is unknown.
    #[default]
    None,
    /// It is offered.
    Offered,
    /// MAIL without it gets 530 5.7.0.
    Required,
    /// It is offered, and the connection ends in the handshake.
    Broken,
}

/// What certificate a server shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Certificate {
    /// For its name, signed by nobody else.
    #[default]
    SelfSigned,
    /// For its name, from the simulated world's authority.
    Trusted,
    /// From that authority, for another name.
    OtherName,
    /// From that authority, and over since 2020.
    Expired,
}

/// Where a blocked source learns of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BlockStage {
    /// In the greeting.
    Connect,
    /// As the reply to MAIL.
    Mail,
    /// As the reply to RCPT.
    Rcpt,
    /// As the reply to the message.
    Message,
}

/// A time in which everybody who comes to a step is answered with these words. A 421 ends the connection.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mood {
    /// When it begins, counted from the provider's begin.
    pub from_ms: u64,
    /// When it ends, likewise.
    pub until_ms: u64,
    /// The step.
    pub at: BlockStage,
    /// Code, enhanced status and text: `421 4.7.0 Not now`.
    pub reply: String,
    /// At the message: only to those that contain this.
    #[serde(default)]
    pub about: Option<String>,
}

/// A time that comes again and again in which every MAIL gets 451 4.3.2. The first begins with the provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Storm {
    /// From one storm's begin to the next one's.
    pub every_ms: u64,
    /// How long each lasts.
    pub lasts_ms: u64,
}

/// The first connections that come to a step end there without an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cut {
    /// The step.
    pub at: Step,
    /// How many times, over all connections of the provider.
    pub times: u32,
}

/// A step of the dialogue.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// The greeting.
    Greeting,
    /// The answer to EHLO or HELO.
    Ehlo,
    /// The answer to STARTTLS.
    StartTls,
    /// The answer to MAIL.
    Mail,
    /// The answer to RCPT.
    Rcpt,
    /// The answer to DATA.
    Data,
    /// Amid the content.
    Content,
    /// The answer to the final dot. The message is lost.
    Dot,
}

/// A domain that nobody takes mail for.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Oddity {
    /// The domain.
    pub domain: String,
    /// What the DNS says about it.
    pub answer: OddAnswer,
    /// Its share of generated addresses, relative to the providers' weights.
    #[serde(default)]
    pub weight: u32,
}

/// What the DNS says about a domain without mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OddAnswer {
    /// It takes no mail (RFC 7505).
    NullMx,
    /// It does not exist.
    NoSuchName,
    /// No answer can be had.
    Servfail,
}

/// Why a text does not describe providers.
#[derive(Debug, thiserror::Error)]
pub enum ProvidersError {
    /// It is not TOML, or not of the right shape.
    #[error("the providers cannot be read")]
    Syntax(#[from] toml::de::Error),
    /// Two things have the same name or address, or one is missing.
    #[error("provider {provider}: {why}")]
    Inconsistent {
        /// Which provider.
        provider: String,
        /// What is wrong.
        why: String,
    },
}

impl Providers {
    /// The built-in set, `data/providers.toml`.
    #[must_use]
    pub fn builtin() -> Providers {
        // A test reads the file, so this holds for every build that passed the tests.
        Providers::parse(include_str!("../data/providers.toml")).expect("the built-in providers are readable")
    }

    /// Reads providers from TOML.
    ///
    /// # Errors
    /// When the text has another shape, or two providers share a name, a domain, a host or an address.
    pub fn parse(text: &str) -> Result<Providers, ProvidersError> {
        let providers: Providers = toml::from_str(text)?;
        providers.check()?;
        Ok(providers)
    }

    /// The provider with mailboxes in `domain`.
    #[must_use]
    pub fn of_domain(&self, domain: &str) -> Option<&Provider> {
        self.providers.iter().find(|p| p.serves(domain))
    }

    fn check(&self) -> Result<(), ProvidersError> {
        let mut seen = HashSet::new();
        for provider in &self.providers {
            let fail = |why: String| Err(ProvidersError::Inconsistent { provider: provider.name.clone(), why });
            if provider.mx.is_empty() || provider.domains.is_empty() {
                return fail("it needs at least one domain and one server".to_owned());
            }
            let servers = provider.mx.iter().flat_map(|mx| [mx.host.clone(), mx.ip.to_string()]);
            for thing in provider.domains.iter().cloned().chain(servers).chain([provider.name.clone()]) {
                if !seen.insert(thing.clone()) {
                    return fail(format!("{thing} occurs twice"));
                }
            }
        }
        Ok(())
    }
}

impl Provider {
    /// A provider of one domain, with one server `mx.DOMAIN` at `ip`: a beginning for tests.
    #[must_use]
    pub fn of(domain: &str, ip: IpAddr, manners: Manners) -> Provider {
        Provider {
            name: domain.to_owned(),
            domains: vec![domain.to_owned()],
            weight: 1,
            mx: vec![MxHost { host: format!("mx.{domain}"), preference: 10, ip, door: Door::Open }],
            implicit_mx: false,
            manners,
        }
    }

    /// Whether it has mailboxes in `domain`.
    #[must_use]
    pub fn serves(&self, domain: &str) -> bool {
        self.domains.iter().any(|d| d.eq_ignore_ascii_case(domain))
    }
}

fn one() -> u32 {
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_providers_are_many_and_different() {
        let builtin = Providers::builtin();
        assert!(builtin.providers.len() >= 10);
        for provider in &builtin.providers {
            assert!(provider.domains.len() >= 3, "{}", provider.name);
            assert!(provider.mx.iter().all(|mx| mx.ip.is_loopback()), "{}", provider.name);
        }
    }

    #[test]
    fn mistakes_are_named() {
        let twice = r#"
            [[provider]]
            name = "A"
            domains = ["a.example"]
            mx = [{ host = "mx.a.example", preference = 1, ip = "127.20.1.1" }]
            [[provider]]
            name = "B"
            domains = ["a.example"]
            mx = [{ host = "mx.b.example", preference = 1, ip = "127.20.1.2" }]
        "#;
        assert_eq!(Providers::parse(twice).unwrap_err().to_string(), "provider B: a.example occurs twice");
        assert!(Providers::parse("[[provider]]\nnmae = 1").is_err());
    }
}
