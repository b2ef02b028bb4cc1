//! The names of a source: what its address is called, whether the name leads back to the address, and whether EHLO says
//! it (RFC 5321 §4.1.1.1). Plain functions from the DNS's answers to findings; receivers look at the same things.

use std::net::IpAddr;
use storage::source_check::{Finding, Level, Subject};
use world::DnsError;

/// What the DNS said.
pub(super) struct Answers {
    /// Names of the address.
    pub ptr: Result<Vec<String>, DnsError>,
    /// Addresses of each of these names.
    pub forward: Vec<(String, Result<Vec<IpAddr>, DnsError>)>,
    /// Addresses of the EHLO name.
    pub ehlo: Result<Vec<IpAddr>, DnsError>,
}

/// What to do where the DNS does not answer.
const NO_ANSWER: &str = "Nothing yet: it is looked at again. If it stays so, see whether the resolver in [dns] works.";

/// How the names of a source with this address stand.
pub(super) fn judge(ip: IpAddr, ehlo: &str, answers: &Answers) -> Vec<Finding> {
    let names = match &answers.ptr {
        Ok(names) => names.as_slice(),
        Err(DnsError::NoSuchName { .. }) => &[],
        Err(error) => {
            let no = |subject| finding(subject, Level::Unsure, error.to_string(), NO_ANSWER.to_owned());
            return vec![no(Subject::Ptr), no(Subject::Forward), says(ip, ehlo, None, &answers.ehlo)];
        }
    };
    if names.is_empty() {
        let advice = format!(
            "Have whoever gives you the address set its PTR record to {ehlo}; many receivers refuse mail without one."
        );
        return vec![
            finding(Subject::Ptr, Level::Bad, format!("{ip} has no name: there is no PTR record"), advice),
            finding(Subject::Forward, Level::Off, "there is no name that could lead back".to_owned(), String::new()),
            says(ip, ehlo, Some(names), &answers.ehlo),
        ];
    }
    let called = format!("{ip} is called {}", names.join(", "));
    vec![
        finding(Subject::Ptr, Level::Good, called, String::new()),
        leads_back(ip, &answers.forward),
        says(ip, ehlo, Some(names), &answers.ehlo),
    ]
}

/// How the EHLO name of a source without address of its own stands.
pub(super) fn judge_name_alone(ehlo: &str, answer: &Result<Vec<IpAddr>, DnsError>) -> Finding {
    match answer {
        Ok(ips) if !ips.is_empty() => {
            finding(Subject::Ehlo, Level::Good, format!("EHLO says {ehlo}, which exists"), String::new())
        }
        Err(error @ DnsError::Temporary { .. }) => {
            finding(Subject::Ehlo, Level::Unsure, error.to_string(), NO_ANSWER.to_owned())
        }
        Ok(_) | Err(DnsError::NoSuchName { .. }) => finding(
            Subject::Ehlo,
            Level::Bad,
            format!("EHLO says {ehlo}, which has no address"),
            "Publish an address record for it, or set server.hostname, or the source's ehlo, to this host's public name."
                .to_owned(),
        ),
    }
}

fn leads_back(ip: IpAddr, forward: &[(String, Result<Vec<IpAddr>, DnsError>)]) -> Finding {
    let back = forward.iter().find(|(_, ips)| ips.as_ref().is_ok_and(|ips| ips.contains(&ip)));
    if let Some((name, _)) = back {
        return finding(Subject::Forward, Level::Good, format!("{name} leads back to {ip}"), String::new());
    }
    let failed = forward.iter().find_map(|(_, ips)| match ips {
        Err(error @ DnsError::Temporary { .. }) => Some(error),
        _ => None,
    });
    if let Some(error) = failed {
        return finding(Subject::Forward, Level::Unsure, error.to_string(), NO_ANSWER.to_owned());
    }
    let names: Vec<&str> = forward.iter().map(|(name, _)| name.as_str()).collect();
    let record = if ip.is_ipv4() { "A" } else { "AAAA" };
    let found = format!("no name of {ip} leads back to it ({})", names.join(", "));
    let advice = format!("Publish an {record} record of {} with {ip}.", names.first().unwrap_or(&"the name"));
    finding(Subject::Forward, Level::Bad, found, advice)
}

/// What EHLO says beside what the address is called; `names` is `None` when that is not known.
fn says(ip: IpAddr, ehlo: &str, names: Option<&[String]>, answer: &Result<Vec<IpAddr>, DnsError>) -> Finding {
    let ips = match answer {
        Ok(ips) => ips.as_slice(),
        Err(DnsError::NoSuchName { .. }) => &[],
        Err(error) => return finding(Subject::Ehlo, Level::Unsure, error.to_string(), NO_ANSWER.to_owned()),
    };
    if !ips.contains(&ip) {
        let to: Vec<String> = ips.iter().map(ToString::to_string).collect();
        let leads = if to.is_empty() { "has no address".to_owned() } else { format!("leads to {}", to.join(", ")) };
        let found = format!("EHLO says {ehlo}, which {leads}, and not to {ip}");
        let advice =
            format!("Publish an address record of {ehlo} with {ip}, or set the source's ehlo to its own name.");
        return finding(Subject::Ehlo, Level::Bad, found, advice);
    }
    match names {
        Some(names) if !names.iter().any(|name| name == ehlo) => {
            let called = names.first().map_or("nothing", String::as_str);
            let found = format!("EHLO says {ehlo}, and the address is called {called}");
            let advice = format!("Set the PTR record of {ip} to {ehlo}, or the source's ehlo to the address's name.");
            finding(Subject::Ehlo, Level::Warning, found, advice)
        }
        Some(_) => {
            finding(Subject::Ehlo, Level::Good, format!("EHLO says {ehlo}, as the address is called"), String::new())
        }
        None => finding(
            Subject::Ehlo,
            Level::Unsure,
            format!("EHLO says {ehlo}, which leads to {ip}; what the address is called is not known"),
            NO_ANSWER.to_owned(),
        ),
    }
}

pub(super) fn finding(subject: Subject, level: Level, found: String, advice: String) -> Finding {
    Finding { subject, item: String::new(), level, found, advice }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IP: &str = "198.51.100.7";

    fn temporary<T>() -> Result<T, DnsError> {
        Err(DnsError::Temporary { name: "x".to_owned(), why: "SERVFAIL".to_owned() })
    }

    fn nothing<T>() -> Result<T, DnsError> {
        Err(DnsError::NoSuchName { name: "x".to_owned() })
    }

    fn at(ip: &str) -> Result<Vec<IpAddr>, DnsError> {
        Ok(vec![ip.parse().unwrap()])
    }

    #[test]
    fn how_names_stand() {
        let named = |name: &str| Ok(vec![name.to_owned()]);
        let mx1 = |ips| vec![("mx1.example.com".to_owned(), ips)];
        for (what, ptr, forward, ehlo, expected) in [
            ("good", named("mx1.example.com"), mx1(at(IP)), at(IP), "good good good"),
            ("another name", named("host7.isp.example"), mx1(at(IP)), at(IP), "good good warning"),
            ("not back", named("mx1.example.com"), mx1(at("192.0.2.1")), at("192.0.2.1"), "good bad bad"),
            ("no such name back", named("mx1.example.com"), mx1(nothing()), nothing(), "good bad bad"),
            ("no PTR", nothing(), vec![], at(IP), "bad off warning"),
            ("empty PTR", Ok(vec![]), vec![], at(IP), "bad off warning"),
            ("no DNS", temporary(), vec![], temporary(), "unsure unsure unsure"),
            ("PTR fails", temporary(), vec![], at(IP), "unsure unsure unsure"),
            ("back fails", named("mx1.example.com"), mx1(temporary()), at(IP), "good unsure good"),
        ] {
            let found = judge(IP.parse().unwrap(), "mx1.example.com", &Answers { ptr, forward, ehlo });
            let levels: Vec<&str> = found.iter().map(|finding| finding.level.as_str()).collect();
            assert_eq!(levels.join(" "), expected, "{what}: {found:?}");
            for finding in &found {
                let is_fine = matches!(finding.level, Level::Good | Level::Off);
                assert_eq!(finding.advice.is_empty(), is_fine, "{what}: {finding:?}");
            }
        }
        for (answer, expected) in [(at(IP), Level::Good), (nothing(), Level::Bad), (temporary(), Level::Unsure)] {
            assert_eq!(judge_name_alone("mx1.example.com", &answer).level, expected);
        }
    }
}
