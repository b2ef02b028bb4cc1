//! What is asked of TLS with one host: a plain function of what is known.
//!
//! Order: the operator's "off" ends it; DANE, where the MX set and the host are signed, goes before MTA-STS (RFC 8461
//! §2); then MTA-STS; the operator's "required" and the provider's data ask for encryption with whatever certificate;
//! else encryption where it can be had (RFC 7435).

use super::dane;
use super::sts::Mode;
use config::TlsMode;
use std::sync::Arc;
use world::TlsaRecord;

/// What the DNS says about DANE for a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Dane {
    /// It is not asked for, or provably not there: names that are not signed, or signed ones without TLSA record.
    Absent,
    /// Signed records of a signed host.
    Records(Arc<[TlsaRecord]>),
    /// Answers that fail validation, or none at all: the host is left alone, since this is what an attack looks like
    /// (RFC 7672 §2.1.1).
    Broken(String),
}

/// What MTA-STS says about a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sts {
    /// No policy, or one that asks for nothing.
    Absent,
    /// A policy.
    Policy {
        /// Enforce or testing.
        mode: Mode,
        /// Whether the host is one of the policy's.
        covered: bool,
    },
}

/// Everything that decides.
#[derive(Clone, Debug)]
pub struct Known {
    /// `[smtp] tls`.
    pub mode: TlsMode,
    /// The provider's data ask for TLS.
    pub provider_requires: bool,
    /// DANE.
    pub dane: Dane,
    /// MTA-STS.
    pub sts: Sts,
}

/// Whether there is to be TLS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encryption {
    /// Not even where it is offered.
    Never,
    /// Where it is offered and works.
    IfOffered,
    /// Or no mail.
    Always,
}

/// How certificates are checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    /// Not at all.
    Nothing,
    /// By these records.
    Dane(Arc<[TlsaRecord]>),
    /// By the authorities of the web, for the host's name.
    Web,
}

/// Where a requirement comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum By {
    /// Nowhere: opportunistic, or off.
    Nobody,
    /// `[smtp] tls = "required"`.
    Operator,
    /// The provider's data.
    Provider,
    /// DANE.
    Dane,
    /// DANE with records of which none can be used: encryption is all that is left (RFC 7672 §2.2).
    DaneUnusable,
    /// An MTA-STS policy that is enforced.
    Sts,
    /// One in testing mode: failures are reported, mail goes.
    StsTesting,
}

/// What is asked of TLS with one host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsRequirement {
    /// Whether there is to be any.
    pub encryption: Encryption,
    /// How the certificate is checked.
    pub check: Check,
    /// Who says so.
    pub by: By,
    /// The host is not in the policy's list: to be reported, though mail goes.
    pub not_listed: bool,
}

/// Why a host gets no mail, whatever it offers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Skip {
    /// The DNS about it cannot be trusted.
    Dnssec(String),
    /// An enforced policy does not list it.
    NotListed,
}

/// What is asked of TLS with a host.
///
/// # Errors
/// When the host is not to be used at all.
pub fn decide(known: &Known) -> Result<TlsRequirement, Skip> {
    let ask = |encryption, check, by| Ok(TlsRequirement { encryption, check, by, not_listed: false });
    if known.mode == TlsMode::Off {
        return ask(Encryption::Never, Check::Nothing, By::Nobody);
    }
    match &known.dane {
        Dane::Broken(why) => return Err(Skip::Dnssec(why.clone())),
        Dane::Records(records) if records.iter().any(dane::is_usable) => {
            return ask(Encryption::Always, Check::Dane(records.clone()), By::Dane);
        }
        Dane::Records(_) | Dane::Absent => {}
    }
    let (floor, floor_by) = match (known.mode, known.provider_requires, &known.dane) {
        (_, _, Dane::Records(_)) => (Encryption::Always, By::DaneUnusable),
        (TlsMode::Required, ..) => (Encryption::Always, By::Operator),
        (_, true, _) => (Encryption::Always, By::Provider),
        _ => (Encryption::IfOffered, By::Nobody),
    };
    match known.sts {
        Sts::Policy { mode: Mode::Enforce, covered: false } => Err(Skip::NotListed),
        Sts::Policy { mode: Mode::Enforce, covered: true } => ask(Encryption::Always, Check::Web, By::Sts),
        Sts::Policy { mode: Mode::Testing, covered } => {
            Ok(TlsRequirement { encryption: floor, check: Check::Web, by: By::StsTesting, not_listed: !covered })
        }
        Sts::Policy { mode: Mode::None, .. } | Sts::Absent => ask(floor, Check::Nothing, floor_by),
    }
}

impl TlsRequirement {
    /// Whether a failed check keeps mail back.
    #[must_use]
    pub fn is_binding(&self) -> bool {
        self.by != By::StsTesting
    }

    /// In a sentence, for people.
    #[must_use]
    pub fn sentence(&self) -> &'static str {
        match (self.by, self.encryption) {
            (By::Nobody, Encryption::Never) => "TLS is switched off in the configuration ([smtp] tls).",
            (By::Nobody, _) => "TLS where the server offers it; certificates are not judged.",
            (By::Operator, _) => "TLS is required by the configuration ([smtp] tls); certificates are not judged.",
            (By::Provider, _) => "TLS is required by the data about this provider; certificates are not judged.",
            (By::Dane, _) => "TLS is required, with a certificate that the domain's TLSA records vouch for (DANE).",
            (By::DaneUnusable, _) => {
                "TLS is required, since there are TLSA records; none of them can be used, so certificates are not judged."
            }
            (By::Sts, _) => "TLS is required, with a certificate that is valid for the host (MTA-STS, enforced).",
            (By::StsTesting, Encryption::Always) => {
                "TLS is required by us; the domain tests MTA-STS, so a bad certificate is reported and mail goes."
            }
            (By::StsTesting, _) => "The domain tests MTA-STS: what would fail is reported, and mail goes.",
        }
    }

    /// What an attempt's record says of its TLS: the version, and the policy that was met.
    #[must_use]
    pub fn label(&self, version: &'static str) -> &'static str {
        match (self.by, version) {
            (By::Dane, "TLSv1.3") => "TLSv1.3 dane",
            (By::Dane, "TLSv1.2") => "TLSv1.2 dane",
            (By::Sts, "TLSv1.3") => "TLSv1.3 mta-sts",
            (By::Sts, "TLSv1.2") => "TLSv1.2 mta-sts",
            _ => version,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;

    fn record(usage: u8) -> TlsaRecord {
        TlsaRecord { usage, selector: 1, matching: 1, data: vec![7; 32] }
    }

    fn told(mode: TlsMode, provider_requires: bool, dane: (&str, Dane), sts: (&str, Sts)) -> String {
        let known = Known { mode, provider_requires, dane: dane.1, sts: sts.1 };
        let decided = match decide(&known) {
            Ok(r) => {
                let check = match r.check {
                    Check::Nothing => "nothing",
                    Check::Dane(_) => "dane",
                    Check::Web => "web",
                };
                let listed = if r.not_listed { " not-listed" } else { "" };
                format!("{:?} check={check} by={:?}{listed}", r.encryption, r.by)
            }
            Err(skip) => format!("skip {skip:?}"),
        };
        let provider = if provider_requires { " +provider" } else { "" };
        format!("{mode:?}{provider} dane={} sts={}: {decided}\n", dane.0, sts.0)
    }

    #[test]
    fn who_goes_before_whom() {
        let records = |usage| Dane::Records(vec![record(usage)].into());
        let danes = [
            ("absent", Dane::Absent),
            ("ee", records(3)),
            ("unusable", records(1)),
            ("broken", Dane::Broken("bogus".to_owned())),
        ];
        let policy = |mode, covered| Sts::Policy { mode, covered };
        let all = [
            ("absent", Sts::Absent),
            ("enforce", policy(Mode::Enforce, true)),
            ("enforce-other", policy(Mode::Enforce, false)),
            ("testing", policy(Mode::Testing, true)),
            ("testing-other", policy(Mode::Testing, false)),
            ("none", policy(Mode::None, false)),
        ];
        let mut table = String::new();
        for dane in &danes {
            for sts in &all {
                table += &told(TlsMode::Opportunistic, false, dane.clone(), *sts);
            }
        }
        for sts in &all[..4] {
            table += &told(TlsMode::Required, false, danes[0].clone(), *sts);
        }
        table += &told(TlsMode::Opportunistic, true, danes[0].clone(), all[0]);
        table += &told(TlsMode::Opportunistic, true, danes[0].clone(), all[3]);
        table += &told(TlsMode::Off, true, danes[3].clone(), all[1]);
        expect![[r#"
            Opportunistic dane=absent sts=absent: IfOffered check=nothing by=Nobody
            Opportunistic dane=absent sts=enforce: Always check=web by=Sts
            Opportunistic dane=absent sts=enforce-other: skip NotListed
            Opportunistic dane=absent sts=testing: IfOffered check=web by=StsTesting
            Opportunistic dane=absent sts=testing-other: IfOffered check=web by=StsTesting not-listed
            Opportunistic dane=absent sts=none: IfOffered check=nothing by=Nobody
            Opportunistic dane=ee sts=absent: Always check=dane by=Dane
            Opportunistic dane=ee sts=enforce: Always check=dane by=Dane
            Opportunistic dane=ee sts=enforce-other: Always check=dane by=Dane
            Opportunistic dane=ee sts=testing: Always check=dane by=Dane
            Opportunistic dane=ee sts=testing-other: Always check=dane by=Dane
            Opportunistic dane=ee sts=none: Always check=dane by=Dane
            Opportunistic dane=unusable sts=absent: Always check=nothing by=DaneUnusable
            Opportunistic dane=unusable sts=enforce: Always check=web by=Sts
            Opportunistic dane=unusable sts=enforce-other: skip NotListed
            Opportunistic dane=unusable sts=testing: Always check=web by=StsTesting
            Opportunistic dane=unusable sts=testing-other: Always check=web by=StsTesting not-listed
            Opportunistic dane=unusable sts=none: Always check=nothing by=DaneUnusable
            Opportunistic dane=broken sts=absent: skip Dnssec("bogus")
            Opportunistic dane=broken sts=enforce: skip Dnssec("bogus")
            Opportunistic dane=broken sts=enforce-other: skip Dnssec("bogus")
            Opportunistic dane=broken sts=testing: skip Dnssec("bogus")
            Opportunistic dane=broken sts=testing-other: skip Dnssec("bogus")
            Opportunistic dane=broken sts=none: skip Dnssec("bogus")
            Required dane=absent sts=absent: Always check=nothing by=Operator
            Required dane=absent sts=enforce: Always check=web by=Sts
            Required dane=absent sts=enforce-other: skip NotListed
            Required dane=absent sts=testing: Always check=web by=StsTesting
            Opportunistic +provider dane=absent sts=absent: Always check=nothing by=Provider
            Opportunistic +provider dane=absent sts=testing: Always check=web by=StsTesting
            Off +provider dane=broken sts=enforce: Never check=nothing by=Nobody
        "#]]
        .assert_eq(&table);
    }
}
