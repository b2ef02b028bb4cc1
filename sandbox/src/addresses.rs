//! Made-up people for the demo: addresses spread over the providers, with what is to be expected of each.

use crate::hash::{hash, mix};
use crate::mailbox::Mailbox;
use crate::manners::{OddAnswer, Providers};
use serde::Serialize;

const FIRST: [&str; 48] = [
    "Ana", "Bruno", "Clara", "David", "Elena", "Farid", "Greta", "Hugo", "Ines", "Jonas", "Katya", "Liam", "Mara",
    "Nils", "Olga", "Pavel", "Quinn", "Rosa", "Samir", "Tessa", "Ugo", "Vera", "Wanda", "Xenia", "Yusuf", "Zoe",
    "Amir", "Beata", "Carlos", "Dina", "Emil", "Freya", "Goran", "Hana", "Ivan", "Jana", "Karim", "Lena", "Milan",
    "Nora", "Oscar", "Petra", "Ravi", "Sofia", "Tariq", "Uma", "Viktor", "Yara",
];
const LAST: [&str; 40] = [
    "Almeida", "Berg", "Costa", "Dahl", "Eriksen", "Fischer", "Garcia", "Haddad", "Ivanova", "Jansen", "Kowalski",
    "Lopez", "Moreau", "Novak", "Okafor", "Petrov", "Quiroga", "Rossi", "Schmidt", "Tanaka", "Ueda", "Vidal", "Weber",
    "Xu", "Yilmaz", "Zeman", "Andersen", "Baker", "Cohen", "Dubois", "Evans", "Ferrari", "Gruber", "Hansen", "Ito",
    "Khan", "Larsen", "Mendes", "Nielsen", "Olsen",
];

/// What becomes of one message to an address, when the sender does everything right.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Expected {
    /// It is accepted, at once or after what every address of the provider goes through (greylisting, limits).
    Delivered,
    /// It is accepted after the mailbox was full at first.
    DeliveredLater,
    /// 550 5.1.1 in the session.
    UnknownUser,
    /// 552 5.2.2 in the session.
    OverQuota,
    /// Accepted, then reported as 5.1.1.
    Reported,
    /// The first transfer of content is cut: a sender that had written the final dot cannot know the outcome, one
    /// that had not delivers later.
    CutInContent,
    /// The final dot is never answered: the sender cannot know the outcome.
    NeverAnswered,
    /// The domain takes no mail, or does not exist.
    NoSuchDomain,
    /// The DNS does not answer.
    DnsFails,
}

/// A made-up person.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Person {
    /// The address; no two of one series are the same.
    pub address: String,
    /// The first name.
    pub first_name: String,
    /// The last name.
    pub last_name: String,
    /// The provider's name; that of the domain where no provider is.
    pub provider: String,
    /// What becomes of one message to it.
    pub expected: Expected,
}

impl Providers {
    /// `count` people, the same for the same seed. About one in twenty-five is a problem, as in a list that is
    /// looked after.
    pub fn people(&self, count: usize, seed: u64) -> impl Iterator<Item = Person> + '_ {
        let all = self.providers.iter().map(|p| p.weight).chain(self.oddities.iter().map(|o| o.weight));
        let total = all.map(u64::from).sum::<u64>().max(1);
        (0..count).map(move |n| self.person(n, mix(seed ^ hash(6, &n.to_le_bytes())), total))
    }

    /// What is to be expected of an address; `None` where nobody here knows its domain.
    #[must_use]
    pub fn expected(&self, address: &str) -> Option<Expected> {
        let (local, domain) = address.rsplit_once('@')?;
        if let Some(provider) = self.of_domain(domain) {
            return Some(match provider.mailbox(local, domain) {
                Mailbox::Fine => Expected::Delivered,
                Mailbox::FullForNow => Expected::DeliveredLater,
                Mailbox::Unknown => Expected::UnknownUser,
                Mailbox::OverQuota => Expected::OverQuota,
                Mailbox::ReportedLater => Expected::Reported,
                Mailbox::CutInContent => Expected::CutInContent,
                Mailbox::LimboKept | Mailbox::LimboLost => Expected::NeverAnswered,
            });
        }
        let oddity = self.oddities.iter().find(|oddity| oddity.domain.eq_ignore_ascii_case(domain))?;
        Some(match oddity.answer {
            OddAnswer::NullMx | OddAnswer::NoSuchName => Expected::NoSuchDomain,
            OddAnswer::Servfail => Expected::DnsFails,
        })
    }

    fn person(&self, n: usize, random: u64, total: u64) -> Person {
        let pick = |shift: u32, of: usize| (mix(random.rotate_left(shift)) % of.max(1) as u64) as usize;
        let (first, last) = (FIRST[pick(7, FIRST.len())], LAST[pick(19, LAST.len())]);
        let (provider, domain) = self.place(random % total, pick(31, 6));
        let address = format!("{}.{}{n}@{domain}", first.to_ascii_lowercase(), last.to_ascii_lowercase());
        let expected = self.expected(&address).unwrap_or(Expected::NoSuchDomain);
        Person {
            address,
            first_name: first.to_owned(),
            last_name: last.to_owned(),
            provider: provider.to_owned(),
            expected,
        }
    }

    /// The provider at `place` of the sum of weights, and one of its domains: the first has half of the people.
    fn place(&self, mut place: u64, domain: usize) -> (&str, &str) {
        for provider in &self.providers {
            let weight = u64::from(provider.weight);
            if place < weight {
                let domain = if domain < 3 { 0 } else { domain % provider.domains.len() };
                return (&provider.name, &provider.domains[domain]);
            }
            place -= weight;
        }
        for oddity in &self.oddities {
            let weight = u64::from(oddity.weight);
            if place < weight {
                return (&oddity.domain, &oddity.domain);
            }
            place -= weight;
        }
        // Only when nothing has any weight.
        ("nobody", "nobody.invalid")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, HashSet};

    #[test]
    fn people_are_distinct_spread_and_mostly_fine() {
        let providers = Providers::builtin();
        let people: Vec<_> = providers.people(20_000, 7).collect();
        assert_eq!(people.iter().map(|p| &p.address).collect::<HashSet<_>>().len(), 20_000);
        assert_eq!(people, providers.people(20_000, 7).collect::<Vec<_>>());
        let mut by_provider = BTreeMap::new();
        let mut by_expected = BTreeMap::new();
        for person in &people {
            *by_provider.entry(&person.provider).or_insert(0) += 1;
            *by_expected.entry(person.expected).or_insert(0) += 1;
        }
        assert_eq!(by_provider.len(), providers.providers.len() + 2, "{by_provider:?}");
        let fine = by_expected[&Expected::Delivered];
        assert!((18_800..=19_400).contains(&fine), "between 3 and 6 in a hundred are problems: {by_expected:?}");
        for expected in [
            Expected::DeliveredLater,
            Expected::UnknownUser,
            Expected::OverQuota,
            Expected::Reported,
            Expected::CutInContent,
            Expected::NeverAnswered,
            Expected::NoSuchDomain,
        ] {
            assert!(by_expected.contains_key(&expected), "{expected:?} of {by_expected:?}");
        }
        assert!(!by_expected.contains_key(&Expected::DnsFails), "it would wait until it expires");
    }
}
